"""Simple competitors for pictures in, pictures or masks out: what needs no network."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from narrows.baselines.rows import ENOUGH, sample
from narrows.errors import InputError
from narrows.estimator.inputs import unit

__all__ = ["ColourTable", "LocationPrior", "MeanTarget", "SmoothedThreshold"]

Array = NDArray[Any]
Floats = NDArray[np.float64]


@dataclass
class SmoothedThreshold:
    """A grey picture, smoothed, is cut at one brightness: the cut with the best Dice on the training pairs.

    Parameters
    ----------
    sigmas : tuple of float
        Widths of the Gaussian, in pixels, to choose from; 0 does not smooth.

    Examples
    --------
    >>> grey = np.array([[[0.9, 0.2, 0.8, 0.1]]])
    >>> SmoothedThreshold((0.0,)).fit(grey, grey < 0.5).predict(grey)
    array([[[False,  True, False,  True]]])
    """

    sigmas: tuple[float, ...] = (0.0, 1.0, 1.5, 2.0, 3.0, 4.0)
    name = "smoothed threshold"

    def fit(self, A: Any, B: Any) -> Self:
        """Choose from grey pictures and masks of what is looked for.

        Pictures are ``(n, H, W)``, ``(n, 1, H, W)`` or a list of any sizes, masks ``(n, H, W)`` or a list.
        """
        mask = _flat([np.asarray(truth, bool) for truth in B])
        cuts = [(*best_cut(_flat(_smooth(A, sigma)), mask), sigma) for sigma in self.sigmas]
        self.dice_, self.threshold_, self.dark_, self.sigma_ = max(cuts, key=lambda cut: cut[0])
        return self

    def predict(self, A: Any) -> Any:
        """Return masks, ``(n, H, W)``; a list for a list."""
        smooth = _smooth(A, self.sigma_)
        masks = [picture <= self.threshold_ if self.dark_ else picture > self.threshold_ for picture in smooth]
        return masks if isinstance(A, list) else np.stack(masks)


@dataclass
class LocationPrior:
    """The class that is most frequent at each place of the training masks, whatever the picture shows.

    Parameters
    ----------
    ignore : int, optional
        A class that counts nowhere (void); a place where nothing else was seen takes the most frequent class of all.

    Examples
    --------
    >>> masks = np.array([[[0, 1, 9]], [[0, 1, 9]], [[2, 0, 9]]])
    >>> LocationPrior(ignore=9).fit(np.zeros((3, 1, 3)), masks).predict(np.zeros((1, 1, 3)))
    array([[[0, 1, 0]]])
    """

    ignore: int | None = None
    name = "most frequent class per place"

    def fit(self, A: Any, B: Any) -> Self:
        """Count the classes of masks ``(n, H, W)``, or a list of any sizes; the pictures A are not looked at.

        Masks of different sizes are brought to their middle size: places are shares of height and width.

        Raises ``InputError`` for masks of void alone.
        """
        sizes = [np.shape(mask) for mask in B]
        height, width = (int(side) for side in np.median(sizes, axis=0))
        B = np.stack([nearest(mask, (height, width)) for mask in B])
        classes = [value for value in np.unique(B) if value != self.ignore]
        if not classes:
            raise InputError(f"Masks of shape {np.shape(B)} with no class but void", "masks of at least one class")
        counts = np.stack([(value == B).sum(axis=0) for value in classes])
        everywhere = counts.sum(axis=tuple(range(1, counts.ndim))).argmax()
        most = np.where(counts.any(axis=0), counts.argmax(axis=0), everywhere)
        self.classes_ = np.asarray(classes)[most]
        return self

    def predict(self, A: Any) -> Any:
        """Return the same classes once for every picture; for a list of pictures, in the size of each."""
        if isinstance(A, list):
            return [nearest(self.classes_, picture.shape[-2:]) for picture in A]
        return np.broadcast_to(self.classes_, (len(A), *self.classes_.shape))


def nearest(mask: Array, size: tuple[int, ...]) -> Array:
    """Return a mask (H, W) in another size, every pixel from the nearest one.

    Examples
    --------
    >>> nearest(np.array([[1, 2]]), (2, 4)).tolist()
    [[1, 1, 2, 2], [1, 1, 2, 2]]
    """
    rows, columns = (
        np.minimum((np.arange(n) + 0.5) * m / n, m - 1).astype(int) for n, m in zip(size, mask.shape, strict=True)
    )
    return mask if mask.shape == tuple(size) else mask[np.ix_(rows, columns)]


@dataclass
class ColourTable:
    """Every colour of A becomes the mean colour of B at the pixels that have it.

    Parameters
    ----------
    k : int
        Colours that are told apart: the centres that k-means finds among the training pixels of A.

    Examples
    --------
    >>> A = np.array([[[[0.0, 1.0, 0.0, 1.0]]]])
    >>> B = np.array([[[[0.2, 0.6, 0.4, 0.8]]]])
    >>> ColourTable(2).fit(A, B).predict(A)
    array([[[[0.3, 0.7, 0.3, 0.7]]]], dtype=float32)
    """

    k: int = 64
    name = "colour table"

    def fit(self, A: Any, B: Any) -> Self:
        """Learn from pairs of pictures ``(n, C, H, W)`` or lists of any sizes; uint8 and uint16 become [0, 1].

        Raises ``InputError`` for pairs of different sizes.
        """
        from sklearn.cluster import KMeans

        shapes = [[picture.shape for picture in pictures] for pictures in (A, B)]
        alike = len(A) == len(B) and all(a[1:] == b[1:] and len(a) == 3 for a, b in zip(*shapes, strict=True))
        if not alike:
            raise InputError(f"Pictures of shapes {shapes[0][:3]} and {shapes[1][:3]}", "(C, H, W), pairs of one size")
        per_picture = max(1, ENOUGH // len(A))
        colours = np.concatenate([sample(_pixels(picture), per_picture) for picture in A]).astype(np.float64)
        k = min(self.k, len(np.unique(colours, axis=0)))
        self.palette_ = KMeans(k, n_init=4, random_state=0).fit(colours).cluster_centers_
        total, count = np.zeros((k, len(B[0]))), np.zeros(k)
        for a, b in zip(A, B, strict=True):
            which = self._nearest(a)
            count += np.bincount(which, minlength=k)
            total += np.stack([np.bincount(which, channel, k) for channel in _pixels(b).T], axis=1)
        self.table_ = (total / np.maximum(count, 1)[:, None]).astype(np.float32)
        return self

    def predict(self, A: Any) -> Any:
        """Return pictures, float32; a list for a list."""
        results = [self.table_[self._nearest(picture)].T.reshape(-1, *picture.shape[1:]) for picture in A]
        return results if isinstance(A, list) else np.stack(results)

    def _nearest(self, picture: Array) -> Array:
        """Return the place in the palette of every pixel's colour."""
        distance = (self.palette_**2).sum(axis=1) - 2 * _pixels(picture) @ self.palette_.T
        return np.asarray(distance.argmin(axis=1))


@dataclass
class MeanTarget:
    """The mean training target, whatever comes in.

    Examples
    --------
    >>> MeanTarget().fit(np.zeros((2, 1)), np.array([[1.0], [3.0]])).predict(np.zeros((3, 1))).tolist()
    [[2.0], [2.0], [2.0]]
    """

    name = "mean training target"

    def fit(self, A: Array, B: Array) -> Self:
        """Average the rows of B (n, C, H, W); uint8 and uint16 become [0, 1]."""
        mean: Floats = np.mean(B, axis=0, dtype=np.float64)
        full = np.iinfo(B.dtype).max if B.dtype in (np.uint8, np.uint16) else 1
        self.mean_ = (mean / full).astype(np.result_type(B, np.float32) if full == 1 else np.float32)
        return self

    def predict(self, A: Array) -> Array:
        """Return the mean, once for every row of A: (n, C, H, W)."""
        return np.broadcast_to(self.mean_, (len(A), *self.mean_.shape))


def _pixels(picture: Array) -> Array:
    """Return the colours of a picture, (pixels, C)."""
    return unit(picture).reshape(len(picture), -1).T


def _flat(pictures: Sequence[Array]) -> Array:
    """Return the pixels of all pictures, one after the other."""
    return np.concatenate([picture.ravel() for picture in pictures])


def _smooth(A: Sequence[Array], sigma: float) -> list[Array]:
    """Grey pictures (H, W), smoothed; uint8 and uint16 become [0, 1]."""
    from scipy.ndimage import gaussian_filter

    for picture in A:
        if picture.ndim not in (2, 3) or (picture.ndim == 3 and len(picture) != 1):
            raise InputError(f"A picture of shape {picture.shape}", "grey ones, (H, W) or (1, H, W)")
    return [gaussian_filter(unit(picture.reshape(picture.shape[-2:])), sigma) for picture in A]


def best_cut(values: Array, mask: Array, dark: bool | None = None) -> tuple[float, float, bool]:
    """Dice of the best threshold, the threshold, and whether what is looked for lies below it, where that is open.

    Raises ``InputError`` where there are not as many values as pixels of the mask.
    """
    if len(values) != len(mask):
        raise InputError(f"{len(values)} pixels and {len(mask)} of the masks", "masks of the pictures' size")
    order = np.argsort(values)
    ranked, hits = values[order], np.cumsum(mask[order])
    last = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)  # of equal values
    below, there = hits[last], int(hits[-1])
    under = 2 * below / np.maximum(last + 1 + there, 1)
    over = 2 * (there - below) / np.maximum(len(ranked) - last - 1 + there, 1)
    is_dark = bool(under.max() >= over.max()) if dark is None else dark
    best = int((under if is_dark else over).argmax())
    return float((under if is_dark else over)[best]), float(ranked[last[best]]), is_dark
