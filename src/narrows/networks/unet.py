"""U-Net (Ronneberger et al. 2015): an encoder whose maps the decoder reads at every resolution."""

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from narrows.errors import InputError
from narrows.networks.base import Network, Sizes, require_images
from narrows.networks.blocks import Activation, Norm, activation, norm
from narrows.networks.pyramid import Style, Up, grow, halves
from narrows.params import param
from narrows.parts import part

__all__ = ["UNet"]

Skip = Literal["concat", "add", "none"]


@part("unet")
class UNet(Network):
    """Two convolutions per resolution, max-pooling between; the code is the maps of the bridge at the bottom.

    ``skip`` joins the encoder's maps to the decoder's by concatenation, by addition (as ResNet does), or not at all.
    Images of any size come back in their size.

    Examples
    --------
    >>> spec = UNet((4, 8))
    >>> encoder, decoder = spec.build(Sizes((1, 9, 7), (1, 9, 7), code_in=16, code_out=16, out=3))
    >>> *skips, bridge = encoder(torch.rand(2, 1, 9, 7))
    >>> bridge.shape, decoder(bridge, tuple(skips)).shape
    (torch.Size([2, 16, 3, 2]), torch.Size([2, 3, 9, 7]))
    """

    widths: tuple[int, ...] = param((16, 32, 64, 128), "channels of each resolution above the bridge", ge=1)
    skip: Skip = param("concat", "how the encoder's maps join the decoder's")
    up: Up = param("transpose", "how the decoder grows: transpose, resize, bilinear or shuffle")
    norm: Norm = param("batch", "normalisation after each convolution")
    activation: Activation = param("leaky_relu", "between the layers")
    second: bool = param(True, "an activation after the second convolution of a resolution as well")
    output: Activation = param("identity", "after the last layer")

    @property
    def skips(self) -> bool:
        """Whether the decoder needs the encoder's maps."""
        return self.skip != "none"

    @property
    def multiple(self) -> int:
        """A factor of two for each resolution."""
        return int(2 ** len(self.widths))

    def build(self, sizes: Sizes) -> tuple[nn.Module, nn.Module]:
        """Return encoder and decoder for images of these sizes. Raises ``InputError`` for targets of another size."""
        require_images(self.name, sizes)
        if not self.widths or self.up.startswith("unpool"):
            came = f"up={self.up!r}" if self.widths else "widths=()"
            raise InputError(f"A U-Net cannot have {came}", "widths, and up of transpose, resize, bilinear or shuffle")
        if sizes.target[1:] != sizes.shape[1:]:
            came = f"Targets of {sizes.target[1:]} values for inputs of {sizes.shape[1:]}"
            raise InputError(came, "targets as large as the inputs")
        return UNetEncoder(self, sizes), UNetDecoder(self, sizes)


def block(spec: UNet, n_in: int, n_out: int) -> nn.Sequential:
    """Return convolution, normalisation, activation, twice; the second activation where the spec wants it."""
    layers: list[nn.Module] = []
    for width, active in ((n_in, True), (n_out, spec.second)):
        layers += [nn.Conv2d(width, n_out, 3, 1, 1, bias=spec.norm == "none"), *norm(spec.norm, n_out)]
        layers += activation(spec.activation) if active else []
    return nn.Sequential(*layers)


class UNetEncoder(nn.Module):
    """Blocks with max-pools between; sides round up."""

    def __init__(self, spec: UNet, sizes: Sizes):
        super().__init__()
        self.hands_on = spec.skips
        widths = (sizes.shape[0] + sizes.n_cond, *spec.widths, sizes.code_in)
        self.blocks = nn.ModuleList(block(spec, n_in, n_out) for n_in, n_out in pairwise(widths))
        self.pool = nn.MaxPool2d(2, ceil_mode=True)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the maps of every resolution, the bridge last; the bridge alone without skips."""
        maps = [self.blocks[0](x)]
        for level in list(self.blocks)[1:]:
            maps.append(level(self.pool(maps[-1])))
        return tuple(maps) if self.hands_on else (maps[-1],)


class UNetDecoder(nn.Module):
    """Grows, joins the encoder's map, and convolves twice, once per resolution."""

    def __init__(self, spec: UNet, sizes: Sizes):
        super().__init__()
        self.skip = spec.skip
        sides = halves(sizes.target[1:], len(spec.widths))[::-1]
        widths = (sizes.code_out + sizes.n_cond, *spec.widths[::-1])
        style = Style(spec.norm, spec.activation, spec.up)
        double = 2 if spec.skip == "concat" else 1
        steps = list(zip(widths[:-1], widths[1:], sides[:-1], sides[1:], strict=True))
        self.ups = nn.ModuleList(nn.Sequential(*grow(style, *step)) for step in steps)
        self.blocks = nn.ModuleList(block(spec, double * n_out, n_out) for _, n_out, _, _ in steps)
        self.head = nn.Sequential(nn.Conv2d(widths[-1], sizes.out, 3, 1, 1), *activation(spec.output))

    def forward(self, z: Tensor, skips: tuple[Tensor, ...] = ()) -> Tensor:
        """Return the likelihood's numbers at the target's size."""
        joined = skips[::-1] or [None] * len(self.ups)
        for up, convolve, skip in zip(self.ups, self.blocks, joined, strict=True):
            z = up(z)
            if skip is not None:
                z = z[..., : skip.shape[-2], : skip.shape[-1]]  # pictures of another size than at first
                z = torch.cat([skip, z], 1) if self.skip == "concat" else skip + z
            z = convolve(z)
        out: Tensor = self.head(z)
        return out
