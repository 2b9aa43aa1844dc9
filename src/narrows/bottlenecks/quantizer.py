"""What codes of discrete entries share: numbers for entries, and a prior over them."""

from abc import abstractmethod

import torch
from torch import Tensor

from narrows.bottlenecks.base import Bottleneck, Length
from narrows.bottlenecks.code_prior import CodePrior

__all__ = ["Quantizer"]


class Quantizer(Bottleneck):
    """A code of ``groups`` entries at every position, each one of ``n_codes``."""

    has_prior = True
    n_codes: int
    groups: int

    def __init__(self) -> None:
        super().__init__()
        self.prior: CodePrior | None = None  # learnt after the code; without it entries are drawn independently

    def length(self, places: int) -> Length:
        """Return what it takes to write down a code of so many positions: the numbers of its entries."""
        numbers = self.groups * places
        return Length(numbers, numbers * (self.n_codes - 1).bit_length())

    @abstractmethod
    def indices(self, h: Tensor) -> Tensor:
        """Return the entries of ``h`` as numbers, (B, groups, *spatial)."""

    @abstractmethod
    def lookup(self, indices: Tensor) -> Tensor:
        """Return the vectors of entries (B, groups, *spatial) as (B, n_out, *spatial)."""

    @abstractmethod
    def independent(self, shape: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
        """Return entries drawn each by itself, on the processor."""

    def sample(self, shape: tuple[int, ...], generator: torch.Generator | None = None) -> Tensor:
        """Return codes drawn from the prior."""
        drawn = (shape[0], self.groups, *shape[2:])
        if self.prior is None:
            where = next(self.buffers()).device
            return self.lookup(self.independent(drawn, generator).to(where))
        return self.lookup(self.prior.sample(shape[0], generator).view(drawn))
