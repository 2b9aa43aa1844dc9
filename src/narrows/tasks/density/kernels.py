"""Kernel density of mixed rows with missing values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from narrows.tasks.density.mixed_rows import Cells, log_shares, one_hot

__all__ = ["Gaps", "KernelDensity"]

Floats = NDArray[np.float64]

_LOG_2PI = float(np.log(2 * np.pi))


class Gaps(NamedTuple):
    """How far rows are from the training rows, (n, rows) each, whatever the bandwidth and the contrast."""

    squares: Floats  # squared distances in the numbers that both rows have
    numbers: Floats  # how many those are
    unequal: Floats  # tables that both rows have, in different levels
    equal: Floats  # ... and in the same level
    alone: Floats  # log p of the values that only the new row has


@dataclass
class KernelDensity:
    """A Gaussian kernel on every number (standardised), and on every table Aitchison & Aitken's (1976).

    A value that the training row lacks is priced by the column alone: by a Gaussian, or the frequencies of its levels.

    Parameters
    ----------
    bandwidth : float
        Deviation of the kernel, in deviations of the column.
    contrast : float
        Nats by which another level is less likely than the one of the training row.

    Examples
    --------
    >>> from narrows.tasks.density.mixed_rows import Columns
    >>> X = np.array([[0.0], [2.0]])
    >>> cells = Columns([("gaussian", 1, 0.0, 1.0)], X).read(X)
    >>> round(float(KernelDensity(1.0).fit(cells).log_prob(cells)[0]), 4)  # (N(0; 0, 1) + N(0; 2, 1)) / 2
    -1.4852
    """

    bandwidth: float = 0.3
    contrast: float = 2.0

    def fit(self, cells: Cells) -> Self:
        """Keep the rows."""
        self.known_ = ~np.isnan(cells.numbers)
        count = np.maximum(self.known_.sum(0), 1)
        self.mean_ = np.nansum(cells.numbers, 0) / count
        spread = np.sqrt(np.nansum((cells.numbers - self.mean_) ** 2, 0) / count)
        self.spread_ = np.where(spread > 0, spread, 1.0)
        self.numbers_ = np.nan_to_num((cells.numbers - self.mean_) / self.spread_)
        self.levels_ = one_hot(cells)
        self.filled_ = _filled(self.levels_, len(self.numbers_))
        self.shares_ = [log_shares(table.sum(0)) for table in self.levels_]
        return self

    def gaps(self, cells: Cells) -> Gaps:
        """Return what is the same for every bandwidth and contrast."""
        known = ~np.isnan(cells.numbers)
        values = np.nan_to_num((cells.numbers - self.mean_) / self.spread_)
        there, missing = self.known_.T.astype(float), ~self.known_.T
        squares = values**2 @ there - 2 * values @ self.numbers_.T + known @ (self.numbers_**2).T
        alone = (-0.5 * (values**2 + _LOG_2PI) * known) @ missing
        ours = one_hot(cells)
        equal = _side_by_side(ours, len(values)) @ _side_by_side(self.levels_, len(self.numbers_)).T
        here = _filled(ours, len(values))
        unequal = here @ self.filled_.T - equal
        prices = [table @ shares for table, shares in zip(ours, self.shares_, strict=True)]
        alone += np.reshape(prices, (len(ours), len(values))).T @ (1 - self.filled_).T
        return Gaps(np.maximum(squares, 0), known @ there, unequal, equal, alone)

    def log_prob(self, cells: Cells, gaps: Gaps | None = None) -> Floats:
        """Return log p of what is known of every row, (n,); ``gaps`` when they are known."""
        terms = self.gaps(cells) if gaps is None else gaps
        near = -0.5 * terms.squares / self.bandwidth**2 - terms.numbers * (np.log(self.bandwidth) + 0.5 * _LOG_2PI)
        joint = near - self.contrast * terms.unequal - self._tables(cells) + terms.alone
        units = ~np.isnan(cells.numbers) @ (np.log(self.spread_) + cells.jacobian)
        log_p: Floats = logsumexp(joint, axis=1) - np.log(joint.shape[1]) - units
        return log_p

    def _tables(self, cells: Cells) -> Floats:
        """Return the logarithms of what the kernels of the tables that both rows have add up to, (n, rows)."""
        prices = np.log1p((np.array(cells.sizes, np.float64) - 1) * np.exp(-self.contrast))
        total: Floats = ((cells.codes >= 0) * prices) @ self.filled_.T
        return total


def _side_by_side(tables: Sequence[Floats], n: int) -> Floats:
    """Return the one-hot levels of all tables, (n, levels)."""
    return np.hstack([np.zeros((n, 0)), *tables])


def _filled(tables: Sequence[Floats], n: int) -> Floats:
    """Return where rows have a level, (n, tables)."""
    return np.reshape([table.sum(1) for table in tables], (len(tables), n)).T
