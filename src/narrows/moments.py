"""Means, variances and medians over rows that count as often as their weights say, and signs of axes."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["mean", "median", "upright", "variance"]

_BLOCK_VALUES = 1 << 20  # values that are summed together
_HALF_TOLERANCE = 1e-6  # by which a half may be missed where weights are fractions in single precision


def mean(rows: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return the mean of ``rows`` (n, ...), each of which counts ``weight`` (n,) times, in their own type.

    Weights of the shape of the rows are those of every value; where they are all 0 the mean is 0. Sums are in float64,
    block by block, so that equal weights and none give the same but for rounding.

    Examples
    --------
    >>> mean(torch.tensor([[0.0], [4.0]]), torch.tensor([3.0, 1.0])).tolist()
    [1.0]
    """
    return _mean(rows, weight, lambda block: block).to(rows.dtype)


def variance(rows: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return the mean square of ``rows`` (n, ...) around their mean, in float64.

    Examples
    --------
    >>> variance(torch.tensor([[0.0], [4.0]]), torch.tensor([3.0, 1.0])).tolist()
    [3.0]
    """
    centre = _mean(rows, weight, lambda block: block)
    return _mean(rows, weight, lambda block: (block - centre).square())


def _mean(rows: Tensor, weight: Tensor | None, function: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the mean of a function of blocks of rows, in float64."""
    step = max(1, _BLOCK_VALUES // max(1, math.prod(rows.shape[1:])))
    total, counts = rows.new_zeros(rows.shape[1:], dtype=torch.float64), rows.new_zeros((), dtype=torch.float64)
    for start in range(0, len(rows), step):
        values = function(rows[start : start + step].double())
        often = torch.ones(1) if weight is None else weight[start : start + step]
        often = often.to(values).reshape(often.shape + (1,) * (values.ndim - often.ndim))
        total += (values * often).sum(0)
        counts = counts + often.expand(len(values), *often.shape[1:]).sum(0)
    return total / counts.clamp_min(torch.finfo(torch.float64).tiny)


def median(rows: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return the smallest values that at least half of ``rows`` (n, ...) do not exceed.

    Examples
    --------
    >>> median(torch.tensor([[0.0], [1.0], [4.0]]), torch.tensor([1.0, 1.0, 3.0])).tolist()
    [4.0]
    """
    if weight is None:
        return rows.median(0).values
    ordered, places = rows.sort(0)
    below = weight.double()[places].cumsum(0)
    half = 0.5 * (1 - _HALF_TOLERANCE) * below[-1:]
    return ordered.gather(0, (below >= half).int().argmax(0, keepdim=True))[0]


def upright(axes: Tensor) -> Tensor:
    """Return axes (k, d) with the signs that make the largest number of each positive, as scikit-learn's PCA does.

    Examples
    --------
    >>> upright(torch.tensor([[0.6, -0.8]])).tolist()
    [[-0.6..., 0.8...]]
    """
    largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
    return axes * torch.where(largest < 0, -1, 1)
