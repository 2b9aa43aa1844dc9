"""Labels on top of a code: a pre-trained encoder with a linear head, tuned as one."""

import copy
import hashlib
from dataclasses import dataclass, replace
from typing import Any, Self, dataclass_transform

import numpy as np
import safetensors.torch
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from narrows.bottlenecks import Bottleneck, Code
from narrows.corruption import Corruption
from narrows.data.pairs import Pairs
from narrows.errors import InputError
from narrows.estimator import Estimator
from narrows.funnel import settings, single, split
from narrows.inference import run
from narrows.inputs import checked_rows, model_rows
from narrows.likelihood import Categorical
from narrows.model import Model
from narrows.params import check_params, param
from narrows.parts import as_part
from narrows.training.checkpoint import Checkpoint
from narrows.training.fit import Job, Settings, fit
from narrows.training.runtime import Runtime
from narrows.training.seeds import drawn, seeded
from narrows.training.work import products

__all__ = ["CodeClassifier"]


@dataclass_transform(kw_only_default=True, field_specifiers=(param,))
@dataclass(kw_only=True, eq=False, repr=False)
class CodeClassifier(ClassifierMixin, BaseEstimator):
    """Learns a code from many rows, then labels from few: all layers are tuned together under the cross-entropy.

    ``fit(X, y, unlabelled=U)`` pre-trains on X and U; with ``prefit`` the estimator is used as it was fitted, and with
    ``pretrain=False`` training starts from the estimator's first weights, as a supervised network would.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from narrows.families.stacked import StackedAutoEncoder
    >>> X, y = load_digits(return_X_y=True)
    >>> code = StackedAutoEncoder(latent_dim=32, network="dense:64", greedy_epochs=2, epochs=0)
    >>> model = CodeClassifier(estimator=code, epochs=40, random_state=0).fit(X[:1500] / 16, y[:1500])
    >>> bool(model.score(X[1500:] / 16, y[1500:]) > 0.88)
    True
    """

    estimator: Estimator = param(None, "the autoencoder whose encoder is used")
    prefit: bool = param(False, "the autoencoder is fitted already")
    pretrain: bool = param(True, "fit the autoencoder before the labels are learnt")
    corruption: str | Corruption | None = param(None, "what is done to the input meanwhile", kind="corruption")
    epochs: int | None = param(None, "passes over the labelled rows; none: as the autoencoder's rule", ge=1)
    lr: float = param(1e-3, "peak learning rate of Adam", gt=0)
    weight_decay: float = param(0.0, "decoupled weight decay (AdamW)", ge=0)
    batch_size: int = param(128, "rows per step", ge=1)
    validation: float = param(0.1, "share of the labelled rows held out for the best epoch", ge=0, lt=1)
    random_state: int | np.random.RandomState | None = param(None, "seed of everything random")
    checkpoint: str | None = param(None, "folder for the resume state of the labels' part; a fit goes on from it")
    verbose: bool = param(False, "show progress")

    def fit(self, X: Any, y: Any, unlabelled: Any = None) -> Self:
        """Fit to rows X with labels y, and to rows without labels where there are any."""
        check_params(self)
        if not isinstance(self.estimator, Estimator):
            raise InputError(f"estimator={self.estimator!r}", "a family, e.g. StackedAutoEncoder()")
        if self.prefit:
            check_is_fitted(self.estimator)
        check_classification_targets(y)
        X = checked_rows(self, X, reset=True)
        if unlabelled is not None:
            unlabelled = checked_rows(self, unlabelled, reset=False)
            if unlabelled.dtype != X.dtype:
                came = f"Rows of type {X.dtype} with labels and of {unlabelled.dtype} without came"
                raise InputError(came, "one type: whole numbers are levels of grey, floats are not")
        classes, targets = classes_of(y, X.shape[0])
        checkpoint = self._checkpoint(Pairs(X, targets), unlabelled)
        saved = checkpoint.load() if checkpoint else None
        seed = saved["seed"] if saved else drawn(self.random_state)
        base = self._coded(X, unlabelled, seed)
        given = base.pairs(model_rows(X, base.image_shape, base.shapes_[0]), None)
        pairs = single(Pairs(given.columns[0], targets, given.columns[2]))
        model = headed(base, len(classes), as_part("corruption", self.corruption), seed)
        options = replace(Settings.of(base), epochs=self.epochs, lr=self.lr, weight_decay=self.weight_decay)
        options = replace(options, batch_size=self.batch_size, verbose=self.verbose, minutes=None, tensorboard=None)
        kept, held = split(pairs, self.validation, seed)
        runtime = Runtime(base.device, 1, base.precision, base.threads, base.compile)
        runtime = runtime.resolve(products(model, kept.batch(slice(0, 1))) * 3 * min(self.batch_size, len(kept)))
        outcome = fit(Job(model, kept, held, options, seed, runtime, checkpoint, saved))
        self.history_, self.stopped_, self.finished_ = outcome.history, outcome.stopped, outcome.finished
        self.model_, self.classes_, self.base_ = model.eval(), classes, base
        return self

    def _checkpoint(self, labelled: Pairs, unlabelled: Any) -> Checkpoint | None:
        """Return the resume state, tied to settings, data and autoencoder; nothing where none is asked for."""
        if not self.checkpoint:
            return None
        data = labelled.fingerprint() + ("" if unlabelled is None else Pairs(unlabelled).fingerprint())
        weights = safetensors.torch.save(self.estimator.model_.state_dict()) if self.prefit else b""
        own = {"weights": hashlib.sha256(weights).hexdigest(), "estimator": repr(settings(self.estimator))}
        return Checkpoint(self.checkpoint, settings(self) | own | {"the data": data})

    def _coded(self, X: Any, unlabelled: Any, seed: int) -> Estimator:
        """Return the autoencoder to start from: fitted as it came, fitted here, or only started."""
        if self.prefit:
            return self.estimator
        base = clone(self.estimator).set_params(random_state=seed)
        if not self.pretrain:
            base.set_params(epochs=0, **({"greedy_epochs": 0} if hasattr(base, "greedy_epochs") else {}))
        join = sp.vstack if sp.issparse(X) else np.concatenate
        fitted: Estimator = base.fit(X if unlabelled is None else join([X, unlabelled]))
        return fitted

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of every class, (n, classes)."""
        check_is_fitted(self, "model_")
        base = self.base_
        rows = model_rows(checked_rows(self, X, reset=False), base.image_shape, base.shapes_[0])
        return run(self.model_, base.pairs(rows, None).plain(), lambda model, b: model.reconstruct(b.x, b.cond))

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class of every row."""
        likeliest: np.ndarray = self.predict_proba(X).argmax(1)
        labels: np.ndarray = self.classes_[likeliest]
        return labels


def classes_of(y: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes, sorted, and for each of ``n`` rows the place of its class, (n, 1)."""
    labels = np.asarray(y)
    classes, places = np.unique(labels, return_inverse=True)
    if labels.shape != (n,) or len(classes) < 2:
        came = f"{len(classes)} class" if len(classes) < 2 else f"{labels.shape} labels for {n} rows"
        raise InputError(f"{came} came", "one label per row, at least two classes")
    return classes, places[:, None].astype(np.float32)


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
        return Code(z, z.new_zeros(len(z)), {})


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
    made = copy.deepcopy(base.model_)
    width = made.bottleneck.n_out + (base.shapes_[2] or 0)
    with seeded(seed):
        head = Head(int(np.prod(base.code_shape_)) // made.bottleneck.n_out * width, classes)
        nn.init.zeros_(head.layer.weight), nn.init.zeros_(head.layer.bias)
    return Model(made.encoder, Scored(made.bottleneck), head, Categorical(classes), corruption=corruption).train()
