"""Codes as points: in a plane, and in space from three sides."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from narrows.reporting.figures.base import draws
from narrows.reporting.figures.style import (
    CLASSES,
    GREY,
    MODEL,
    QUIET,
    SEQUENTIAL,
    Array,
    brief,
    canvas,
    colormap,
    escaped,
    fonts,
    legend,
    number,
    panel,
    percent,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["code_map", "code_map_3d"]

POINTS = 5000
FEW = 300  # points below which density is not worth a colour


class Ink(NamedTuple):
    """The colours of points: by class, by a number, or by density."""

    colours: Array
    entries: dict[str, str]
    groups: Array | None
    said: str


@draws("map")
def code_map(codes: Array, labels: Array | None = None, class_names: Sequence[str] | None = None) -> "Figure":
    """Draw codes in a plane: two columns as they are, more as their first two principal components.

    Parameters
    ----------
    codes : ndarray
        One row per item; up to 5000 are drawn.
    labels : ndarray, optional
        A class or a number for each row. Without it, colour shows the density.
    class_names : sequence of str, optional
        Names of the classes 0, 1, ...

    Examples
    --------
    >>> codes = np.random.default_rng(0).normal(size=(30, 4))
    >>> figure = code_map(codes, np.arange(30) % 2, ["even", "odd"])
    """
    count = len(codes)
    codes, labels = _sample(codes, labels)
    points, plane = project(codes, 2)
    ink = _ink(points, codes, labels, class_names)
    figure = canvas(7.4 if ink.entries else 6.2, 5.6, f"{_count(codes, count)}{ink.said}")
    axes = panel(figure, x=plane[0].name, y=plane[1].name)
    axes.scatter(points[:, 0], points[:, 1], s=_size(len(points)), c=ink.colours, linewidths=0, alpha=0.75)
    axes.tick_params(labelleft=codes.shape[1] > 1, left=codes.shape[1] > 1)
    _name_groups(axes, points, ink)
    _key(figure, ink)
    return figure


@draws("map3d")
def code_map_3d(codes: Array, labels: Array | None = None, class_names: Sequence[str] | None = None) -> "Figure":
    """Draw codes in space, seen from three sides: three columns as they are, more as principal components.

    Parameters
    ----------
    codes, labels, class_names
        As in `code_map`.

    Examples
    --------
    >>> figure = code_map_3d(np.random.default_rng(0).normal(size=(30, 3)))
    """
    count = len(codes)
    codes, labels = _sample(codes, labels)
    points, box = project(codes, 3)
    ink = _ink(points, codes, labels, class_names)
    key = 0.5 + 0.085 * max(map(len, ink.entries)) if ink.entries else 0.0
    figure = canvas(10.6 + key, 4.0, f"{_count(codes, count)} from three sides{ink.said}")
    figure.set_layout_engine("none")  # boxes in space fill their panels better without it
    width = 10.6 / (10.6 + key) / 3
    for place, turn in enumerate((-60, 30, 120)):
        axes: Any = figure.add_axes((place * width, 0.0, width, 0.94), projection="3d", facecolor="none")
        axes.view_init(elev=18, azim=turn)
        axes.scatter(*points.T, s=_size(len(points)), c=ink.colours, linewidths=0, alpha=0.7)
        _quiet_box(axes, [axis.short for axis in box])
    _key(figure, ink)
    return figure


class Axis(NamedTuple):
    """What an axis of a map is called, and in few words where there is little room."""

    name: str
    short: str


def project(codes: Array, k: int) -> tuple[Array, list[Axis]]:
    """Points (n, k) and their axes.

    Parameters
    ----------
    codes : ndarray
        One row of numbers per item.
    k : int
        Dimensions to draw.

    Examples
    --------
    >>> [axis.name for axis in project(np.array([[0.0, 1.0], [2.0, 3.0]]), 2)[1]]
    ['code 1', 'code 2']
    """
    n, d = codes.shape
    if d <= k:
        jitter = np.random.default_rng(0).random((n, k - d))
        names = [*(f"code {i + 1}" for i in range(d)), *["scatter, no meaning"] * (k - d)]
        return np.hstack([codes, jitter]), [Axis(name, name) for name in names]
    from sklearn.decomposition import PCA

    kept = min(k, n)
    pca = PCA(kept, random_state=0).fit(codes)
    points = np.pad(pca.transform(codes), ((0, 0), (0, k - kept)))
    shares = [*np.nan_to_num(pca.explained_variance_ratio_), *[0.0] * (k - kept)]
    return points, [
        Axis(f"principal component {i} ({percent(share)} of the variance)", f"PC {i} ({percent(share)})")
        for i, share in enumerate(shares, 1)
    ]


def _sample(codes: Array, labels: Array | None) -> tuple[Array, Array | None]:
    """Finite flat codes of at most 5000 rows, and their labels."""
    codes = np.asarray(codes, np.float64).reshape(len(codes), -1)
    rows = np.flatnonzero(np.isfinite(codes).all(axis=1))
    if len(rows) > POINTS:
        rows = np.sort(np.random.default_rng(0).choice(rows, POINTS, replace=False))
    return codes[rows], None if labels is None else np.asarray(labels)[rows]


def _ink(points: Array, codes: Array, labels: Array | None, class_names: Sequence[str] | None) -> Ink:
    """Colour by class, by a number where there are many different ones, or by density."""
    if labels is None and len(points) < FEW:
        return Ink(np.full(len(points), MODEL, dtype=object), {}, None, "")
    if labels is None:
        counts, edges = np.histogramdd(points[:, :2], bins=40)
        cells = [np.clip(np.digitize(points[:, i], edges[i]) - 1, 0, 39) for i in range(2)]
        return Ink(_shade(np.log1p(counts[tuple(cells)])), {}, None, ", darker where they are dense")
    values, groups = np.unique(labels, return_inverse=True)
    if labels.dtype.kind == "f" and len(values) > 20:
        return Ink(
            _shade(labels), {}, None, f", darker for larger values ({number(values[0])} to {number(values[-1])})"
        )
    names, labelled = [str(value) for value in values], np.ones(len(labels), bool)
    known = range(-1, len(class_names or ()))
    if class_names is not None and labels.dtype.kind in "iub" and set(map(int, values)) <= set(known):
        names, labelled = [str((*class_names, "no label")[int(value)]) for value in values], labels >= 0
    common = np.argsort(-np.bincount(groups), kind="stable")[: len(CLASSES)]
    tint = np.full(len(values), GREY, dtype=object)
    tint[np.sort(common)] = CLASSES[: len(common)]
    entries = {brief(names[i]): str(tint[i]) for i in np.sort(common)}
    entries |= {f"{len(values) - len(common)} others": GREY} if len(values) > len(common) else {}
    return Ink(tint[groups], entries, groups, _neighbours(codes[labelled], labels[labelled], len(codes)))


def _neighbours(codes: Array, labels: Array, n: int) -> str:
    """How often the nearest other code is of the same class, of those of ``n`` codes that have one, in words."""
    from sklearn.neighbors import NearestNeighbors

    if len(codes) < 3:
        return ""
    nearest = NearestNeighbors(n_neighbors=1).fit(codes).kneighbors(return_distance=False)[:, 0]
    which = "the nearest other code" if len(codes) == n else f"among {number(len(codes))} with a label the nearest"
    return f": {which} is of the same class for {percent(np.mean(labels[nearest] == labels))}"


def _count(codes: Array, of: int) -> str:
    """How many codes of how many are drawn, and their length, in words."""
    drawn = number(len(codes)) if len(codes) == of else f"{number(len(codes))} of {number(of)}"
    return f"{drawn} code{'s' if of > 1 else ''} of {codes.shape[1]} number{'s' if codes.shape[1] > 1 else ''}"


def _shade(values: Array) -> Array:
    """Colours on the sequential scale, between the smallest and the largest value."""
    low, high = np.nanmin(values), np.nanmax(values)
    return np.asarray(colormap(SEQUENTIAL)((values - low) / ((high - low) or 1.0)))


def _size(n: int) -> float:
    """Area of a point, smaller where there are many."""
    return float(np.clip(6000 / max(n, 1), 5, 26))


def _quiet_box(axes: Any, names: list[str]) -> None:
    """Set light walls, small grey numbers and short names for the axes of a box in space."""
    for axis, name in zip((axes.xaxis, axes.yaxis, axes.zaxis), (*names[:2], ""), strict=True):
        axis.set_pane_color("#f5f7f9")
        axis.set_tick_params(labelsize=7, colors=QUIET, labelfontfamily=fonts(), pad=-2)
        axis.set_label_text(name, fontsize=8, color=QUIET, fontfamily=fonts())
        axis.line.set_color(GREY)
    axes.text2D(0.5, 0.86, f"upwards: {names[2]}", transform=axes.transAxes, ha="center", fontsize=8, color=QUIET)
    axes.texts[-1].set_fontfamily(fonts())
    axes.locator_params(nbins=4)
    axes.grid(False)
    axes.set_box_aspect(None, zoom=0.95)


def _name_groups(axes: "Axes", points: Array, ink: Ink) -> None:
    """Write up to twelve classes at the middle of their points."""
    if ink.groups is None or len(ink.entries) > len(CLASSES):
        return
    paper = {"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none", "alpha": 0.82}
    for group, (name, colour) in enumerate(ink.entries.items()):
        x, y = np.median(points[ink.groups == group], axis=0)
        text = axes.text(x, y, escaped(name), ha="center", va="center", fontsize=11, color=colour, fontweight="bold")
        text.set(fontfamily=fonts(), zorder=5, bbox=paper)


def _key(figure: "Figure", ink: Ink) -> None:
    """Say which colour is which class."""
    from matplotlib.lines import Line2D

    if ink.entries:
        dots = [Line2D([], [], marker="o", linestyle="", color=tint, markersize=6) for tint in ink.entries.values()]
        legend(figure, dots, list(ink.entries), "class")
