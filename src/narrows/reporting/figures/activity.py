"""How many units are active, and artefacts at the stride's frequency."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from narrows.errors import InputError
from narrows.reporting.figures.bars_and_lines import bars_in
from narrows.reporting.figures.base import draws
from narrows.reporting.figures.cells import wrapped
from narrows.reporting.figures.layout import key_beside, sentence, under_title
from narrows.reporting.figures.style import CLASSES, GREY, OTHER, Array, bare, brief, number, panel, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["activity", "checkerboard"]

MIDDLE = 64  # pixels of a side that are drawn


@draws()
def activity(activations: Mapping[str, Array], *, threshold: float = 0.1) -> "Figure":
    """Draw how many units are active in a row, and which values the units take.

    Raises ``InputError`` without activations, or where they are not finite or not of two axes.

    Parameters
    ----------
    activations : mapping of str to ndarray
        Name and activations, ``(n, units)``.
    threshold : float
        A unit is active in a row where its absolute value is above it, in the units of the activations.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> figure = activity({"plain": rng.random((20, 8)), "sparse": rng.random((20, 8)) ** 8})
    """
    rows = {name: np.asarray(values, np.float64) for name, values in activations.items()}
    if not rows or len(rows) > len(CLASSES) or any(values.ndim != 2 or not values.size for values in rows.values()):
        shapes = {name: values.shape for name, values in rows.items()}
        raise InputError(f"Activations of shapes {shapes}", f"up to {len(CLASSES)} of (n, units), not empty")
    if not all(np.isfinite(values).all() for values in rows.values()):
        raise InputError("Activations that are not finite", "numbers")
    active = {name: np.abs(values) > threshold for name, values in rows.items()}
    mean = {name: float(mask.mean()) for name, mask in active.items()}
    order = sorted(mean, key=lambda name: mean[name])
    finding = f"{order[0]}: {_share(mean[order[0]])} of the units active in a row"
    finding += f", {order[-1]}: {_share(mean[order[-1]])}" if len(order) > 1 else ""
    figure = under_title(10.0, max(3.1, 0.56 * len(rows)), sentence(finding))
    grid = figure.add_gridspec(1, 2)
    left = panel(figure, grid[0], "Active units", f"share of the units above {threshold:g} in a row", "rows")
    right = panel(figure, grid[1], "Values", "activation", "share of the values, log scale")
    low, high = min(values.min() for values in rows.values()), max(values.max() for values in rows.values())
    edges = np.linspace(low, high if high > low else low + 1, 41)
    handles, labels = [], []
    for (name, values), tint in zip(rows.items(), CLASSES, strict=False):
        share = np.histogram(active[name].mean(axis=1), np.linspace(0, 1, 41))[0] / len(values)
        left.stairs(share, np.linspace(0, 1, 41), color=tint, linewidth=1.5, fill=False)
        handles.append(right.stairs(np.histogram(values, edges)[0] / values.size, edges, color=tint, linewidth=1.5))
        never = int((~active[name].any(axis=0)).sum())
        labels.append(f"{brief(name)}\n{_share(mean[name])} active\n{never} of {values.shape[1]} units never here")
    right.set_yscale("log")
    left.set_ylabel("share of the rows")
    key_beside(right, handles, labels)
    return figure


@draws()
def checkerboard(images: Mapping[str, Array], energy: Mapping[str, float]) -> "Figure":
    """Draw pictures beside bars of their energy at the frequency of the stride.

    Raises ``InputError`` where pictures and energies have different names, or pictures not two axes.

    Parameters
    ----------
    images : mapping of str to ndarray
        Name of a way to go up and a picture of it, ``(H, W)``; all on one scale of grey. Of larger ones the middle
        64 x 64 pixels are drawn, so that each pixel can be seen.
    energy : mapping of str to float
        Energy at the stride's frequency of each, as a share of all energy.

    Notes
    -----
    Odena, Dumoulin and Olah (2016), "Deconvolution and checkerboard artifacts".

    Examples
    --------
    >>> pictures = {"transposed": np.indices((8, 8)).sum(axis=0) % 2, "resize": np.ones((8, 8))}
    >>> figure = checkerboard(pictures, {"transposed": 0.5, "resize": 0.01})
    """
    pictures = {name: np.asarray(image, np.float64) for name, image in images.items()}
    if not pictures or set(pictures) != set(energy) or any(image.ndim != 2 for image in pictures.values()):
        raise InputError(f"Pictures of {sorted(images)}, energy of {sorted(energy)}", "(H, W) and a number for each")
    most, least = max(energy, key=lambda name: energy[name]), min(energy, key=lambda name: energy[name])
    finding = f"{most} has {number(energy[most], 2)} of its energy at the stride's frequency"
    if energy[most] > energy[least] > 0:
        finding += f", {number(energy[most] / energy[least], 2)} times that of {least}"
    low, high = min(image.min() for image in pictures.values()), max(image.max() for image in pictures.values())
    n = len(pictures)
    across, side = (n if n < 4 else -(-n // 2)), 1.9
    down = -(-n // across)
    figure = under_title(across * side + 4.4, max(1.6, down * (side + 0.35)), sentence(finding))
    left, right = figure.subfigures(1, 2, width_ratios=[across * side, 4.4], squeeze=False)[0]
    grid = left.add_gridspec(down, across)
    for place, (name, image) in enumerate(pictures.items()):
        axes = bare(panel(left, grid[place // across, place % across], wrapped(brief(name), side)))
        axes.imshow(_middle(image), cmap="gray", vmin=low, vmax=high, interpolation="nearest")
    axes = panel(right, x="energy at the stride's frequency")
    tints = [OTHER if name == most and n > 1 else GREY for name in pictures]
    bars_in(axes, [brief(name) for name in pictures], [energy[name] for name in pictures], tints)
    return figure


def _middle(image: Array) -> Array:
    """Middle of a picture, up to 64 x 64 pixels."""
    top, left = (max(0, (side - MIDDLE) // 2) for side in image.shape)
    return image[top : top + MIDDLE, left : left + MIDDLE]


def _share(share: float) -> str:
    """Share in percent, small ones with a digit more."""
    return percent(share) if share >= 0.1 or share < 0.0005 else f"{100 * share:.1f} %"
