"""What every likelihood can do."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from narrows import moments
from narrows.base_measure import BaseMeasure
from narrows.parts import Part

__all__ = ["Likelihood", "LikelihoodModule", "normal", "per_value", "uniform"]

_ROUNDED = 1e-5  # how far beyond the end of its range rounding may take a target


class LikelihoodModule(ABC):
    """Reads ``n_params`` numbers per value of the target and prices the target in nats."""

    n_params: int = 1
    labels: bool = False  # True: targets are whole numbers that name classes
    real: bool = False  # True: parameters are values of the data, in their units
    counts: bool = False  # True: targets are counts, which no level of grey is
    shares: bool = False  # True: the mean is shares of labels or items, no row

    @property
    def error_name(self) -> str:
        """What ``error`` is; empty where the mean is no row, so that there is none."""
        return "" if self.shares else "mean squared error"

    def n_out(self, shape: tuple[int, ...]) -> int:
        """Return how many channels the decoder must give for a target of this shape (C, *spatial)."""
        return self.n_params * shape[0]

    def start(self, target: Tensor, weight: Tensor | None = None) -> None:  # noqa: B027 - most start from nothing
        """Set weights of its own from a sample of targets; nothing by default.

        Here and below a row counts ``weight`` (n,) times: rows with weights and rows repeated give the same numbers.
        """

    def constant_params(self, target: Tensor, weight: Tensor | None = None) -> Tensor | None:
        """Return the parameters that fit all rows of ``target`` at once, (n_out, *spatial); None where unknown."""
        return None

    def marginal(self, target: Tensor) -> Tensor | None:
        """Return the parameters of rows (B, C, *spatial) of whose code nothing is known, (n_out, *spatial), or None."""
        return self.constant_params(target)

    def params_spread(self, target: Tensor, weight: Tensor | None = None) -> float:
        """Return how far parameters lie from ``constant_params``: as targets from their mean; 1 if not ``real``."""
        return moments.variance(target, weight).mean().sqrt().item() if self.real else 1.0

    @abstractmethod
    def log_prob(self, params: Tensor, target: Tensor) -> Tensor:
        """Return the log-probability of every value, in nats, in the target's shape (B, C, *spatial).

        ``params`` are (B, n_out, *spatial), as everywhere below.
        """

    @abstractmethod
    def mean(self, params: Tensor) -> Tensor:
        """Return the expected target, (B, C, *spatial): the reconstruction."""

    @abstractmethod
    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return one draw of the target, (B, C, *spatial), for every row of ``params``."""

    def nll(self, params: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return -log p(target | params) of every row, (B,); ``weight`` hides values (0) or stresses them."""
        nats = self.log_prob(params, target).neg()
        return (nats if weight is None else nats * weight).flatten(1).sum(1)

    def error(self, params: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return how far the mean is from the target of every row, (B,): what reports measure, without a scale."""
        return per_value((self.mean(params) - target).square(), weight)

    def background(self, params: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the nll of the columns by themselves, (B,), which have some probability for all that may come."""
        return self.nll(params, target, weight)


class Likelihood(LikelihoodModule, Part):
    """A likelihood as a setting; ``build`` gives the part that the model owns: itself, or a module with weights."""

    kind: ClassVar[str] = "likelihood"
    base: ClassVar[BaseMeasure | None] = None  # of every value; None: a row alone has no density

    @property
    def support(self) -> tuple[float, float]:
        """The smallest and the largest target that has a probability."""
        return -math.inf, math.inf

    def impossible(self, values: Tensor) -> Tensor:
        """Return which targets have no probability, in their shape; rounding may take them a little beyond the ends."""
        low, high = self.support
        return ~((values >= low - _ROUNDED) & (values <= high + _ROUNDED))

    @property
    def accepted(self) -> str:
        """The targets that have a probability, in words."""
        low, high = self.support
        return f"counts of {low:g} or more" if self.counts else f"values in [{low:g}, {high:g}]"

    def bases(self, n: int) -> Sequence[BaseMeasure | None]:
        """Return what the densities of ``n`` values are densities of."""
        return [self.base] * n

    def build(self, shape: tuple[int, ...]) -> LikelihoodModule:
        """Return what prices targets of this shape."""
        return self


class BuiltLikelihood(Likelihood):
    """A likelihood that prices by the module that it builds: by itself, as that is before it has learnt anything."""

    def log_prob(self, params: Tensor, target: Tensor) -> Tensor:
        """Return the log-probability of every value, with the first scales or dispersions of the module."""
        return self.build(tuple(target.shape[1:])).log_prob(params, target)

    def mean(self, params: Tensor) -> Tensor:
        """Return the expected row."""
        return self.build(tuple(params.shape[1:])).mean(params)

    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return a draw, with the first scales or dispersions of the module."""
        return self.build(tuple(params.shape[1:])).sample(params, generator)


def per_value(errors: Tensor, weight: Tensor | None) -> Tensor:
    """Return the mean of the values of every row, (B,), weighted where there are weights; 0 for a row without any.

    Examples
    --------
    >>> per_value(torch.tensor([[1.0, 3.0], [1.0, 3.0]]), torch.tensor([[1.0, 1.0], [0.0, 2.0]])).tolist()
    [2.0, 3.0]
    """
    if weight is None:
        return errors.flatten(1).mean(1)
    weight = weight.expand_as(errors).flatten(1)
    return (errors.flatten(1) * weight).sum(1) / weight.sum(1).clamp_min(torch.finfo(weight.dtype).tiny)


def normal(like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Return draws from N(0, 1) in the shape, type and place of ``like``."""
    return torch.randn(like.shape, generator=generator, dtype=like.dtype, device=like.device)


def uniform(like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Return draws from [0, 1) in the shape, type and place of ``like``."""
    return torch.rand(like.shape, generator=generator, dtype=like.dtype, device=like.device)
