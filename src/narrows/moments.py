"""Means, variances and medians over rows that count as often as their weights say, and signs of axes."""

import torch
from torch import Tensor

__all__ = ["mean", "median", "upright", "variance"]

_ROUNDED = 1e-6  # by which a half may be missed where weights are fractions in single precision


def mean(rows: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return the mean of ``rows`` (n, ...), each of which counts ``weight`` (n,) times, in their own type.

    Weights of the shape of the rows are those of every value; where they are all 0 the mean is 0. Sums are in float64,
    so that equal weights and none give the same to the last digit.

    Examples
    --------
    >>> mean(torch.tensor([[0.0], [4.0]]), torch.tensor([3.0, 1.0])).tolist()
    [1.0]
    """
    if weight is None:
        return rows.mean(0, dtype=torch.float64).to(rows.dtype)
    if weight.ndim > 1:
        sums = weight.double().sum(0).clamp_min(torch.finfo(torch.float64).tiny)
        return ((rows.double() * weight.double()).sum(0) / sums).to(rows.dtype)
    share = weight.double() / weight.double().sum()
    total: Tensor = torch.tensordot(share, rows.double(), 1)
    return total.to(rows.dtype)


def variance(rows: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return the mean square of ``rows`` (n, ...) around their mean, in float64.

    Examples
    --------
    >>> variance(torch.tensor([[0.0], [4.0]]), torch.tensor([3.0, 1.0])).tolist()
    [3.0]
    """
    rows = rows.double()
    return rows.var(0, correction=0) if weight is None else mean((rows - mean(rows, weight)).square(), weight)


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
    half = 0.5 * (1 - _ROUNDED) * below[-1:]
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
