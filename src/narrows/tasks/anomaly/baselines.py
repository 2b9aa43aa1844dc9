"""Simple scores of how unusual a row is; higher is stranger, as everywhere in this file."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["ANOMALY_BASELINES", "IsolationTrees", "Mahalanobis", "NearestRows", "PCAResidual", "rolling_z"]

Floats = NDArray[np.float64]
_MAX_REFERENCE_ROWS = 20_000  # rows that neighbours are looked for among


class Score(Protocol):
    """Fitted on rows (n, d), gives one score per row."""

    name: ClassVar[str]

    def fit(self, X: Floats) -> Self:
        """Learn what is ordinary."""

    def score(self, X: Floats) -> Floats:
        """Return how strange rows are, (n,)."""


@dataclass
class PCAResidual:
    """Squared distance to the plane of the principal components that hold a share of the variance.

    Examples
    --------
    >>> line = np.outer(np.arange(5.0), [1.0, 1.0])
    >>> PCAResidual().fit(line).score(np.array([[2.0, 2.0], [1.0, -1.0]])).round(6).tolist()
    [0.0, 2.0]
    """

    name: ClassVar[str] = "PCA residual"
    share: float = 0.9

    def fit(self, X: Floats) -> Self:
        """Find the components."""
        self.mean_ = X.mean(0)
        _, sizes, axes = np.linalg.svd(_few(X) - self.mean_, full_matrices=False)
        held = np.cumsum(sizes**2) / max(float((sizes**2).sum()), 1e-300)
        self.axes_ = axes[: int(np.searchsorted(held, self.share - 1e-12)) + 1]
        return self

    def score(self, X: Floats) -> Floats:
        """Return squared residuals."""
        rest = X - self.mean_
        squared: Floats = np.square(rest - rest @ self.axes_.T @ self.axes_).sum(1)
        return squared


@dataclass
class Mahalanobis:
    """Squared Mahalanobis distance to the mean, the covariance shrunk (Ledoit and Wolf 2004).

    Examples
    --------
    >>> rows = np.random.default_rng(0).normal(size=(500, 2)) * [1.0, 10.0]
    >>> near, far = Mahalanobis().fit(rows).score(np.array([[0.0, 10.0], [10.0, 0.0]]))
    >>> bool(near < 2 and far > 50)
    True
    """

    name: ClassVar[str] = "Mahalanobis distance"

    def fit(self, X: Floats) -> Self:
        """Find mean and covariance."""
        from sklearn.covariance import LedoitWolf

        self.model_ = LedoitWolf().fit(_few(X))
        return self

    def score(self, X: Floats) -> Floats:
        """Return squared distances."""
        distances: Floats = self.model_.mahalanobis(X)
        return distances


@dataclass
class IsolationTrees:
    """Isolation forest (Liu, Ting and Zhou 2008), with scikit-learn's settings.

    Examples
    --------
    >>> rows = np.random.default_rng(0).normal(size=(200, 2))
    >>> near, far = IsolationTrees().fit(rows).score(np.array([[0.0, 0.0], [8.0, 8.0]]))
    >>> bool(far > near)
    True
    """

    name: ClassVar[str] = "isolation forest"

    def fit(self, X: Floats) -> Self:
        """Grow the trees."""
        from sklearn.ensemble import IsolationForest

        self.model_ = IsolationForest(random_state=0).fit(X)
        return self

    def score(self, X: Floats) -> Floats:
        """Return minus scikit-learn's score."""
        return -np.asarray(self.model_.score_samples(X), np.float64)


@dataclass
class NearestRows:
    """Distance to the k-th nearest row (Ramaswamy, Rastogi and Shim 2000).

    Examples
    --------
    >>> NearestRows(1).fit(np.array([[0.0], [1.0]])).score(np.array([[3.0]])).tolist()
    [2.0]
    """

    name: ClassVar[str] = "nearest neighbours"
    k: int = 5
    model_: Any = field(default=None, init=False, repr=False)

    def fit(self, X: Floats) -> Self:
        """Remember the rows."""
        from sklearn.neighbors import NearestNeighbors

        rows = _few(X)
        self.model_ = NearestNeighbors(n_neighbors=min(self.k, len(rows))).fit(rows)
        return self

    def score(self, X: Floats) -> Floats:
        """Return distances."""
        distances: Floats = self.model_.kneighbors(X)[0][:, -1]
        return distances


ANOMALY_BASELINES: tuple[type[Score], ...] = (PCAResidual, Mahalanobis, IsolationTrees, NearestRows)


def _few(X: Floats) -> Floats:
    """Return at most so many rows, evenly spaced."""
    few: Floats = X[np.unique(np.linspace(0, len(X) - 1, min(len(X), _MAX_REFERENCE_ROWS)).astype(int))]
    return few


def rolling_z(steps: Floats, pieces: NDArray[np.intp], window: int) -> Floats:
    """Return how far every value of a series (m, c) is from the mean of the ``window`` steps before it.

    In their standard deviations, which are never below a hundredth of the channel's own; the first two steps of a
    piece have nothing to compare with, and 0.

    Examples
    --------
    >>> values = np.array([[1.0], [3.0], [1.0], [3.0], [12.0]])
    >>> rolling_z(values, np.zeros(5, int), 4)[-1].tolist()
    [10.0]
    """
    scores = np.zeros(steps.shape)
    floor = np.maximum(0.01 * steps.std(0), 1e-12)
    edges = np.flatnonzero(np.diff(pieces, prepend=-2, append=-2))
    for low, high in pairwise(edges):
        part = steps[low:high] - steps[low]
        sums, squares = (np.concatenate([np.zeros((1, part.shape[1])), values.cumsum(0)]) for values in (part, part**2))
        place = np.arange(2, high - low)
        first = np.maximum(0, place - window)
        count = (place - first)[:, None]
        mean = (sums[place] - sums[first]) / count
        deviation = np.sqrt(np.maximum((squares[place] - squares[first]) / count - mean**2, 0))
        scores[low + place] = np.abs(part[place] - mean) / np.maximum(deviation, floor)
    return scores
