"""Vector-quantised autoencoder (van den Oord et al. 2017), and finite scalar quantisation (Mentzer et al. 2023)."""

import math
from typing import Any, ClassVar, Self, cast

import numpy as np
import torch
from torch import Tensor

from narrows.bottlenecks import FSQ, CodePrior, Free, Quantizer, VectorQuantizer
from narrows.bottlenecks.code_prior import PriorEncoder, Through
from narrows.data.pairs import Batch, Pairs
from narrows.estimator.base import Estimator, Problem
from narrows.estimator.fitting import learn
from narrows.estimator.inference import run
from narrows.likelihood import Categorical
from narrows.model import Model
from narrows.networks import Network, ResNet
from narrows.params import MOST_EPOCHS, param
from narrows.training.deadline import part_of_time, within
from narrows.training.random import fork_rng

__all__ = ["VQVAE"]

_CODE_SHARE = 0.8  # of a time budget that the code may take; the rest is the prior's
_MAX_PRIOR_STEPS = 2000  # that the prior is trained for at most, where nothing is said


class VQVAE(Estimator):
    """A code of entries of a codebook: images become a map of entries, rows of a table ``groups`` of them.

    With ``levels`` every number of the code is rounded to so many levels instead, and no codebook is learnt.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data / 16
    >>> model = VQVAE(latent_dim=16, groups=4, codes=32, epochs=5, random_state=0).fit(X)
    >>> model.indices(X).shape
    (1797, 4)
    """

    has_prior: ClassVar[bool] = True
    rows_network: ClassVar[str] = "dense"

    latent_dim: int = param(64, "channels of the code, shared by the groups; with levels: as many as levels ask", ge=1)
    codes: int = param(512, "entries of the codebook", ge=2)
    groups: int = param(1, "entries per place", ge=1, le=1024)
    commitment: float = param(0.25, "price of the distance between code and entry (beta of the paper)", ge=0)
    levels: tuple[int, ...] | None = param(None, "round each number to so many levels, e.g. 8,5,5,5", ge=2)
    prior_epochs: int | None = param(
        None,
        "passes over the codes to learn which go together; none: as many as for the code; 0: drawn alone",
        ge=0,
        le=MOST_EPOCHS,
    )

    @property
    def trains(self) -> bool:
        """Whether a fit learns by passes over the rows, or over their codes."""
        return self.epochs != 0 or bool(self.prior_epochs)

    def unused(self) -> dict[str, str]:
        """Return the settings that change nothing; those of a codebook where levels take its place."""
        names = () if self.levels is None else ("latent_dim", "codes", "commitment")
        return super().unused() | dict.fromkeys(names, "levels take the place of a codebook")

    def build(self, problem: Problem) -> Model:
        """Return network, codebook or levels, likelihood."""
        code: Quantizer
        if self.levels is None:
            code = VectorQuantizer(self.latent_dim, self.codes, self.groups, self.commitment)
        else:
            code = FSQ(self.levels, self.groups)
        model = problem.model(self.chosen_network(problem.shape), code)
        if self.prior_epochs != 0:
            with torch.no_grad():
                places = code.indices(model.eval().features(torch.zeros(1, *problem.shape)))[0].numel()
            code.prior = CodePrior(code.n_codes, places)
        return model.train()

    def fit_pairs(self, pairs: Pairs, likelihood: Any = None, **more: Any) -> Self:
        """Fit the code, then the prior over its entries."""
        with within(self.minutes):
            with part_of_time(_CODE_SHARE if self.prior_epochs != 0 else 1.0):
                super().fit_pairs(pairs, likelihood, **more)
            return self._fit_prior(pairs)

    def _fit_prior(self, pairs: Pairs) -> Self:
        code = cast("Quantizer", self.model_.bottleneck)
        if code.prior is not None:
            entries = run(self.model_, pairs.as_scored(), entries_of, self.scoring_device())
            rows = Pairs(entries.astype(np.float32), weight=pairs.row_weight).balanced()
            size = math.ceil(len(rows) / self.batch_size)
            most = min(self.n_epochs_, max(1, round(_MAX_PRIOR_STEPS / size)))
            epochs = most if self.prior_epochs is None else self.prior_epochs
            places = code.prior.length
            prior = Model(PriorEncoder(code.prior), Free(places * code.n_codes), Through(), Categorical(code.n_codes))
            with fork_rng(self.seed_):
                learn(self, prior, rows, epochs)
            self.model_.to("cpu").eval()
        return self

    def chosen_network(self, shape: tuple[int, ...]) -> Network:
        """Return the network as asked; for images one whose code is maps."""
        if self.network is None and len(shape) == 3:
            return ResNet((64, 128), flat=False)
        return super().chosen_network(shape)

    def indices(self, X: Any) -> np.ndarray:
        """Return the entries that stand for every row, (n, groups * places), whole numbers."""
        return self.map_rows(X, None, entries_of)


def entries_of(model: Model, batch: Batch) -> Tensor:
    """Return the entries of a batch in a row, (B, groups * places)."""
    return cast("Quantizer", model.bottleneck).indices(model.features(batch.x, batch.cond)).flatten(1)
