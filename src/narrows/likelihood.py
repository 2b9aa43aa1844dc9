"""What the decoder's numbers mean: p(target | params), features on axis 1, nats per value.

Mean squared error is a Gaussian of fixed scale, cross-entropy a Bernoulli, absolute error a Laplace, each up to a constant.
"""

import math
from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from narrows.params import Part, param, part

__all__ = ["Bernoulli", "Categorical", "Gaussian", "Laplace", "Likelihood", "Multinomial"]

_LOG_2PI = math.log(2 * math.pi)
_GAIN = 10.0  # a lone scale learns this much faster than a weight, so that it settles within an epoch


class Pricing(ABC):
    """Reads ``n_params`` numbers per value of the target and prices the target in nats."""

    n_params: int = 1

    def n_out(self, shape: tuple[int, ...]) -> int:
        """Return how many channels the decoder must give for a target of this shape (C, *spatial)."""
        return self.n_params * shape[0]

    def start(self, target: Tensor) -> None:  # noqa: B027 - most have nothing to start from
        """Set weights of its own from a sample of targets; nothing by default."""

    def centre(self, target: Tensor) -> Tensor | None:
        """Return the parameters that fit all rows of ``target`` at once, (n_out, *spatial); None where unknown."""
        return None

    @abstractmethod
    def log_prob(self, params: Tensor, target: Tensor) -> Tensor:
        """Return the log-probability of every value, in nats, in the target's shape."""

    @abstractmethod
    def mean(self, params: Tensor) -> Tensor:
        """Return the expected target: the reconstruction."""

    @abstractmethod
    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return one draw of the target for every row of ``params``."""

    def nats(self, params: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return -log p(target | params) of every row, (B,); ``weight`` hides values (0) or stresses them."""
        nats = self.log_prob(params, target).neg()
        return (nats if weight is None else nats * weight).flatten(1).sum(1)


class Likelihood(Pricing, Part):
    """A likelihood as a setting; ``build`` gives the part that the model owns: itself, or a module with weights."""

    kind: ClassVar[str] = "likelihood"
    support: ClassVar[tuple[float, float]] = (-math.inf, math.inf)

    def build(self, shape: tuple[int, ...]) -> Pricing:
        """Return what prices targets of this shape."""
        return self


def _normal_log_prob(mean: Tensor, target: Tensor, log_scale: Tensor | float) -> Tensor:
    scaled = (target - mean) * (torch.exp(-log_scale) if isinstance(log_scale, Tensor) else math.exp(-log_scale))
    return scaled.square().mul(-0.5) - log_scale - 0.5 * _LOG_2PI


def _normal(shape: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(shape.shape, generator=generator, dtype=shape.dtype, device=shape.device)


def _uniform(shape: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.rand(shape.shape, generator=generator, dtype=shape.dtype, device=shape.device)


@part("gaussian")
class Gaussian(Likelihood):
    """N(params, scale²): scale 1 is half the squared error plus 0.919 nats per value.

    ``scale="learnt"`` fits one scale for all values (sigma-VAE, Rybkin et al. 2021); ``scale="predicted"`` lets the decoder
    give a mean and a log-scale for every value.

    Examples
    --------
    >>> Gaussian().nats(torch.zeros(1, 2), torch.tensor([[0.0, 2.0]])).item()  # 2 * 0.919 + 2² / 2
    3.837877035140991
    """

    scale: float | Literal["learnt", "predicted"] = param(1.0, "standard deviation, 'learnt' or 'predicted'", gt=0)

    def build(self, shape: tuple[int, ...]) -> Pricing:
        """Return itself, or a module that owns the scale."""
        if self.scale == "learnt":
            return LearntGaussian()
        return PredictedGaussian() if self.scale == "predicted" else self

    def centre(self, target: Tensor) -> Tensor | None:
        """Return the mean row."""
        return target.mean(0)

    def log_prob(self, params: Tensor, target: Tensor) -> Tensor:
        """Return the log-density of every value, in nats."""
        return _normal_log_prob(params, target, math.log(self.scale))  # type: ignore[arg-type]

    def mean(self, params: Tensor) -> Tensor:
        """Return the mean."""
        return params

    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return a draw."""
        return params + _normal(params, generator) * self.scale  # type: ignore[operator]


class LearntGaussian(nn.Module, Pricing):
    """N(params, scale²) with one scale, learnt with the network and started at the data's own deviation."""

    def __init__(self) -> None:
        super().__init__()
        self.raw = nn.Parameter(torch.zeros(()))

    @property
    def log_scale(self) -> Tensor:
        """The logarithm of the scale."""
        return self.raw * _GAIN

    def start(self, target: Tensor) -> None:
        """Start at the deviation of the targets around their mean row."""
        deviation = target.float().var(0, correction=0).mean().sqrt().clamp_min(1e-3)
        with torch.no_grad():
            self.raw.fill_(deviation.log().item() / _GAIN)

    def centre(self, target: Tensor) -> Tensor | None:
        """Return the mean row."""
        return target.mean(0)

    def log_prob(self, params: Tensor, target: Tensor) -> Tensor:
        """Return the log-density of every value, in nats."""
        return _normal_log_prob(params, target, self.log_scale)

    def mean(self, params: Tensor) -> Tensor:
        """Return the mean."""
        return params

    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return a draw."""
        return params + _normal(params, generator) * self.log_scale.exp()


class PredictedGaussian(Pricing):
    """N(mean, scale²) with both from the decoder: the first half of the channels are means, the second log-scales."""

    n_params = 2

    def log_prob(self, params: Tensor, target: Tensor) -> Tensor:
        """Return the log-density of every value, in nats."""
        mean, log_scale = params.chunk(2, 1)
        return _normal_log_prob(mean, target, log_scale.clamp(-7, 7))

    def mean(self, params: Tensor) -> Tensor:
        """Return the mean."""
        return params.chunk(2, 1)[0]

    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return a draw."""
        mean, log_scale = params.chunk(2, 1)
        return mean + _normal(mean, generator) * log_scale.clamp(-7, 7).exp()


@part("laplace")
class Laplace(Likelihood):
    """Laplace(params, scale): scale 1 is the absolute error plus 0.693 nats per value.

    Examples
    --------
    >>> round(Laplace().nats(torch.zeros(1, 1), torch.tensor([[2.0]])).item(), 4)  # 2 + log 2
    2.6931
    """

    scale: float = param(1.0, "mean absolute deviation", gt=0)

    def centre(self, target: Tensor) -> Tensor | None:
        """Return the mean row."""
        return target.mean(0)

    def log_prob(self, params: Tensor, target: Tensor) -> Tensor:
        """Return the log-density of every value, in nats."""
        return (target - params).abs().div(-self.scale) - math.log(2 * self.scale)

    def mean(self, params: Tensor) -> Tensor:
        """Return the centre."""
        return params

    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return a draw, by inverting the distribution function."""
        half = _uniform(params, generator) - 0.5
        return params - self.scale * half.sign() * torch.log1p(-2 * half.abs())


@part("bernoulli")
class Bernoulli(Likelihood):
    """Binary values with logits ``params``; a grey level in [0, 1] is read as a probability (cross-entropy).

    Examples
    --------
    >>> round(Bernoulli().nats(torch.zeros(1, 3), torch.ones(1, 3)).item(), 4)  # 3 log 2
    2.0794
    """

    support: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def centre(self, target: Tensor) -> Tensor | None:
        """Return the logits of the mean row."""
        return target.mean(0).clamp(0.01, 0.99).logit()

    def log_prob(self, params: Tensor, target: Tensor) -> Tensor:
        """Return minus the cross-entropy of every value, in nats."""
        return -F.binary_cross_entropy_with_logits(params, target, reduction="none")

    def mean(self, params: Tensor) -> Tensor:
        """Return the probability of one."""
        return params.sigmoid()

    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return zeros and ones."""
        return torch.bernoulli(params.sigmoid(), generator=generator)


@part("categorical")
class Categorical(Likelihood):
    """One label out of ``n_classes`` per value of the target, with ``n_classes`` logits each.

    Channel ``c * n_classes + k`` of the decoder is the logit of class ``k`` for target channel ``c``.

    Examples
    --------
    >>> round(Categorical(4).nats(torch.zeros(1, 4), torch.tensor([[2]])).item(), 4)  # log 4
    1.3863
    """

    n_classes: int = param(2, "number of labels", ge=2)
    support: ClassVar[tuple[float, float]] = (0.0, math.inf)

    def n_out(self, shape: tuple[int, ...]) -> int:
        """Return ``n_classes`` channels per target channel."""
        return self.n_classes * shape[0]

    def _logits(self, params: Tensor) -> Tensor:
        return params.unflatten(1, (-1, self.n_classes)).log_softmax(2)  # (B, C, K, *spatial)

    def log_prob(self, params: Tensor, target: Tensor) -> Tensor:
        """Return the log-probability of every label, in nats."""
        return self._logits(params).gather(2, target.long().unsqueeze(2)).squeeze(2)

    def mean(self, params: Tensor) -> Tensor:
        """Return the probabilities, in the decoder's own shape."""
        return self._logits(params).exp().flatten(1, 2)

    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return labels, by the Gumbel maximum."""
        logits = self._logits(params)
        uniform = _uniform(logits, generator).clamp_min(torch.finfo(logits.dtype).tiny)
        return (logits - torch.log(-torch.log(uniform))).argmax(2)


@part("multinomial")
class Multinomial(Likelihood):
    """Counts over the features of a row, e.g. what one user consumed (Liang et al. 2018), with its coefficient.

    Examples
    --------
    >>> round(Multinomial().nats(torch.zeros(1, 2), torch.tensor([[1.0, 1.0]])).item(), 4)  # 2! * 1/2 * 1/2
    0.6931
    """

    support: ClassVar[tuple[float, float]] = (0.0, math.inf)

    def log_prob(self, params: Tensor, target: Tensor) -> Tensor:
        """Return each feature's share of the row's log-probability, in nats; their sum is exact."""
        total = target.sum(1, keepdim=True)
        coefficient = torch.lgamma(total + 1) / total.clamp_min(1)
        return target * (params.log_softmax(1) + coefficient) - torch.lgamma(target + 1)

    def mean(self, params: Tensor) -> Tensor:
        """Return the probabilities of the features."""
        return params.softmax(1)

    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return one count per row: the next item."""
        chosen = torch.multinomial(params.softmax(1), 1, generator=generator)
        return torch.zeros_like(params).scatter_(1, chosen, 1)
