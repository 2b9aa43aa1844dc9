"""What is done to the input, and not to the target, while training."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from narrows.params import param
from narrows.parts import Part, part

__all__ = ["Corruption", "GaussianNoise", "Mask", "SaltPepper", "Swap"]


class Corruption(Part, ABC):
    """A random map of a batch (B, C, *spatial) to one of the same shape and dtype."""

    kind: ClassVar[str] = "corruption"
    plain: ClassVar[bool] = True

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor:
        """Return the corrupted batch."""


@part("gaussian")
class GaussianNoise(Corruption):
    """Adds noise N(0, std²) to every value; clips to [0, 1] only when told.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> round(GaussianNoise(0.5)(torch.zeros(100, 100)).std().item(), 2)
    0.5
    """

    std: float = param(0.1, "standard deviation, in units of the data", ge=0)
    clip: bool = param(False, "cut the result to [0, 1]")

    def __call__(self, x: Tensor) -> Tensor:
        """Return ``x`` plus noise."""
        noisy = torch.randn_like(x).mul_(self.std).add_(x)
        return noisy.clamp_(0, 1) if self.clip else noisy


@part("mask")
class Mask(Corruption):
    """Sets each value to zero with probability ``rate`` (Vincent et al. 2010, masking noise).

    Examples
    --------
    >>> Mask(1.0)(torch.ones(2, 3)).sum().item()
    0.0
    """

    rate: float = param(0.5, "share of the values that are hidden", ge=0, le=1)

    def __call__(self, x: Tensor) -> Tensor:
        """Return ``x`` with values hidden."""
        return torch.where(torch.rand_like(x) < self.rate, 0, x)


@part("saltpepper")
class SaltPepper(Corruption):
    """Sets each value with probability ``rate`` to ``low`` or ``high``, half and half (Vincent et al. 2010).

    Examples
    --------
    >>> sorted(set(SaltPepper(1.0)(torch.full((50, 50), 0.3)).flatten().tolist()))
    [0.0, 1.0]
    """

    rate: float = param(0.1, "share of the values that are replaced", ge=0, le=1)
    low: float = param(0.0, "pepper")
    high: float = param(1.0, "salt")

    def __call__(self, x: Tensor) -> Tensor:
        """Return ``x`` with salt and pepper."""
        draw = torch.rand_like(x)
        return torch.where(draw < self.rate / 2, self.low, torch.where(draw < self.rate, self.high, x))


@part("swap")
class Swap(Corruption):
    """Replaces each value with probability ``rate`` by that of another row of the batch, same column.

    Examples
    --------
    >>> x = torch.arange(4.0).unsqueeze(1)
    >>> sorted(Swap(1.0)(x).flatten().tolist())
    [0.0, 1.0, 2.0, 3.0]
    """

    rate: float = param(0.15, "share of the values that are swapped", ge=0, le=1)

    def __call__(self, x: Tensor) -> Tensor:
        """Return ``x`` with values of other rows."""
        other = x[torch.randperm(len(x), device=x.device)]
        return torch.where(torch.rand_like(x) < self.rate, other, x)
