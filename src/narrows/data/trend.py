"""Lines through time: a level that drifts, and goes on after what was learnt from."""

from dataclasses import dataclass
from typing import Annotated, Self, TypedDict

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


class SavedTrend(TypedDict):
    """Lines as JSON has them."""

    centres: Annotated[list[float], Numbers(-1)]
    slopes: Annotated[list[list[float]], Numbers(-1, -1)]


@dataclass(frozen=True, eq=False)
class Trend:
    """A line through time for every channel of every series.

    Parameters
    ----------
    centres : ndarray, shape (s,)
        The time at which a line crosses the mean of what was learnt from.
    slopes : ndarray, shape (s, c)
        Change in a unit of time; 0 where a channel has no trend.

    Examples
    --------
    >>> trend = Trend(np.array([10.0]), np.array([[2.0, 0.0]]))
    >>> trend.at(np.array([10.0, 13.0]), np.array([0, 0])).tolist()
    [[0.0, 0.0], [6.0, 0.0]]
    """

    centres: Floats
    slopes: Floats

    @classmethod
    def none(cls, n_series: int, channels: int) -> Self:
        """Return lines that are level."""
        return cls(np.zeros(n_series), np.zeros((n_series, channels)))

    @classmethod
    def from_json(cls, saved: SavedTrend | None, n_series: int, channels: int) -> Self:
        """Return what ``to_json`` gave, level lines for None; raises ArtefactError where it is of other series."""
        if saved is None:
            return cls.none(n_series, channels)
        centres, slopes = saved["centres"], saved["slopes"]
        if [len(centres), *map(len, slopes)] != [n_series, *[channels] * n_series]:
            raise ArtefactError("The trend is of other channels or series", f"{n_series} x {channels} slopes")
        return cls(np.asarray(centres, np.float64), np.asarray(slopes, np.float64).reshape(n_series, channels))

    def to_json(self) -> SavedTrend:
        """Return the lines as JSON values."""
        return {"centres": self.centres.tolist(), "slopes": self.slopes.tolist()}

    def of(self, numbers: Indices) -> Self:
        """Return the lines of some series, by their numbers; of -1 a level one."""
        level = self.none(1, self.slopes.shape[1])
        centres, slopes = np.append(self.centres, level.centres), np.vstack([self.slopes, level.slopes])
        return type(self)(centres[numbers], slopes[numbers])

    def at(self, times: Floats, series: Indices) -> Floats:
        """Return the lines of the series that steps are of, (m, c)."""
        return np.asarray(self.slopes[series] * (times - self.centres[series])[:, None])


def lines_through(
    times: Floats, values: Floats, series: Indices, learnt: NDArray[np.bool_], after: NDArray[np.bool_], *, always: bool
) -> Trend:
    """Return the trends of what was ``learnt`` from that go on in what came ``after``.

    Of 20 equal stretches of what was learnt from, a trend explains 80 % or more of the variance of their levels, and
    what came after lies at most 0.15 times as far from its line as from the mean. ``always``: every channel has one.

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
        slopes, r2 = _line(times[past] - centre, values[past])
        if not always:
            level = values[past].mean(0)
            rest = values[later] - level
            ratio = _rms(rest - slopes * (times[later] - centre)[:, None]) / np.maximum(_rms(rest), 1e-12)
            slopes = np.where((r2 >= EXPLAINED) & (ratio <= _BETTER), slopes, 0.0)
        trend.slopes[one] = slopes
    return trend


def _line(times: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Return the slopes of the levels of stretches, and the share of their variance that the lines explain."""
    blocks = np.array_split(np.arange(len(times)), min(_BLOCKS, len(times)))
    x = np.array([times[block].mean() for block in blocks])
    levels = np.array([values[block].mean(0) for block in blocks])
    x, levels = x - x.mean(), levels - levels.mean(0)
    slopes = x @ levels / (x @ x)
    total = np.square(levels).sum(0)
    explained = np.square(np.outer(x, slopes)).sum(0)
    return slopes, np.divide(explained, total, out=np.zeros(len(total)), where=total > 1e-12)


def _rms(rest: Floats) -> Floats:
    """Return the size of what stretches of about a level are off, of each channel."""
    levels = np.array([block.mean(0) for block in np.array_split(rest, min(_FEWEST_BLOCKS, len(rest)))])
    return np.asarray(np.sqrt(np.square(levels).mean(0)))
