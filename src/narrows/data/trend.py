"""Lines through time: a level that drifts, from the first or from later on, and goes on after what was learnt from."""

from dataclasses import dataclass
from typing import Annotated, NamedTuple, NotRequired, Self, TypedDict

import numpy as np
from numpy.typing import NDArray

from narrows.errors import ArtefactError
from narrows.typed_json import Numbers

__all__ = ["EXPLAINED", "SavedTrend", "Trend", "lines_through"]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
_BLOCKS, _FEWEST_BLOCKS = 20, 6  # stretches of what is learnt from, each of one level; so many are needed
EXPLAINED = 0.8  # share of the variance of these levels that a trend explains
_BETTER = 0.15  # of the error of the mean that its line has afterwards, at most
_LATER = 0.5  # of what a line from the first does not explain that one which begins later leaves, at most
_BEGINS_PER_BLOCK = 8  # times at which a line may begin
_ALWAYS = -1e300  # before all times: where a line begins that was there from the first


class SavedTrend(TypedDict):
    """Lines as JSON has them."""

    centres: Annotated[list[float], Numbers(-1)]
    slopes: Annotated[list[list[float]], Numbers(-1, -1)]
    begins: NotRequired[Annotated[list[list[float]], Numbers(-1, -1)]]


@dataclass(frozen=True, eq=False)
class Trend:
    """A line through time for every channel of every series.

    Parameters
    ----------
    centres : ndarray, shape (s,)
        The time at which a line crosses the mean of what was learnt from.
    slopes : ndarray, shape (s, c)
        Change in a unit of time; 0 where a channel has no trend.
    begins : ndarray, shape (s, c)
        The time before which a line is level.

    Examples
    --------
    >>> trend = Trend(np.array([10.0]), np.array([[2.0, 1.0]]), np.array([[9.0, 0.0]]))
    >>> trend.at(np.array([4.0, 10.0, 13.0]), np.array([0, 0, 0])).tolist()
    [[-2.0, -6.0], [0.0, 0.0], [6.0, 3.0]]
    """

    centres: Floats
    slopes: Floats
    begins: Floats

    @classmethod
    def none(cls, n_series: int, channels: int) -> Self:
        """Return lines that are level."""
        return cls(np.zeros(n_series), np.zeros((n_series, channels)), np.full((n_series, channels), _ALWAYS))

    @classmethod
    def from_json(cls, saved: SavedTrend | None, n_series: int, channels: int) -> Self:
        """Return what ``to_json`` gave, level lines for None; raises ArtefactError where it is of other series."""
        if saved is None:
            return cls.none(n_series, channels)
        centres, slopes = saved["centres"], saved["slopes"]
        begins = saved.get("begins", [[_ALWAYS] * channels] * n_series)
        if [len(centres), *map(len, [*slopes, *begins])] != [n_series, *[channels] * 2 * n_series]:
            raise ArtefactError("The trend is of other channels or series", f"{n_series} x {channels} slopes")
        lines = (np.asarray(numbers, np.float64).reshape(n_series, channels) for numbers in (slopes, begins))
        return cls(np.asarray(centres, np.float64), *lines)

    def to_json(self) -> SavedTrend:
        """Return the lines as JSON values."""
        return {"centres": self.centres.tolist(), "slopes": self.slopes.tolist(), "begins": self.begins.tolist()}

    def with_columns(self, other: Self, channels: Indices) -> Self:
        """Return the lines with those of some channels replaced by the ones of ``other``, of these alone."""
        slopes, begins = self.slopes.copy(), self.begins.copy()
        slopes[:, channels], begins[:, channels] = other.slopes, other.begins
        return type(self)(other.centres, slopes, begins)

    def of(self, numbers: Indices) -> Self:
        """Return the lines of some series, by their numbers; of -1 a level one."""
        level = self.none(1, self.slopes.shape[1])
        centres = np.append(self.centres, level.centres)
        slopes, begins = np.vstack([self.slopes, level.slopes]), np.vstack([self.begins, level.begins])
        return type(self)(centres[numbers], slopes[numbers], begins[numbers])

    def at(self, times: Floats, series: Indices) -> Floats:
        """Return the lines of the series that steps are of, (m, c)."""
        begun = np.maximum(times[:, None], self.begins[series])
        return np.asarray(self.slopes[series] * (begun - self.centres[series][:, None]))


def lines_through(
    times: Floats, values: Floats, series: Indices, learnt: NDArray[np.bool_], after: NDArray[np.bool_], *, always: bool
) -> Trend:
    """Return the trends of what was ``learnt`` from that go on in what came ``after``.

    Of 20 equal stretches of what was learnt from, a trend explains 80 % or more of the variance of their levels, and
    what came after lies at most 0.15 times as far from its line as from the mean. It is level at first, up to six
    stretches before the end, where that leaves less than half unexplained of what a line from the first does.
    ``always``: every channel has one, from the first.

    Parameters
    ----------
    times, series : ndarray, shape (m,)
        Times of steps, and the numbers of their series.
    values : ndarray, shape (m, c)
        Channels.
    learnt, after : ndarray, shape (m,)
        Which steps lines are fitted to, and which say whether they go on.
    always : bool
        A line is taken whatever it explains.

    Examples
    --------
    >>> line, series = np.arange(100.0), np.zeros(100, int)
    >>> noise = np.random.default_rng(0).normal(size=100)
    >>> values = np.stack([0.5 * line + noise, noise], axis=1)
    >>> after = (line >= 60) & (line < 80)
    >>> lines_through(line, values, series, line < 60, after, always=False).slopes.round(1).tolist()
    [[0.5, 0.0]]
    """
    trend = Trend.none(int(series.max()) + 1, values.shape[1])
    for one in np.unique(series):
        past, later = (np.flatnonzero(which & (series == one)) for which in (learnt, after))
        if len(past) < 2 or not (always or (len(past) >= _FEWEST_BLOCKS and len(later))):
            continue
        centre = trend.centres[one] = float(times[past].mean())
        lines = _lines(times[past] - centre, values[past], late=not always)
        slopes, begins = lines.slopes, lines.begins
        if not always:
            rest = values[later] - lines.levels
            drift = slopes * np.maximum((times[later] - centre)[:, None], begins)
            ratio = _rms(rest - drift) / np.maximum(_rms(values[later] - values[past].mean(0)), 1e-12)
            slopes = np.where((lines.explained >= EXPLAINED) & (ratio <= _BETTER), slopes, 0.0)
        trend.slopes[one] = slopes
        trend.begins[one] = np.where((slopes != 0) & np.isfinite(begins), begins + centre, _ALWAYS)
    return trend


class Lines(NamedTuple):
    """Lines through the levels of stretches, (c,) each; a channel is ``levels + slopes * max(time, begins)``."""

    levels: Floats
    slopes: Floats
    begins: Floats  # -inf: from the first
    explained: Floats  # the share of the variance of the levels


def _lines(times: Floats, values: Floats, *, late: bool) -> Lines:
    """Return the lines through the levels of stretches; of ``late`` ones each begins where it leaves the least."""
    blocks = np.array_split(np.arange(len(times)), min(_BLOCKS, len(times)))
    levels = np.array([values[block].mean(0) for block in blocks])

    def line(begin: float, weights: Floats) -> Lines:
        begun = np.maximum(times, begin)
        return _line(np.array([begun[block].mean() for block in blocks]), levels, begin, weights)

    tapered = np.sin(np.pi * (np.arange(len(blocks)) + 0.5) / len(blocks))  # a period leaks less into the slope
    best, free = line(-np.inf, tapered), len(blocks) - _FEWEST_BLOCKS
    ends = times[blocks[2][0]], times[blocks[free][0]]
    for begin in np.linspace(*ends, _BEGINS_PER_BLOCK * (free - 2) + 1) if late and free > 2 else ():
        other = line(float(begin), np.ones(len(blocks)))
        limit = np.where(np.isinf(best.begins), _LATER, 1.0) * (1 - best.explained)
        better = 1 - other.explained < limit
        best = Lines(*(np.where(better, new, old) for new, old in zip(other, best, strict=True)))
    return best


def _line(x: Floats, levels: Floats, begin: float, weights: Floats) -> Lines:
    """Return the lines through levels (b, c) over x (b,), the mean times of stretches with none before ``begin``."""
    share = weights / weights.sum()
    middle, mean = share @ x, share @ levels
    apart = x - middle
    slopes = (share * apart) @ (levels - mean) / (share @ apart**2)
    total = np.square(levels - levels.mean(0)).sum(0)
    left = np.square(levels - mean - np.outer(apart, slopes)).sum(0)
    explained = np.divide(total - left, total, out=np.zeros(len(total)), where=total > 1e-12)
    return Lines(mean - slopes * middle, slopes, np.full(len(slopes), begin), explained)


def _rms(rest: Floats) -> Floats:
    """Return the size of what stretches of about a level are off, of each channel."""
    levels = np.array([block.mean(0) for block in np.array_split(rest, min(_FEWEST_BLOCKS, len(rest)))])
    return np.asarray(np.sqrt(np.square(levels).mean(0)))
