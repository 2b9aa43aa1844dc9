"""EfficientNet-Lite0, as far as local features are taken from it: a network that has seen natural pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Self

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from narrows.errors import InputError

__all__ = ["CHANNELS", "EfficientNetLite"]

_STEM = 32  # channels before the first block
_EPSILON = 1e-3  # of the batch norms
# Kernel, stride, expansion, channels and number of blocks (Tan and Le 2019, table 1; the light variant has relu6 and no
# squeeze-and-excitation), down to a sixteenth of the side: what follows says more of things than of places.
_STAGES = ((3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3), (5, 1, 6, 112, 3))
_TAKEN = (2, 4)  # stages whose last maps are features: an eighth and a sixteenth of the side
CHANNELS = sum(_STAGES[stage][3] for stage in _TAKEN)


class Convolution(NamedTuple):
    """A convolution with its batch norm in it."""

    weight: Tensor  # (out, in / groups, k, k)
    bias: Tensor
    stride: int = 1
    groups: int = 1

    @classmethod
    def of(cls, weights: Mapping[str, Tensor], names: tuple[str, str], shape: tuple[int, ...], stride: int = 1) -> Self:
        """Return the convolution of ``names``, its own and its norm's; depthwise where it has one channel in.

        Raises ``InputError`` for weights that are not there, or have another shape.
        """
        kernel = _weight(weights, f"{names[0]}.weight", shape)
        scale, shift, mean, variance = (
            _weight(weights, f"{names[1]}.{part}", shape[:1])
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        gain = scale / (variance + _EPSILON).sqrt()
        return cls(kernel * gain[:, None, None, None], shift - mean * gain, stride, shape[0] if shape[1] == 1 else 1)

    def __call__(self, x: Tensor) -> Tensor:
        """Return the convolution of maps, each side an ``stride``-th of what it was, rounded up, zeros around them."""
        size, margins = self.weight.shape[-1], []
        for length in (x.shape[3], x.shape[2]):
            missing = max(0, (-(-length // self.stride) - 1) * self.stride + size - length)
            margins += [missing // 2, missing - missing // 2]
        return conv2d(pad(x, margins), self.weight, self.bias, self.stride, groups=self.groups)


class Block(NamedTuple):
    """An inverted residual: channels are widened, filtered each by itself, and narrowed."""

    wide: Convolution | None
    filtered: Convolution
    narrow: Convolution

    def __call__(self, x: Tensor) -> Tensor:
        """Return the maps of a block, with those that came added where they have the same shape."""
        inner = x if self.wide is None else self.wide(x).clamp_(0, 6)
        out = self.narrow(self.filtered(inner).clamp_(0, 6))
        return x + out if out.shape == x.shape else out


class EfficientNetLite:
    """The first eleven blocks of EfficientNet-Lite0, from weights by the names of its PyTorch ports.

    Parameters
    ----------
    weights : mapping of str to Tensor
        Raises ``InputError`` where one is missing or has another shape.
    """

    title = "EfficientNet-Lite0"

    def __init__(self, weights: Mapping[str, Tensor]):
        self.stem = Convolution.of(weights, ("_conv_stem", "_bn0"), (_STEM, 3, 3, 3), 2)
        self.stages: list[list[Block]] = []
        before, number = _STEM, 0
        for size, stride, factor, channels, repeats in _STAGES:
            stage = []
            for i in range(repeats):
                stage.append(_block(weights, number, (before, factor * before, channels), size, 1 if i else stride))
                before, number = channels, number + 1
            self.stages.append(stage)

    @torch.no_grad()
    def __call__(self, x: Tensor) -> list[Tensor]:
        """Return maps (n, k, h / 8, w / 8) and (n, k, h / 16, w / 16) of pictures (n, 3, h, w) from -1 to 1."""
        maps, taken = self.stem(x).clamp_(0, 6), []
        for number, stage in enumerate(self.stages):
            for block in stage:
                maps = block(maps)
            if number in _TAKEN:
                taken.append(maps)
        return taken


def _block(weights: Mapping[str, Tensor], number: int, channels: tuple[int, int, int], size: int, stride: int) -> Block:
    before, inner, after = channels
    names = [(f"_blocks.{number}.{part}", f"_blocks.{number}.{norm}") for part, norm in _PARTS]
    wide = None if inner == before else Convolution.of(weights, names[0], (inner, before, 1, 1))
    filtered = Convolution.of(weights, names[1], (inner, 1, size, size), stride)
    return Block(wide, filtered, Convolution.of(weights, names[2], (after, inner, 1, 1)))


_PARTS = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))


def _weight(weights: Mapping[str, Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
    """Return an array of the weights.

    Raises ``InputError`` where it is missing, or of another shape.
    """
    value = weights.get(name)
    if not isinstance(value, Tensor) or tuple(value.shape) != shape or not bool(value.isfinite().all()):
        came = "missing" if value is None else f"of shape {tuple(getattr(value, 'shape', ()))}, or not finite"
        raise InputError(f"{name} is {came}", f"the weights of {EfficientNetLite.title}, {name} of shape {shape}")
    return value.detach().float()
