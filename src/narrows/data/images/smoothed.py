"""Masks of two values whose edges were smoothed by resizing or by JPEG: told from masks of many classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["cut_at_half", "two_values"]

Array = NDArray[Any]
_NEAR = 1 / 16  # of the span: what differs so little from an end counts as that end
_MIN_ENDS, _MIN_AT_EDGES, _MIN_BETWEEN = 0.5, 0.95, 5  # shares of pixels, and how many values lie between the ends
_REACH = 5  # pixels from an edge up to which resizing smooths


def two_values(masks: Sequence[Array]) -> tuple[int, int] | None:
    """Return the two values of masks (1, H, W) whose other values lie between them, at edges only; None of others.

    Examples
    --------
    >>> ramp = np.array([[[0, 0, 0, 0, 30, 60, 120, 180, 200, 255, 255, 255, 255, 255]]], np.uint8)
    >>> two_values([ramp]), two_values([ramp[..., ::2] // 64])
    ((0, 255), None)
    """
    values, counts = _counted(masks)
    if len(values) < _MIN_BETWEEN + 2:
        return None
    low, high = sorted(values[np.argsort(-counts, kind="stable")[:2]].tolist())
    near = _NEAR * (high - low)
    if values[0] < low - near or values[-1] > high + near:
        return None
    between = (values > low + near) & (values < high - near)
    if between.sum() < _MIN_BETWEEN or counts[~between].sum() < _MIN_ENDS * counts.sum():
        return None
    at_edges = sum(_at_edges(mask[0], low + near, high - near) for mask in masks)
    return (low, high) if at_edges >= _MIN_AT_EDGES * counts[between].sum() else None


def cut_at_half(mask: Array, low: int, high: int) -> Array:
    """Return a mask of two values.

    Examples
    --------
    >>> cut_at_half(np.array([3, 120, 140], np.uint8), 0, 255).tolist()
    [0, 0, 255]
    """
    return np.where(mask > (low + high) / 2, high, low).astype(mask.dtype)


def _counted(masks: Sequence[Array]) -> tuple[Array, Array]:
    """Return the different values of all masks, sorted, and how many pixels have each."""
    tables = [np.unique(mask, return_counts=True) for mask in masks]
    values, place = np.unique(np.concatenate([value for value, _ in tables]), return_inverse=True)
    return values, np.bincount(place, np.concatenate([count for _, count in tables]))


def _at_edges(mask: Array, low: float, high: float) -> int:
    """Count the pixels between two levels that have pixels at or below the one and at or above the other near them."""
    from scipy.ndimage import maximum_filter, minimum_filter

    size, between = 2 * _REACH + 1, (mask > low) & (mask < high)
    edge = (minimum_filter(mask, size) <= low) & (maximum_filter(mask, size) >= high)
    return int((between & edge).sum())
