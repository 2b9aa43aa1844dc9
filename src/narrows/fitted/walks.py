"""Walks through the codes of a fitted autoencoder: along every dimension, and from row to row."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Traversal", "interpolated", "traversed"]

Rows = NDArray[np.float64]
Decode = Callable[[Rows], Rows]

_MOST = 20  # dimensions that are walked along


class Traversal(NamedTuple):
    """Rows along some dimensions of the code, the most varied ones, from the row whose code is nearest to the mean."""

    rows: Rows  # (dimensions, steps, *row)
    values: Rows  # (steps,) in deviations of the dimension
    effects: Rows  # (dimensions,) mean change of the output per deviation
    dimensions: list[int]


def traversed(decode: Decode, codes: Rows, steps: int = 7, reach: float = 2.0) -> Traversal:
    """Return what changes along the dimensions of ``codes``, (n, d), up to ``reach`` deviations to both sides.

    Examples
    --------
    >>> codes = np.random.default_rng(0).normal(size=(500, 2)) * [1.0, 3.0]
    >>> found = traversed(lambda z: z @ np.array([[1.0, 0.0], [0.0, 2.0]]), codes)
    >>> found.rows.shape, found.dimensions, found.effects.round().tolist()  # per deviation: 2 * 3, of two columns
    ((2, 7, 2), [0, 1], [0.0, 3.0])
    """
    mean, spread = codes.mean(0), codes.std(0)
    base = codes[np.argmin(np.square(codes - mean).sum(1))]
    dimensions = sorted(np.argsort(-spread, kind="stable")[:_MOST].tolist())
    values = np.linspace(-reach, reach, steps)
    walk = np.tile(base, (len(dimensions), steps, 1))
    for row, place in enumerate(dimensions):
        walk[row, :, place] = mean[place] + values * spread[place]
    flat = decode(walk.reshape(-1, codes.shape[1]))
    rows = flat.reshape(len(dimensions), steps, *flat.shape[1:])
    change = np.abs(np.diff(rows, axis=1)).reshape(len(dimensions), -1).mean(1) / (values[1] - values[0])
    return Traversal(rows, values, change, dimensions)


def interpolated(decode: Decode, A: Rows, B: Rows, steps: int = 8) -> Rows:
    """Return rows on the straight lines between codes A and B, (n, d) each: (n, steps, *row), the ends included.

    Examples
    --------
    >>> interpolated(lambda z: z, np.zeros((1, 1)), np.ones((1, 1)), 3).ravel().tolist()
    [0.0, 0.5, 1.0]
    """
    shares = np.linspace(0, 1, steps)[:, None]
    lines = A[:, None] * (1 - shares) + B[:, None] * shares
    flat = decode(lines.reshape(-1, A.shape[1]))
    return flat.reshape(len(A), steps, *flat.shape[1:])
