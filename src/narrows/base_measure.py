"""What densities are densities of: length on the real line, or the count of points. Only those of one are compared."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["BaseMeasure", "Counting", "Lebesgue", "Measure"]

_ROUNDING = 1e-4  # by which a whole number may be off; of one above a thousand a ten millionth


@dataclass(frozen=True)
class Lebesgue:
    """Length, with ``scale`` units to an encoded one; beside it the count of ``atoms``, values with a probability."""

    scale: float = 1.0
    atoms: tuple[float, ...] = ()
    density = "a density of real numbers"

    @property
    def log_unit(self) -> float:
        """The logarithm of an encoded unit, by which an encoded density is too large."""
        return math.log(abs(self.scale))

    @property
    def values(self) -> str:
        """What the values are, in words."""
        return "real numbers of which some recur" if self.atoms else "real numbers"

    def prices(self, other: "BaseMeasure", encoded: NDArray[Any]) -> bool:
        """Return whether a density of this measure is, but for the unit, one of ``other``."""
        return isinstance(other, Lebesgue) and self.atoms == other.atoms


@dataclass(frozen=True)
class Counting:
    """The count of points: those at which ``shift + scale * encoded`` is a whole number."""

    shift: float = 0.0
    scale: float = 1.0
    density = "probabilities of whole numbers"
    values = "whole numbers, levels or steps"
    log_unit = 0.0

    def prices(self, other: "BaseMeasure", encoded: NDArray[Any]) -> bool:
        """Return whether a probability of this measure is one of ``other``: the values are points of both."""
        return self == other or (isinstance(other, Counting) and bool(self.points(encoded).all()))

    def points(self, encoded: NDArray[Any]) -> NDArray[np.bool_]:
        """Return which values are points; a missing one counts as such.

        Examples
        --------
        >>> Counting(0.0, 10.0).points(np.array([0.1, 0.25, np.nan])).tolist()
        [True, False, True]
        """
        value = self.shift + self.scale * np.asarray(encoded, np.float64)
        allowed = _ROUNDING * np.maximum(1.0, 1e-3 * np.abs(value))
        return np.isnan(value) | (np.abs(value - np.rint(value)) <= allowed)


BaseMeasure = Lebesgue | Counting


class Measure(NamedTuple):
    """How the encoded values of a column, or of a block of one-hot columns, are priced.

    ``centre + scale * encoded`` is the value that the kind speaks of: 0 or 1 for ``bernoulli``, a whole number for
    ``poisson``, ``negative-binomial`` and ``rounded``, the original value for ``gaussian``; ``categorical`` is one-hot.
    ``atoms`` are values of a ``gaussian`` column that have a probability of their own.
    """

    kind: str
    width: int = 1
    centre: float = 0.0
    scale: float = 1.0
    atoms: tuple[float, ...] = ()

    @property
    def base(self) -> BaseMeasure:
        """What its density is a density of.

        Examples
        --------
        >>> Measure("gaussian", scale=2.0).base, Measure("categorical", 3).base
        (Lebesgue(scale=2.0, atoms=()), Counting(shift=0.0, scale=1.0))
        """
        if self.kind == "gaussian":
            return Lebesgue(self.scale, tuple(self.atoms))
        return Counting() if self.kind == "categorical" else Counting(self.centre, self.scale)

    def atom_of(self, encoded: NDArray[Any]) -> NDArray[np.intp]:
        """Return which atom every encoded value is, -1 for none; as near as single precision tells.

        Examples
        --------
        >>> Measure("gaussian", centre=5.0, scale=2.0, atoms=(0.0, 9.0)).atom_of(np.array([-2.5, 0.0, 2.0]))
        array([ 0, -1,  1])
        """
        atom_index = np.full(len(encoded), -1)
        for place, atom in enumerate((np.asarray(self.atoms, np.float64) - self.centre) / self.scale):
            atom_index[np.abs(encoded - atom) <= SAME * max(abs(atom), SAME)] = place
        return atom_index


SAME = 3e-7
"""Encoded values that differ by no more than this share of them are the same in single precision."""
