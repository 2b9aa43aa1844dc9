"""How far results are from the truth: plain functions of plain arrays, all sums in float64."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows.data.scale import unit, unit_pictures
from narrows.errors import InputError

__all__ = ["knn_accuracy", "mae", "mse", "psnr", "r2_columns", "ssim", "trustworthiness"]

Array = NDArray[Any]
Floats = NDArray[np.float64]

_CHUNK = 1 << 22  # values that are held in float64 at a time


def mse(truth: Array, result: Array) -> float:
    """Mean squared error over all values.

    Parameters
    ----------
    truth, result : ndarray
        Arrays of one shape; integers are not rescaled.

    Returns
    -------
    float
        In squared units of the values.

    Examples
    --------
    >>> mse(np.array([[0.0, 1.0]]), np.array([[0.0, 0.5]]))
    0.125
    """
    return sum(float(np.vdot(gap, gap)) for gap in _differences(truth, result)) / np.size(truth)


def mae(truth: Array, result: Array) -> float:
    """Mean absolute error over all values, in the units of the values.

    Examples
    --------
    >>> mae(np.array([[0.0, 1.0]]), np.array([[0.0, 0.5]]))
    0.25
    """
    return sum(float(np.abs(gap).sum()) for gap in _differences(truth, result)) / np.size(truth)


def psnr(truth: Array, result: Array, data_range: float | None = None) -> float:
    """Peak signal-to-noise ratio of the mean squared error over all values, in decibels.

    Parameters
    ----------
    truth, result : ndarray
        Arrays of one shape.
    data_range : float, optional
        The largest value minus the smallest that is possible. Without it both are pictures on the scale 0 to 1: uint8
        and uint16 are read as such, and other truths that leave it raise ``InputError``.

    Examples
    --------
    >>> round(psnr(np.zeros((1, 4)), np.full((1, 4), 0.1)), 6)
    20.0
    """
    truth, result, data_range = _ranged(truth, result, data_range)
    error = mse(truth, result)
    return float(10 * np.log10(float(data_range) ** 2 / error)) if error else float("inf")


def ssim(truth: Array, result: Array, data_range: float | None = None, *, gaussian: bool = False) -> float:
    """Structural similarity, averaged over images; 1 means identical.

    Raises ``InputError`` for values that are no images of 3 x 3 pixels or more.

    Parameters
    ----------
    truth, result : ndarray
        Images, ``(n, H, W)`` or ``(n, C, H, W)``.
    data_range : float, optional
        The largest value minus the smallest that is possible; without it as in `psnr`.
    gaussian : bool
        The window of the published figures: a Gaussian of 1.5 pixels, 11 x 11 (Wang et al. 2004).

    Notes
    -----
    Else the window is 7 x 7, or the largest odd size that fits into smaller images.

    Examples
    --------
    >>> images = np.random.default_rng(0).random((2, 9, 9))
    >>> round(ssim(images, images), 6)
    1.0
    """
    from skimage.metrics import structural_similarity

    _same_shape(truth, result)
    truth, result, data_range = _ranged(truth, result, data_range)
    if np.ndim(truth) not in (3, 4) or min(np.shape(truth)[-2:]) < 3:
        raise InputError(f"Values of shape {np.shape(truth)}", "images (n, H, W) or (n, C, H, W) of at least 3 x 3")
    window = min(7, (min(truth.shape[-2:]) - 1) // 2 * 2 + 1)
    axis = 0 if truth.ndim == 4 else None
    pairs = ((np.asarray(a, np.float64), np.asarray(b, np.float64)) for a, b in zip(truth, result, strict=True))
    how: dict[str, Any] = {"win_size": window, "data_range": data_range, "channel_axis": axis}
    if gaussian and min(truth.shape[-2:]) >= 11:
        how |= {"win_size": None, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    scores = [structural_similarity(a, b, **how) for a, b in pairs]
    return float(np.mean(scores))


def r2_columns(truth: Array, result: Array) -> Floats:
    """Share of each column's variance that the result explains; NaN for a constant column.

    Examples
    --------
    >>> r2_columns(np.array([[0.0, 1.0], [2.0, 1.0]]), np.array([[0.5, 1.0], [1.5, 1.0]]))
    array([0.75,  nan])
    """
    left, total = _residual_and_total(truth, result)
    return np.where(total > 0, 1 - left / np.where(total > 0, total, 1.0), np.nan)


def trustworthiness(rows: Array, codes: Array, n_neighbors: int = 5) -> float:
    """How far neighbours in the code were neighbours in the data; 1 means all of them.

    Parameters
    ----------
    rows, codes : ndarray
        The data and their codes; the cost is quadratic in the number of rows.
    n_neighbors : int
        Neighbours looked at.

    Examples
    --------
    >>> rows = np.random.default_rng(0).random((30, 3))
    >>> trustworthiness(rows, rows)
    1.0
    """
    from sklearn.manifold import trustworthiness as score

    return float(score(_flat(rows), _flat(codes), n_neighbors=n_neighbors))


def knn_accuracy(codes: Array, labels: Array, new_codes: Array, new_labels: Array, k: int = 5) -> float:
    """Share of new rows whose class is that of most of the k nearest known codes.

    Parameters
    ----------
    codes, labels : ndarray
        Codes and classes of the known rows.
    new_codes, new_labels : ndarray
        Codes and classes of the rows that are judged.
    k : int
        Neighbours that vote; fewer when fewer rows are known.

    Examples
    --------
    >>> knn_accuracy(np.array([[0.0], [1.0]]), np.array(["a", "b"]), np.array([[0.1]]), np.array(["a"]), k=1)
    1.0
    """
    from sklearn.neighbors import KNeighborsClassifier

    voters = KNeighborsClassifier(n_neighbors=min(k, len(codes))).fit(_flat(codes), labels)
    return float(np.mean(voters.predict(_flat(new_codes)) == np.asarray(new_labels)))


def _flat(rows: Array) -> Array:
    """Rows as a matrix."""
    return np.reshape(rows, (len(rows), -1))


def _ranged(truth: Array, result: Array, data_range: float | None) -> tuple[Array, Array, float]:
    """Return arrays as they came with their range, or both read as pictures on the scale 0 to 1."""
    if data_range is not None:
        return truth, result, float(data_range)
    truth, result = np.asarray(truth), np.asarray(result)
    try:
        unit_pictures(truth)
        unit_pictures(result, noisy=True)
    except InputError as error:
        raise InputError(error.came, error.accepted, "data_range=255, or the range that they have") from None
    return unit(truth), unit(result), 1.0


def _same_shape(truth: Array, result: Array) -> None:
    """Refuse arrays that cannot be compared value by value."""
    if np.shape(truth) != np.shape(result) or not np.size(truth):
        raise InputError(f"Shapes {np.shape(truth)} and {np.shape(result)}", "two arrays of one shape, not empty")


def _differences(truth: Array, result: Array) -> Iterator[Floats]:
    """Yield result minus truth in float64, some rows at a time."""
    _same_shape(truth, result)
    a, b = _flat(np.atleast_1d(truth)), _flat(np.atleast_1d(result))
    step = max(1, _CHUNK // a.shape[1])
    for start in range(0, len(a), step):
        yield b[start : start + step].astype(np.float64) - a[start : start + step]


def _residual_and_total(truth: Array, result: Array) -> tuple[Floats, Floats]:
    """Add up squares in each column: what the result leaves, and around the column's mean."""
    left = sum((np.einsum("nd,nd->d", gap, gap) for gap in _differences(truth, result)), np.zeros(1))
    rows = _flat(np.atleast_1d(truth))
    mean = np.broadcast_to(rows.mean(axis=0, dtype=np.float64), rows.shape)
    total = sum((np.einsum("nd,nd->d", gap, gap) for gap in _differences(rows, mean)), np.zeros(1))
    flat = rows.max(axis=0) == rows.min(axis=0)
    return np.asarray(left), np.where(flat, 0.0, total)
