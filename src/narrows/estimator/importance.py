"""How much the reconstruction of a table leans on each of its columns."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Importance", "column_importance"]

Rows = NDArray[np.float64]

_MAX_ROWS, _MAX_COLUMNS = 1000, 100
_MAX_ROW_PASSES = 50_000


class Importance(NamedTuple):
    """What replacing a column adds to the errors, in variances of the columns; those of largest sum first."""

    columns: list[int]
    own: Rows  # of the column itself
    others: Rows  # summed over the other columns


def column_importance(reconstruct: Callable[[Rows], Rows], rows: Rows, widths: Sequence[int]) -> Importance:
    """Return what it costs to give every row another row's value in one column, column after column.

    Rows (n, d) are seen as columns of so many encoded numbers, which stay together. The error of a column is the
    squared one, summed over its numbers, over the sum of their variances; constant columns have none. Of more than 100
    columns those that vary most are replaced (Breiman 2001, "Random Forests", for a supervised error).

    Examples
    --------
    >>> rows = np.random.default_rng(0).normal(size=(500, 3))
    >>> rows[:, 1] = rows[:, 0]
    >>> found = column_importance(lambda X: X[:, [0, 0, 2]], rows, [1, 1, 1])  # all but the second are passed on
    >>> found.columns, found.own.round().tolist(), found.others.round().tolist()
    ([0, 2, 1], [2.0, 2.0, 0.0], [2.0, 0.0, 0.0])
    """
    starts = np.concatenate([[0], np.cumsum(widths)[:-1]]).astype(int)
    spread = np.add.reduceat(np.nanvar(rows, axis=0), starts)
    tried = np.sort(np.argsort(-spread, kind="stable")[: min(_MAX_COLUMNS, int((spread > 0).sum()))])
    most = min(_MAX_ROWS, max(50, _MAX_ROW_PASSES // max(1, len(tried))))
    rows = rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int)]
    scale = np.where(spread > 0, spread, np.inf)

    def errors(reconstruction: Rows) -> Rows:
        squares: Rows = np.nan_to_num(np.nanmean(np.square(reconstruction.reshape(rows.shape) - rows), axis=0))
        return np.add.reduceat(squares, starts) / scale

    before = errors(reconstruct(rows))
    order = np.random.default_rng(0).permutation(len(rows))
    added = np.zeros((len(tried), len(starts)))
    for place, column in enumerate(tried):
        replaced, part = rows.copy(), slice(starts[column], starts[column] + widths[column])
        replaced[order, part] = rows[np.roll(order, 1), part]
        added[place] = errors(reconstruct(replaced)) - before
    own = added[np.arange(len(tried)), tried]
    others = added.sum(axis=1) - own
    rank = np.argsort(-(own + others), kind="stable")
    return Importance(tried[rank].tolist(), own[rank], others[rank])
