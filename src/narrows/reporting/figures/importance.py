"""Tables: what each column is worth to the reconstruction."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from narrows.reporting.figures.base import draws
from narrows.reporting.figures.layout import under_title
from narrows.reporting.figures.style import GREY, INK, MODEL, QUIET, Array, brief, escaped, fonts, legend, number, panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["importance"]

_MAX_BARS = 20
_IDLE = 0.01  # of a variance: a column whose replacement adds less to the others says nothing of them


@draws()
def importance(names: Sequence[str], own: Array, others: Array) -> "Figure":
    """Draw what replacing a column by another row's value adds to the error of the others, and to its own.

    Parameters
    ----------
    names : sequence of str
        Columns, the most important first; up to 20 are drawn.
    own, others : ndarray
        The error that is added, in variances: of the column itself, and of all others together.

    Examples
    --------
    >>> figure = importance(["age", "pay"], np.array([1.5, 0.2]), np.array([0.7, 0.0]))
    >>> figure.get_suptitle()
    'The other columns lean most on age; 1 of 2 says nothing of the others'
    """
    idle = int((others < _IDLE).sum())
    finding = "No column says anything of another"
    if idle < len(names):
        finding = f"The other columns lean most on {brief(names[int(np.argmax(others))])}"
        finding += f"; {idle} of {len(names)} say{'s' * (idle == 1)} nothing of the others" if idle else ""
    shown = min(_MAX_BARS, len(names))
    figure = under_title(7.4, 0.8 + 0.3 * shown, finding)
    axes = panel(figure, x="error added when the column is another row's, in variances of the columns")
    places = np.arange(shown)
    parts = [np.maximum(values[:shown], 0.0) for values in (others, own)]
    bars = [
        axes.barh(places, part, left=left, color=tint, height=0.62)
        for part, left, tint in zip(parts, (np.zeros(shown), parts[0]), (MODEL, GREY), strict=True)
    ]
    for place, end in enumerate(parts[0] + parts[1]):
        note = axes.annotate(number(end, 2), (end, place), (4, 0), textcoords="offset points", va="center")
        note.set(fontsize=8.5, color=INK, fontfamily=fonts())
    labels = [escaped(brief(name, 32)) for name in names[:shown]]
    axes.set_yticks(places, labels, fontsize=9, color=INK, fontfamily=fonts())
    axes.set_ylim(shown - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.axvline(0, color=QUIET, linewidth=0.8)
    legend(axes, bars, ["of the other columns", "of the column itself"])
    return figure
