"""Rows by how likely they are, and real rows beside new ones."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from narrows.errors import InputError
from narrows.reporting.figures.base import draws
from narrows.reporting.figures.layout import under_title
from narrows.reporting.figures.style import CLASSES, GREY, MODEL, Array, brief, legend, number, panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["densities", "marginals"]


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
def marginals(real: Array, made: Array, names: Sequence[str]) -> "Figure":
    """Draw, column by column, which share of real and of new rows has at most so large a value.

    Parameters
    ----------
    real, made : ndarray
        Rows, ``(n, d)`` and ``(m, d)``. Up to 12 columns are drawn, those that differ most first.
    names : sequence of str
        What the columns are.

    Notes
    -----
    The number is the largest distance of the two lines: Kolmogorov and Smirnov's statistic. Values that differ by less
    than 1e-5, as whole numbers do by rounding, count as equal.

    Examples
    --------
    >>> draw = np.random.default_rng(0)
    >>> figure = marginals(draw.normal(size=(50, 2)), draw.normal(size=(60, 2)), ["size", "weight"])
    """
    from scipy.stats import ks_2samp

    real, made = (np.asarray(rows, np.float64).round(5) for rows in (real, made))
    gaps = np.array([ks_2samp(a, b).statistic for a, b in zip(real.T, made.T, strict=True)])
    order = np.argsort(-gaps, kind="stable")[:12]
    across = min(4, len(order))
    down = -(-len(order) // across)
    finding = f"{names[order[0]]} differs most between real and new rows: by {number(gaps[order[0]], 2)}"
    finding += f" of the rows; the median of {len(gaps)} columns by {number(float(np.median(gaps)), 2)}"
    finding += f"; {len(order)} are drawn" if len(order) < len(gaps) else ""
    figure = under_title(8.4, 0.5 + 1.7 * down, finding)
    grid = figure.add_gridspec(down, across)
    for place, column in enumerate(order):
        axes = panel(figure, grid[place], f"{brief(names[column], 22)}: {number(gaps[column], 2)}")
        drawn = ((real, GREY), (made, MODEL))
        handles = [axes.ecdf(rows[:, column], color=tint, linewidth=1.4) for rows, tint in drawn]
        axes.set_ylim(0, 1)
        if not place:
            legend(axes, handles, ["real rows", "new rows"])
    return figure
