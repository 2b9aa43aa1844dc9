"""Written by `python -m narrows.declarations`: what type checkers see."""

from narrows.likelihood.atoms import Atoms as Atoms
from narrows.likelihood.base import Likelihood as Likelihood
from narrows.likelihood.base import LikelihoodModule as LikelihoodModule
from narrows.likelihood.continuous import Gaussian as Gaussian
from narrows.likelihood.continuous import Laplace as Laplace
from narrows.likelihood.continuous import LearntGaussian as LearntGaussian
from narrows.likelihood.continuous import PredictedGaussian as PredictedGaussian
from narrows.likelihood.continuous_bernoulli import ContinuousBernoulli as ContinuousBernoulli
from narrows.likelihood.discrete import Bernoulli as Bernoulli
from narrows.likelihood.discrete import Categorical as Categorical
from narrows.likelihood.discrete import Multinomial as Multinomial
from narrows.likelihood.discrete import Poisson as Poisson
from narrows.likelihood.mixed import Mixed as Mixed
from narrows.likelihood.mixed_columns import MixedColumns as MixedColumns
from narrows.likelihood.negative_binomial import NegativeBinomial as NegativeBinomial

__all__ = [
    "Atoms",
    "Bernoulli",
    "Categorical",
    "ContinuousBernoulli",
    "Gaussian",
    "Laplace",
    "LearntGaussian",
    "Likelihood",
    "LikelihoodModule",
    "Mixed",
    "MixedColumns",
    "Multinomial",
    "NegativeBinomial",
    "Poisson",
    "PredictedGaussian",
]
