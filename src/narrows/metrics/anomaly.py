"""How well scores tell anomalous rows from ordinary ones; higher scores are stranger."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["auroc", "auroc_gaps", "average_precision", "f1", "placements", "pseudo_values"]


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


def auroc_gaps(labels: ArrayLike, scores: ArrayLike, others: ArrayLike) -> NDArray[np.float64]:
    """Return numbers, one per row, whose mean is the difference of two areas under the ROC curve, and their noise.

    After DeLong et al. (1988): the rows of both classes are a sample each.

    Examples
    --------
    >>> round(float(auroc_gaps([0, 0, 1, 1], [1, 2, 3, 4], [1, 3, 2, 4]).mean()), 4)  # 1 - 0.75
    0.25
    """
    marks, sides = np.asarray(labels), [np.asarray(each, np.float64) for each in (scores, others)]
    strange = [placements(marks, each) for each in sides]
    ordinary = [placements(1 - marks, -each) for each in sides]
    gap = float(strange[0].mean() - strange[1].mean())
    return pseudo_values(gap, strange[0] - strange[1], ordinary[0] - ordinary[1])


def pseudo_values(value: float, *influences: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return numbers whose mean is ``value`` and whose standard error is that of a statistic of independent samples.

    ``influences`` say, sample by sample, what every row adds to the statistic.

    Examples
    --------
    >>> pseudo_values(5.0, np.array([-1.0, 1.0]), np.array([2.0, 2.0])).tolist()
    [3.0, 7.0, 5.0, 5.0]
    """
    n = sum(map(len, influences))
    return np.concatenate([value + (each - each.mean()) * (n / len(each)) for each in influences])
