"""Numbers side by side: bars, and lines with their names at their ends."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.errors import InputError
from narrows.reporting.figures.base import draws
from narrows.reporting.figures.layout import sentence, under_title
from narrows.reporting.figures.style import (
    CLASSES,
    GREY,
    INK,
    MODEL,
    QUIET,
    Array,
    brief,
    escaped,
    fonts,
    number,
    panel,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

__all__ = ["bars", "lines"]


@draws()
def bars(values: Mapping[str, float | tuple[float, float]], label: str, better: str = "lower") -> "Figure":
    """Draw a few numbers as bars, the best one in colour.

    Raises ``InputError`` without values, or for one that is not finite.

    Parameters
    ----------
    values : mapping of str to float or tuple of two floats
        Name and value, or mean and spread (drawn as a thin line to both sides).
    label : str
        What the values are, with the unit, for example ``"test error (%)"``.
    better : {"lower", "higher"}
        Which values are better.

    Examples
    --------
    >>> figure = bars({"with pre-training": (2.0, 0.1), "without": (3.0, 0.2)}, "test error (%)")
    """
    if better not in ("lower", "higher"):
        raise InputError(f"better={better!r}", "'lower' or 'higher'")
    pairs = {name: (value if isinstance(value, tuple) else (value, 0.0)) for name, value in values.items()}
    if not pairs or not all(len(pair) == 2 and np.isfinite(pair).all() for pair in pairs.values()):
        raise InputError(f"Values {dict(values)}", "finite numbers, or (mean, spread), with names")
    order = sorted(pairs, key=lambda name: pairs[name][0] * (1 if better == "lower" else -1))
    best = order[0]
    finding = f"{label}: " + ", ".join(f"{name} {number(pairs[name][0])}" for name in order[:2])
    spread = sum(pairs[name][1] for name in order[:2])
    if len(order) > 1 and spread:  # without one nobody knows which is best
        second = order[1]
        apart = abs(pairs[best][0] - pairs[second][0]) > spread
        finding = f"{best} has the {better[:-2]}est {label}, {number(pairs[best][0])}; next {second}, "
        finding += number(pairs[second][0]) + ("" if apart else ", within the spread")
    figure = under_title(7.0, 0.5 + 0.36 * len(pairs), sentence(finding))
    axes = panel(figure, x=f"{label}, {better} is better")
    tints = [MODEL if name == best else GREY for name in pairs]
    means, spreads = zip(*pairs.values(), strict=True)
    bars_in(axes, [brief(name, 32) for name in pairs], means, tints, spreads)
    return figure


def bars_in(
    axes: "Axes", names: Sequence[str], values: Sequence[float], tints: Sequence[str], spreads: Sequence[float] = ()
) -> None:
    """Draw horizontal bars from zero, the first on top, with their numbers."""
    spread = np.array(spreads) if len(spreads) else np.zeros(len(values))
    axes.barh(range(len(values)), values, color=list(tints), height=0.62)
    ends = np.maximum(np.array(values) + spread, 0.0)
    for place, (value, room, end) in enumerate(zip(values, spread, ends, strict=True)):
        if room:
            axes.plot([value - room, value + room], [place, place], color=INK, linewidth=1.0)
        text = number(value) + (f" ± {number(room, 2)}" if room else "")
        note = axes.annotate(text, (end, place), (4, 0), textcoords="offset points", va="center")
        note.set(fontsize=8.5, color=INK, fontfamily=fonts())
    axes.set_yticks(range(len(names)), [escaped(name) for name in names], fontsize=9, color=INK, fontfamily=fonts())
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.02)
    axes.tick_params(axis="x", length=0, labelbottom=False)  # each bar carries its number
    axes.xaxis.get_offset_text().set_visible(False)
    axes.spines["left"].set_visible(False)
    axes.axvline(0, color=QUIET, linewidth=0.8)
    if not np.any(values):
        axes.set_xlim(0, 1)


@draws()
def lines(
    series: Mapping[str, tuple[Array, ...]],
    x: str,
    y: str,
    *,
    log_x: bool = False,
    log_y: bool = False,
    reference: tuple[str, float] | None = None,
) -> "Figure":
    """Draw lines with their names at their ends.

    Raises ``InputError`` for no line or too many, values that are not finite, or logarithms of zero or less.

    Parameters
    ----------
    series : mapping of str to tuple of two or three ndarrays
        Name and the two coordinates, of one length, and the spread of the second one, drawn as a band. The title says
        the last values, and how many times the reference the lowest of them is.
    x, y : str
        What is drawn, with units.
    log_x, log_y : bool
        Logarithmic scales.
    reference : tuple of str and float, optional
        Name and value of a dashed line, for example a known optimum.

    Examples
    --------
    >>> epochs = np.arange(1, 6)
    >>> figure = lines({"linear": (epochs, 1 + 1 / epochs)}, "epoch", "test error", reference=("PCA", 1.0))
    """
    drawn = {name: _points(name, *coordinates[:2]) for name, coordinates in series.items()}
    if not drawn or len(drawn) > len(CLASSES):
        raise InputError(f"{len(drawn)} series", f"1 to {len(CLASSES)}")
    known = np.array(
        [*(value for _, values in drawn.values() for value in values), *([reference[1]] if reference else [])]
    )
    if (log_y and (known <= 0).any()) or (log_x and any((places <= 0).any() for places, _ in drawn.values())):
        raise InputError(
            "Values of zero or less on a logarithmic scale", "positive values, or log_x=False, log_y=False"
        )
    last = {name: float(values[-1]) for name, (_, values) in drawn.items()}
    figure = under_title(7.4, 3.6, _finding(drawn, last, x, y, reference))
    scales = [f"{text}, log scale" if log else text for text, log in ((x, log_x), (y, log_y))]
    axes = panel(figure, x=scales[0], y=scales[1])
    axes.set(xscale="log" if log_x else "linear", yscale="log" if log_y else "linear")
    ends = []
    for (name, (places, values)), tint in zip(drawn.items(), CLASSES, strict=False):
        dot = "o" if len(places) <= 12 else ""
        axes.plot(places, values, color=tint, linewidth=1.7, marker=dot, markersize=4)
        if len(series[name]) > 2:
            spread = np.asarray(series[name][2], np.float64)
            axes.fill_between(places, values - spread, values + spread, color=tint, alpha=0.15, linewidth=0)
        ends.append((name, places[-1], values[-1], tint))
    if reference:
        axes.axhline(reference[1], color=QUIET, linewidth=1.0, linestyle=(0, (4, 3)))
        ends.append((reference[0], np.inf, reference[1], QUIET))
    _name_ends(axes, ends)
    return figure


def _points(name: str, places: Any, values: Any) -> tuple[Array, Array]:
    """Two finite arrays of one length."""
    x, y = np.asarray(places, np.float64), np.asarray(values, np.float64)
    if x.ndim != 1 or x.shape != y.shape or not x.size or not (np.isfinite(x) & np.isfinite(y)).all():
        raise InputError(f"'{name}' of shapes {x.shape} and {y.shape}", "two rows of finite numbers of one length")
    return x, y


def _finding(
    drawn: Mapping[str, tuple[Array, Array]],
    last: Mapping[str, float],
    x: str,
    y: str,
    reference: tuple[str, float] | None,
) -> str:
    """Say what the lines come to at their ends."""
    low = min(last, key=lambda name: last[name])
    end = f"{x} {number(float(drawn[low][0][-1]))}"
    if reference and reference[1]:
        times = number(last[low] / reference[1])
        return sentence(f"{low} ends at {number(last[low])}, {times} times {reference[0]} ({number(reference[1])})")
    if len(last) == 1:
        return sentence(f"{y}: {number(float(drawn[low][1][0]))} at first, {number(last[low])} at {end}")
    order = sorted(last, key=lambda name: last[name])
    named = [f"{name} {number(last[name])}" for name in (order if len(order) < 5 else [order[0], order[-1]])]
    return sentence(f"{y} at {end}: {', '.join(named)}")


def _name_ends(axes: "Axes", ends: Sequence[tuple[str, float, float, str]]) -> None:
    """Write names at the right, apart from each other, or at the end of a line that stops early."""
    axes.autoscale_view()
    right = axes.get_xlim()[1]
    points = [(min(x, right), y) for _, x, y, _ in ends]
    across, heights = axes.transAxes.inverted().transform(axes.transData.transform(points)).T
    early = across < 0.7
    gap, order = 0.062, [i for i in np.argsort(heights) if not early[i]]
    shift = gap * np.arange(len(order))
    places = np.maximum.accumulate(heights[order] - shift) + shift
    heights[order] = places - max(0.0, max(places, default=0.0) - max(1.0, float(heights.max())))
    paper = {"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.82}
    for (name, x, y, tint), height, stops in zip(ends, heights, early, strict=True):
        label = escaped(brief(name, 28))
        text: Text
        if stops:
            text = axes.annotate(label, (x, y), (7, 0), textcoords="offset points", va="center", bbox=paper)
        else:
            text = axes.text(1.015, height, label, transform=axes.transAxes, va="center")
        text.set(fontsize=8.5, color=tint, fontfamily=fonts())
