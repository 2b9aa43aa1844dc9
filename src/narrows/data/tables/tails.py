"""How far values of a column of numbers are drawn in, so that a few of them do not set its scale."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Annotated, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from narrows.typed_json import Range

__all__ = ["Tails", "Units"]

Floats = NDArray[np.float64]

_MIN_ROWS = 50  # of fewer, what is far cannot be told
_REACH = 20.0  # robust deviations from the median: values beyond are far, and the tails of their column heavy
_REACH_BESIDE_ZEROS = 5.0  # ... of amounts beside many zeros, which have a skewed law of their own
_MASS_SHARE = 0.1  # a value that so many rows hold is no part of a tail: zeros beside amounts
_MIN_SKEW = 3.0  # amounts whose upper 45 % stretch so many times as far as their lower: seen on a logarithmic scale
_FIRST_BEND, _MARGIN = 10.0, 1.5  # deviations, and times the furthest training value, from where on values are bent
_ROOM = 4.0  # deviations into which everything further is bent
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_MAX_SORTED = 100_000  # values that quartiles are taken of
_IQR = 1.349  # deviations between the quartiles of a normal law
_MAX_EXPONENT = 700.0


@dataclass(frozen=True)
class Tails:
    """What is done to the far values of a column; all others are standardised as ever.

    Parameters
    ----------
    bend : float
        Deviations from the mean from where on values are bent: however far they are, they stay within 4 deviations
        more. The order of values is kept, and the way back is exact.
    unit : float or None
        Amounts with a long tail are seen as ``asinh(amount / unit)``: linear below the unit, logarithmic above.
    zero : float
        The number that stands for an amount of 0.

    Examples
    --------
    >>> tails = Tails(bend=10.0)
    >>> tails.bent(np.array([-3.0, 10.0, 12.0, 1e13])).round(2).tolist()
    [-3.0, 10.0, 11.25, 13.94]
    >>> tails.straight(tails.bent(np.array([-3.0, 12.0, 1e6]))).round(6).tolist()
    [-3.0, 12.0, 1000000.0]
    """

    bend: Annotated[float, Range(1.0, sys.float_info.max)]
    unit: Annotated[float, Range(sys.float_info.min, sys.float_info.max)] | None = None
    zero: float = 0.0

    def seen(self, numbers: Floats) -> Floats:
        """Return numbers on the scale on which they are standardised."""
        return numbers if self.unit is None else np.asarray(np.arcsinh((numbers - self.zero) / self.unit))

    def unseen(self, seen: Floats) -> Floats:
        """Undo ``seen``."""
        if self.unit is None:
            return seen
        return np.asarray(self.unit * np.sinh(np.clip(seen, -_MAX_EXPONENT, _MAX_EXPONENT)) + self.zero)

    def bent(self, standardised: Floats) -> Floats:
        """Return standardised values of which the far ones are bent; all others are the same."""
        excess = np.maximum(np.abs(standardised) / self.bend, 1.0)
        if not (excess > 1).any():
            return standardised
        drawn = self.bend * np.log(excess) / _ROOM
        far = np.copysign(self.bend + _ROOM * drawn / (1 + drawn), standardised)
        return np.where(excess > 1, far, standardised)

    def straight(self, bent: Floats) -> Floats:
        """Undo ``bent``; what no value is bent to becomes a very large number."""
        share = np.clip((np.abs(bent) - self.bend) / _ROOM, 0.0, 1 - 1e-12)
        exponent = np.minimum(_ROOM / self.bend * share / (1 - share), _MAX_EXPONENT)
        return np.where(share > 0, np.copysign(self.bend * np.exp(exponent), bent), bent)


class Units(NamedTuple):
    """How a column is standardised."""

    mean: float
    scale: float
    tails: Tails

    @classmethod
    def of(
        cls, numbers: Floats, moments: tuple[float, float], zero: float | None = None, *, amount: bool = False
    ) -> Self:
        """Return the units of numbers, missing ones filled, with these moments.

        ``zero`` is 0 where they may be amounts; ``amount``: they are, and seen on a logarithmic scale.

        Tails are heavy where a value is further than 20 robust deviations (the distance of the quartiles over 1.349)
        from the median, both of the values without one that a tenth of the rows share. Then the moments are those of
        the values within. Amounts of which none is below 0, and whose 95 % quantile is three times as far from the
        median as the 5 % quantile, are first seen on a logarithmic scale; beside that many zeros 5 deviations are far.

        Examples
        --------
        >>> ages = np.append(np.linspace(20.0, 60.0, 99), 9.4e14)
        >>> units = Units.of(ages, (float(ages.mean()), float(ages.std())), 0.0)
        >>> round(units.mean, 1), round(units.scale, 1), units.tails
        (40.0, 11.7, Tails(bend=10.0, unit=None, zero=0.0))
        """
        others = _others(numbers)
        others = numbers if amount and not len(others) else others
        low, first, median, third, high = np.quantile(_some(others), _QUANTILES) if len(others) else np.zeros(5)
        skewed = amount or (zero is not None and numbers.min() >= zero and high - median > _MIN_SKEW * (median - low))
        beside_zeros = skewed and numbers.min() == zero < others.min()
        far = _far(others, median, third - first, _REACH_BESIDE_ZEROS if beside_zeros else _REACH)
        if not far.any() and not amount:
            mean, scale = moments
            furthest = float(np.abs((numbers - mean) / scale).max())
            return cls(mean, scale, Tails(max(_FIRST_BEND, _MARGIN * furthest)))
        tails = Tails(_FIRST_BEND)
        if skewed and zero is not None:
            tails = Tails(_FIRST_BEND, float(np.median(numbers[numbers > zero])) - zero, zero)
        seen = tails.seen(numbers)
        first, median, third = np.quantile(tails.seen(_some(others)), [0.25, 0.5, 0.75])
        near = seen[~_far(seen, median, third - first, _REACH)]
        return cls(float(near.mean()), float(near.std()) or 1.0, tails)


def _others(numbers: Floats) -> Floats:
    """Return the numbers without one that many rows share; none where too few remain to tell tails by."""
    distinct, counts = np.unique(_some(numbers), return_counts=True)
    if counts.max() >= _MASS_SHARE * counts.sum():
        numbers = numbers[numbers != distinct[counts.argmax()]]
    return numbers if len(numbers) >= _MIN_ROWS else numbers[:0]


def _some(numbers: Floats) -> Floats:
    """Return evenly spaced ones of very many."""
    return numbers[:: max(1, len(numbers) // _MAX_SORTED)]


def _far(numbers: Floats, median: float, quartiles: float, reach: float) -> NDArray[np.bool_]:
    """Return which numbers are far from the median; none where half of them are one number."""
    return np.abs(numbers - median) * _IQR > (reach * quartiles if quartiles > 0 else np.inf)
