"""Ranked lists: what is found among the first k, which items get the recommendations, how settings were chosen."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.reporting.figures.bars_and_lines import bars_in
from narrows.reporting.figures.base import draws
from narrows.reporting.figures.layout import key_beside, sentence, under_title
from narrows.reporting.figures.style import CLASSES, GREY, INK, MODEL, QUIET, Array, number, panel, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["popularity_curves", "ranking_curves", "trials"]


@draws("ranking")
def ranking_curves(ks: Array, curves: Mapping[str, tuple[Array, Array]]) -> "Figure":
    """Draw recall and NDCG of the first k items over k, one line per method, the first one being ours.

    Parameters
    ----------
    ks : ndarray of int, shape (m,)
        Lengths of the list.
    curves : mapping of str to tuple of two ndarrays, each of shape (m,)
        Name, recall and NDCG.

    Examples
    --------
    >>> figure = ranking_curves(np.array([1, 10]), {"ours": (np.array([0.2, 0.4]), np.array([0.2, 0.3]))})
    """
    ours, *others = curves
    last = {name: float(pair[1][-1]) for name, pair in curves.items()}
    finding = f"NDCG of the first {ks[-1]}: {ours} {number(last[ours])}"
    ranked = sorted(others, key=lambda name: -last[name])
    title = sentence(finding + "".join(f", {name} {number(last[name])}" for name in ranked))
    figure = under_title(8.6, 3.5, title)
    handles: list[Any] = []
    for place, (axis, label) in enumerate((("recall", "recall, hits / min(k, hidden)"), ("NDCG", "NDCG"))):
        axes = panel(figure, 121 + place, title=axis, x="items recommended (k)", y=label)
        axes.set(ylim=(0, 1.06 * max(float(pair[place].max()) for pair in curves.values()) or 1))
        handles = [
            axes.plot(ks, pair[place], color=tint, linewidth=2.2 if name == ours else 1.4, marker="o", markersize=3.5)[
                0
            ]
            for (name, pair), tint in zip(curves.items(), CLASSES, strict=False)
        ]
    key_beside(axes, handles, list(curves))
    return figure


@draws("popularity")
def popularity_curves(shares: Mapping[str, Array]) -> "Figure":
    """Draw which share of the recommendations falls on the most popular items.

    Parameters
    ----------
    shares : mapping of str to ndarray of shape (items,)
        Name, and the running share over the items, most popular first; the last one is what users took themselves.

    Examples
    --------
    >>> figure = popularity_curves({"ours": np.array([0.9, 1.0]), "the users themselves": np.array([0.5, 1.0])})
    """
    size = len(next(iter(shares.values())))
    tenth = max(1, round(size / 10))
    ours, themselves = next(iter(shares)), list(shares)[-1]
    top = [percent(float(shares[name][tenth - 1])) for name in (ours, themselves)]
    items = f"{number(tenth)} most popular of {number(size)} items get" if tenth > 1 else "most popular item gets"
    title = f"The {items} {top[0]} of the recommendations; {themselves} took {top[1]} there"
    figure = under_title(7.4, 3.5, sentence(title))
    axes = panel(figure, x="items, most popular first (log scale)", y="share of the recommendations")
    axes.set(xscale="log", ylim=(0, 1.03), xlim=(1, max(2, size)))
    axes.xaxis.set_major_formatter(lambda place, _: number(place))
    places, handles = np.arange(1, size + 1), []
    for (name, share), tint in zip(shares.items(), CLASSES, strict=False):
        style: Any = {"color": INK, "linestyle": (0, (4, 3))} if name == themselves else {"color": tint}
        handles += axes.plot(places, share, linewidth=2.2 if name == ours else 1.4, **style)
    axes.axvline(tenth, color=QUIET, linewidth=0.8)
    key_beside(axes, handles, list(shares))
    return figure


@draws()
def trials(trials: Sequence[Any]) -> "Figure":
    """Draw the NDCG of every setting that was tried, the best one in colour.

    Parameters
    ----------
    trials : sequence of pairs (settings, ndcg)
        What was tried: a mapping of names to numbers, and what came of it.

    Examples
    --------
    >>> figure = trials([({"l2": 10.0}, 0.30), ({"l2": 100.0}, 0.35)])
    """
    names = [", ".join(f"{name} = {value:g}" for name, value in settings.items()) for settings, _ in trials]
    values = [ndcg for _, ndcg in trials]
    best = len(values) - 1 - int(np.argmax(values[::-1]))  # of equals the last, which says all settings
    figure = under_title(7.0, 0.6 + 0.27 * len(names), sentence(f"{names[best]} has the highest NDCG@100"))
    bars_in(panel(figure, x="NDCG@100"), names, values, [MODEL if i == best else GREY for i in range(len(names))])
    return figure
