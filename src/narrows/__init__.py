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
    "families": "AutoEncoder:autoencoder DenoisingAutoEncoder:denoising LinearAutoEncoder:linear VAE:vae "
    "AdversarialAutoEncoder:adversarial ConditionalVAE:conditional_vae ContractiveAutoEncoder:contractive "
    "SparseAutoEncoder:sparse StackedAutoEncoder:stacked VQVAE:vqvae WassersteinAutoEncoder:wasserstein",
    "tasks": "Denoiser:denoise Reducer:reduce",
    "": "Bernoulli:likelihood Categorical:likelihood Gaussian:likelihood Laplace:likelihood Multinomial:likelihood "
    "GaussianNoise:corruption Mask:corruption SaltPepper:corruption Swap:corruption L1:penalties "
    "Contractive:penalties KLSparsity:penalties Orthogonal:penalties Dice:penalties Edges:penalties "
    "Critic:penalties Cosine:schedule Ramp:schedule Conv:networks Dense:networks Linear:networks ResNet:networks "
    "Stack:networks UNet:networks Model:model Pairs:data CodeClassifier:supervised Estimator:estimator "
    "Problem:estimator stored:data.stream InputError:errors ArtefactError:errors read:data check:data train:training",
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


def report(fitted: Any, X: Any, folder: Any, y: Any = None) -> Any:
    """Write report.html and report.json on how a fitted task does on rows ``X``, and return the report."""
    return import_module("narrows.report.make").report(fitted, X, folder, y)
