"""The simple competitors of a recommender, and how settings are chosen for it and for them alike."""

from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone

from narrows.data.ratings.matrix import hide, interactions
from narrows.holdout import SETTINGS
from narrows.metrics.ranking import ndcg_at_k, rank

__all__ = ["ItemKNN", "Popularity", "Trial", "tuned"]

# share of the users that settings are tried on; at most, at least
_MIN_HELD_OUT_USERS = 25
_MAX_ITEMS = 3000  # the most frequent items, on which settings are tried
_RANKS = 100  # ranks that count
_ALONE = {"checkpoint": None, "verbose": False}  # a trial leaves nothing behind
_DRAWS = 5  # of the items that are hidden, over which the mean is taken


class Popularity(BaseEstimator):
    """Recommends to everyone what most rows hold.

    Examples
    --------
    >>> Popularity().fit(sp.csr_matrix([[1.0, 1], [0, 1]])).reconstruct(sp.csr_matrix([[1.0, 0]])).tolist()
    [[0.5, 1.0]]
    """

    search: ClassVar[dict[str, tuple[Any, ...]]] = {}

    def fit(self, X: sp.csr_matrix, y: Any = None) -> Self:
        """Count in how many rows of X every item is."""
        self.share_ = np.asarray((X > 0).sum(0)).ravel() / max(1, X.shape[0])
        return self

    def reconstruct(self, X: sp.csr_matrix) -> NDArray[Any]:
        """Return the share of the rows that hold an item, (n, items), the same for every row of X."""
        return np.tile(self.share_, (X.shape[0], 1))


class ItemKNN(BaseEstimator):
    """Scores an item by the cosine similarity of its column to those of the row's items, of its nearest ones only.

    Parameters
    ----------
    neighbours : int, optional
        Similar items that each item keeps; none: 100, or what `tuned` chooses.
    shrink : float, optional
        Added to the norms, so that items that few rows hold are similar to less; none: 0, or what `tuned` chooses.

    Examples
    --------
    >>> model = ItemKNN(neighbours=1).fit(sp.csr_matrix([[1.0, 1, 0], [1, 1, 0], [0, 1, 1]]))
    >>> model.reconstruct(sp.csr_matrix([[1.0, 0, 0]])).round(3).tolist()
    [[0.0, 0.816, 0.0]]
    """

    search: ClassVar[dict[str, tuple[Any, ...]]] = {"neighbours": (20, 50, 100, 200, 500), "shrink": (0.0, 10.0, 100.0)}

    def __init__(self, neighbours: int | None = None, shrink: float | None = None):
        self.neighbours, self.shrink = neighbours, shrink

    def fit(self, X: sp.csr_matrix, y: Any = None) -> Self:
        """Find the nearest items of every item."""
        size = X.shape[1]
        keep = min(100 if self.neighbours is None else self.neighbours, size)
        columns = X.astype(np.float64).tocsc()
        norm = np.sqrt(np.asarray(columns.multiply(columns).sum(0)).ravel())
        parts = []
        for start in range(0, size, 1024):
            some = slice(start, min(start + 1024, size))
            near = (columns[:, some].T @ columns).toarray()
            near /= np.maximum(norm[some, None] * norm + (self.shrink or 0.0), 1e-12)
            near[np.arange(len(near)), np.arange(some.start, some.stop)] = 0
            least = np.partition(near, size - keep, axis=1)[:, [size - keep]]
            parts.append(sp.csr_matrix(np.where(near >= least, near, 0), dtype=np.float32))
        self.similar_ = sp.vstack(parts).T.tocsr()
        return self

    def reconstruct(self, X: sp.csr_matrix) -> NDArray[Any]:
        """Return the sum of the similarities to what a row holds, for every item: (n, items)."""
        scores: NDArray[Any] = (X @ self.similar_).toarray()
        return scores


class Trial(NamedTuple):
    """Settings that were tried, and the NDCG@100 on users who were put aside."""

    settings: dict[str, Any]
    ndcg: float


def tuned(model: Any, X: sp.csr_matrix, valid: sp.csr_matrix | None = None, seed: int = 0) -> tuple[Any, list[Trial]]:
    """Return the unfitted model with the best of the values in its ``search`` for settings that are None.

    A fifth of the users is put aside, or ``valid`` is, and shown 80 per cent of their items, five times others; one
    setting is chosen after the other, by the NDCG@100 of the rest. Fewer than 25 such users with two items or more
    settle nothing: then the model comes back as it is. Of more than 3000 items, the most frequent ones are looked at.

    Examples
    --------
    >>> tuned(Popularity(), sp.csr_matrix((3, 4)))[1]
    []
    """
    open_ = {name: values for name, values in getattr(model, "search", {}).items() if getattr(model, name) is None}
    if not open_:
        return model, []
    train, aside = (X, valid) if valid is not None else _apart(X, seed)
    if np.count_nonzero(np.diff(aside.indptr) > 1) < _MIN_HELD_OUT_USERS:
        return model, []
    if X.shape[1] > _MAX_ITEMS:
        often = np.sort(np.argsort(-np.diff(train.tocsc().indptr), kind="stable")[:_MAX_ITEMS])
        train, aside = interactions(train[:, often]), interactions(aside[:, often])
    draws = [hide(aside, seed=seed + draw) for draw in range(_DRAWS)]
    trials: list[Trial] = []
    best: dict[str, Any] = {}
    for name, values in open_.items():
        tried = [_tried(model, {**best, name: value}, train, draws) for value in values]
        trials += tried
        best = max(tried, key=lambda trial: trial.ndcg).settings
    return clone(model).set_params(**best), trials


def _tried(
    model: Any, settings: dict[str, Any], train: sp.csr_matrix, draws: list[tuple[sp.csr_matrix, sp.csr_matrix]]
) -> Trial:
    """Return the mean NDCG over draws of the hidden items, after a fit with some settings."""
    alone = {name: value for name, value in _ALONE.items() if hasattr(model, name)}
    fitted = clone(model).set_params(**settings, **alone).fit(train)
    gains = [ndcg_at_k(rank(fitted.reconstruct, shown, _RANKS)[0], hidden, _RANKS) for shown, hidden in draws]
    return Trial(settings, float(np.nanmean(gains)))


def _apart(X: sp.csr_matrix, seed: int) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Return the rows to learn from and those to try settings on, at random among those of two items or more."""
    able = np.flatnonzero(np.diff(X.indptr) > 1)
    held = able[SETTINGS.rows(len(able), seed).measure]
    return X[np.delete(np.arange(X.shape[0]), held)], X[held]
