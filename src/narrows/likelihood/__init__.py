"""What the decoder's numbers mean: p(target | params), features on axis 1, nats per value.

Mean squared error is a Gaussian of fixed scale, cross-entropy a Bernoulli, absolute error a Laplace, each up to a
constant.
"""

from narrows.likelihood.base import Likelihood, Pricing
from narrows.likelihood.continuous import Gaussian, Laplace, LearntGaussian, PredictedGaussian
from narrows.likelihood.continuous_bernoulli import ContinuousBernoulli
from narrows.likelihood.discrete import Bernoulli, Categorical, Multinomial, Poisson
from narrows.likelihood.mixed import Mixed

__all__ = [
    "Bernoulli",
    "Categorical",
    "ContinuousBernoulli",
    "Gaussian",
    "Laplace",
    "LearntGaussian",
    "Likelihood",
    "Mixed",
    "Multinomial",
    "Poisson",
    "PredictedGaussian",
    "Pricing",
]
