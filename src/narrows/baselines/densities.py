"""Simple densities of mixed rows: a Gaussian, a mixture, and kernels, all in one measure.

Real numbers have densities in their original units, all other columns probabilities. Whole numbers of more than 20
values are real numbers to these models: uniform noise fills their steps, which gives a lower bound on the probability
(Theis et al. 2016, section 3.1). Other discrete columns are tables of frequencies, with one cell for what is new.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.special import logsumexp

__all__ = ["Cells", "Columns", "KernelDensity", "MixtureDensity"]

Floats = NDArray[np.float64]

_LEVELS = 20  # whole numbers of more values are priced as real ones
_SMOOTH = 0.5  # added to every count of a table (Krichevsky & Trofimov 1981)
_FLOOR = 1e-4  # of a variance, as a share of the column's: scikit-learn's reg_covar for standardised columns is 1e-6
_WIDE = 100  # numbers of a row from which on the parts of a mixture are diagonal
_ROUNDS = 100
_LOG_2PI = float(np.log(2 * np.pi))


class Cells(NamedTuple):
    """Rows as these models read them."""

    numbers: Floats  # (n, c), NaN where missing
    codes: NDArray[np.int64]  # (n, t), -1 where missing
    sizes: tuple[int, ...]  # of the tables
    jacobian: Floats  # (c,) log of an encoded unit in original ones


class Columns:
    """Which columns are numbers and which are tables; learnt from rows (n, d) and their (kind, width, shift, scale).

    Examples
    --------
    >>> X = np.array([[0.5, 0.0], [1.5, 1.0], [2.5, 1.0]])
    >>> cells = Columns([("gaussian", 1, 0.0, 2.0), ("bernoulli", 1, 0.0, 1.0)], X).read(X)
    >>> cells.numbers.ravel().tolist(), cells.codes.ravel().tolist(), cells.sizes
    ([0.5, 1.5, 2.5], [0, 1, 1], (3,))
    """

    def __init__(self, measures: Sequence[tuple[str, int, float, float]], X: NDArray[Any]):
        self.numbers: list[tuple[int, float, float, bool]] = []
        self.tables: list[tuple[slice, float, float, Floats | None]] = []
        start = 0
        for kind, width, shift, scale in measures:
            own = slice(start, start + width)
            start += width
            if kind == "categorical":
                self.tables.append((own, 0.0, 1.0, None))
                continue
            values = X[:, own.start] * scale + shift
            levels = np.unique(np.rint(values[~np.isnan(values)])) if kind != "gaussian" else np.zeros(_LEVELS + 1)
            if len(levels) <= _LEVELS:
                self.tables.append((own, shift, scale, levels))
            else:
                self.numbers.append((own.start, shift, scale, kind != "gaussian"))

    def read(self, X: NDArray[Any], seed: int = 0) -> Cells:
        """Return rows with noise within the steps of whole numbers."""
        draw = np.random.default_rng(seed)
        numbers = [
            X[:, place] + (draw.uniform(-0.5, 0.5, len(X)) / scale if whole else 0.0)
            for place, _, scale, whole in self.numbers
        ]
        codes, sizes = [], []
        for own, shift, scale, levels in self.tables:
            if levels is None:
                block = X[:, own]
                codes.append(np.where(block.sum(1) > 0, block.argmax(1), block.shape[1]))
                sizes.append(block.shape[1] + 1)
                continue
            values = np.rint(X[:, own.start] * scale + shift)
            place = np.searchsorted(levels, values).clip(0, len(levels) - 1)
            found = np.where(levels[place] == values, place, len(levels))
            codes.append(np.where(np.isnan(values), -1, found))
            sizes.append(len(levels) + 1)
        return Cells(
            np.stack(numbers, 1).astype(np.float64) if numbers else np.zeros((len(X), 0)),
            np.stack(codes, 1).astype(np.int64) if codes else np.zeros((len(X), 0), np.int64),
            tuple(sizes),
            np.log([abs(scale) for _, _, scale, _ in self.numbers]),
        )


@dataclass
class MixtureDensity:
    """A mixture of ``k`` parts: in each the numbers are jointly Gaussian, and the tables independent of all else.

    With one part and no tables it is the Gaussian, and with none but numbers the Gaussian mixture (diagonal beyond 100
    numbers and one part); fitted by expectation maximisation from k-means.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(500, 1))
    >>> cells = Columns([("gaussian", 1, 0.0, 1.0)], X).read(X)
    >>> round(float(MixtureDensity(1).fit(cells).log_prob(cells).mean()), 1)  # -0.5 log(2 pi e)
    -1.4
    """

    k: int = 1
    seed: int = 0

    def fit(self, cells: Cells) -> Self:
        """Fit to rows; a missing number counts as the mean."""
        numbers = np.where(np.isnan(cells.numbers), np.nanmean(cells.numbers, 0), cells.numbers)
        self.floor_ = _FLOOR * np.maximum(numbers.var(0), 1e-12) if len(numbers) else np.zeros(numbers.shape[1])
        self.full_ = self.k == 1 or numbers.shape[1] <= _WIDE
        shares = np.eye(self.k)[self._first(numbers, cells)]
        last = -np.inf
        for _ in range(_ROUNDS):
            self._maximise(numbers, cells, shares)
            joint = self._joint(cells)
            total = logsumexp(joint, axis=1)
            shares = np.exp(joint - total[:, None])
            if self.k == 1 or total.mean() - last < 1e-4:
                break
            last = total.mean()
        return self

    def log_prob(self, cells: Cells) -> Floats:
        """Return log p of what is known of every row, (n,)."""
        found: Floats = logsumexp(self._joint(cells), axis=1)
        return found

    def _first(self, numbers: Floats, cells: Cells) -> NDArray[np.int64]:
        if self.k == 1:
            return np.zeros(len(numbers), np.int64)
        from sklearn.cluster import KMeans
        from sklearn.exceptions import ConvergenceWarning

        spread = numbers.std(0)
        sides = [numbers / np.where(spread > 0, spread, 1), *_one_hot(cells)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different rows than parts
            groups: NDArray[np.int64] = KMeans(self.k, n_init=1, random_state=self.seed).fit_predict(np.hstack(sides))
        return groups

    def _maximise(self, numbers: Floats, cells: Cells, shares: Floats) -> None:
        weights = shares.sum(0) + 1e-9
        self.log_weights_ = np.log(weights / weights.sum())
        self.means_ = shares.T @ numbers / weights[:, None]
        self.spreads_ = []
        for mean, share, weight in zip(self.means_, shares.T, weights, strict=True):
            gap = numbers - mean
            own = (gap.T * share) @ gap / weight if self.full_ else share @ gap**2 / weight
            self.spreads_.append(own + np.diag(self.floor_) if self.full_ else own + self.floor_)
        self.tables_ = []
        for place, size in enumerate(cells.sizes):
            counts = shares.T @ np.eye(size + 1)[cells.codes[:, place]][:, :size] + _SMOOTH
            self.tables_.append(np.log(counts / counts.sum(1, keepdims=True)))

    def _joint(self, cells: Cells) -> Floats:
        """Return log p(row, part), (n, k): missing cells are integrated out."""
        out = np.tile(self.log_weights_, (len(cells.numbers), 1))
        for place, table in enumerate(self.tables_):
            out += np.hstack([table, np.zeros((self.k, 1))])[:, cells.codes[:, place]].T
        known = ~np.isnan(cells.numbers)
        if not known.shape[1]:
            return out
        patterns, group = np.unique(known, axis=0, return_inverse=True)
        for i, pattern in enumerate(patterns):
            if pattern.any():
                rows = np.flatnonzero(np.ravel(group) == i)
                values = cells.numbers[np.ix_(rows, pattern)]
                own = [self._gaussian(values, part, pattern) for part in range(self.k)]
                out[rows] += np.stack(own, 1) - cells.jacobian[pattern].sum()
        return out

    def _gaussian(self, values: Floats, part: int, pattern: NDArray[np.bool_]) -> Floats:
        gap, spread = values - self.means_[part][pattern], self.spreads_[part]
        if self.full_:
            root = cholesky(spread[np.ix_(pattern, pattern)], lower=True)
            scaled, log_root = solve_triangular(root, gap.T, lower=True).T, np.log(np.diag(root)).sum()
        else:
            deviation = np.sqrt(spread[pattern])
            scaled, log_root = gap / deviation, np.log(deviation).sum()
        found: Floats = -0.5 * (scaled**2).sum(1) - log_root - 0.5 * values.shape[1] * _LOG_2PI
        return found


@dataclass
class KernelDensity:
    """A Gaussian kernel on every number (standardised), and on every table Aitchison & Aitken's (1976).

    Parameters
    ----------
    bandwidth : float
        Deviation of the kernel, in deviations of the column.
    contrast : float
        Nats by which another level is less likely than the one of the training row.

    Examples
    --------
    >>> X = np.array([[0.0], [2.0]])
    >>> cells = Columns([("gaussian", 1, 0.0, 1.0)], X).read(X)
    >>> round(float(KernelDensity(1.0).fit(cells).log_prob(cells)[0]), 4)  # (N(0; 0, 1) + N(0; 2, 1)) / 2
    -1.4852
    """

    bandwidth: float = 0.3
    contrast: float = 2.0

    def fit(self, cells: Cells) -> Self:
        """Keep the rows; a missing number counts as the mean."""
        mean, spread = np.nanmean(cells.numbers, 0), np.nanstd(cells.numbers, 0)
        self.mean_, self.spread_ = mean, np.where(spread > 0, spread, 1.0)
        self.numbers_ = np.nan_to_num((cells.numbers - mean) / self.spread_)
        self.levels_ = np.hstack([np.zeros((len(cells.codes), 0)), *_one_hot(cells)])
        return self

    def gaps(self, cells: Cells) -> tuple[Floats, Floats]:
        """Return the squared distances to the training rows and the numbers of unequal levels, (n, rows) each."""
        known = ~np.isnan(cells.numbers)
        values = np.nan_to_num((cells.numbers - self.mean_) / self.spread_)
        squares = (values**2).sum(1, keepdims=True) - 2 * values @ self.numbers_.T + known @ (self.numbers_**2).T
        levels = np.hstack([np.zeros((len(values), 0)), *_one_hot(cells)])
        return np.maximum(squares, 0), (cells.codes >= 0).sum(1, keepdims=True) - levels @ self.levels_.T

    def log_prob(self, cells: Cells, gaps: tuple[Floats, Floats] | None = None) -> Floats:
        """Return log p of what is known of every row, (n,); ``gaps`` when they are known."""
        squares, unequal = self.gaps(cells) if gaps is None else gaps
        total = logsumexp(-0.5 * squares / self.bandwidth**2 - self.contrast * unequal, axis=1)
        known = ~np.isnan(cells.numbers)
        unit = np.log(self.bandwidth * self.spread_) + 0.5 * _LOG_2PI + cells.jacobian
        tables = np.log1p((np.array(cells.sizes, float) - 1) * np.exp(-self.contrast))
        price = known @ unit + (cells.codes >= 0) @ tables
        found: Floats = total - np.log(squares.shape[1]) - price
        return found


def _one_hot(cells: Cells) -> list[Floats]:
    """Return the tables one-hot; a missing one is all zeros."""
    return [np.eye(size + 1)[cells.codes[:, place]][:, :size] for place, size in enumerate(cells.sizes)]
