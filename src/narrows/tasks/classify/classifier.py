"""Recognition: labels on top of a code, judged against logistic regression and a supervised network."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, TypedDict

import numpy as np
import safetensors.torch
import scipy.sparse as sp
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from narrows.corruption import Corruption
from narrows.data.pairs import Pairs
from narrows.data.scale import refuse_scale
from narrows.errors import InputError
from narrows.estimator.base import Estimator
from narrows.estimator.finetune import SHARED, Tuning, headed, tune
from narrows.estimator.fitting import settings
from narrows.estimator.inference import run
from narrows.estimator.inputs import checked_classes, checked_rows, model_rows
from narrows.families.denoising import DenoisingAutoEncoder
from narrows.model_card import Entry
from narrows.params import MOST_EPOCHS, check_params, param
from narrows.parts import as_part
from narrows.tasks.base import Evaluation, Rows, Task
from narrows.tasks.classify.evaluate import cross_validated, evaluate_labels, in_order
from narrows.tasks.classify.label_budgets import with_budgets
from narrows.tasks.frames import learns, reads
from narrows.training.checkpoint import Checkpoint
from narrows.training.deadline import part_of_time, within
from narrows.training.fit import Settings
from narrows.training.random import draw_seed
from narrows.typed_json import Distinct, Labels

__all__ = ["CodeClassifier"]

_CODE_SHARE = 0.6  # of a time budget that the code may take; the rest is for the labels


class State(TypedDict):
    """What the artefact keeps of a fitted classifier, beside its tensors."""

    classes_: Annotated[Labels, Distinct()]
    history_: list[Entry]
    stopped_: str
    finished_: bool


class CodeClassifier(ClassifierMixin, Task, name="classify"):
    """Learns a code from many rows, then labels from few: all layers are tuned together under the cross-entropy.

    ``fit(X, y, unlabelled=U)`` pre-trains on X and U; a label that is None, or an empty text, is none either. With
    ``prefit`` the estimator is used as it was fitted, and with ``pretrain=False`` training starts from the estimator's
    first weights, as a supervised network would. ``history_`` is that of the tuning, in nats per label.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from narrows.families.stacked import StackedAutoEncoder
    >>> X, y = load_digits(return_X_y=True)
    >>> code = StackedAutoEncoder(latent_dim=32, network="dense:64", greedy_epochs=2, epochs=0)
    >>> model = CodeClassifier(estimator=code, tune_epochs=40, random_state=0).fit(X[:1500] / 16, y[:1500])
    >>> bool(model.score(X[1500:] / 16, y[1500:]) > 0.88)
    True
    """

    summary = (
        "name the class of rows, most of which need no label; against logistic regression and a supervised network"
    )
    workflows: ClassVar[tuple[str, ...]] = ("labelled",)
    writes: ClassVar[tuple[str, ...]] = ("predictions",)
    fitted = State
    reads_shares = True
    about_labels = True

    prefit: bool = param(False, "the autoencoder is fitted already")
    pretrain: bool = param(True, "fit the autoencoder before the labels are learnt")
    balanced: bool = param(False, "rare classes weigh as much as frequent ones while the labels are learnt")
    tune_epochs: int | None = param(
        None, "passes over the labelled rows; none: as the autoencoder's rule", ge=1, le=MOST_EPOCHS
    )
    tune_lr: float = param(1e-3, "peak learning rate of Adam with the labels", gt=0)
    tune_weight_decay: float = param(0.0, "decoupled weight decay (AdamW) with the labels", ge=0)
    tune_batch_size: int = param(128, "labelled rows per step", ge=1)
    tune_validation: float = param(0.1, "share of the labelled rows held out for the best epoch", ge=0, lt=1)
    tune_corruption: str | Corruption | None = param(
        None, "what is done to labelled rows, e.g. warp", kind="corruption"
    )
    tune_dropout: float = param(0.0, "share of the hidden units dropped while the labels are learnt", ge=0, lt=1)
    tune_checkpoint: str | Path | None = param(None, "folder for the resume state of the labels' part")

    def default(self) -> Estimator:
        """Return a denoising autoencoder: what fills in hidden values knows what goes together."""
        return DenoisingAutoEncoder(latent_dim=64, noise="mask:0.5")

    @learns
    def fit(self, X: Any, y: Any, unlabelled: Any = None) -> Self:
        """Fit to rows X with labels y, and to rows without labels where there are any.

        Raises ``InputError`` for fewer than two classes, and for rows of two types.
        """
        model = self._chosen()
        X = checked_rows(self, X, reset=True)
        if unlabelled is not None:
            unlabelled = checked_rows(self, self.numbers_of(unlabelled), reset=False)
            if unlabelled.dtype != X.dtype:
                came = f"Rows of type {X.dtype} with labels and of {unlabelled.dtype} without came"
                raise InputError(came, "one type: whole numbers are levels of grey, floats are not")
        labels, known = checked_classes(y, X.shape[0])
        labels = labels.astype(np.int64) if labels.dtype.kind in "iu" else labels  # as they are saved
        classes, places = np.unique(labels[known], return_inverse=True)
        if len(classes) < 2:
            came = f"{len(classes)} class{'es' * (len(classes) != 1)} came"
            raise InputError(came, "one label per row, at least two classes")
        rows = X if known.all() else X[np.flatnonzero(known)]
        checkpoint = self._checkpoint(Pairs(rows, places), X, unlabelled) if self.tune_checkpoint else None
        saved = checkpoint.load() if checkpoint else None
        seed = saved["seed"] if saved else draw_seed(self.random_state)
        with within(model.minutes):
            with part_of_time(_CODE_SHARE):
                base = model if self.prefit else self._coded(model, X, unlabelled, seed)
            tuning = replace(self.tuning(), verbose=base.verbose)
            tuned_model, outcome = tune(base, rows, places, len(classes), tuning, seed, checkpoint)
        self.history_, self.stopped_, self.finished_ = outcome.history, outcome.stopped, outcome.finished
        self.model_, self.classes_, self.estimator_ = tuned_model, classes, base
        return self

    def unused(self) -> dict[str, str]:
        """Return the settings that change nothing; those of the first part where only the labels are learnt."""
        skipped = () if self.pretrain else ("epochs", "validation", *Settings.names())
        unused = super().unused() | dict.fromkeys(skipped, "without pretraining only the labels are learnt")
        return {name: why for name, why in unused.items() if name not in SHARED}

    def tuning(self) -> Tuning:
        """Return how the labels are learnt."""
        names = ("epochs", "lr", "weight_decay", "batch_size", "validation", "dropout")
        options = {name: getattr(self, f"tune_{name}") for name in names}
        return Tuning(**options, corruption=as_part("corruption", self.tune_corruption), balanced=self.balanced)

    def _chosen(self) -> Estimator:
        """Return the autoencoder: fitted as it came, or not fitted yet."""
        check_params(self)
        if not self.prefit:
            return self.resolve()
        if not isinstance(self.estimator, Estimator):
            raise InputError(f"estimator={self.estimator!r} came with prefit", "a fitted family")
        check_is_fitted(self.estimator)
        return self.estimator

    def _coded(self, base: Estimator, X: Any, unlabelled: Any, seed: int) -> Estimator:
        """Return the autoencoder to start from: fitted here, or only started."""
        base.set_params(random_state=seed)
        if not self.pretrain:
            base.set_params(epochs=0, **({"greedy_epochs": 0} if hasattr(base, "greedy_epochs") else {}))
        join = sp.vstack if sp.issparse(X) else np.concatenate
        base.fit(X if unlabelled is None else join([X, unlabelled]))
        if hasattr(self, "feature_names_in_"):
            base.feature_names_in_ = self.feature_names_in_
        return base

    def _checkpoint(self, labelled: Pairs, *others: Any) -> Checkpoint:
        """Return the resume state, tied to settings, all rows and autoencoder."""
        pairs = labelled, *(Pairs(rows) for rows in others if rows is not None)
        data = "".join(pair.fingerprint() for pair in pairs)
        prefit = self.estimator.model_.state_dict() if self.prefit and self.estimator is not None else {}
        weights = hashlib.sha256(safetensors.torch.save(prefit)).hexdigest()
        origin = {"weights": weights, "estimator": repr(settings(self.estimator or self.default()))}
        changing = {key: value for key, value in settings(self).items() if key not in ("estimator", "tune_checkpoint")}
        return Checkpoint(str(self.tune_checkpoint), changing | origin | {"the data": data})

    @reads
    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of every class, (n, classes)."""
        check_is_fitted(self)
        base = self.estimator_
        rows = model_rows(checked_rows(self, X, reset=False), base.image_shape, base.shapes_[0])
        refuse_scale(base.input_scale_, rows)
        pairs = base.pairs(rows, None).as_scored()
        return run(self.model_, pairs, lambda model, b: model.reconstruct(b.x, b.cond), base.scoring_device())

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class of every row."""
        likeliest: np.ndarray = self.predict_proba(X).argmax(1)
        labels: np.ndarray = self.classes_[likeliest]
        return labels

    def outputs(self, X: Any, *, fresh: bool) -> dict[str, Any]:
        """Return the class of every row and the probability of each class."""
        shares = self.predict_proba(X)
        columns = {f"p_{self.classes_[i]}": shares[:, i] for i in in_order(self.classes_)}
        return {"predictions": {"class": self.classes_[shares.argmax(1)], **columns}}

    def evaluate(self, train: Rows, held: Rows) -> Evaluation:
        """Return the accuracy on the labelled rows of ``held``, and what fewer labels of ``train`` would give."""
        check_is_fitted(self)
        return with_budgets(self, evaluate_labels(self, train, held), train, held)

    def cross_validate(self, rows: Rows) -> Evaluation:
        """Return the accuracy on the labelled rows of the fit, by cross-validation of what is learnt from labels."""
        check_is_fitted(self)
        return with_budgets(self, cross_validated(self, rows), rows)

    def fitted_arrays(self) -> dict[str, Tensor]:
        """Return the tuned encoder and the head."""
        return dict(self.model_.state_dict())

    def adopt_state(self, state: dict[str, Any]) -> Self:
        """Take what ``fitted_state`` gave, and put the tuned encoder and the head together again."""
        super().adopt_state({name: state.pop(name) for name in self.fitted.__annotations__ if name in state})
        self.classes_ = np.asarray(self.classes_)
        self.model_ = headed(self.estimator_, len(self.classes_), None, 0).eval()
        self.model_.load_state_dict({name: torch.from_numpy(values) for name, values in state.items()})
        return self
