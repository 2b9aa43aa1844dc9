"""Rows of a table in which NaN is a missing value: filled for the encoder, of no weight in the likelihood."""

from typing import Any

import numpy as np

from narrows.data.pairs import Pairs
from narrows.estimator import Estimator

__all__ = ["Gaps", "flat", "single"]


class Gaps:
    """The half of a task that fits and feeds an autoencoder with rows that have gaps."""

    fill_: list[float]

    def fit_filled(self, model: Estimator, rows: np.ndarray, y: Any = None) -> Estimator:
        """Fit to rows (n, d); a gap is seen as its column's median, and costs nothing."""
        known = ~np.isnan(rows)
        self.fill_ = [float(np.median(x[own])) if own.any() else 0.0 for x, own in zip(rows.T, known.T, strict=True)]
        model.observe(rows, y)
        fitted = model.fit_pairs(self.gappy_pairs(model, rows, y))
        fitted.rows_axes_ = 2
        return fitted

    def filled(self, rows: np.ndarray) -> np.ndarray:
        """Return rows without gaps."""
        known = ~np.isnan(rows)
        return rows if known.all() else np.where(known, rows, np.array(self.fill_, rows.dtype))

    def gappy_pairs(self, model: Estimator, rows: np.ndarray, y: Any = None) -> Pairs:
        """Return rows as the autoencoder reads them, with a weight of 0 in the gaps."""
        pairs, known = model.pairs(self.filled(rows), y), ~np.isnan(rows)
        return pairs if known.all() else pairs.of([*pairs.columns[:3], known.astype(np.float32)])

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: NaN is a missing value."""
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.allow_nan = True
        return tags


def flat(X: Any) -> np.ndarray:
    """Return rows as (n, d), dense.

    Examples
    --------
    >>> flat(np.zeros((3, 2, 2))).shape
    (3, 4)
    """
    rows = np.asarray(X.toarray() if hasattr(X, "toarray") else X)
    return rows.reshape(len(rows), -1)


def single(X: Any) -> Any:
    """Return float64 rows as float32, several times as fast to decode.

    Examples
    --------
    >>> single(np.zeros(1)).dtype.name
    'float32'
    """
    return X.astype(np.float32) if X.dtype == np.float64 else X
