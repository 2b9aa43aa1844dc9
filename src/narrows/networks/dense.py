"""Fully connected encoder and decoder."""

import math
from itertools import pairwise

from torch import Tensor, nn

from narrows.networks.base import Network, Sizes, as_rows
from narrows.networks.blocks import Activation, activation
from narrows.networks.linear_path import Bypass, principal_start
from narrows.params import param
from narrows.parts import part

__all__ = ["Dense"]


@part("dense")
class Dense(Network):
    """Layers of the given widths down to the code, mirrored up again unless ``decoder`` says otherwise.

    Without widths they follow the data: two layers, the first twice as wide as a row but from 64 to 512.

    Examples
    --------
    >>> encoder, decoder = Dense((8, 4), activation="relu").build(Sizes((6,), (6,), code_in=2, code_out=2, out=6))
    >>> encoder.layers
    Sequential(
      (0): Linear(in_features=6, out_features=8, bias=True)
      (1): ReLU()
      (2): Linear(in_features=8, out_features=4, bias=True)
      (3): ReLU()
      (4): Linear(in_features=4, out_features=2, bias=True)
    )
    """

    widths: tuple[int, ...] | None = param(None, "units of the encoder's layers; none: by the data", ge=1)
    decoder: tuple[int, ...] | None = param(None, "units of the decoder's layers; none: the encoder's, mirrored", ge=1)
    activation: Activation = param("silu", "between the layers")
    output: Activation = param("identity", "after the decoder's last layer")
    code: Activation = param("identity", "after the encoder's last layer")
    bypass: bool = param(False, "a linear path beside the layers, which starts at the principal axes")

    def build(self, sizes: Sizes) -> tuple[nn.Module, nn.Module]:
        """Return encoder and decoder for rows of these sizes."""
        down = default_widths(math.prod(sizes.shape)) if self.widths is None else self.widths
        up = down[::-1] if self.decoder is None else self.decoder
        features, channels = sizes.row, sizes.shape[0]
        shape = (sizes.out, *sizes.target[1:])
        ends: tuple[Activation, Activation] = ("identity", "identity") if self.bypass else (self.code, self.output)
        encoder = mlp((features, *down, sizes.code_in), self.activation, ends[0])
        decoder = mlp((sizes.code_out + sizes.n_cond, *up, math.prod(shape)), self.activation, ends[1])
        if not self.bypass:
            return DenseEncoder(encoder, channels), DenseDecoder(decoder, shape)
        below = Bypass(features, sizes.code_in, self.code)
        above = Bypass(sizes.code_out + sizes.n_cond, math.prod(shape), self.output)
        return DenseEncoder(encoder, channels, below), DenseDecoder(decoder, shape, above)

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
        if (
            down is None
            or up is None
            or down.weight.shape != up.weight.T.shape
            or {self.code, self.output} != {"identity"}
        ):
            return
        last = [[layer for layer in half.modules() if isinstance(layer, nn.Linear)][-1] for half in (encoder, decoder)]
        principal_start(down, up, (last[0], last[1]), x.flatten(1), constant_params, weight)


def default_widths(features: int) -> tuple[int, int]:
    """Return two widths for rows of so many values.

    Examples
    --------
    >>> default_widths(10), default_widths(784)
    ((64, 32), (512, 256))
    """
    first = min(512, max(64, 2 * features))
    return first, first // 2


def mlp(widths: tuple[int, ...], between: Activation, last: Activation) -> nn.Sequential:
    """Return linear layers of these widths with activations between them and after the last."""
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths):
        layers += [nn.Linear(n_in, n_out), *activation(between)]
    layers = layers[: len(layers) - len(activation(between))] + activation(last)
    return nn.Sequential(*layers)


class DenseEncoder(nn.Module):
    """Reads a row of any shape, (B, C, *spatial)."""

    def __init__(self, layers: nn.Sequential, channels: int, bypass: Bypass | None = None):
        super().__init__()
        self.layers, self.channels, self.bypass = layers, channels, bypass

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the code as the only map."""
        rows = as_rows(x, self.channels)
        code: Tensor = self.layers(rows)
        return (code if self.bypass is None else self.bypass(rows, code),)


class DenseDecoder(nn.Module):
    """Gives (B, out, *spatial)."""

    def __init__(self, layers: nn.Sequential, shape: tuple[int, ...], bypass: Bypass | None = None):
        super().__init__()
        self.layers, self.shape, self.bypass = layers, shape, bypass

    def forward(self, z: Tensor, skips: tuple[Tensor, ...] = ()) -> Tensor:
        """Return the likelihood's numbers."""
        out: Tensor = self.layers(z)
        out = out if self.bypass is None else self.bypass(z, out)
        return out.reshape(-1, *self.shape)
