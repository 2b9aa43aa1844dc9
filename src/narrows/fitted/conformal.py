"""Thresholds with a known rate of false alarms, from the scores of ordinary rows that were put aside.

Plain numbers only: a threshold can be changed without a library of arrays.
"""

from bisect import bisect_left
from collections.abc import Sequence
from math import floor, inf

__all__ = ["finest", "p_value", "threshold"]


def p_value(score: float, calibration: Sequence[float]) -> float:
    """Return the share of ordinary rows, this one among them, whose score is at least ``score``.

    ``calibration`` are sorted scores, higher for stranger rows. For a row that is exchangeable with theirs the chance
    of a p-value of at most p is at most p (Vovk, Gammerman and Shafer 2005, proposition 2.8).

    Examples
    --------
    >>> p_value(2.5, [1.0, 2.0, 3.0]), p_value(9.0, [1.0, 2.0, 3.0])
    (0.5, 0.25)
    """
    return (1 + len(calibration) - bisect_left(calibration, score)) / (len(calibration) + 1)


def threshold(calibration: Sequence[float], fpr: float) -> float:
    """Return the score above which, and only above which, the p-value is at most ``fpr``; inf if there is none.

    Examples
    --------
    >>> threshold([1.0, 2.0, 3.0], 0.5), threshold([1.0, 2.0, 3.0], 0.25), threshold([1.0, 2.0, 3.0], 0.1)
    (2.0, 3.0, inf)
    """
    n = len(calibration)
    above = floor(fpr * (n + 1) * (1 + 1e-12)) - 1  # so many ordinary rows may be as strange
    return calibration[n - 1 - min(above, n - 1)] if above >= 0 else inf


def finest(calibration: Sequence[float]) -> float:
    """Return the smallest p-value that so many scores allow.

    Examples
    --------
    >>> finest([0.0] * 99)
    0.01
    """
    return 1 / (len(calibration) + 1)
