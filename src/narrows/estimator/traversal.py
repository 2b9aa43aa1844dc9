"""Walks through the codes of a fitted autoencoder: along every dimension, and from row to row."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from narrows.data.pairs import Batch, Pairs
from narrows.estimator.base import Estimator
from narrows.estimator.inference import run
from narrows.estimator.inputs import like_rows
from narrows.model import Model

__all__ = ["Traversal", "decoded", "effects", "interpolated", "prior_codes", "traversed"]

Rows = NDArray[np.float64]
Decode = Callable[[Any], Rows]

_MAX_DIMENSIONS = 20  # dimensions that are walked along
_MAX_EFFECT_CODES = 16  # codes from which effects are measured on the way


class Traversal(NamedTuple):
    """Rows along some dimensions of the code, the most varied ones, from the row whose code is nearest to the mean."""

    rows: Rows  # (dimensions, steps, *row)
    values: Rows  # (steps,) in deviations of the dimension
    effects: Rows  # (dimensions,) mean absolute change of the output per deviation, as `effects` measures it
    dimensions: list[int]


def traversed(decode: Decode, codes: Rows, steps: int = 7, reach: float = 2.0) -> Traversal:
    """Return what changes along the dimensions of ``codes``, (n, d), up to ``reach`` deviations to both sides.

    Examples
    --------
    >>> codes = np.random.default_rng(0).normal(size=(500, 2)) * [1.0, 3.0]
    >>> found = traversed(lambda z: z @ np.array([[1.0, 0.0], [0.0, 2.0]]), codes)
    >>> per_deviation = np.array([1.0, 2.0]) * codes.std(0) / 2  # each changes one of two columns
    >>> found.rows.shape, found.dimensions, bool(np.allclose(found.effects, per_deviation))
    ((2, 7, 2), [0, 1], True)
    """
    mean, spread = codes.mean(0), codes.std(0)
    base = codes[np.argmin(np.square(codes - mean).sum(1))]
    dimensions = sorted(np.argsort(-spread, kind="stable")[:_MAX_DIMENSIONS].tolist())
    values = np.linspace(-reach, reach, steps)
    walk = np.tile(base, (len(dimensions), steps, 1))
    for row, place in enumerate(dimensions):
        walk[row, :, place] = mean[place] + values * spread[place]
    flat = decode(walk.reshape(-1, codes.shape[1]))
    rows = flat.reshape(len(dimensions), steps, *flat.shape[1:])
    sample = codes[np.linspace(0, len(codes) - 1, min(_MAX_EFFECT_CODES, len(codes))).astype(int)]
    change = effects(decode, sample, np.where(spread > 0, spread / 2, 1.0), dimensions) * spread[dimensions]
    return Traversal(rows, values, change, dimensions)


def effects(
    decode: Decode, codes: NDArray[Any], step: "float | Rows" = 0.5, dimensions: Sequence[int] | None = None
) -> Rows:
    """Return the mean absolute change of an output value per unit of each number of the code, over ``codes`` (n, d).

    By central differences, ``step`` to both sides, one for all numbers or (d,). The change per deviation is this times
    the deviation. Without ``dimensions`` all numbers are moved, one after the other.

    Examples
    --------
    >>> effects(lambda z: z @ np.array([[1.0, 0.0], [0.0, -4.0]]), np.zeros((5, 2))).tolist()
    [0.5, 2.0]
    """
    size, moved = codes.shape[1], []
    steps = np.broadcast_to(step, size)
    for place in range(size) if dimensions is None else dimensions:
        shift = np.zeros_like(codes)
        shift[:, place] = steps[place]
        moved.append(np.abs(decode(codes + shift) - decode(codes - shift)).mean() / (2 * steps[place]))
    return np.array(moved, dtype=np.float64)


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


@torch.no_grad()
def prior_codes(model: Estimator, n: int, generator: torch.Generator) -> np.ndarray:
    """Return ``n`` codes drawn from the prior of a fitted family, (n, latent_dim)."""
    codes: Tensor = model.model_.bottleneck.sample((n, *model.code_shape_), generator)
    return codes.flatten(1).numpy()


def decoded(model: Estimator, codes: np.ndarray, y: Any = None, generator: torch.Generator | None = None) -> np.ndarray:
    """Return the rows of codes (n, latent_dim) in the shape of the rows of the fit; y are their conditions.

    With a generator every row is drawn from its law, given the code; without, it is the expected one.

    Examples
    --------
    >>> from narrows.families.vae import VAE
    >>> model = VAE(latent_dim=2, epochs=1, random_state=0).fit(np.random.default_rng(0).normal(size=(50, 3)))
    >>> codes = prior_codes(model, 4, torch.Generator().manual_seed(0))
    >>> bool((decoded(model, codes) == model.inverse_transform(codes)).all())
    True
    """
    codes = codes.astype(np.float32, copy=False).reshape(-1, *model.code_shape_)
    pairs = Pairs(codes, cond=model.conditions(y, len(codes)))

    def rows(net: Model, batch: Batch) -> Tensor:
        params = net.decode(batch.x, (), batch.cond)
        return net.likelihood.mean(params) if generator is None else net.likelihood.sample(params, generator)

    return like_rows(run(model.model_, pairs, rows, made=model.shapes_[1]), getattr(model, "rows_axes_", None))
