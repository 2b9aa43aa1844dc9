"""Narrows: the autoencoder toolkit. Names are imported when they are first used."""

import os
import sys
from importlib import import_module
from typing import Any

from narrows._version import __version__ as __version__

if "torch" not in sys.modules:
    # Threads that wait by spinning for milliseconds make training ten times slower once another process wants the core;
    # threads that never spin make it twice as slow on a quiet machine. torch reads this when it is loaded.
    os.environ.setdefault("GOMP_SPINCOUNT", "5000")

_PLACES = {
    "families": """
        AdversarialAutoEncoder:adversarial AutoEncoder:autoencoder ConditionalVAE:conditional_vae
        ContractiveAutoEncoder:contractive DenoisingAutoEncoder:denoising LinearAutoEncoder:linear
        LinearRecommender:linear_recommender SparseAutoEncoder:sparse StackedAutoEncoder:stacked VAE:vae VQVAE:vqvae
        WassersteinAutoEncoder:wasserstein
    """,
    "tasks": """
        AnomalyDetector:anomaly
        CodeClassifier:classify
        Denoiser:denoise
        DensityEstimator:density
        FeatureDictionary:sparse
        Generator:generate
        Recommender:recommend
        Reducer:reduce
        Segmenter:segment
        Translator:translate
        Upscaler:upscale
    """,
    "": """
        Blur:corruption Downscale:corruption GaussianNoise:corruption Grey:corruption Jpeg:corruption
        Mask:corruption Patches:corruption PoissonNoise:corruption SaltPepper:corruption Swap:corruption
        Warp:corruption
        Pairs:data check:data read:data stored:data.stream
        ArtefactError:errors InputError:errors
        Estimator:estimator Problem:estimator
        Bernoulli:likelihood Categorical:likelihood ContinuousBernoulli:likelihood Gaussian:likelihood
        Laplace:likelihood Mixed:likelihood Multinomial:likelihood Poisson:likelihood
        Model:model
        Conv:networks Dense:networks Dictionary:networks ItemItem:networks Linear:networks ResNet:networks
        Residual:networks Stack:networks UNet:networks
        AuxK:penalties Contractive:penalties Critic:penalties Dice:penalties Edges:penalties
        KLSparsity:penalties L1:penalties Neighbours:penalties Orthogonal:penalties
        Cosine:schedule Ramp:schedule
        train:training
    """,
}
_HOME = {
    name: ".".join(filter(None, ("narrows", folder, module)))
    for folder, text in _PLACES.items()
    for name, _, module in (word.partition(":") for word in text.split())
}

__all__ = sorted([*_HOME, "__version__", "load", "report"])


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'narrows' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__


def load(folder: Any, parts: Any = ()) -> Any:
    """Return the fitted family or task that ``save`` or ``narrows fit`` wrote to ``folder``."""
    import_module("narrows.families")
    import_module("narrows.tasks")
    return import_module("narrows.artefact").load(folder, parts)


def report(fitted: Any, X: Any, folder: Any, y: Any = None, train: Any = None) -> Any:
    """Write report.html and report.json on how a task fitted to ``train`` does on rows ``X``, and return the report."""
    return import_module("narrows.report.make").report(fitted, X, folder, y, train)
