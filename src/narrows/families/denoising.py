"""Denoising autoencoder (Vincent et al. 2008)."""

from typing import Any, ClassVar, Self

import torch

from narrows.bottlenecks import Free
from narrows.corruption import Corruption
from narrows.data.pairs import Pairs
from narrows.estimator.base import Estimator, Problem
from narrows.model import Model
from narrows.params import param
from narrows.parts import as_part
from narrows.training.random import derive_seed, fork_rng, seed_of

__all__ = ["DenoisingAutoEncoder"]


class DenoisingAutoEncoder(Estimator):
    """Reconstructs clean rows from corrupted ones; ``reconstruct`` cleans rows that come in noisy.

    To pairs of noisy and clean rows, ``fit_pairs(Pairs(noisy, clean))``, it adds nothing. A ``corruption`` takes the
    place of ``noise``.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data / 16
    >>> model = DenoisingAutoEncoder(noise="mask:0.25", epochs=3, random_state=0).fit(X)
    >>> model.reconstruct(X[:2]).shape
    (2, 64)
    """

    rows_network: ClassVar[str] = "dense:bypass"

    latent_dim: int = param(128, "numbers in the code", ge=1)
    noise: str | Corruption = param("gaussian:0.3", "what is done to the input while training", kind="corruption")
    fresh: bool = param(True, "new noise for every batch; off: drawn once for all rows")

    def unused(self) -> dict[str, str]:
        """Return the settings that change nothing; noise where a corruption takes its place."""
        return super().unused() | ({} if self.corruption is None else {"noise": "a corruption takes its place"})

    def build(self, problem: Problem) -> Model:
        """Return network, free code, likelihood, with the noise before everything."""
        noisy = problem._replace(corruption=self._added() if self.fresh and not problem.paired else None)
        return noisy.model(self.chosen_network(problem.shape), Free(self.latent_dim))

    def fit_pairs(self, pairs: Pairs, likelihood: Any = None, *, valid: Pairs | None = None, **more: Any) -> Self:
        """Fit on clean rows, or on explicit pairs; noise that is drawn once is drawn here."""
        if not self.fresh:
            noise = self._added()
            pairs = noised(pairs, noise, self.random_state, 1)
            valid = valid and noised(valid, noise, self.random_state, 2)
        return super().fit_pairs(pairs, likelihood, valid=valid, **more)

    def _added(self) -> Corruption:
        """Return what is done to the input."""
        noise: Corruption = as_part("corruption", self.noise if self.corruption is None else self.corruption)
        return noise


def noised(pairs: Pairs, noise: Corruption, random_state: Any, stream: int) -> Pairs:
    """Return pairs of noisy and clean rows; those that are pairs already stay as they are.

    Without a seed the noise is the same in every fit, so that a fit can go on.
    """
    _, target, cond, weight = pairs.columns
    if target is not None:
        return pairs
    clean = torch.cat([batch.x for batch in pairs.as_scored().batches(4096)])
    with fork_rng(derive_seed(seed_of(random_state), stream)):
        return Pairs(noise(clean), clean, cond, weight, dtype=pairs.dtype, augment=pairs.augment)
