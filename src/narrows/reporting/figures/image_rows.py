"""Pictures side by side: reconstructions and first-layer filters."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows import metrics
from narrows.errors import InputError
from narrows.reporting.figures.base import draws
from narrows.reporting.figures.style import (
    DIVERGING,
    INK,
    QUIET,
    Array,
    bare,
    brief,
    canvas,
    colormap,
    escaped,
    fonts,
    number,
    panel,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["filters", "reconstructions"]


@draws()
def reconstructions(
    originals: Array,
    results: Array,
    *,
    titles: Sequence[str] = ("original", "reconstruction"),
    middle: Array | None = None,
    ends: tuple[float, float] = (0.0, 1.0),
) -> "Figure":
    """Draw up to 12 images in rows: the originals, what the model saw if that differs, the results.

    Raises ``InputError`` for rows of different lengths, or another number of titles.

    Parameters
    ----------
    originals, results : ndarray
        Images, ``(n, H, W)`` or ``(n, C, H, W)``, floats. The originals are the truth: the mean squared error of
        every other row of pictures against them is written beside it.
    titles : sequence of str
        Names of the rows of pictures, from above.
    middle : ndarray, optional
        Images between the two, for example the noisy ones.
    ends : tuple of two floats
        The values that are black and white.

    Examples
    --------
    >>> images = np.random.default_rng(0).random((5, 8, 8))
    >>> figure = reconstructions(images, images / 2, titles=("clean", "cleaned"))
    """
    rows = [originals, results] if middle is None else [originals, middle, results]
    names = [titles[0], "input", titles[1]] if len(titles) < len(rows) else list(titles)
    if len(names) != len(rows) or len({len(row) for row in rows}) > 1 or not len(originals):
        raise InputError(f"{len(names)} titles for rows of {[len(row) for row in rows]} images", "as many of each")
    most = 12 if np.shape(originals)[-1] <= 64 else 6
    pictures = [rgb((np.asarray(row[:most], np.float64) - ends[0]) / (ends[1] - ends[0])) for row in rows]
    truth = np.asarray(originals[:most], np.float64)
    errors = [metrics.mse(truth, row[:most]) if np.shape(row) == np.shape(originals) else None for row in rows]
    finding = f"{names[0]} and {names[-1]}"
    if errors[-1] is not None:
        shown = f"these {len(truth)} images" if len(truth) > 1 else "this image"
        finding += f": mean squared error {number(errors[-1])} over {shown}"
    strips = [tile(row, len(row)) for row in pictures]
    high = sum(strip.shape[0] / strip.shape[1] for strip in strips)
    width = 10.0 if len(pictures[0]) > 4 else 6.0
    figure = canvas(width, 0.6 + 0.1 * len(rows) + (width - 1.4) * high, finding[:1].upper() + finding[1:])
    grid = figure.add_gridspec(len(rows), 1, height_ratios=[strip.shape[0] / strip.shape[1] for strip in strips])
    for place, strip, name, error in zip(range(len(rows)), strips, names, errors, strict=True):
        axes = bare(panel(figure, grid[place]))
        axes.imshow(strip)
        label = f"{brief(name)}\nMSE {number(error)}" if error else brief(name)
        axes.set_ylabel(escaped(label), rotation=0, ha="right", va="center", color=INK, fontsize=9, fontfamily=fonts())
    return figure


@draws()
def filters(weights: Array, image_shape: Sequence[int]) -> "Figure":
    """Draw what the units of a first layer look for.

    Parameters
    ----------
    weights : ndarray
        One row of weights per unit, ``(n_units, n_values)`` or ``(n_units, C, H, W)``.
    image_shape : sequence of int
        ``(H, W)`` or ``(C, H, W)``. The 64 filters of largest norm are drawn as pictures on one scale.

    Examples
    --------
    >>> figure = filters(np.random.default_rng(0).normal(size=(10, 12)), (3, 4))
    """
    rows = np.nan_to_num(np.asarray(weights, np.float64).reshape(len(weights), -1))
    norms = np.linalg.norm(rows, axis=1)
    order = np.argsort(-norms, kind="stable")
    silent = int((norms < 0.01 * norms.max()).sum())
    note = f"; {silent} of {len(rows)} units have less than 1 % of the norm of the strongest" if silent else ""
    return _filter_grid(rows[order[:64]].reshape(-1, *image_shape), len(rows), note)


def _filter_grid(shown: Array, units: int, note: str) -> "Figure":
    """Draw filters as pictures with one diverging scale; three channels as colours around grey."""
    top = float(np.abs(shown).max()) or 1.0
    pictures = filter_pictures(shown, top)
    mosaic = tile(pictures, min(16 if len(shown) > 32 else 8, len(shown)), 0.92)
    which = f"The {len(shown)} strongest of {units} filters" if units > len(shown) else f"All {units} filters"
    figure = canvas(8, 0.7 + 6.8 * mosaic.shape[0] / mosaic.shape[1], f"{which}, strongest first{note}")
    axes = bare(panel(figure))
    axes.imshow(mosaic)
    if not _in_colour(shown):
        weight_bar(figure, axes, top)
    return figure


def weight_bar(figure: "Figure", axes: Any, top: float, label: str = "weight") -> None:
    """Key to the diverging scale of weights."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    scale = ScalarMappable(Normalize(-top, top), colormap(DIVERGING))
    colour_bar(figure, axes, scale, label, shrink=0.7, ticks=(-top, 0, top))


def filter_pictures(weights: Array, top: float) -> Array:
    """Colour filters as (n, H, W, 3): on one diverging scale from -top to top, or three channels around grey."""
    if _in_colour(weights):
        return rgb(0.5 + weights / (2 * top))
    single = weights if weights.ndim == 3 else weights.mean(axis=1)
    return np.asarray(colormap(DIVERGING)(0.5 + single / (2 * top))[..., :3])


def colour_bar(
    figure: "Figure", axes: Any, scale: Any, label: str, *, shrink: float = 0.8, ticks: Sequence[float] | None = None
) -> None:
    """Quiet key to a scale of colours, at the right of axes."""
    bar = figure.colorbar(scale, ax=axes, shrink=shrink, pad=0.02, aspect=25, ticks=ticks, label=escaped(label))
    if ticks is not None:
        bar.ax.set_yticklabels([number(tick, 2) for tick in ticks])
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=QUIET, labelsize=8, length=0, labelfontfamily=fonts())
    bar.ax.yaxis.label.set(color=QUIET, fontsize=8.5, fontfamily=fonts())


def _in_colour(weights: Array) -> bool:
    """Whether filters have the three channels of colour pictures."""
    return weights.ndim == 4 and weights.shape[1] == 3


def rgb(images: Array) -> Array:
    """Images of any number of channels as (n, H, W, 3) in [0, 1]; other axes raise ``InputError``."""
    images = np.clip(np.nan_to_num(np.asarray(images, np.float64)), 0, 1)
    if images.ndim not in (3, 4):
        raise InputError(f"Images of shape {images.shape}", "(n, H, W) or (n, C, H, W)")
    if images.ndim == 4 and images.shape[1] in (3, 4):
        return np.moveaxis(images[:, :3], 1, -1)
    grey = images if images.ndim == 3 else images.mean(axis=1)
    return np.repeat(grey[..., None], 3, axis=-1)


def tile(pictures: Array, across: int, ground: float = 1.0) -> Array:
    """One picture of many, so many side by side, on a ground of one grey."""
    n, height, width, _ = pictures.shape
    gap = max(1, width // 14)
    down = -(-n // across)
    sheet = np.full((down * (height + gap) - gap, across * (width + gap) - gap, 3), ground)
    for index, picture in enumerate(pictures):
        top, left = index // across * (height + gap), index % across * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    return sheet
