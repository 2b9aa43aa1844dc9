"""Segmentation: masks over images, and which class is taken for which."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.errors import InputError
from narrows.reporting.figures.base import draws
from narrows.reporting.figures.image_rows import rgb
from narrows.reporting.figures.layout import MOST, images_of, key_beside, over, sheet, under_title
from narrows.reporting.figures.style import (
    CLASSES,
    INK,
    SEQUENTIAL,
    Array,
    brief,
    colormap,
    escaped,
    fonts,
    number,
    panel,
    percent,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["confusion", "overlay"]

HIT, MISSED, FALSE, WRONG, VOID = "#0072B2", "#D55E00", "#F0E442", "#e31a1c", "#9aa5b1"
GROUND = "#eef1f4"  # the class 0 of two classes


@draws()
def overlay(
    images: Array,
    truth: Array,
    predicted: Array,
    names: Sequence[str] = ("background", "object"),
    *,
    ignore: int | None = None,
) -> "Figure":
    """Draw images, their true masks, the predicted ones, and where the two differ.

    Raises ``InputError`` for masks of another shape than the images, or classes without a name.

    Parameters
    ----------
    images : ndarray
        ``(n, H, W)`` or ``(n, C, H, W)``, floats in [0, 1]; up to 12 are drawn, 6 above 64 pixels.
    truth, predicted : ndarray of int or bool
        The class of every pixel, ``(n, H, W)``.
    names : sequence of str
        Names of the classes 0, 1, ... Of two classes, 1 is what is looked for, and errors are missed or false; class i
        has the same colour in every figure.
    ignore : int, optional
        A class of the truth that counts nowhere (void); grey.

    Notes
    -----
    The title has Dice of class 1 for two classes, and for more the mean over the classes that are there of the
    intersection over the union, over the images that are drawn.

    Examples
    --------
    >>> truth = np.random.default_rng(0).random((3, 8, 8)) > 0.5
    >>> figure = overlay(np.random.default_rng(1).random((3, 8, 8)), truth, truth[::-1], ["outside", "cell"])
    """
    from matplotlib.patches import Patch

    most = MOST if np.shape(images)[-1] <= 64 else 6
    pictures = images_of(images, "Images")[:most]
    wanted = (len(np.asarray(images)), *pictures.shape[-2:])
    if np.shape(truth) != wanted or np.shape(predicted) != wanted:
        raise InputError(f"Masks of shapes {np.shape(truth)} and {np.shape(predicted)}", f"{wanted}, as the images")
    true, guess = (np.asarray(mask).astype(int)[:most] for mask in (truth, predicted))
    valid = np.ones(true.shape, bool) if ignore is None else true != ignore
    classes = {*np.unique(true[valid]), *np.unique(guess[valid])}
    if len(names) < 2 or not valid.any() or not classes <= set(range(len(names))):
        raise InputError(f"Classes {sorted(map(int, classes))} for {len(names)} names", "classes 0, 1, ... with names")
    counts = np.bincount(true[valid] * len(names) + guess[valid], minlength=len(names) ** 2)
    counts = counts.reshape(len(names), -1)
    palette = [GROUND, HIT] if len(names) == 2 else class_colours(len(names))
    painted = [_paint(mask, palette, ~valid) for mask in (true, guess)]
    errors, key = _errors(rgb(pictures), true, guess, valid, binary=len(names) == 2)
    entries = {} if len(names) == 2 else {brief(name): tint for name, tint in zip(names, palette, strict=True)}
    entries |= key | ({"not counted": VOID} if not valid.all() else {})
    rows = [np.moveaxis(stack, -1, 1) for stack in (rgb(pictures), *painted, errors)]
    finding = f"{_agreement(counts, names)} {over(len(true))}"
    columns = 1 + len(entries) // 16
    room = columns * (0.5 + 0.07 * max(len(name) for name in entries))
    figure = sheet(finding, rows, ["image", "truth", "prediction", "errors"], right=room)
    key_beside(figure.axes[0], [Patch(color=tint) for tint in entries.values()], list(entries), columns)
    return figure


@draws()
def confusion(matrix: Array, names: Sequence[str]) -> "Figure":
    """Draw which class is taken for which, as shares of each true class.

    Raises ``InputError`` for a matrix that is no square of counts with as many names, or is all zero.

    Parameters
    ----------
    matrix : ndarray
        Counts, ``(k, k)``: row i, column j are items of class i that were taken for class j.
        A class without items has an empty row.
    names : sequence of str
        Names of the classes.

    Examples
    --------
    >>> figure = confusion(np.array([[90, 10], [5, 95]]), ["cat", "dog"])
    """
    counts = np.asarray(matrix, np.float64)
    k = len(names)
    if counts.shape != (k, k) or not k or not (counts >= 0).all() or not counts.any():
        raise InputError(f"Counts of shape {counts.shape} for {k} names", "a square of counts, not all zero, and names")
    total = counts.sum(axis=1, keepdims=True)
    shares = counts / np.where(total > 0, total, 1.0)
    wrong = shares * (1 - np.eye(k))
    i, j = divmod(int(np.argmax(wrong)), k)
    right = percent(np.trace(counts) / counts.sum())
    finding = f"{percent(wrong[i, j])} of {brief(names[i])} is taken for {brief(names[j])}, the worst confusion"
    finding = f"{finding}; {right} of all is right" if wrong[i, j] else f"No confusion: {right} of all is right"
    cell = max(0.42 if k <= 12 else 0.34, 2.2 / k)
    labels = [escaped(brief(name, 18)) for name in names]
    longest = max(len(label) for label in labels)
    turned: dict[str, Any] = {"rotation": 60, "ha": "right", "rotation_mode": "anchor"} if longest > 3 else {}
    room = 0.075 * longest
    figure = under_title(max(5.0, k * cell + room + 0.7), k * cell + room + 0.6, finding)
    axes = panel(figure, x="taken for (percent of the true class)", y="truth")
    axes.imshow(shares, cmap=colormap(("#ffffff", *SEQUENTIAL)), vmin=0, vmax=1)
    axes.set_anchor("NW")
    axes.set_xticks(range(k), labels, fontfamily=fonts(), **turned)
    axes.set_yticks(range(k), labels, fontfamily=fonts())
    for (row, column), share in np.ndenumerate(shares):
        if share >= 0.005:
            text = axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontfamily=fonts())
            text.set(fontsize=8 if k <= 12 else 6.5, color="white" if share > 0.55 else INK)
    return figure


def class_colours(k: int) -> list[str]:
    """Colours of the classes 0, 1, ...: always the same, lighter and then darker after the first twelve.

    Examples
    --------
    >>> class_colours(13)[0], class_colours(13)[12]
    ('#0072B2', '#8cc0dc')
    """
    from matplotlib.colors import to_hex, to_rgb

    def mixed(i: int) -> str:
        turn, tint = i // len(CLASSES), CLASSES[i % len(CLASSES)]
        other, share = ((1.0, 0.55), (0.0, 0.5))[(turn - 1) % 2]
        red, green, blue = ((1 - share) * part + share * other for part in to_rgb(tint))
        return tint if turn == 0 else to_hex((red, green, blue))

    return [mixed(i) for i in range(k)]


def _agreement(counts: Array, names: Sequence[str]) -> str:
    """Dice of the second of two classes, or the mean intersection over union, in words."""
    hit, missed, false = np.diag(counts), counts.sum(axis=1) - np.diag(counts), counts.sum(axis=0) - np.diag(counts)
    if len(names) == 2:
        dice = 2 * hit[1] / ((2 * hit + missed + false)[1] or 1)
        lost, wrong = missed[1] / ((hit + missed)[1] or 1), false[1] / ((hit + false)[1] or 1)
        errors = f"{percent(lost)} of it missed, {percent(wrong)} of what is found false"
        return f"Dice of {brief(names[1])} {number(dice)}: {errors},"
    union = hit + missed + false
    iou = (hit / np.where(union > 0, union, 1))[union > 0]
    right = percent(hit.sum() / counts.sum())
    return f"Mean intersection over union {number(iou.mean())} of {len(iou)} classes, {right} of the pixels right,"


def _paint(mask: Array, palette: Sequence[str], void: Array) -> Array:
    """Mask in its classes' colours, (n, H, W, 3)."""
    from matplotlib.colors import to_rgb

    tints = np.array([to_rgb(tint) for tint in palette])
    pictures = tints[np.where(void, 0, mask)]
    pictures[void] = to_rgb(VOID)
    return pictures


def _errors(pictures: Array, true: Array, guess: Array, valid: Array, *, binary: bool) -> tuple[Array, dict[str, str]]:
    """Draw agreement and errors over faint images, and the key to their colours."""
    from matplotlib.colors import to_rgb

    faint = 0.55 + 0.45 * pictures.mean(axis=-1, keepdims=True).repeat(3, axis=-1)
    wrong = valid & (true != guess)
    parts = {"wrong": (wrong, WRONG)}
    if binary:
        hit = valid & (true == 1) & (guess == 1)
        parts = {"found": (hit, HIT), "missed": (wrong & (true == 1), MISSED), "false": (wrong & (guess == 1), FALSE)}
    for where, tint in [*parts.values(), (~valid, VOID)]:
        faint[where] = 0.75 * np.array(to_rgb(tint)) + 0.25 * faint[where]
    return faint, {name: tint for name, (_, tint) in parts.items()}
