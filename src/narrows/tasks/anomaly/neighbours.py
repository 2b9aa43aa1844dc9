"""How far a row is from the rows of the fit, seen through an autoencoder."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Neighbourhood", "Overlap", "reference_places", "remoteness"]

Floats = NDArray[Any]
Indices = NDArray[np.intp]
# rows that are compared with, and numbers of all of them together
_MAX_REFERENCE_ROWS, _MAX_REFERENCE_NUMBERS = 8192, 5_000_000
_NUMBERS_AT_ONCE = 1 << 22  # numbers of the differences that are held at once
_ROUNDING_SHARE = 1e-5  # of the size of a typical row: differences that small are those of rounding


class Overlap(NamedTuple):
    """Where windows of a series begin: those that are looked at, and the reference rows, which lie in the same series.

    Examples
    --------
    >>> Overlap(np.array([0, 7]), np.array([2, 3, 8]), 4).most()
    2
    """

    starts: Indices
    reference: Indices  # increasing
    window: int

    def most(self) -> int:
        """Return the largest count of reference rows that share a step with one window."""
        low, high = (np.searchsorted(self.reference, self.starts + end) for end in (1 - self.window, self.window))
        return int((high - low).max(initial=0))


class Neighbourhood:
    """The nearest of some reference rows, in the space of (reconstruction, weight times residual).

    With r(x) what the autoencoder makes of x, two rows are ``|r(x) - r(y)|^2 + weight^2 |(x - r(x)) - (y - r(y))|^2``
    apart, squared: the first part compares codes, in the units of the columns, the second what the codes miss. The
    distance of a row is that to the mean of its ``k`` nearest rows in this space; it is 0 where it is no more than what
    float32 makes of equal rows.

    Parameters
    ----------
    rows, reconstructed : ndarray, shape (m, d)
        Reference rows and their reconstructions.
    k : int
        Neighbours.
    weight : float
        What a difference that the code misses counts beside one that it holds.

    Examples
    --------
    >>> rows = np.array([[0.0, 0.0], [3.0, 4.0]])
    >>> Neighbourhood(rows, rows, 1, 2.0).distances(rows + 1, rows)[0].tolist()
    [8.0, 8.0]
    """

    def __init__(self, rows: Floats, reconstructed: Floats, k: int, weight: float):
        from sklearn.neighbors import NearestNeighbors

        self.rows, self.reconstructed, self.k, self.weight = rows, reconstructed, min(k, len(rows)), weight
        joint = np.concatenate([reconstructed, weight * (rows - reconstructed)], axis=1)
        self.least = _ROUNDING_SHARE**2 * float(np.square(joint).sum(1).mean())
        self.tree = NearestNeighbors(algorithm="brute" if joint.shape[1] > 24 else "kd_tree").fit(joint)

    def distances(
        self, rows: Floats, reconstructed: Floats, *, itself: bool = False, overlap: Overlap | None = None
    ) -> tuple[Floats, Floats]:
        """Return the squared distance of every row, (n,), and the mean of its nearest rows, (n, d).

        With ``itself``, a reference row equal to the row does not count, once: the row is one of them. With
        ``overlap``, reference rows that overlap the row do not count: a window of a series is like the one that begins
        a step later, however strange both are (the exclusion zone of Yeh et al. 2016).
        """
        joint = np.concatenate([reconstructed, self.weight * (rows - reconstructed)], axis=1)
        index = self._nearest(joint, itself) if overlap is None else self._nearest_apart(joint, overlap)
        kind = np.result_type(rows, np.float32)
        squared, near = np.empty(len(rows), kind), np.empty(rows.shape, kind)
        step = max(1, _NUMBERS_AT_ONCE // max(1, index.shape[1] * rows.shape[1]))
        for low in range(0, len(rows), step):
            some = slice(low, low + step)
            near[some] = self.rows[index[some]].mean(1, dtype=kind)
            held = reconstructed[some] - self.reconstructed[index[some]].mean(1, dtype=kind)
            missed = rows[some] - near[some] - held
            apart = (held**2 + self.weight**2 * missed**2).sum(1)
            squared[some] = np.where(apart > self.least, apart, 0)
        return squared, near

    def _nearest(self, joint: Floats, itself: bool) -> Indices:
        most = len(self.rows)
        nearest: Indices
        if not itself or most == 1:
            nearest = self.tree.kneighbors(joint, self.k, return_distance=False)
            return nearest
        count = min(self.k + 1, most)
        distance, index = self.tree.kneighbors(joint, count)
        same = distance[:, 0] <= 1e-3 * (1e-9 + distance[:, -1])
        nearest = np.where(same[:, None], index[:, 1:], index[:, :-1])
        return nearest

    def _nearest_apart(self, joint: Floats, overlap: Overlap) -> Indices:
        count = min(self.k + overlap.most(), len(self.rows))
        index = self.tree.kneighbors(joint, count, return_distance=False)
        overlapping = np.abs(overlap.reference[index] - overlap.starts[:, None]) < overlap.window
        nearest: Indices = np.take_along_axis(index, np.argsort(overlapping, axis=1, kind="stable"), axis=1)
        return nearest[:, : self.k]


def reference_places(shape: tuple[int, ...], seed: int) -> Indices:
    """Return which of rows (n, ...) to compare with: all of them, or as many as are quick to search, drawn at random.

    Examples
    --------
    >>> len(reference_places((9000, 3), 0))
    8192
    """
    most = max(256, min(_MAX_REFERENCE_ROWS, _MAX_REFERENCE_NUMBERS // (2 * max(1, int(np.prod(shape[1:]))))))
    if shape[0] <= most:
        return np.arange(shape[0])
    return np.sort(np.random.default_rng(seed).permutation(shape[0])[:most])


def remoteness(reference: Floats, rows: Floats, neighbours: int) -> Floats:
    """Return how far rows are from those of reference, and after them how far these are from each other.

    Examples
    --------
    >>> remoteness(np.array([[0.0], [1.0]]), np.array([[5.0]]), 1).tolist()
    [4.0, 1.0, 1.0]
    """
    reference, rows = reference.astype(np.float32), rows.astype(np.float32)
    near = Neighbourhood(reference, reference, neighbours, 1.0)
    squared = near.distances(rows, rows)[0], near.distances(reference, reference, itself=True)[0]
    distances: Floats = np.sqrt(np.concatenate(squared))
    return distances
