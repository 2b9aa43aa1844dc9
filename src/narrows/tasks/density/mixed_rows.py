"""Mixed rows as the simple densities read them: numbers, and tables of levels.

Whole numbers of more than 20 values are real numbers to these models: uniform noise fills their steps, which gives a
lower bound on the probability (Theis et al. 2016, section 3.1). Other discrete columns are tables of frequencies, with
one cell for what is new. A real number with atoms is a table of these beside a number that is missing where it is one.
"""

from collections.abc import Sequence
from itertools import starmap
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from narrows.base_measure import Measure

__all__ = ["Cells", "Columns", "log_shares", "one_hot"]

Floats = NDArray[np.float64]

_PSEUDO_COUNT = 0.5  # added to every count of a table (Krichevsky & Trofimov 1981)
_MAX_LEVELS = 20  # whole numbers of more values are priced as real ones


class Cells(NamedTuple):
    """Rows as these models read them."""

    numbers: Floats  # (n, c), NaN where missing
    codes: NDArray[np.int64]  # (n, t), -1 where missing
    sizes: tuple[int, ...]  # of the tables
    jacobian: Floats  # (c,) log of an encoded unit in original ones


class Columns:
    """Which columns are numbers and which are tables; learnt from rows (n, d) and their measures.

    Examples
    --------
    >>> X = np.array([[0.5, 0.0], [1.5, 1.0], [2.5, 1.0]])
    >>> cells = Columns([("gaussian", 1, 0.0, 2.0), ("bernoulli", 1, 0.0, 1.0)], X).read(X)
    >>> cells.numbers.ravel().tolist(), cells.codes.ravel().tolist(), cells.sizes
    ([0.5, 1.5, 2.5], [0, 1, 1], (3,))
    """

    def __init__(self, measures: Sequence[Sequence[Any]], X: NDArray[Any]):
        self.numbers: list[tuple[int, float, float, bool]] = []
        self.tables: list[tuple[slice, float, float, Floats | None]] = []
        self.atoms: list[tuple[int, Measure]] = []
        start = 0
        for measure in starmap(Measure, measures):
            kind, width, shift, scale, _ = measure
            span = slice(start, start + width)
            start += width
            if kind == "categorical":
                self.tables.append((span, 0.0, 1.0, None))
                continue
            if measure.atoms:
                self.atoms.append((span.start, measure))
            values = X[:, span.start] * scale + shift
            levels = np.unique(np.rint(values[~np.isnan(values)])) if kind != "gaussian" else np.zeros(_MAX_LEVELS + 1)
            if len(levels) <= _MAX_LEVELS:
                self.tables.append((span, shift, scale, levels))
            else:
                self.numbers.append((span.start, shift, scale, kind != "gaussian"))

    def read(self, X: NDArray[Any], seed: int = 0) -> Cells:
        """Return rows with noise within the steps of whole numbers."""
        draw = np.random.default_rng(seed)
        X, codes, sizes = self._without_atoms(np.asarray(X, np.float64))
        numbers = [
            X[:, place] + (draw.uniform(-0.5, 0.5, len(X)) / scale if whole else 0.0)
            for place, _, scale, whole in self.numbers
        ]
        for span, shift, scale, levels in self.tables:
            if levels is None:
                block = X[:, span]
                code = np.where(np.nansum(block, 1) > 0, np.nan_to_num(block).argmax(1), block.shape[1])
                codes.append(np.where(np.isnan(block).any(1), -1, code))
                sizes.append(block.shape[1] + 1)
                continue
            values = np.rint(X[:, span.start] * scale + shift)
            place = np.searchsorted(levels, values).clip(0, len(levels) - 1)
            code = np.where(levels[place] == values, place, len(levels))
            codes.append(np.where(np.isnan(values), -1, code))
            sizes.append(len(levels) + 1)
        return Cells(
            np.stack(numbers, 1) if numbers else np.zeros((len(X), 0)),
            np.stack(codes, 1).astype(np.int64) if codes else np.zeros((len(X), 0), np.int64),
            tuple(sizes),
            np.log([abs(scale) for _, _, scale, _ in self.numbers]),
        )

    def _without_atoms(self, X: Floats) -> tuple[Floats, list[NDArray[Any]], list[int]]:
        """Return rows in which an atom is no number, and for columns with atoms a table: which atom, or a number."""
        rest, codes, sizes = X.copy() if self.atoms else X, [], []
        for place, measure in self.atoms:
            atom, size = measure.atom_of(X[:, place]), len(measure.atoms)
            codes.append(np.where(np.isnan(X[:, place]), -1, np.where(atom < 0, size, atom)))
            sizes.append(size + 1)
            rest[atom >= 0, place] = np.nan
        return rest, codes, sizes


def one_hot(cells: Cells) -> list[Floats]:
    """Return the tables one-hot; a missing one is all zeros."""
    return [np.eye(size + 1)[cells.codes[:, place]][:, :size] for place, size in enumerate(cells.sizes)]


def log_shares(counts: Floats) -> Floats:
    """Return the logarithms of the smoothed shares of counts (..., levels).

    Examples
    --------
    >>> np.exp(log_shares(np.array([1.0, 0.0]))).tolist()
    [0.75, 0.25]
    """
    more = counts + _PSEUDO_COUNT
    shares: Floats = np.log(more / more.sum(-1, keepdims=True))
    return shares
