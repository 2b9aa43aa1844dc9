"""Networks written out layer by layer."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from narrows.errors import InputError, Setting
from narrows.networks.base import Network, Sizes
from narrows.networks.layers import Layer, Unpool
from narrows.networks.resample import MaxPool, max_unpool
from narrows.params import param
from narrows.parts import as_part, part

__all__ = ["Stack"]

Shape = tuple[int, ...]


@part("stack")
class Stack(Network):
    """An encoder and a decoder as lists of layers, each a text or a part.

    In a text of layers, ``/`` stands between the layers and ``;`` between the settings of one:
    ``stack:encoder=conv:8;stride=2;relu/linear,decoder=linear:392/reshape:8;7;7/transpose``. A layer without channels
    gets as many as the code, or the likelihood, wants there.

    Examples
    --------
    >>> spec = Stack(("conv:8", "pool", "conv"), ("conv:8,relu", "unpool", "conv"))
    >>> encoder, decoder = spec.build(Sizes((1, 9, 9), (1, 9, 9), code_in=4, code_out=4, out=1))
    >>> *positions, z = encoder(torch.rand(2, 1, 9, 9))
    >>> z.shape, decoder(z, tuple(positions)).shape, decoder(z).shape
    (torch.Size([2, 4, 4, 4]), torch.Size([2, 1, 9, 9]), torch.Size([2, 1, 9, 9]))
    """

    example: ClassVar[str] = (  # for pictures of 28 x 28
        "stack:encoder=conv:8;relu/pool/linear, decoder=linear:1568/reshape:8;14;14/upsample/conv"
    )

    encoder: tuple[str | Layer, ...] = param(("linear",), "layers down to the code", kind="layer")
    decoder: tuple[str | Layer, ...] = param(("linear",), "layers from the code to the likelihood", kind="layer")

    def __post_init__(self) -> None:
        """Read the layers that came as text.

        Raises ``InputError`` for a layer that is not understood.
        """
        super().__post_init__()
        try:
            for name in ("encoder", "decoder"):
                object.__setattr__(self, name, tuple(map(_layer, getattr(self, name))))
        except InputError as error:
            hint = f"{error.hint}, as in" if error.hint else "/ between layers and ; within one, as in"
            raise InputError(error.came, error.accepted, f"{hint} {self.example!r}") from None

    @property
    def guided(self) -> bool:
        """Unpooling reads the positions of the encoder's maxima."""
        return any(isinstance(layer, Unpool) for layer in self.decoder)

    def build(self, sizes: Sizes) -> tuple[nn.Module, nn.Module]:
        """Return encoder and decoder for data of these sizes.

        Raises ``InputError`` where the layers do not fit the data or the code.
        """
        shape = (sizes.shape[0] + sizes.n_cond, *sizes.shape[1:])
        down, shapes = chain(self.encoder, shape, sizes.code_in)
        if shapes[-1][0] != sizes.code_in:
            came = f"The encoder ends with {shapes[-1][0]} channels, but the code reads {sizes.code_in}"
            raise InputError(came, "as many", Setting("latent_dim", shapes[-1][0]))
        around = zip(down, shapes[:-1], shapes[1:], strict=True)
        pools = [(before, after, layer.size) for layer, before, after in around if isinstance(layer, MaxPool)]
        wanted = sum(isinstance(layer, Unpool) for layer in self.decoder)
        if wanted > len(pools):
            raise InputError(f"{wanted} unpools for {len(pools)} max-pools", "a max-pool for every unpool", "upsample")
        code = (sizes.code_out + sizes.n_cond, *shapes[-1][1:])
        up, shapes = chain(self.decoder, code, sizes.out, pools)
        if shapes[-1] != (sizes.out, *sizes.target[1:]):
            steps = " -> ".join("x".join(map(str, stage)) for stage in shapes)
            came = f"The decoder ends with {shapes[-1]} values ({steps})"
            raise InputError(came, f"{(sizes.out, *sizes.target[1:])}, as the likelihood wants")
        return StackEncoder(down, keeps=wanted), StackDecoder(up)


def _layer(value: Any) -> Any:
    return as_part("layer", value.replace(";", ",") if isinstance(value, str) else value)


@torch.no_grad()
def chain(
    specs: Sequence[Any], shape: Shape, end: int, pools: Sequence[tuple[Shape, Shape, int]] = ()
) -> tuple[list[nn.Module], list[Shape]]:
    """Return the layers, and the shape before each and after the last.

    ``end`` is the number of channels where a layer leaves them open; ``pools`` are the encoder's max-pools: the shapes
    before and after, and the size of the windows.

    Raises ``InputError`` for a layer that cannot follow the one before it.
    """
    layers: list[nn.Module] = []
    shapes, pools = [tuple(shape)], list(pools)
    for spec in specs:
        if getattr(spec, "channels", 0) is None:
            spec = replace(spec, channels=end)
        layer = unpool(shapes[-1], *pools.pop()) if isinstance(spec, Unpool) else spec.build(shapes[-1])
        try:
            out = layer.eval()(torch.zeros(1, *shapes[-1]))
        except (RuntimeError, ValueError, IndexError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"The layer {spec} cannot follow a shape of {shapes[-1]} ({reason})") from None
        layers.append(layer.train())
        shapes.append(tuple((out[0] if isinstance(layer, MaxPool) else out).shape[1:]))
    return layers, shapes


def unpool(shape: Shape, before: Shape, after: Shape, size: int) -> "Positions":
    """Return the layer that undoes a max-pool; refuse maps of another shape than the pool gave."""
    if shape != after:
        raise InputError(f"An unpool cannot follow a shape of {shape}", f"{after}, as its max-pool gave")
    return Positions(before[1:], size)


class Positions(nn.Module):
    """Unpools to an image of a size, at positions where they are known, else at the top left of every window."""

    def __init__(self, side: Shape, size: int):
        super().__init__()
        self.side, self.size = tuple(side), size

    def forward(self, h: Tensor, positions: Tensor | None = None) -> Tensor:
        """Return the larger image."""
        return max_unpool(h, positions, self.side, self.size)


class StackEncoder(nn.Module):
    """Layers in a row; the positions of the last ``keeps`` max-pools go along with the code."""

    def __init__(self, layers: list[nn.Module], keeps: int):
        super().__init__()
        self.layers, self.keeps = nn.ModuleList(layers), keeps

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the positions of maxima that the decoder reads, and the code."""
        positions: list[Tensor] = []
        for layer in self.layers:
            if isinstance(layer, MaxPool):
                x, where = layer(x)
                positions.append(where)
            else:
                x = layer(x)
        return (*positions[len(positions) - self.keeps :], x)


class StackDecoder(nn.Module):
    """Layers in a row; unpools read the encoder's positions, the last first."""

    def __init__(self, layers: list[nn.Module]):
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, z: Tensor, skips: tuple[Tensor, ...] = ()) -> Tensor:
        """Return the likelihood's numbers."""
        positions = list(skips)
        for layer in self.layers:
            unpools = isinstance(layer, Positions) and positions
            z = layer(z, positions.pop()) if unpools else layer(z)
        return z
