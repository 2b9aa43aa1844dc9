"""A series as pieces without gaps, and windows that stay inside them."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from narrows.errors import InputError

__all__ = ["Steps", "regular_steps", "spread", "window_starts"]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
_EVEN, _GAP, _WIDE = 0.05, 1.5, 10.0  # share of a step that is jitter; steps that are a gap, where even and where not


@dataclass(frozen=True, eq=False)
class Steps:
    """Equal steps in time.

    Parameters
    ----------
    times : ndarray, shape (m,)
        In the unit of the series.
    pieces : ndarray, shape (m,)
        The number of the piece without gaps that a step belongs to.
    low, share : ndarray, shape (m,)
        A step is ``(1 - share)`` of row ``low`` and ``share`` of the next one, rows in the order of time.
    of_row : ndarray, shape (n,)
        The step nearest to each row.
    interval : float
        From one step to the next.
    resampled : bool
        The rows were not evenly spaced.
    """

    times: Floats
    pieces: Indices
    low: Indices
    share: Floats
    of_row: Indices
    interval: float
    resampled: bool

    def __len__(self) -> int:
        return len(self.times)

    def at(self, values: Floats) -> Floats:
        """Return the values of rows, (n, c), at the steps, (m, c)."""
        after = np.minimum(self.low + 1, len(values) - 1)
        return values[self.low] * (1 - self.share[:, None]) + values[after] * self.share[:, None]


def regular_steps(times: Floats) -> Steps:
    """Return the steps of increasing times: the rows themselves, or, unevenly spaced, a grid of the median interval.

    A piece ends where the next row is more than 1.5 intervals away (10 where the rows are not evenly spaced).

    Examples
    --------
    >>> steps = regular_steps(np.array([0.0, 1.0, 2.0, 5.0, 6.0]))
    >>> steps.pieces.tolist(), steps.resampled
    ([0, 0, 0, 1, 1], False)
    >>> regular_steps(np.array([0.0, 1.0, 1.6, 3.0, 4.0])).times.tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0]
    """
    apart = np.diff(times)
    if len(times) < 2 or (apart <= 0).any():
        raise InputError("Times that do not increase", "two or more different times, in order")
    interval = float(np.median(apart))
    near = apart[apart <= _GAP * interval]
    even = bool((np.abs(near - interval) <= _EVEN * interval).all())
    gaps = apart > (_GAP if even else _WIDE) * interval
    rows = np.concatenate([[0], np.cumsum(gaps)])
    line = np.arange(len(times))
    if even:
        return Steps(times, rows, line, np.zeros(len(times)), line, interval, False)
    starts, ends = np.flatnonzero(np.diff(rows, prepend=-1)), np.flatnonzero(np.diff(rows, append=rows[-1] + 1))
    counts = np.floor((times[ends] - times[starts]) / interval + 1e-9).astype(int) + 1
    pieces = np.repeat(np.arange(len(starts)), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    grid = times[starts][pieces] + interval * within
    low = np.clip(np.searchsorted(times, grid, "right") - 1, starts[pieces], np.maximum(ends - 1, starts)[pieces])
    after = np.minimum(low + 1, ends[pieces])
    share = np.divide(grid - times[low], times[after] - times[low], out=np.zeros(len(grid)), where=after > low)
    first = (np.cumsum(counts) - counts)[rows]
    of_row = first + np.minimum(np.rint((times - times[starts][rows]) / interval).astype(int), counts[rows] - 1)
    return Steps(grid, pieces, low, np.clip(share, 0, 1), of_row, interval, True)


def window_starts(pieces: Indices, window: int, stride: int) -> Indices:
    """Return where windows begin, none of which leaves its piece; the last of a piece ends with it.

    Examples
    --------
    >>> window_starts(np.array([0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 2]), 3, 2).tolist()
    [0, 2, 3, 8]
    """
    found = [np.zeros(0, np.intp)]
    edges = np.flatnonzero(np.diff(pieces, prepend=-2, append=-2))
    for low, high in pairwise(edges):
        if high - low >= window:
            found.append(np.unique(np.append(np.arange(low, high - window + 1, stride), high - window)))
    return np.concatenate(found)


def spread(parts: Floats, starts: Indices, steps: int) -> Floats:
    """Return the mean over the windows that cover each step, (steps, c), of what they say of it, (windows, window, c).

    Steps that no window covers are NaN.

    Examples
    --------
    >>> spread(np.array([[[1.0], [2.0]], [[4.0], [6.0]]]), np.array([0, 1]), 4).ravel().tolist()
    [1.0, 3.0, 6.0, nan]
    """
    total, count = np.zeros((steps, parts.shape[2])), np.zeros(steps)
    for offset in range(parts.shape[1]):  # starts differ, so that no step comes twice
        total[starts + offset] += parts[:, offset]
        count[starts + offset] += 1
    return np.divide(total, count[:, None], out=np.full_like(total, np.nan), where=count[:, None] > 0)
