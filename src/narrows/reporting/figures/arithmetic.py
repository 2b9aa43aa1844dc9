"""Small arrays with their numbers: transposed convolution, unpooling, receptive fields."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from narrows.errors import InputError
from narrows.reporting.figures.base import draws
from narrows.reporting.figures.cells import Frame, box_around, cells, maps_side_by_side, plane, scale_of, size, wrapped
from narrows.reporting.figures.layout import sentence, under_title
from narrows.reporting.figures.style import INK, QUIET, Array, bare, fonts, number, panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["heat_maps", "placement", "receptive_field", "steps_strip"]

Titled = Sequence[tuple[str, Array]]


@draws()
def heat_maps(maps: Titled, *, marked: Collection[int] = (), mark: str = "marked") -> "Figure":
    """Draw small arrays as heat maps of one scale from zero, with their sizes, and numbers in up to 9 x 9 cells.

    Raises ``InputError`` without a map, or where a mark is of none.

    Parameters
    ----------
    maps : sequence of tuple of str and ndarray
        A name and an array of two axes, for example the outputs of one layer at several settings.
    marked : collection of int
        Which maps, from 0, have a frame.
    mark : str
        What the frame means.

    Examples
    --------
    >>> figure = heat_maps([("stride 1", np.ones((5, 5))), ("stride 2", np.ones((7, 7)))], marked={1})
    """
    arrays = [plane(array, f"'{name}'") for name, array in maps]
    if not arrays or not set(marked) <= set(range(len(arrays))):
        raise InputError(f"{len(arrays)} maps, marked {sorted(marked)}", "at least one map, and marks among them")
    sizes = sorted({array.shape for array in arrays}, key=lambda shape: (shape[0] * shape[1], shape))
    span = f"of {size(sizes[0])}" if len(sizes) == 1 else f"from {size(sizes[0])} to {size(sizes[-1])}"
    largest = number(max(array.max() for array in arrays))
    finding = f"{len(arrays)} map{'s' * (len(arrays) > 1)} {span}; largest value {largest}"
    finding += f"; {len(set(marked))} framed: {mark}" if marked else ""
    titles = [f"{name}\n{size(array.shape)}" for (name, _), array in zip(maps, arrays, strict=True)]
    frames: list[list[Frame]] = [[(0, 0, *array.shape)] if i in marked else [] for i, array in enumerate(arrays)]
    return maps_side_by_side(finding, titles, arrays, frames, "value")


@draws()
def steps_strip(steps: Titled, *, layer: Array | None = None) -> "Figure":
    """Draw a derivation from left to right, with arrows and numbers in the cells.

    Raises ``InputError`` for fewer than two arrays, or a layer's output of another shape than the last.

    Parameters
    ----------
    steps : sequence of tuple of str and ndarray
        What was done, and the array of two axes after it; the input first.
    layer : ndarray, optional
        What the layer itself gives; its largest difference from the last step stands in the title.

    Notes
    -----
    Dumoulin and Visin (2016), "A guide to convolution arithmetic for deep learning", chapter 4.

    Examples
    --------
    >>> ones = np.ones((2, 2))
    >>> figure = steps_strip([("input", ones), ("padded", np.pad(ones, 1))], layer=np.pad(ones, 1))
    """
    arrays = [plane(array, f"'{name}'") for name, array in steps]
    if len(arrays) < 2:
        raise InputError(f"{len(arrays)} steps", "the input and at least one step")
    finding = f"{len(arrays) - 1} step{'s' * (len(arrays) > 2)} from {size(arrays[0].shape)} to "
    finding += size(arrays[-1].shape)
    if layer is not None:
        if np.shape(layer) != arrays[-1].shape:
            raise InputError(f"A layer's output of shape {np.shape(layer)}", f"the last step's, {arrays[-1].shape}")
        gap = float(np.abs(np.asarray(layer) - arrays[-1]).max())
        finding += f": largest difference from the layer's own output {number(gap)}"
    apart, tall = 2.6, max(array.shape[0] for array in arrays)
    across = sum(array.shape[1] for array in arrays) + apart * (len(arrays) - 1)
    cell = float(np.clip(9.6 / across, 0.16, 0.42))
    figure = under_title(max(4.0, across * cell + 0.4), tall * cell + 0.65, finding)
    axes = bare(panel(figure))
    left = 0.0
    for index, ((name, _), array) in enumerate(zip(steps, arrays, strict=True)):
        up = (tall - array.shape[0]) / 2
        cells(axes, array, scale_of(arrays), (left, up), cell, written=True)
        label = wrapped(name, (array.shape[1] + apart - 0.6) * cell)
        text = axes.text(left + array.shape[1] / 2, up - 0.3, f"{label}\n{size(array.shape)}", ha="center")
        text.set(va="bottom", fontsize=9, color=INK, fontfamily=fonts())
        left += array.shape[1] + apart
        if index < len(arrays) - 1:
            tail, tip = (left - apart + 0.4, tall / 2), (left - 0.4, tall / 2)
            axes.annotate("", tip, tail, arrowprops={"arrowstyle": "-|>", "color": QUIET, "linewidth": 1.4})
    axes.set(xlim=(-0.1, across + 0.1), ylim=(tall + 0.1, -0.1), aspect="equal")
    return figure


@draws()
def placement(inputs: Array, pooled: Array, unpooled: Mapping[str, Array], positions: Array | None = None) -> "Figure":
    """Draw where pooled values land when they are unpooled, beside the input.

    Raises ``InputError`` for unpooled values of another shape than the input, or positions outside of it.

    Parameters
    ----------
    inputs, pooled : ndarray
        An array of two axes before and after pooling.
    unpooled : mapping of str to ndarray
        Name of a way to unpool and what it gives, of the input's shape. A value is back in its place where it is not
        zero and equals the input.
    positions : ndarray of int, optional
        Flat indexes into the input where the encoder took the pooled values; framed.

    Examples
    --------
    >>> inputs, pooled = np.array([[1.0, 2.0], [4.0, 3.0]]), np.array([[4.0]])
    >>> back = {"max": np.array([[0.0, 0.0], [4.0, 0.0]]), "top-left": np.array([[4.0, 0.0], [0.0, 0.0]])}
    >>> figure = placement(inputs, pooled, back, np.array([[2]]))
    """
    source, small = plane(inputs, "The input"), plane(pooled, "The pooled values")
    back = {name: plane(array, f"'{name}'") for name, array in unpooled.items()}
    if not back or any(array.shape != source.shape for array in back.values()):
        shapes = {name: array.shape for name, array in back.items()}
        raise InputError(f"Unpooled values of shapes {shapes}", f"the shape of the input, {source.shape}")
    home = {name: int(((array != 0) & np.isclose(array, source)).sum()) for name, array in back.items()}
    order = sorted(home, key=lambda name: -home[name])
    finding = f"{order[0]} puts {home[order[0]]} of {small.size} values back where they came from"
    finding += "".join(f", {name} {home[name]}" for name in order[1:4])
    named = [("input", source), ("pooled", small), *back.items()]
    titles = [f"{name}\n{size(array.shape)}" for name, array in named[:2]]
    titles += [f"{name}\n{count} of {small.size} in place" for name, count in home.items()]
    places = np.zeros(0, int) if positions is None else np.ravel(positions).astype(int)
    if len(places) and not (places.min() >= 0 and places.max() < source.size):
        raise InputError(f"Positions from {places.min()} to {places.max()}", f"indexes from 0 to {source.size - 1}")
    spots: list[Frame] = [(int(place) // source.shape[1], int(place) % source.shape[1], 1, 1) for place in places]
    return maps_side_by_side(
        sentence(finding), titles, [array for _, array in named], [spots, [], *[spots] * len(back)], "value"
    )


@draws()
def receptive_field(maps: Mapping[str, Array]) -> "Figure":
    """Draw how far one output's gradient reaches in the input, framed and measured.

    Raises ``InputError`` without a map, or for one that is zero everywhere.

    Parameters
    ----------
    maps : mapping of str to ndarray
        Name and absolute gradient of one output by each input pixel, two axes. The field is the smallest box around all
        values that are not zero. Each map has its own scale.

    Examples
    --------
    >>> figure = receptive_field({"dilation 2": np.pad(np.ones((5, 5)), 4)})
    """
    fields = {name: np.abs(plane(array, f"'{name}'")) for name, array in maps.items()}
    if not fields or not all(array.any() for array in fields.values()):
        raise InputError("Gradients that are zero everywhere, or no map", "at least one value that is not zero in each")
    boxes = {name: box_around(array) for name, array in fields.items()}
    widest = max(boxes, key=lambda name: boxes[name][2] * boxes[name][3])
    finding = f"The widest receptive field is {size(boxes[widest][2:])}: {widest}"
    reach = [max(box[2 + axis] for box in boxes.values()) + 2 for axis in (0, 1)]
    titles, arrays, frames = [], [], []
    for name, (top, left, high, wide) in boxes.items():
        count = int(np.count_nonzero(fields[name]))
        titles.append(f"{name}\n{size((high, wide))}, {count} of {high * wide} pixels")
        start = [max(0, top - (reach[0] - high) // 2), max(0, left - (reach[1] - wide) // 2)]
        near = fields[name][start[0] : start[0] + reach[0], start[1] : start[1] + reach[1]]
        arrays.append(near / near.max())
        frames.append([(top - start[0], left - start[1], high, wide)])
    return maps_side_by_side(finding, titles, arrays, frames, "share of the largest gradient", written=False)
