"""Two methods measured on the same rows: which is better, and whether the rows can tell."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from narrows.errors import InputError
from narrows.metrics.resampling import Spread, resampled_spread

__all__ = ["Better", "Comparison", "Doubt", "Outcome", "clustered"]

Better = Literal["lower", "higher"]
Floats = NDArray[np.float64]

_CONFIDENCE = 0.97725  # one-sided: two standard errors of many rows
_MIN_UNITS = 3  # units of a sample: the differences of two say nothing of their spread
_MIN_AGREEING_UNITS = 6  # units that all say the same: of two equal methods in 3 % of the cases (sign test)
_NEGLIGIBLE_SHARE = 0.01  # of the measure: less is no difference
_LEVEL_SHARE = 0.05  # of the measure: methods are level where more can be ruled out


class Outcome(StrEnum):
    """What a comparison comes to."""

    WINS = "wins"
    LOSES = "loses"
    LEVEL = "even"
    UNCLEAR = "unclear"  # the rows cannot tell
    NONE = "none"  # there is no number to compare


class Doubt(StrEnum):
    """Why the rows cannot tell two methods apart."""

    NONE = ""
    FEW = "few"
    UNMEASURED = "unmeasured"
    NOISE = "noise"


@dataclass(frozen=True, eq=False, kw_only=True)
class Comparison:
    """A measure of two methods, the direction in which it is better, and how noisy their difference is.

    Make one with ``of_rows``, ``of_folds``, ``of_totals`` or ``of_samples``, which derive the two values and the noise
    from the same numbers, so that they cannot contradict each other.

    Attributes
    ----------
    ours, theirs : float
        The measure of the autoencoder and of its competitor.
    better : {"lower", "higher"}
        Which values are better.
    samples : tuple of ndarray
        For each independent sample, what every unit of it adds to ``ours - theirs``, up to a constant. Empty: the noise
        is not known.
    spread : Spread, optional
        The standard error of the difference, where the units of the sample are not independent.
    counted_twice : float
        The part of the difference's variance that the samples count twice, as every pair of units counts for both.
    absolute : bool
        The measure has no zero to count shares from, as nats have none.

    Examples
    --------
    >>> errors = np.random.default_rng(0).chisquare(3, 100)
    >>> Comparison.of_rows(errors, 1.1 * errors, "lower").outcome.value
    'wins'
    >>> Comparison.of_rows([1.0, 0.0, 1.0], [0.0, 1.0, 1.0], "higher").outcome.value
    'unclear'
    """

    ours: float
    theirs: float
    better: Better
    samples: tuple[Floats, ...] = ()
    spread: Spread | None = None
    counted_twice: float = 0.0
    absolute: bool = False

    def __post_init__(self) -> None:
        if self.better not in ("lower", "higher"):
            raise ValueError(f"better={self.better!r}: 'lower' or 'higher'")

    @classmethod
    def of_rows(
        cls,
        ours: ArrayLike,
        theirs: ArrayLike,
        better: Better,
        *,
        absolute: bool = False,
        clusters: ArrayLike | None = None,
    ) -> Self:
        """Compare means of a measure that every row has, ``(n,)`` each; rows are paired.

        ``clusters`` (n,) are those of rows that depend on each other; None: all are independent.
        """
        pair = [np.asarray(values, np.float64).ravel() for values in (ours, theirs)]
        if len(pair[0]) != len(pair[1]):
            raise ValueError(f"{len(pair[0])} and {len(pair[1])} rows: the same rows are needed")
        means = [float(values.mean()) if len(values) else math.nan for values in pair]
        gaps = pair[0] - pair[1]
        gaps = gaps if clusters is None else clustered(gaps, clusters)
        return cls(ours=means[0], theirs=means[1], better=better, samples=(gaps,), absolute=absolute)

    @classmethod
    def of_folds(cls, ours: ArrayLike, theirs: ArrayLike, folds: NDArray[np.int64], better: Better) -> Self:
        """Compare means of a measure of every row in every repeat of a cross-validation, ``(repeats, n)`` each.

        ``folds`` is what ``stratified_folds`` gave; the noise is that of ``resampled_spread``.
        """
        pair = [np.asarray(values, np.float64) for values in (ours, theirs)]
        gaps = pair[0] - pair[1]
        means = [float(values.mean()) for values in pair]
        spread = resampled_spread(gaps, folds)
        return cls(ours=means[0], theirs=means[1], better=better, samples=(gaps.mean(0),), spread=spread)

    @classmethod
    def of_totals(cls, statistic: Callable[[Any], float], ours: ArrayLike, theirs: ArrayLike, better: Better) -> Self:
        """Compare a statistic of sums over rows, by the jackknife (Efron & Stein 1981).

        ``ours`` and ``theirs`` (n, ...) are what every row adds to the sums; ``statistic`` takes sums.
        """
        pair = [np.asarray(parts, np.float64) for parts in (ours, theirs)]
        totals = [parts.sum(0) for parts in pair]
        values = [float(statistic(total)) for total in totals]
        n = len(pair[0])
        left_out = [[statistic(total - part) for part in parts] for total, parts in zip(totals, pair, strict=True)]
        gaps = np.subtract(*np.asarray(left_out, np.float64)) if n > 1 else np.zeros(n)
        pseudo: Floats = n * (values[0] - values[1]) - (n - 1) * gaps
        return cls(ours=values[0], theirs=values[1], better=better, samples=(pseudo,))

    @classmethod
    def of_samples(
        cls,
        ours: float,
        theirs: float,
        better: Better,
        *samples: ArrayLike,
        counted_twice: float = 0.0,
        absolute: bool = False,
    ) -> Self:
        """Compare a statistic of independent samples, by what every unit of each adds to the difference."""
        parts = tuple(np.asarray(sample, np.float64).ravel() for sample in samples)
        values, doubled = (float(ours), float(theirs)), float(counted_twice)
        return cls(
            ours=values[0], theirs=values[1], better=better, samples=parts, counted_twice=doubled, absolute=absolute
        )

    @property
    def gap(self) -> float:
        """The measure of the autoencoder less that of its competitor."""
        return self.ours - self.theirs

    @property
    def ahead(self) -> bool:
        """Whether the autoencoder has the better value."""
        return self.gap < 0 if self.better == "lower" else self.gap > 0

    @property
    def scale(self) -> float:
        """What shares of a difference are counted of: the competitor's value, of a share near 1 what it lacks."""
        if self.absolute:
            return 0.0
        size = abs(self.theirs)
        return min(size, 1 - size) if self.better == "higher" and 0 < self.theirs < 1 else size

    @cached_property
    def doubt(self) -> Doubt:
        """Why the rows cannot tell which is better; empty where they can."""
        if any(len(sample) < _MIN_UNITS for sample in self.samples):
            return Doubt.FEW
        if not all(np.isfinite(sample).all() for sample in self.samples):
            return Doubt.UNMEASURED
        return Doubt.NONE if not self.samples or self._agreed or self._significant else Doubt.NOISE

    @property
    def outcome(self) -> Outcome:
        """Who is better: nobody where the two are within 1 %, and nobody where the rows cannot tell.

        The two are level only where a difference of 5 % can be ruled out; otherwise it is unclear which is better.
        """
        if not (math.isfinite(self.ours) and math.isfinite(self.theirs)):
            return Outcome.NONE
        small = abs(self.gap) < _NEGLIGIBLE_SHARE * self.scale or self.gap == 0
        if not small and not self.doubt:
            return Outcome.WINS if self.ahead else Outcome.LOSES
        return Outcome.LEVEL if abs(self.gap) + self.margin <= _LEVEL_SHARE * self.scale else Outcome.UNCLEAR

    @property
    def margin(self) -> float:
        """Half the width of the 95 % interval of the difference; infinite where there are too few rows."""
        if not self.samples or not any(sample.any() for sample in self.samples):
            return 0.0
        if self.doubt in (Doubt.FEW, Doubt.UNMEASURED):
            return math.inf
        error, freedom = self._error
        return self._quantile(freedom) * error if error else 0.0

    @cached_property
    def _error(self) -> tuple[float, float]:
        """The standard error of the difference, and its degrees of freedom (Welch 1947; Satterthwaite 1946)."""
        if self.spread is not None:
            return self.spread.error, self.spread.freedom
        variances = np.array([sample.var(ddof=1) / len(sample) for sample in self.samples])
        parts = np.array([len(sample) - 1 for sample in self.samples])
        total = max(variances.sum() - self.counted_twice, self.counted_twice)
        return math.sqrt(total), float(total**2 / (variances**2 / parts).sum()) if total else math.inf

    @property
    def _significant(self) -> bool:
        """Whether the difference is beyond its noise, by Student's t and, of one sample, also without its skewness.

        The second is Hall's (1992) transformation of t: where errors are skewed, as squares are, t alone names winners
        too often.
        """
        error, freedom = self._error
        if error == 0:
            return self.gap != 0
        limit = self._quantile(freedom)
        statistics = [self.gap / error]
        if len(self.samples) == 1 and self.spread is None:
            sample = self.samples[0]
            deviation, root = sample.std(ddof=1), math.sqrt(len(sample))
            ratio, skew = self.gap / deviation, float(((sample - sample.mean()) ** 3).mean() / deviation**3)
            statistics.append(root * (ratio + skew * ratio**2 / 3 + skew**2 * ratio**3 / 27) + skew / (6 * root))
        return all(abs(statistic) > limit for statistic in statistics)

    @property
    def _agreed(self) -> bool:
        """Whether six units or more all say the same, and one value is more than twice the other."""
        if len(self.samples) != 1 or len(self.samples[0]) < _MIN_AGREEING_UNITS or self.spread is not None:
            return False
        sample = self.samples[0]
        return bool(((sample > 0).all() or (sample < 0).all()) and not 0.5 <= self.ours / (self.theirs or np.inf) <= 2)

    @staticmethod
    def _quantile(freedom: float) -> float:
        from scipy.stats import norm, t

        return float(t.ppf(_CONFIDENCE, freedom) if math.isfinite(freedom) else norm.ppf(_CONFIDENCE))


def clustered(values: ArrayLike, clusters: ArrayLike) -> Floats:
    """Return one number per cluster of dependent values: their mean is that of all values, and so is their noise.

    Clusters count by how many values they hold (the linearised ratio estimator: Cochran 1977, section 6.3).

    Raises ``InputError`` where not every value has a cluster.

    Examples
    --------
    >>> clustered([1.0, 3.0, 8.0], [0, 0, 1]).tolist()
    [1.3333333333333335, 6.666666666666666]
    """
    values, places = np.asarray(values, np.float64), np.unique(np.asarray(clusters), return_inverse=True)[1]
    if len(values) != len(places):
        raise InputError(f"{len(values)} values in {len(places)} clusters", "a cluster for every value")
    sums, counts = np.bincount(places, values), np.bincount(places)
    mean = values.mean() if len(values) else math.nan
    numbers: Floats = mean + (sums - counts * mean) * len(counts) / max(1, len(values))
    return numbers
