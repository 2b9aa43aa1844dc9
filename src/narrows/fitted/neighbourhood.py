"""How far a row is from the rows of the fit, seen through an autoencoder."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Neighbourhood", "reference_rows"]

Floats = NDArray[Any]
_ROWS, _NUMBERS = 8192, 5_000_000  # rows that are compared with, and numbers of all of them together
_PART = 1 << 22  # numbers of the differences that are held at once
_NOISE = 1e-5  # of the size of a typical row: differences that small are those of rounding


class Neighbourhood:
    """The nearest of some reference rows, in the space of (reconstruction, weight times residual).

    With r(x) what the autoencoder makes of x, two rows are ``|r(x) - r(y)|^2 + weight^2 |(x - r(x)) - (y - r(y))|^2``
    apart, squared: the first part compares codes, in the units of the columns, the second what the codes miss. The
    distance of a row is that to the mean of its ``k`` nearest rows in this space; it is 0 where it is no more than what
    float32 makes of equal rows.

    Parameters
    ----------
    rows, made : ndarray, shape (m, d)
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

    def __init__(self, rows: Floats, made: Floats, k: int, weight: float):
        from sklearn.neighbors import NearestNeighbors

        self.rows, self.made, self.k, self.weight = rows, made, min(k, len(rows)), weight
        joint = np.concatenate([made, weight * (rows - made)], axis=1)
        self.least = _NOISE**2 * float(np.square(joint).sum(1).mean())
        self.tree = NearestNeighbors(algorithm="brute" if joint.shape[1] > 24 else "kd_tree").fit(joint)

    def distances(self, rows: Floats, made: Floats, *, itself: bool = False) -> tuple[Floats, Floats]:
        """Return the squared distance of every row, (n,), and the mean of its nearest rows, (n, d).

        With ``itself``, a reference row equal to the row does not count, once: the row is one of them.
        """
        joint = np.concatenate([made, self.weight * (rows - made)], axis=1)
        index = self._nearest(joint, itself)
        kind = np.result_type(rows, np.float32)
        squared, near = np.empty(len(rows), kind), np.empty(rows.shape, kind)
        step = max(1, _PART // max(1, index.shape[1] * rows.shape[1]))
        for low in range(0, len(rows), step):
            some = slice(low, low + step)
            near[some] = self.rows[index[some]].mean(1, dtype=kind)
            held = made[some] - self.made[index[some]].mean(1, dtype=kind)
            missed = rows[some] - near[some] - held
            apart = (held**2 + self.weight**2 * missed**2).sum(1)
            squared[some] = np.where(apart > self.least, apart, 0)
        return squared, near

    def _nearest(self, joint: Floats, itself: bool) -> NDArray[np.intp]:
        most = len(self.rows)
        found: NDArray[np.intp]
        if not itself or most == 1:
            found = self.tree.kneighbors(joint, self.k, return_distance=False)
            return found
        count = min(self.k + 1, most)
        distance, index = self.tree.kneighbors(joint, count)
        same = distance[:, 0] <= 1e-3 * (1e-9 + distance[:, -1])
        found = np.where(same[:, None], index[:, 1:], index[:, :-1])
        return found


def reference_rows(rows: Floats, seed: int) -> Floats:
    """Return the rows to compare with as float32: all of them, or as many as are quick to search, drawn at random.

    Examples
    --------
    >>> reference_rows(np.zeros((9000, 3)), 0).shape
    (8192, 3)
    """
    most = max(256, min(_ROWS, _NUMBERS // (2 * max(1, int(np.prod(rows.shape[1:]))))))
    if len(rows) > most:
        rows = rows[np.sort(np.random.default_rng(seed).permutation(len(rows))[:most])]
    return rows.astype(np.float32)
