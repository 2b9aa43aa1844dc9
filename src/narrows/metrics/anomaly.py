"""How well scores tell anomalous rows from ordinary ones; higher scores are stranger."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["auroc", "average_precision", "f1", "placements"]


def auroc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Area under the ROC curve; 1 is an anomaly. NaN where only one kind is there.

    Examples
    --------
    >>> auroc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(labels, scores)) if len(np.unique(labels)) == 2 else float("nan")


def average_precision(labels: ArrayLike, scores: ArrayLike) -> float:
    """Precision averaged over the steps of recall; NaN without anomalies.

    Examples
    --------
    >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 3)
    0.833
    """
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(labels, scores)) if np.any(labels) else float("nan")


def f1(labels: ArrayLike, flagged: ArrayLike) -> float:
    """Harmonic mean of precision and recall of the flagged rows.

    Examples
    --------
    >>> f1([0, 0, 1, 1], [False, True, False, True])
    0.5
    """
    from sklearn.metrics import f1_score

    return float(f1_score(labels, np.asarray(flagged, int), zero_division=0.0))


def placements(labels: ArrayLike, scores: ArrayLike) -> NDArray[np.float64]:
    """Share of the ordinary rows below each anomaly, ties half: their mean is the area under the ROC curve.

    Examples
    --------
    >>> placements([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).tolist()
    [0.5, 1.0]
    """
    marks, values = np.asarray(labels), np.asarray(scores, np.float64)
    ordinary = np.sort(values[marks == 0])
    sides: tuple[NDArray[np.int64], ...] = tuple(
        np.searchsorted(ordinary, values[marks == 1], side) for side in ("left", "right")
    )
    return np.asarray((sides[0] + sides[1]) / (2 * max(1, len(ordinary))), np.float64)
