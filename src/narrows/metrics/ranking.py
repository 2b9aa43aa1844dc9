"""How good ranked lists of items are: arrays of item columns, one row per user, best first, -1 where there is none."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

__all__ = ["coverage", "gini", "mean_popularity", "ndcg_at_k", "rank", "recall_at_k"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_ROWS_AT_ONCE = 1024


def rank(
    scores_of: Callable[[sp.csr_matrix], NDArray[Any]], R: sp.csr_matrix, k: int, seen: sp.csr_matrix | None = None
) -> tuple[Ints, Floats]:
    """Return the k best items of every row and their scores, (n, k) each, best first.

    Parameters
    ----------
    scores_of : callable
        From rows (b, items) to a score for every item, (b, items); asked for some rows at a time.
    R : csr_matrix
        Rows of interactions, (n, items).
    k : int
        Items per row; where fewer are left, the rest is -1 with a score of minus infinity.
    seen : csr_matrix, optional
        Items that are left out, (n, items); R itself when it is not given.

    Examples
    --------
    >>> rank(lambda rows: np.array([[3.0, 1.0, 2.0]]), sp.csr_matrix([[1.0, 0, 0]]), 2)[0].tolist()
    [[2, 1]]
    """
    seen, size = R if seen is None else seen, min(k, R.shape[1])
    items, best = np.full((R.shape[0], k), -1, np.int64), np.full((R.shape[0], k), -np.inf)
    for start in range(0, R.shape[0], _ROWS_AT_ONCE):
        some = slice(start, min(start + _ROWS_AT_ONCE, R.shape[0]))
        scores = np.array(scores_of(R[some]), np.float32)
        left_out = seen[some]
        scores[np.repeat(np.arange(len(scores)), np.diff(left_out.indptr)), left_out.indices] = -np.inf
        top = np.argpartition(-scores, size - 1, axis=1)[:, :size] if size < R.shape[1] else _all(scores)
        values = np.take_along_axis(scores, top, 1)
        order = np.lexsort((top, -values), axis=1)
        top, values = np.take_along_axis(top, order, 1), np.take_along_axis(values, order, 1)
        items[some, :size], best[some, :size] = np.where(np.isneginf(values), -1, top), values
    return items, best


def recall_at_k(ranked: NDArray[Any], held: sp.csr_matrix, k: int) -> Floats:
    """Return for every row the items of ``held`` among its first k, over the most that could be: min(k, how many).

    This is the recall of Liang et al. (2018); a row that holds nothing gives NaN.

    Examples
    --------
    >>> recall_at_k(np.array([[2, 0, 1]]), sp.csr_matrix([[1.0, 0, 1, 1]]), 2)
    array([1.])
    """
    return _over(hits(ranked[:, :k], held).sum(1), np.minimum(np.diff(held.indptr), k))


def ndcg_at_k(ranked: NDArray[Any], held: sp.csr_matrix, k: int) -> Floats:
    """Return the normalised discounted cumulative gain of every row: hits at rank r count 1 / log2(r + 1).

    The best order gives 1; a row of ``held`` that holds nothing gives NaN. Values of ``held`` count alike.

    Examples
    --------
    >>> ndcg_at_k(np.array([[1, 0]]), sp.csr_matrix([[1.0, 0, 0]]), 2).round(4)  # 1 / log2(3)
    array([0.6309])
    """
    discount = 1 / np.log2(np.arange(2, k + 2))
    relevant = hits(ranked[:, :k], held)
    ideal = np.concatenate([[0.0], np.cumsum(discount)])[np.minimum(np.diff(held.indptr), k)]
    return _over(relevant @ discount[: relevant.shape[1]], ideal)


def hits(ranked: NDArray[Any], held: sp.csr_matrix) -> NDArray[np.bool_]:
    """Return which of the ranked items are among those of ``held``, in the shape of ``ranked``."""
    row = np.arange(held.shape[0])
    wanted = np.repeat(row, np.diff(held.indptr)) * held.shape[1] + held.indices
    relevant: NDArray[np.bool_] = np.isin(row[:, None] * held.shape[1] + ranked, wanted) & (ranked >= 0)
    return relevant


def coverage(ranked: NDArray[Any], n_items: int) -> float:
    """Return the share of all items that are recommended to anyone.

    Examples
    --------
    >>> coverage(np.array([[0, 1], [0, -1]]), 4)
    0.5
    """
    return len(np.unique(ranked[ranked >= 0])) / n_items


def gini(ranked: NDArray[Any], n_items: int) -> float:
    """Return how unequally the recommendations fall on the items: 0, all alike; near 1, all on a few (Gini index).

    Examples
    --------
    >>> gini(np.array([[0, 1], [2, 3]]), 4), gini(np.array([[0], [0]]), 4)
    (0.0, 0.75)
    """
    counts = np.sort(np.bincount(ranked[ranked >= 0], minlength=n_items)).astype(np.float64)
    places = 2 * np.arange(1, n_items + 1) - n_items - 1
    return float(places @ counts / (n_items * counts.sum())) if counts.sum() else float("nan")


def mean_popularity(ranked: NDArray[Any], popularity: NDArray[Any]) -> float:
    """Return the mean popularity of what is recommended, e.g. the share of users who know an item (Yin et al. 2012).

    Examples
    --------
    >>> mean_popularity(np.array([[0, 1]]), np.array([0.5, 0.1, 0.0]))
    0.3
    """
    shown = ranked[ranked >= 0]
    return float(np.mean(popularity[shown])) if len(shown) else float("nan")


def _all(scores: NDArray[Any]) -> NDArray[Any]:
    return np.broadcast_to(np.arange(scores.shape[1]), scores.shape)


def _over(part: NDArray[Any], whole: NDArray[Any]) -> Floats:
    share: Floats = np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    return share
