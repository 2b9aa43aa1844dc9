"""The simple competitors that an autoencoder has to beat, each fitted in closed form or not at all."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from narrows.errors import InputError
from narrows.estimator.inputs import unit

__all__ = ["LinearDenoiser", "MedianFilter", "NoisyInput", "PCABaseline"]

Array = NDArray[Any]
Floats = NDArray[np.float64]

WIDEST = 4096  # values per row up to which a full matrix of weights is solved for
EXACT = 2048  # columns or rows up to which principal components are exact
ENOUGH = 100_000  # rows, or twice the patches, that settle a matrix of that size


@dataclass
class PCABaseline:
    """Principal components: the best linear code of a given length.

    Parameters
    ----------
    k : int
        Numbers per row that are kept; never more than rows or columns. Exact up to 2048 rows or columns.

    Examples
    --------
    >>> line = np.outer(np.arange(5.0), [1.0, 2.0])
    >>> bool(np.allclose(PCABaseline(1).fit(line).reconstruct(line), line))
    True
    """

    k: int

    @property
    def name(self) -> str:
        """What reports call it."""
        return f"PCA({self.k})"

    def fit(self, X: Array) -> Self:
        """Find the components of rows of any shape; uint8 and uint16 become [0, 1]."""
        from sklearn.decomposition import PCA

        n, d = (rows := sample(X.reshape(len(X), -1), ENOUGH)).shape
        solver = "covariance_eigh" if d <= EXACT else "full" if n <= EXACT else "randomized"
        pca = PCA(min(self.k, n, d), svd_solver=solver, iterated_power=7, random_state=0)
        pca.fit(unit(rows).astype(np.float64 if d <= EXACT else np.float32, copy=False))
        self.mean_, self.components_ = np.asarray(pca.mean_, np.float64), np.asarray(pca.components_, np.float64)
        return self

    def transform(self, X: Array) -> Floats:
        """Return the codes, (n, k)."""
        return np.concatenate([(part - self.mean_) @ self.components_.T for part in _parts(X)])

    def reconstruct(self, X: Array) -> Array:
        """Return rows of the shape of X from their codes."""
        kind, basis = np.result_type(X, np.float32), self.components_
        parts = [((part - self.mean_) @ basis.T @ basis + self.mean_).astype(kind) for part in _parts(X)]
        return np.concatenate(parts).reshape(X.shape)


@dataclass
class LinearDenoiser:
    """The best linear map from noisy to clean rows: ridge regression with an intercept, in closed form.

    Parameters
    ----------
    ridge : float
        Penalty, as a share of the mean variance of the noisy values; 0 is ordinary least squares.
    patch : int, optional
        Side of patches that images, of any size, are cut into.

    Notes
    -----
    Images of more than 4096 values use one map from noisy to clean patches (16 x 16, smaller with many channels),
    whose overlapping results are averaged; tables that wide are refused. Results lie in [0, 1] where clean values do.

    Examples
    --------
    >>> noisy = np.random.default_rng(0).random((50, 3))
    >>> denoiser = LinearDenoiser(ridge=0).fit(noisy, 2 * noisy + 1)
    >>> bool(np.allclose(denoiser.denoise(noisy), 2 * noisy + 1))
    True
    """

    ridge: float = 1e-3
    patch: int | None = None
    name = "best linear denoiser"

    def fit(self, noisy: Array, clean: Array) -> Self:
        """Solve for the weights from rows of noisy values and the clean values of the same rows.

        Raises ``InputError`` for fewer than two rows, for rows without partners, and for rows that are too wide.
        """
        if len(noisy) != len(clean) or len(noisy) < 2:
            raise InputError(f"{len(noisy)} noisy and {len(clean)} clean rows", "as many of both, 2 or more")
        self.patch_ = self.patch or _patch_side(noisy, clean)
        self.shape_ = clean.shape[1:]
        extremes = unit(np.array([clean.min(), clean.max()]))
        self.limits_ = (0.0, 1.0) if (extremes == extremes.clip(0, 1)).all() else (-np.inf, np.inf)
        noisy, clean = _patches(noisy, clean, self.patch_) if self.patch_ else (noisy, clean)
        x, y = (sample(rows.reshape(len(rows), -1), ENOUGH) for rows in (noisy, clean))
        self.weights_, self.intercept_ = _least_squares(x, y, self.ridge)
        return self

    def denoise(self, noisy: Array) -> Array:
        """Return the estimate of the clean rows, (n, d)."""
        kind, whole = np.result_type(noisy, np.float32), (x @ self.weights_ + self.intercept_ for x in _parts(noisy))
        results = (self._denoise_image(unit(image)) for image in noisy) if self.patch_ else whole
        shape = noisy.shape if self.patch_ else (len(noisy), *self.shape_)
        return np.concatenate([part.astype(kind) for part in results]).reshape(shape).clip(*self.limits_)

    def _denoise_image(self, image: Array) -> Floats:
        """Average the results of overlapping patches of one image."""
        total, count, side = np.zeros(image.shape), np.zeros(image.shape), self.patch_
        tops, lefts = (sorted({*range(0, size - side, side // 4), size - side}) for size in image.shape[-2:])
        for top, left in product(tops, lefts):
            window = (..., slice(top, top + side), slice(left, left + side))
            patch = image[window]
            total[window] += (patch.reshape(-1) @ self.weights_ + self.intercept_).reshape(patch.shape)
            count[window] += 1
        return total / count


@dataclass
class MedianFilter:
    """The median of the pixels around each pixel.

    Parameters
    ----------
    size : int, optional
        Side of the square; without it, `fit` takes the better of 3 and 5.

    Examples
    --------
    >>> float(MedianFilter(3).denoise(np.array([[[0.0, 0, 0], [0, 9, 0], [0, 0, 0]]])).max())
    0.0
    """

    size: int | None = None

    def __post_init__(self) -> None:
        self.size_ = self.size or 3

    @property
    def name(self) -> str:
        """What reports call it."""
        return f"median filter {self.size_} x {self.size_}"

    def fit(self, noisy: Array, clean: Array) -> Self:
        """Choose the size that has the smaller squared error on up to 1000 of the rows."""
        rows = [unit(sample(images, 1000)).astype(np.float64) for images in (noisy, clean)]
        errors = {side: np.mean((MedianFilter(side).denoise(rows[0]) - rows[1]) ** 2) for side in (3, 5)}
        self.size_ = self.size or min(errors, key=lambda side: errors[side])
        return self

    def denoise(self, noisy: Array) -> Array:
        """Return filtered images, ``(n, H, W)`` or ``(n, C, H, W)``.

        Raises ``InputError`` for rows that are no images.
        """
        from scipy.ndimage import median_filter

        if noisy.ndim not in (3, 4):
            raise InputError(f"Rows of shape {noisy.shape}", "images (n, H, W) or (n, C, H, W)")
        return np.asarray(median_filter(unit(noisy), size=(self.size_, self.size_), axes=(-2, -1)))


@dataclass
class NoisyInput:
    """No denoising at all.

    Examples
    --------
    >>> NoisyInput().denoise(np.array([[0, 255]], dtype=np.uint8))
    array([[0., 1.]], dtype=float32)
    """

    name = "noisy input"

    def fit(self, noisy: Array, clean: Array) -> Self:
        """Learn nothing."""
        return self

    def denoise(self, noisy: Array) -> Array:
        """Return the rows as they came, in their shape, in [0, 1] when they were integers."""
        return unit(noisy)


def _parts(rows: Array) -> Iterator[Floats]:
    """Yield flat float64 rows, some at a time."""
    flat = rows.reshape(len(rows), -1)
    step = max(1, (1 << 23) // max(1, flat.shape[1]))
    for start in range(0, len(flat), step):
        yield unit(flat[start : start + step]).astype(np.float64)


def sample(rows: Array, most: int) -> Array:
    """At most so many rows, the same ones for arrays of one length."""
    if len(rows) <= most:
        return rows
    return rows[np.sort(np.random.default_rng(0).choice(len(rows), most, replace=False))]


def _least_squares(x: Array, y: Array, ridge: float) -> tuple[Floats, Floats]:
    """Weights and intercept of the ridge regression of y on x, from float64 sums over parts of the rows."""
    from scipy.linalg import lstsq, solve

    x_mean, y_mean = (sum(part.sum(axis=0) for part in _parts(rows)) / len(rows) for rows in (x, y))
    square, cross = np.zeros((x.shape[1], x.shape[1])), np.zeros((x.shape[1], y.shape[1]))
    for start in range(0, len(x), 8192):
        a, b = (unit(rows[start : start + 8192]).astype(np.float64) for rows in (x, y))
        square += (a - x_mean).T @ (a - x_mean)
        cross += (a - x_mean).T @ (b - y_mean)
    penalty = ridge * np.trace(square) / len(square)
    square[np.diag_indices_from(square)] += penalty
    weights = np.asarray(solve(square, cross, assume_a="pos") if penalty > 0 else lstsq(square, cross)[0])
    return weights, y_mean - x_mean @ weights


def _patch_side(noisy: Array, clean: Array) -> int:
    """Side of the patches that very wide rows are cut into, or 0 for whole rows."""
    if noisy[0].size <= WIDEST and clean[0].size <= WIDEST:
        return 0
    if noisy.ndim not in (3, 4) or noisy.shape != clean.shape:
        raise InputError(f"{noisy[0].size} values per row", f"up to {WIDEST}, or noisy and clean images of one shape")
    height, width = noisy.shape[-2:]
    most = WIDEST // 4 * height * width // noisy[0].size  # pixels of a patch
    fits = [side for side in (16, 12, 8) if side**2 <= most and side <= min(height, width)]
    if not fits:
        raise InputError(f"Images of shape {noisy.shape[1:]}", "images of 8 x 8 pixels or more with up to 16 channels")
    return fits[0]


def _patches(noisy: Array, clean: Array, side: int) -> tuple[Array, Array]:
    """Patches at random places, the same in both, spread over all images."""
    draw = np.random.default_rng(0)
    height, width = noisy.shape[-2:]
    top, left = draw.integers(0, [[height - side + 1], [width - side + 1]], size=(2, ENOUGH // 2))
    image = np.arange(ENOUGH // 2) % len(noisy)
    windows = partial(np.lib.stride_tricks.sliding_window_view, window_shape=(side, side), axis=(-2, -1))
    return windows(noisy)[image, ..., top, left, :, :], windows(clean)[image, ..., top, left, :, :]
