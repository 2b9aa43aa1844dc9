"""What a fit asks of a family, whatever else an estimator can do."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from narrows.data.pairs import Batch, Pairs
from narrows.estimator.problem import Problem
from narrows.likelihood import Likelihood, LikelihoodModule
from narrows.model import Model
from narrows.networks import Network

__all__ = ["Family"]


class Family(Protocol):
    """The settings of an estimator that a fit reads, and what it calls to make a model and to start it."""

    name: Any
    latent_dim: int
    likelihood: str | Likelihood
    epochs: int | None
    start: Any
    batch_size: int
    validation: float
    device: str
    devices: int
    precision: Any
    threads: int | None
    compile: bool
    random_state: int | np.random.RandomState | None
    warm_start: bool
    weights: str | Path | None
    checkpoint: str | Path | None
    verbose: bool

    @property
    def trains(self) -> bool:
        """Whether a fit learns by passes over the rows."""

    def build(self, problem: Problem) -> Model:
        """Return the model for data of these shapes."""

    def prepare(self, model: Model, pairs: Pairs) -> None:
        """Start the model from the data."""

    def problem(self, shapes: tuple[Any, ...], priced: LikelihoodModule) -> Problem:
        """Return what ``build`` is given."""

    def chosen_network(self, shape: tuple[int, ...]) -> Network:
        """Return the network as asked, or by the shape of the data."""

    @staticmethod
    def encode_batch(model: Model, batch: Batch) -> Tensor:
        """Return the codes of a batch as rows (B, d)."""
