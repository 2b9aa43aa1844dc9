"""How many rows are flagged at any rate of false alarms: the few counts that a report keeps for another threshold.

Plain numbers only, as in `narrows.fitted.conformal`.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from narrows.fitted.conformal import beyond

__all__ = ["tally", "told"]

_KINDS = ("ordinary", "anomalous")


def tally(labels: Iterable[int], scores: Iterable[float], calibration: Sequence[float]) -> dict[str, Any]:
    """Return how many rows, by label 0 and 1, have how many of the sorted ``calibration`` at or above their score.

    Examples
    --------
    >>> tally([0, 0, 1], [0.5, 0.7, 9.0], [1.0, 2.0])
    {'put_aside': 2, 'ordinary': [[2, 2]], 'anomalous': [[0, 1]]}
    """
    counts: tuple[Counter[int], Counter[int]] = Counter(), Counter()
    for label, score in zip(labels, scores, strict=True):
        counts[int(label)][len(calibration) - bisect_left(calibration, score)] += 1
    found = {name: [list(pair) for pair in sorted(each.items())] for name, each in zip(_KINDS, counts, strict=True)}
    return {"put_aside": len(calibration), **found}


def told(counts: Mapping[str, Any], fpr: float) -> dict[str, float]:
    """Return F1 of the flag at a rate, and the share of ordinary rows flagged, from what ``tally`` gave.

    Examples
    --------
    >>> told(tally([0, 0, 1, 1], [0.5, 2.5, 9.0, 1.5], [1.0, 2.0]), 0.34)
    {'f1': 0.5, 'false alarms': 0.5}
    """
    most = beyond(counts["put_aside"], fpr)
    alarms, found = (sum(count for above, count in counts[name] if above <= most) for name in _KINDS)
    ordinary, anomalous = (sum(count for _, count in counts[name]) for name in _KINDS)
    flagged = alarms + found + anomalous
    return {"f1": 2 * found / flagged if flagged else 0.0, "false alarms": alarms / ordinary if ordinary else 0.0}
