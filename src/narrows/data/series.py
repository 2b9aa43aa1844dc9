"""Series as pieces without gaps, and windows that stay inside them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows.errors import InputError

__all__ = [
    "StepSums",
    "Steps",
    "batches_of",
    "drawn_starts",
    "filled_between",
    "grid_steps",
    "holes",
    "regular_steps",
    "step_means",
    "window_starts",
    "windows_at",
]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Examine = Callable[[NDArray[np.float32], Indices], NDArray[np.floating[Any]]]
_JITTER_SHARE = 0.05  # of a step
_EVEN_GAP_STEPS, _UNEVEN_GAP_STEPS = 1.5, 10.0  # steps that are a gap, where they are even and where not
_USUAL_DISTANCES = 1.5  # of a channel's readings, which no hole is long for
_MAX_WINDOW_VALUES = 1 << 22  # in the windows that are looked at together


@dataclass(frozen=True, eq=False)
class Steps:
    """Equal steps in time, of one series or of several, one after the other.

    Parameters
    ----------
    times : ndarray, shape (m,)
        In the unit of the series.
    pieces : ndarray, shape (m,)
        The number of the piece without gaps, of one series, that a step belongs to.
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


def regular_steps(times: Floats, series: Indices | None = None, fill: int = 0) -> Steps:
    """Return the steps of increasing times: the rows themselves, or, unevenly spaced, a grid of the median interval.

    Raises InputError where there are fewer than two times, or they do not increase.

    A piece ends where more than ``fill`` steps are missing before the next row (where the rows are not evenly spaced,
    where it is more than 10 intervals away), and with its series; fewer steps are filled in between.

    Parameters
    ----------
    times : ndarray, shape (n,)
        Increasing in each series.
    series : ndarray, shape (n,), optional
        The number of the series that a row is of; the rows of a series follow each other. None: all are of one.
    fill : int
        Missing steps in a row that are filled in at most.

    Examples
    --------
    >>> steps = regular_steps(np.array([0.0, 1.0, 2.0, 5.0, 6.0]))
    >>> steps.pieces.tolist(), steps.resampled
    ([0, 0, 0, 1, 1], False)
    >>> regular_steps(np.array([0.0, 1.0, 1.6, 3.0, 4.0])).times.tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0]
    >>> filled = regular_steps(np.array([0.0, 1.0, 2.0, 5.0, 6.0]), fill=2)
    >>> filled.times.tolist(), filled.of_row.tolist()
    ([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [0, 1, 2, 5, 6])
    """
    series = np.zeros(len(times), int) if series is None else series
    gaps, same = np.diff(times), series[1:] == series[:-1]
    if not same.any() or (gaps[same] <= 0).any():
        raise InputError("Times that do not increase", "two or more different times, in order")
    interval = float(np.median(gaps[same]))
    near = gaps[same & (gaps <= _EVEN_GAP_STEPS * interval)]
    if (np.abs(near - interval) > _JITTER_SHARE * interval).any():
        return grid_steps(times, interval, series)
    between = np.rint(gaps / interval)
    missing = same & (gaps > _EVEN_GAP_STEPS * interval)
    whole = np.abs(gaps - between * interval) <= _JITTER_SHARE * between * interval
    short = missing & whole & (between <= fill + 1)
    pieces = np.concatenate([[0], np.cumsum(~same | (missing & ~short))])
    counts = np.append(np.where(short, between, 1).astype(int), 1)
    first = np.cumsum(counts) - counts
    low = np.repeat(np.arange(len(times)), counts)
    share = (np.arange(len(low)) - first[low]) / counts[low]
    grid = times[low] + share * np.append(gaps, 0.0)[low]
    return Steps(grid, pieces[low], low, share, first, interval, False)


def grid_steps(times: Floats, interval: float, series: Indices | None = None) -> Steps:
    """Return steps at the multiples of an interval, so that a series has the same ones wherever it begins.

    Before the first row of a piece, and after its last, that row stands, by half an interval at most. ``series`` are
    as those of ``regular_steps``.

    Examples
    --------
    >>> steps = grid_steps(np.array([0.8, 1.5, 3.4, 30.0]), 1.0)
    >>> steps.times.tolist(), steps.pieces.tolist(), steps.of_row.tolist()
    ([1.0, 2.0, 3.0, 30.0], [0, 0, 0, 1], [0, 1, 2, 3])
    """
    if series is not None and len(times) and series[0] != series[-1]:
        edges = np.flatnonzero(np.diff(series, prepend=-1, append=-1))
        return _joined([grid_steps(times[low:high], interval) for low, high in pairwise(edges)])
    rows = np.concatenate([[0], np.cumsum(np.diff(times) > _UNEVEN_GAP_STEPS * interval)])
    starts, ends = np.flatnonzero(np.diff(rows, prepend=-1)), np.flatnonzero(np.diff(rows, append=rows[-1] + 1))
    near = np.rint(times / interval).astype(int)
    counts = near[ends] - near[starts] + 1
    pieces = np.repeat(np.arange(len(starts)), counts)
    first = np.cumsum(counts) - counts
    grid = interval * (near[starts][pieces] + np.arange(counts.sum()) - first[pieces])
    low = np.clip(np.searchsorted(times, grid, "right") - 1, starts[pieces], np.maximum(ends - 1, starts)[pieces])
    after = np.minimum(low + 1, ends[pieces])
    share = np.divide(grid - times[low], times[after] - times[low], out=np.zeros(len(grid)), where=after > low)
    return Steps(grid, pieces, low, np.clip(share, 0, 1), first[rows] + near - near[starts][rows], interval, True)


def _joined(parts: Sequence[Steps]) -> Steps:
    """Return the steps of several series, one after the other; they have the same interval."""
    steps, rows = (np.cumsum([0, *lengths]) for lengths in zip(*((len(p), len(p.of_row)) for p in parts), strict=True))
    pieces = np.cumsum([0, *(part.pieces[-1] + 1 for part in parts)])
    return Steps(
        times=np.concatenate([part.times for part in parts]),
        pieces=np.concatenate([part.pieces + first for part, first in zip(parts, pieces, strict=False)]),
        low=np.concatenate([part.low + first for part, first in zip(parts, rows, strict=False)]),
        share=np.concatenate([part.share for part in parts]),
        of_row=np.concatenate([part.of_row + first for part, first in zip(parts, steps, strict=False)]),
        interval=parts[0].interval,
        resampled=True,
    )


def holes(known: NDArray[np.bool_], of_row: Indices, pieces: Indices, series: Indices, fill: int) -> NDArray[np.bool_]:
    """Return which steps lie in a hole of a channel that is too long to be filled, (m, c).

    Too long is a hole of more than ``fill`` steps, and more than 1.5 times the usual distance of its readings. In a
    series without any reading of a channel there is no hole to be seen.

    Parameters
    ----------
    known : ndarray, shape (n, c)
        Which values of the rows there are.
    of_row : ndarray, shape (n,)
        The step nearest to each row.
    pieces, series : ndarray, shape (m,)
        The piece of a step, from which nothing is filled in another one, and its series.
    fill : int
        Steps of a hole that are filled.

    Examples
    --------
    >>> known = np.array([1, 1, 0, 1, 0, 0, 0, 1, 1, 1], bool)[:, None]
    >>> holes(known, np.arange(10), np.zeros(10, int), np.zeros(10, int), 2).ravel().astype(int).tolist()
    [0, 0, 0, 0, 1, 1, 1, 0, 0, 0]
    """
    out = np.zeros((len(pieces), known.shape[1]), bool)
    for column in np.flatnonzero(~known.all(0)):
        seen = np.zeros(len(pieces), bool)
        seen[of_row[known[:, column]]] = True
        if not seen.any():
            continue
        run = np.cumsum((np.diff(seen, prepend=False) != 0) | (np.diff(pieces, prepend=pieces[0]) != 0))
        long = np.bincount(run)[run] > max(fill, _USUAL_DISTANCES * len(seen) / seen.sum())
        read = np.bincount(series, seen)[series] > 0
        out[:, column] = ~seen & long & read
    return out


def filled_between(values: Floats, known: NDArray[np.bool_], times: Floats, pieces: Indices) -> Floats:
    """Return values of rows (n, c) with what is not known filled between its neighbours in time, inside its piece.

    What has no known neighbour in its piece stays as it is.

    Examples
    --------
    >>> known, times = np.array([[True], [False], [True], [False]]), np.array([0.0, 1.0, 3.0, 9.0])
    >>> filled_between(np.array([[1.0], [0.0], [4.0], [0.0]]), known, times, np.zeros(4, int)).T
    array([[1., 2., 4., 4.]])
    """
    filled = values.copy()
    for column in np.flatnonzero(~known.all(0)):
        for piece in np.unique(pieces[~known[:, column]]):
            inside = pieces == piece
            present, missing = inside & known[:, column], inside & ~known[:, column]
            if present.any():
                filled[missing, column] = np.interp(times[missing], times[present], values[present, column])
    return filled


def window_starts(pieces: Indices, window: int) -> Indices:
    """Return every step at which a window begins that does not leave its piece.

    Examples
    --------
    >>> window_starts(np.array([0, 0, 0, 0, 0, 1, 1, 2, 2, 2]), 3).tolist()
    [0, 1, 2, 7]
    """
    last = max(0, len(pieces) - window + 1)
    return np.flatnonzero(pieces[:last] == pieces[len(pieces) - last :])


def drawn_starts(starts: Indices, most: int, seed: int) -> Indices:
    """Return at most so many starts, drawn at random: at equal distances some phases of a period would never be seen.

    Examples
    --------
    >>> drawn_starts(np.arange(3), 4, 0).tolist(), len(drawn_starts(np.arange(100), 4, 0))
    ([0, 1, 2], 4)
    """
    return starts if len(starts) <= most else np.sort(np.random.default_rng(seed).choice(starts, most, replace=False))


def windows_at(values: Floats, starts: Indices, window: int) -> NDArray[np.float32]:
    """Return windows (n, window, c) of a series (m, c).

    Examples
    --------
    >>> windows_at(np.arange(4.0)[:, None], np.array([0, 2]), 2).tolist()
    [[[0.0], [1.0]], [[2.0], [3.0]]]
    """
    return np.asarray(values[starts[:, None] + np.arange(window)], np.float32)


def step_means(values: Floats, starts: Indices, part: Indices, window: int, examine: Examine) -> Floats:
    """Return the mean over windows of what they say of each step, (m, k); NaN at steps of which none says anything.

    A window says something of the steps of the part of time in which it ends, so that what comes later changes nothing
    of an earlier part; windows are looked at some at a time.

    Parameters
    ----------
    values : ndarray, shape (m, c)
        A series.
    starts : ndarray, shape (n,)
        Where windows begin.
    part : ndarray, shape (m,)
        The part of time that a step belongs to.
    window : int
        Steps of a window.
    examine : callable
        What windows (n, window, c), which begin at some starts (n,), say of their steps, (n, window, k).

    Examples
    --------
    >>> line = np.array([[1.0], [2.0], [3.0], [4.0]])
    >>> largest = lambda rows, starts: np.repeat(rows.max(1, keepdims=True), 2, axis=1)
    >>> step_means(line, np.array([0, 1]), np.array([0, 0, 0, 0]), 2, largest).ravel().tolist()
    [2.0, 2.5, 3.0, nan]
    >>> step_means(line, np.array([0, 1, 2]), np.array([0, 0, 1, 1]), 2, largest).ravel().tolist()
    [2.0, 2.0, 3.5, 4.0]
    """
    sums = StepSums(part, window)
    for batch in batches_of(starts, window * values.shape[1]):
        sums.add(batch, examine(windows_at(values, batch, window), batch))
    return sums.means()


def batches_of(starts: Indices, values: int) -> Iterator[Indices]:
    """Yield the starts of windows of so many values, as many at a time as are looked at together."""
    size = max(1, _MAX_WINDOW_VALUES // values)
    for low in range(0, len(starts), size):
        yield starts[low : low + size]


class StepSums:
    """Sums over windows of what they say of each step, by the part of time that windows end in, as ``step_means``."""

    def __init__(self, part: Indices, window: int):
        self.part, self.window = part, window
        self.total, self.count = np.zeros((len(part), 0)), np.zeros(len(part))

    def add(self, starts: Indices, answers: NDArray[np.floating[Any]]) -> None:
        """Take what windows that begin at some starts (n,) say of their steps, (n, window, k)."""
        if not self.count.any():
            self.total = np.zeros((len(self.part), answers.shape[2]))
        for offset in range(self.window):  # starts differ, so that no step comes twice
            inside = self.part[starts + offset] == self.part[starts + self.window - 1]
            self.total[starts[inside] + offset] += answers[inside, offset]
            self.count[starts[inside] + offset] += 1

    def means(self) -> Floats:
        """Return the mean for every step, (m, k); NaN at steps of which no window says anything."""
        known = self.count[:, None] > 0
        return np.divide(self.total, self.count[:, None], out=np.full_like(self.total, np.nan), where=known)
