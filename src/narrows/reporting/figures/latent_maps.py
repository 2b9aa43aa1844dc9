"""Codes as points: in a plane, and in space from three sides."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from narrows.reporting.figures.base import draws
from narrows.reporting.figures.colouring import Colouring, by_class, by_column
from narrows.reporting.figures.style import (
    CLASSES,
    GREY,
    INK,
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


class Dots(NamedTuple):
    """The rows that are drawn: finite codes, and what is known of each."""

    codes: Array
    labels: Array | None
    class_names: Sequence[str] | None
    by: str
    held: Array  # bool: whether it was held out

    @property
    def outline(self) -> dict[str, Any]:
        """Arguments of ``scatter``: held-out rows have a dark edge."""
        return {"linewidths": np.where(self.held, 0.7, 0.0), "edgecolors": np.where(self.held, INK, "none")}


class Ink(NamedTuple):
    """The colours of points: groups of them, or shades of their density."""

    colours: Array
    words: str = ""  # what colour says, for the title
    by: Colouring | None = None


@draws("map")
def code_map(
    codes: Array,
    labels: Array | None = None,
    class_names: Sequence[str] | None = None,
    by: str = "class",
    held: Array | None = None,
) -> "Figure":
    """Draw codes in a plane: two columns as they are, more as their first two principal components.

    Parameters
    ----------
    codes : ndarray
        One row per item; up to 5000 are drawn.
    labels : ndarray, optional
        A class, number, date or text for each row. Without it, colour shows the density.
    class_names : sequence of str, optional
        Names of the classes 0, 1, ...
    by : str
        What the labels are.
    held : ndarray of bool, optional
        Which rows were held out: they have an outline.

    Examples
    --------
    >>> codes = np.random.default_rng(0).normal(size=(30, 4))
    >>> figure = code_map(codes, np.arange(30) % 2, ["even", "odd"])
    """
    dots = _dots(codes, labels, class_names, by, held)
    points, plane = project(dots.codes, 2)
    ink = _ink(points, dots)
    figure = canvas(7.4 if ink.by else 6.2, 5.6, f"{_count(dots.codes, len(codes))}{ink.words}")
    axes = panel(figure, x=plane[0].name, y=plane[1].name)
    axes.scatter(points[:, 0], points[:, 1], s=_size(len(points)), c=ink.colours, alpha=0.75, **dots.outline)
    axes.tick_params(labelleft=dots.codes.shape[1] > 1, left=dots.codes.shape[1] > 1)
    _name_groups(axes, points, ink)
    _key(figure, ink, dots)
    return figure


@draws("map3d")
def code_map_3d(
    codes: Array,
    labels: Array | None = None,
    class_names: Sequence[str] | None = None,
    by: str = "class",
    held: Array | None = None,
) -> "Figure":
    """Draw codes in space, seen from three sides: three columns as they are, more as principal components.

    Parameters
    ----------
    codes, labels, class_names, by, held
        As in `code_map`.

    Examples
    --------
    >>> figure = code_map_3d(np.random.default_rng(0).normal(size=(30, 3)))
    """
    dots = _dots(codes, labels, class_names, by, held)
    points, box = project(dots.codes, 3)
    ink = _ink(points, dots)
    key = 0.5 + 0.085 * max(map(len, [by, *ink.by.names])) if ink.by else 0.0
    figure = canvas(10.6 + key, 4.0, f"{_count(dots.codes, len(codes))} from three sides{ink.words}")
    figure.set_layout_engine("none")  # boxes in space fill their panels better without it
    width = 10.6 / (10.6 + key) / 3
    for place, turn in enumerate((-60, 30, 120)):
        axes: Any = figure.add_axes((place * width, 0.0, width, 0.94), projection="3d", facecolor="none")
        axes.view_init(elev=18, azim=turn)
        axes.scatter(*points.T, s=_size(len(points)), c=ink.colours, alpha=0.7, **dots.outline)
        _quiet_box(axes, [axis.short for axis in box])
    _key(figure, ink, dots)
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


def _dots(codes: Array, labels: Array | None, class_names: Sequence[str] | None, by: str, held: Array | None) -> Dots:
    """Return finite flat codes of at most 5000 rows, with what is known of them."""
    codes = np.asarray(codes, np.float64).reshape(len(codes), -1)
    rows = np.flatnonzero(np.isfinite(codes).all(axis=1))
    if len(rows) > POINTS:
        rows = np.sort(np.random.default_rng(0).choice(rows, POINTS, replace=False))
    marked = np.zeros(len(codes), bool) if held is None else held
    return Dots(codes[rows], None if labels is None else np.asarray(labels)[rows], class_names, by, marked[rows])


def _ink(points: Array, dots: Dots) -> Ink:
    """Colour by class or number, or by density."""
    labels = dots.labels
    if labels is None and len(points) < FEW:
        return Ink(np.full(len(points), MODEL, dtype=object))
    if labels is None:
        counts, edges = np.histogramdd(points[:, :2], bins=40)
        cells = [np.clip(np.digitize(points[:, i], edges[i]) - 1, 0, 39) for i in range(2)]
        density = np.log1p(counts[tuple(cells)])
        return Ink(colormap(SEQUENTIAL)(density / density.max()), ", darker where they are dense")
    by = by_column(dots.by, labels) if dots.class_names is None else by_class(dots.by, labels, dots.class_names)
    by = by._replace(names=[brief(name) for name in by.names])
    colours = np.array(by.colours, dtype=object)[by.groups]
    if by.ordered:
        return Ink(colours, f", darker for larger {brief(by.name)}", by)
    labelled = np.ones(len(labels), bool) if dots.class_names is None else labels >= 0
    return Ink(colours, _neighbours(dots.codes[labelled], labels[labelled], len(dots.codes)), by)


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
    if ink.by is None or ink.by.ordered or len(ink.by.names) > len(CLASSES):
        return
    paper = {"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none", "alpha": 0.82}
    for group, (name, colour) in enumerate(zip(ink.by.names, ink.by.colours, strict=True)):
        x, y = np.median(points[ink.by.groups == group], axis=0)
        text = axes.text(x, y, escaped(name), ha="center", va="center", fontsize=11, color=colour, fontweight="bold")
        text.set(fontfamily=fonts(), zorder=5, bbox=paper)


def _key(figure: "Figure", ink: Ink, dots: Dots) -> None:
    """Say which colour is which group, and what an outline means."""
    from matplotlib.lines import Line2D

    names, colours = ([], []) if ink.by is None else (ink.by.names, ink.by.colours)
    handles = [Line2D([], [], marker="o", linestyle="", color=tint, markersize=6) for tint in colours]
    if dots.held.any():
        hollow: dict[str, Any] = {"markerfacecolor": "none", "markeredgecolor": INK, "markersize": 6}
        handles.append(Line2D([], [], marker="o", linestyle="", **hollow))
        names = [*names, "held out"]
    if handles:
        legend(figure, handles, names, brief(dots.by) if ink.by else "")
