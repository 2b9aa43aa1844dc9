"""How real drawn rows of a table are: told apart, of use, within the range, no copies."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from narrows.metrics import Comparison
from narrows.tasks.base import spaced

__all__ = ["Judge", "Realism", "compare_areas"]

Floats = NDArray[np.float64]

_FOLDS = 5
_MAX_LEVELS = 250  # of a category that a tree splits by its levels
_MAX_TARGETS, _MAX_CLASSES = 4, 5  # columns that are predicted, and levels of one
_LEARNT_ROWS = 4000  # rows that a model learns from which predicts a column
_TREES = 50  # boosted trees that predict a column
_NEAR_ROWS, _TRAINING_ROWS = 1000, 5000  # rows whose nearest is looked for, among so many
_DIGITS = 9  # of encoded values, to which equal ones agree


class Realism(NamedTuple):
    """What was measured of drawn rows."""

    area: float  # under the ROC curve of a classifier that tells them from real ones; 0.5 is chance
    loss: float  # points that models lose by being trained on them instead of on real rows
    outside: int  # rows with a value outside the range, or the levels, of the training rows
    copies: int  # rows that are training rows
    distance: float  # median distance to the nearest training row, as a multiple of that of real rows
    real: Floats  # for every real row, the share of drawn ones that look more drawn
    drawn: Floats  # for every drawn row, the share of real ones that look less drawn


class Judge:
    """Measures drawn rows beside real ones; rows are values of cells (n, cells), NaN where missing.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> train, real, drawn = (rng.normal(size=(300, 2)) for _ in range(3))
    >>> judge = Judge([False, False]).fit(train, real)
    >>> good, bad = judge(drawn), judge(drawn + 3)
    >>> good.area < 0.65 < 0.9 < bad.area, good.copies, bad.outside > 100
    (True, 0, True)
    """

    def __init__(self, categories: Sequence[bool]):
        self.categories = np.array(categories, bool)

    def fit(self, train: Floats, real: Floats) -> Self:
        """Take the training rows, and the real ones that drawn rows are compared with."""
        self.train, self.real = _same_digits(np.where(np.isnan(train).all(0), 0.0, train)), _same_digits(real)
        self.low, self.high = np.nanmin(train, 0), np.nanmax(train, 0)
        self.levels = [np.unique(column[~np.isnan(column)]) for column in train.T]
        self.targets = self._targets()
        self.learnt = min(len(train), _LEARNT_ROWS)
        self.scores = [self._predicted(self.train, target) for target in self.targets]
        self.near = np.median(self._nearest(self.real))
        self.copies = self._copies(self.real)
        return self

    @property
    def wanted(self) -> int:
        """How many drawn rows are measured: as many as are learnt from, to predict a column, or as are real."""
        return max(self.learnt, len(self.real))

    def __call__(self, drawn: Floats) -> Realism:
        """Return what is measured of drawn rows, of which the first are told from the real ones."""
        n, drawn = len(self.real), _same_digits(drawn)
        looks = self._looks(drawn[:n])
        more, less = _placement(looks[:n], looks[n:]), 1 - _placement(looks[n:], looks[:n])
        scores = [self._predicted(drawn, target) for target in self.targets]
        loss = 100 * float(np.subtract(self.scores, scores).mean()) if scores else np.nan
        distance = float(np.median(self._nearest(drawn)) / self.near) if self.near > 0 else np.nan
        return Realism(
            max(0.5, float(more.mean())),
            loss,
            self._outside(drawn[:n]),
            self._copies(drawn[:n]),
            distance,
            more,
            less,
        )

    def _boosted(self, classifies: bool, cells: NDArray[np.bool_], **own: Any) -> Any:
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        split = self.categories & np.array([len(levels) <= _MAX_LEVELS for levels in self.levels])
        kind = HistGradientBoostingClassifier if classifies else HistGradientBoostingRegressor
        return kind(categorical_features=(split & (self.high < _MAX_LEVELS))[cells], random_state=0, **own)

    def _looks(self, drawn: Floats) -> Floats:
        """Return how drawn every real row and every drawn row looks to a classifier that has not seen it."""
        from sklearn.model_selection import StratifiedKFold, cross_val_predict

        rows, truth = np.concatenate([self.real, drawn]), np.repeat([0, 1], [len(self.real), len(drawn)])
        folds = StratifiedKFold(min(_FOLDS, len(self.real), len(drawn)), shuffle=True, random_state=0)
        every = np.ones(rows.shape[1], bool)
        result: Floats = cross_val_predict(self._boosted(True, every), rows, truth, cv=folds, method="predict_proba")
        return result[:, 1]

    def _targets(self) -> list[int]:
        """Return the columns that are predicted: of few levels, or numbers that vary."""
        few = [len(levels) <= _MAX_CLASSES for levels in self.levels]
        fit = [len(self.levels[i]) > 1 and (few[i] or not self.categories[i]) for i in range(len(few))]
        cells = [int(cell) for cell in np.flatnonzero(fit)] if len(few) > 1 else []
        return [cells[place] for place in spaced(len(cells), _MAX_TARGETS)]

    def _predicted(self, rows: Floats, target: int) -> float:
        """Return how well a model that was trained on rows predicts a column of the real ones.

        The share of levels that it gets right, or the share of the variance that it explains, 0 at least.
        """
        others = np.arange(rows.shape[1]) != target
        rows = rows[: self.learnt]
        known, there = ~np.isnan(rows[:, target]), ~np.isnan(self.real[:, target])
        x, y = rows[known][:, others], rows[known, target]
        x_real, y_real = self.real[there][:, others], self.real[there, target]
        if len(np.unique(y)) < 2 or len(np.unique(y_real)) < 2:
            return 0.0
        classifies = len(self.levels[target]) <= _MAX_CLASSES
        if classifies:
            y, y_real = (np.abs(values[:, None] - self.levels[target]).argmin(1) for values in (y, y_real))
        predicted = self._boosted(classifies, others, max_iter=_TREES).fit(x, y).predict(x_real)
        if classifies:
            return float((predicted == y_real).mean())
        return max(0.0, 1 - float(np.square(predicted - y_real).mean() / y_real.var()))

    def _outside(self, rows: Floats) -> int:
        beyond = (rows < self.low - 1e-6) | (rows > self.high + 1e-6)
        for cell in np.flatnonzero(self.categories):
            beyond[:, cell] |= ~np.isin(rows[:, cell], self.levels[cell]) & ~np.isnan(rows[:, cell])
        return int(beyond.any(1).sum())

    def _copies(self, rows: Floats) -> int:
        known = {row.tobytes() for row in self.train}
        return sum(row.tobytes() in known for row in rows)

    def _nearest(self, rows: Floats) -> Floats:
        """Return the distance of rows to the nearest training row: numbers in deviations, levels 0 or 1 apart."""
        from scipy.spatial.distance import cdist

        parts = []
        for part in (rows[:_NEAR_ROWS], self.train[:: max(1, len(self.train) // _TRAINING_ROWS)]):
            scaled = (part - np.nanmean(self.train, 0)) / np.maximum(np.nanstd(self.train, 0), 1e-12)
            columns = [np.nan_to_num(scaled[:, ~self.categories])]
            for cell in np.flatnonzero(self.categories):
                columns.append((part[:, cell, None] == self.levels[cell]) * np.sqrt(0.5))
            parts.append(np.concatenate(columns, 1))
        return np.asarray(cdist(*parts).min(1), np.float64)


def _same_digits(rows: Floats) -> Floats:
    """Return rows without the digits by which equal values differ that were rounded on different ways."""
    rounded: Floats = np.round(rows, _DIGITS) + 0.0
    return rounded


def _placement(one: Floats, other: Floats) -> Floats:
    """Return for each of ``one`` the share of ``other`` that is larger, equal ones half (DeLong et al. 1988)."""
    other = np.sort(other)
    below, upto = (np.searchsorted(other, one, side=side) for side in ("left", "right"))
    return np.asarray(1 - (below + upto) / (2 * len(other)))


def compare_areas(ours: Realism, theirs: Realism) -> Comparison:
    """Compare two areas: the real rows are the same, the drawn ones are samples of their own (DeLong et al. 1988)."""
    samples = (ours.real - theirs.real, ours.drawn, -theirs.drawn)
    return Comparison.of_samples(ours.area, theirs.area, "lower", *samples, absolute=True)
