"""The simple competitors of a classifier."""

import warnings
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from narrows.baselines.rows import Array
from narrows.estimator.inputs import unit
from narrows.holdout import PRICES

__all__ = ["LogisticBaseline"]

_PRICES = (0.01, 0.1, 1.0, 10.0)  # inverse prices of the squared weights that are tried
_MAX_TRIAL_ROWS = 5000  # rows on which they are tried, a quarter of them to choose by
_MIN_ROWS_TO_CHOOSE = 20


@dataclass
class LogisticBaseline:
    """Logistic regression, its penalty chosen on a quarter of the rows, then fitted to all.

    Columns of a table are standardised one by one; images are centred and share one scale.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> y = np.where(X[:, 0] > 0, "up", "down")
    >>> bool((LogisticBaseline().fit(X, y).predict(X) == y).mean() > 0.95)
    True
    """

    name = "logistic regression"

    def fit(self, X: Array, y: Array) -> Self:
        """Fit to rows of any shape with at least two classes; uint8 and uint16 become [0, 1]."""
        rows = unit(X.reshape(len(X), -1))
        self.mean_ = rows.mean(0, dtype=np.float64)
        spread = rows.std(0, dtype=np.float64)
        shared = np.full(spread.shape, np.sqrt(np.square(spread).mean()))
        self.scale_ = spread if X.ndim == 2 and X.dtype.kind == "f" else shared
        self.scale_[self.scale_ == 0] = 1
        rows = self._scaled(X)
        order = np.random.default_rng(0).permutation(len(rows))[:_MAX_TRIAL_ROWS]
        test, train = np.split(order, [PRICES.count(len(order))])
        self.C_ = 1.0
        if len(rows) >= _MIN_ROWS_TO_CHOOSE and len(np.unique(y[train])) > 1:
            scores = [(_logistic(c, rows[train], y[train]).predict(rows[test]) == y[test]).mean() for c in _PRICES]
            self.C_ = _PRICES[int(np.argmax(scores))]
        self.model_ = _logistic(self.C_, rows, y)
        return self

    def predict_proba(self, X: Array) -> Array:
        """Return the probability of every class of ``classes_``."""
        shares: Array = self.model_.predict_proba(self._scaled(X))
        return shares

    def predict(self, X: Array) -> Array:
        """Return the most probable class of every row."""
        classes: Array = self.model_.predict(self._scaled(X))
        return classes

    @property
    def classes_(self) -> Array:
        """The classes, sorted."""
        return np.asarray(self.model_.classes_)

    def _scaled(self, X: Array) -> Array:
        rows = (unit(X.reshape(len(X), -1)) - self.mean_) / self.scale_
        return np.asarray(rows, np.float32)


def _logistic(c: float, rows: Array, y: Array) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=c, max_iter=200).fit(rows, y)
