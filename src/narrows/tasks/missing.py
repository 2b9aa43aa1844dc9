"""Rows of a table in which NaN is a missing value: filled for the encoder, of no weight in the likelihood."""

from typing import Any

import numpy as np

from narrows.base_measure import Measure
from narrows.data.pairs import Pairs
from narrows.data.tables.kinds import measures_of
from narrows.estimator.base import Estimator

__all__ = ["Gaps", "single"]


class Gaps:
    """The half of a task that fits and feeds an autoencoder with rows that have gaps."""

    fill_: list[float]
    units_: list[list[float]] | None = None  # mean, deviation and wholeness of columns, where the task standardises
    kind_: str = "float32"  # the type of the rows that were standardised

    def learn_units(self, rows: np.ndarray) -> list[Measure]:
        """Standardise rows from now on; return the measures of the standardised columns."""
        full = float(np.iinfo(rows.dtype).max) if rows.dtype.kind == "u" else 1.0
        known = ~np.isnan(rows)
        count = np.maximum(known.sum(0), 1)
        numbers = np.where(known, rows, 0).astype(np.float64)
        mean = numbers.sum(0) / count
        spread = np.sqrt((np.square(numbers - mean) * known).sum(0) / count)
        spread = np.where(spread > 1e-12 * np.maximum(abs(mean), 1e-300), spread, 1.0)
        whole = (numbers == np.rint(numbers)).all(0)
        self.units_ = [mean.tolist(), spread.tolist(), whole.astype(float).tolist()]
        self.kind_ = rows.dtype.name
        units = zip(measures_of(rows), mean.tolist(), spread.tolist(), strict=True)
        return [u._replace(centre=u.centre + u.scale / full * m, scale=u.scale / full * s) for u, m, s in units]

    def coded(self, rows: np.ndarray) -> np.ndarray:
        """Return rows as the autoencoder sees them."""
        if self.units_ is None:
            return rows
        mean, spread, _ = np.array(self.units_)
        kind = rows.dtype if rows.dtype.kind == "f" else np.float32
        return np.asarray((rows - mean) / spread, kind)

    def raw(self, rows: np.ndarray) -> np.ndarray:
        """Return drawn rows in the units and the type that the rows came in, whole numbers as such."""
        if self.units_ is None:
            return rows
        mean, spread, whole = np.array(self.units_)
        values = rows * spread + mean
        return np.asarray(np.where(whole > 0, np.rint(values) + 0.0, values), self.kind_)

    def fit_filled(self, model: Estimator, rows: np.ndarray, y: Any = None) -> Estimator:
        """Fit to rows (n, d); a gap is seen as its column's median, and costs nothing."""
        known = ~np.isnan(rows)
        self.fill_ = [
            float(np.median(x[present])) if present.any() else 0.0 for x, present in zip(rows.T, known.T, strict=True)
        ]
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


def single(X: Any) -> Any:
    """Return float64 rows as float32, several times as fast to decode.

    Examples
    --------
    >>> single(np.zeros(1)).dtype.name
    'float32'
    """
    return X.astype(np.float32) if X.dtype == np.float64 else X
