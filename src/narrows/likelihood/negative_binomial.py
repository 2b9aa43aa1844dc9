"""The likelihood of counts that vary more than those of single events."""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from scipy.special import gammaincinv
from torch import Tensor, nn

from narrows import moments
from narrows.likelihood.base import BuiltLikelihood, LikelihoodModule, uniform
from narrows.likelihood.discrete import MAX_LOG_RATE, Counts
from narrows.params import param
from narrows.parts import part

__all__ = ["NegativeBinomial", "draw", "log_dispersion", "log_prob"]

_RARE = 0.01  # a mean that parameters start at, at least
_LEAST, _MOST = -7.0, 7.0  # log-dispersions: at the least, of a mean of 100, the variance is a tenth above Poisson's
_GAIN = 10.0  # as for a learnt scale: it settles within an epoch


def log_prob(log_mean: Tensor, log_dispersion: Tensor, target: Tensor) -> Tensor:
    """Return the log-probability of counts in nats; -inf for a negative one. The variance is m + dispersion m².

    Examples
    --------
    >>> chances = log_prob(torch.tensor(0.0), torch.tensor(0.0), torch.arange(3.0)).exp()  # 2**-(y + 1)
    >>> [round(chance, 4) for chance in chances.tolist()]
    [0.5, 0.25, 0.125]
    """
    ratio = log_mean.clamp_max(MAX_LOG_RATE) + log_dispersion
    size = torch.exp(-log_dispersion.double())
    count = target.clamp_min(0).double()
    ways = torch.lgamma(count + size) - torch.lgamma(size) - torch.lgamma(count + 1)
    exact = ways - size * F.softplus(ratio.double()) - count * F.softplus(-ratio.double())
    return torch.where(target < 0, -torch.inf, exact.to(log_mean))


def log_dispersion(target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return the logarithms of the dispersions that give counts (n, ...) their variance, in float64.

    Examples
    --------
    >>> round(log_dispersion(torch.tensor([[0.0], [2.0], [10.0]])).exp().item(), 4)  # (18.67 - 4) / 4²
    0.9167
    """
    mean = moments.mean(target.double(), weight)
    beyond = (moments.variance(target, weight) - mean) / mean.square().clamp_min(_RARE**2)
    return beyond.clamp(math.exp(_LEAST), math.exp(_MOST)).log()


def draw(log_mean: Tensor, log_dispersion: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Return counts of these means and dispersions: Poisson's, with rates of a gamma law."""
    size = torch.exp(-log_dispersion)
    size = size.detach()
    level = uniform(size.double(), generator)
    rate = torch.from_numpy(gammaincinv(size.double().cpu().numpy(), level.cpu().numpy())).to(size)
    return torch.poisson(log_mean.clamp_max(MAX_LOG_RATE).exp() * rate / size, generator=generator)


@part("negative-binomial")
class NegativeBinomial(BuiltLikelihood, Counts):
    """Counts, with ``params`` the logarithm of the mean m, and a variance of m + dispersion m² (Hilbe 2011, NB2).

    Where the dispersion goes to 0 they are Poisson's. ``dispersion="learnt"`` fits one for every feature, "predicted"
    lets the decoder give one for every value.

    Examples
    --------
    >>> law = NegativeBinomial().build((1,))
    >>> law.start(torch.tensor([[0.0], [2.0], [10.0]]))
    >>> round(law.nll(torch.zeros(1, 1), torch.tensor([[1.0]])).item(), 3)  # a count of 1 where the mean is 1
    1.36
    """

    dispersion: Literal["learnt", "predicted"] = param(
        "learnt", "what the variance exceeds the mean by, over its square: of a feature, or of every value"
    )

    def build(self, shape: tuple[int, ...]) -> LikelihoodModule:
        """Return the module that owns or reads the dispersions."""
        return LearntDispersion(shape) if self.dispersion == "learnt" else PredictedDispersion()


class LearntDispersion(nn.Module, LikelihoodModule):
    """One dispersion for every feature, started at that of the counts around their mean row."""

    counts = True

    def __init__(self, shape: tuple[int, ...]):
        super().__init__()
        self.raw = nn.Parameter(torch.zeros(shape[0], *[1] * (len(shape) - 1)))

    @property
    def log_dispersion(self) -> Tensor:
        """The logarithms of the dispersions, (C, 1, ...)."""
        return (self.raw * _GAIN).clamp(_LEAST, _MOST)

    def start(self, target: Tensor, weight: Tensor | None = None) -> None:
        """Start at the dispersions of the targets around their mean row."""
        features = log_dispersion(target, weight).reshape(len(self.raw), -1).mean(1)
        with torch.no_grad():
            self.raw.copy_(features.reshape(self.raw.shape) / _GAIN)

    def constant_params(self, target: Tensor, weight: Tensor | None = None) -> Tensor | None:
        """Return the logarithms of the mean row, from a count of 0.01 on."""
        return moments.mean(target, weight).clamp_min(_RARE).log()

    def log_prob(self, params: Tensor, target: Tensor) -> Tensor:
        """Return the log-probability of every count, in nats; -inf for a negative one."""
        return log_prob(params, self.log_dispersion.to(params), target)

    def mean(self, params: Tensor) -> Tensor:
        """Return the means."""
        return params.clamp_max(MAX_LOG_RATE).exp()

    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return counts."""
        return draw(params, self.log_dispersion.to(params).expand_as(params), generator)


class PredictedDispersion(LikelihoodModule):
    """Both from the decoder: the first half of the channels are log-means, the second log-dispersions."""

    n_params = 2
    counts = True

    def constant_params(self, target: Tensor, weight: Tensor | None = None) -> Tensor | None:
        """Return the logarithms of the mean row and of the dispersions around it."""
        mean = moments.mean(target, weight).clamp_min(_RARE).log()
        return torch.cat([mean, log_dispersion(target, weight).to(mean)])

    def _parameters(self, params: Tensor) -> tuple[Tensor, Tensor]:
        log_mean, dispersion = params.chunk(2, 1)
        return log_mean, dispersion.clamp(_LEAST, _MOST)

    def log_prob(self, params: Tensor, target: Tensor) -> Tensor:
        """Return the log-probability of every count, in nats; -inf for a negative one."""
        return log_prob(*self._parameters(params), target)

    def mean(self, params: Tensor) -> Tensor:
        """Return the means."""
        return params.chunk(2, 1)[0].clamp_max(MAX_LOG_RATE).exp()

    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return counts."""
        return draw(*self._parameters(params), generator)
