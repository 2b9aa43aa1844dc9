"""Dilated convolutions over the steps of a window."""

import math
from dataclasses import replace
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from narrows.errors import InputError, Setting
from narrows.networks.base import Network, Sizes, as_rows
from narrows.networks.linear_path import Bypass, principal_start
from narrows.params import param
from narrows.parts import part

__all__ = ["Sequence"]

_MOST_POINTS = 16  # stretches of a window whose means are what the code is made of


@part("sequence")
class Sequence(Network):
    """A temporal convolutional network over windows that are rows: all channels of a step, then those of the next one.

    Blocks of a dilated convolution, whose taps lie twice as far apart from block to block until they span the window,
    add to what they read (Bai et al. 2018). Means of up to 16 stretches become the code, by which the decoder, which is
    the mirror of that, is told (Thill et al. 2021). ``causal`` filters see a step and those before it, others as many
    on either side. Where the workflow reads a series, it says how many channels there are.

    Examples
    --------
    >>> spec = Sequence(channels=2, width=8, kernel=3)
    >>> encoder, decoder = spec.build(Sizes((40,), (40,), code_in=4, code_out=4, out=40))  # 20 steps
    >>> (z,) = encoder(torch.rand(5, 40))
    >>> z.shape, decoder(z).shape, spec.dilations(20)
    (torch.Size([5, 4]), torch.Size([5, 40]), [1, 2, 4, 8])
    """

    channels: int | None = param(None, "numbers of a step; none: those of the series, 1 of other rows", ge=1)
    width: int = param(16, "filters of a layer", ge=1)
    kernel: int = param(3, "steps that a filter sees", ge=2)
    causal: bool = param(False, "filters see no later steps")
    bypass: bool = param(True, "a linear path beside the layers, which starts at the principal axes")

    def of_steps(self, channels: int) -> Self:
        """Return the network for windows of a series of so many channels."""
        return self if self.channels else replace(self, channels=channels)

    def dilations(self, steps: int) -> list[int]:
        """Return how far apart the taps of each block are: the last one's span a window of so many steps."""
        blocks = max(1, math.ceil(math.log2(max(1, (steps - 1) / (self.kernel - 1)))))
        return [1 << block for block in range(blocks)]

    def build(self, sizes: Sizes) -> tuple[nn.Module, nn.Module]:
        """Return encoder and decoder.

        Raises ``InputError`` for rows that are no whole number of steps, and for images.
        """
        channels, values = self.channels or 1, sizes.shape[0]
        if len(sizes.shape) > 1 or values % channels or sizes.target != sizes.shape:
            came = f"The network {self.name!r} of {channels} channels cannot read rows of shape {sizes.shape}"
            hint = Setting("network", "conv" if len(sizes.shape) > 1 else "dense")
            raise InputError(came, "flat windows of steps, with all channels of a step beside each other", hint)
        return SequenceEncoder(self, sizes, channels), SequenceDecoder(self, sizes, channels)

    def start(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        x: Tensor,
        constant_params: Tensor | None,
        weight: Tensor | None = None,
    ) -> None:
        """Start the linear path at the principal axes of ``x`` where it maps a code back to rows of the same size."""
        down, up = getattr(encoder, "bypass", None), getattr(decoder, "bypass", None)
        if down is not None and up is not None and down.weight.shape == up.weight.T.shape:
            principal_start(down, up, (encoder.code, decoder.head), x, constant_params, weight)  # type: ignore[arg-type]


class Block(nn.Module):
    """A dilated convolution and one over channels, added to what they read; no step is lost at the ends."""

    def __init__(self, spec: Sequence, dilation: int):
        super().__init__()
        self.span, self.causal = dilation * (spec.kernel - 1), spec.causal
        self.taps = nn.Conv1d(spec.width, spec.width, spec.kernel, dilation=dilation)
        self.mix = nn.Conv1d(spec.width, spec.width, 1)

    def forward(self, h: Tensor) -> Tensor:
        """Return maps (B, width, steps)."""
        before = self.span if self.causal else self.span // 2
        change: Tensor = self.mix(F.silu(self.taps(F.pad(h, (before, self.span - before)))))
        return h + change


class SequenceEncoder(nn.Module):
    """Reads windows as rows, (B, steps * channels)."""

    def __init__(self, spec: Sequence, sizes: Sizes, channels: int):
        super().__init__()
        self.values, self.channels = sizes.shape[0], channels
        steps = self.values // channels
        self.points = min(steps, _MOST_POINTS)
        self.first = nn.Conv1d(channels, spec.width, 1)
        self.blocks = nn.Sequential(*[Block(spec, dilation) for dilation in spec.dilations(steps)])
        self.code = nn.Linear(self.points * spec.width + sizes.n_cond, sizes.code_in)
        self.bypass = Bypass(sizes.row, sizes.code_in) if spec.bypass else None

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the code as the only map."""
        rows = as_rows(x, self.values)
        window, cond = rows[:, : self.values], rows[:, self.values :]
        h = self.blocks(self.first(window.reshape(len(rows), -1, self.channels).mT))
        code: Tensor = self.code(torch.cat([F.adaptive_avg_pool1d(h, self.points).flatten(1), cond], 1))
        return (code if self.bypass is None else self.bypass(rows, code),)


class SequenceDecoder(nn.Module):
    """Gives (B, out): the channels of every step, then what else the likelihood wants, by step as well."""

    def __init__(self, spec: Sequence, sizes: Sizes, channels: int):
        super().__init__()
        self.out, self.channels, self.values = sizes.out, channels, sizes.target[0]
        self.steps = self.values // channels
        points = min(self.steps, _MOST_POINTS)
        further = -(-(sizes.out - self.values) // self.steps)
        n_code = sizes.code_out + sizes.n_cond
        self.first, self.shape = nn.Linear(n_code, points * spec.width), (spec.width, points)
        self.blocks = nn.Sequential(*[Block(spec, dilation) for dilation in spec.dilations(self.steps)[::-1]])
        self.head = nn.Conv1d(spec.width, channels + further, 1)
        self.bypass = Bypass(n_code, sizes.out) if spec.bypass else None

    def forward(self, z: Tensor, skips: tuple[Tensor, ...] = ()) -> Tensor:
        """Return the likelihood's numbers."""
        h = F.interpolate(self.first(z).reshape(-1, *self.shape), self.steps, mode="linear")
        values, further = self.head(self.blocks(h)).split([self.channels, self.head.out_channels - self.channels], 1)
        out = torch.cat([values.mT.flatten(1), further.mT.flatten(1)], 1)[:, : self.out]
        return out if self.bypass is None else self.bypass(z, out)
