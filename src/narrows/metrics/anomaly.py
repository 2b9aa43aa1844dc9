"""How well scores tell anomalous rows from ordinary ones; higher scores are stranger."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from narrows.metrics.comparison import Comparison, clustered

__all__ = ["auroc", "average_precision", "compare_aurocs", "f1", "placements", "region_overlap"]


def auroc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Area under the ROC curve of scores (n,) for labels (n,), 1 for an anomaly. NaN where only one kind is there.

    Examples
    --------
    >>> auroc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(labels, scores)) if len(np.unique(labels)) == 2 else float("nan")


def average_precision(labels: ArrayLike, scores: ArrayLike) -> float:
    """Precision of scores (n,) averaged over the steps of recall; NaN without anomalies (1) in the labels (n,).

    Examples
    --------
    >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 3)
    0.833
    """
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(labels, scores)) if np.any(labels) else float("nan")


def f1(labels: ArrayLike, flagged: ArrayLike) -> float:
    """Harmonic mean of precision and recall of the flagged rows: labels (n,) and flags (n,), 1 for an anomaly.

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


def region_overlap(masks: Sequence[ArrayLike], maps: Sequence[ArrayLike], limit: float = 0.3) -> float:
    """Area under the curve of the share of each defect that is covered, up to a share ``limit`` of other pixels (PRO).

    ``masks`` and ``maps`` (H, W) each: what is wrong, and how strange every pixel is. Regions of the masks, with pixels
    that meet at corners, count alike, whatever their size (Bergmann et al. 2021). Divided by ``limit``: 1 at best.
    NaN without a defect, or without another pixel.

    Examples
    --------
    >>> mask = np.array([[1, 0, 0, 0], [0, 0, 0, 1]])
    >>> region_overlap([mask], [[[9.0, 1.0, 2.0, 3.0], [1.0, 2.0, 2.0, 0.0]]])
    0.5
    """
    from scipy.ndimage import label, mean

    pairs = [(np.asarray(mask) > 0, np.asarray(values, np.float64)) for mask, values in zip(masks, maps, strict=True)]
    ordinary = np.sort(np.concatenate([values[~mask] for mask, values in pairs]))
    shares: list[float] = []
    for mask, values in pairs:
        regions, n_regions = label(mask, np.ones((3, 3)))
        if n_regions and len(ordinary):
            left, right = np.searchsorted(ordinary, values[mask]), np.searchsorted(ordinary, values[mask], "right")
            above = 1 - (left + right) / (2 * len(ordinary))
            covered = np.maximum(0, 1 - above / limit)
            shares += mean(covered, regions[mask], np.arange(1, n_regions + 1)).tolist()
    return float(np.mean(shares)) if shares else math.nan


def compare_aurocs(
    labels: ArrayLike, ours: ArrayLike, theirs: ArrayLike, clusters: ArrayLike | None = None
) -> Comparison:
    """Compare the areas under the ROC curves of two scores on the same rows; 1 is an anomaly.

    After DeLong et al. (1988): the rows of both classes are a sample each, with the degrees of freedom of Welch.
    ``clusters`` (n,) names rows that are not independent of each other, such as the steps of an interval.

    Examples
    --------
    >>> compare_aurocs([0, 0, 1, 1], [1, 2, 3, 4], [1, 3, 2, 4]).gap
    0.25
    """
    marks, pair = np.asarray(labels), [np.asarray(scores, np.float64) for scores in (ours, theirs)]
    strange = [placements(marks, scores) for scores in pair]
    ordinary = [placements(1 - marks, -scores) for scores in pair]
    samples = [strange[0] - strange[1], ordinary[0] - ordinary[1]]
    if clusters is not None:
        places = np.asarray(clusters)
        samples = [clustered(sample, places[marks == mark]) for mark, sample in zip((1, 0), samples, strict=True)]
    known = all(map(len, strange)) and all(map(len, ordinary))
    areas = [float(placed.mean()) if known else math.nan for placed in strange]
    return Comparison.of_samples(areas[0], areas[1], "higher", *samples)
