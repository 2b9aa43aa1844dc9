"""The stated rate of false alarms, for laws of ordinary rows and with 5 % of anomalies among the rows of the fit.

``python bench/rates.py [LAW ...] [--quick] [--draws N] [--rows N]``; a line per law and rate, all of them as JSON.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from common import arguments, known, record

import narrows as nw
from narrows.conformal import threshold

RATES = (0.01, 0.05)
COLUMNS, FRESH, ANOMALIES, SHARE = 6, 4000, 500, 0.05
EPOCHS = 15  # of every fit: the rate does not depend on them
MIX = np.random.default_rng(0).normal(size=(COLUMNS, COLUMNS))
Rows = np.ndarray


class Shares(NamedTuple):
    """Flagged shares: of fresh ordinary rows, and of fresh anomalies by our threshold and by that of an oracle.

    The oracle knows which rows put aside are ordinary, and sets the threshold by them; the scores are the same.
    """

    alarms: float
    hits: float
    oracle: float


Law = Callable[[np.random.Generator, int], Rows]


def normal(draw: np.random.Generator, n: int) -> Rows:
    """Return correlated normal columns."""
    return draw.normal(size=(n, COLUMNS)) @ MIX


def one_lognormal(draw: np.random.Generator, n: int) -> Rows:
    """Return correlated normal columns and an amount."""
    rows = normal(draw, n)
    rows[:, 0] = np.exp(draw.normal(3, 1.3, n))
    return rows


def one_cauchy(draw: np.random.Generator, n: int) -> Rows:
    """Return correlated normal columns and one of the heaviest tails."""
    rows = normal(draw, n)
    rows[:, 0] = draw.standard_cauchy(n)
    return rows


def lognormal(draw: np.random.Generator, n: int) -> Rows:
    """Return log-normal columns."""
    return np.exp(draw.normal(size=(n, COLUMNS)))


def student(degrees: float) -> Law:
    """Return the multivariate t distribution."""

    def law(draw: np.random.Generator, n: int) -> Rows:
        return draw.normal(size=(n, COLUMNS)) / np.sqrt(draw.chisquare(degrees, (n, 1)) / degrees)

    return law


def zero_inflated(draw: np.random.Generator, n: int) -> Rows:
    """Return normal columns beside three that are mostly 0, and log-normal where they are not."""
    rows = normal(draw, n)
    rows[:, :3] = np.exp(draw.normal(2, 1, (n, 3))) * (draw.random((n, 3)) < (0.3, 0.1, 0.05))
    return rows


def wide(draw: np.random.Generator, n: int) -> Rows:
    """Return a tight cluster and, with probability 0.1, rows ten times as wide."""
    return draw.normal(size=(n, COLUMNS)) * np.where(draw.random((n, 1)) < 0.1, 10.0, 1.0)


def pareto(draw: np.random.Generator, n: int) -> Rows:
    """Return columns with a power law of exponent 1.5."""
    return draw.pareto(1.5, (n, COLUMNS))


def exponential(draw: np.random.Generator, n: int) -> Rows:
    """Return exponential columns."""
    return draw.exponential(size=(n, COLUMNS))


def clusters(draw: np.random.Generator, n: int) -> Rows:
    """Return three clusters of different size and width."""
    place = draw.choice(3, n, p=(0.6, 0.3, 0.1))
    return 5 * MIX[place] + np.array([1.0, 3.0, 0.5])[place, None] * draw.normal(size=(n, COLUMNS))


def whole(draw: np.random.Generator, n: int) -> Rows:
    """Return small whole numbers, with ties."""
    return np.concatenate([draw.poisson((0.5, 1, 2, 5), (n, 4)), draw.geometric(0.3, (n, 2))], 1).astype(float)


def mixed(draw: np.random.Generator, n: int) -> Rows:
    """Return two categories as columns of zeros and ones, an amount, a count and a number."""
    kind, place = draw.choice(6, n, p=(0.5, 0.25, 0.15, 0.06, 0.03, 0.01)), draw.choice(3, n, p=(0.7, 0.2, 0.1))
    numbers = np.exp(draw.normal(3, 1, n) + 0.1 * kind), draw.poisson(2, n), draw.normal(size=n)
    return np.column_stack([np.eye(6)[kind], np.eye(3)[place], *numbers])


LAWS: dict[str, Law] = {
    "normal": normal,
    "one log-normal": one_lognormal,
    "one Cauchy": one_cauchy,
    "log-normal": lognormal,
    "t1.5": student(1.5),
    "t3": student(3.0),
    "zero-inflated": zero_inflated,
    "wide rows": wide,
    "pareto": pareto,
    "exponential": exponential,
    "clusters": clusters,
    "whole numbers": whole,
    "mixed": mixed,
}


def anomalies(draw: np.random.Generator, n: int, ordinary: Rows) -> Rows:
    """Return rows from a box around ordinary ones, three times as wide as 98 % of each column."""
    low, high = np.quantile(ordinary, (0.01, 0.99), axis=0)
    return (low + high) / 2 + 1.5 * (high - low) * draw.uniform(-1, 1, (n, ordinary.shape[1]))


def shares(law: Law, seed: int, n: int, *, dirty: bool, epochs: int = EPOCHS) -> list[Shares]:
    """Return what is flagged, for each of the rates."""
    draw = np.random.default_rng(seed)
    rows, fresh = law(draw, n), law(draw, FRESH)
    strange, ordinary = anomalies(draw, ANOMALIES, fresh), np.ones(n, bool)
    if dirty:
        some = draw.choice(n, round(SHARE * n), replace=False)
        rows[some], ordinary[some] = anomalies(draw, len(some), fresh), False
    detector = nw.AnomalyDetector(fpr=RATES[0], random_state=seed, epochs=epochs).fit(rows)
    aside = detector.parts(n)[1]
    alarms, hits, known = (-detector.score_samples(part) for part in (fresh, strange, rows[aside[ordinary[aside]]]))
    known.sort()

    def flagged(fpr: float) -> Shares:
        ours, oracle = -detector.rethreshold(fpr).offset_, threshold(known.tolist(), fpr)
        return Shares(*(float(part.mean()) for part in (alarms > ours, hits > ours, hits > oracle)))

    return [flagged(fpr) for fpr in RATES]


def line(name: str, n: int, draws: int, *, dirty: bool) -> list[dict[str, Any]]:
    """Return what the table says of a law: mean and spread over the draws, for each of the rates."""
    found = np.array([shares(LAWS[name], seed, n, dirty=dirty) for seed in range(draws)])
    lines = []
    for fpr, (alarms, hits, oracle) in zip(RATES, found.transpose(1, 2, 0), strict=True):
        mean, spread = float(alarms.mean()), float(alarms.std(ddof=1)) if draws > 1 else 0.0
        numbers = {"asked": fpr, "flagged": mean, "spread": spread, "ratio": mean / fpr}
        numbers |= {"found": float(hits.mean()), "oracle": float(oracle.mean())}
        lines.append({"row": f"{name}, {'5 % anomalies' if dirty else 'clean'}, {fpr:g}", **numbers, "rows": n})
    return lines


def main() -> None:
    """Measure laws, print a line for each, record them."""
    parser = arguments(__doc__.splitlines()[0], list(LAWS), several=True)
    parser.add_argument("--draws", type=int, default=20, help="fits per law; the shares are their means")
    parser.add_argument("--rows", type=int, default=1000, help="of every fit")
    asked = parser.parse_args()
    draws, n = (2, 200) if asked.quick else (asked.draws, asked.rows)
    print(f"{'law':44}  flagged  spread  ratio  anomalies found  by the oracle")
    for name in known(asked.row, list(LAWS)):
        for dirty in (False, True):
            for each in line(name, n, draws, dirty=dirty):
                record(asked.results / "rates.jsonl", {**each, "draws": draws}, asked.quick)
                numbers = f"{each['flagged']:7.4f} {each['spread']:7.4f} {each['ratio']:6.2f} {each['found']:16.2f}"
                numbers += f" {each['oracle']:14.2f}"
                print(f"{each['row']:44}  {numbers}", flush=True)


if __name__ == "__main__":
    main()
