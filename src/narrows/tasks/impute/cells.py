"""The cells of encoded rows: a number, or the one-hot block of a category."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from narrows.base_measure import Measure

__all__ = ["Cells", "Support"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_MAX_LEVELS = 20  # different numbers up to which a column holds these and no others ...
_ROWS_PER_LEVEL = 5  # ... where it has so many rows for each


class Support(NamedTuple):
    """What a column of numbers may hold, in encoded units: the numbers that it held, or steps within their range."""

    low: float
    high: float
    levels: list[float]  # all of them, where they are few
    centre: float = 0.0
    scale: float = 0.0  # centre + scale * encoded is a whole number; 0: any number

    @classmethod
    def of(cls, values: Floats, measure: Measure) -> Self:
        """Return what the known values (n,) of a column say that it may hold.

        Examples
        --------
        >>> Support.of(np.repeat([1.0, 2.0, 5.0], 9), Measure("rounded")).nearest(np.array([-3.0, 3.4, 4.0, 9.0]))
        array([1., 2., 5., 5.])
        """
        if not len(values):
            return cls(0.0, 0.0, [0.0])
        levels = np.unique(values)
        few = len(levels) <= min(_MAX_LEVELS, len(values) / _ROWS_PER_LEVEL)
        step = (0.0, 0.0) if measure.kind == "gaussian" else (measure.centre, measure.scale)
        return cls(float(levels[0]), float(levels[-1]), levels.tolist() if few else [], *step)

    def nearest(self, values: Floats) -> Floats:
        """Return the nearest values that the column may hold."""
        if self.levels:
            levels = np.asarray(self.levels)
            return np.asarray(levels[np.searchsorted((levels[1:] + levels[:-1]) / 2, values)], np.float64)
        if self.scale:
            values = (np.rint(self.centre + self.scale * values) - self.centre) / self.scale
        return np.clip(values, self.low, self.high)


class Cells:
    """Which encoded columns belong to which cell, by the measures of the columns.

    Examples
    --------
    >>> cells = Cells([Measure("gaussian"), Measure("categorical", 3)])
    >>> cells.of_column.tolist(), cells.known(np.array([[1.0, 0, 0, 1], [np.nan, 0, 0, 0]])).tolist()
    ([0, 1, 1, 1], [[True, True], [False, False]])
    """

    def __init__(self, measures: Sequence[Measure]):
        ends = np.cumsum([0, *(measure.width for measure in measures)])
        self.measures = measures
        self.spans = [slice(int(a), int(b)) for a, b in pairwise(ends)]
        self.of_column = np.repeat(np.arange(len(measures)), [measure.width for measure in measures])
        self.category = np.array([measure.kind == "categorical" for measure in measures], bool)

    @property
    def blocks(self) -> list[slice]:
        """The encoded columns of every category."""
        return [span for span, category in zip(self.spans, self.category, strict=True) if category]

    def known(self, rows: NDArray[Any]) -> Mask:
        """Return which cells (n, cells) of encoded rows are known: not NaN, and of a category one of its levels."""
        known = np.ones((len(rows), len(self.spans)), bool)
        for place, (span, category) in enumerate(zip(self.spans, self.category, strict=True)):
            block = rows[:, span]
            known[:, place] = (block > 0).any(1) if category else ~np.isnan(block[:, 0])
        return known

    def spread(self, by_cell: NDArray[Any]) -> NDArray[Any]:
        """Return what belongs to cells (n, cells) for each of their encoded columns, (n, d)."""
        return by_cell[:, self.of_column]

    def supports(self, rows: Floats) -> list[Support]:
        """Return what every cell may hold, from known rows (n, d); of a category nothing, as its shares say it."""
        return [
            Support(0.0, 1.0, [])
            if category
            else Support.of(rows[~np.isnan(rows[:, span.start]), span.start].astype(np.float64), measure)
            for span, category, measure in zip(self.spans, self.category, self.measures, strict=True)
        ]

    def in_form(self, rows: Floats, supports: Sequence[Support], shares: Floats) -> Floats:
        """Return rows (n, d) that could have been in the file: numbers that columns may hold, one level of a category.

        A level whose share (d,) of the rows learnt from is 0 is none.
        """
        out = np.array(rows, np.float64)
        for span, category, support in zip(self.spans, self.category, supports, strict=True):
            if category:
                likely = np.where(shares[span] > 0, out[:, span], -np.inf).argmax(1)
                out[:, span] = np.eye(span.stop - span.start)[likely]
            else:
                out[:, span.start] = support.nearest(out[:, span.start])
        return out

    def chances(self, filled: Floats, expected: Floats) -> Floats:
        """Return the probability (n, cells) of the levels that categories were filled with; NaN for numbers."""
        out = np.full((len(filled), len(self.spans)), np.nan)
        for place in np.flatnonzero(self.category):
            out[:, place] = (filled * expected)[:, self.spans[place]].sum(1)
        return out
