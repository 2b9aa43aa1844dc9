"""What every network spec is, and the sizes that it is built for."""

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

from torch import Tensor, nn

from narrows.parts import Part

__all__ = ["Network", "Sizes"]


class Sizes(NamedTuple):
    """The numbers at the two ends of a network; shapes are (C, *spatial), without the batch."""

    shape: tuple[int, ...]  # of the input
    target: tuple[int, ...]  # of the target
    code_in: int  # numbers that the bottleneck reads per code unit
    code_out: int  # numbers that it gives to the decoder
    out: int  # channels that the likelihood wants
    n_cond: int = 0  # columns of the condition, appended to x and to z


class Network(Part, ABC):
    """A frozen spec of an encoder and a decoder.

    The encoder maps (B, C, *spatial) to a tuple of feature maps, deepest last, all but the last being skips; the
    decoder maps (z, skips) to (B, out, *spatial of the target).
    """

    kind: ClassVar[str] = "network"
    skips: ClassVar[bool] = False  # True: the decoder reads encoder maps, so a code alone cannot be decoded

    @abstractmethod
    def build(self, sizes: Sizes) -> tuple[nn.Module, nn.Module]:
        """Return (encoder, decoder) for data of these sizes; every module is born whole."""

    def start(self, encoder: nn.Module, decoder: nn.Module, x: Tensor, centre: Tensor | None) -> None:
        """Set first weights of its own from a sample of inputs; ``centre`` fits all targets at once."""
