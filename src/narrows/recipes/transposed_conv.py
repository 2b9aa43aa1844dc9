"""``transposed-conv``: the arithmetic of transposed convolution, measured on the networks' own layer."""

from dataclasses import replace
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from scipy.signal import correlate2d
from torch import nn

from narrows.errors import InputError
from narrows.networks.layers import Transpose
from narrows.networks.stack import chain
from narrows.recipes.base import recipe
from narrows.recipes.run import Run
from narrows.reporting import figures

__all__ = ["transposed_conv"]

_DOCUMENT = ((1, 0, 0), (2, 0, 0), (2, 1, 0), (2, 0, 1))  # stride, padding, output padding
_KERNEL = np.arange(1.0, 10.0).reshape(3, 3)  # no two weights alike, so that a flip can be seen
_SQUARE = np.ones((3, 3))


class Sides(NamedTuple):
    """The settings of one side, height or width."""

    kernel: int = 3
    stride: int = 1
    padding: int = 0
    output_padding: int = 0
    dilation: int = 1


@recipe("transposed-conv", "transposed convolution: sizes, and the convolution that it is", source="001, 002, 004")
def transposed_conv(run: Run) -> None:
    """Run the layer at every setting of the documents and hold it against its formula and its other view."""
    combinations(run)
    settings, wrong = sizes(run)
    spread(run)
    gap = other_view(run)
    borders(run)
    groups_and_bias(run)
    sides = range(1, 33)
    doubled = sum(layer_output(Transpose(1), np.ones((side, side)), _SQUARE).shape == (2 * side,) * 2 for side in sides)
    run.metric(
        "doubled", doubled, f"sides that double, of {len(sides)}", "kernel 3, stride 2, both paddings 1", "higher"
    )
    run.conclude(
        f"The size formula is right for {settings - wrong} of {settings} settings; padding and convolving gives what "
        f"the layer gives (largest difference {gap:.1g}); kernel 3, stride 2, padding 1 and output padding 1 double "
        f"{doubled} of {len(sides)} sides."
    )


def layer_output(spec: Transpose, x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Return what the layer of a network makes of one map (H, W) with these weights and no bias."""
    (layer,), _ = chain((spec,), (1, *x.shape), 1)
    weight, bias = layer.double().parameters()
    with torch.no_grad():
        weight.copy_(torch.from_numpy(kernel))
        bias.zero_()
        result: np.ndarray = layer(torch.from_numpy(x)[None, None])[0, 0].numpy()
    return result


def combinations(run: Run) -> None:
    """Show all legal combinations of stride 1-2, padding 0-1 and output padding 0-1, and the refusal of the others."""
    maps, marked, refused = [], [], []
    for stride, padding, extra in product((1, 2), (0, 1), (0, 1)):
        name = f"stride {stride}, padding {padding}, output padding {extra}"
        try:
            maps.append((name, layer_output(Transpose(1, 3, stride, padding, extra), _SQUARE, _SQUARE)))
        except InputError as error:
            refused.append((name, str(error)))
            continue
        if (stride, padding, extra) in _DOCUMENT:
            marked.append(len(maps) - 1)
    figure = figures.heat_maps(maps, marked=marked, mark="in document 002")
    caption = "Input 3 x 3 of ones, kernel 3 x 3 of ones, no bias: each number counts the inputs that reach that place."
    run.figure("combinations", "All legal combinations", caption, figure)
    lead = (
        "The output padding must be smaller than the stride or the dilation; this is what the network says otherwise."
    )
    run.table("Refused", lead, ("setting", "message"), refused)
    run.metric("legal", len(maps), "legal combinations", f"of {len(maps) + len(refused)}", "higher")


def side_after(length: int, side: Sides) -> int:
    """Return the formula's output side for an input side.

    Examples
    --------
    >>> side_after(3, Sides(3, 2, 1, 1))
    6
    """
    reach = side.dilation * (side.kernel - 1) + side.output_padding + 1
    return (length - 1) * side.stride - 2 * side.padding + reach


def real_size(shape: tuple[int, int], height: Sides, width: Sides) -> tuple[int, ...]:
    """Return the size that the layer gives to an input, with settings of its own for height and width."""
    kernel, stride, padding, extra, dilation = zip(height, width, strict=True)
    layer = nn.ConvTranspose2d(1, 1, kernel, stride, padding, extra, dilation=dilation, bias=False)
    with torch.no_grad():
        return tuple(layer(torch.ones(1, 1, *shape)).shape[2:])


def sizes(run: Run) -> tuple[int, int]:
    """Hold the size formula against the real size; return how many settings were tried and how many were wrong."""
    shape = (3, 5)
    documented = [Sides(3, *settings) for settings in _DOCUMENT]
    pairs = [(side, side) for side in (*documented, Sides(3, 2, 1, 1), Sides(4, 2, 1), Sides(3, 2, 1, 1, dilation=2))]
    pairs += [(Sides(3, 2, 1, 1), Sides(5, 1, 2)), (Sides(2, 3), Sides(3, 1, 0, 1, dilation=2))]
    rows = []
    for height, width in pairs:
        both = [str(a) if a == b else f"{a}, {b}" for a, b in zip(height, width, strict=True)]
        formula = (side_after(shape[0], height), side_after(shape[1], width))
        rows.append((*both, f"{formula[0]} x {formula[1]}", "{} x {}".format(*real_size(shape, height, width))))
    lead = (
        f"Input {shape[0]} x {shape[1]}; two numbers are those for height and width. Each side becomes "
        "(side - 1) x stride - 2 x padding + dilation x (kernel - 1) + output padding + 1."
    )
    columns = ("kernel", "stride", "padding", "output padding", "dilation", "by the formula", "real size")
    run.table("Sizes", lead, columns, rows)
    tried = wrong = 0
    for side in map(Sides._make, product((1, 2, 3, 4, 5), (1, 2, 3), (0, 1, 2), (0, 1, 2), (1, 2))):
        formula = (side_after(4, side), side_after(7, side))
        if side.output_padding < max(side.stride, side.dilation) and min(formula) > 0:
            tried += 1
            wrong += real_size((4, 7), side, side) != formula
    run.metric("wrong_sizes", wrong, "settings where the size formula is wrong", f"of {tried} tried")
    return tried, wrong


def spread(run: Run) -> None:
    """Show one input value spread over the kernel, and two that overlap."""
    one, two = np.zeros((3, 3)), np.zeros((3, 3))
    one[1, 1] = two[1, 1] = two[1, 2] = 2.0
    plain = Transpose(1, 3, 1, 0, 0)
    maps = [
        ("one value of 2", one),
        ("kernel", _KERNEL),
        ("stride 1: 2 times the kernel", layer_output(plain, one, _KERNEL)),
    ]
    maps += [
        ("two values of 2", two),
        ("stride 1: they overlap in two columns and add up", layer_output(plain, two, _KERNEL)),
        ("stride 2: they overlap in one column", layer_output(replace(plain, stride=2), two, _KERNEL)),
    ]
    caption = "A convolution gathers many values into one; a transposed one spreads one value over the kernel."
    run.figure("spread", "One value spread over the kernel", caption, figures.heat_maps(maps))


def steps(spec: Transpose, x: np.ndarray, kernel: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Return the other view: zeros between the values, zeros around, convolution with the flipped kernel."""
    stride, dilation = spec.stride, spec.dilation
    spaced = np.zeros([stride * (side - 1) + 1 for side in x.shape])
    spaced[::stride, ::stride] = x
    taps = np.zeros([dilation * (spec.kernel - 1) + 1] * 2)
    taps[::dilation, ::dilation] = kernel[::-1, ::-1]
    rim = len(taps) - 1 - spec.padding
    padded = np.pad(spaced, (rim, rim + spec.output_padding))
    between = [("zeros between", spaced)] if stride > 1 else []
    caption = f"zeros around, {rim} wide" + (
        f", {spec.output_padding} more below and right" if spec.output_padding else ""
    )
    last = ("convolved with the flipped kernel", correlate2d(padded, taps, "valid"))
    return [("input", x), *between, (caption, padded), last]


def other_view(run: Run) -> float:
    """Show the transposed convolution as a convolution, and return the largest difference from the layer."""
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    run.figure(
        "flip",
        "The kernel and its flip",
        "Turned by half a turn.",
        figures.steps_strip([("kernel", _KERNEL), ("flipped", _KERNEL[::-1, ::-1])]),
    )
    for stride, padding, extra in ((1, 0, 0), (2, 1, 0), (2, 1, 1)):
        spec = Transpose(1, 3, stride, padding, extra)
        figure = figures.steps_strip(steps(spec, x, _KERNEL), layer=layer_output(spec, x, _KERNEL))
        name = f"stride {stride}, padding {padding}, output padding {extra}"
        caption = "The same numbers by an ordinary convolution of stride 1 over the input with zeros put in."
        run.figure(f"view-{stride}{padding}{extra}", f"The other view: {name}", caption, figure)
    rng, gaps = np.random.default_rng(0), []
    for kernel, stride, padding, extra, dilation in product((2, 3, 4), (1, 2, 3), (0, 1), (0, 1), (1, 2)):
        if extra < max(stride, dilation):
            spec, x = Transpose(1, kernel, stride, padding, extra, dilation), rng.normal(size=(4, 6))
            weights = rng.normal(size=(kernel, kernel))
            gaps.append(np.abs(layer_output(spec, x, weights) - steps(spec, x, weights)[-1][1]).max())
    run.metric("gap", max(gaps), "largest difference between the layer and its other view", f"{len(gaps)} random cases")
    return float(max(gaps))


def borders(run: Run) -> None:
    """Show what padding and output padding do to the rim."""
    base = Transpose(1, 3, 2, 0, 0)
    whole = layer_output(base, _SQUARE, _SQUARE)
    trimmed = layer_output(replace(base, padding=1), _SQUARE, _SQUARE)
    figure = figures.steps_strip([("padding 0", whole), ("its rim of 1 cut off", whole[1:-1, 1:-1])], layer=trimmed)
    run.figure("rim", "Padding trims the rim", "The layer of the title has padding 1.", figure)
    run.metric("rim", np.abs(trimmed - whole[1:-1, 1:-1]).max(), "padding 1 against the trimmed rim", "difference")
    rows = []
    for padding in (0, 1):
        result = layer_output(replace(base, padding=padding, output_padding=1), _SQUARE, _SQUARE)
        border = float(result[-1].sum() + result[:-1, -1].sum())
        name = f"stride 2, padding {padding}, output padding 1"
        rows.append((name, "{} x {}".format(*result.shape), border))
        run.metric(f"border_{padding}", border, "sum of the row and the column that output padding adds", name)
    lead = (
        "Output padding gives back what padding cut off at the end. Where nothing was cut off, the row and the column "
        "that it adds are zeros."
    )
    run.table("Output padding", lead, ("setting", "size", "sum of the row and the column added"), rows)
    returned = layer_output(replace(base, padding=1, output_padding=1), _SQUARE, _SQUARE) - whole[1:, 1:]
    run.metric("given_back", np.abs(returned).max(), "output padding 1 against what padding 1 cut off", "difference")


def groups_and_bias(run: Run) -> None:
    """Show which channels hear which, by groups, and that a bias is added everywhere, to the border too."""
    channels, maps, rows = 4, [], []
    for groups in (1, 2, 4):
        layer = nn.ConvTranspose2d(channels, channels, 3, groups=groups, bias=False)
        nn.init.ones_(layer.weight)
        with torch.no_grad():
            single = torch.eye(channels)[:, :, None, None]  # one channel at a time
            reached = layer(single).amax((2, 3)).T.numpy()
        maps.append((f"groups {groups}", reached))
        rows.append((groups, layer.weight.numel(), int(reached.sum()), channels**2))
    caption = "Rows are output channels, columns input channels; 1 where the output changes with the input."
    run.figure("groups", "What groups do", caption, figures.heat_maps(maps))
    columns = ("groups", "weights", "pairs of channels that are joined", "of")
    run.table("Groups", f"{channels} channels in and out, kernel 3.", columns, rows)
    layer = nn.ConvTranspose2d(1, 1, 3, 2, output_padding=1)
    with torch.no_grad():
        layer.weight.fill_(1.0)
        layer.bias.fill_(0.5)  # type: ignore[union-attr]
        result = layer(torch.ones(1, 1, 3, 3))[0, 0].numpy()
    plain = layer_output(Transpose(1, 3, 2, 0, 1), _SQUARE, _SQUARE)
    added = result - plain
    run.metric("bias_least", added.min(), "least that a bias of 0.5 adds", "over all places")
    run.metric("bias_most", added.max(), "most that a bias of 0.5 adds", "over all places")
    caption = (
        "Stride 2, output padding 1, a bias of 0.5: it is added everywhere, to the border that no input reaches too."
    )
    run.figure("bias", "What a bias does", caption, figures.heat_maps([("no bias", plain), ("bias 0.5", result)]))
