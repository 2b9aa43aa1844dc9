"""One layer each way: features of a row, and unit atoms that add up to it."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from narrows.networks.base import Network, Sizes, as_rows
from narrows.networks.blocks import Activation, activation
from narrows.params import param
from narrows.parts import part

__all__ = ["Dictionary", "DictionaryDecoder", "DictionaryEncoder"]


@part("dictionary")
class Dictionary(Network):
    """h = W x + b; output = sum of z_i times atom i, all of length 1, plus a centre (Gao et al. 2024, section 2.2).

    The atoms are normalised in every step, so that no feature grows at another's cost, and W starts as their transpose.
    A bottleneck such as ``TopK`` makes z of h; without one, ``code="relu"`` keeps features from being negative.

    Examples
    --------
    >>> encoder, decoder = Dictionary().build(Sizes((4,), (4,), code_in=9, code_out=9, out=4))
    >>> bool(torch.allclose(decoder.atoms.norm(dim=1), torch.ones(9)))
    True
    """

    code: Activation = param("identity", "after the encoder's layer")

    def build(self, sizes: Sizes) -> tuple[nn.Module, nn.Module]:
        """Return the two layers, the encoder's weights those of the atoms where the sizes are the same."""
        encoder, decoder = DictionaryEncoder(sizes, self.code), DictionaryDecoder(sizes)
        if encoder.layer.weight.shape == decoder.directions.shape:
            with torch.no_grad():
                encoder.layer.weight.copy_(decoder.atoms)
        return encoder, decoder


class DictionaryEncoder(nn.Module):
    """Reads a row of any shape, (B, C, *spatial)."""

    def __init__(self, sizes: Sizes, code: Activation):
        super().__init__()
        self.channels = sizes.shape[0]
        self.layer = nn.Linear(sizes.row, sizes.code_in)
        self.activation = nn.Sequential(*activation(code))
        nn.init.zeros_(self.layer.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the features' pre-activations as the only map."""
        return (self.activation(self.layer(as_rows(x, self.channels))),)


class DictionaryDecoder(nn.Module):
    """Gives (B, out, *spatial)."""

    def __init__(self, sizes: Sizes):
        super().__init__()
        self.shape = (sizes.out, *sizes.target[1:])
        size = math.prod(self.shape)
        self.directions = nn.Parameter(F.normalize(torch.randn(sizes.code_out + sizes.n_cond, size)))
        self.centre = nn.Parameter(torch.zeros(size))

    @property
    def atoms(self) -> Tensor:
        """The atoms, one per row, all of length 1."""
        return F.normalize(self.directions)

    def forward(self, z: Tensor, skips: tuple[Tensor, ...] = ()) -> Tensor:
        """Return the sum of the atoms."""
        return (z @ self.atoms + self.centre).reshape(-1, *self.shape)
