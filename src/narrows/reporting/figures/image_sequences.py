"""Rows of pictures: after every epoch, along a path between two, along each dimension of the code, A to B."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from narrows import metrics
from narrows.errors import InputError
from narrows.reporting.figures.base import draws
from narrows.reporting.figures.layout import MOST, alike, images_of, over, sentence, sheet
from narrows.reporting.figures.style import Array, brief, number, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["epoch_strips", "interpolation", "traversal", "triplets"]

ROWS = 20  # dimensions that are drawn


@draws()
def epoch_strips(originals: Array, results: Sequence[Array], epochs: Sequence[int], *, most: int = 10) -> "Figure":
    """Draw what became of the same images after every epoch, the originals above.

    Raises ``InputError`` for results of another shape than the originals, or not one per epoch.

    Parameters
    ----------
    originals : ndarray
        Images, ``(k, H, W)`` or ``(k, C, H, W)``, floats in [0, 1]; up to 12 are drawn.
    results : sequence of ndarray
        Their reconstructions after each epoch, of the same shape.
    epochs : sequence of int
        The number of each epoch.
    most : int
        Epochs that are drawn, evenly chosen, the first and the last always.

    Examples
    --------
    >>> images = np.random.default_rng(0).random((5, 8, 8))
    >>> figure = epoch_strips(images, [images * 0.5, images * 0.9], [1, 2])
    """
    truth = images_of(originals, "Originals")[:MOST]
    alike(results=len(results), epochs=len(epochs))
    if not len(results) or {np.shape(result) for result in results} != {np.shape(originals)}:
        shapes = sorted({np.shape(result) for result in results})
        raise InputError(f"Results of shapes {shapes}", f"one per epoch, of the originals' shape {np.shape(originals)}")
    chosen = np.unique(np.linspace(0, len(results) - 1, min(max(most, 2), len(results))).round().astype(int))
    shown = [np.asarray(results[i])[:MOST] for i in chosen]
    errors = [metrics.mse(truth, result) for result in shown]
    first, last = number(errors[0]), number(errors[-1])
    change = "falls" if errors[-1] < errors[0] else "rises" if errors[-1] > errors[0] else "stays"
    finding = f"Mean squared error {change} from {first} after epoch {epochs[0]} to {last} after epoch {epochs[-1]}"
    if len(shown) == 1:
        finding = f"Mean squared error {last} after epoch {epochs[-1]}"
    names = [f"epoch {epochs[i]}\nMSE {number(error)}" for i, error in zip(chosen, errors, strict=True)]
    return sheet(f"{finding}, {over(len(truth))}", [truth, *shown], ["original", *names], side=0.75)


@draws()
def interpolation(images: Array, *, names: Sequence[str] | None = None) -> "Figure":
    """Draw decoded pictures on the way from the code of one item to that of another.

    Raises ``InputError`` for paths of one picture, or another number of names.

    Parameters
    ----------
    images : ndarray
        One path per pair, ``(pairs, steps, H, W)`` or ``(pairs, steps, C, H, W)``, the ends included. A step's size is
        the root mean squared difference of two neighbouring pictures.
    names : sequence of str, optional
        What each pair is.

    Examples
    --------
    >>> path = np.linspace(0, 1, 5)[None, :, None, None] * np.ones((2, 1, 8, 8))
    >>> figure = interpolation(path, names=["3 to 8", "1 to 7"])
    """
    paths = images_of(images, "Paths", 2).astype(np.float64)
    pairs, steps = paths.shape[:2]
    if steps < 2:
        raise InputError("Paths of one picture", "at least the two ends of each path")
    labels = [""] * pairs if names is None else [brief(name) for name in names]
    alike(pairs=pairs, names=len(labels))
    sizes = np.sqrt((np.diff(paths, axis=1) ** 2).reshape(pairs, steps - 1, -1).mean(axis=2))
    uneven = sizes.max(axis=1) / np.where(sizes.mean(axis=1) > 0, sizes.mean(axis=1), 1.0)
    worst = number(float(uneven.max()))
    finding = f"On {pairs} path{'s' if pairs > 1 else ''} of {steps} pictures the largest step is {worst} times"
    heads = ["A", *(percent(share) for share in np.linspace(0, 1, steps)[1:-1]), "B"]
    return sheet(f"{finding} the mean step of its path", list(paths), labels, heads=heads)


@draws()
def traversal(
    images: Array,
    values: Array,
    effects: Array,
    names: Sequence[str] | None = None,
    unit: str = "unit",
    total: int | None = None,
) -> "Figure":
    """Draw what each number of the code changes: one row per dimension, the most effective first.

    Parameters
    ----------
    images : ndarray
        Decoded pictures, ``(d, steps, H, W)`` or ``(d, steps, C, H, W)``: row i varies dimension i only.
    values : ndarray
        The values that it takes, ``(steps,)``.
    effects : ndarray
        Mean absolute change of the output per unit of each dimension, ``(d,)``; the 20 largest are drawn.
    names : sequence of str, optional
        Names of the dimensions; without them z 1, z 2, ...
    unit : str
        What the effects are per, for example ``deviation``.
    total : int, optional
        Numbers that the code has, where these are some of them.

    Examples
    --------
    >>> images = np.random.default_rng(0).random((3, 5, 8, 8))
    >>> figure = traversal(images, np.linspace(-2, 2, 5), np.array([0.1, 0.0, 0.3]))
    """
    rows, sizes = images_of(images, "Pictures", 2), np.nan_to_num(np.asarray(effects, np.float64))
    labels = [f"z {i + 1}" for i in range(len(rows))] if names is None else [brief(name) for name in names]
    alike(dimensions=len(rows), effects=sizes.size, names=len(labels))
    alike(pictures_per_row=rows.shape[1], values=np.size(values))
    order = np.argsort(-sizes, kind="stable")
    top = sizes[order[0]]
    finding = f"{labels[order[0]]} changes the output most, by {number(top)} per {unit}"
    if total is not None and total > len(rows):
        finding = f"Of {len(rows)} of the {total} numbers of the code, {finding}"
    weak = int((sizes < 0.1 * top).sum())
    if weak:
        finding += f"; {weak} of {len(rows)} by less than a tenth of that"
    drawn = order[:ROWS]
    finding += f"; the first {len(drawn)} are drawn" if len(drawn) < len(rows) else ""
    beside = [f"{labels[i]}\n{number(sizes[i])} per {unit}" for i in drawn]
    heads = [number(value, 2) for value in values]
    heading = "value of the dimension, the others unchanged"
    return sheet(finding, [rows[i] for i in drawn], beside, heads=heads, heading=heading, side=0.5)


@draws()
def triplets(rows: Sequence[tuple[str, Array]]) -> "Figure":
    """Draw an input A, one or several outputs, and the truth B, one item per column.

    Raises ``InputError`` for fewer than three rows, or rows of different shapes.

    Parameters
    ----------
    rows : sequence of tuple of str and ndarray
        A name and images, ``(n, H, W)`` or ``(n, C, H, W)``, floats in [0, 1]: A first, B last. The mean absolute
        error of every row between against B is written beside it. Up to 12 columns are drawn, 6 above 64 pixels.

    Examples
    --------
    >>> images = np.random.default_rng(0).random((3, 8, 8))
    >>> figure = triplets([("sketch", images), ("output", images * 0.9), ("photograph", images)])
    """
    if len(rows) < 3:
        raise InputError(f"{len(rows)} rows of pictures", "A, at least one output, and B")
    stacks = [images_of(images, f"'{name}'") for name, images in rows]
    most = MOST if stacks[0].shape[-1] <= 64 else 6
    truth = stacks[-1][:most]
    if any(stack.shape != stacks[-1].shape for stack in stacks[1:]) or _frame(stacks[0]) != _frame(stacks[-1]):
        shapes = [stack.shape for stack in stacks]
        raise InputError(f"Rows of shapes {shapes}", "as many of one size; the outputs with the channels of B")
    errors = [metrics.mae(truth, stack[:most]) for stack in stacks[1:-1]]
    best = int(np.argmin(errors))
    titles = [brief(name) for name, _ in rows]
    which = f"{titles[1]} against {titles[-1]}"
    if len(errors) > 1:
        which = f"Of {len(errors)} outputs, {titles[1 + best]} is nearest to {titles[-1]}"
    finding = f"{which}: mean absolute error {number(errors[best])}"
    beside = [f"{name}\nMAE {number(error)}" for name, error in zip(titles[1:-1], errors, strict=True)]
    shown = [stack[:most] for stack in stacks]
    title = f"{finding} {over(len(truth))}"
    return sheet(sentence(title), shown, [titles[0], *beside, titles[-1]])


def _frame(images: Array) -> tuple[int, ...]:
    """How many images of what height and width."""
    return (len(images), *images.shape[-2:])
