"""How often cross-validation of few labels names a winner among equal methods: none should be named.

python bench/equal_labels.py [--draws N]
"""

import argparse
from collections.abc import Callable

import numpy as np

from narrows.holdout import Split
from narrows.metrics import stratified_folds
from narrows.reporting.verdict import first_line
from narrows.tasks.classify.classifier import CodeClassifier
from narrows.tasks.classify.evaluate import evaluated
from narrows.tasks.classify.predictions import LOGISTIC, NETWORK, PROBE, TUNED, Shares

LABELS = (10, 20, 60, 200)
COLUMNS = 3  # that each method sees
SHIFT = 0.6  # between the classes, in standard deviations of a column

Learner = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def centroid(X: np.ndarray, y: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the class whose mean is nearer: a learner that hardly changes with its rows."""
    means = [X[y == kind].mean(0) for kind in (0, 1)]
    return np.asarray(np.square(rows - means[1]).sum(1) < np.square(rows - means[0]).sum(1), int)


def neighbour(X: np.ndarray, y: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the class of the nearest row."""
    return np.asarray(y[np.square(rows[:, None] - X[None]).sum(2).argmin(1)])


def stump(X: np.ndarray, y: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the class by the best threshold on one column: a learner that changes with every row."""
    order = np.argsort(X, axis=0)
    ones = np.cumsum(y[order], axis=0)
    right = 2 * (np.arange(1, len(y) + 1)[:, None] - 2 * ones) + 2 * ones[-1] - len(y)  # above it ones, less zeros
    place, column = np.unravel_index(np.abs(right).argmax(), right.shape)
    above = rows[:, column] > X[order[place, column], column]
    return np.asarray(above if right[place, column] > 0 else ~above, int)


LEARNERS: dict[str, Learner] = {"centroid": centroid, "neighbour": neighbour, "stump": stump}


def outcome(labels: int, draw: int, learner: str = "centroid", competitors: int = 1) -> str:
    """Return the outcome of the verdict on equal methods, each of which sees columns of its own, drawn alike."""
    return outcomes(labels, draw, learner, (competitors,))[0]


def outcomes(labels: int, draw: int, learner: str, competitors: tuple[int, ...]) -> list[str]:
    """Return the outcome beside one competitor, or beside the best of several."""
    names = (TUNED, LOGISTIC, NETWORK, "another network")[: max(competitors) + 1]
    rng = np.random.default_rng([draw, labels])
    y = (np.arange(labels) < labels // 2).astype(int)
    X = rng.normal(size=(len(names), labels, COLUMNS)) + SHIFT * y[:, None]
    folds = stratified_folds(y, seed=draw)
    answers: dict[str, list[Shares]] = {}
    for name, own in zip(names, X, strict=True):
        for parts in folds:
            seen = np.empty(labels, int)
            for fold in range(parts.max() + 1):
                learn, test = parts != fold, parts == fold
                seen[test] = LEARNERS[learner](own[learn], y[learn], own[test])
            answers.setdefault(name, []).append(Shares(np.eye(2)[seen], np.array([0, 1])))
    found = []
    for count in competitors:
        some = {name: answers[name] for name in names[: count + 1]} | {PROBE: answers[TUNED]}
        evaluation = evaluated(CodeClassifier(), some, y, y, Split.CROSS_VALIDATED, folds)
        found.append(first_line(evaluation, "cross-validated")["outcome"])
    return found


def named(labels: int, draws: int, learner: str, competitors: tuple[int, ...]) -> list[float]:
    """Return the share of the draws in which a winner is named, beside so many competitors."""
    found = [outcomes(labels, draw, learner, competitors) for draw in range(draws)]
    return [sum(each in ("wins", "loses") for each in column) / draws for column in zip(*found, strict=True)]


def main() -> None:
    """Print the shares as a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    draws = parser.parse_args().draws
    print("winners named among equal methods, % of", draws, "draws: one competitor, the best of three")
    for learner in LEARNERS:
        for labels in LABELS:
            one, best = named(labels, draws, learner, (1, 3))
            print(f"{learner:<10}{labels:>5} labels  {100 * one:5.1f}  {100 * best:5.1f}", flush=True)


if __name__ == "__main__":
    main()
