"""What every network spec is, and the sizes that it is built for."""

import math
from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple, Self

import torch
from torch import Tensor, nn

from narrows.errors import InputError, Sentence, Setting
from narrows.parts import Part

__all__ = ["Network", "Sizes", "as_rows", "require_images"]


class Sizes(NamedTuple):
    """The numbers at the two ends of a network; shapes are (C, *spatial), without the batch."""

    shape: tuple[int, ...]  # of the input
    target: tuple[int, ...]  # of the target
    code_in: int  # numbers that the bottleneck reads per code unit
    code_out: int  # numbers that it gives to the decoder
    out: int  # channels that the likelihood wants
    n_cond: int = 0  # columns of the condition, appended to x and to z

    @property
    def row(self) -> int:
        """The numbers of one input as a row: its values, then its condition."""
        return math.prod(self.shape) + self.n_cond


class Network(Part, ABC):
    """A frozen spec of an encoder and a decoder.

    The encoder maps (B, C, *spatial) to a tuple of feature maps, deepest last, all but the last being skips; the
    decoder maps (z, skips) to (B, out, *spatial of the target).
    """

    kind: ClassVar[str] = "network"

    @property
    def skips(self) -> bool:
        """Whether the decoder reads the encoder's maps, so that it could copy the input."""
        return False

    @property
    def guided(self) -> bool:
        """Whether the decoder reads maps or positions of the encoder, and has not learnt to do with a code alone."""
        return self.skips

    @property
    def multiple(self) -> int:
        """What the sides of pictures of other sizes than it is built for must divide by; 0: it takes no others."""
        return 0

    def of_steps(self, channels: int) -> Self:
        """Return the network for flat windows of a series, all channels of a step, then those of the next one."""
        return self

    @abstractmethod
    def build(self, sizes: Sizes) -> tuple[nn.Module, nn.Module]:
        """Return (encoder, decoder) for data of these sizes; every module is born whole."""

    def start(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        x: Tensor,
        constant_params: Tensor | None,
        weight: Tensor | None = None,
    ) -> None:
        """Set first weights of its own from inputs that count ``weight`` times; ``constant_params`` fit all targets."""


def require_images(name: str, sizes: Sizes) -> None:
    """Refuse rows that are no images."""
    if len(sizes.shape) != 3:
        raise InputError(
            f"The network {name!r} cannot read rows of shape {sizes.shape}",
            "images (channels, height, width)",
            Sentence(Setting("image_shape", (1, 28, 28)), " for flattened images, or ", Setting("network", "dense")),
        )


def as_rows(x: Tensor, channels: int) -> Tensor:
    """Return (B, C, *spatial) as rows; features beyond ``channels`` are the same everywhere and come once, at the end.

    Examples
    --------
    >>> as_rows(torch.arange(12.0).reshape(1, 3, 2, 2), 2).tolist()
    [[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]]
    """
    if x.ndim == 2 or x.shape[1] == channels:
        return x.flatten(1)
    return torch.cat([x[:, :channels].flatten(1), x[:, channels:].flatten(2)[:, :, 0]], 1)
