"""Residual convolutional encoder and decoder (He et al. 2016)."""

import torch
from torch import Tensor, nn

from narrows.networks.blocks import activation, norm
from narrows.networks.pyramid import Pyramid
from narrows.params import param
from narrows.parts import part

__all__ = ["ResNet"]


@part("resnet")
class ResNet(Pyramid):
    """As ``conv``, with ``depth - 1`` residual blocks of two convolutions each after every change of size.

    Blocks normalise and activate before they convolve (He et al. 2016, identity mappings), and start as the identity.

    Examples
    --------
    >>> import torch
    >>> from narrows.networks import Sizes
    >>> encoder, decoder = ResNet((8, 16)).build(Sizes((3, 9, 9), (3, 9, 9), code_in=4, code_out=4, out=3))
    >>> decoder(encoder(torch.rand(2, 3, 9, 9))[-1]).shape
    torch.Size([2, 3, 9, 9])
    """

    depth: int = param(2, "1 and the residual blocks per resolution", ge=1, le=1024)

    def more(self, width: int) -> list[nn.Module]:
        """Return one residual block."""
        return [Residual(self, width)]


class Residual(nn.Module):
    """x + f(x), f two convolutions, with a gain per channel that starts at zero (Bachlechner et al. 2021)."""

    def __init__(self, spec: ResNet, width: int):
        super().__init__()
        padding = spec.dilation * (spec.kernel - 1) // 2
        layers: list[nn.Module] = []
        for _ in range(2):
            layers += [*norm(spec.norm, width), *activation(spec.activation)]
            layers.append(nn.Conv2d(width, width, spec.kernel, 1, padding, spec.dilation))
        self.layers = nn.Sequential(*layers)
        self.gain = nn.Parameter(torch.zeros(1, width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` plus what the block adds."""
        out: Tensor = x + self.gain * self.layers(x)
        return out
