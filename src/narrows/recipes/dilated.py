"""``dilated``: convolutions that see further at the same size, measured on the networks' own layers."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from narrows.networks.layers import ConvLayer, Layer
from narrows.networks.stack import chain
from narrows.parts import as_part
from narrows.recipes.base import recipe
from narrows.recipes.run import Run
from narrows.reporting import figures

__all__ = ["dilated"]

_SIDE = 28
_SINGLE = ((1,), (2,), (3,))
_STACKS = ((1, 1, 1), (1, 2, 3), (2, 2, 2), (3, 3, 3))
_KERNEL = np.arange(1.0, 10.0).reshape(3, 3)


@recipe("dilated", "dilated convolution: a wider view at the same size", source="001")
def dilated(run: Run) -> None:
    """Measure by gradient how far filters of side 3 see, alone and stacked, and what becomes of the size."""
    view(run)
    fields = receptive_fields(run)
    other_sizes(run)
    plain, wide = (extent(fields[dilations])[0] for dilations in ((1, 1, 1), (1, 2, 3)))
    run.conclude(
        f"Three layers of dilation 1, 2 and 3 see {wide} x {wide} pixels where three of dilation 1 see {plain} x "
        f"{plain}, with the same {3 * _KERNEL.size} weights, and the image stays {_SIDE} x {_SIDE}."
    )


def layers_of(specs: Sequence[Layer], kernel: np.ndarray) -> nn.Sequential:
    """Return the layers of a network over one channel, convolutions with these weights and no bias."""
    layers, _ = chain(specs, (1, _SIDE, _SIDE), 1)
    whole = nn.Sequential(*layers).double()
    with torch.no_grad():
        for name, weight in whole.named_parameters():
            weight.copy_(torch.from_numpy(kernel) if name.endswith("weight") else torch.zeros(1))
    return whole


def reach(specs: Sequence[Layer]) -> tuple[np.ndarray, tuple[int, int]]:
    """Return the gradient of the middle output by every input pixel, all weights being 1, and the output's size."""
    x = torch.zeros(1, 1, _SIDE, _SIDE, dtype=torch.float64, requires_grad=True)
    out = layers_of(specs, np.ones((3, 3)))(x)[0, 0]
    out[out.shape[0] // 2, out.shape[1] // 2].backward()
    gradient: np.ndarray = x.grad[0, 0].numpy()  # type: ignore[index]
    return gradient, (out.shape[0], out.shape[1])


def extent(gradient: np.ndarray) -> tuple[int, int]:
    """Return the rows and columns of the smallest box around all values that are not zero.

    Examples
    --------
    >>> extent(np.array([[0, 1, 0, 1], [0, 0, 0, 0]]))
    (1, 3)
    """
    rows, columns = np.nonzero(gradient)
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


def view(run: Run) -> None:
    """Show the dilated filter, and the padded input that it goes over."""
    spread = {}
    for dilation in (2, 3):
        spread[dilation] = np.zeros([2 * dilation + 1] * 2)
        spread[dilation][::dilation, ::dilation] = _KERNEL
    grown = [(f"dilation {dilation}: zeros between", taps) for dilation, taps in spread.items()]
    caption = "The filter grows, the number of its weights does not."
    figure = figures.heat_maps([("filter, dilation 1", _KERNEL), *grown])
    run.figure("filter", "The filter is dilated", caption, figure)
    x = np.arange(1.0, 17.0).reshape(4, 4)
    padded = np.pad(x, 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, spread[2].shape)
    result = (windows * spread[2]).sum((2, 3))
    with torch.no_grad():
        layer = layers_of([ConvLayer(1, dilation=2)], _KERNEL)(torch.from_numpy(x)[None, None])[0, 0].numpy()
    steps = [("input", x), ("zeros around, 2 wide", padded), ("convolved with the filter of dilation 2", result)]
    caption = "Padding of dilation x (filter's side - 1) / 2 on every side: the size stays."
    run.figure("view", "The input is padded", caption, figures.steps_strip(steps, layer=layer))
    run.metric(
        "gap", np.abs(result - layer).max(), "largest difference between the layer and the dilated filter by hand"
    )


def receptive_fields(run: Run) -> dict[tuple[int, ...], np.ndarray]:
    """Measure the fields of single layers and stacks against 1 + sum of dilation x (side - 1)."""
    fields: dict[tuple[int, ...], np.ndarray] = {}
    rows, wrong_fields, changed_sizes = [], 0, 0
    for dilations in (*_SINGLE, *_STACKS):
        specs = [ConvLayer(1, dilation=dilation) for dilation in dilations]
        gradient, size = reach(specs)
        fields[dilations] = gradient
        expected = 1 + sum(2 * dilation for dilation in dilations)
        high, wide = extent(gradient)
        seen_pixels = int(np.count_nonzero(gradient))
        wrong_fields += (high, wide) != (expected, expected)
        changed_sizes += size != (_SIDE, _SIDE)
        padding = ", ".join(map(str, dilations))
        box = f"{high} x {wide}"
        facts = (f"{size[0]} x {size[1]}", f"{expected} x {expected}", box, f"{seen_pixels} of {high * wide}")
        rows.append((padding, padding, 9 * len(dilations), *facts))
    columns = ("dilations", "paddings", "weights", "size after", "field by formula", "measured", "pixels seen in it")
    lead = f"Filters of side 3 over {_SIDE} x {_SIDE}. The formula: 1 + the sum of dilation x (filter's side - 1)."
    run.table("Receptive fields", lead, columns, rows)
    run.metric("wrong_fields", wrong_fields, "fields that differ from the formula", f"of {len(rows)}")
    run.metric("changed_sizes", changed_sizes, "outputs whose size is not the input's", f"of {len(rows)}")
    for stem, title, chosen in (("single", "One layer", _SINGLE), ("stacks", "Three layers", _STACKS)):
        named = {f"dilation {', '.join(map(str, rates))}": fields[rates] for rates in chosen}
        caption = "The gradient of one output by the pixels of the input, all weights being 1."
        if stem == "stacks":
            caption += " Equal dilations above 1 leave holes; 1, 2 and 3 together do not."
        run.figure(stem, f"Receptive field: {title.lower()}", caption, figures.receptive_field(named))
    return fields


def other_sizes(run: Run) -> None:
    """Show by sizes that a dilated convolution is no up-sampling, and what other layers do."""
    kinds = {
        "convolution": "conv",
        "dilated by 2": "conv:dilation=2",
        "dilated by 3": "conv:dilation=3",
        "dilated by 2, no padding": "conv:dilation=2,padding=0",
        "stride 2": "conv:stride=2",
        "convolution, average-pool, convolution": "conv/pool:mode=average/conv",
        "up-sampling": "upsample",
        "transposed convolution": "transpose",
    }
    rows = []
    for name, text in kinds.items():
        gradient, size = reach([as_part("layer", spec) for spec in text.split("/")])
        high, wide = extent(gradient)
        change = "stays" if size == (_SIDE, _SIDE) else "grows" if size[0] > _SIDE else "shrinks"
        rows.append((name, f"{_SIDE} x {_SIDE}", f"{size[0]} x {size[1]}", change, f"{high} x {wide}"))
    lead = "Dilation widens the view of an output; it makes no image larger, and without padding it makes it smaller."
    run.table(
        "Not an up-sampling", lead, ("layer", "size before", "size after", "size", "field of the middle output"), rows
    )
