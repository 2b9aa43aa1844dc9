"""How well masks agree: counts of which class is taken for which, overlaps, distances between boundaries."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows.errors import InputError

__all__ = ["boundary_distance", "confusion_matrix", "dice", "iou", "mean_iou", "pixel_accuracy"]

Array = NDArray[Any]
Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def confusion_matrix(truth: Array, predicted: Array, k: int, ignore: int | None = None) -> Counts:
    """Count which class is taken for which.

    Raises ``InputError`` for masks of two shapes, and for classes that are not below ``k``.

    Parameters
    ----------
    truth, predicted : ndarray of int or bool
        The class of every pixel, 0 to k - 1, of one shape.
    k : int
        Number of classes.
    ignore : int, optional
        A class of the truth that counts nowhere (void).

    Returns
    -------
    ndarray of int64, shape (k, k)
        Row i, column j: pixels of class i that were taken for class j.

    Examples
    --------
    >>> confusion_matrix(np.array([[0, 1], [1, 9]]), np.array([[0, 0], [1, 1]]), 2, ignore=9)
    array([[1, 0],
           [1, 1]])
    """
    if np.shape(truth) != np.shape(predicted):
        raise InputError(f"Masks of shapes {np.shape(truth)} and {np.shape(predicted)}", "two masks of one shape")
    counted = slice(None) if ignore is None else np.ravel(truth) != ignore
    true, guessed = (np.ravel(mask)[counted].astype(np.int64) for mask in (truth, predicted))
    for classes in (true, guessed):
        if classes.size and not 0 <= classes.min() <= classes.max() < k:
            came = f"Classes from {classes.min()} to {classes.max()}"
            raise InputError(came, f"0 to {k - 1}" + ("" if ignore is None else f", and {ignore} in the truth"))
    return np.bincount(true * k + guessed, minlength=k * k).reshape(k, k)


def iou(matrix: Array) -> Floats:
    """Return the intersection over the union of every class; NaN for a class that is in neither mask.

    Examples
    --------
    >>> iou(np.array([[1, 1, 0], [0, 2, 0], [0, 0, 0]]))
    array([0.5       , 0.66666667,        nan])
    """
    both, true, predicted = _sums(matrix)
    return _share(both, true + predicted - both)


def dice(matrix: Array) -> Floats:
    """Return twice the overlap over the sum of the sizes, of every class; NaN for a class that is in neither mask.

    Examples
    --------
    >>> dice(np.array([[1, 1, 0], [0, 2, 0], [0, 0, 0]]))
    array([0.66666667, 0.8       ,        nan])
    """
    both, true, predicted = _sums(matrix)
    return _share(2 * both, true + predicted)


def mean_iou(matrix: Array) -> float:
    """Return the mean of ``iou`` over the classes that are in either mask.

    Examples
    --------
    >>> mean_iou(np.array([[1, 1, 0], [0, 2, 0], [0, 0, 0]]))
    0.5833333333333333
    """
    return float(np.nanmean(iou(matrix)))


def pixel_accuracy(matrix: Array) -> float:
    """Return the share of pixels whose class is right.

    Examples
    --------
    >>> pixel_accuracy(np.array([[1, 1], [0, 2]]))
    0.75
    """
    both, true, _ = _sums(matrix)
    return float(both.sum() / true.sum())


def boundary_distance(truth: Array, predicted: Array) -> float:
    """Mean distance between the boundaries of two masks, in pixels.

    The mean over one boundary's pixels of the distance to the nearest pixel of the other boundary, taken both ways and
    averaged. A boundary is the pixels of a mask that have a neighbour, above, below or beside, outside the mask; the
    rim of the picture is none.

    Raises ``InputError`` for masks without pixels, that are not flat, or of two shapes.

    Parameters
    ----------
    truth, predicted : ndarray of bool
        Two masks, ``(H, W)``.

    Returns
    -------
    float
        Where neither mask has a boundary (it is empty or covers everything) 0; where only one has, the diagonal of
        the picture, which is as far as two of its pixels can lie apart.

    Examples
    --------
    >>> mask = np.arange(8) < np.full((5, 1), 3)
    >>> boundary_distance(mask, np.roll(mask, 2, axis=1) | mask)
    2.0
    """
    from scipy.ndimage import binary_erosion, distance_transform_edt

    true, guessed = np.asarray(truth, bool), np.asarray(predicted, bool)
    if true.ndim != 2 or true.shape != guessed.shape or not true.size:
        raise InputError(
            f"Masks of shapes {true.shape} and {guessed.shape}", "two masks (H, W) of one shape, not empty"
        )
    edges = [mask & ~binary_erosion(mask, border_value=1) for mask in (true, guessed)]
    if not all(edge.any() for edge in edges):
        height, width = true.shape
        return float(np.hypot(height - 1, width - 1)) if any(edge.any() for edge in edges) else 0.0
    away = [distance_transform_edt(~edge) for edge in edges]
    return float((away[1][edges[0]].mean() + away[0][edges[1]].mean()) / 2)


def _sums(matrix: Array) -> tuple[Floats, Floats, Floats]:
    """Pixels of every class that are right, that are true, that were predicted."""
    counts = np.asarray(matrix, np.float64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not (counts >= 0).all() or not counts.any():
        raise InputError(f"Counts of shape {counts.shape}", "a square of counts, not all zero")
    return np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)


def _share(part: Floats, whole: Floats) -> Floats:
    """Part over whole; NaN where the whole is zero."""
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), np.nan)
