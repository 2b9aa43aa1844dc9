"""Written by `python -m narrows.declarations`: what type checkers see."""

import collections.abc
import pathlib
import typing

from ._version import __version__ as __version__
from .corruption.pictures import Blur as Blur
from .corruption.pictures import Downscale as Downscale
from .corruption.pictures import Grey as Grey
from .corruption.pictures import Jpeg as Jpeg
from .corruption.pictures import Patches as Patches
from .corruption.values import GaussianNoise as GaussianNoise
from .corruption.values import Mask as Mask
from .corruption.values import PoissonNoise as PoissonNoise
from .corruption.values import SaltPepper as SaltPepper
from .corruption.values import Swap as Swap
from .corruption.warp import Warp as Warp
from .data import Pairs as Pairs
from .data import check as check
from .data import describe as describe
from .data import read as read
from .data.disk.stored import stored as stored
from .data.tables.transformer import Table as Table
from .errors import ArtefactError as ArtefactError
from .errors import InputError as InputError
from .estimator.base import Estimator as Estimator
from .estimator.problem import Problem as Problem
from .families.adversarial import AdversarialAutoEncoder as AdversarialAutoEncoder
from .families.autoencoder import AutoEncoder as AutoEncoder
from .families.conditional_vae import ConditionalVAE as ConditionalVAE
from .families.contractive import ContractiveAutoEncoder as ContractiveAutoEncoder
from .families.denoising import DenoisingAutoEncoder as DenoisingAutoEncoder
from .families.linear import LinearAutoEncoder as LinearAutoEncoder
from .families.linear_recommender import LinearRecommender as LinearRecommender
from .families.sparse import SparseAutoEncoder as SparseAutoEncoder
from .families.stacked import StackedAutoEncoder as StackedAutoEncoder
from .families.vae import VAE as VAE
from .families.vqvae import VQVAE as VQVAE
from .families.wasserstein import WassersteinAutoEncoder as WassersteinAutoEncoder
from .likelihood.continuous import Gaussian as Gaussian
from .likelihood.continuous import Laplace as Laplace
from .likelihood.continuous_bernoulli import ContinuousBernoulli as ContinuousBernoulli
from .likelihood.discrete import Bernoulli as Bernoulli
from .likelihood.discrete import Categorical as Categorical
from .likelihood.discrete import Multinomial as Multinomial
from .likelihood.discrete import Poisson as Poisson
from .likelihood.mixed import Mixed as Mixed
from .likelihood.negative_binomial import NegativeBinomial as NegativeBinomial
from .model import Model as Model
from .networks.autoregressive import Autoregressive as Autoregressive
from .networks.conv import Conv as Conv
from .networks.dense import Dense as Dense
from .networks.dictionary import Dictionary as Dictionary
from .networks.item_item import ItemItem as ItemItem
from .networks.linear import Linear as Linear
from .networks.residual import Residual as Residual
from .networks.resnet import ResNet as ResNet
from .networks.sequence import Sequence as Sequence
from .networks.stack import Stack as Stack
from .networks.unet import UNet as UNet
from .penalties.aux_k import AuxK as AuxK
from .penalties.code import KLSparsity as KLSparsity
from .penalties.code import L1 as L1
from .penalties.code import Orthogonal as Orthogonal
from .penalties.critic import Critic as Critic
from .penalties.jacobian import Contractive as Contractive
from .penalties.neighbours import Neighbours as Neighbours
from .penalties.pictures import Dice as Dice
from .penalties.pictures import Edges as Edges
from .schedule import Cosine as Cosine
from .schedule import Ramp as Ramp
from .tasks.anomaly.detector import AnomalyDetector as AnomalyDetector
from .tasks.classify.classifier import CodeClassifier as CodeClassifier
from .tasks.denoise import Denoiser as Denoiser
from .tasks.density.estimator import DensityEstimator as DensityEstimator
from .tasks.generate.generator import Generator as Generator
from .tasks.impute.imputer import Imputer as Imputer
from .tasks.recommend import Recommender as Recommender
from .tasks.reduce.reducer import Reducer as Reducer
from .tasks.segment.segmenter import Segmenter as Segmenter
from .tasks.sparse import FeatureDictionary as FeatureDictionary
from .tasks.translate import Translator as Translator
from .tasks.upscale import Upscaler as Upscaler
from .training import train as train

__all__ = [
    "AdversarialAutoEncoder",
    "AnomalyDetector",
    "ArtefactError",
    "AutoEncoder",
    "Autoregressive",
    "AuxK",
    "Bernoulli",
    "Blur",
    "Categorical",
    "CodeClassifier",
    "ConditionalVAE",
    "ContinuousBernoulli",
    "Contractive",
    "ContractiveAutoEncoder",
    "Conv",
    "Cosine",
    "Critic",
    "Denoiser",
    "DenoisingAutoEncoder",
    "Dense",
    "DensityEstimator",
    "Dice",
    "Dictionary",
    "Downscale",
    "Edges",
    "Estimator",
    "FeatureDictionary",
    "Gaussian",
    "GaussianNoise",
    "Generator",
    "Grey",
    "Imputer",
    "InputError",
    "ItemItem",
    "Jpeg",
    "KLSparsity",
    "L1",
    "Laplace",
    "Linear",
    "LinearAutoEncoder",
    "LinearRecommender",
    "Mask",
    "Mixed",
    "Model",
    "Multinomial",
    "NegativeBinomial",
    "Neighbours",
    "Orthogonal",
    "Pairs",
    "Patches",
    "Poisson",
    "PoissonNoise",
    "Problem",
    "Ramp",
    "Recommender",
    "Reducer",
    "ResNet",
    "Residual",
    "SaltPepper",
    "Segmenter",
    "Sequence",
    "SparseAutoEncoder",
    "Stack",
    "StackedAutoEncoder",
    "Swap",
    "Table",
    "Translator",
    "UNet",
    "Upscaler",
    "VAE",
    "VQVAE",
    "Warp",
    "WassersteinAutoEncoder",
    "__version__",
    "check",
    "describe",
    "load",
    "read",
    "report",
    "stored",
    "train",
]

def load(folder: str | pathlib.Path, parts: collections.abc.Sequence[type] = ()) -> typing.Any: ...
def report(
    fitted: typing.Any,
    X: typing.Any,
    folder: str | pathlib.Path,
    y: typing.Any = None,
    train: typing.Any = None,
    *,
    figures: bool = True,
) -> dict[str, typing.Any]: ...
