"""Tables drawn without an autoencoder: a Gaussian copula, a tree of columns, every column by itself."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from narrows.tasks.generate.levels import Table

__all__ = ["RIVALS", "ColumnTree", "ColumnsAlone", "GaussianCopula", "Rival"]

Floats = NDArray[np.float64]
Index = NDArray[np.int64]

_GROUPS = 16  # levels of a column that a tree tells apart
_MIN_SHARE = 1e-9  # smallest eigenvalue of a correlation matrix


class Rival(ABC):
    """A simple competitor, on the levels of a table (n, cells)."""

    name: ClassVar[str]

    @abstractmethod
    def fit(self, table: Table, index: Index, rng: np.random.Generator) -> Self:
        """Learn from the levels of the training rows."""

    @abstractmethod
    def sample(self, n: int, rng: np.random.Generator) -> Index:
        """Return the levels of ``n`` rows."""


class ColumnsAlone(Rival):
    """Every column drawn from its own values, as if columns had nothing to do with each other.

    Examples
    --------
    >>> rows = np.repeat([[0, 0], [1, 1]], 50, 0)
    >>> drawn = ColumnsAlone().fit(Table([], []), rows, np.random.default_rng(0)).sample(400, np.random.default_rng(0))
    >>> bool(0.4 < (drawn[:, 0] == drawn[:, 1]).mean() < 0.6)
    True
    """

    name = "columns drawn by themselves"

    def fit(self, table: Table, index: Index, rng: np.random.Generator) -> Self:
        """Keep the levels."""
        self.index = index
        return self

    def sample(self, n: int, rng: np.random.Generator) -> Index:
        """Return a level of another row for every cell."""
        places = rng.integers(0, len(self.index), (n, self.index.shape[1]))
        return np.take_along_axis(self.index, places, 0)


class GaussianCopula(Rival):
    """Normal scores of every column, jointly normal (Patki et al. 2016, "The synthetic data vault").

    A level is an interval of its column's distribution: a training row is at a random place in it. The levels of a
    category are sorted by how frequent they are.

    Examples
    --------
    >>> from narrows.base_measure import Measure
    >>> table = Table.of(np.random.default_rng(0).normal(size=(500, 1)) + np.zeros((500, 2)), [Measure("gaussian")] * 2)
    >>> table = Table(table.measures, table.levels)
    >>> index = np.random.default_rng(0).integers(0, 60, (500, 1)) + np.zeros((500, 2), np.int64)
    >>> drawn = GaussianCopula().fit(table, index, np.random.default_rng(0)).sample(400, np.random.default_rng(0))
    >>> bool(np.corrcoef(drawn.T)[0, 1] > 0.95)
    True
    """

    name = "a Gaussian copula"

    def fit(self, table: Table, index: Index, rng: np.random.Generator) -> Self:
        """Learn the shares of levels and the correlations of normal scores."""
        self.orders, self.ends, scores = [], [], []
        for levels, column in zip(table.levels, index.T, strict=True):
            counts = np.bincount(column, minlength=len(levels))
            order = np.arange(len(counts)) if levels.ordered else np.argsort(-counts, kind="stable")
            ends = np.append(0.0, np.cumsum(counts[order]) / len(column))
            place = np.argsort(order)[column]
            share = ends[place] + rng.random(len(column)) * (ends[place + 1] - ends[place])
            scores.append(ndtri(share.clip(1e-6, 1 - 1e-6)))
            self.orders.append(order)
            self.ends.append(ends)
        values, axes = np.linalg.eigh(np.atleast_2d(np.corrcoef(np.stack(scores))))
        self.root = axes * np.sqrt(values.clip(_MIN_SHARE))
        return self

    def sample(self, n: int, rng: np.random.Generator) -> Index:
        """Return the levels of normal scores that are drawn."""
        shares = ndtr(rng.standard_normal((n, len(self.root))) @ self.root.T)
        columns = [
            order[np.searchsorted(ends[1:-1], share, side="right")]
            for order, ends, share in zip(self.orders, self.ends, shares.T, strict=True)
        ]
        return np.stack(columns, 1)


class ColumnTree(Rival):
    """A Bayesian network in which every column depends on one other: the best such tree (Chow & Liu 1968).

    Examples
    --------
    >>> from narrows.base_measure import Measure
    >>> rows = np.repeat([[0.0, 5.0], [1.0, 7.0]], 50, 0)
    >>> table = Table.of(rows, [Measure("gaussian")] * 2)
    >>> table = Table(table.measures, table.levels)
    >>> drawn = ColumnTree().fit(table, table.index(rows), np.random.default_rng(0)).sample(9, np.random.default_rng(0))
    >>> bool((drawn[:, 0] == drawn[:, 1]).all())
    True
    """

    name = "a tree of columns"

    def fit(self, table: Table, index: Index, rng: np.random.Generator) -> Self:
        """Find the tree of the largest mutual information between groups of levels."""
        self.index = index
        self.groups = np.stack(
            [_grouped(column, levels.ordered) for levels, column in zip(table.levels, index.T, strict=True)], 1
        )
        self.parents = list(_tree(self.groups))
        return self

    def sample(self, n: int, rng: np.random.Generator) -> Index:
        """Return levels from the root on: each that of a training row whose parent is in the same group."""
        rows, out = np.zeros((n, self.index.shape[1]), np.int64), np.zeros((n, self.index.shape[1]), np.int64)
        for child, parent in self.parents:
            if parent < 0:
                rows[:, child] = rng.integers(0, len(self.index), n)
            else:
                order = np.argsort(self.groups[:, parent], kind="stable")
                starts = np.append(0, np.bincount(self.groups[:, parent]).cumsum())
                group = self.groups[rows[:, parent], parent]
                first, last = starts[group], starts[group + 1]
                rows[:, child] = order[first + (rng.random(n) * (last - first)).astype(np.int64)]
            out[:, child] = self.index[rows[:, child], child]
        return out


def _grouped(column: Index, ordered: bool) -> Index:
    """Return the group of every level: runs of as many rows, or the most frequent and the rest."""
    counts = np.bincount(column)
    if ordered:
        middle = np.cumsum(counts) - counts / 2
        group = np.minimum((middle / len(column) * _GROUPS).astype(np.int64), _GROUPS - 1)
    else:
        group = np.minimum(np.argsort(np.argsort(-counts, kind="stable")), _GROUPS - 1)
    return np.unique(group[column], return_inverse=True)[1].astype(np.int64)


def _tree(groups: Index) -> Iterator[tuple[int, int]]:
    """Yield every column with its parent, -1 for the first, parents before children."""
    cells = groups.shape[1]
    best, parent = np.full(cells, -1.0), np.full(cells, -1)
    left = set(range(cells))
    while left:
        child = max(left, key=lambda cell: best[cell])
        left.remove(child)
        yield child, int(parent[child])
        for other in left:
            shared = _information(groups[:, child], groups[:, other])
            if shared > best[other]:
                best[other], parent[other] = shared, child


def _information(one: Index, other: Index) -> float:
    """Return the mutual information of two columns of groups, in nats.

    Examples
    --------
    >>> round(_information(np.array([0, 1, 0, 1]), np.array([1, 0, 1, 0])), 4)  # log 2
    0.6931
    """
    joint = np.zeros((one.max() + 1, other.max() + 1))
    np.add.at(joint, (one, other), 1 / len(one))
    apart = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    there = joint > 0
    return float((joint[there] * np.log(joint[there] / apart[there])).sum())


RIVALS = (GaussianCopula, ColumnTree, ColumnsAlone)
