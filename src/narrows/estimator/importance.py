"""How much the reconstruction of a table leans on each of its columns."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Importance", "column_importance"]

Rows = NDArray[np.float64]

_MAX_ROWS, _MIN_ROWS, _MAX_COLUMNS = 1000, 50, 100
_MAX_VALUES, _MIN_PASSES, _MAX_PASSES = 40_000_000, 1000, 50_000  # that go through the network, and rows of them


class Importance(NamedTuple):
    """What replacing a column adds to the errors, in variances of the columns; those of largest sum first."""

    columns: list[int]
    own: Rows  # of the column itself
    others: Rows  # summed over the other columns


def column_importance(reconstruct: Callable[[Rows], Rows], rows: Rows, widths: Sequence[int]) -> Importance:
    """Return what it costs to give every row another row's value in one column, column after column.

    Rows (n, d), of which values may be missing, are seen as columns of so many encoded numbers, which stay together.
    The error of a column is the squared one, summed over its numbers, over the sum of their variances; constant columns
    have none. Of many columns those that vary most are replaced (Breiman 2001, "Random Forests", for a supervised
    error).

    Examples
    --------
    >>> rows = np.random.default_rng(0).normal(size=(500, 3))
    >>> rows[:, 1] = rows[:, 0]
    >>> found = column_importance(lambda X: X[:, [0, 0, 2]], rows, [1, 1, 1])  # all but the second are passed on
    >>> found.columns, found.own.round().tolist(), found.others.round().tolist()
    ([0, 2, 1], [2.0, 2.0, 0.0], [2.0, 0.0, 0.0])
    """
    starts = np.concatenate([[0], np.cumsum(widths)[:-1]]).astype(int)
    spread = np.add.reduceat(_variances(rows), starts)
    passes = min(_MAX_PASSES, max(_MIN_PASSES, _MAX_VALUES // rows.shape[1]))
    most = min(_MAX_COLUMNS, passes // _MIN_ROWS, int((spread > 0).sum()))
    tried = np.sort(np.argsort(-spread, kind="stable")[:most])
    n = min(len(rows), _MAX_ROWS, passes // max(1, most))
    rows = rows[np.linspace(0, len(rows) - 1, n).astype(int)]
    scale, known = np.where(spread > 0, spread, np.inf), ~np.isnan(rows)
    counts = np.maximum(known.sum(axis=0), 1)

    def errors(reconstruction: Rows) -> Rows:
        squares = np.square(reconstruction.reshape(rows.shape) - np.nan_to_num(rows)) * known
        return np.add.reduceat(squares.sum(axis=0) / counts, starts) / scale

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


def _variances(rows: Rows) -> Rows:
    """Return the variances of columns, (d,), of which some values may be missing; 0 where all are."""
    known = ~np.isnan(rows)
    counts = np.maximum(known.sum(axis=0), 1)
    means = np.nansum(rows, axis=0) / counts
    variances: Rows = np.nansum(np.square(rows - means), axis=0) / counts
    return variances
