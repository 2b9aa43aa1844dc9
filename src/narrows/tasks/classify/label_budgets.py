"""What labels are worth: a classifier and its competitors with few and with all labels."""

import math
from typing import Any

import numpy as np

from narrows.tasks.base import Evaluation, Picture, Rows, spaced
from narrows.tasks.classify.predictions import (
    LOGISTIC,
    MOST,
    NETWORK,
    PROBE,
    TUNED,
    Classifier,
    baseline_shares,
    labelled,
    row_products,
    tuned,
)

__all__ = ["subsets", "with_budgets"]

_BUDGETS = {10: 5, 100: 3}  # labels per class, and how many subsets of the labels are drawn
_STEP_LIMITS = (100, 600)  # of a network that learns few labels for the comparison, fewer of a large one ...
_WORK = 4e11  # ... so that it takes about so many multiply-adds


def subsets(y: np.ndarray, per_class: int, seed: int) -> np.ndarray:
    """Return the places of at most ``per_class`` labels of every class, drawn from ``seed``.

    Examples
    --------
    >>> y = np.array(["a", "a", "a", "b"])
    >>> y[subsets(y, 2, seed=0)].tolist()
    ['a', 'a', 'b']
    """
    order = np.random.default_rng(seed).permutation(len(y))
    _, places = np.unique(y[order], return_inverse=True)
    by_class = np.argsort(places, kind="stable")
    rank = np.arange(len(y)) - np.searchsorted(places[by_class], places[by_class])
    return np.sort(order[by_class[rank < per_class]])


def with_budgets(task: Classifier, evaluation: Evaluation, train: Rows, held: Rows | None = None) -> Evaluation:
    """Add accuracies with few labels, mean and deviation over subsets of them, and with all, as table and curves.

    They are measured on ``held``; None: on the labelled rows that are not in the subset.
    """
    X, y = labelled(train)
    names, steps = [TUNED, PROBE, NETWORK, LOGISTIC], affordable(task, X, len(y))
    counts = np.unique(y, return_counts=True)[1]
    by_budget: dict[int, dict[str, list[float]]] = {}
    for per_class, repeats in _BUDGETS.items():
        if (few := int(np.minimum(counts, per_class).sum())) <= len(y) // 2:
            runs = [accuracies(task, X, y, subsets(y, per_class, seed), held, seed, steps) for seed in range(repeats)]
            by_budget[few] = {name: [run[name] for run in runs] for name in names}
    if held is None and not by_budget:
        return evaluation  # what there is to say stands in the table of the cross-validation
    whole = {TUNED: evaluation.metrics["accuracy"].value, PROBE: evaluation.metrics["probe"].value}
    whole |= {name: evaluation.baselines[name]["accuracy"] for name in (NETWORK, LOGISTIC)}
    if held is None:
        lead = (
            "Accuracy on labelled rows whose labels were not learnt; that with all labels is of the cross-validation."
        )
    else:
        lead = (
            f"Accuracy on {evaluation.rows:,} rows that {held.split.were} learnt from. The code comes from all others, "
            "without labels."
        )
    if by_budget:
        lead += (
            f" Few labels are drawn anew, at most {' or '.join(map(str, _BUDGETS))} of every class: mean ± standard "
            f"deviation over the draws, networks of at most {steps:,} steps."
        )
    by_budget[len(y)] = {name: [whole[name]] for name in names}
    rows = [(f"{n:,}", *(_said(runs[name]) for name in names)) for n, runs in by_budget.items()]
    title = "What labels are worth"
    evaluation.tables.append({"title": title, "lead": lead, "columns": ("labels", *names), "rows": rows})
    if len(by_budget) > 1:
        lines = {name: [(np.mean(runs[name]), np.std(runs[name])) for runs in by_budget.values()] for name in names}
        curves = {name: (np.array(list(by_budget)), *np.array(points).T) for name, points in lines.items()}
        data = {"series": curves, "x": "labels", "y": "accuracy", "log_x": True}
        evaluation.pictures.insert(0, Picture("budgets", title, lead, data, "lines"))
    return evaluation


def accuracies(
    task: Classifier, X: Any, y: np.ndarray, some: np.ndarray, held: Rows | None, seed: int, steps: int
) -> dict[str, float]:
    """Return the accuracy of every method after learning the labels at ``some`` places."""
    rest = np.delete(np.arange(len(y)), some)
    rows, truth = (X[rest], y[rest]) if held is None else labelled(held)
    rows, truth = (part[spaced(len(truth), MOST)] for part in (rows, truth))
    answers = baseline_shares(task, X[some], y[some], rows, steps)
    answers[TUNED] = tuned(task, task.estimator_, X[some], y[some], rows, seed, steps)
    return {name: float((shares.seen == truth).mean()) for name, shares in answers.items()}


def affordable(task: Classifier, X: Any, n: int) -> int:
    """Return how many steps a network gets that learns few of ``n`` labels: no more than for all of them."""
    steps = _WORK / (3 * task.tune_batch_size * row_products(task, X))
    whole = _STEP_LIMITS[1] if task.tune_epochs is None else task.tune_epochs * math.ceil(n / task.tune_batch_size)
    return min(whole, int(np.clip(steps, *_STEP_LIMITS)))


def _said(values: list[float]) -> str:
    return f"{np.mean(values):.3f}" + (f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else "")
