"""Which rows an anomaly detector and its competitors leave out, because they are far outside."""

import numpy as np

__all__ = ["LEAST", "inside_fence", "teaching", "trusted"]

_OUTSIDE, _FAR = 1.0, 1.5  # interquartile ranges beyond the upper quartile (Tukey 1977): of training, of the threshold
LEAST = 20  # rows of which some may be left out of training


def teaching(strange: np.ndarray) -> np.ndarray:
    """Return which rows are learnt from, by their scores after a first training; of few rows all."""
    return inside_fence(strange, _OUTSIDE) if len(strange) >= LEAST else np.ones(len(strange), bool)


def trusted(strange: np.ndarray) -> np.ndarray:
    """Return which rows put aside set the threshold, by their scores."""
    return inside_fence(strange, _FAR)


def inside_fence(strange: np.ndarray, ranges: float) -> np.ndarray:
    """Return which scores are below the fence, on a logarithmic scale: so many quartile ranges above the upper one.

    Scores of 0 count as the smallest other one.

    Examples
    --------
    >>> inside_fence(np.array([0.0, 0.0, 1.0, 1.5, 2.0, 900.0]), 1.5).tolist()
    [True, True, True, True, True, False]
    """
    apart = strange[strange > 0]
    if not len(apart):
        return np.ones(len(strange), bool)
    logs = np.log(np.maximum(strange, apart.min()))
    lower, upper = np.quantile(logs, (0.25, 0.75))
    return np.asarray(logs <= upper + ranges * (upper - lower)) if upper > lower else np.ones(len(logs), bool)
