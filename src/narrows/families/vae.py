"""Variational autoencoder (Kingma & Welling 2014) and beta-VAE (Higgins et al. 2017)."""

from typing import ClassVar

from narrows.bottlenecks import Variational
from narrows.estimator.base import Estimator, Problem
from narrows.likelihood import Likelihood
from narrows.model import Model
from narrows.params import param
from narrows.schedule import Schedule, number_or_schedule

__all__ = ["VAE"]


class VAE(Estimator):
    """A code with a Gaussian posterior and prior, at a price of ``beta`` per nat; ``sample`` draws new rows.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data / 16
    >>> vae = VAE(latent_dim=4, epochs=5, random_state=0).fit(X)
    >>> vae.sample(3, random_state=0).shape
    (3, 64)
    """

    has_prior: ClassVar[bool] = True

    latent_dim: int = param(16, "numbers in the code", ge=1)
    likelihood: str | Likelihood = param("gaussian:learnt", "what the decoder's numbers mean", kind="likelihood")
    beta: float | str | Schedule = param(
        1.0, "price of a nat of code, or a schedule: ramp:0,1,0.2", ge=0, kind="schedule"
    )
    free_bits: float = param(0.0, "nats of every latent dimension that cost nothing while training", ge=0)

    def build(self, problem: Problem) -> Model:
        """Return network, variational code, likelihood."""
        code = Variational(self.latent_dim, number_or_schedule(self.beta), self.free_bits)
        return problem.model(self.chosen_network(problem.shape), code)
