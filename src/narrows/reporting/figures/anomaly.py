"""Anomalies: scores with their threshold, detected against false alarms, the columns that made rows strange."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from narrows import metrics
from narrows.reporting.figures.base import draws
from narrows.reporting.figures.style import (
    CLASSES,
    GREY,
    INK,
    MODEL,
    OTHER,
    RULE,
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
from narrows.reporting.formatting import several

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["contribution_map", "roc_curves", "score_histogram"]


@draws("scores")
def score_histogram(
    scores: Array, labels: Array, threshold: float, anomalous: str = "anomalies", unit: str = "row"
) -> "Figure":
    """Draw how scores are spread, ordinary rows against anomalous ones, with the threshold.

    Parameters
    ----------
    scores : ndarray, shape (n,)
        Higher is stranger.
    labels : ndarray, shape (n,)
        0 for ordinary rows, 1 for anomalous ones.
    threshold : float
        Rows above it are flagged; inf flags none.
    anomalous : str
        What the anomalous rows are called.
    unit : str
        What a row is, for example ``"step"``.

    Examples
    --------
    >>> figure = score_histogram(np.array([1.0, 2.0, 5.0]), np.array([0, 0, 1]), 3.0)
    """
    values = np.maximum(np.asarray(scores, np.float64), 1e-12)
    marks = np.asarray(labels)
    hits, alarms = (float((values[marks == kind] > threshold).mean()) for kind in (1, 0))
    ordinary = f"ordinary {several(unit)}"
    title = f"The threshold flags {percent(hits)} of the {anomalous} and {number(100 * alarms, 2)} % of {ordinary}"
    figure = canvas(7.0, 3.4, title)
    axes = panel(figure, x="score, log scale", y=f"share of the {several(unit)} of its kind")
    low, high = np.quantile(values, 0.002), values.max()
    edges = np.geomspace(low, max(high, low * 1.01), 50)
    for kind, name, tint in ((0, ordinary, GREY), (1, anomalous, OTHER)):
        part = np.clip(values[marks == kind], low, None)
        axes.hist(
            part, edges.tolist(), weights=np.full(len(part), 1 / max(1, len(part))), color=tint, alpha=0.75, label=name
        )
    axes.set_xscale("log")
    if np.isfinite(threshold):
        axes.axvline(threshold, color=INK, linewidth=1.2, linestyle=(0, (4, 3)), label="threshold")
    legend(axes, *axes.get_legend_handles_labels())
    return figure


@draws("roc")
def roc_curves(labels: Array, scores: Mapping[str, Array], unit: str = "row") -> "Figure":
    """Draw detected anomalies against false alarms, the first detector in colour, in the title with the best other one.

    Parameters
    ----------
    labels : ndarray, shape (n,)
        1 for anomalous rows.
    scores : mapping of str to ndarray
        Scores of each detector, higher is stranger.
    unit : str
        What a row is, for example ``"step"``.

    Examples
    --------
    >>> figure = roc_curves(np.array([0, 0, 1]), {"the autoencoder": np.array([1.0, 2.0, 5.0])})
    """
    from sklearn.metrics import roc_curve

    areas = {name: metrics.auroc(labels, values) for name, values in scores.items()}
    order = sorted(areas, key=lambda name: -areas[name])
    ours, *others = scores
    shown = [ours, *[name for name in order if name in others][:1]]
    figure = canvas(6.6, 4.0, "Area under the curve: " + ", ".join(f"{name} {number(areas[name])}" for name in shown))
    axes = panel(figure, x=f"share of ordinary {several(unit)} flagged (false alarms)", y="share of anomalies found")
    axes.plot([0, 1], [0, 1], color=RULE, linewidth=1.0)
    tints = dict(zip(scores, (MODEL, *[tint for tint in CLASSES if tint != MODEL]), strict=False))
    for name in order:
        alarms, hits, _ = roc_curve(labels, scores[name])
        width = 2.2 if tints[name] == MODEL else 1.2
        axes.plot(alarms, hits, color=tints[name], linewidth=width, label=f"{name} {number(areas[name])}")
    axes.set(xlim=(-0.01, 1), ylim=(0, 1.01))
    legend(axes, *axes.get_legend_handles_labels(), title="area under the curve")
    return figure


@draws("contributions")
def contribution_map(strange: Array, ordinary: Array, names: Sequence[str]) -> "Figure":
    """Draw each column's share of the score, for the strangest rows and over all of them.

    Parameters
    ----------
    strange : ndarray, shape (n, d)
        What each column adds to the squared scores of the strangest rows, the strangest first.
    ordinary : ndarray, shape (m, d)
        The same for ordinary rows.
    names : sequence of str
        Names of the columns; the 12 of the largest shares are drawn.

    Examples
    --------
    >>> figure = contribution_map(np.array([[9.0, 1.0]]), np.array([[1.0, 1.0]]), ["age", "price ($)"])
    """
    shares = _shares(strange)
    usual, mean = _shares(ordinary).mean(0), shares.mean(0)
    shown = np.argsort(-mean, kind="stable")[:12]
    first = brief(names[int(shown[0])])
    title = f"{first} makes up {percent(mean[shown[0]])} of the squared scores of these {len(shares)} rows, on average"
    title += f", and {percent(usual[shown[0]])} of those of {len(np.atleast_2d(ordinary))} ordinary rows"
    figure = canvas(8.4, 1.3 + 0.3 * max(len(shown), 4), title)
    grid = figure.add_gridspec(1, 2, width_ratios=(2.0, 1.0))
    note = f"; {len(shown)} of {len(mean)} columns" if len(shown) < len(mean) else ""
    axes = panel(figure, grid[0], f"Shares, row by row{note}", "rows, the strangest first")
    tints = colormap(("#ffffff", "#9ecae1", MODEL))
    axes.imshow(shares[:, shown].T, aspect="auto", cmap=tints, vmin=0, vmax=max(1e-9, float(shares.max())))
    axes.set_yticks(range(len(shown)), [escaped(brief(names[i])) for i in shown], fontsize=8.5, color=INK)
    axes.set_xticks([])
    for text in axes.get_yticklabels():
        text.set_fontfamily(fonts())
    right = panel(figure, grid[1], "Mean share", "percent")
    places = np.arange(len(shown))
    right.barh(places - 0.18, 100 * mean[shown], 0.36, color=MODEL, label="these rows")
    right.barh(places + 0.18, 100 * usual[shown], 0.36, color=GREY, label="ordinary rows")
    right.set_yticks([])
    right.set_ylim(len(shown) - 0.5, -0.5)
    legend(right, *right.get_legend_handles_labels())
    return figure


def _shares(parts: Array) -> Array:
    values = np.asarray(parts, np.float64)
    whole = values.sum(1, keepdims=True)
    shares: Array = np.divide(values, whole, out=np.zeros_like(values), where=whole > 0)
    return shares
