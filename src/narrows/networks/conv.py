"""Convolutional encoder and decoder for images of any size, odd ones too."""

import math
from itertools import pairwise
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from narrows.errors import InputError
from narrows.networks.base import Network, Sizes
from narrows.networks.parts import Activation, Norm, activation, norm
from narrows.params import param
from narrows.parts import part

__all__ = ["Conv"]

Up = Literal["transpose", "resize", "bilinear"]
Side = tuple[int, ...]


@part("conv")
class Conv(Network):
    """Halves the image once per width and doubles it back; the code is a vector, or maps when not ``flat``.

    ``up="transpose"`` grows by transposed convolution, ``"resize"`` by nearest-neighbour and ``"bilinear"`` by bilinear
    up-sampling followed by a convolution (Odena et al. 2016). Sizes that do not divide come back exactly.

    Examples
    --------
    >>> import torch
    >>> spec = Conv((8, 16), up="transpose")
    >>> encoder, decoder = spec.build(Sizes((1, 13, 10), (1, 13, 10), code_in=4, code_out=4, out=1))
    >>> (z,) = encoder(torch.rand(2, 1, 13, 10))
    >>> z.shape, decoder(z).shape
    (torch.Size([2, 4]), torch.Size([2, 1, 13, 10]))
    """

    widths: tuple[int, ...] = param((32, 64, 128), "channels after each halving", ge=1)
    up: Up = param("resize", "how the decoder grows")
    kernel: int = param(3, "side of the filters, odd", ge=1)
    dilation: int = param(1, "spacing of the filters' taps, where the size stays", ge=1)
    depth: int = param(1, "convolutions per resolution", ge=1)
    norm: Norm = param("group", "normalisation before each activation")
    activation: Activation = param("silu", "between the layers")
    output: Activation = param("identity", "after the decoder's last layer")
    code: Activation = param("identity", "after the encoder's last layer")
    flat: bool = param(True, "a vector as the code; off: maps")

    def build(self, sizes: Sizes) -> tuple[nn.Module, nn.Module]:
        """Return encoder and decoder for images of these sizes."""
        if len(sizes.shape) != 3:
            raise InputError(
                f"A convolutional network cannot read rows of shape {sizes.shape}",
                "images (channels, height, width)",
                "image_shape=(1, 28, 28) for flattened images, or network='dense'",
            )
        if self.kernel % 2 == 0:
            accepted = "an odd side, so that the size stays"
            raise InputError(f"kernel={self.kernel} is even", accepted, f"kernel={self.kernel + 1}")
        return ConvEncoder(self, sizes), ConvDecoder(self, sizes)


def halves(side: Side, times: int) -> list[Side]:
    """Return the sizes of an image halved so many times, rounding up, the first being its own.

    Examples
    --------
    >>> halves((13, 10), 2)
    [(13, 10), (7, 5), (4, 3)]
    """
    sizes = [tuple(side)]
    for _ in range(times):
        sizes.append(tuple((length + 1) // 2 for length in sizes[-1]))
    return sizes


def block(spec: Conv, n_in: int, n_out: int, stride: int = 1) -> list[nn.Module]:
    """Return convolution, normalisation, activation."""
    dilation = spec.dilation if stride == 1 else 1
    padding = dilation * (spec.kernel - 1) // 2
    layer = nn.Conv2d(n_in, n_out, spec.kernel, stride, padding, dilation, bias=spec.norm == "none")
    return [layer, *norm(spec.norm, n_out), *activation(spec.activation)]


class ConvEncoder(nn.Module):
    """Strided convolutions, then a dense layer to the code, or a 1 x 1 convolution when the code is maps."""

    def __init__(self, spec: Conv, sizes: Sizes):
        super().__init__()
        layers: list[nn.Module] = []
        width = sizes.shape[0] + sizes.n_cond
        for wider in spec.widths:
            layers += block(spec, width, wider, stride=2)
            for _ in range(spec.depth - 1):
                layers += block(spec, wider, wider)
            width = wider
        self.layers = nn.Sequential(*layers)
        area = math.prod(halves(sizes.shape[1:], len(spec.widths))[-1])
        to_vector = nn.Sequential(nn.Flatten(), nn.Linear(width * area, sizes.code_in))
        head = to_vector if spec.flat else [nn.Conv2d(width, sizes.code_in, 1)]
        self.head = nn.Sequential(*head, *activation(spec.code))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the code as the only map."""
        return (self.head(self.layers(x)),)


class ConvDecoder(nn.Module):
    """Grows from the code to the target's own size."""

    def __init__(self, spec: Conv, sizes: Sizes):
        super().__init__()
        self.flat = spec.flat
        sides = halves(sizes.target[1:], len(spec.widths))[::-1]
        widths = [*spec.widths[::-1], spec.widths[0]] if spec.widths else [sizes.code_out]
        self.start = (widths[0], *sides[0])
        n_in = sizes.code_out + sizes.n_cond
        first = nn.Linear(n_in, math.prod(self.start)) if spec.flat else nn.Conv2d(n_in, widths[0], 1)
        self.first = nn.Sequential(first, *activation(spec.activation))
        steps = zip(pairwise(widths), pairwise(sides), strict=True) if spec.widths else ()
        self.stages = nn.ModuleList(Grow(spec, *width, *side) for width, side in steps)
        last = nn.Conv2d(widths[-1], sizes.out, spec.kernel, 1, (spec.kernel - 1) // 2)
        self.head = nn.Sequential(last, *activation(spec.output))

    def forward(self, z: Tensor, skips: tuple[Tensor, ...] = ()) -> Tensor:
        """Return the likelihood's numbers at the target's size."""
        h: Tensor = self.first(z)
        if self.flat:
            h = h.reshape(-1, *self.start)
        for stage in self.stages:
            h = stage(h)
        out: Tensor = self.head(h)
        return out


class Grow(nn.Module):
    """Doubles an image, less one where the larger side is odd, then ``depth - 1`` more convolutions."""

    def __init__(self, spec: Conv, n_in: int, n_out: int, small: Side, large: Side):
        super().__init__()
        self.lost = [2 * half - whole for half, whole in zip(small, large, strict=True)]  # 1 where ``whole`` is odd
        self.mode = {"resize": "nearest", "bilinear": "bilinear"}.get(spec.up)
        if self.mode:
            layers = block(spec, n_in, n_out)
        else:
            extra = (1 - self.lost[0], 1 - self.lost[1])
            grow = nn.ConvTranspose2d(
                n_in, n_out, spec.kernel, 2, (spec.kernel - 1) // 2, output_padding=extra, bias=spec.norm == "none"
            )
            layers = [grow, *norm(spec.norm, n_out), *activation(spec.activation)]
        for _ in range(spec.depth - 1):
            layers += block(spec, n_out, n_out)
        self.layers = nn.Sequential(*layers)

    def forward(self, h: Tensor) -> Tensor:
        """Return the larger image."""
        if self.mode:
            h = F.interpolate(h, scale_factor=2, mode=self.mode)
            h = h[..., : h.shape[-2] - self.lost[0], : h.shape[-1] - self.lost[1]]
        out: Tensor = self.layers(h)
        return out
