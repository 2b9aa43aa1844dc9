"""Which values a column of numbers took in the fit: what is decoded comes back to them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import chain
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["Support"]

_MAX_LEVELS = 20  # a number with so few different values is a scale of levels ...
_MIN_ROWS_PER_LEVEL = 5  # ... where so many rows, on average, are on each
_STEP_DIGITS = 9  # of a step, to which its multiples are rounded: 0.3 and not 0.30000000000000004
_MIN_MASS_SHARE, _MIN_MASS_ROWS = 0.05, 5  # a value that so many rows share is a point mass, as a zero or a cap


@dataclass(frozen=True)
class Support:
    """Range, levels and point masses of the training rows.

    A value comes back within the range. Where there are levels, it is the nearest of them. A value that lies between a
    point mass and the training value next to it is the nearer of these two: so far as training rows tell, nothing is
    between them.

    Parameters
    ----------
    low, high : float
        The least and the largest value.
    levels : tuple of float
        All values, ascending, where there are at most 20 with five rows each on average.
    gaps : tuple of (float, float)
        A point mass with its neighbour, the lower first: 5 % of the rows, at least 5, hold the same value.
    step : float
        What differences are whole multiples of; 0 for real numbers.

    Examples
    --------
    >>> amounts = Support.of(np.append(np.zeros(10), np.arange(100.0, 190.0)))
    >>> amounts.nearest(np.array([-7.0, 40.0, 60.0, 120.5, 999.0])).tolist()
    [0.0, 0.0, 100.0, 120.5, 189.0]
    >>> Support.of(np.repeat([10.0, 20.0, 50.0], 5)).nearest(np.array([16.0, 34.0])).tolist()
    [20.0, 20.0]
    """

    low: float
    high: float
    levels: tuple[float, ...] = ()
    gaps: tuple[tuple[float, float], ...] = ()
    step: float = 0.0

    @classmethod
    def of(cls, values: NDArray[np.float64], step: float = 0.0, *, ordinal: bool = False) -> Self:
        """Learn from the known values of a column; all are levels where it is ``ordinal``."""
        distinct, counts = np.unique(values, return_counts=True)
        low, high = float(distinct[0]), float(distinct[-1])
        few = len(distinct) <= _MAX_LEVELS and len(distinct) * _MIN_ROWS_PER_LEVEL <= len(values)
        if ordinal or few:
            return cls(low, high, levels=tuple(distinct.tolist()))
        masses = np.flatnonzero(counts >= max(_MIN_MASS_ROWS, _MIN_MASS_SHARE * len(values)))
        starts = np.unique(np.concatenate([masses - 1, masses]))
        starts = starts[(starts >= 0) & (starts < len(distinct) - 1)]
        gaps = zip(distinct[starts].tolist(), distinct[starts + 1].tolist(), strict=True)
        return cls(low, high, gaps=tuple(gaps), step=step)

    def nearest(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the values of the training rows' kind that are nearest; NaN stays."""
        if self.levels:
            levels = np.asarray(self.levels)
            nearest = levels[np.searchsorted((levels[1:] + levels[:-1]) / 2, values).clip(0, len(levels) - 1)]
            return np.where(np.isnan(values), np.nan, nearest)
        out = np.clip(values, self.low, self.high)
        if self.step:
            rest = self.low % self.step
            steps = rest + self.step * np.rint((out - rest) / self.step)
            if self.step < 1:
                steps = steps.round(_STEP_DIGITS - math.floor(math.log10(self.step)))
            out = np.clip(steps, self.low, self.high)
        for below, above in self.gaps:
            inside = (out > below) & (out < above)
            out = np.where(inside, np.where(out - below <= above - out, below, above), out)
        return np.asarray(out, np.float64)

    def kept(self, series: pl.Series, rounded: pl.Series) -> pl.Series:
        """Return rounded values within the range, with the digits of ends, levels and point masses as they were."""
        values = series.to_numpy()  # a quarter of the time of the same in polars, where columns are many and rows few
        exact = np.array([self.low, self.high, *self.levels, *chain.from_iterable(self.gaps)], values.dtype)
        ends = values.dtype.type(self.low), values.dtype.type(self.high)
        out = np.where(np.isin(values, exact), values, np.clip(rounded.to_numpy(), *ends))
        return pl.Series(series.name, out, series.dtype).zip_with(series.is_not_null(), series)
