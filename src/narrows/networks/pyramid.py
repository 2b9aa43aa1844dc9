"""What convolutional networks share: halve the image once per width, and grow it back to its own size."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from narrows.errors import InputError
from narrows.networks.base import Network, Sizes, require_images
from narrows.networks.blocks import Activation, Norm, activation, norm
from narrows.networks.resample import MaxPool, average_unpool, max_unpool
from narrows.params import param

__all__ = ["Pyramid", "Style", "Up", "conv", "grow", "halves"]

Up = Literal["transpose", "resize", "bilinear", "shuffle", "unpool", "unpool-average"]
Side = tuple[int, ...]


class Style(NamedTuple):
    """How the layers of a convolutional network are made."""

    norm: Norm
    activation: Activation
    up: Up
    kernel: int = 3
    dilation: int = 1


@dataclass(frozen=True)
class Pyramid(Network):
    """The fields and the build of networks that halve and double."""

    widths: tuple[int, ...] = param((32, 64, 128), "channels after each halving", ge=1)
    up: Up = param("resize", "how the decoder grows")
    kernel: int = param(3, "side of the filters, odd", ge=1)
    dilation: int = param(1, "spacing of the filters' taps, where the size stays", ge=1)
    depth: int = param(1, "layers per resolution", ge=1, le=1024)
    norm: Norm = param("group", "normalisation before each activation")
    activation: Activation = param("silu", "between the layers")
    output: Activation = param("identity", "after the decoder's last layer")
    code: Activation = param("identity", "after the encoder's last layer")
    flat: bool = param(True, "a vector as the code; off: maps")

    @property
    def style(self) -> Style:
        """How the layers are made."""
        return Style(self.norm, self.activation, self.up, self.kernel, self.dilation)

    @abstractmethod
    def more(self, width: int) -> list[nn.Module]:
        """Return one more layer at a resolution of ``width`` channels."""

    @property
    def multiple(self) -> int:
        """A factor of two for each width, where the code is maps and nothing depends on where it was taken from."""
        return 0 if self.flat or self.up.startswith("unpool") else int(2 ** len(self.widths))

    @property
    def guided(self) -> bool:
        """Max-unpooling reads the positions of the encoder's maxima."""
        return self.up == "unpool"

    def build(self, sizes: Sizes) -> tuple[nn.Module, nn.Module]:
        """Return encoder and decoder for images of these sizes. Raises ``InputError`` for an even kernel."""
        require_images(self.name, sizes)
        if self.kernel % 2 == 0:
            accepted = "an odd side, so that the size stays"
            raise InputError(f"kernel={self.kernel} is even", accepted, f"kernel={self.kernel + 1}")
        return PyramidEncoder(self, sizes), PyramidDecoder(self, sizes)


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


def conv(style: Style, n_in: int, n_out: int, stride: int = 1) -> list[nn.Module]:
    """Return convolution, normalisation, activation."""
    dilation = style.dilation if stride == 1 else 1
    padding = dilation * (style.kernel - 1) // 2
    layer = nn.Conv2d(n_in, n_out, style.kernel, stride, padding, dilation, bias=style.norm == "none")
    return [layer, *norm(style.norm, n_out), *activation(style.activation)]


class PyramidEncoder(nn.Module):
    """Halves once per width, then a dense layer to the code, or a 1 x 1 convolution when the code is maps.

    Where the decoder unpools, the halves are max-pools, and the positions of the maxima go along.
    """

    def __init__(self, spec: Pyramid, sizes: Sizes):
        super().__init__()
        self.pool = MaxPool() if spec.up == "unpool" else None
        average = [nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False)] if spec.up == "unpool-average" else []
        stride = 1 if self.pool or average else 2
        width, stages = sizes.shape[0] + sizes.n_cond, []
        for wider in spec.widths:
            more = [layer for _ in range(spec.depth - 1) for layer in spec.more(wider)]
            stages.append(nn.Sequential(*conv(spec.style, width, wider, stride), *more, *average))
            width = wider
        self.stages = nn.ModuleList(stages)
        area = math.prod(halves(sizes.shape[1:], len(spec.widths))[-1])
        to_vector = nn.Sequential(nn.Flatten(), nn.Linear(width * area, sizes.code_in))
        head = to_vector if spec.flat else [nn.Conv2d(width, sizes.code_in, 1)]
        self.head = nn.Sequential(*head, *activation(spec.code))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the code, behind the positions of the maxima where there are any."""
        positions: list[Tensor] = []
        for stage in self.stages:
            x = stage(x)
            if self.pool is not None:
                x, where = self.pool(x)
                positions.append(where)
        return (*positions, self.head(x))


class PyramidDecoder(nn.Module):
    """Grows from the code to the target's own size."""

    def __init__(self, spec: Pyramid, sizes: Sizes):
        super().__init__()
        self.flat = spec.flat
        sides = halves(sizes.target[1:], len(spec.widths))[::-1]
        widths = [*spec.widths[::-1], spec.widths[0]] if spec.widths else [sizes.code_out]
        self.start = (widths[0], *sides[0])
        n_in = sizes.code_out + sizes.n_cond
        first = nn.Linear(n_in, math.prod(self.start)) if spec.flat else nn.Conv2d(n_in, widths[0], 1)
        self.first = nn.Sequential(first, *activation(spec.activation))
        steps = zip(pairwise(widths), pairwise(sides), strict=True) if spec.widths else ()
        stages = []
        for (n_from, n_to), (small, large) in steps:
            more = [layer for _ in range(spec.depth - 1) for layer in spec.more(n_to)]
            stages.append(Grow(spec, n_from, n_to, small, large, more))
        self.stages = nn.ModuleList(stages)
        last = nn.Conv2d(widths[-1], sizes.out, spec.kernel, 1, (spec.kernel - 1) // 2)
        self.head = nn.Sequential(last, *activation(spec.output))

    def forward(self, z: Tensor, skips: tuple[Tensor, ...] = ()) -> Tensor:
        """Return the likelihood's numbers at the target's size."""
        h: Tensor = self.first(z)
        if self.flat:
            h = h.reshape(-1, *self.start)
        for stage, where in zip(self.stages, skips[::-1] or [None] * len(self.stages), strict=True):
            h = stage(h, where)
        out: Tensor = self.head(h)
        return out


class Grow(nn.Module):
    """Doubles an image, less one where the larger side is odd, then more layers."""

    def __init__(self, spec: Pyramid, n_in: int, n_out: int, small: Side, large: Side, more: list[nn.Module]):
        super().__init__()
        self.large, self.up = tuple(large), spec.up
        self.layers = nn.Sequential(*grow(spec.style, n_in, n_out, small, large), *more)

    def forward(self, h: Tensor, positions: Tensor | None = None) -> Tensor:
        """Return the larger image."""
        if self.up == "unpool":
            h = max_unpool(h, positions, self.large)
        elif self.up == "unpool-average":
            h = average_unpool(h)[..., : self.large[0], : self.large[1]]
        out: Tensor = self.layers(h)
        return out


def trimmed(h: Tensor, side: Side) -> Tensor:
    """Return maps without the last row or column where they are one longer than a side: half of an odd one, doubled.

    Maps of pictures of other sizes, whose sides divide, stay as they are.

    Examples
    --------
    >>> import torch
    >>> trimmed(torch.zeros(1, 1, 6, 6), (5, 6)).shape, trimmed(torch.zeros(1, 1, 8, 4), (5, 6)).shape
    (torch.Size([1, 1, 5, 6]), torch.Size([1, 1, 8, 4]))
    """
    height, width = (have - (have == want + 1) for have, want in zip(h.shape[-2:], side, strict=True))
    return h[..., :height, :width]


class Cut(nn.Module):
    """Cuts an image to a size that is odd."""

    def __init__(self, side: Side):
        super().__init__()
        self.side = tuple(side)

    def forward(self, h: Tensor) -> Tensor:
        """Return the smaller image; one that fits stays as it is."""
        return trimmed(h, self.side)


class Resize(nn.Module):
    """Doubles by copying or bilinearly, and cuts to a size."""

    def __init__(self, mode: str, side: Side):
        super().__init__()
        self.mode, self.side = mode, tuple(side)

    def forward(self, h: Tensor) -> Tensor:
        """Return the larger image."""
        return trimmed(F.interpolate(h, scale_factor=2.0, mode=self.mode), self.side)


class Shuffle(nn.Module):
    """Turns four channels into the four pixels of a window (Shi et al. 2016), and cuts to a size."""

    def __init__(self, side: Side):
        super().__init__()
        self.side = tuple(side)

    def forward(self, h: Tensor) -> Tensor:
        """Return the larger image."""
        return trimmed(F.pixel_shuffle(h, 2), self.side)


def grow(style: Style, n_in: int, n_out: int, small: Side, large: Side) -> list[nn.Module]:
    """Return the layers that double an image of ``n_in`` channels to one of ``n_out``; unpooling comes before them."""
    rest = [*norm(style.norm, n_out), *activation(style.activation)]
    plain, padding = style.norm == "none", (style.kernel - 1) // 2
    if style.up in ("resize", "bilinear"):
        return [Resize({"resize": "nearest"}.get(style.up, style.up), large), *conv(style, n_in, n_out)]
    if style.up == "transpose":
        layer = nn.ConvTranspose2d(n_in, n_out, style.kernel, 2, padding, output_padding=1, bias=plain)
        return [layer, Cut(large), *rest]
    if style.up == "shuffle":
        return [nn.Conv2d(n_in, 4 * n_out, style.kernel, 1, padding, bias=plain), Shuffle(large), *rest]
    return conv(style, n_in, n_out)
