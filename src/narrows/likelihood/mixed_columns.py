"""The module behind the mixed likelihood: one law per column, priced in the units of the table."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from narrows import moments
from narrows.base_measure import Measure
from narrows.likelihood import negative_binomial
from narrows.likelihood.atoms import Atoms
from narrows.likelihood.base import LikelihoodModule, normal, uniform
from narrows.likelihood.discrete import Poisson

__all__ = ["KINDS", "MixedColumns"]

KINDS = ("gaussian", "rounded", "bernoulli", "poisson", "negative-binomial", "categorical")
_LOG_2PI = math.log(2 * math.pi)
_GAIN = 10.0  # as for a lone scale: it settles within an epoch
_NARROWEST, _WIDEST = -7.0, 7.0  # log-scales in encoded units: a column may be known to a thousandth of its deviation
_NEW = 1e-3  # share of what was never seen, in a column by itself
_RARE = 0.01  # a probability that logits start at, at least
_FINE = 0.02  # steps of less than so many deviations: the density is the probability
_TAIL = -10.0  # deviations from where on the expansion of the tail is exact in single precision
_SURE = 0.1  # of a step: a smaller deviation of a rounded number says no more, and one that is off costs without bound
_POISSON = Poisson()


class MixedColumns(nn.Module, LikelihoodModule):
    """What ``Mixed`` says; scales of numbers and dispersions are weights, which further channels may change.

    The channels are one per encoded column, one per scale where those are predicted, and a logit for every atom.
    """

    centres: Tensor
    scales: Tensor

    def __init__(self, measures: Sequence[Measure], predicted: bool = False):
        super().__init__()
        self.predicted = predicted
        centre = [measure.centre for measure in measures for _ in range(measure.width)]
        scale = [measure.scale for measure in measures for _ in range(measure.width)]
        self.register_buffer("centres", torch.tensor(centre, dtype=torch.float64), persistent=False)
        self.register_buffer("scales", torch.tensor(scale, dtype=torch.float64), persistent=False)
        self.places: dict[str, list[int]] = {kind: [] for kind in KINDS}
        self.categories: dict[int, list[list[int]]] = {}  # blocks by their width
        atoms: dict[int, tuple[float, ...]] = {}
        start = 0
        for measure in measures:
            columns = list(range(start, start + measure.width))
            self.places[measure.kind] += columns
            if measure.kind == "categorical":
                self.categories.setdefault(measure.width, []).append(columns)
            if measure.atoms:
                atoms[start] = measure.atoms
            start += measure.width
        self.numbers = self.places["gaussian"] + self.places["rounded"]
        self.dispersed = self.places["negative-binomial"]
        self.n_scales = len(self.numbers) + len(self.dispersed)
        self.raw = nn.Parameter(torch.zeros(self.n_scales))
        self.atoms = Atoms(atoms, centre, scale, start + (self.n_scales if predicted else 0))

    def n_out(self, shape: tuple[int, ...]) -> int:
        """Return how many channels the decoder must give."""
        return shape[0] + (self.n_scales if self.predicted else 0) + self.atoms.count

    def log_scale(self, params: Tensor) -> Tensor:
        """Return logarithms: of the scales of gaussian, then rounded numbers in encoded units, then of dispersions."""
        base, first = (self.raw * _GAIN).to(params), len(self.scales)
        changes = params[:, first : first + self.n_scales]
        return (base + changes if self.predicted else base).clamp(_NARROWEST, _WIDEST)

    def start(self, target: Tensor, weight: Tensor | None = None) -> None:
        """Start at the deviations and dispersions of the columns."""
        if self.n_scales:
            with torch.no_grad():
                self.raw.copy_(self._log_spread(target, weight) / _GAIN)

    def constant_params(self, target: Tensor, weight: Tensor | None = None) -> Tensor | None:
        """Return means, log-odds, logarithms of rates and of shares, no change of the scales, and logits of atoms."""
        mean = moments.mean(target, self._counts(target, weight))
        value = (mean * self.scales + self.centres).to(mean)
        bits, counts = self.places["bernoulli"], self.places["poisson"] + self.dispersed + self.places["categorical"]
        mean[bits] = value[bits].clamp(_RARE, 1 - _RARE).logit()
        mean[counts] = value[counts].clamp_min(_RARE).log()
        changes = mean.new_zeros(self.n_scales if self.predicted else 0)
        return torch.cat([mean, changes, self.atoms.constant_params(target, weight)])

    @torch.no_grad()
    def marginal(self, target: Tensor) -> Tensor | None:
        """Return ``constant_params``, with the spread of the columns as scales where those are predicted."""
        values = self.constant_params(target)
        if values is not None and self.predicted:
            place = slice(len(self.scales), len(self.scales) + self.n_scales)
            values[place] = self._log_spread(target, None).to(values) - self.raw.to(values) * _GAIN
        return values

    def _log_spread(self, target: Tensor, weight: Tensor | None) -> Tensor:
        """Return the logarithms of the deviations of numbers, then of the dispersions of counts."""
        counts = self._counts(target, weight)
        numbers, events = (
            counts[:, places] if counts is not None and counts.ndim > 1 else counts
            for places in (self.numbers, self.dispersed)
        )
        deviation = moments.variance(target[:, self.numbers], numbers).sqrt()
        dispersion = negative_binomial.log_dispersion(self._whole(target, self.dispersed), events)
        return torch.cat([deviation.clamp(math.exp(_NARROWEST), math.exp(_WIDEST)).log(), dispersion])

    def _counts(self, target: Tensor, weight: Tensor | None) -> Tensor | None:
        """Return how often each value counts: atoms have a law of their own, and no part in means and deviations."""
        if not self.atoms.count:
            return weight
        real = self.atoms.real(target)
        return real if weight is None else real * weight[:, None].to(real)

    def _whole(self, target: Tensor, places: list[int]) -> Tensor:
        """Return the whole numbers that encoded columns stand for, in float64: large ones too."""
        values: Tensor = target[:, places].double() * self.scales[places].double() + self.centres[places].double()
        return values.round()

    def log_prob(self, params: Tensor, target: Tensor) -> Tensor:
        """Return the log-density or log-probability of every value, in nats; of a category, in the column of its level.

        What was impossible at fit, as a level never seen, has the log-probability -inf.
        """
        out = torch.zeros_like(target)
        numbers, rounded = self.places["gaussian"], self.places["rounded"]
        log_scale = self.log_scale(params)
        if numbers:
            log_sigma = log_scale[..., : len(numbers)]
            gap = (target[:, numbers] - params[:, numbers]) * torch.exp(-log_sigma)
            out[:, numbers] = -0.5 * gap.square() - log_sigma - 0.5 * _LOG_2PI - self.scales[numbers].log().to(params)
        if rounded:
            log_sigma, unit = log_scale[..., len(numbers) : len(self.numbers)], self.scales[rounded].to(params)
            log_sigma = torch.maximum(log_sigma, math.log(_SURE) - unit.abs().log())
            gap = (target[:, rounded] - params[:, rounded]) * torch.exp(-log_sigma)
            out[:, rounded] = _log_cell(gap, torch.exp(-log_sigma) / unit)
        if bits := self.places["bernoulli"]:
            values = self._whole(target, bits).to(target)
            price = F.binary_cross_entropy_with_logits(params[:, bits], values, reduction="none")
            out[:, bits] = torch.where((values == 0) | (values == 1), -price, -torch.inf)
        if counts := self.places["poisson"]:
            out[:, counts] = _POISSON.log_prob(params[:, counts], self._whole(target, counts).to(target))
        if counts := self.dispersed:
            dispersion, values = log_scale[..., len(self.numbers) :], self._whole(target, counts)
            out[:, counts] = negative_binomial.log_prob(params[:, counts], dispersion, values)
        for blocks in self.categories.values():
            chosen = target[:, blocks]  # (B, blocks, width)
            share = params[:, blocks].log_softmax(2) * chosen
            share[..., 0] = torch.where(chosen.sum(2) > 0, share[..., 0], -torch.inf)
            out[:, blocks] = share
        return self.atoms.log_prob(out, params, target)

    def background(self, params: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the nll (B,) with a thousandth of every discrete column for what was impossible at fit."""
        price = self.log_prob(params, target)
        discrete = [*self.places["bernoulli"], *self.places["poisson"], *self.dispersed]
        discrete += [block[0] for block in self._blocks()]
        log_probs = price[:, discrete]
        price[:, discrete] = torch.where(log_probs == -torch.inf, math.log(_NEW), log_probs + math.log1p(-_NEW))
        return self._weighted(-price, weight)

    def _blocks(self) -> list[list[int]]:
        return [block for blocks in self.categories.values() for block in blocks]

    def nll(self, params: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return -log p of every row, (B,), of the values whose weight is not 0."""
        return self._weighted(self.log_prob(params, target).neg(), weight)

    @staticmethod
    def _weighted(nats: Tensor, weight: Tensor | None) -> Tensor:
        return (nats if weight is None else torch.where(weight > 0, nats * weight, 0)).sum(1)

    def mean(self, params: Tensor) -> Tensor:
        """Return the expected rows (B, d) in encoded units; of a category, the probabilities of its levels."""
        rows = self._encoded(params, lambda bits: bits.sigmoid(), _POISSON.mean, lambda levels: levels.softmax(2))
        return self.atoms.mean(rows, params)

    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return a draw in encoded units: whole numbers are whole once decoded, one level of a category is 1."""
        rows = self._encoded(
            params,
            lambda bits: torch.bernoulli(bits.sigmoid(), generator=generator),
            lambda counts: _POISSON.sample(counts, generator),
            lambda levels: _one_hot(levels, generator),
        )
        rounded = self.places["rounded"]
        log_scale, many = self.log_scale(params).broadcast_to(len(params), self.n_scales), len(self.numbers)
        rows[:, self.numbers] += normal(params[:, self.numbers], generator) * log_scale[:, :many].exp()
        if counts := self.dispersed:
            values = negative_binomial.draw(params[:, counts], log_scale[:, many:], generator)
            rows[:, counts] = self._coded(values, counts).to(rows)
        rows[:, rounded] = self._coded(self._whole(rows, rounded), rounded).to(rows)
        return self.atoms.sample(rows, params, generator)

    def _coded(self, values: Tensor, places: list[int]) -> Tensor:
        return (values.double() - self.centres[places].double()) / self.scales[places].double()

    def _encoded(self, params: Tensor, bits, counts, levels) -> Tensor:  # type: ignore[no-untyped-def]
        """Return params with the columns that are no numbers replaced."""
        rows = params[:, : len(self.scales)].clone()
        for kind, function in (("bernoulli", bits), ("poisson", counts), ("negative-binomial", _POISSON.mean)):
            if places := self.places[kind]:
                rows[:, places] = self._coded(function(params[:, places]), places).to(rows)
        for blocks in self.categories.values():
            rows[:, blocks] = levels(params[:, blocks])
        return rows


def _log_cell(gap: Tensor, step: Tensor) -> Tensor:
    """Return log(Phi(gap + step / 2) - Phi(gap - step / 2)): of a Gaussian value rounded to steps.

    Examples
    --------
    >>> round(_log_cell(torch.tensor([0.0]), torch.tensor([2.0])).exp().item(), 4)  # within one deviation
    0.6827
    """
    fine = (step < _FINE).expand_as(gap)
    density = -0.5 * gap.square() - 0.5 * _LOG_2PI + step.log()
    width = torch.where(fine, 1.0, step)
    upper = 0.5 * width - gap.abs()  # the cell mirrored below zero, where the tails are exact
    far = upper < _TAIL
    near = torch.where(far, _TAIL, upper)  # so that what is not taken has a gradient
    top = torch.special.log_ndtr(near)
    exact = top + _log_rest(torch.special.log_ndtr(near - width) - top)
    beyond = torch.where(far, upper, _TAIL)
    return torch.where(fine, density, torch.where(far, _log_far_cell(beyond, width), exact))


def _log_far_cell(upper: Tensor, width: Tensor) -> Tensor:
    """Return log(Phi(upper) - Phi(upper - width)) far below zero, by the first terms of the tail's expansion.

    ``log_ndtr`` has no gradient there in single precision: it is the exponential of a difference of squares.

    Examples
    --------
    >>> exact = torch.special.log_ndtr(torch.tensor([-12.0, -13.0]).double()).exp()
    >>> far = _log_far_cell(torch.tensor(-12.0), torch.tensor(1.0)).exp().item()
    >>> round(far / (exact[0] - exact[1]).item(), 3)
    1.0
    """
    lower = upper - width
    top = -0.5 * upper.square() - 0.5 * _LOG_2PI - (-upper).log() + torch.log1p(-1 / upper.square())
    below = 0.5 * width * (upper + lower) + torch.log(upper / lower)
    return top + _log_rest(below + torch.log1p(-1 / lower.square()) - torch.log1p(-1 / upper.square()))


def _log_rest(log_share: Tensor) -> Tensor:
    """Return the logarithm of what a share leaves."""
    return torch.log(-torch.expm1(log_share.clamp_max(-1e-6)))


def _one_hot(logits: Tensor, generator: torch.Generator | None) -> Tensor:
    """Return one-hot draws of blocks of logits, by the Gumbel maximum."""
    noise = uniform(logits, generator).clamp_min(torch.finfo(logits.dtype).tiny)
    return F.one_hot((logits - torch.log(-torch.log(noise))).argmax(2), logits.shape[2]).to(logits)
