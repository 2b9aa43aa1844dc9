"""Rows of pictures on one sheet: names at the left, headings above."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.errors import InputError
from narrows.reporting.figures.image_rows import rgb, tile
from narrows.reporting.figures.style import INK, QUIET, Array, bare, canvas, escaped, fonts, panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["MOST", "alike", "images_of", "key_beside", "over", "sentence", "sheet", "under_title"]

MOST = 12  # pictures side by side


def sheet(
    title: str,
    rows: Sequence[Array],
    names: Sequence[str],
    *,
    heads: Sequence[str] = (),
    heading: str = "",
    together: int = 1,
    side: float = 0.85,
    right: float = 0.0,
) -> "Figure":
    """Draw rows of pictures, each with its name beside it.

    Parameters
    ----------
    title : str
        The finding.
    rows : sequence of ndarray
        Images of one size, ``(n, H, W)`` or ``(n, C, H, W)``, floats in [0, 1], as many in each row; NaN leaves white.
    names : sequence of str
        One per row; may hold several lines.
    heads, heading : sequence of str, str
        One short text above each picture, and what they are.
    together : int
        Rows that belong together: a wider gap follows so many.
    side : float
        Width of a small picture in inches (of more than 40 pixels: twice as much), less where many lie side by side.
    right : float
        Room in inches for a legend.

    Examples
    --------
    >>> figure = sheet("Two rows", [np.zeros((3, 8, 8)), np.ones((3, 8, 8))], ["black", "white"])
    """
    strips = [_strip(row) for row in rows]
    high, wide = np.shape(rows[0])[-2:]
    gap, n = max(1, wide // 14), len(rows[0])
    tops = [i * (high + gap) + (i // together) * (gap + high // 5) * (together > 1) for i in range(len(rows))]
    page = np.ones((tops[-1] + high, strips[0].shape[1], 3))
    for top, strip in zip(tops, strips, strict=True):
        page[top : top + high] = strip
    across = min(side if wide <= 40 else 2 * side, 8.6 / n) * n
    beside = 0.075 * max(len(line) for name in names for line in name.split("\n"))
    width = max(5.0, across + beside + 0.5 + right)
    above = 0.2 * bool(heads) + 0.2 * bool(heading)
    figure = under_title(width, across * page.shape[0] / page.shape[1] + above + 0.15, title)
    axes = bare(panel(figure))
    axes.set_anchor("NW")
    axes.imshow(page)
    axes.tick_params(length=0, pad=5, top=False, labeltop=bool(heads), bottom=False, labelbottom=False)
    _write(axes.set_yticks, [top + (high - 1) / 2 for top in tops], names, fontsize=9, color=INK)
    if heads:
        _write(axes.set_xticks, [(wide - 1) / 2 + i * (wide + gap) for i in range(n)], heads, fontsize=8, color=QUIET)
        axes.xaxis.set_label_position("top")
        axes.set_xlabel(escaped(heading))
    return figure


def under_title(width: float, height: float, title: str) -> "Figure":
    """Empty figure with so many inches below its title, however many lines that takes."""
    figure = canvas(width, height, title)
    figure.set_figheight(height + 0.22 + 0.18 * len(figure.get_suptitle().split("\n")))
    return figure


def key_beside(axes: "Axes", handles: Sequence[Any], labels: Sequence[str], columns: int = 1) -> None:
    """Key at the right of axes, from their top."""
    style: dict[str, Any] = {"family": fonts(), "size": 8.5}
    place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "borderaxespad": 0.0}
    look: dict[str, Any] = {"frameon": False, "labelcolor": INK, "handlelength": 1.2, "ncols": columns}
    names = [escaped(f" {label}" if label.startswith("_") else label) for label in labels]
    axes.legend(handles, names, prop=style, **place, **look)


def sentence(text: str) -> str:
    """Text that begins with a capital letter, unless it begins with a symbol.

    Examples
    --------
    >>> sentence("max-unpooling wins"), sentence("z 1 wins")
    ('Max-unpooling wins', 'z 1 wins')
    """
    return text[:1].upper() + text[1:] if text[:2].isalpha() else text


def over(n: int) -> str:
    """Say what a number was measured over: the images that are drawn.

    Examples
    --------
    >>> over(1), over(5)
    ('over this image', 'over these 5 images')
    """
    return "over this image" if n == 1 else f"over these {n} images"


def images_of(images: Any, what: str, leading: int = 1) -> Array:
    """Array of at least one image behind so many axes, ``(..., H, W)`` or ``(..., C, H, W)``.

    Raises ``InputError`` for any other.

    Examples
    --------
    >>> images_of([[[0.0, 1.0]]], "The samples").shape
    (1, 1, 2)
    """
    array = np.asarray(images)
    if array.ndim not in (leading + 2, leading + 3) or not array.size:
        axes = "".join(f"{letter}, " for letter in "nm"[:leading])
        raise InputError(f"{what} of shape {array.shape}", f"({axes}H, W) or ({axes}C, H, W), at least one")
    return array


def alike(**lengths: int) -> None:
    """Raise ``InputError`` unless all numbers are the same.

    Examples
    --------
    >>> alike(epochs=3, results=3)
    """
    if len(set(lengths.values())) > 1:
        came = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in lengths.items())
        raise InputError(came, "as many of each")


def _strip(row: Array) -> Array:
    """One row of pictures as one picture, white where it is NaN."""
    missing = np.isnan(row).reshape(len(row), -1).all(axis=1)
    pictures = rgb(row)
    pictures[missing] = 1.0
    return tile(pictures, len(row))


def _write(setter: Any, places: Sequence[float], texts: Sequence[str], **style: Any) -> None:
    """Set ticks with texts."""
    setter(places, [escaped(text) for text in texts], fontfamily=fonts(), **style)
