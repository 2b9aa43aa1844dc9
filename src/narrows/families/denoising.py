"""Denoising autoencoder (Vincent et al. 2008)."""

from typing import ClassVar

from narrows.bottlenecks import Free
from narrows.corruption import Corruption
from narrows.estimator import Estimator, Problem
from narrows.model import Model
from narrows.params import param
from narrows.parts import as_part

__all__ = ["DenoisingAutoEncoder"]


class DenoisingAutoEncoder(Estimator):
    """Reconstructs clean rows from corrupted ones; ``reconstruct`` cleans rows that come in noisy.

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

    def build(self, problem: Problem) -> Model:
        """Return network, free code, likelihood, with the noise before everything."""
        noisy = problem._replace(corruption=problem.corruption or as_part("corruption", self.noise))
        return noisy.model(self.chosen_network(problem.shape), Free(self.latent_dim))
