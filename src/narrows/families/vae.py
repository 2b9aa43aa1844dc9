"""Variational autoencoder (Kingma & Welling 2014) and beta-VAE (Higgins et al. 2017)."""

from numbers import Real
from typing import Any, ClassVar

from narrows.bottlenecks import Variational
from narrows.estimator import Estimator, Problem
from narrows.likelihood import Likelihood
from narrows.model import Model
from narrows.params import param
from narrows.parts import as_part
from narrows.schedule import Schedule

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
        return priced_code(self, problem)


def priced_code(family: Any, problem: Problem) -> Model:
    """Return the model of a family with a network, and a variational code of ``beta`` and ``free_bits``."""
    beta = float(family.beta) if isinstance(family.beta, Real) else as_part("schedule", family.beta)
    code = Variational(family.latent_dim, beta, family.free_bits)
    return problem.model(family.chosen_network(problem.shape), code)
