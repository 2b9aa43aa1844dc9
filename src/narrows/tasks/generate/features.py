"""The features that drawn rows and real ones are compared by."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from narrows.baselines.rows import PCABaseline

__all__ = ["Features"]

Floats = NDArray[np.float64]

_MAX_COMPONENTS = 32  # numbers per row that are compared
_CELLS_PER_SIDE = 4  # cells of an image, across and down


class Features:
    """What rows are compared by: of images, histograms of oriented gradients; of others, their values; 32 components.

    Up to 32 principal components are fitted to the training rows and scaled to a variance of 1 in all; ``width`` is the
    median distance of two training rows, for the kernel.

    Examples
    --------
    >>> images = np.random.default_rng(0).random((50, 8, 8))
    >>> features = Features().fit(images)
    >>> features.name, features(images).shape
    ('histograms of oriented gradients, 32 principal components', (50, 32))
    """

    def fit(self, X: Any) -> Self:
        """Fit the components to training rows (n, d), (n, H, W) or (n, C, H, W), values of images in [0, 1]."""
        self.images = X.ndim > 2
        raw = self._raw(X)
        self.pca_ = PCABaseline(min(_MAX_COMPONENTS, len(raw) - 1, raw.shape[1])).fit(raw)
        codes = self.pca_.transform(raw)
        self.scale_ = float(np.sqrt(codes.var(0).sum())) or 1.0
        draw = np.random.default_rng(0)
        pairs = draw.integers(0, len(codes), (2, 2000))
        gaps = np.linalg.norm(codes[pairs[0]] - codes[pairs[1]], axis=1) / self.scale_
        self.width = float(np.median(gaps[gaps > 0])) if (gaps > 0).any() else 1.0
        what = "histograms of oriented gradients" if self.images else "encoded columns"
        self.name = f"{what}, {codes.shape[1]} principal components"
        return self

    def __call__(self, X: Any) -> Floats:
        """Return the features of rows, (n, 32) at most."""
        features: Floats = self.pca_.transform(self._raw(X)) / self.scale_
        return features

    def _raw(self, X: Any) -> Floats:
        if not self.images:
            return np.asarray(X, np.float64).reshape(len(X), -1)
        from skimage.feature import hog

        side = [max(1, size // _CELLS_PER_SIDE) for size in X.shape[-2:]]
        pictures = X.mean(1) if X.ndim == 4 else X
        options = {"orientations": 9, "pixels_per_cell": side, "cells_per_block": (2, 2)}
        options["cells_per_block"] = tuple(min(2, size // cell) for size, cell in zip(X.shape[-2:], side, strict=True))
        return np.stack([hog(np.asarray(picture, np.float64), **options) for picture in pictures])
