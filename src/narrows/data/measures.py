"""What kind of numbers a column holds: bits, counts, whole numbers, real numbers, categories."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Measure", "measures_of", "told_apart"]

_MOST = 1000  # a larger count is no matter of single events
_SMALL, _SPREAD = 10, 4  # counts of a larger mean vary by at most so many means, or they are measured


class Measure(NamedTuple):
    """How the encoded values of a column, or of a block of one-hot columns, are priced.

    ``centre + scale * encoded`` is the value that the kind speaks of: 0 or 1 for ``bernoulli``, a whole number for
    ``poisson`` and ``rounded``, the original value for ``gaussian``; ``categorical`` is one-hot.
    """

    kind: str
    width: int = 1
    centre: float = 0.0
    scale: float = 1.0


def told_apart(values: NDArray[Any], *, counts: bool = True) -> tuple[str, float, float]:
    """Return the kind of a column's known values, and what 0 and 1 of that kind are: an origin and a unit.

    Two different values are bits. Whole numbers are counts where none is negative, none exceeds 1000 and their variance
    is at least half their mean (that of a Poisson law is all of it) and, for means above 10, at most four times: ages
    and percentages vary more. Else they are rounded numbers. A single real number is rounded to itself: its probability
    is 1, where its density would be infinite.

    Examples
    --------
    >>> told_apart(np.array([3, 5, 5])), told_apart(np.array([0, 1, 4])), told_apart(np.array([40, 41, 43]))
    (('bernoulli', 3.0, 2.0), ('poisson', 0.0, 1.0), ('rounded', 0.0, 1.0))
    >>> told_apart(np.array([0.1, 2.0, 5.0]))[0]
    'gaussian'
    """
    low, high = float(values.min()), float(values.max())
    if low < high and bool(((values == low) | (values == high)).all()):
        return "bernoulli", low, high - low
    if not bool((values == np.rint(values)).all()):
        return ("gaussian", 0.0, 1.0) if low < high else ("rounded", low, 1.0)
    numbers = np.asarray(values, np.float64)
    mean, variance = numbers.mean(), numbers.var()
    events = low < high and mean / 2 <= variance and (mean <= _SMALL or variance <= _SPREAD * mean)
    return "poisson" if counts and events and low >= 0 and high <= _MOST else "rounded", 0.0, 1.0


def measures_of(X: NDArray[Any]) -> tuple[Measure, ...]:
    """Return a measure for every column of an array, (n, d); NaN is a missing value.

    uint8 and uint16 are levels, which a model sees in [0, 1].

    Examples
    --------
    >>> [measure.kind for measure in measures_of(np.array([[0, 0.5, 0], [1, 0.7, 1], [1, 0.1, 4]]))]
    ['bernoulli', 'gaussian', 'poisson']
    """
    full = float(np.iinfo(X.dtype).max) if X.dtype in (np.uint8, np.uint16) else 1.0
    found = []
    for column in X.T:
        known = column[~np.isnan(column)] if column.dtype.kind == "f" else column
        kind, low, unit = told_apart(known, counts=full == 1) if len(known) else ("gaussian", 0.0, 1.0)
        found.append(Measure(kind, 1, -low / unit, full / unit))
    return tuple(found)
