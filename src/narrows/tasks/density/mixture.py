"""A Gaussian and mixtures of them over mixed rows with missing values, in one measure.

Real numbers have densities in their original units, all other columns probabilities.
"""

import warnings
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular
from scipy.special import logsumexp

from narrows.tasks.density.mixed_rows import Cells, log_shares, one_hot

__all__ = ["MixtureDensity"]

Floats = NDArray[np.float64]
Patterns = list[tuple[NDArray[np.intp], NDArray[np.bool_]]]  # rows, and which numbers they have

# numbers of a row, or patterns of missing ones, from which on the parts of a mixture are diagonal
_MAX_FULL_NUMBERS = 100
_MAX_ROUNDS = 100
_MAX_PATTERN_VISITS = 10_000  # that are gone through for one part, in all rounds
_LOG_2PI = float(np.log(2 * np.pi))


class Products(NamedTuple):
    """What the sums over rows of parts without correlations need: numbers less a centre, 0 where missing; squares."""

    numbers: Floats
    squares: Floats
    known: Floats  # 1 where a number is known
    centre: Floats

    @classmethod
    def of(cls, cells: Cells, centre: Floats) -> Self:
        """Return the products of rows; ``centre`` is subtracted so that differences of squares are exact."""
        known = ~np.isnan(cells.numbers)
        numbers = np.where(known, cells.numbers - centre, 0)
        return cls(numbers, np.square(numbers), known.astype(np.float64), centre)


@dataclass
class MixtureDensity:
    """A mixture of ``k`` parts: in each the numbers are jointly Gaussian, and the tables independent of all else.

    With one part and no tables it is the Gaussian, with none but numbers the Gaussian mixture; fitted by expectation
    maximisation from k-means. A missing number counts with the mean and the variance that it has given the others of
    its row (Ghahramani & Jordan 1994). Beyond 100 numbers, or 100 patterns of missing ones, several parts are diagonal.

    Examples
    --------
    >>> from narrows.tasks.density.mixed_rows import Columns
    >>> X = np.random.default_rng(0).normal(size=(500, 1))
    >>> cells = Columns([("gaussian", 1, 0.0, 1.0)], X).read(X)
    >>> round(float(MixtureDensity(1).fit(cells).log_prob(cells).mean()), 1)  # -0.5 log(2 pi e)
    -1.4
    """

    k: int = 1
    floor: float = 1e-4  # added to every variance, as a share of the column's
    seed: int = 0

    def fit(self, cells: Cells) -> Self:
        """Fit to rows."""
        known = ~np.isnan(cells.numbers)
        counts = known.sum(0)
        mean = np.nansum(cells.numbers, 0) / np.maximum(counts, 1)
        numbers = np.where(known, cells.numbers, mean)
        variance = ((numbers - mean) ** 2).sum(0) / np.maximum(counts, 1)
        self.floor_ = np.where(counts > 0, self.floor * np.maximum(variance, 1e-12), 1.0)
        patterns = _patterns(cells)
        self.full_ = self.k == 1 or max(numbers.shape[1], len(patterns)) <= _MAX_FULL_NUMBERS
        shares = np.eye(self.k)[self._first(numbers, cells)]
        self.means_, self.spreads_ = np.tile(mean, (self.k, 1)), [self._spread(np.diag(variance))] * self.k
        self.centre_, last = mean, -np.inf
        products = None if self.full_ else Products.of(cells, mean)
        for _ in range(max(3, min(_MAX_ROUNDS, _MAX_PATTERN_VISITS // len(patterns))) if self.full_ else _MAX_ROUNDS):
            self._maximise(cells, shares, patterns, products)
            joint = self._joint(cells, patterns, products)
            total = logsumexp(joint, axis=1)
            shares = np.exp(joint - total[:, None])
            if (self.k == 1 and known.all()) or total.mean() - last < 1e-4:
                break
            last = total.mean()
        return self

    def log_prob(self, cells: Cells) -> Floats:
        """Return log p of what is known of every row, (n,)."""
        products = None if self.full_ else Products.of(cells, self.centre_)
        log_p: Floats = logsumexp(self._joint(cells, _patterns(cells) if self.full_ else [], products), axis=1)
        return log_p

    def _first(self, numbers: Floats, cells: Cells) -> NDArray[np.int64]:
        if self.k == 1:
            return np.zeros(len(numbers), np.int64)
        from sklearn.cluster import KMeans
        from sklearn.exceptions import ConvergenceWarning

        spread = numbers.std(0)
        sides = [numbers / np.where(spread > 0, spread, 1), *one_hot(cells)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different rows than parts
            groups: NDArray[np.int64] = KMeans(self.k, n_init=1, random_state=self.seed).fit_predict(np.hstack(sides))
        return groups

    def _maximise(self, cells: Cells, shares: Floats, patterns: Patterns, products: Products | None) -> None:
        weights = shares.sum(0) + 1e-9
        self.log_weights_ = np.log(weights / weights.sum())
        if products is not None:
            self._maximise_diagonals(products, shares, weights[:, None])
        for part, (share, weight) in enumerate(zip(shares.T, weights, strict=True) if self.full_ else ()):
            numbers, unsure = self._completed(cells, share, part, patterns)
            self.means_[part] = share @ numbers / weight
            gap = numbers - self.means_[part]
            scatter = (gap.T * share) @ gap
            self.spreads_[part] = self._spread((scatter + unsure) / weight)
        self.tables_ = [log_shares(shares.T @ table) for table in one_hot(cells)]

    def _maximise_diagonals(self, products: Products, shares: Floats, weights: Floats) -> None:
        """Take means and variances (k, d) of parts without correlations; a missing number is as its part expects."""
        before, spreads = self.means_ - products.centre, np.stack(self.spreads_)
        totals, masses = shares.T @ products.numbers, shares.T @ products.known
        missing = (weights - masses).clip(0)
        means = (totals + missing * before) / weights
        squares = shares.T @ products.squares - 2 * means * totals + masses * np.square(means)
        unsure = missing * (np.square(before - means) + spreads)
        self.means_ = means + products.centre
        self.spreads_ = list((squares.clip(0) + unsure) / weights + self.floor_)

    def _spread(self, covariance: Floats) -> Floats:
        """Return a covariance with its floor; where the parts are diagonal its diagonal."""
        return covariance + np.diag(self.floor_) if self.full_ else np.diag(covariance) + self.floor_

    def _completed(self, cells: Cells, share: Floats, part: int, patterns: Patterns) -> tuple[Floats, Floats]:
        """Return the numbers with the missing ones as a part expects them, and the sum of their covariances."""
        numbers, spread, mean = cells.numbers.copy(), self.spreads_[part], self.means_[part]
        unsure = np.zeros((len(mean), len(mean)))
        for rows, known in patterns:
            lost = ~known
            if not lost.any():
                continue
            mass, block = share[rows].sum(), np.ix_(lost, lost)
            ours, across = spread[np.ix_(known, known)], spread[np.ix_(known, lost)]
            slope = cho_solve(cho_factor(ours), across) if known.any() else across
            numbers[np.ix_(rows, lost)] = mean[lost] + (numbers[np.ix_(rows, known)] - mean[known]) @ slope
            unsure[block] += mass * (spread[block] - across.T @ slope)
        return numbers, unsure

    def _joint(self, cells: Cells, patterns: Patterns, products: Products | None) -> Floats:
        """Return log p(row, part), (n, k): missing cells are integrated out."""
        out = np.tile(self.log_weights_, (len(cells.numbers), 1))
        for place, table in enumerate(self.tables_):
            out += np.hstack([table, np.zeros((self.k, 1))])[:, cells.codes[:, place]].T
        if products is not None:
            return out + self._diagonal(products, cells.jacobian)
        for rows, known in patterns:
            if known.any():
                values = cells.numbers[np.ix_(rows, known)]
                log_p = [self._gaussian(values, part, known) for part in range(self.k)]
                out[rows] += np.stack(log_p, 1) - cells.jacobian[known].sum()
        return out

    def _diagonal(self, products: Products, jacobian: Floats) -> Floats:
        """Return log p(known numbers | part), (n, k), of parts without correlations."""
        means, precisions = self.means_ - products.centre, 1 / np.stack(self.spreads_)
        squares = products.squares @ precisions.T - 2 * products.numbers @ (means * precisions).T
        squares += products.known @ (np.square(means) * precisions).T
        constant = products.known @ (jacobian - 0.5 * np.log(precisions) + 0.5 * _LOG_2PI).T
        log_p: Floats = -0.5 * squares.clip(0) - constant
        return log_p

    def _gaussian(self, values: Floats, part: int, pattern: NDArray[np.bool_]) -> Floats:
        gap, spread = values - self.means_[part][pattern], self.spreads_[part]
        root = cholesky(spread[np.ix_(pattern, pattern)], lower=True)
        scaled = solve_triangular(root, gap.T, lower=True).T
        log_p: Floats = -0.5 * (scaled**2).sum(1) - np.log(np.diag(root)).sum() - 0.5 * values.shape[1] * _LOG_2PI
        return log_p


def _patterns(cells: Cells) -> Patterns:
    """Return the rows that have the same numbers, and which those are."""
    known = ~np.isnan(cells.numbers)
    if known.all():
        return [(np.arange(len(known)), np.ones(known.shape[1], bool))]
    patterns, group = np.unique(known, axis=0, return_inverse=True)
    return [(np.flatnonzero(np.ravel(group) == place), pattern) for place, pattern in enumerate(patterns)]
