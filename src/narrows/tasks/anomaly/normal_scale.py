"""Columns on the scale of a normal distribution, by quantiles that a few outliers do not move."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

__all__ = ["NormalScale"]

Floats = NDArray[Any]
# where half, and four fifths, of |z| are below, z standard normal
_NORMAL_HALF, _NORMAL_FOUR_FIFTHS = 0.6744897501960817, 1.2815515655446004
_MIN_SIDE_VALUES = 20  # values on a side that say how heavy its tail is
# a tail is heavy where its ratio is so many times, and so many standard errors, too large
_MIN_HEAVY_RATIO, _MIN_STANDARD_ERRORS = 1.2, 3.0
_LOG_RATIO_ERROR = 1.05  # standard error of the logarithm of the ratio, times the square root of the number of values


class Side(NamedTuple):
    """Distances to the median, on one side of it: ``unit`` is their median; 0 for ``bend`` is a straight line."""

    unit: float
    bend: float

    def __call__(self, distance: Floats) -> Floats:
        """Return distances as they would be of a standard normal variable."""
        apart = distance / self.unit
        return _NORMAL_HALF * (np.arcsinh(self.bend * apart) / np.arcsinh(self.bend) if self.bend else apart)


class NormalScale(NamedTuple):
    """Columns brought near a standard normal distribution, each side of the median by itself.

    Where the tail of a side is heavier than a normal one, distances to the median go through ``asinh(bend * x)``, which
    is linear near 0 and a logarithm far out; ``bend`` makes the ratio of their 80 % quantile to their median that of a
    normal distribution. Otherwise they are only scaled. Outliers stay outside, since quantiles up to 80 % decide.

    Examples
    --------
    >>> amounts = np.exp(np.random.default_rng(0).normal(size=(5000, 1)))
    >>> scaled = NormalScale.fit(amounts)(amounts)
    >>> float(amounts.max()) > 20, float(scaled.max()) < 6
    (True, True)
    """

    medians: tuple[float, ...]
    sides: tuple[tuple[Side, Side], ...]  # below and above the median

    @classmethod
    def fit(cls, rows: Floats) -> "NormalScale":
        """Return the scale of the columns of rows, (n, d)."""
        medians = np.median(rows, axis=0)
        sides = [_sides(column) for column in (rows - medians).T]
        return cls(tuple(medians.tolist()), tuple(sides))

    @property
    def bent(self) -> bool:
        """Whether a column has a tail heavier than a normal one."""
        return any(side.bend for pair in self.sides for side in pair)

    def __call__(self, rows: Floats) -> Floats:
        """Return rows on that scale, (n, d)."""
        apart = rows - np.asarray(self.medians)
        scaled = np.empty(rows.shape)
        for column, (below, above) in enumerate(self.sides):
            x = apart[:, column]
            scaled[:, column] = np.where(x < 0, -below(np.maximum(-x, 0)), above(np.maximum(x, 0)))
        return scaled


def _sides(apart: Floats) -> tuple[Side, Side]:
    """Return both sides of a column of differences to the median; one with few values is like the other."""
    distances = [-apart[apart < 0], apart[apart > 0]]
    known = [_side(distance) if len(distance) >= _MIN_SIDE_VALUES else None for distance in distances]
    spare = _side(np.abs(apart[apart != 0]))
    below, above = (side or other or spare for side, other in (known, known[::-1]))
    return below, above


def _side(distances: Floats) -> Side:
    """Return unit and bend of distances above 0."""
    if not len(distances):
        return Side(1.0, 0.0)
    unit, far = np.quantile(distances, (0.5, 0.8))
    ratio, wanted = float(far / unit), _NORMAL_FOUR_FIFTHS / _NORMAL_HALF
    heavy = np.log(ratio / wanted) > max(
        np.log(_MIN_HEAVY_RATIO), _MIN_STANDARD_ERRORS * _LOG_RATIO_ERROR / np.sqrt(len(distances))
    )
    return Side(float(unit), _bend(ratio, wanted) if heavy else 0.0)


def _bend(ratio: float, wanted: float) -> float:
    """Return the bend that turns a ratio of two distances, the smaller one 1, into the wanted smaller ratio."""

    def excess(log: float) -> float:
        return float(np.arcsinh(np.exp(log) * ratio) / np.arcsinh(np.exp(log)) - wanted)

    low, high = -10.0, 200.0
    return float(np.exp(high if excess(high) > 0 else brentq(excess, low, high)))
