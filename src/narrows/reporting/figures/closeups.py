"""Details of pictures at their own resolution, versions side by side."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from narrows import metrics
from narrows.data.images.intensity import DIM
from narrows.errors import InputError
from narrows.reporting.figures.base import draws
from narrows.reporting.figures.image_rows import rgb
from narrows.reporting.figures.layout import sentence
from narrows.reporting.figures.style import INK, QUIET, Array, brief, canvas, escaped, fonts, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["closeups"]

_DOTS_PER_INCH = 150  # as figures are saved
_MAX_FIGURE_PIXELS, _MAX_DETAIL_PIXELS = 1350, 128  # pixels of the figure's width at most, and of a detail
_GAP, _HEAD, _LINE = 12, 88, 30  # pixels between details, above them, and for a line of text


@draws()
def closeups(columns: Mapping[str, Sequence[Array]], *, most: int = 4) -> "Figure":
    """Draw the liveliest detail of some pictures, one version beside the other, every pixel as a square of one size.

    Raises ``InputError`` for fewer than two columns, or columns of different lengths.

    Parameters
    ----------
    columns : mapping of str to sequence of ndarray
        Versions of the same pictures, (C, H, W), floats in [0, 1]; the last column is the truth, and the PSNR of the
        others against it, over what is shown, stands below them.
    most : int
        Pictures at most.

    Examples
    --------
    >>> clean = np.random.default_rng(0).random((1, 40, 30))
    >>> figure = closeups({"noisy": [clean / 2], "clean": [clean]})
    """
    names = list(columns)
    if len(names) < 2 or not len(columns[names[-1]]) or len({len(pictures) for pictures in columns.values()}) > 1:
        raise InputError(
            f"{[len(pictures) for pictures in columns.values()]} pictures in columns", "as many in each, 1 or more"
        )
    count = min(most, len(columns[names[-1]]))
    details = [_cut([columns[name][i] for name in names]) for i in range(count)]
    room = (_MAX_FIGURE_PIXELS - _GAP * (len(names) + 1)) // len(names)
    zoom = max(1, room // max(versions[0].shape[2] for versions in details))
    cell = zoom * max(versions[0].shape[2] for versions in details)
    tops = np.cumsum([_HEAD, *(zoom * versions[0].shape[1] + _LINE + _GAP for versions in details)])
    wide, tall = _GAP + len(names) * (cell + _GAP), int(tops[-1])
    low, high = _drawn_range(details)
    drawn = "" if (low, high) == (0, 1) else f", drawn from {number(low, 2)} to {number(high, 2)}"
    figure = canvas(wide / _DOTS_PER_INCH, tall / _DOTS_PER_INCH, _finding(names, details, zoom) + drawn)
    figure.set_layout_engine("none")  # every picture has its place
    for top, versions in zip(tops, details, strict=False):
        for column, (name, version) in enumerate(zip(names, versions, strict=True)):
            seen = rgb((version[None] - low) / (high - low))[0]
            left, picture = _GAP + column * (cell + _GAP), np.kron(seen, np.ones((zoom, zoom, 1)))
            deep, broad = picture.shape[:2]
            axes = figure.add_axes((left / wide, 1 - (top + deep) / tall, broad / wide, deep / tall))
            axes.imshow(picture, interpolation="nearest", aspect="auto", vmin=0, vmax=1)
            axes.set_axis_off()
            below = f"{number(_psnr(versions[-1], version), 4)} dB" if column < len(names) - 1 else ""
            for text, y, tint in ((name if top == tops[0] else "", top - 8, INK), (below, top + deep + 24, QUIET)):
                figure.text(left / wide, 1 - y / tall, escaped(brief(text)), fontsize=9, color=tint, fontfamily=fonts())
    return figure


def _drawn_range(details: Sequence[Sequence[Array]]) -> tuple[float, float]:
    """Return between what pictures are drawn: 0 and 1, or where nearly all of the truth lies if that is little."""
    low, high = (float(end) for end in np.percentile(np.concatenate([d[-1].ravel() for d in details]), (0.5, 99.5)))
    return (low, high) if 0 < high - low < DIM else (0, 1)


def _finding(names: Sequence[str], details: Sequence[Sequence[Array]], zoom: int) -> str:
    gain = float(
        np.mean([_psnr(versions[-1], versions[-2]) - _psnr(versions[-1], versions[0]) for versions in details])
    )
    if np.isfinite(gain) and len(names) > 2:
        return sentence(f"{names[-2]} against {names[0]}: {gain:+.2f} dB PSNR in these details")
    return f"Details at their own resolution, every pixel {zoom} x {zoom}"


def _cut(versions: Sequence[Array]) -> list[Array]:
    """Return the same detail of all versions: where the truth varies most."""
    truth = np.asarray(versions[-1], np.float64).mean(0)
    tall, wide = (min(_MAX_DETAIL_PIXELS, side) for side in truth.shape)
    places = [
        (top, left)
        for top in range(0, truth.shape[0] - tall + 1, max(1, tall // 4))
        for left in range(0, truth.shape[1] - wide + 1, max(1, wide // 4))
    ]
    top, left = max(places, key=lambda place: _lively(truth[place[0] : place[0] + tall, place[1] : place[1] + wide]))
    return [np.asarray(version)[:, top : top + tall, left : left + wide] for version in versions]


def _lively(detail: Array) -> float:
    return float(sum(np.abs(np.diff(detail, axis=axis)).mean() for axis in (0, 1) if detail.shape[axis] > 1))


def _psnr(truth: Array, picture: Array) -> float:
    return metrics.psnr(truth, np.clip(picture, 0, 1))
