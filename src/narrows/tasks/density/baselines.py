"""The simple densities with their settings chosen on a part of the training rows."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows.tasks.density.kernels import KernelDensity
from narrows.tasks.density.mixed_rows import Cells, Columns
from narrows.tasks.density.mixture import MixtureDensity

__all__ = ["density_baselines"]

_MAX_ROWS = 5000  # rows that are learnt from ...
_MAX_ROWS_ASIDE = 2000  # ... or held aside for a choice
_PARTS = (1, 2, 4, 8, 16, 32)
_VARIANCE_FLOORS = (1e-4, 1e-2)
_MIN_ROWS_PER_PART = 10  # rows per part of a mixture
_BANDWIDTHS = tuple(np.geomspace(0.03, 2.0, 13))
_CONTRASTS = (0.5, 1.0, 2.0, 3.0, 4.5, 6.0)


def density_baselines(
    measures: Sequence[Sequence[Any]], train: NDArray[Any], held: NDArray[Any]
) -> dict[str, NDArray[np.float64]]:
    """Return log p of the rows ``held``, in nats, under densities fitted to the rows ``train``; NaN is missing.

    ``measures`` are those of every column, or of every one-hot block: (kind, width, centre, scale, atoms).

    A Gaussian, a Gaussian mixture and kernels, the latter two with what gives a fifth of the training rows the highest
    likelihood when they are fitted to the others: 1 to 32 parts, and a floor
    of their variances; bandwidth and contrast.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(300, 2))
    >>> found = density_baselines([("gaussian", 1, 0.0, 1.0)] * 2, X[:200], X[200:])
    >>> {name.partition(" (")[0]: round(float(value.mean())) for name, value in found.items()}
    {'Gaussian': -3, 'Gaussian mixture': -3, 'kernel density': -3}
    """
    order = np.random.default_rng(0).permutation(len(train))[:_MAX_ROWS]
    columns = Columns(measures, train[order])
    cells, new = columns.read(train[order]), columns.read(held, seed=1)
    aside = max(1, min(len(order) // 5, _MAX_ROWS_ASIDE))
    fit, selection = taken(cells, slice(aside, None)), taken(cells, slice(0, aside))
    sizes = [k for k in _PARTS if k == 1 or k * _MIN_ROWS_PER_PART <= len(fit.codes)]
    mixtures = [MixtureDensity(k, floor) for k in sizes for floor in _VARIANCE_FLOORS]
    best = max(mixtures, key=lambda mixture: float(mixture.fit(fit).log_prob(selection).mean()))
    kernel = chosen_kernel(fit, selection)
    return {
        "Gaussian": MixtureDensity(1).fit(cells).log_prob(new),
        f"Gaussian mixture ({best.k} part{'s' * (best.k > 1)})": best.fit(cells).log_prob(new),
        f"kernel density (bandwidth {kernel.bandwidth:.2g})": kernel.fit(cells).log_prob(new),
    }


def chosen_kernel(fit: Cells, selection: Cells) -> KernelDensity:
    """Return the kernels under which rows held aside are most likely."""
    base = KernelDensity().fit(fit)
    gaps = base.gaps(selection)
    best, kernel = -np.inf, base
    for width in _BANDWIDTHS if fit.numbers.shape[1] else (1.0,):
        for contrast in _CONTRASTS if fit.sizes else (1.0,):
            base.bandwidth, base.contrast = float(width), contrast
            value = float(base.log_prob(selection, gaps).mean())
            if value > best:
                best, kernel = value, replace(base)
    return kernel


def taken(cells: Cells, rows: slice) -> Cells:
    """Return some rows."""
    return cells._replace(numbers=cells.numbers[rows], codes=cells.codes[rows])
