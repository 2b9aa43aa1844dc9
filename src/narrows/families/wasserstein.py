"""Wasserstein autoencoder with maximum mean discrepancy (Tolstikhin et al. 2018)."""

from typing import ClassVar

from narrows.bottlenecks import Matched
from narrows.estimator.base import Estimator, Problem
from narrows.model import Model
from narrows.params import param

__all__ = ["WassersteinAutoEncoder"]


class WassersteinAutoEncoder(Estimator):
    """A code whose distribution over all rows is pulled to N(0, I), while every single code stays a point.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data / 16
    >>> model = WassersteinAutoEncoder(latent_dim=4, epochs=5, random_state=0).fit(X)
    >>> model.sample(3, random_state=0).shape
    (3, 64)
    """

    has_prior: ClassVar[bool] = True

    latent_dim: int = param(8, "numbers in the code", ge=1)
    mmd: float = param(10.0, "weight of the maximum mean discrepancy, in nats per row", ge=0)

    def build(self, problem: Problem) -> Model:
        """Return network, matched code, likelihood."""
        return problem.model(self.chosen_network(problem.shape), Matched(self.latent_dim, self.mmd))
