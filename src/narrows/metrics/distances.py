"""How far two sets of rows are apart: Fréchet and kernel distances."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows.errors import InputError
from narrows.metrics.comparison import Comparison, clustered

__all__ = [
    "compare_kernel_distances",
    "distances_of",
    "frechet_distance",
    "kernel_distance",
    "kernel_rows",
    "nearest_rows",
]

Floats = NDArray[np.float64]


def frechet_distance(A: Any, B: Any) -> float:
    """Return the squared Fréchet distance of the Gaussians with the means and covariances of rows A and B.

    |mean - mean'|² + tr(C + C' - 2 (C C')^(1/2)) (Dowson & Landau 1982; Heusel et al. 2017, equation 6). With few rows
    it is too large, the same for all competitors of as many rows.

    Examples
    --------
    >>> A = np.random.default_rng(0).normal(size=(5000, 2))
    >>> round(frechet_distance(A, A + 3), 6)  # from the means only
    18.0
    """
    A, B = _rows(A, B)
    gap = A.mean(0) - B.mean(0)
    one, two = (np.atleast_2d(np.cov(rows.T)) for rows in (A, B))
    values, axes = np.linalg.eigh(one)
    root = (axes * np.sqrt(np.maximum(values, 0))) @ axes.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ two @ root), 0)).sum()
    return float(max(gap @ gap + np.trace(one) + np.trace(two) - 2 * cross, 0.0))


def kernel_distance(A: Any, B: Any, width: float) -> float:
    """Return the squared maximum mean discrepancy of rows A and B, without bias: 0 on average where they are alike.

    The kernel is exp(-|a - b|² / 2 width²) (Gretton et al. 2012, equation 3).

    Examples
    --------
    >>> draw = np.random.default_rng(0)
    >>> A, B = draw.normal(size=(400, 2)), draw.normal(size=(400, 2))
    >>> abs(kernel_distance(A, B, 1.0)) < 0.01 < kernel_distance(A, B + 1, 1.0)
    True
    """
    return float(kernel_rows(A, B, width).mean())


def kernel_rows(A: Any, B: Any, width: float) -> Floats:
    """Return what every row of B adds to the squared maximum mean discrepancy, (n,); their mean is that.

    Examples
    --------
    >>> kernel_rows(np.zeros((2, 1)), np.full((3, 1), 9.0), 1.0).tolist()
    [2.0, 2.0, 2.0]
    """
    A, B = _rows(A, B)
    within_a, within_b, cross = _kernel(A, A, width), _kernel(B, B, width), _kernel(B, A, width)
    n, m = len(A), len(B)
    within = (within_a.sum() - n) / (n * (n - 1))  # a row is not compared with itself
    parts: Floats = within + (within_b.sum(1) - 1) / (m - 1) - 2 * cross.mean(1)
    return parts


def compare_kernel_distances(ours: Any, theirs: Any, real: Any, width: float, clusters: Any = None) -> Comparison:
    """Compare the kernel distances of two sets of rows from real ones, in which all three sets are samples.

    The noise is that of a difference of two dependent distances (Bounliphone et al. 2016, section 3), less the part of
    second order, which projections on single rows count twice (Efron & Stein 1981): without that, two samplers that
    are nearly perfect could never be told apart. ``clusters`` (n,) are those of real rows that depend on each other.

    Examples
    --------
    >>> compare_kernel_distances(np.zeros((3, 1)), np.zeros((3, 1)), np.full((3, 1), 9.0), 1.0).gap
    0.0
    """
    pair = [kernel_rows(sampled, real, width) for sampled in (ours, theirs)]
    checked = [_rows(sampled, real) for sampled in (ours, theirs)]
    kernels = [(_kernel(A, A, width), _kernel(A, B, width)) for A, B in checked]
    gaps = pair[0] - pair[1]
    gaps = gaps if clusters is None else clustered(gaps, clusters)
    samples = (gaps, *(_projected(within, cross) for within, cross in kernels))
    twice = sum(_second_order(within, cross) for within, cross in kernels)
    values = pair[0].mean(), pair[1].mean()
    return Comparison.of_samples(*values, "lower", *samples, counted_twice=twice, absolute=True)


def _projected(within: Floats, cross: Floats) -> Floats:
    """Return what every row of A adds to the squared maximum mean discrepancy, up to a constant, as pseudo-values.

    ``within`` (n, n) are kernels of pairs of A, ``cross`` (n, m) of A and B. The values are those of the jackknife:
    within A they are (n - 1) / (n - 2) times the means over pairs (Arvesen 1969, section 2).
    """
    projections: Floats = 2 * ((within.sum(1) - 1) / max(len(within) - 2, 1) - cross.mean(1))
    return projections


def _second_order(within: Floats, cross: Floats) -> float:
    """Return the variance that pairs of rows of A, and of A and B, add to the squared maximum mean discrepancy.

    That of a U-statistic's second term in Hoeffding's (1948) decomposition, from centred kernels: those of pairs
    within A by U-centring (Székely & Rizzo 2014, equation 2.4), which takes four rows.
    """
    n, m = cross.shape
    centred = cross - (cross.mean(0) + cross.mean(1, keepdims=True) - cross.mean())
    between = 4 * np.square(centred).sum() / ((n - 1) * (m - 1) * n * m)
    if n < 4:
        return float(between)
    pairs = within.copy()
    np.fill_diagonal(pairs, 0.0)
    mean = pairs.sum(1) / (n - 2)
    pairs += pairs.sum() / ((n - 1) * (n - 2)) - mean - mean[:, None]
    np.fill_diagonal(pairs, 0.0)
    return float(between + 2 * np.square(pairs).sum() / (n * (n - 3) * n * (n - 1)))


def distances_of(made: Any, real: Any, width: float) -> dict[str, float]:
    """Return kernel and Fréchet distance of two sets of rows, and the spread of the first as a share of the second's.

    Examples
    --------
    >>> rows = np.random.default_rng(0).normal(size=(50, 2))
    >>> distances_of(rows / 2, rows, 1.0)["spread"]
    0.5
    """
    made, real = _rows(made, real)
    return {
        "kernel": kernel_distance(made, real, width),
        "frechet": frechet_distance(made, real),
        "spread": float(np.sqrt(made.var(0).sum() / max(real.var(0).sum(), 1e-12))),
    }


def nearest_rows(rows: NDArray[Any], blocks: Iterable[NDArray[Any]]) -> NDArray[Any]:
    """Return for each of the rows the nearest of others, which come in blocks, in the shape of the rows.

    Examples
    --------
    >>> nearest_rows(np.array([[0.2], [0.9]]), [np.array([[0.0], [5.0]]), np.array([[1.0]])]).tolist()
    [[0.0], [1.0]]
    """
    flat = rows.reshape(len(rows), -1)
    middle = flat.mean(0)  # far from zero the products would drown the differences
    a, nearest, least = flat - middle, np.zeros_like(rows), np.full(len(rows), np.inf)
    for others in blocks:
        b = others.reshape(len(others), -1) - middle
        gaps = np.square(b).sum(1) - 2 * a @ b.T  # without the square of the row, the same for all
        best = gaps.argmin(axis=1)
        nearer = gaps[np.arange(len(a)), best] < least
        nearest[nearer], least[nearer] = others[best[nearer]], gaps[nearer, best[nearer]]
    return nearest


def _kernel(A: Floats, B: Floats, width: float) -> Floats:
    from scipy.spatial.distance import cdist

    similarity: Floats = np.exp(cdist(A, B, "sqeuclidean") / (-2 * width**2))
    return similarity


def _rows(A: Any, B: Any) -> tuple[Floats, Floats]:
    A, B = (np.asarray(rows, np.float64).reshape(len(rows), -1) for rows in (A, B))
    if A.shape[1] != B.shape[1] or min(len(A), len(B)) < 2:
        raise InputError(f"Rows of shapes {A.shape} and {B.shape}", "at least two of each, of one length")
    return A, B
