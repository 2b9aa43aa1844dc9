"""What every bottleneck is, and the one that costs nothing."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

__all__ = ["Bottleneck", "Code", "Free", "Length"]


class Code(NamedTuple):
    """What a bottleneck makes of the encoder's output."""

    z: Tensor  # (B, n_out, *spatial), what the decoder reads
    cost: Tensor  # (B,), in nats, already weighted: added to the loss as it is


class Length(NamedTuple):
    """What it takes to write down the code of one row."""

    numbers: int
    bits: int


class Bottleneck(nn.Module, ABC):
    """Reads ``n_in`` numbers per code unit and gives ``n_out``; features on axis 1."""

    n_in: int
    n_out: int
    term: str = ""  # the name of its cost in the logs; empty when it has none
    comparable: bool = True  # False: the cost is not comparable between epochs, kept out of early stopping
    has_prior: bool = False
    samples_in_eval: bool = False  # True: a validation loss draws codes as training does, so that it stays a bound

    @abstractmethod
    def forward(self, h: Tensor, progress: float = 1.0) -> Code:
        """Return the code of ``h`` (B, n_in, *spatial): random in training mode, deterministic in eval mode."""

    def weigh(self, weight: Tensor | None) -> None:
        """Be told how often every row (B,) of the next batch counts, where a bottleneck learns from rows by itself."""

    def length(self, places: int) -> Length:
        """Return what it takes to write down a code of so many positions: every number, in float32."""
        return Length(self.n_out * places, 32 * self.n_out * places)

    def sample(self, shape: tuple[int, ...], generator: torch.Generator | None = None) -> Tensor:
        """Return codes drawn from the prior, of the given shape (B, n_out, *spatial); TypeError where there is none."""
        raise TypeError(f"{type(self).__name__} has no prior to sample from. Use a VAE.")


class Free(Bottleneck):
    """The code is the encoder's output and costs nothing: the plain autoencoder.

    Examples
    --------
    >>> Free(3)(torch.ones(2, 3)).z.shape
    torch.Size([2, 3])
    """

    def __init__(self, size: int):
        super().__init__()
        self.n_in = self.n_out = size

    def forward(self, h: Tensor, progress: float = 1.0) -> Code:
        """Return ``h`` as it is."""
        return Code(h, h.new_zeros(h.shape[0]))
