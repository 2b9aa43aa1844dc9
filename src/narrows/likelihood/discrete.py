"""Likelihoods of labels, bits and counts; the decoder's numbers are logits."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from narrows import moments
from narrows.base_measure import BaseMeasure, Counting
from narrows.errors import InputError
from narrows.likelihood.base import Likelihood, LikelihoodModule, per_value, uniform
from narrows.params import param
from narrows.parts import part

__all__ = ["Bernoulli", "Categorical", "Multinomial", "Poisson"]

MAX_LOG_RATE = 20.0  # the largest logarithm of a rate that is believed
_RARE = 0.01  # logits do not start beyond this probability, where gradients would vanish


@part("bernoulli")
class Bernoulli(Likelihood):
    """Binary values with logits ``params``; a grey level in [0, 1] is read as a probability (cross-entropy).

    Examples
    --------
    >>> round(Bernoulli().nll(torch.zeros(1, 3), torch.ones(1, 3)).item(), 4)  # 3 log 2
    2.0794
    """

    base = Counting()

    @property
    def support(self) -> tuple[float, float]:
        """From 0 to 1."""
        return 0.0, 1.0

    def constant_params(self, target: Tensor, weight: Tensor | None = None) -> Tensor | None:
        """Return the logits of the mean row, within 1 and 99 per cent."""
        return moments.mean(target, weight).clamp(_RARE, 1 - _RARE).logit()

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
    >>> round(Categorical(4).nll(torch.zeros(1, 4), torch.tensor([[2]])).item(), 4)  # log 4
    1.3863
    """

    n_classes: int = param(2, "number of labels", ge=2)
    ignore: int | None = param(None, "label that costs nothing: void", ge=0)

    labels = shares = True
    base = Counting()

    @property
    def support(self) -> tuple[float, float]:
        """From the first label to the last, or to the void one."""
        return 0.0, float(max(self.n_classes - 1, -1 if self.ignore is None else self.ignore))

    def impossible(self, values: Tensor) -> Tensor:
        """Return which targets name no class: fractions, and labels that are neither a class nor void."""
        named = (values >= 0) & (values < self.n_classes) & (values == values.round())
        return ~named if self.ignore is None else ~named & (values != self.ignore)

    @property
    def accepted(self) -> str:
        """The labels, in words."""
        void = "" if self.ignore is None else f", and {self.ignore} for void"
        return f"whole numbers from 0 to {self.n_classes - 1}{void}"

    def bases(self, n: int) -> Sequence[BaseMeasure | None]:
        """Return what the probabilities of ``n`` values are those of; none where one of them costs nothing."""
        return [self.base if self.ignore is None else None] * n

    @property
    def error_name(self) -> str:
        """What ``error`` is."""
        return "share of wrong labels"

    def n_out(self, shape: tuple[int, ...]) -> int:
        """Return ``n_classes`` channels per target channel."""
        return self.n_classes * shape[0]

    def _logits(self, params: Tensor) -> Tensor:
        shape = (len(params), params.shape[1] // self.n_classes, self.n_classes, *params.shape[2:])
        return params.reshape(shape).log_softmax(2)

    def constant_params(self, target: Tensor, weight: Tensor | None = None) -> Tensor | None:
        """Return the logarithms of the labels' shares, from 1 per cent on."""
        labels, known = self._known(target)
        seen = F.one_hot(labels, self.n_classes).movedim(-1, 2) * known.unsqueeze(2)
        shares = moments.mean(seen.to(torch.get_default_dtype()), weight)
        return (shares / shares.sum(1, keepdim=True).clamp_min(_RARE)).flatten(0, 1).clamp_min(_RARE).log()

    def _known(self, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return the labels, 0 where they are void, and where they are not."""
        labels = target.long()
        known = torch.ones_like(labels, dtype=torch.bool) if self.ignore is None else labels != self.ignore
        return labels * known, known

    def log_prob(self, params: Tensor, target: Tensor) -> Tensor:
        """Return the log-probability of every label, in nats; 0 for a void one."""
        labels, known = self._known(target)
        return self._logits(params).gather(2, labels.unsqueeze(2)).squeeze(2) * known

    def error(self, params: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the share of labels of every row, (B,), that are not the likeliest; void ones are no part of it."""
        labels, known = self._known(target)
        wrong = (self._logits(params).argmax(2) != labels).to(params)
        return per_value(wrong, known.to(params) if weight is None else known * weight)

    def mean(self, params: Tensor) -> Tensor:
        """Return the probabilities, in the decoder's own shape."""
        return self._logits(params).exp().flatten(1, 2)

    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return labels, by the Gumbel maximum."""
        logits = self._logits(params)
        draws = uniform(logits, generator).clamp_min(torch.finfo(logits.dtype).tiny)
        return (logits - torch.log(-torch.log(draws))).argmax(2)


@part("multinomial")
class Multinomial(Likelihood):
    """Counts over the features of a row, e.g. what one user consumed (Liang et al. 2018), with its coefficient.

    Examples
    --------
    >>> round(Multinomial().nll(torch.zeros(1, 2), torch.tensor([[1.0, 1.0]])).item(), 4)  # 2! * 1/2 * 1/2
    0.6931
    """

    counts = shares = True

    @property
    def support(self) -> tuple[float, float]:
        """From 0."""
        return 0.0, math.inf

    def build(self, shape: tuple[int, ...]) -> LikelihoodModule:
        """Return what prices rows of one axis; over the channels of a picture there would be nothing to learn.

        Raises ``InputError`` for rows of more axes.
        """
        if len(shape) != 1:
            came = f"The likelihood 'multinomial' came for rows of shape {shape}"
            raise InputError(came, "rows of one axis, (n, d)", "bernoulli, poisson, or X.reshape(len(X), -1)")
        return self

    def constant_params(self, target: Tensor, weight: Tensor | None = None) -> Tensor | None:
        """Return the logarithms of the features' shares; one that never occurs counts as a tenth of a time."""
        counts = (len(target) * moments.mean(target, weight)).clamp_min(0.1)
        return (counts / counts.sum(0)).log()

    def log_prob(self, params: Tensor, target: Tensor) -> Tensor:
        """Return each feature's share of the row's log-probability, in nats; their sum is exact."""
        total = target.sum(1, keepdim=True)
        coefficient = torch.lgamma(total + 1) / torch.where(total > 0, total, 1)
        return target * (params.log_softmax(1) + coefficient) - torch.lgamma(target + 1)

    def mean(self, params: Tensor) -> Tensor:
        """Return the probabilities of the features."""
        return params.softmax(1)

    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return one count per row: the next item."""
        chosen = torch.multinomial(params.softmax(1), 1, generator=generator)
        return torch.zeros_like(params).scatter_(1, chosen, 1)


class Counts(Likelihood):
    """What the likelihoods of counts share: whole numbers from 0 on are possible, and nothing else."""

    counts = True
    base = Counting()

    @property
    def support(self) -> tuple[float, float]:
        """From 0."""
        return 0.0, math.inf

    def impossible(self, values: Tensor) -> Tensor:
        """Return which targets are no counts: fractions have no probability."""
        return super().impossible(values) | (values != values.round())

    @property
    def accepted(self) -> str:
        """The counts, in words."""
        return "whole numbers from 0"


@part("poisson")
class Poisson(Counts):
    """Counts, with ``params`` the logarithm of the rate.

    Examples
    --------
    >>> round(Poisson().nll(torch.zeros(1, 1), torch.tensor([[2.0]])).item(), 4)  # 1 + log 2!
    1.6931
    """

    def constant_params(self, target: Tensor, weight: Tensor | None = None) -> Tensor | None:
        """Return the logarithms of the mean row, from a count of 0.01 on."""
        return moments.mean(target, weight).clamp_min(_RARE).log()

    def log_prob(self, params: Tensor, target: Tensor) -> Tensor:
        """Return the log-probability of every count, in nats; -inf for a negative one."""
        log_rate = params.clamp_max(MAX_LOG_RATE)
        exact = target * log_rate - log_rate.exp() - torch.lgamma(target.clamp_min(0) + 1)
        return torch.where(target < 0, -torch.inf, exact)

    def mean(self, params: Tensor) -> Tensor:
        """Return the rates."""
        return params.clamp_max(MAX_LOG_RATE).exp()

    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return counts."""
        return torch.poisson(self.mean(params), generator=generator)
