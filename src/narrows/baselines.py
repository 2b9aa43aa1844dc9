"""The simple competitors that an autoencoder has to beat, each fitted in closed form or not at all."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from narrows.errors import InputError

__all__ = ["LinearDenoiser", "MedianFilter", "NoisyInput", "PCABaseline"]

Array = NDArray[Any]
Floats = NDArray[np.float64]

WIDEST = 4096  # values per row up to which a full matrix of weights is solved for
EXACT = 2048  # columns or rows up to which principal components are exact
ENOUGH = 100_000  # rows that settle a matrix of that size


@dataclass
class PCABaseline:
    """Principal components: the best linear code of a given length.

    Parameters
    ----------
    k : int
        Numbers per row that are kept; never more than there are rows or columns.
    random_state : int
        Of the sample of rows above 100 000 and of the randomised solver above 2048 columns and rows.

    Examples
    --------
    >>> line = np.outer(np.arange(5.0), [1.0, 2.0])
    >>> bool(np.allclose(PCABaseline(1).fit(line).reconstruct(line), line))
    True
    """

    k: int
    random_state: int = 0

    @property
    def name(self) -> str:
        """What reports call it."""
        return f"PCA({self.k})"

    def fit(self, X: Array) -> Self:
        """Find the components of rows of any shape; uint8 and uint16 become [0, 1]."""
        from sklearn.decomposition import PCA

        rows = _sample(_flat(X), ENOUGH, self.random_state)
        n, d = rows.shape
        solver = "covariance_eigh" if d <= EXACT else "full" if n <= EXACT else "randomized"
        pca = PCA(min(self.k, n, d), svd_solver=solver, iterated_power=7, random_state=self.random_state)
        precise = np.float64 if d <= EXACT else np.float32
        pca.fit(_unit(rows).astype(precise, copy=False))
        self.mean_, self.components_ = np.asarray(pca.mean_, np.float64), np.asarray(pca.components_, np.float64)
        return self

    def transform(self, X: Array) -> Floats:
        """Return the codes, one row of k numbers each."""
        return np.concatenate([(part - self.mean_) @ self.components_.T for part in _parts(X)])

    def inverse_transform(self, codes: Array) -> Floats:
        """Return flat rows from codes."""
        return np.asarray(codes @ self.components_ + self.mean_)

    def reconstruct(self, X: Array) -> Array:
        """Return rows of the shape of X from their codes."""
        parts = [self.inverse_transform(self.transform(part)).astype(_result_type(X)) for part in _parts(X)]
        return np.concatenate(parts).reshape(X.shape)


@dataclass
class LinearDenoiser:
    """The best linear map from noisy to clean rows: ridge regression with an intercept, in closed form.

    Parameters
    ----------
    ridge : float
        Penalty, as a share of the mean variance of the noisy values; 0 is ordinary least squares.
    random_state : int
        Of the sample of patches, or of rows above 100 000.

    Notes
    -----
    Images of more than 4096 values use one map from noisy to clean patches (16 x 16, smaller with many channels),
    whose overlapping results are averaged. Tables that wide are refused: a report leaves the competitor out.

    Examples
    --------
    >>> noisy = np.random.default_rng(0).random((50, 3))
    >>> denoiser = LinearDenoiser(ridge=0).fit(noisy, 2 * noisy + 1)
    >>> bool(np.allclose(denoiser.denoise(noisy), 2 * noisy + 1))
    True
    """

    ridge: float = 1e-3
    random_state: int = 0
    name = "best linear denoiser"

    def fit(self, noisy: Array, clean: Array) -> Self:
        """Solve for the weights from rows of noisy values and the clean values of the same rows."""
        if len(noisy) != len(clean) or len(noisy) < 2:
            raise InputError(
                f"{len(noisy)} noisy and {len(clean)} clean rows", "as many of one as of the other, 2 or more"
            )
        self.patch_ = _patch_side(noisy, clean)
        self.shape_ = clean.shape[1:]
        if self.patch_:
            noisy, clean = _patches(noisy, clean, self.patch_, self.random_state)
        noisy, clean = (_sample(rows, ENOUGH, self.random_state) for rows in (_flat(noisy), _flat(clean)))
        self.weights_, self.intercept_ = _least_squares(noisy, clean, self.ridge)
        return self

    def denoise(self, noisy: Array) -> Array:
        """Return the estimate of the clean rows."""
        if self.patch_:
            return np.stack([self._denoise_image(_unit(image)) for image in noisy]).astype(_result_type(noisy))
        rows = [(part @ self.weights_ + self.intercept_).astype(_result_type(noisy)) for part in _parts(noisy)]
        return np.concatenate(rows).reshape(len(noisy), *self.shape_)

    def _denoise_image(self, image: Array) -> Floats:
        """Average the results of overlapping patches of one image."""
        total, count = np.zeros(image.shape), np.zeros(image.shape)
        height, width = (_offsets(size, self.patch_) for size in image.shape[-2:])
        for window in ((..., rows, columns) for rows in height for columns in width):
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
    >>> image = np.zeros((1, 5, 5))
    >>> image[0, 2, 2] = 1
    >>> float(MedianFilter(3).denoise(image).max())
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
        rows = [_unit(_sample(images, 1000, 0)).astype(np.float64) for images in (noisy, clean)]
        errors = {side: np.mean((MedianFilter(side).denoise(rows[0]) - rows[1]) ** 2) for side in (3, 5)}
        self.size_ = self.size or min(errors, key=lambda side: errors[side])
        return self

    def denoise(self, noisy: Array) -> Array:
        """Return filtered images, ``(n, H, W)`` or ``(n, C, H, W)``."""
        from scipy.ndimage import median_filter

        if noisy.ndim not in (3, 4):
            raise InputError(f"Rows of shape {noisy.shape}", "images (n, H, W) or (n, C, H, W)")
        window = (1,) * (noisy.ndim - 2) + (self.size_, self.size_)
        return np.asarray(median_filter(_unit(noisy), size=window))


@dataclass
class NoisyInput:
    """No denoising at all: what every denoiser has to beat.

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
        """Return the rows as they came, in [0, 1] when they were integers."""
        return _unit(noisy)


def _unit(rows: Array) -> Array:
    """Values as floats; uint8 and uint16 become [0, 1]."""
    if rows.dtype in (np.uint8, np.uint16):
        return np.asarray(rows / np.float32(np.iinfo(rows.dtype).max), np.float32)
    return np.asarray(rows, _result_type(rows))


def _result_type(rows: Array) -> type[np.float32] | type[np.float64]:
    """Precision of results: that of float64 rows, otherwise single."""
    return np.float32 if rows.dtype in (np.float16, np.float32, np.uint8, np.uint16, np.bool_) else np.float64


def _flat(rows: Array) -> Array:
    """Rows as a matrix."""
    return rows.reshape(len(rows), -1)


def _parts(rows: Array) -> Iterator[Floats]:
    """Yield flat float64 rows, some at a time."""
    flat = _flat(rows)
    step = max(1, (1 << 23) // max(1, flat.shape[1]))
    for start in range(0, len(flat), step):
        yield _unit(flat[start : start + step]).astype(np.float64)


def _sample(rows: Array, most: int, seed: int) -> Array:
    """At most so many rows, the same ones for arrays of one length."""
    if len(rows) <= most:
        return rows
    return rows[np.sort(np.random.default_rng(seed).choice(len(rows), most, replace=False))]


def _least_squares(x: Array, y: Array, ridge: float) -> tuple[Floats, Floats]:
    """Weights and intercept of the ridge regression of y on x, from float64 sums over parts of the rows."""
    from scipy.linalg import lstsq, solve

    x_mean, y_mean = (sum(part.sum(axis=0) for part in _parts(rows)) / len(rows) for rows in (x, y))
    square, cross = np.zeros((x.shape[1], x.shape[1])), np.zeros((x.shape[1], y.shape[1]))
    for start in range(0, len(x), 8192):
        a, b = (_unit(rows[start : start + 8192]).astype(np.float64) for rows in (x, y))
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
        raise InputError(
            f"{noisy[0].size} values per row", f"up to {WIDEST} values, or noisy and clean images of one shape"
        )
    channels = int(np.prod(noisy.shape[1:-2]))
    fits = [side for side in (16, 12, 8) if channels * side**2 <= WIDEST // 4 and side <= min(noisy.shape[-2:])]
    if not fits:
        raise InputError(f"Images of shape {noisy.shape[1:]}", "images of 8 x 8 pixels or more with up to 16 channels")
    return fits[0]


def _patches(noisy: Array, clean: Array, side: int, seed: int) -> tuple[Array, Array]:
    """Patches at random places, the same in both, spread over all images."""
    draw = np.random.default_rng(seed)
    height, width = noisy.shape[-2:]
    image = np.arange(ENOUGH) % len(noisy)
    top, left = draw.integers(height - side + 1, size=ENOUGH), draw.integers(width - side + 1, size=ENOUGH)
    places = [(i, ..., slice(t, t + side), slice(s, s + side)) for i, t, s in zip(image, top, left, strict=True)]
    return np.stack([noisy[place] for place in places]), np.stack([clean[place] for place in places])


def _offsets(size: int, side: int) -> list[slice]:
    """Overlapping pieces of an axis, the last one at its end."""
    starts = sorted({*range(0, size - side, side // 4), size - side})
    return [slice(start, start + side) for start in starts]
