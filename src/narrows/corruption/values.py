"""Corruptions of single values, for rows of any shape."""

import torch
from torch import Tensor

from narrows.corruption.base import Corruption, levels
from narrows.params import param
from narrows.parts import part

__all__ = ["GaussianNoise", "Mask", "PoissonNoise", "SaltPepper", "Swap"]


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
    to: float | None = param(None, "a range: every row draws its deviation from std to this", ge=0)

    @property
    def cuts(self) -> bool:
        """Where it clips."""
        return self.clip

    @property
    def deviation(self) -> float:
        """The largest standard deviation."""
        return max(self.std, self.to or 0)

    def __call__(self, x: Tensor) -> Tensor:
        """Return ``x`` plus noise."""
        noisy = torch.randn_like(x).mul_(levels(x, self.std, self.to)).add_(x)
        return noisy.clamp_(0, 1) if self.clip else noisy

    def words(self) -> str:
        """Return the deviation on both scales."""
        return f"Gaussian noise of standard deviation {span(self.std, self.to)} ({span(self.std, self.to, 255)} of 255)"


@part("poisson")
class PoissonNoise(Corruption):
    """Replaces every value v by a count of mean ``peak`` v, divided by ``peak``: shot noise; values below 0 count as 0.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> round(PoissonNoise(30)(torch.full((200, 200), 0.6)).var().item(), 2)  # 0.6 / 30
    0.02
    """

    peak: float = param(30.0, "mean count at the value 1", gt=0)
    to: float | None = param(None, "a range: every row draws its peak from peak to this", gt=0)

    def __call__(self, x: Tensor) -> Tensor:
        """Return counts on the scale of ``x``."""
        peak = levels(x, self.peak, self.to)
        return torch.poisson(x.clamp_min(0) * peak).div_(peak)

    def words(self) -> str:
        """Return the counts, and the deviation that they mean at the value 1."""
        deviation = self.peak**-0.5
        at_one = f"deviation {deviation:.3g} ({255 * deviation:.3g} of 255) at the value 1"
        return f"Poisson noise of {span(self.peak, self.to)} counts at the value 1 ({at_one})"


@part("mask")
class Mask(Corruption):
    """Sets each value to zero with probability ``rate`` (Vincent et al. 2010, masking noise).

    Examples
    --------
    >>> Mask(1.0)(torch.ones(2, 3)).sum().item()
    0.0
    """

    rate: float = param(0.5, "share of the values that are hidden", ge=0, le=1)
    to: float | None = param(None, "a range: every row draws its rate from rate to this", ge=0, le=1)

    def __call__(self, x: Tensor) -> Tensor:
        """Return ``x`` with values hidden."""
        return torch.where(torch.rand_like(x) < levels(x, self.rate, self.to), 0, x)

    def words(self) -> str:
        """Return the share of the values."""
        return f"values set to 0 at a rate of {span(self.rate, self.to)}"


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
    to: float | None = param(None, "a range: every row draws its rate from rate to this", ge=0, le=1)

    def __call__(self, x: Tensor) -> Tensor:
        """Return ``x`` with salt and pepper."""
        draw, rate = torch.rand_like(x), levels(x, self.rate, self.to)
        return torch.where(draw < rate / 2, self.low, torch.where(draw < rate, self.high, x))

    def words(self) -> str:
        """Return the share of the values."""
        return f"values set to {self.low:g} or {self.high:g} at a rate of {span(self.rate, self.to)}"


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

    def words(self) -> str:
        """Return the share of the values."""
        return f"values swapped with those of other rows at a rate of {self.rate:g}"


def span(low: float, high: float | None, scale: float = 1.0) -> str:
    """Return a level, or a range of them, on another scale.

    Examples
    --------
    >>> span(0.1, None), span(0, 0.2, 255)
    ('0.1', '0 to 51')
    """
    return f"{scale * low:.4g}" + (f" to {scale * high:.4g}" if high is not None else "")
