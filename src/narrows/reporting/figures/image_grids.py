"""Grids of pictures: samples, a lattice of codes, filters before and after training."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from narrows import metrics
from narrows.errors import InputError
from narrows.reporting.figures.base import draws
from narrows.reporting.figures.image_rows import filter_pictures, rgb, tile
from narrows.reporting.figures.layout import images_of, over, sheet, under_title
from narrows.reporting.figures.style import Array, bare, brief, number, panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["before_after_filters", "manifold_grid", "picture_rows", "sample_grid", "translations"]


@draws("samples")
def sample_grid(
    images: Array, title: str, *, across: int = 10, names: Sequence[str] | None = None, nearest: Array | None = None
) -> "Figure":
    """Draw samples, in named rows of their classes or not, each over its nearest training image or not.

    Raises ``InputError`` where names do not divide the samples, or nearest images have another shape.

    Parameters
    ----------
    images : ndarray
        Samples, ``(n, H, W)`` or ``(n, C, H, W)``, floats in [0, 1].
    title : str
        The finding; the distance to the nearest training images follows it.
    across : int
        Samples in a row, where the rows have no names.
    names : sequence of str, optional
        A name for each row: the first ``n / len(names)`` samples are of the first class, and so on.
    nearest : ndarray, optional
        The training image nearest to each sample, of the shape of ``images``.

    Examples
    --------
    >>> images = np.random.default_rng(0).random((6, 8, 8))
    >>> figure = sample_grid(images, "Samples of two classes", names=["cat", "dog"], nearest=images)
    """
    samples = images_of(images, "Samples").astype(np.float64)
    n = len(samples)
    if names is not None and (not len(names) or n % len(names)):
        raise InputError(f"{n} samples for {len(names)} rows", "as many samples in every row")
    if nearest is not None and np.shape(nearest) != samples.shape:
        raise InputError(f"Nearest images of shape {np.shape(nearest)}", f"the shape of the samples, {samples.shape}")
    k = max(1, min(across, n) if names is None else n // len(names))
    rows = _cut(samples, k)
    labels = [""] * len(rows) if names is None else [brief(name) for name in names]
    if nearest is None:
        return sheet(title, rows, labels, side=0.6)
    apart = metrics.mse(samples, np.asarray(nearest))
    pairs = [row for both in zip(rows, _cut(np.asarray(nearest, np.float64), k), strict=True) for row in both]
    beside = [text for label in labels for text in (label or "sample", "nearest\nin training")]
    finding = f"{title}; mean squared distance to the nearest training image {number(apart)}"
    return sheet(finding, pairs, beside, together=2, side=0.6)


@draws()
def manifold_grid(images: Array, values: Array, names: tuple[str, str] = ("code 1", "code 2")) -> "Figure":
    """Draw what a square lattice of codes of two numbers decodes to.

    Raises ``InputError`` for another number of pictures than the square of that of the values.

    Parameters
    ----------
    images : ndarray
        ``(g * g, H, W)`` or ``(g * g, C, H, W)``, floats in [0, 1]: image ``i * g + j`` is decoded from the first
        number ``values[j]`` and the second ``values[i]``; the first grows to the right, the second upwards.
    values : ndarray
        The ``g`` values of each number, ascending, for example the prior's quantiles.
    names : tuple of str
        Names of the two numbers.

    Notes
    -----
    Kingma and Welling (2014), "Auto-Encoding Variational Bayes", figure 4.

    Examples
    --------
    >>> images = np.random.default_rng(0).random((9, 8, 8))
    >>> figure = manifold_grid(images, np.array([-1.3, 0.0, 1.3]))
    """
    pictures = images_of(images, "Decoded pictures")
    g = len(values)
    if len(pictures) != g * g:
        raise InputError(f"{len(pictures)} pictures for {g} values", f"{g} x {g} pictures")
    lattice = rgb(pictures).reshape(g, g, *np.shape(rgb(pictures[:1]))[1:])
    steps = [np.abs(np.diff(lattice, axis=axis)).mean(axis=(2, 3, 4)).ravel() for axis in (0, 1)]
    gaps = np.concatenate([*steps, [0.0] * (g == 1)])
    finding = f"Neighbours on this lattice of {g} x {g} codes differ by {number(gaps.mean(), 2)} per pixel on average"
    _, _, high, wide, _ = lattice.shape
    page = lattice[::-1].transpose(0, 2, 1, 3, 4).reshape(g * high, g * wide, 3)
    side = min(7.2, 0.6 * g)
    title = f"{finding}, by {number(gaps.max(), 2)} at most"
    figure = under_title(max(5.0, side + 0.9), side * page.shape[0] / page.shape[1] + 0.6, title)
    axes = panel(figure, x=names[0], y=names[1])
    axes.imshow(page, extent=(-0.5, g - 0.5, -0.5, g - 0.5), aspect=high / wide)
    between = np.arange(g - 1) + 0.5  # pictures that reach their edges would run into each other
    axes.hlines(between, -0.5, g - 0.5, colors="white", linewidth=0.8)
    axes.vlines(between, -0.5, g - 0.5, colors="white", linewidth=0.8)
    marks = np.unique(np.linspace(0, g - 1, min(g, 7)).round().astype(int))
    labels = [number(round(float(values[i]), 6) + 0.0) for i in marks]
    axes.set_xticks(marks, labels)
    axes.set_yticks(marks, labels)
    return figure


@draws()
def before_after_filters(weights: Mapping[str, Array], image_shape: Sequence[int]) -> "Figure":
    """Draw the same units' filters several times, each on a scale of its own, for example before and after training.

    Raises ``InputError`` for weights of different shapes, or of another size than ``image_shape``.

    Parameters
    ----------
    weights : mapping of str to ndarray
        Name and weights, ``(units, values)``, of one shape. Up to 64 units, the strongest of the last one first, each
        unit in the same place everywhere.
    image_shape : sequence of int
        ``(H, W)`` or ``(C, H, W)`` of one filter.

    Notes
    -----
    Under each name: the correlation of adjacent weights, across and down, over all units, near 0 for noise, near 1 for
    smooth strokes and edges; and the weight that has the full colour, beyond which 1 in 200 lies.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> figure = before_after_filters({"start": rng.normal(size=(9, 12)), "end": rng.normal(size=(9, 12))}, (3, 4))
    """
    shapes = {name: np.shape(matrix) for name, matrix in weights.items()}
    if len(set(shapes.values())) != 1 or {shape[-1] for shape in shapes.values()} != {int(np.prod(image_shape))}:
        raise InputError(f"Weights of shapes {shapes}", f"one shape, (units, {int(np.prod(image_shape))})")
    filters = {name: np.nan_to_num(np.asarray(matrix, np.float64)) for name, matrix in weights.items()}
    order = np.argsort(-np.linalg.norm(list(filters.values())[-1], axis=1), kind="stable")[:64]
    alikeness = {name: _smoothness(matrix.reshape(-1, *image_shape)) for name, matrix in filters.items()}
    shown = {name: matrix[order].reshape(-1, *image_shape) for name, matrix in filters.items()}
    tops = [float(np.quantile(abs(images), 0.995) or abs(images).max()) or 1.0 for images in shown.values()]
    best = max(alikeness, key=lambda name: alikeness[name])
    across = max(1, min(8, int(np.ceil(np.sqrt(len(order))))))
    sheets = [tile(filter_pictures(*pair), across, 0.92) for pair in zip(shown.values(), tops, strict=True)]
    finding = f"Adjacent weights are most alike in '{best}': correlation {alikeness[best]:.2f}"
    wide = 3.1 if len(sheets) > 1 else 5.0
    figure = under_title(wide * len(sheets), max(2.6, wide * sheets[0].shape[0] / sheets[0].shape[1] + 0.6), finding)
    grid = figure.add_gridspec(1, len(sheets))
    for place, (name, page, top) in enumerate(zip(shown, sheets, tops, strict=True)):
        note = f"correlation of adjacent weights {alikeness[name]:.2f}\nfull colour at ±{number(top, 2)}"
        bare(panel(figure, grid[place], f"{brief(name, 36)}\n{note}")).imshow(page)
    return figure


@draws()
def translations(A: Array, output: Array, B: Array) -> "Figure":
    """Draw pictures, what a model makes of them, and what they should become, below each other.

    Parameters
    ----------
    A, output, B : ndarray
        ``(n, H, W)`` or ``(n, C, H, W)``, floats in [0, 1], of one shape.

    Examples
    --------
    >>> images = np.random.default_rng(0).random((3, 8, 8))
    >>> figure = translations(images, images, 1 - images)
    """
    rows = {name: images_of(images, "Pictures") for name, images in (("A", A), ("output", output), ("B", B))}
    far = metrics.mae(np.asarray(B, np.float64), np.asarray(output, np.float64))
    title = f"The output is {number(far)} away from B per value, where white is 1 and black 0, {over(len(rows['A']))}"
    return picture_rows(title, rows)


@draws("heat")
def picture_rows(title: str, rows: Mapping[str, Array]) -> "Figure":
    """Draw named rows of pictures, ``(n, H, W)`` or ``(n, C, H, W)``, floats in [0, 1], below each other.

    Raises ``InputError`` for rows of different shapes.

    Examples
    --------
    >>> figure = picture_rows("Two rows", {"black": np.zeros((3, 8, 8)), "white": np.ones((3, 8, 8))})
    """
    pictures = [images_of(images, name).astype(np.float64) for name, images in rows.items()]
    if len({row.shape for row in pictures}) > 1:
        raise InputError(f"Pictures of shapes {', '.join(str(row.shape) for row in pictures)}", "one shape")
    return sheet(title, pictures, list(rows))


def _cut(images: Array, across: int) -> list[Array]:
    """Rows of so many images, the last one filled up with NaN."""
    missing = np.full((-len(images) % across, *images.shape[1:]), np.nan)
    return np.split(np.concatenate([images, missing]), range(across, len(images), across))


def _smoothness(filters: Array) -> float:
    """Correlation of weights that lie side by side or one above the other."""
    pairs = [(filters[..., 1:], filters[..., :-1]), (filters[..., 1:, :], filters[..., :-1, :])]
    a, b = (np.concatenate([side.ravel() for side in sides]) for sides in zip(*pairs, strict=True))
    if not len(a):
        return 0.0
    a, b = a - a.mean(), b - b.mean()
    return round(float(a @ b / (np.sqrt((a @ a) * (b @ b)) or 1.0)), 2) + 0.0  # no negative zero
