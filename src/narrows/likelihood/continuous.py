"""Likelihoods of real numbers: squared and absolute error, each with its scale."""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from narrows import moments
from narrows.base_measure import Lebesgue
from narrows.likelihood.base import Likelihood, LikelihoodModule, normal, uniform
from narrows.params import param
from narrows.parts import part

__all__ = ["Gaussian", "Laplace", "LearntGaussian", "PredictedGaussian"]

_LOG_2PI = math.log(2 * math.pi)
_GAIN = 10.0  # a lone scale learns this much faster than a weight, so that it settles within an epoch
_MIN_DEVIATION = 1e-3  # the smallest deviation that a scale is started at
_WIDEST = 7.0  # the largest log-scale, of either sign, that a decoder may predict


def _log_prob(mean: Tensor, target: Tensor, log_scale: Tensor) -> Tensor:
    return (target - mean).mul(torch.exp(-log_scale)).square().mul(-0.5) - log_scale - 0.5 * _LOG_2PI


def _squares(params: Tensor, target: Tensor) -> Tensor:
    """Return the squared error of every row, (B,), in one pass forward and one back."""
    return F.mse_loss(params, target, reduction="none").flatten(1).sum(1)


@part("gaussian")
class Gaussian(Likelihood):
    """N(params, scale²): scale 1 is half the squared error plus 0.919 nats per value.

    ``scale="learnt"`` fits one scale for all values (sigma-VAE, Rybkin et al. 2021); ``scale="predicted"`` lets the
    decoder give a mean and a log-scale for every value.

    Examples
    --------
    >>> round(Gaussian().nll(torch.zeros(1, 2), torch.tensor([[0.0, 2.0]])).item(), 4)  # 2 * 0.919 + 2² / 2
    3.8379
    """

    real = True
    base = Lebesgue()

    scale: float | Literal["learnt", "predicted"] = param(1.0, "standard deviation, 'learnt' or 'predicted'", gt=0)

    @property
    def _fixed(self) -> float:
        if isinstance(self.scale, str):
            raise TypeError(f"Gaussian(scale={self.scale!r}) prices nothing by itself: call build(shape) first.")
        return float(self.scale)

    def build(self, shape: tuple[int, ...]) -> LikelihoodModule:
        """Return itself, or a module that owns the scale."""
        if self.scale == "learnt":
            return LearntGaussian()
        return PredictedGaussian() if self.scale == "predicted" else self

    def constant_params(self, target: Tensor, weight: Tensor | None = None) -> Tensor | None:
        """Return the mean row."""
        return moments.mean(target, weight)

    def log_prob(self, params: Tensor, target: Tensor) -> Tensor:
        """Return the log-density of every value, in nats."""
        constant = math.log(self._fixed) + 0.5 * _LOG_2PI
        return (target - params).square().mul(-0.5 / self._fixed**2) - constant

    def nll(self, params: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return -log p(target | params) of every row, (B,), by way of the squared error."""
        if weight is not None:
            return super().nll(params, target, weight)
        constant = (math.log(self._fixed) + 0.5 * _LOG_2PI) * target[0].numel()
        return _squares(params, target) * (0.5 / self._fixed**2) + constant

    def mean(self, params: Tensor) -> Tensor:
        """Return the mean."""
        return params

    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return a draw."""
        return params + normal(params, generator) * self._fixed


class LearntGaussian(nn.Module, LikelihoodModule):
    """N(params, scale²) with one scale, learnt with the network and started at the data's own deviation."""

    real = True

    def __init__(self) -> None:
        super().__init__()
        self.raw = nn.Parameter(torch.zeros(()))

    @property
    def log_scale(self) -> Tensor:
        """The logarithm of the scale."""
        return self.raw * _GAIN

    def start(self, target: Tensor, weight: Tensor | None = None) -> None:
        """Start at the deviation of the targets around their mean row."""
        with torch.no_grad():
            self.raw.fill_(math.log(max(self.params_spread(target, weight), _MIN_DEVIATION)) / _GAIN)

    def constant_params(self, target: Tensor, weight: Tensor | None = None) -> Tensor | None:
        """Return the mean row."""
        return moments.mean(target, weight)

    def log_prob(self, params: Tensor, target: Tensor) -> Tensor:
        """Return the log-density of every value, in nats."""
        return _log_prob(params, target, self.log_scale)

    def nll(self, params: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return -log p(target | params) of every row, (B,), by way of the squared error."""
        if weight is not None:
            return super().nll(params, target, weight)
        constant = (self.log_scale + 0.5 * _LOG_2PI) * target[0].numel()
        return _squares(params, target) * torch.exp(-2 * self.log_scale) * 0.5 + constant

    def mean(self, params: Tensor) -> Tensor:
        """Return the mean."""
        return params

    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return a draw."""
        return params + normal(params, generator) * self.log_scale.exp()


class PredictedGaussian(LikelihoodModule):
    """N(mean, scale²), both from the decoder: the first half of the channels are means, the second log-scales."""

    n_params = 2
    real = True

    def constant_params(self, target: Tensor, weight: Tensor | None = None) -> Tensor | None:
        """Return the mean row and the log-deviation around it."""
        deviation = moments.variance(target, weight).sqrt().clamp_min(_MIN_DEVIATION)
        return torch.cat([moments.mean(target, weight), deviation.log().to(target)])

    def params_spread(self, target: Tensor, weight: Tensor | None = None) -> float:
        """Return the deviation of the targets around their mean row, 1 at most: half the channels are logarithms."""
        return min(1.0, super().params_spread(target, weight))

    def log_prob(self, params: Tensor, target: Tensor) -> Tensor:
        """Return the log-density of every value, in nats."""
        mean, log_scale = params.chunk(2, 1)
        return _log_prob(mean, target, log_scale.clamp(-_WIDEST, _WIDEST))

    def mean(self, params: Tensor) -> Tensor:
        """Return the mean."""
        return params.chunk(2, 1)[0]

    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return a draw."""
        mean, log_scale = params.chunk(2, 1)
        return mean + normal(mean, generator) * log_scale.clamp(-_WIDEST, _WIDEST).exp()


@part("laplace")
class Laplace(Likelihood):
    """Laplace(params, scale): scale 1 is the absolute error plus 0.693 nats per value.

    Examples
    --------
    >>> round(Laplace().nll(torch.zeros(1, 1), torch.tensor([[2.0]])).item(), 4)  # 2 + log 2
    2.6931
    """

    real = True
    base = Lebesgue()

    scale: float = param(1.0, "mean absolute deviation", gt=0)

    def constant_params(self, target: Tensor, weight: Tensor | None = None) -> Tensor | None:
        """Return the median row."""
        return moments.median(target, weight)

    def log_prob(self, params: Tensor, target: Tensor) -> Tensor:
        """Return the log-density of every value, in nats."""
        return (target - params).abs().div(-self.scale) - math.log(2 * self.scale)

    def mean(self, params: Tensor) -> Tensor:
        """Return the location."""
        return params

    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return a draw, by inverting the distribution function."""
        half = uniform(params, generator) - 0.5
        most = 0.5 - torch.finfo(half.dtype).eps / 4  # at 0.5 itself, which can be drawn, the result is infinite
        return params - self.scale * half.sign() * torch.log1p(-2 * half.abs().clamp_max(most))
