"""Where a group of large values lies apart from the tail of the others."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

__all__ = ["beyond_tail"]

Floats = NDArray[Any]
_MAX_FALL = 1.5  # times that the hazard of an ordinary tail may fall
_MAX_CHANCE = 1e-4  # Chernoff's bound on the chance of what is seen, in an ordinary tail
_MAX_EDGES = 100  # values at which an interval may begin or end, and as many of the largest ones
_MIN_TAIL_VALUES = 10  # values that make a tail


def beyond_tail(values: Floats, body: float = 0.5) -> NDArray[np.bool_]:
    """Return which values lie apart from the tail of the others; mostly none.

    The hazard of the logarithms (how many of the values that are as large end per unit) is constant in a power law and
    rises in every lighter tail: normal, exponential, log-normal. Where it falls to less than two thirds of what it was
    since the quantile ``body``, a gap opens: if Chernoff's bound makes so few values in an interval improbable, those
    beyond the middle of the interval lie apart. Ties are no gaps: equal values are spread evenly down to the next
    smaller one, and where most are equal nothing is told.

    Examples
    --------
    >>> ordinary = np.random.default_rng(0).gamma(9.0, size=1000)
    >>> int(beyond_tail(ordinary).sum()), int(beyond_tail(np.append(ordinary, np.linspace(60, 90, 30))).sum())
    (0, 30)
    """
    start = float(np.quantile(values, body)) if len(values) else 0.0
    tail = np.sort(values[values > start])
    apart = np.zeros(len(values), bool)
    if start <= 0 or len(tail) < _MIN_TAIL_VALUES or len(np.unique(tail)) < len(tail) / 2:
        return apart
    logs = _spread(np.log(tail / start))
    count = len(logs)
    edges = np.unique(np.append(np.linspace(count // 4, count - 1, _MAX_EDGES).astype(int), range(count)[-_MAX_EDGES:]))
    before = edges + 1.0  # values up to the edge, and how much of the logarithms was passed by all values until then
    passed = np.append(0, np.cumsum(logs))[edges] + (count - edges) * logs[edges]
    after, exposed = before[None] - before[:, None] - 1, passed[None] - passed[:, None]
    exponent = np.where(after >= 0, _chernoff(before[:, None], np.maximum(after, 0), passed[:, None], exposed), 0.0)
    low, high = np.unravel_index(np.argmax(exponent), exponent.shape)
    if exponent[low, high] > -math.log(_MAX_CHANCE):
        middle = (logs[edges[low]] + logs[edges[high]]) / 2
        apart = values > start * math.exp(middle)
    return apart


def _chernoff(before: Floats, after: Floats, passed: Floats, exposed: Floats) -> Floats:
    """Return minus the logarithm of Chernoff's bound on so few values after, when the hazard fell as far as it may."""
    total = before + after
    share = _MAX_FALL * passed / np.maximum(_MAX_FALL * passed + exposed, np.finfo(float).tiny)  # of the values, before
    with np.errstate(divide="ignore", invalid="ignore"):
        bound = xlogy(before, before / (total * share)) + xlogy(after, after / (total * (1 - share)))
    return np.where((before > total * share) & (exposed > 0), bound, 0.0)


def _spread(values: Floats) -> Floats:
    """Return sorted values with equal ones spread evenly over the gap below them."""
    different, counts = np.unique(values, return_counts=True)
    gaps = np.diff(different, prepend=0.0)
    place = np.arange(len(values)) - np.repeat(np.cumsum(counts) - counts, counts) + 1
    return np.repeat(different - gaps, counts) + np.repeat(gaps / counts, counts) * place
