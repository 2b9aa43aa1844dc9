"""How every figure looks, and how it is written."""

import textwrap
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from narrows.files import whole
from narrows.reporting.figures.fonts import fonts as fonts
from narrows.reporting.formatting import number as number
from narrows.reporting.formatting import percent as percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = ["save"]

Array = NDArray[Any]

INK, QUIET, RULE = "#1d2733", "#667483", "#dce1e7"
MODEL, OTHER, GREY = "#0072B2", "#D55E00", "#9aa5b1"
CLASSES = (  # safe for the colour-blind: Okabe and Ito's, then three of Paul Tol's
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#4a4a4a"),
    *("#882255", "#999933", "#AA4499", "#6a3d9a", "#8c564b"),
)
SEQUENTIAL = ("#c6dbef", "#6baed6", "#2171b5", "#08306b")
DIVERGING = ("#0b4f80", "#5aa5d6", "#ffffff", "#e8935a", "#a03c00")


def save(figure: "Figure", path: Path | str) -> Path:
    """Write a figure as a PNG, whole or not at all.

    Parameters
    ----------
    figure : Figure
        What to write, made by ``canvas``.
    path : Path or str
        Where; its folder is made if missing.

    Returns
    -------
    Path
        The file.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(canvas(2, 1, "title"), Path(folder) / "figure.png").read_bytes()[1:4]
    b'PNG'
    """
    path = Path(path)
    with whole(path) as draft, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # `boxed` names such letters
        agg: Any = figure.canvas  # savefig would draw it twice: once for the layout
        agg.print_png(draft, metadata={"Software": None})
    return path


def canvas(width: float, height: float, title: str) -> "Figure":
    """Empty figure of a size in inches, of 150 dots each, with its finding above at the left."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)
    figure = Figure(figsize=(width, height), dpi=150, layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    per_inch = 10.0 if fonts()[0] == "DejaVu Sans" else 12.3  # characters of a title; that font is wide
    whole = escaped(title).replace(" %", "\N{NO-BREAK SPACE}%")  # a number stays with its sign
    lines = "\n".join(textwrap.wrap(whole, max(20, int(width * per_inch)))).replace("\N{NO-BREAK SPACE}%", " %")
    figure.suptitle(lines, x=0.012, ha="left", fontsize=11, fontweight="bold", color=INK, fontfamily=fonts())
    return figure


def panel(figure: "Figure | SubFigure", place: Any = 111, title: str = "", x: str = "", y: str = "") -> "Axes":
    """Quiet axes: two thin spines, small grey numbers, a title at the left."""
    axes: Axes = figure.add_subplot(place)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(RULE)
    axes.tick_params(which="both", colors=QUIET, labelsize=8, length=3, width=0.6, color=RULE, labelfontfamily=fonts())
    axes.set_title(escaped(title), loc="left", fontsize=9, color=INK, fontfamily=fonts())
    axes.set_xlabel(escaped(x), fontsize=8.5, color=QUIET, fontfamily=fonts())
    axes.set_ylabel(escaped(y), fontsize=8.5, color=QUIET, fontfamily=fonts())
    return axes


def bare(axes: "Axes") -> "Axes":
    """Axes without ticks and spines, for pictures."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes


def legend(holder: "Axes | Figure", handles: list[Any], labels: list[str], title: str = "") -> None:
    """Small legend outside at the right of a figure, below its title, or inside axes."""
    from matplotlib.figure import Figure

    names = [escaped(f" {label}" if label.startswith("_") else label) for label in labels]
    if isinstance(holder, Figure):
        box = holder.legend(handles, names, loc="outside right center", frameon=False, title=title)
    else:
        box = holder.legend(handles, names, loc="best", frameon=False, title=title)
    box.get_title().set(fontsize=8.5, color=QUIET, fontfamily=fonts())
    for text in box.get_texts():
        text.set(fontsize=8.5, color=INK, fontfamily=fonts())


def escaped(text: object) -> str:
    """Text in which a dollar is a dollar, not the start of a formula."""
    return str(text).replace("$", r"\$")


def brief(text: object, width: int = 24) -> str:
    """Long names, cut in the middle."""
    name = str(text)
    return name if len(name) <= width else f"{name[: width - 8]}…{name[-7:]}"


def colormap(colours: tuple[str, ...]) -> Any:
    """Colour map through some colours."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("narrows", colours)
