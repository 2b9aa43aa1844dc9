"""Conditional variational autoencoder (Sohn et al. 2015)."""

from typing import Annotated, Any, ClassVar, TypedDict

import numpy as np
import torch

from narrows.bottlenecks import Variational
from narrows.data.pairs import Batch, Pairs
from narrows.errors import InputError
from narrows.estimator.base import Estimator, Problem
from narrows.estimator.inputs import checked_classes, known_labels
from narrows.likelihood import Likelihood
from narrows.model import Model
from narrows.params import param
from narrows.schedule import Schedule, number_or_schedule
from narrows.typed_json import Distinct, Labels

__all__ = ["ConditionalVAE"]

_HIDDEN_LABEL_SHARE = 0.1  # share of the labels that are hidden while training, so that a row may come without


class State(TypedDict):
    """What the artefact keeps of its own."""

    classes_: Annotated[Labels, Distinct()]


class ConditionalVAE(Estimator):
    """A variational autoencoder that is told each row's class y, and makes rows of a class on demand.

    Without y, in fit or after it, the class counts as unknown; so does that of a row whose y is None,
    NaN or an empty text.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> model = ConditionalVAE(latent_dim=4, epochs=5, random_state=0).fit(X / 16, y)
    >>> model.sample(3, y=7, random_state=0).shape
    (3, 64)
    """

    has_prior: ClassVar[bool] = True
    fitted: ClassVar[Any] = State

    latent_dim: int = param(16, "numbers in the code", ge=1)
    likelihood: str | Likelihood = param("gaussian:learnt", "what the decoder's numbers mean", kind="likelihood")
    beta: float | str | Schedule = param(
        1.0, "price of a nat of code, or a schedule: ramp:0,1,0.2", ge=0, kind="schedule"
    )
    free_bits: float = param(0.0, "nats of every latent dimension that cost nothing while training", ge=0)

    def observe(self, X: Any, y: Any) -> None:
        """Learn which classes there are."""
        self.classes_ = np.zeros(0, int)
        if y is None:
            return
        labels, known = checked_classes(y, X.shape[0])
        if known.any():
            self.classes_ = np.unique(labels[known])

    def pairs(self, X: Any, y: Any) -> Pairs:
        """Return rows with their class; a tenth of the classes is hidden anew in every batch that is learnt from."""
        pairs = super().pairs(X, y)
        pairs.augment = drop_conditions
        return pairs

    def conditions(self, y: Any, n: int) -> np.ndarray | None:
        """Return one column per class with a 1 in that of ``y``; zeros where y is None.

        Raises ``InputError`` for a class that ``fit`` did not see.
        """
        one_hot = np.zeros((n, len(self.classes_)), np.float32)
        if y is None:
            return one_hot if len(self.classes_) else None
        classes = np.asarray(y)
        labels, named = known_labels(np.full(n, y) if classes.ndim == 0 else classes, n)
        unknown = sorted(map(str, set(labels[named].tolist()) - set(self.classes_.tolist())))
        if unknown:
            accepted = ", ".join(map(str, self.classes_)) or "none: fit saw no y"
            raise InputError(f"The class {unknown[0]!r} came", f"one of {accepted} for every row")
        one_hot[np.flatnonzero(named), np.searchsorted(self.classes_, labels[named])] = 1
        return one_hot

    def build(self, problem: Problem) -> Model:
        """Return network, variational code, likelihood; the model itself appends the condition."""
        code = Variational(self.latent_dim, number_or_schedule(self.beta), self.free_bits)
        return problem.model(self.chosen_network(problem.shape), code)


def drop_conditions(batch: Batch) -> Batch:
    """Return the batch with a tenth of its conditions unknown."""
    if batch.cond is None:
        return batch
    kept = torch.rand(len(batch.cond), 1, device=batch.cond.device) >= _HIDDEN_LABEL_SHARE
    return batch._replace(cond=batch.cond * kept)
