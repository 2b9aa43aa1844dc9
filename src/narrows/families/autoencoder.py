"""The plain autoencoder: any network, any likelihood, any corruption and penalties."""

from typing import ClassVar

from narrows.bottlenecks import Free
from narrows.estimator.base import Estimator, Problem
from narrows.model import Model

__all__ = ["AutoEncoder"]


class AutoEncoder(Estimator):
    """Reconstructs rows through a code of ``latent_dim`` numbers (Hinton & Salakhutdinov 2006).

    Without a network of the user's, tables and small images get dense layers with a linear path beside them, which
    starts as PCA, so that training begins at the simple competitor.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data / 16
    >>> model = AutoEncoder(latent_dim=8, epochs=5, random_state=0).fit(X)
    >>> model.transform(X).shape, model.reconstruct(X).shape
    ((1797, 8), (1797, 64))
    """

    rows_network: ClassVar[str] = "dense:bypass"

    def build(self, problem: Problem) -> Model:
        """Return network, free code, likelihood."""
        return problem.model(self.chosen_network(problem.shape), Free(self.latent_dim))
