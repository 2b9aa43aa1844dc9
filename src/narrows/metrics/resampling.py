"""Repeated stratified cross-validation, and the standard error of a mean over folds that share their rows."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Spread", "resampled_spread", "stratified_folds"]


class Spread(NamedTuple):
    """A mean over folds, its standard error, and the degrees of freedom of that error."""

    mean: float
    error: float
    freedom: int


def stratified_folds(y: ArrayLike, folds: int = 5, repeats: int = 4, seed: int = 0) -> NDArray[np.int64]:
    """Return which fold every row is tested in, (repeats, n), each class spread evenly over the folds.

    A row that is the only one of its class is in no fold, -1: it is always learnt from. Of fewer rows than ``folds``
    every row is a fold.

    Examples
    --------
    >>> stratified_folds(["a"] * 4 + ["b"] * 2 + ["c"], folds=2, repeats=1)[0, 4:].tolist() in ([0, 1, -1], [1, 0, -1])
    True
    """
    classes, places = np.unique(np.asarray(y), return_inverse=True)
    tested = np.flatnonzero(np.bincount(places, minlength=len(classes))[places] > 1)
    fold_of = np.full((repeats, len(places)), -1)
    draw = np.random.default_rng(seed)
    for row in fold_of:
        order = draw.permutation(tested)
        order = order[np.argsort(places[order], kind="stable")]
        row[order] = np.arange(len(order)) % min(folds, max(1, len(order)))
    return fold_of


def resampled_spread(values: ArrayLike, folds: NDArray[np.int64]) -> Spread:
    """Return mean and standard error of what was measured on every row in every repeat, (repeats, n).

    Folds learn from rows that they share, so that their means vary together: their variance counts
    1 / J + n_test / n_train times instead of 1 / J (Nadeau & Bengio 2003, "Inference for the Generalization Error",
    section 3). Repeats use the same rows again and add no degrees of freedom: there is one less than the folds of a
    repeat, fewer than the J - 1 of the paper, which names too many winners (Bouckaert 2003, "Choosing between two
    learning algorithms based on calibrated tests"). ``folds`` is what `stratified_folds` gave.

    Examples
    --------
    >>> folds = np.array([[0, 0, 1, 1], [0, 1, 0, 1]])
    >>> spread = resampled_spread([[1.0, 0.0, 1.0, 1.0], [1.0, 0.0, 1.0, 1.0]], folds)
    >>> spread.mean, round(spread.error, 4), spread.freedom
    (0.75, 0.3227, 1)
    """
    measured, count = np.asarray(values, np.float64), int(folds.max()) + 1
    parts = [
        (row[fold_of == fold], fold_of != fold)
        for row, fold_of in zip(measured, folds, strict=True)
        for fold in range(count)
    ]
    means = np.array([part.mean() for part, _ in parts])
    ratio = float(np.mean([len(part) / rest.sum() for part, rest in parts]))
    error = np.sqrt((1 / len(means) + ratio) * means.var(ddof=1))
    return Spread(float(measured[folds >= 0].mean()), float(error), count - 1)
