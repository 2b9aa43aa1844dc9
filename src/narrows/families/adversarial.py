"""Adversarial autoencoder (Makhzani et al. 2015)."""

from typing import ClassVar

from narrows.bottlenecks import Adversarial
from narrows.estimator.base import Estimator, Problem
from narrows.model import Model
from narrows.params import param

__all__ = ["AdversarialAutoEncoder"]


class AdversarialAutoEncoder(Estimator):
    """A code that a critic cannot tell from draws of N(0, I), so that such draws decode to new rows.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data / 16
    >>> model = AdversarialAutoEncoder(latent_dim=4, epochs=5, random_state=0).fit(X)
    >>> model.sample(3, random_state=0).shape
    (3, 64)
    """

    has_prior: ClassVar[bool] = True

    latent_dim: int = param(8, "numbers in the code", ge=1)
    adversary: float = param(1.0, "weight of the critic's verdict on the code", gt=0)
    critic: tuple[int, ...] = param((128, 128), "units of the critic's layers", ge=1)

    def build(self, problem: Problem) -> Model:
        """Return network, code with its critic, likelihood."""
        code = Adversarial(self.latent_dim, self.adversary, self.critic)
        return problem.model(self.chosen_network(problem.shape), code)
