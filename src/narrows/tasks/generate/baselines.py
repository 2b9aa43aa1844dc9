"""New rows without an autoencoder: principal components, and a Gaussian or a Gaussian mixture over their codes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from narrows.baselines.rows import PCABaseline
from narrows.tasks.generate.mixture import CodeMixture

__all__ = ["PCASampler", "snapped"]

_MAX_COMPONENTS = 32


@dataclass
class PCASampler:
    """Draws codes of up to 32 principal components from a mixture of ``parts`` Gaussians; none: as BIC says.

    For tables, ``measures`` (kind, width, shift, scale) say what the columns are: what the components leave out is
    drawn column by column, and results are snapped to whole numbers and levels. Images are clipped to [0, 1].

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> PCASampler(1).fit(X).sample(5, np.random.default_rng(1)).shape
    (5, 3)
    """

    parts: int | None = 1
    measures: Sequence[Sequence[Any]] = ()

    @property
    def name(self) -> str:
        """What reports call it."""
        return "Gaussian on PCA codes" if self.parts == 1 else "Gaussian mixture on PCA codes"

    def fit(self, X: NDArray[Any]) -> Self:
        """Fit to rows of any shape, values of images in [0, 1]."""
        self.shape_, rows = X.shape[1:], X.reshape(len(X), -1)
        self.pca_ = PCABaseline(min(_MAX_COMPONENTS, len(rows) - 1, rows.shape[1])).fit(rows)
        self.mixture_ = CodeMixture.of(self.pca_.transform(rows), self.parts)
        rest = rows[:5000] - self.pca_.reconstruct(rows[:5000])
        self.rest_ = rest.std(0) if self.measures else np.zeros(1)
        self.clipped_ = not self.measures and bool(rows.min() >= 0 and rows.max() <= 1)
        return self

    def sample(self, n: int, draw: np.random.Generator) -> NDArray[Any]:
        """Return ``n`` rows."""
        codes = self.mixture_.sample(n, draw)
        rows = codes @ self.pca_.components_ + self.pca_.mean_
        rows = rows + self.rest_ * draw.standard_normal(rows.shape)
        rows = snapped(rows, self.measures) if self.measures else rows
        return (rows.clip(0, 1) if self.clipped_ else rows).reshape(n, *self.shape_)


def snapped(rows: NDArray[Any], measures: Sequence[Sequence[Any]]) -> NDArray[Any]:
    """Return encoded rows of a table with every column at a value that it can have.

    Examples
    --------
    >>> snapped(np.array([[0.2, 0.7, 1.6]]), [("categorical", 2, 0, 1), ("poisson", 1, 1.0, 2.0)]).tolist()
    [[0.0, 1.0, 1.5]]
    """
    values, start = rows.copy(), 0
    for kind, width, shift, scale, *_ in measures:
        block = slice(start, start + width)
        start += width
        if kind == "categorical":
            values[:, block] = np.eye(width)[rows[:, block].argmax(1)]
        elif kind != "gaussian":
            low = -np.inf if kind == "rounded" else 0
            high = 1 if kind == "bernoulli" else np.inf
            values[:, block] = (np.rint(rows[:, block] * scale + shift).clip(low, high) - shift) / scale
    return values
