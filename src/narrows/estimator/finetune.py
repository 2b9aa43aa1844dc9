"""Labels on top of a code: a copy of a fitted encoder with a linear head, tuned as one."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from narrows.bottlenecks import Bottleneck, Code
from narrows.corruption import Corruption
from narrows.data.pairs import Pairs
from narrows.estimator.base import Estimator
from narrows.estimator.fitting import single
from narrows.estimator.inputs import model_rows
from narrows.holdout import VALIDATION
from narrows.likelihood import Categorical
from narrows.model import Model
from narrows.networks.blocks import ACTIVATIONS
from narrows.training.checkpoint import Checkpoint
from narrows.training.fit import Job, Outcome, Settings, fit
from narrows.training.flops import multiply_adds
from narrows.training.random import fork_rng
from narrows.training.runtime import Runtime

__all__ = ["SHARED", "Tuning", "headed", "tune"]


SHARED = ("schedule", "warm_up", "clip", "drop_last", "patience", "precision", "compile")  # by codes and labels


@dataclass(frozen=True)
class Tuning:
    """How the layers are tuned with labels."""

    epochs: int | None
    lr: float
    weight_decay: float
    batch_size: int
    validation: float
    corruption: Corruption | None = None
    dropout: float = 0.0
    balanced: bool = False
    verbose: bool = False

    def settings(self, base: Estimator) -> Settings:
        """Return what a fit needs to know, the rest as the autoencoder had it."""
        options = {name: getattr(self, name) for name in ("epochs", "lr", "weight_decay", "batch_size", "verbose")}
        return replace(Settings.of(base), **options, minutes=None, tensorboard=None)


def tune(
    base: Estimator,
    X: Any,
    places: np.ndarray,
    classes: int,
    tuning: Tuning,
    seed: int,
    checkpoint: Checkpoint | None = None,
) -> tuple[Model, Outcome]:
    """Return a copy of the encoder of ``base`` with a head, tuned on checked rows X whose classes are ``places``."""
    unlabelled = base.pairs(model_rows(X, base.image_shape, base.shapes_[0]), None)
    weights = (1 / np.bincount(places, minlength=classes)[places] * len(places) / classes)[:, None]
    columns = unlabelled.columns[0], places[:, None].astype(np.float32), unlabelled.columns[2]
    pairs = single(Pairs(*columns, torch.from_numpy(weights) if tuning.balanced else None))
    model = headed(base, classes, tuning.corruption, seed)
    kept, held = _split(pairs, places, tuning.validation, seed)
    runtime = Runtime(base.device, 1, base.precision, base.threads, base.compile)
    work = multiply_adds(model, kept.batch(slice(0, 1))) * 3 * min(tuning.batch_size, len(kept))
    saved = checkpoint.load() if checkpoint else None
    job = Job(model, kept, held, tuning.settings(base), seed, runtime.resolve(work), checkpoint, saved)
    with dropped(model.encoder, tuning.dropout):
        outcome = fit(job)
    return model.eval(), outcome


@contextmanager
def dropped(layers: nn.Module, share: float) -> Iterator[None]:
    """Drop a share of the units after every activation in training mode, and make up for it by those that stay.

    Srivastava et al. 2014, "Dropout", section 4.

    Examples
    --------
    >>> layer = nn.Sequential(nn.ReLU())
    >>> with dropped(layer, 0.5):
    ...     sorted(layer(torch.ones(1000)).unique().tolist()), layer.eval()(torch.ones(2)).tolist()
    ([0.0, 2.0], [1.0, 1.0])
    """

    def drop(layer: nn.Module, _: Any, output: Tensor) -> Tensor:
        return F.dropout(output, share, layer.training)

    kinds = tuple(type(make()) for name, make in ACTIVATIONS.items() if name != "identity")
    hooks = [module.register_forward_hook(drop) for module in layers.modules() if share and isinstance(module, kinds)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _split(pairs: Pairs, places: np.ndarray, share: float, seed: int) -> tuple[Pairs, Pairs | None]:
    """Return the rows to learn from and those held out; a class that would only be held out is learnt from."""
    held = replace(VALIDATION, share=share).rows(len(pairs), seed).measure
    held = held[np.isin(places[held], np.delete(places, held))]
    if not len(held):
        return pairs, None
    kept = np.delete(np.arange(len(pairs)), held)
    return pairs.take(kept), pairs.take(held).as_scored()


class Scored(Bottleneck):
    """The code of another bottleneck as it is scored: without noise, without a cost, nothing in it learnt."""

    def __init__(self, code: Bottleneck):
        super().__init__()
        self.code, self.n_in, self.n_out = code, code.n_in, code.n_out

    def train(self, mode: bool = True) -> Self:
        """Change nothing of the code."""
        super().train(mode)
        self.code.eval()
        return self

    def forward(self, h: Tensor, progress: float = 1.0) -> Code:
        """Return the code for nothing."""
        z = self.code(h).z
        return Code(z, z.new_zeros(len(z)))


class Head(nn.Module):
    """One linear layer from a code of any shape to a logit per class."""

    def __init__(self, features: int, classes: int):
        super().__init__()
        self.layer = nn.Linear(features, classes)

    def forward(self, z: Tensor, skips: tuple[Tensor, ...] = ()) -> Tensor:
        """Return logits, (B, classes)."""
        logits: Tensor = self.layer(z.flatten(1))
        return logits


def headed(base: Estimator, classes: int, corruption: Corruption | None, seed: int) -> Model:
    """Return a copy of a fitted encoder under a fresh linear head that starts at zero: every class as likely."""
    model = copy.deepcopy(base.model_)
    width = model.bottleneck.n_out + (base.shapes_[2] or 0)
    with fork_rng(seed):
        head = Head(int(np.prod(base.code_shape_)) // model.bottleneck.n_out * width, classes)
        nn.init.zeros_(head.layer.weight), nn.init.zeros_(head.layer.bias)
    return Model(model.encoder, Scored(model.bottleneck), head, Categorical(classes), corruption=corruption).train()
