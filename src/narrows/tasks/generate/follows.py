"""Cells that another one determines in every training row: level by level, or as a multiple of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np
from numpy.typing import NDArray

from narrows.data.tables.oddities import MIN_CORRELATION, determines, few_levels

__all__ = ["Follows", "followers"]

Floats = NDArray[np.float64]

_SAMPLE = 2000  # rows on which pairs are looked at first
_MIN_ROWS = 10  # of fewer, two columns are multiples of each other by chance


@dataclass(frozen=True)
class Follows:
    """One cell as it follows from another.

    Parameters
    ----------
    cell, leader : int
        The places of the two.
    keys, values : tuple of float
        Values of the leader, ascending, and what the cell is there; None is missing. Of a multiple, two of each.
    missing : float or None
        What the cell is where the leader is missing.
    multiple : bool
        The cell is a linear function of the leader.

    Examples
    --------
    >>> Follows(1, 0, (0.0, 1.0), (5.0, None)).of(np.array([1.0, 0.0])).tolist()
    [nan, 5.0]
    >>> Follows(1, 0, (0.0, 1.0), (10.0, 30.0), multiple=True).of(np.array([0.5, np.nan])).tolist()
    [20.0, nan]
    """

    cell: int
    leader: int
    keys: tuple[float, ...]
    values: tuple[float | None, ...]
    missing: float | None = None
    multiple: bool = False

    def of(self, leader: Floats) -> Floats:
        """Return the values of the cell, (n,), from those of the leader."""
        keys, values = (np.array(side, np.float64) for side in (self.keys, self.values))
        if self.multiple:
            return np.asarray(values[0] + (leader - keys[0]) * ((values[1] - values[0]) / (keys[1] - keys[0])))
        matched = values[np.searchsorted((keys[1:] + keys[:-1]) / 2, leader)]
        return np.where(np.isnan(leader), np.nan if self.missing is None else self.missing, matched)


def followers(values: Floats, numbers: Sequence[bool]) -> list[Follows]:
    """Return the cells of rows (n, cells) that follow from another one; ``numbers`` says which are no categories.

    Examples
    --------
    >>> grade = np.arange(100) % 3.0
    >>> [(one.cell, one.leader) for one in followers(np.stack([grade, grade == 1, grade > 5], 1), [True] * 3)]
    [(1, 0)]
    """
    codes = np.stack([np.unique(column, return_inverse=True)[1] for column in values.T], 1)
    sizes = codes.max(0) + 1
    few = [cell for cell in range(values.shape[1]) if sizes[cell] > 1 and few_levels(int(sizes[cell]), len(values))]
    result = list(_by_level(values, codes, few))
    others = [cell for cell in range(values.shape[1]) if numbers[cell] and cell not in few]
    return result + list(_multiples(values, others))


def _by_level(values: Floats, codes: NDArray[np.int64], few: Sequence[int]) -> Iterator[Follows]:
    some = codes[:: max(1, len(codes) // _SAMPLE)]
    led: set[int] = set()
    leaders: set[int] = set()
    for one, other in permutations(few, 2):
        if one in led or other in led or other in leaders:
            continue
        if determines(some[:, one], some[:, other]) and determines(codes[:, one], codes[:, other]):
            led.add(other)
            leaders.add(one)
            keys, first = np.unique(values[:, one], return_index=True)
            matched = [None if np.isnan(value) else float(value) for value in values[first, other]]
            missing = matched.pop() if np.isnan(keys[-1]) else None
            yield Follows(other, one, tuple(keys[~np.isnan(keys)].tolist()), tuple(matched), missing)


def _multiples(values: Floats, numbers: Sequence[int]) -> Iterator[Follows]:
    led: set[int] = set()
    for one, other in combinations(numbers, 2):
        x, y = values[:, one], values[:, other]
        known = ~np.isnan(x)
        if {one, other} & led or known.sum() < _MIN_ROWS or not np.array_equal(known, ~np.isnan(y)):
            continue
        x, y = x[known], y[known]
        if min(x.std(), y.std()) > 0 and abs(np.corrcoef(x, y)[0, 1]) >= MIN_CORRELATION:
            led.add(other)
            ends = [int(x.argmin()), int(x.argmax())]
            yield Follows(other, one, tuple(x[ends].tolist()), tuple(y[ends].tolist()), multiple=True)
