"""A density of fractions: the continuous Bernoulli law (Loaiza-Ganem & Cunningham 2019)."""

import math

import torch
from torch import Tensor

from narrows import moments
from narrows.base_measure import Lebesgue
from narrows.likelihood.base import Likelihood, uniform
from narrows.parts import part

__all__ = ["ContinuousBernoulli"]

_SMALL = 0.05  # halves of logits below which a series is as good as single precision, and double to 1e-12
_FLAT = 1e-6  # of a smaller logit draws are those of a uniform law
_RARE = 0.01  # logits do not start beyond a mean so close to 0 or 1
_STEPS = 60  # of the bisection that finds a logit
_FURTHEST = 2 / _RARE  # the largest logit that it looks at: a mean of 0.01 has -100


@part("continuous-bernoulli")
class ContinuousBernoulli(Likelihood):
    """Fractions from 0 to 1 with logits ``params``: a density, proportional to the price of ``bernoulli``.

    The density is ``exp(logit * x) * logit / (exp(logit) - 1)``. Its mean is not the probability of one.

    Examples
    --------
    >>> law, logit = ContinuousBernoulli(), torch.full((1, 1), 2.0)
    >>> round(law.nll(logit, torch.tensor([[0.25]])).item(), 4)  # log((e² - 1) / 2) - 2 / 4
    0.6614
    """

    base = Lebesgue()

    @property
    def support(self) -> tuple[float, float]:
        """From 0 to 1."""
        return 0.0, 1.0

    def constant_params(self, target: Tensor, weight: Tensor | None = None) -> Tensor | None:
        """Return the logits under which the mean row is expected, within 1 and 99 per cent."""
        mean = moments.mean(target, weight).clamp(_RARE, 1 - _RARE)
        low, high = torch.full_like(mean, -_FURTHEST), torch.full_like(mean, _FURTHEST)
        for _ in range(_STEPS):
            middle = 0.5 * (low + high)
            above = self.mean(middle) > mean
            low, high = torch.where(above, low, middle), torch.where(above, middle, high)
        return 0.5 * (low + high)

    def log_prob(self, params: Tensor, target: Tensor) -> Tensor:
        """Return the log-density of every value, in nats."""
        return params * (target - 0.5) - _log_sinhc(0.5 * params)

    def mean(self, params: Tensor) -> Tensor:
        """Return the expected fraction, 1 / (1 - exp(-logit)) - 1 / logit."""
        half = 0.5 * params
        small = half.abs() < _SMALL
        safe = torch.where(small, 1.0, half)
        series = half / 3 - half.pow(3) / 45 + 2 * half.pow(5) / 945
        return 0.5 + 0.5 * torch.where(small, series, 1 / safe.tanh() - 1 / safe)

    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return a draw, by inverting the distribution function, counted from the likelier end."""
        steep = params.abs().clamp_min(_FLAT)
        falling = -torch.log1p(uniform(params, generator) * torch.expm1(-steep)) / steep
        return torch.where(params > 0, 1 - falling, falling)


def _log_sinhc(half: Tensor) -> Tensor:
    """Return log(sinh(h) / h), the logarithm of the normaliser about the middle, which is even in the logit.

    Examples
    --------
    >>> _log_sinhc(torch.tensor([0.0, 1.0, -300.0], dtype=torch.float64)).tolist()
    [0.0, 0.161439361571195..., 293.60307...]
    """
    small = half.abs() < _SMALL
    size = torch.where(small, 1.0, half.abs())
    square = half.square()
    series = square / 6 - square.square() / 180 + square.pow(3) / 2835
    return torch.where(small, series, size + torch.log1p(-torch.exp(-2 * size)) - torch.log(size) - math.log(2))
