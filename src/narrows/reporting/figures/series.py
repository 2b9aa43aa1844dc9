"""A series with its scores and the intervals that are flagged."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from narrows.reporting.figures.base import draws
from narrows.reporting.figures.style import INK, MODEL, OTHER, QUIET, Array, brief, canvas, number, panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["series_scores"]

_MAX_CHANNELS, _MAX_POINTS = 6, 4000


@draws("series")
def series_scores(
    times: Array,
    values: Array,
    scores: Array,
    channels: Array,
    names: Sequence[str],
    threshold: float,
    pieces: Array,
    parts: Array,
) -> "Figure":
    """Draw channels and score over time, shaded where the score is above the threshold.

    Parameters
    ----------
    times : ndarray, shape (m,)
        Times of the steps.
    values : ndarray, shape (m, c)
        The channels; of more than 6, those of the largest flagged scores are drawn.
    scores : ndarray, shape (m,)
        The score of every step; NaN where there is none.
    channels : ndarray, shape (m, c)
        The score of every channel.
    names : sequence of str
        Names of the channels.
    threshold : float
        Steps above it are flagged.
    pieces, parts : ndarray, shape (m,)
        Chunks without gaps, which are not joined, and the parts of the time, between which dotted lines are drawn.

    Examples
    --------
    >>> line = np.arange(9.0)
    >>> wave = np.sin(line)[:, None]
    >>> same = np.zeros(9, int)
    >>> figure = series_scores(line, wave, abs(wave[:, 0]), abs(wave), ["pressure"], 0.9, same, same)
    """
    above = np.nan_to_num(np.asarray(scores, np.float64), nan=-np.inf) > threshold
    starts, ends = flagged(above, pieces)
    order = np.argsort(-np.nan_to_num(channels[above] if above.any() else channels).mean(0), kind="stable")
    shown = np.sort(order[:_MAX_CHANNELS])
    title = f"{len(starts)} interval{'s' * (len(starts) != 1)} flagged, {number(100 * above.mean(), 2)} % of the steps"
    if above.any():
        title += f"; {brief(names[int(order[0])])} stands out most"
    figure = canvas(10.0, 1.6 + 1.05 * (len(shown) + 1), title)
    grid = figure.add_gridspec(len(shown) + 1, 1)
    rows = [(names[i], values[:, i], MODEL) for i in shown] + [("score", scores, INK)]
    for place, (name, line, tint) in enumerate(rows):
        axes = panel(figure, grid[place], brief(name), "time" if place == len(rows) - 1 else "")
        drawn = extremes(line, _MAX_POINTS // 2)
        breaks = np.diff(np.asarray(pieces)[drawn], prepend=pieces[0]) != 0
        axes.plot(times[drawn], np.where(breaks, np.nan, line[drawn]), color=tint, linewidth=0.7)
        for low, high in zip(starts, ends, strict=True):
            axes.axvspan(times[low], times[high], color=OTHER, alpha=0.35, linewidth=0.8)
        for edge in times[np.flatnonzero(np.diff(parts))]:
            axes.axvline(edge, color=QUIET, linewidth=0.9, linestyle=":")
        axes.margins(x=0.005)
        if place < len(rows) - 1:
            axes.tick_params(labelbottom=False)
        elif np.isfinite(threshold):
            axes.axhline(threshold, color=OTHER, linewidth=1.0, linestyle=(0, (4, 3)))
    return figure


def extremes(line: Array, stretches: int) -> Array:
    """Return where a line is lowest and highest in each of so many stretches, in order, and its two ends.

    Examples
    --------
    >>> extremes(np.array([0.0, 0.0, 9.0, 1.0, 1.0, -5.0, 1.0, 1.0]), 2).tolist()
    [0, 2, 4, 5, 7]
    >>> extremes(np.arange(3.0), 2).tolist()
    [0, 1, 2]
    """
    if len(line) <= 2 * stretches:
        return np.arange(len(line))
    edges = np.linspace(0, len(line), stretches + 1).astype(int)
    known = np.nan_to_num(line)
    pairs = [(low + known[low:high].argmin(), low + known[low:high].argmax()) for low, high in pairwise(edges)]
    return np.unique([0, *np.ravel(pairs), len(line) - 1])


def flagged(above: Array, pieces: Array) -> tuple[Array, Array]:
    """Return the first and the last step of every interval above the threshold.

    Examples
    --------
    >>> first, last = flagged(np.array([True, True, False, True]), np.array([0, 1, 1, 1]))
    >>> first.tolist(), last.tolist()
    ([0, 1, 3], [0, 1, 3])
    """
    marks = np.where(above, np.asarray(pieces) + 1, 0)
    edges = np.flatnonzero(np.diff(marks, prepend=0, append=0))
    starts = np.array([edge for edge in edges if edge < len(marks) and marks[edge]], int)
    ends = np.array([edge - 1 for edge in edges if edge > 0 and marks[edge - 1]], int)
    return starts, ends
