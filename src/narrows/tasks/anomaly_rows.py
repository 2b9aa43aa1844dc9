"""Which rows an anomaly detector learns from, and in which units."""

import math
import warnings
from typing import Any, NamedTuple

import numpy as np

from narrows.estimator import Estimator
from narrows.fitted.neighbourhood import Neighbourhood
from narrows.parts import as_part
from narrows.tasks.base_anomaly import ACCEPTED, strange_names

__all__ = ["Explanation", "moments", "ordinary_rows", "remoteness", "standardised"]


class Explanation(NamedTuple):
    """Why rows have their scores, (n, d) each."""

    contributions: np.ndarray  # the squared score, shared out by the columns' squared deviations from ...
    expected: np.ndarray  # ... the mean of the nearest rows of the fit, in the units of the rows


def ordinary_rows(y: Any, n: int) -> np.ndarray:
    """Return which rows are not labelled as anomalous."""
    if y is None:
        return np.ones(n, bool)
    values, places = np.unique(np.asarray(y).ravel().astype(str), return_inverse=True)
    strange = strange_names(values.tolist())
    if len(places) != n or strange is None:
        warnings.warn(f"y is ignored: it is not, for every row, one of {ACCEPTED}", stacklevel=4)
        return np.ones(n, bool)
    return ~np.array(strange)[places]


def moments(model: Estimator, rows: np.ndarray) -> tuple[Any, Any]:
    """Return mean and standard deviation of the columns of a table; 0 and 1 where values stay as they are."""
    low, high = as_part("likelihood", model.likelihood).support
    if rows.ndim > 2 or model.image_shape is not None or not (math.isinf(low) and math.isinf(high)):
        return 0.0, 1.0
    mean, scale = rows.mean(0, dtype=np.float64), rows.std(0, dtype=np.float64)
    binary = np.isin(rows, (0, 1)).all(0)
    plain = binary | (scale <= 1e-12 * (1 + np.abs(mean)))
    return np.where(binary, 0.0, mean).tolist(), np.where(plain, 1.0, scale).tolist()


def standardised(rows: np.ndarray, mean: Any, scale: Any) -> np.ndarray:
    """Return rows less their mean, over their scale, in their own float type."""
    kind = np.result_type(rows, np.float32)
    made: np.ndarray = np.asarray((rows - np.asarray(mean, kind)) / np.asarray(scale, kind), kind)
    return made


def remoteness(reference: np.ndarray, rows: np.ndarray, neighbours: int) -> np.ndarray:
    """Return how far rows are from those of reference, and after them how far these are from each other."""
    reference, rows = reference.astype(np.float32), rows.astype(np.float32)
    near = Neighbourhood(reference, reference, neighbours, 1.0)
    squared = near.distances(rows, rows)[0], near.distances(reference, reference, itself=True)[0]
    distances: np.ndarray = np.sqrt(np.concatenate(squared))
    return distances
