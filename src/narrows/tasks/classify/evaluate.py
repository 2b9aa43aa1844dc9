"""How right a classifier is beside its competitors: on rows put aside, or by cross-validation of few labels."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from narrows.estimator.inputs import label_text
from narrows.holdout import Split
from narrows.metrics import Comparison, resampled_spread, stratified_folds
from narrows.tasks.base import Evaluation, Metric, Picture, Rows, spaced
from narrows.tasks.classify.predictions import (
    MOST,
    PROBE,
    TUNED,
    Classifier,
    Shares,
    baseline_shares,
    labelled,
    measures,
    row_products,
    tuned,
)

__all__ = ["cross_validated", "evaluate_labels", "in_order"]

_MAX_CLASSES_SHOWN = 40  # classes of the matrix
_FOLDS, _REPEATS = 5, 4  # of a cross-validation; fewer repeats where they would take longer than ...
_MAX_PRODUCTS = 4e11  # ... about so many multiply-adds,
_STEP_PRODUCTS = 3e7  # of which a step of training costs so many at least


def evaluate_labels(task: Classifier, train: Rows, held: Rows) -> Evaluation:
    """Return how a fitted classifier does on labelled ``held`` rows, beside competitors with the same labels."""
    (X, y), (rows, truth) = labelled(train), labelled(held)
    rows, truth = (part[spaced(len(truth), MOST)] for part in (rows, truth))
    names = np.array([label_text(value) for value in task.classes_])
    answers = {TUNED: Shares(task.predict_proba(rows), names), **baseline_shares(task, X, y, rows)}
    return evaluated(task, {name: [shares] for name, shares in answers.items()}, y, truth, held.split)


def cross_validated(task: Classifier, rows: Rows) -> Evaluation:
    """Return how a fitted classifier does on its own labelled rows, each named by models that have not seen its label.

    The labels are learnt anew without every fold, by the classifier on top of its code and by the competitors; the code
    itself, learnt without labels, stays. Classes with one label are learnt from and not measured.
    """
    X, y = labelled(rows)
    folds = stratified_folds(y, _FOLDS, _repeats(task, X, len(y)))
    tested = folds[0] >= 0
    answers: dict[str, list[Shares]] = {}
    for repeat, fold_of in enumerate(folds):
        for name, shares in _out_of_fold(task, X, y, fold_of, seed=repeat).items():
            answers.setdefault(name, []).append(shares)
    return evaluated(task, answers, y, y[tested], Split.CROSS_VALIDATED, folds[:, tested])


def _out_of_fold(task: Classifier, X: Any, y: np.ndarray, folds: NDArray[np.int64], seed: int) -> dict[str, Shares]:
    """Return what each method says of every row that is in a fold, after learning the labels of the other folds."""
    classes = np.unique(y)
    probabilities: dict[str, np.ndarray] = {}
    for fold in range(folds.max() + 1):
        learn, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        parts = {TUNED: tuned(task, task.estimator_, X[learn], y[learn], X[test], seed)}
        for name, shares in (parts | baseline_shares(task, X[learn], y[learn], X[test])).items():
            probabilities.setdefault(name, np.zeros((len(y), len(classes))))[test] = shares.values
    return {name: Shares(values[folds >= 0], classes) for name, values in probabilities.items()}


def _repeats(task: Classifier, X: Any, n: int) -> int:
    """Return how often the folds are drawn anew: four times, or as often as is quick."""
    batch = min(n, task.tune_batch_size)
    steps = 2 * _FOLDS * max(1, len(task.history_)) * -(-n // batch)  # of two networks in every fold
    return int(np.clip(_MAX_PRODUCTS / (steps * (_STEP_PRODUCTS + 3 * batch * row_products(task, X))), 1, _REPEATS))


def evaluated(
    task: Classifier,
    answers: Mapping[str, Sequence[Shares]],
    y: np.ndarray,
    truth: np.ndarray,
    split: Split,
    folds: NDArray[np.int64] | None = None,
) -> Evaluation:
    """Return what the answers to rows of classes ``truth`` amount to, after learning labels ``y``.

    There is one answer of each method for every repeat; ``folds`` says in which of its folds a row was left out.
    """
    numbers = {name: _mean([measures(shares, truth) for shares in several]) for name, several in answers.items()}
    right = {name: np.array([shares.seen == truth for shares in several]) for name, several in answers.items()}
    ours, probe = numbers.pop(TUNED), numbers.pop(PROBE)
    best_baseline = max(numbers, key=lambda name: numbers[name]["accuracy"])
    metrics = {
        "accuracy": Metric(ours["accuracy"], "accuracy", "share of the rows", "higher"),
        "balanced": Metric(ours["balanced"], "balanced accuracy", "mean over the classes", "higher"),
        "log_loss": Metric(ours["log_loss"], "cross-entropy", "nats per row"),
        "probe": Metric(probe["accuracy"], "accuracy of a linear probe on the frozen code", "share", "higher"),
    }
    notes = remarks(*np.unique(y, return_counts=True), truth)
    if probe["accuracy"] > ours["accuracy"]:
        notes.append("The probe on the frozen code does better than tuning: more labels, or a lower --tune-lr.")
    named = np.concatenate([shares.seen for shares in answers[TUNED]])
    pictures = confusions(named, np.tile(truth, len(answers[TUNED])), split)
    if getattr(task, "history_", None):
        caption = f"Cross-entropy in nats per label while the layers are tuned; {task.stopped_}."
        pictures.append(Picture("tuning", "Learning the labels", caption, {"history": task.history_}, "losses"))
    if folds is None:
        comparison = Comparison.of_rows(right[TUNED][0], right[best_baseline][0], "higher")
    else:
        comparison = Comparison.of_folds(right[TUNED], right[best_baseline], folds, "higher")
    evaluation = Evaluation(metrics, numbers, "accuracy", best_baseline, len(truth), comparison, pictures, notes)
    if folds is not None:
        error = resampled_spread(right[TUNED], folds).error
        metrics["accuracy_error"] = Metric(error, "standard error of the accuracy", "over the folds")
        evaluation.tables.append(fold_table(right, folds, len(y)))
    return evaluation


def fold_table(right: Mapping[str, NDArray[np.bool_]], folds: NDArray[np.int64], labels: int) -> dict[str, Any]:
    """Return the accuracy of every method and ours less theirs, with standard errors, for the page."""
    rows = []
    for name, hits in right.items():
        gap = "" if name == TUNED else _said(right[TUNED].astype(float) - hits, folds, sign="+")
        rows.append((name, _said(hits, folds), gap))
    repeats, count = len(folds), int(folds.max()) + 1
    lead = (
        f"{labels:,} labels are too few to put some aside. Each of {folds.shape[1]:,} labelled rows is named by models "
        f"that learnt the labels of the other folds, {count} folds in {repeats} repeat{'s' * (repeats > 1)}; the code, "
        "which knows no label, comes from all rows. After ± stands the standard error for folds that share rows "
        f"(Nadeau & Bengio 2003), with {count - 1} degrees of freedom."
    )
    return {"title": "Cross-validation", "lead": lead, "columns": ("", "accuracy", "ours less theirs"), "rows": rows}


def _said(values: np.ndarray, folds: NDArray[np.int64], sign: str = "") -> str:
    spread = resampled_spread(values, folds)
    return f"{spread.mean:{sign}.3f} ± {spread.error:.3f}"


def _mean(several: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([numbers[name] for numbers in several])) for name in several[0]}


def remarks(classes: np.ndarray, counts: np.ndarray, truth: np.ndarray) -> list[str]:
    """Return what readers must know of the classes."""
    notes = []
    single = [str(name) for name in classes[counts == 1]]
    if single:
        notes.append(f"Only one label each, which tells little: {_listed(single)}.")
    if counts.max() >= 5 * counts.min():
        notes.append(
            f"The classes are unequal, {counts.min():,} to {counts.max():,} labels each: see the balanced accuracy; "
            "--balanced weighs rare classes as much as frequent ones."
        )
    unmeasured = [str(name) for name in np.setdiff1d(classes, truth)]
    if unmeasured:
        notes.append(f"Learnt from, but not among the rows that are measured: {_listed(unmeasured)}.")
    strange = [str(name) for name in np.setdiff1d(truth, classes)]
    if strange:
        notes.append(f"Measured as errors, because no label was learnt: {_listed(strange)}.")
    return notes


def confusions(seen: np.ndarray, truth: np.ndarray, split: Split) -> list[Picture]:
    """Return the figure of which class is taken for which; of many classes, those that are most often wrong."""
    names = np.unique(np.concatenate([truth, seen]))
    shown = names
    if len(names) > _MAX_CLASSES_SHOWN:
        wrong = np.array([((truth == name) & (seen != truth)).sum() for name in names])
        shown = names[np.sort(np.argsort(-wrong, kind="stable")[:_MAX_CLASSES_SHOWN])]
    among = np.isin(truth, shown) & np.isin(seen, shown)
    if not among.any():
        return []
    order = in_order(shown)
    matrix = confusion_matrix(truth[among], seen[among], labels=shown[order])
    caption = f"Rows that {split.were} learnt from: their class, and what they are taken for."
    left = f" The {_MAX_CLASSES_SHOWN} classes with the most errors." if len(names) > _MAX_CLASSES_SHOWN else ""
    data = {"matrix": matrix, "names": [str(name) for name in shown[order]]}
    return [Picture("confusion", "Confusions", caption + left, data)]


def in_order(classes: np.ndarray) -> list[int]:
    """Return the places of classes as people count them: numbers by size, texts by letter.

    Examples
    --------
    >>> in_order(np.array(["10", "9"]))
    [1, 0]
    """
    try:
        return [int(i) for i in np.argsort(classes.astype(float), kind="stable")]
    except ValueError:
        return [int(i) for i in np.argsort(classes, kind="stable")]


def _listed(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
