"""What a classifier and its competitors say of rows, and how right they are."""

import math
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from sklearn.base import clone

from narrows.errors import InputError
from narrows.estimator.finetune import Tuning, tune
from narrows.estimator.fitting import single
from narrows.estimator.inference import run
from narrows.estimator.inputs import dense, model_rows
from narrows.tasks.base import Rows
from narrows.tasks.classify.baselines import LogisticBaseline
from narrows.training.flops import multiply_adds

__all__ = [
    "FREQUENT",
    "LOGISTIC",
    "MOST",
    "NETWORK",
    "PROBE",
    "TUNED",
    "Classifier",
    "Shares",
    "baseline_shares",
    "labelled",
    "measures",
    "row_products",
    "tuned",
]

MOST = 10_000  # rows that are measured
TUNED, PROBE = "tuned with the labels", "probe on the frozen code"
NETWORK, LOGISTIC, FREQUENT = "a supervised network", "logistic regression", "the most frequent class"


class Classifier(Protocol):
    """What is asked of a fitted classifier to measure it and its competitors."""

    estimator_: Any
    model_: Any
    classes_: np.ndarray
    history_: list[Any]
    stopped_: str
    tune_epochs: int | None
    tune_batch_size: int

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of every class, (n, classes)."""

    def tuning(self) -> Tuning:
        """Return how it learns from labels."""


class Shares(NamedTuple):
    """The probability of every class, for the rows that are measured."""

    values: np.ndarray  # (n, classes)
    classes: np.ndarray

    @property
    def seen(self) -> np.ndarray:
        """The most probable class."""
        return np.asarray(self.classes[self.values.argmax(1)])


def labelled(rows: Rows) -> tuple[Any, np.ndarray]:
    """Return the rows that have a label, and the names of their classes.

    Raises ``InputError`` where no row has a label.
    """
    labels = None if rows.labels is None else np.asarray(rows.labels)
    if labels is None or not len(labels):
        raise InputError("Rows without labels came", "labelled rows to measure on")
    known = labels >= 0 if rows.class_names is not None else np.ones(len(labels), bool)
    if not known.any():
        raise InputError("No row that is measured has a label", "labelled rows to measure on")
    names = labels if rows.class_names is None else np.array(rows.class_names)[labels.clip(0)]
    return rows.X[np.flatnonzero(known)], names[known].astype(str)


def baseline_shares(task: Classifier, X: Any, y: np.ndarray, seen: Any, steps: int | None = None) -> dict[str, Shares]:
    """Return what the probe and the competitors say of rows ``seen`` after learning labels ``y`` of rows X.

    The competitors are logistic regression, a network without pre-training, and the most frequent class.
    """
    linear = LogisticBaseline().fit(dense(X), y)
    base = task.estimator_
    codes, others = (np.asarray(base.transform(rows)) for rows in (X, seen))
    probe = LogisticBaseline().fit(codes, y)
    fresh = clone(base).set_params(epochs=0, weights=None, checkpoint=None, verbose=False, random_state=base.seed_)
    few = len(y) < 10 * np.prod(base.code_shape_)  # the start at their principal components would overfit them
    plain = {"greedy_epochs": 0, **({"start": "random"} if few else {})}
    fresh.set_params(**{name: value for name, value in plain.items() if hasattr(fresh, name)})
    classes, counts = np.unique(y, return_counts=True)
    return {
        PROBE: Shares(probe.predict_proba(others), probe.classes_),
        NETWORK: tuned(task, fresh.fit(X), X, y, seen, base.seed_, steps),
        LOGISTIC: Shares(linear.predict_proba(dense(seen)), linear.classes_),
        FREQUENT: Shares(np.tile(counts / counts.sum(), (len(others), 1)), classes),
    }


def tuned(task: Classifier, base: Any, X: Any, y: np.ndarray, seen: Any, seed: int, steps: int | None = None) -> Shares:
    """Return what a copy of ``base`` sees after tuning with labels ``y`` as the task tunes, in at most ``steps``."""
    classes, places = np.unique(y, return_inverse=True)
    how = task.tuning()
    if steps is not None:
        how = replace(how, epochs=math.ceil(steps / math.ceil(len(y) / how.batch_size)))
    model, _ = tune(base, X, places, len(classes), how, seed)
    pairs = base.pairs(model_rows(seen, base.image_shape, base.shapes_[0]), None).as_scored()
    return Shares(
        run(model, pairs, lambda network, b: network.reconstruct(b.x, b.cond), base.scoring_device()), classes
    )


def measures(shares: Shares, truth: np.ndarray) -> dict[str, float]:
    """Return accuracy, balanced accuracy over the classes of ``truth``, and cross-entropy in nats per row."""
    every = np.union1d(shares.classes, truth)
    values = np.full((len(truth), len(every)), 1e-12)
    values[:, np.searchsorted(every, shares.classes)] = shares.values.clip(1e-12)
    recalls = [(shares.seen[truth == name] == name).mean() for name in np.unique(truth)]
    return {
        "accuracy": float((shares.seen == truth).mean()),
        "balanced": float(np.mean(recalls)),
        "log_loss": float(
            np.mean(np.log(values.sum(1) / values[np.arange(len(truth)), np.searchsorted(every, truth)]))
        ),
    }


def row_products(task: Classifier, X: Any) -> float:
    """Return the multiply-adds of the tuned model for one row."""
    base = task.estimator_
    pairs = single(base.pairs(model_rows(X[:1], base.image_shape, base.shapes_[0]), None))
    return max(1.0, multiply_adds(task.model_, pairs.batch(slice(0, 1))))
