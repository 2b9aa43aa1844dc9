"""Which rows an anomaly detector and its competitors leave out, because they are far outside.

Rows may be left out of training for any reason: the rate of false alarms does not depend on it. Rows that set the
threshold must be like new ordinary ones, so only a group that lies apart is left out there.
"""

import numpy as np

from narrows.tasks.anomaly.tail import beyond_tail

__all__ = ["LEAST", "MOST", "groups_apart", "inliers", "teaching", "trusted"]

_OUTLIER_RANGES = 1.0  # interquartile ranges beyond the upper quartile (Tukey 1977)
LEAST = 20  # rows of which some may be left out of training
_BODY_QUANTILES = (0.5, 0.75, 0.9)  # quantiles from which on the tail may be that of a rarer kind of row
MOST = 0.075  # share of the rows that may be anomalies; a larger group that lies apart is ordinary


def teaching(strange: np.ndarray) -> np.ndarray:
    """Return which rows are learnt from, by their scores after a first training; of few rows all."""
    return inliers(strange, _OUTLIER_RANGES) if len(strange) >= LEAST else np.ones(len(strange), bool)


def groups_apart(*strange: np.ndarray) -> tuple[np.ndarray, float]:
    """Return which rows are of a small group that lies apart, and the share of all that is of a larger one.

    ``strange`` are scores of the same rows on several scales; a group that lies apart on one of them is one.

    Examples
    --------
    >>> scores = np.random.default_rng(0).gamma(9.0, size=900)
    >>> small, large = groups_apart(np.append(scores, np.linspace(60, 90, 100)))
    >>> int(small.sum()), large
    (0, 0.1)
    """
    groups = np.array([beyond_tail(scores, body) for scores in strange for body in _BODY_QUANTILES])
    small = groups[groups.mean(1) <= MOST].any(0)
    if small.mean() > MOST:
        small = np.zeros(len(small), bool)
    return small, float((groups.any(0) & ~small).mean())


def trusted(strange: np.ndarray) -> np.ndarray:
    """Return which rows set the threshold, by the scores of all: those of no group that lies apart and is small.

    Examples
    --------
    >>> scores = np.random.default_rng(0).gamma(9.0, size=1000)
    >>> [int((~trusted(np.append(scores, np.linspace(60, 90, some)))).sum()) for some in (0, 50, 100)]
    [0, 50, 0]
    """
    return ~groups_apart(strange)[0]


def inliers(strange: np.ndarray, ranges: float) -> np.ndarray:
    """Return which scores are no outliers: at most so many quartile ranges above the upper one, of their logarithms.

    Scores of 0 count as the smallest other one.

    Examples
    --------
    >>> inliers(np.array([0.0, 0.0, 1.0, 1.5, 2.0, 900.0]), 1.5).tolist()
    [True, True, True, True, True, False]
    """
    apart = strange[strange > 0]
    if not len(apart):
        return np.ones(len(strange), bool)
    logs = np.log(np.maximum(strange, apart.min()))
    lower, upper = np.quantile(logs, (0.25, 0.75))
    return np.asarray(logs <= upper + ranges * (upper - lower)) if upper > lower else np.ones(len(logs), bool)
