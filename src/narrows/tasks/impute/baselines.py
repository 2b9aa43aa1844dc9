"""The simple fillings: mean or mode, nearest neighbours, iterative regression; categories are one-hot ``blocks``."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["IMPUTE_BASELINES", "MAX_REGRESSED_COLUMNS"]

Floats = NDArray[np.float64]
MAX_REGRESSED_COLUMNS = 150  # encoded columns that are regressed on each other
_MAX_ROWS = 5000  # rows that are learnt from
_NEIGHBOURS = 10
_MAX_PREDICTORS = 40  # columns that one is regressed on


def mean_or_mode(train: Floats, rows: Floats, blocks: Sequence[slice] = ()) -> Floats:
    """Return rows (n, d) with gaps filled by the mean of their column; of a level by its share."""
    known = ~np.isnan(train)
    mean = np.where(known, train, 0).sum(0) / np.maximum(known.sum(0), 1)
    return np.where(np.isnan(rows), mean, rows)


def nearest_neighbours(train: Floats, rows: Floats, blocks: Sequence[slice] = ()) -> Floats:
    """Return rows (n, d) with gaps filled by the mean of the ten nearest rows that know the cell."""
    from sklearn.impute import KNNImputer

    return _filled(KNNImputer(n_neighbors=_NEIGHBOURS, keep_empty_features=True), train, rows)


def iterative_regression(train: Floats, rows: Floats, blocks: Sequence[slice] = ()) -> Floats:
    """Return rows (n, d) with gaps filled by Bayesian ridge regressions on the other columns, in turn.

    The first level of every one-hot block is left out and is what the others leave: a level that follows from the
    others, which are missing with it, would never move from its mean.
    """
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    kept = np.setdiff1d(np.arange(train.shape[1]), [block.start for block in blocks])
    few = _MAX_PREDICTORS if len(kept) > _MAX_PREDICTORS else None
    imputer = IterativeImputer(random_state=0, n_nearest_features=few, keep_empty_features=True)
    out = np.array(rows, np.float64)
    out[:, kept] = _filled(imputer, train[:, kept], rows[:, kept])
    for block in blocks:
        out[:, block.start] = 1 - out[:, block.start + 1 : block.stop].sum(1)
    return out


def _filled(imputer: Any, train: Floats, rows: Floats) -> Floats:
    some = np.unique(np.linspace(0, len(train) - 1, min(len(train), _MAX_ROWS)).astype(int))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ten rounds may not be enough, and are what its users get
        return np.asarray(imputer.fit(train[some]).transform(rows), np.float64)


IMPUTE_BASELINES: dict[str, Callable[[Floats, Floats, Sequence[slice]], Floats]] = {
    "mean or mode": mean_or_mode,
    "nearest neighbours": nearest_neighbours,
    "iterative regression": iterative_regression,
}
