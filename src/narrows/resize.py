"""Pictures made smaller, larger and softer: one weighted sum along each axis, exactly as MATLAB's ``imresize``."""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor

__all__ = ["Kernel", "luminance", "resize", "shrink", "soften"]

Kernel = Literal["bicubic", "lanczos"]
_BT601 = (0.299, 0.587, 0.114)
_TRUNCATE = 4.0  # deviations at which a Gaussian is cut, as SciPy does


def bicubic(x: np.ndarray) -> np.ndarray:
    """Return the cubic convolution kernel with a = -1/2 at distances x, in their shape (Keys 1981, eq. 15)."""
    x = np.abs(x)
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def lanczos(x: np.ndarray) -> np.ndarray:
    """Return the Lanczos kernel of three lobes at distances x, in their shape: sinc(x) sinc(x / 3)."""
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


_KERNELS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], int]] = {"bicubic": (bicubic, 4), "lanczos": (lanczos, 6)}


def resize(x: Tensor, side: tuple[int, int], scale: float | None = None, kernel: Kernel = "bicubic") -> Tensor:
    """Return pictures (..., H, W) at the size ``side``; a picture that shrinks is smoothed first (antialiased).

    ``scale`` is the factor between the sizes where rounding hides it: the edges at the top and at the left stay in
    their places. Beyond the edges pictures go on as in a mirror. Values may overshoot and are not clipped.

    Examples
    --------
    >>> resize(torch.eye(4, dtype=torch.float64), (2, 2)).round(decimals=3).tolist()
    [[0.47, 0.03], [0.03, 0.47]]
    """
    for axis, length in zip((-2, -1), side, strict=True):
        n = x.shape[axis]
        if length != n or scale not in (None, 1):
            x = weighted(x, axis, *taps(n, length, length / n if scale is None else float(scale), kernel))
    return x


def shrink(x: Tensor, scale: float) -> Tensor:
    """Return pictures (..., H, W) that are ``scale`` times smaller; sides that do not divide are rounded up.

    Examples
    --------
    >>> shrink(torch.rand(1, 7, 9), 2).shape
    torch.Size([1, 4, 5])
    """
    height, width = (math.ceil(length / scale) for length in x.shape[-2:])
    return resize(x, (height, width), 1 / scale)


def soften(x: Tensor, sigma: float) -> Tensor:
    """Return pictures (..., H, W) blurred by a Gaussian of ``sigma`` pixels, mirrored at the edges.

    Examples
    --------
    >>> round(soften(torch.eye(3), 1.0).sum().item(), 4)
    3.0
    """
    for axis in (-2, -1):
        x = weighted(x, axis, *gaussian_taps(x.shape[axis], float(sigma)))
    return x


def luminance(x: Tensor) -> Tensor:
    """Return the brightness of pictures (..., C, H, W) as (..., 1, H, W): BT.601 for three channels, else their mean.

    It runs over the full range: MATLAB's ``rgb2ycbcr`` gives 16 + 219 times this, of 255.

    Examples
    --------
    >>> luminance(torch.ones(3, 1, 1)).round(decimals=6).item()
    1.0
    """
    if x.shape[-3] != 3:
        return x.mean(-3, keepdim=True)
    red, green, blue = x.unbind(-3)
    return (_BT601[0] * red + _BT601[1] * green + _BT601[2] * blue).unsqueeze(-3)


def weighted(x: Tensor, axis: int, index: Tensor, weight: Tensor) -> Tensor:
    """Return sums along an axis: value i is the sum over k of weight[k, i] times x[index[k, i]]."""
    shape = [1] * x.ndim
    shape[axis] = -1
    total: Tensor | None = None
    for where, share in zip(index.to(x.device), weight.to(x.device, x.dtype), strict=True):
        part = x.index_select(axis, where).mul_(share.reshape(shape))
        total = part if total is None else total.add_(part)
    return x if total is None else total


@lru_cache(maxsize=256)
def taps(n: int, m: int, scale: float, kernel: Kernel) -> tuple[Tensor, Tensor]:
    """Return for each of ``m`` values which of ``n`` it is made of, and their weights, both (k, m)."""
    function, width = _KERNELS[kernel]
    squeeze = min(scale, 1.0)
    middle = (np.arange(m) + 0.5) / scale - 0.5
    support = width / squeeze
    first = np.floor(middle - support / 2).astype(int)
    index = first + np.arange(math.ceil(support) + 2)[:, None]
    weight = function(squeeze * (middle - index))
    weight /= weight.sum(0)
    used = np.abs(weight).max(1) > 0
    return torch.from_numpy(mirrored(index[used], n)), torch.from_numpy(weight[used])


@lru_cache(maxsize=256)
def gaussian_taps(n: int, sigma: float) -> tuple[Tensor, Tensor]:
    """Return the values and weights of a Gaussian around each of ``n`` places, both (k, n)."""
    radius = int(_TRUNCATE * sigma + 0.5)
    offset = np.arange(-radius, radius + 1)
    weight = np.exp(-0.5 * (offset / sigma) ** 2) if sigma else np.ones(1)
    index = mirrored(np.arange(n) + offset[:, None], n)
    return torch.from_numpy(index), torch.from_numpy(np.repeat((weight / weight.sum())[:, None], n, 1))


def mirrored(index: np.ndarray, n: int) -> np.ndarray:
    """Return places that run beyond the ends back inside: ... 1 0 | 0 1 ... n-1 | n-1 n-2 ..."""
    place = np.mod(index, 2 * n)
    inside: np.ndarray = np.where(place < n, place, 2 * n - 1 - place)
    return inside
