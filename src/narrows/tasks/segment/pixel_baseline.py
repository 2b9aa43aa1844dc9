"""Pixels told apart by what filters see around them: segmentation without a network."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from narrows.baselines.pictures import best_cut
from narrows.data.images.tiles import tiled
from narrows.estimator.inputs import unit

__all__ = ["FilteredPixels"]

Array = NDArray[Any]
SIDE = 768  # of the windows that are filtered at once


@dataclass
class FilteredPixels:
    """Logistic regression on brightness, edges and texture of every pixel at several scales, of every channel.

    The features are ``skimage.feature.multiscale_basic_features``. Of two classes, the probability is cut where Dice
    of the second is best on the training pixels.

    Parameters
    ----------
    largest : float
        The widest Gaussian, in pixels.
    ignore : int, optional
        A class that counts nowhere (void).
    pixels : int
        Training pixels, drawn at random.

    Examples
    --------
    >>> picture = np.random.default_rng(0).random((1, 16, 16))
    >>> mask = (picture[0] > 0.5).astype(int)
    >>> bool((FilteredPixels(4.0).fit([picture], [mask]).predict([picture])[0] == mask).mean() > 0.9)
    True
    """

    largest: float = 16.0
    ignore: int | None = None
    pixels: int = 50_000
    name = "logistic regression on filtered pixels"

    def fit(self, A: Sequence[Array], B: Sequence[Array]) -> Self:
        """Learn from pictures ``(C, H, W)`` of any sizes and masks ``(H, W)``; at least two classes."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        rng, per = np.random.default_rng(0), -(-self.pixels // len(A))
        samples = [self._drawn(picture, np.asarray(mask), per, rng) for picture, mask in zip(A, B, strict=True)]
        features, classes = (np.concatenate(part) for part in zip(*samples, strict=True))
        self.model_ = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300)).fit(features, classes)
        self.classes_, self.cut_ = self.model_.classes_, None
        if len(self.classes_) == 2:
            shares = self.model_.predict_proba(features)[:, 0]
            _, self.cut_, _ = best_cut(shares, classes == self.classes_[1], dark=True)
        return self

    def predict(self, A: Sequence[Array]) -> list[Array]:
        """Return masks of the pictures' sizes."""
        return [self._mask(picture) for picture in A]

    def _mask(self, picture: Array) -> Array:
        shares = tiled(self._shares, picture, SIDE)
        best = shares.argmax(axis=0) if self.cut_ is None else shares[0] <= self.cut_
        mask: Array = self.classes_[best.astype(int)]
        return mask

    def _shares(self, pictures: Array) -> Array:
        """Return the probability of every class at every pixel of one picture, (1, K, H, W)."""
        shares = self.model_.predict_proba(self._features(pictures[0]))
        maps: Array = shares.T.reshape(1, -1, *pictures.shape[2:])
        return maps

    def _drawn(self, picture: Array, mask: Array, most: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Return features and classes of some pixels of one picture, of a window where it is large."""
        top, left = (int(rng.integers(0, max(1, side - SIDE + 1))) for side in mask.shape)
        window = (slice(top, top + SIDE), slice(left, left + SIDE))
        classes = mask[window].ravel()
        known = np.arange(len(classes)) if self.ignore is None else np.flatnonzero(classes != self.ignore)
        some = rng.permutation(known)[:most]
        return self._features(picture[:, *window])[some], classes[some]

    def _features(self, picture: Array) -> Array:
        """Return the features of every pixel, (pixels, features)."""
        from skimage.feature import multiscale_basic_features

        values = np.asarray(unit(picture), np.float32)
        features = multiscale_basic_features(values, sigma_min=0.5, sigma_max=self.largest, channel_axis=0)
        return np.asarray(features, np.float32).reshape(-1, features.shape[-1])
