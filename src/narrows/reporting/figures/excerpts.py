"""Windows of a series, each in a panel of its own."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from narrows.reporting.figures.base import draws
from narrows.reporting.figures.style import CLASSES, GREY, Array, brief, canvas, legend, panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["excerpts"]

_COLUMNS = 4


@draws()
def excerpts(lines: Mapping[str, Array], channel: str) -> "Figure":
    """Draw windows of one channel, every line of which is there in each of them.

    Parameters
    ----------
    lines : mapping of str to ndarray, shape (n, steps)
        Names and values; the first is drawn in grey where there are several.
    channel : str
        What is drawn.

    Examples
    --------
    >>> waves = np.sin(np.arange(40.0)).reshape(4, 10)
    >>> figure = excerpts({"original": waves, "cleaned": 0.9 * waves}, "load")
    >>> len(figure.get_axes())
    4
    """
    count = len(next(iter(lines.values())))
    rows = -(-count // _COLUMNS)
    figure = canvas(10.0, 1.0 + 1.5 * rows, f"{brief(channel)} in {count} windows")
    grid = figure.add_gridspec(rows, min(count, _COLUMNS))
    every = np.concatenate([np.ravel(values) for values in lines.values()])
    tints = CLASSES if len(lines) == 1 else (GREY, *CLASSES)
    for place in range(count):
        axes = panel(figure, grid[divmod(place, _COLUMNS)], "", "step" if place + _COLUMNS >= count else "")
        drawn = [
            axes.plot(values[place], color=tint, linewidth=1.0)[0]
            for values, tint in zip(lines.values(), tints, strict=False)
        ]
        axes.set_ylim(every.min(), every.max())
    if len(lines) > 1:
        legend(figure, drawn, list(lines))
    return figure
