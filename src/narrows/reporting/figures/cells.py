"""Small arrays as maps: cells, their numbers, frames and one key."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.errors import InputError
from narrows.reporting.figures.image_rows import colour_bar
from narrows.reporting.figures.layout import under_title
from narrows.reporting.figures.style import (
    DIVERGING,
    INK,
    OTHER,
    RULE,
    SEQUENTIAL,
    Array,
    bare,
    colormap,
    fonts,
    number,
    panel,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Frame", "box_around", "cells", "maps_side_by_side", "plane", "scale_of", "size", "wrapped"]

Frame = tuple[int, int, int, int]  # first row, first column, rows, columns

WRITTEN = 9  # sides up to this have numbers in the cells


def maps_side_by_side(
    finding: str,
    titles: Sequence[str],
    arrays: Sequence[Array],
    frames: Sequence[Sequence[Frame]],
    label: str,
    *,
    written: bool = True,
) -> "Figure":
    """Draw maps side by side with cells of one size, some cells framed, one key to the colours."""
    from matplotlib.patches import Rectangle

    tall, wide = (max(array.shape[axis] for array in arrays) for axis in (0, 1))
    across = {5: 5, 6: 3, 9: 3}.get(len(arrays), min(len(arrays), 4))
    down = -(-len(arrays) // across)
    side = 2.1 if across > 2 else 2.8
    heads = [wrapped(title, side) for title in titles]
    above = 0.16 * max(head.count("\n") + 1 for head in heads) + 0.15
    figure = under_title(across * (side + 0.1) + 1.0, down * (side * tall / wide + above) + 0.1, finding)
    grid, places = figure.add_gridspec(down, across), []
    for index, (title, array) in enumerate(zip(heads, arrays, strict=True)):
        axes = bare(panel(figure, grid[index // across, index % across], title))
        image = cells(axes, array, scale_of(arrays), (0, 0), side / wide, written=written)
        for top, left, high, long in frames[index]:
            axes.add_patch(Rectangle((left, top), long, high, fill=False, color=OTHER, linewidth=2, clip_on=False))
        axes.set(xlim=(-0.05, wide + 0.05), ylim=(tall + 0.05, -0.05), aspect="equal", anchor="NW")
        places.append(axes)
    colour_bar(figure, places, image, label, shrink=0.6 if down > 1 else 0.9)
    return figure


def cells(
    axes: "Axes", array: Array, scale: tuple[float, float], corner: tuple[float, float], side: float, *, written: bool
) -> Any:
    """Draw one array with its first row on top, cells of so many inches, and numbers where there is room."""
    high, wide = array.shape
    low, top = scale
    tints = colormap(("#ffffff", *SEQUENTIAL) if low == 0 else DIVERGING)
    x, y = corner[0] + np.arange(wide + 1), corner[1] + np.arange(high + 1)
    few = max(high, wide) <= WRITTEN
    lines: dict[str, Any] = {"edgecolors": RULE, "linewidth": 0.6} if few else {}
    image = axes.pcolormesh(x, y, array, cmap=tints, vmin=low, vmax=top, **lines)
    if few and written:
        for (row, column), value in np.ndenumerate(array):
            dark = abs(value) > 0.55 * top
            text = axes.text(
                corner[0] + column + 0.5, corner[1] + row + 0.5, number(value, 2), ha="center", va="center"
            )
            text.set(fontsize=np.clip(27 * side, 5.5, 9), color="white" if dark else INK, fontfamily=fonts())
    return image


def scale_of(arrays: Sequence[Array]) -> tuple[float, float]:
    """Scale from zero to the largest value, or symmetric where values are negative.

    Examples
    --------
    >>> scale_of([np.array([[0.0, 4.0]])]), scale_of([np.array([[-5.0, 4.0]])])
    ((0.0, 4.0), (-5.0, 5.0))
    """
    top = max(float(np.abs(array).max()) for array in arrays) or 1.0
    return (-top if min(array.min() for array in arrays) < 0 else 0.0), top


def plane(array: Any, what: str) -> Array:
    """Array of two axes, finite and not empty.

    Raises ``InputError`` for any other.

    Examples
    --------
    >>> plane([[1, 2]], "The input")
    array([[1., 2.]])
    """
    values = np.asarray(array, np.float64)
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise InputError(f"{what} of shape {values.shape}", "finite numbers in rows and columns, (H, W)")
    return values


def size(shape: Sequence[int]) -> str:
    """Rows and columns in words.

    Examples
    --------
    >>> size((5, 7))
    '5 x 7'
    """
    return " x ".join(str(side) for side in shape)


def box_around(array: Array) -> Frame:
    """Smallest box around all values that are not zero.

    Examples
    --------
    >>> box_around(np.array([[0, 0, 0], [0, 1, 2]]))
    (1, 1, 1, 2)
    """
    rows, columns = np.nonzero(array)
    top, left = int(rows.min()), int(columns.min())
    return top, left, int(rows.max()) + 1 - top, int(columns.max()) + 1 - left


def wrapped(text: str, width: float) -> str:
    """Text in lines of so many inches; its own line breaks stay."""
    return "\n".join("\n".join(textwrap.wrap(line, max(8, int(width * 13)))) for line in text.split("\n"))
