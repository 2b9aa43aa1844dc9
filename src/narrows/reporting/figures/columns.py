"""Tables: each column as it was against each column as it came back."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from narrows import metrics
from narrows.reporting.figures.base import draws
from narrows.reporting.figures.style import GREY, MODEL, QUIET, Array, brief, canvas, fonts, number, panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["reconstructed_columns"]


@draws("columns")
def reconstructed_columns(original: Array, reconstructed: Array, names: Sequence[str]) -> "Figure":
    """Draw seen against reconstructed values, one panel for each of up to 9 columns.

    Parameters
    ----------
    original, reconstructed : ndarray
        Two tables of one shape. All rows count in R²; up to 2000 are drawn.
    names : sequence of str
        Names of the columns. Of more than 9, the worst and the 8 others of largest variance are drawn, in the
        table's order.

    Examples
    --------
    >>> table = np.random.default_rng(0).normal(size=(20, 3))
    >>> figure = reconstructed_columns(table, table * 0.9, ["age", "price ($)", "rooms"])
    """
    r2 = metrics.r2_columns(original, reconstructed)
    spread = np.nan_to_num(np.var(np.asarray(original, np.float64), axis=0))
    known = r2[np.isfinite(r2)]
    order = np.argsort(-spread, kind="stable")
    if len(known):
        worst = int(np.nanargmin(r2))
        order = np.concatenate([[worst], order[order != worst]])
    shown = np.sort(order[:9])
    finding = "No column varies"
    if len(known):
        named = names[int(np.nanargmin(r2))]
        finding = f"Median R² {number(np.median(known), 2)} over {len(known)} columns"
        finding += f" that vary, of {len(r2)}" if len(known) < len(r2) else ""
        finding += f"; worst: {brief(named)} ({number(known.min(), 2)})"
    across = min(3, len(shown))
    down = -(-len(shown) // across)
    figure = canvas(3.0 * across + 0.2, 0.7 + 2.6 * down, finding)
    figure.supxlabel("value in the data", fontsize=8.5, color=QUIET, fontfamily=fonts())
    figure.supylabel("reconstructed value", fontsize=8.5, color=QUIET, fontfamily=fonts())
    rows = np.linspace(0, len(original) - 1, min(2000, len(original))).astype(int)
    grid = figure.add_gridspec(down, across)
    for place, column in enumerate(shown):
        fit = f"R² {number(r2[column], 2)}" if np.isfinite(r2[column]) else "constant"
        axes = panel(figure, grid[place], f"{brief(names[column])}   {fit}")
        truth, back = original[rows, column], reconstructed[rows, column]
        axes.axline((float(np.mean(truth)), float(np.mean(truth))), slope=1, color=GREY, linewidth=0.8, zorder=1)
        axes.scatter(truth, back, s=7, color=MODEL, alpha=0.35, linewidths=0, zorder=2)
        axes.locator_params(nbins=4)
    return figure
