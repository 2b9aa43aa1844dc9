"""Rows by how likely they are, and real rows beside new ones."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from narrows.errors import InputError
from narrows.reporting.figures.base import draws
from narrows.reporting.figures.layout import under_title
from narrows.reporting.figures.style import CLASSES, GREY, MODEL, Array, brief, escaped, fonts, legend, number, panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["densities", "marginals"]

_TINTS = (GREY, MODEL)  # of real and of new rows
_MAX_LEVELS = 6  # of a category that are drawn


@draws()
def densities(values: Mapping[str, Array]) -> "Figure":
    """Draw which share of the rows has at most so large a log p, for several models or groups of rows.

    Raises ``InputError`` where no log p is finite.

    Parameters
    ----------
    values : mapping of str to ndarray
        Name and log p of every row in nats; what is not finite counts as a share and has no place.

    Notes
    -----
    The axis leaves out the lowest per cent, where single rows lie far off.

    Examples
    --------
    >>> figure = densities({"model": np.random.default_rng(0).normal(size=50)})
    """
    clean = {name: np.sort(np.asarray(log_p, np.float64)) for name, log_p in values.items()}
    finite = {name: log_p[np.isfinite(log_p)] for name, log_p in clean.items()}
    if not any(map(len, finite.values())):
        raise InputError("No finite log p", "at least one row with a finite log p")
    medians = {name: float(np.median(clean[name])) for name in clean if len(clean[name])}
    summary = ", ".join(f"{number(value)} for {brief(name, 40)}" for name, value in medians.items())
    figure = under_title(7.0, 3.2, f"Half of the rows have a log p of at least {summary}")
    axes = panel(figure, x="log p (nats)", y="share of the rows")
    low, high = np.inf, -np.inf
    handles = []
    for (name, log_p), tint in zip(finite.items(), CLASSES, strict=False):
        if not len(log_p):
            continue
        share = (np.arange(len(log_p)) + 1 + len(clean[name]) - len(log_p)) / len(clean[name])
        handles += axes.step(log_p, share, where="post", color=tint, linewidth=1.6)
        low, high = min(low, np.quantile(log_p, 0.01)), max(high, log_p[-1])
    room = 0.03 * (high - low) or 1.0
    axes.set_xlim(low - room, high + room)
    axes.set_ylim(0, 1)
    legend(axes, handles, [brief(name, 40) for name in finite if len(finite[name])])
    return figure


@draws()
def marginals(real: Array, made: Array, names: Sequence[str], widths: Mapping[str, int] | None = None) -> "Figure":
    """Draw, column by column, which share of real and of new rows has at most so large a value, or is of which level.

    Parameters
    ----------
    real, made : ndarray
        Rows, ``(n, d)`` and ``(m, d)``. Up to 12 columns are drawn, those that differ most first.
    names : sequence of str
        What the d numbers are; those of a category are called ``column=level``.
    widths : mapping of str to int, optional
        The columns of a table, and how many of the numbers each has: more than one for a category.

    Notes
    -----
    The number is the largest distance of the two lines, Kolmogorov and Smirnov's statistic, or for a category the
    total variation distance: the share of new rows that would have to be of another level. Values that differ by less
    than 1e-5, as whole numbers do by rounding, count as equal.

    Examples
    --------
    >>> draw = np.random.default_rng(0)
    >>> figure = marginals(draw.normal(size=(50, 2)), draw.normal(size=(60, 2)), ["size", "weight"])
    """
    columns = _columns(np.asarray(real, np.float64), np.asarray(made, np.float64), names, widths)
    gaps = np.array([column.gap() for column in columns])
    order = np.argsort(-gaps, kind="stable")[:12]
    across = min(4, len(order))
    down = -(-len(order) // across)
    finding = f"{columns[order[0]].name} differs most between real and new rows: by {number(gaps[order[0]], 2)}"
    finding += f" of the rows; the median of {len(gaps)} columns by {number(float(np.median(gaps)), 2)}"
    finding += f"; {len(order)} are drawn" if len(order) < len(gaps) else ""
    figure = under_title(9.4, 0.5 + 1.7 * down, finding)
    grid = figure.add_gridspec(down, across)
    for place, index in enumerate(order):
        axes = panel(figure, grid[place], f"{brief(columns[index].name, 22)}: {number(gaps[index], 2)}")
        handles = columns[index].draw(axes)
    legend(figure, handles, ["real rows", "new rows"])
    return figure


class _Numbers(NamedTuple):
    """A column of numbers in real and new rows, (n,) and (m,)."""

    name: str
    real: Array
    made: Array

    def gap(self) -> float:
        from scipy.stats import ks_2samp

        return float(ks_2samp(self.real.round(5), self.made.round(5)).statistic)

    def draw(self, axes: "Axes") -> list[Any]:
        axes.set_ylim(0, 1)
        return [axes.ecdf(values, color=tint, linewidth=1.4) for values, tint in zip(self[1:], _TINTS, strict=True)]


class _Levels(NamedTuple):
    """The shares of the levels of a category among real and new rows, (k,) each."""

    name: str
    real: Array
    made: Array
    levels: Sequence[str]

    def gap(self) -> float:
        return float(np.abs(self.real - self.made).sum() / 2)

    def draw(self, axes: "Axes") -> list[Any]:
        order = np.argsort(-(self.real + self.made), kind="stable")
        shown = order[: _MAX_LEVELS if len(order) <= _MAX_LEVELS else _MAX_LEVELS - 1]
        labels = [brief(self.levels[i], 12) for i in shown]
        shares = [[values[i] for i in shown] for values in (self.real, self.made)]
        if len(shown) < len(order):
            labels.append(f"{len(order) - len(shown)} others")
            shares = [[*part, values.sum() - sum(part)] for part, values in zip(shares, self[1:3], strict=True)]
        places = np.arange(len(labels))
        axes.set_yticks(places, [escaped(label) for label in labels], fontfamily=fonts())
        axes.set_ylim(len(labels) - 0.5, -0.5)
        offsets = (-0.2, 0.2)
        parts = zip(shares, offsets, _TINTS, strict=True)
        return [axes.barh(places + offset, part, color=tint, height=0.38) for part, offset, tint in parts]


def _columns(real: Array, made: Array, names: Sequence[str], widths: Mapping[str, int] | None) -> list[Any]:
    """Return the columns of a table, from their encoded numbers."""
    columns: list[_Numbers | _Levels] = []
    start = 0
    for name, width in (widths or dict.fromkeys(names, 1)).items():
        stop = start + width
        if width == 1:
            columns.append(_Numbers(name, real[:, start], made[:, start]))
        else:
            levels = [level.removeprefix(f"{name}=") for level in names[start:stop]]
            columns.append(_Levels(name, real[:, start:stop].mean(0), made[:, start:stop].mean(0), levels))
        start = stop
    return columns
