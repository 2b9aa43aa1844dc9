"""How often a verdict names a winner where there is none: two equal methods, drawn many times.

``python bench/verdicts.py [--draws N] [--quick]``: for every kind of measure that a task has, and every number of rows,
the share of the draws in which one of two equal methods is said to beat the other. Two standard errors of many rows
allow 4.6 %; no share may be above 6 %.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import common
import numpy as np

from narrows.base_measure import Measure
from narrows.metrics import Comparison, Outcome, compare_aurocs, compare_kernel_distances
from narrows.tasks.anomaly.series import stretches
from narrows.tasks.impute.cells import Cells
from narrows.tasks.impute.evaluate import Losses
from narrows.tasks.segment.evaluate import compare_masks
from narrows.tasks.sparse import explained_rows
from narrows.tasks.translate import compare_l1

Draw = np.random.Generator
LIMIT = 0.06
SIZES = (2, 3, 4, 5, 6, 8, 10, 20, 50, 200)


class Kind(NamedTuple):
    """A kind of measure: which tasks have it, what is counted, and two equal methods on so many of these."""

    name: str
    tasks: str
    unit: str
    compare: Callable[[int, Draw], Comparison]


def errors(n: int, draw: Draw) -> Comparison:
    """Squared errors, those of a row alike."""
    hard = draw.gamma(2.0, size=n)
    ours, theirs = (hard * draw.chisquare(4, n) for _ in range(2))
    return Comparison.of_rows(ours, theirs, "lower")


def heavy(n: int, draw: Draw) -> Comparison:
    """Squared errors of which a few are most of the sum."""
    ours, theirs = (np.exp(1.5 * draw.normal(size=n)) for _ in range(2))
    return Comparison.of_rows(ours, theirs, "lower")


def variance(n: int, draw: Draw) -> Comparison:
    """Shares of the variance that features explain."""
    ours, theirs = (draw.chisquare(8, n) for _ in range(2))
    return Comparison.of_rows(explained_rows(ours, 20.0), explained_rows(theirs, 20.0), "higher")


def hits(rate: float) -> Callable[[int, Draw], Comparison]:
    """Rows that are right or wrong, at a rate."""

    def compare(n: int, draw: Draw) -> Comparison:
        easy = draw.random(n) < 0.5
        ours, theirs = (np.where(easy, 1.0, draw.random(n) < 2 * rate - 1) for _ in range(2))
        return Comparison.of_rows(ours, theirs, "higher")

    return compare


def gains(n: int, draw: Draw) -> Comparison:
    """Gains of ranked lists: often nothing."""
    ours, theirs = (np.where(draw.random(n) < 0.4, 0.0, draw.beta(2, 5, n)) for _ in range(2))
    return Comparison.of_rows(ours, theirs, "higher")


def nats(n: int, draw: Draw) -> Comparison:
    """Negative log-likelihoods."""
    common_part = draw.normal(size=n)
    ours, theirs = (common_part + 0.5 * draw.standard_t(4, n) for _ in range(2))
    return Comparison.of_rows(ours, theirs, "lower", absolute=True)


def areas(ordinary: int, apart: float) -> Callable[[int, Draw], Comparison]:
    """Scores of so many ordinary rows and n anomalies, which lie so far apart."""

    def compare(n: int, draw: Draw) -> Comparison:
        labels = np.repeat([0, 1], (ordinary, n))
        truth = apart * labels + draw.normal(size=len(labels))
        ours, theirs = (truth + 0.7 * draw.normal(size=len(labels)) for _ in range(2))
        return compare_aurocs(labels, ours, theirs)

    return compare


def cells(n: int, draw: Draw) -> Comparison:
    """Errors of cells that are hidden in n rows of six columns of numbers."""
    hidden = draw.random((n, 6)) < 0.3
    losses = Losses(Cells([Measure("gaussian")] * 6), draw.normal(size=(200, 6)), np.zeros((n, 6)), hidden, 1)
    common_part = draw.normal(size=(n, 6))
    ours, theirs = (losses.parts(common_part + 0.5 * draw.normal(size=(n, 6))) for _ in range(2))
    return Comparison.of_totals(losses.measure, ours, theirs, "lower")


def series(n: int, draw: Draw) -> Comparison:
    """Scores of the steps of a series with n anomalous intervals of 4 to 12 steps; neighbours are alike."""
    window, lengths = 16, draw.integers(4, 13, n)
    labels = np.concatenate([np.repeat([0, 1], (96, length)) for length in lengths])
    labels = np.concatenate([labels, np.zeros(96, int)])

    def smooth() -> np.ndarray:
        noise = np.concatenate([[0.0], np.cumsum(draw.normal(size=len(labels) + window))])
        return (noise[window:-1] - noise[: -window - 1]) / np.sqrt(window)

    truth = labels + smooth()
    ours, theirs = (truth + 0.7 * smooth() for _ in range(2))
    return compare_aurocs(labels, ours, theirs, stretches(np.arange(len(labels)), labels, window))


def masks(n: int, draw: Draw) -> Comparison:
    """Masks of pictures of unlike size, each with its own share of what is looked for."""
    sides, shares = draw.integers(1000, 9000, n), draw.beta(2, 8, n)

    def matrices() -> list[np.ndarray]:
        hit, false = draw.beta(8, 2, n), draw.beta(1, 15, n)
        wanted = sides * shares
        rest = sides - wanted
        return [
            np.array([[r * (1 - f), r * f], [w * (1 - h), w * h]])
            for w, r, h, f in zip(wanted, rest, hit, false, strict=True)
        ]

    return compare_masks(matrices(), matrices(), "dice")


def pictures(n: int, draw: Draw) -> Comparison:
    """Absolute errors over the values of pictures of unlike size."""
    truth = [np.zeros((1, 4, int(side))) for side in draw.integers(4, 30, n)]
    ours, theirs = ([each + draw.gamma(3.0) for each in truth] for _ in range(2))
    return compare_l1(truth, ours, theirs)


def sets(n: int, draw: Draw) -> Comparison:
    """Three sets of n rows of one law: two drawn, one real."""
    ours, theirs, real = (draw.normal(size=(n, 3)) for _ in range(3))
    return compare_kernel_distances(ours, theirs, real, 1.5)


def distant(n: int, draw: Draw) -> Comparison:
    """Two sets as far from real rows, on either side."""
    ours, theirs, real = (draw.normal(place, size=(n, 3)) for place in (-1.0, 1.0, 0.0))
    return compare_kernel_distances(ours, theirs, real, 1.5)


KINDS = (
    Kind("squared errors", "reduce, denoise, upscale", "rows or pictures", errors),
    Kind("squared errors, heavy tails", "reduce, denoise, upscale", "rows or pictures", heavy),
    Kind("variance explained", "sparse", "rows", variance),
    Kind("accuracy of 75 %", "classify", "rows", hits(0.75)),
    Kind("accuracy of 95 %", "classify", "rows", hits(0.95)),
    Kind("NDCG", "recommend", "users", gains),
    Kind("nats", "density", "rows", nats),
    Kind("root mean square error of cells", "impute", "rows", cells),
    Kind("area under the ROC curve, 20 ordinary rows", "anomaly", "anomalies", areas(20, 1.0)),
    Kind("area under the ROC curve, 200 ordinary rows", "anomaly", "anomalies", areas(200, 1.0)),
    Kind("area under the ROC curve near 1", "anomaly", "anomalies", areas(200, 3.0)),
    Kind("area under the ROC curve of steps", "anomaly in series", "intervals", series),
    Kind("Dice of all pixels", "segment", "pictures", masks),
    Kind("absolute error of all values", "translate", "pictures", pictures),
    Kind("kernel distance of perfect samplers", "generate", "rows", sets),
    Kind("kernel distance of samplers that are off", "generate", "rows", distant),
)


def share(kind: Kind, n: int, draws: int, seed: int = 0) -> float:
    """Return the share of the draws in which one of two equal methods is named better."""
    draw = np.random.default_rng([seed, n])
    named = (Outcome.WINS, Outcome.LOSES)
    return float(np.mean([kind.compare(n, draw).outcome in named for _ in range(draws)]))


def main() -> int:
    """Print the table, keep it, and return 1 where a share is above the limit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help="begin the names of the kinds to draw; none: all")
    parser.add_argument("--draws", type=int, default=4000, help="how often two equal methods are drawn")
    parser.add_argument("--quick", action="store_true", help="200 draws: shows that it runs")
    parser.add_argument("--results", type=Path, default=common.RESULTS, help="folder of the JSON files")
    args = parser.parse_args()
    draws, worst = 200 if args.quick else args.draws, 0.0
    print(f"{'winners named, in per cent':44}" + "".join(f"{n:>6}" for n in SIZES))
    for kind in (kind for kind in KINDS if kind.name.startswith(tuple(args.kinds or ("",)))):
        shares = {n: share(kind, n, draws) for n in SIZES}
        worst = max(worst, *shares.values())
        print(f"{kind.name:44}" + "".join(f"{100 * value:6.1f}" for value in shares.values()), f" {kind.unit}")
        line = {"row": kind.name, "tasks": kind.tasks, "unit": kind.unit, "draws": draws, "shares": shares}
        common.record(args.results / "verdicts.jsonl", line, args.quick)
    print(f"the largest: {100 * worst:.1f} % (at most {100 * LIMIT:.0f} %)")
    return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
