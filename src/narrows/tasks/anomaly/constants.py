"""Columns that hold one value in every row of the fit: a row that holds another one there is new."""

from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Constants", "move_distance"]

Floats = NDArray[Any]
_ROUNDING_ULPS = 8  # units in the last place that values may differ by


class Constants(NamedTuple):
    """Columns of one value.

    Parameters
    ----------
    columns : tuple of int
        Their places.
    values : tuple of float
        Their values.
    dtype : str
        The type of the rows of the fit, float32 or float64; values are compared in the coarser type of two.

    Examples
    --------
    >>> rows = np.array([[1.0, 7.0], [2.0, 7.0]])
    >>> constants = Constants.of(rows)
    >>> constants.columns, constants.moved(np.array([[9.0, 7.0], [1.0, 8.0]])).tolist()
    ((1,), [[False], [True]])
    """

    columns: tuple[int, ...] = ()
    values: tuple[float, ...] = ()
    dtype: str = "float64"

    @classmethod
    def of(cls, rows: Floats) -> Self:
        """Return those of rows (n, d)."""
        low, high = rows.min(0), rows.max(0)
        same = high - low <= _ROUNDING_ULPS * np.finfo(rows.dtype).eps * np.maximum(abs(low), abs(high))
        return cls(tuple(np.flatnonzero(same).tolist()), tuple(rows[0, same].tolist()), rows.dtype.name)

    def moved(self, rows: Floats) -> NDArray[np.bool_]:
        """Return which of these columns hold another value, (n, columns)."""
        if not self.columns:
            return np.zeros((len(rows), 0), bool)
        dtype = min(np.dtype(self.dtype), rows.dtype, key=lambda kind: kind.itemsize)
        values = np.asarray(self.values, dtype)
        apart = np.abs(rows[:, self.columns].astype(dtype) - values)
        differs: NDArray[np.bool_] = apart > _ROUNDING_ULPS * np.finfo(dtype).eps * np.abs(values)
        return differs

    def restored(self, rows: Floats) -> Floats:
        """Return rows with the values of the fit in these columns."""
        if not self.columns:
            return rows
        copied = rows.copy()
        copied[:, self.columns] = self.values
        return copied


def move_distance(ordinary: Floats, moved: NDArray[np.bool_]) -> float:
    """Return the distance that a moved constant counts as, from those of ordinary rows put aside, without such moves.

    Where none of them moves it is twice their largest: nothing is more unusual. Otherwise it is the distance that as
    large a share of them exceeds as moves, so that a frequent move counts as little as it tells.

    Examples
    --------
    >>> move_distance(np.array([1.0, 4.0]), np.zeros((2, 1), bool))
    8.0
    >>> move_distance(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), np.array([[False], [True], [False], [False], [False]]))
    4.2
    """
    share = float(moved.any(1).mean())
    return float(np.quantile(ordinary, 1 - share)) if share else 2 * max(float(ordinary.max()), 1.0)
