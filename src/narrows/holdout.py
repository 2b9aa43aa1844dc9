"""Who learns, who sets a threshold, and who is measured: every rule by which rows are held out, with its constants.

Rows are held out at random, by class, as pictures, as runs of neighbours, by their number, or in time.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ACTIVATIONS",
    "CALIBRATION",
    "CODE_SIZES",
    "GOOD_PICTURES",
    "HALVES",
    "LABELS",
    "PICTURES",
    "PRICES",
    "ROWS",
    "ROWS_ON_DISK",
    "SETTINGS",
    "USERS",
    "VALIDATION",
    "HoldOut",
    "Parts",
    "Role",
    "Split",
    "in_time",
    "series",
]

Index = NDArray[np.int64]


class Split(StrEnum):
    """What the rows are that a verdict is measured on."""

    HELD_OUT = "held-out"  # a part of the data
    TEST = "test"  # the test part that came with the data
    VALIDATION = "validation"  # the user's own, from elsewhere
    TRAINING = "training"  # those that were learnt from, as there are too few
    CROSS_VALIDATED = "cross-validated"  # all of them, each as it was not learnt from

    @property
    def learnt(self) -> bool:
        """Whether the measured rows are among those that the final model has learnt from."""
        return self in (Split.TRAINING, Split.CROSS_VALIDATED)

    @property
    def word(self) -> str:
        """What captions call the measured rows: training rows, or held-out ones, wherever they are from."""
        return "training" if self is Split.TRAINING else "held-out"

    @property
    def were(self) -> str:
        """What became of the measured rows before they were measured.

        Examples
        --------
        >>> f"rows that {Split.TEST.were} learnt from", f"rows that {Split.TRAINING.were} learnt from"
        ('rows that were not learnt from', 'rows that were learnt from')
        """
        return "were" if self is Split.TRAINING else "were not"


class Parts(NamedTuple):
    """Which rows are learnt from and which are measured on, in order; the same ones where none is held out."""

    learn: Index
    measure: Index  # or set the threshold, or choose the weights: what the rule is for
    split: Split = Split.HELD_OUT
    why: str = ""  # in words, where a reader should know

    @classmethod
    def of_all(cls, n: int) -> "Parts":
        """Return the parts of n rows of which none is held out."""
        everything = np.arange(n)
        return cls(everything, everything, Split.TRAINING)

    @property
    def n_held(self) -> int:
        """How many rows are not learnt from."""
        return 0 if self.split.learnt else len(self.measure)


@dataclass(frozen=True)
class HoldOut:
    """One rule: how many rows are held out, and which.

    Examples
    --------
    >>> rule = HoldOut(0.1, enough=20, one_in=4, fewest=20)
    >>> [rule.count(n) for n in (10, 40, 100, 1000)]
    [0, 10, 20, 100]
    """

    share: float  # of the rows that is held out
    enough: int = 0  # so many of few rows, even if that is a larger share ...
    one_in: int = 2  # ... up to one in so many
    at_most: float = math.inf  # rows that are held out
    fewest: int = 2  # of fewer rows none is held out
    left: int = 0  # so many are learnt from in any case
    few: int = 0  # of fewer rows than so many ...
    share_of_few: float = 0.0  # ... at least this share is held out
    run: int = 1  # neighbours that are held out together, at most
    whole: Callable[[float], int] = round  # how a share of rows becomes a number of them
    rng: Callable[[int], Any] = np.random.default_rng

    def count(self, n: int) -> int:
        """Return how many of n rows are held out."""
        share = self._share_of(n)
        if n < self.fewest or not share:
            return 0
        wanted = max(min(self.whole(share * n), self.at_most), min(self.enough, n // self.one_in))
        return int(min(wanted, n - self.left))

    def _share_of(self, n: int) -> float:
        return max(self.share, self.share_of_few) if n < self.few else self.share

    def rows(self, n: int, seed: int, among: Index | None = None) -> Parts:
        """Return parts of n rows at random; those held out are up to half of the rows ``among``, where it is given.

        Examples
        --------
        >>> parts = HoldOut(0.2).rows(10, seed=0)
        >>> parts.learn.tolist(), parts.measure.tolist()
        ([0, 1, 2, 3, 5, 7, 8, 9], [4, 6])
        """
        count = self.count(n) if among is None else min(self.count(n), len(among) // 2)
        if not count:
            return Parts.of_all(n)
        return _apart(n, np.sort(self.rng(seed).permutation(n if among is None else among)[:count]))

    def last(self, n: int) -> Parts:
        """Return parts of n rows of which the last ones are held out."""
        count = self.count(n)
        return _apart(n, np.arange(n - count, n)) if count else Parts.of_all(n)

    def classes(self, labels: NDArray[Any], seed: int) -> Parts:
        """Return parts with rows of every class in both; rows without a label, -1, are all learnt from.

        Of few labels none is held out: all rows with one are measured, by cross-validation if classes are large enough.
        """
        known = np.flatnonzero(labels >= 0)
        counts = np.bincount(labels[known])
        if len(known) < self.fewest:
            enough = counts[counts > 1].sum() >= _MIN_CROSS_VALIDATED_LABELS
            return Parts(np.arange(len(labels)), known, Split.CROSS_VALIDATED if enough else Split.TRAINING)
        held_counts = np.ceil(counts * min(self.share, self.at_most / len(known))).astype(int)
        held_counts[counts < 2] = 0
        order = self.rng(seed).permutation(known)
        order = order[np.argsort(labels[order], kind="stable")]
        rank = np.arange(len(order)) - np.searchsorted(labels[order], labels[order])
        return _apart(len(labels), np.sort(order[rank < held_counts[labels[order]]]))

    def pictures(self, names: Sequence[str], seed: int) -> Parts:
        """Return parts of pictures, and in words how they were chosen.

        Names that are numbered evenly are slices or frames: neighbours look alike, so that the last ones of every
        series are held out together. Others are drawn at random.

        Examples
        --------
        >>> parts = PICTURES.pictures(["s1.png", "s2.png", "s3.png", "s4.png", "s5.png"], seed=0)
        >>> parts.learn.tolist(), parts.measure.tolist()
        ([0, 1, 2], [3, 4])
        """
        n, held, rows = len(names), self.count(len(names)), series(names)
        if not held:
            return Parts.of_all(n)
        if len(rows) == 1:
            block = f"the names are numbered evenly, as of slices or frames, and neighbours look alike: the last {held}"
            return self.last(n)._replace(why=f"{block} of {n} pictures are put aside for the verdict")
        if rows:
            share = self._share_of(n)
            last = sorted(i for row in rows for i in row[len(row) - max(1, round(share * len(row))) :])
            block = f"the names are {len(rows)} series numbered evenly, and neighbours look alike: the last pictures of"
            words = f"{block} each, {len(last)} of {n}, are put aside for the verdict"
            return _apart(n, np.array(last))._replace(why=words)
        words = f"{held} of {n} pictures, drawn at random, are put aside for the verdict"
        return self.rows(n, seed)._replace(why=words)

    def runs(self, n: int, seed: int) -> Parts:
        """Return parts of n rows whose neighbours are alike: runs of neighbours from all over are held out."""
        if n < self.fewest:
            return Parts.of_all(n)
        run = max(1, min(self.run, n // 100))
        count = max(1, math.ceil(min(self.share * n, self.at_most) / run))
        starts = np.sort(self.rng(seed).permutation(np.arange(0, n, run))[:count])
        held = (starts[:, None] + np.arange(run)).ravel()
        return _apart(n, held[held < n])

    def numbers(self, n: int) -> Parts:
        """Return parts of n rows by a fixed hash of the row's number, whatever n is.

        Rows that are added at the end do not change the part of those before; more than ``at_most`` are thinned out by
        the same hash.

        Examples
        --------
        >>> first, more = ROWS_ON_DISK.numbers(1000).measure, ROWS_ON_DISK.numbers(1500).measure
        >>> bool((first == more[more < 1000]).all()), 60 < len(first) < 140
        (True, True)
        """
        if n < self.fewest:
            return Parts.of_all(n)
        number = np.arange(n, dtype=np.uint64)
        with np.errstate(over="ignore"):  # splitmix64 (Steele et al. 2014)
            number = (number + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
            number = (number ^ (number >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            number = (number ^ (number >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        drawn = (number ^ (number >> np.uint64(31))) / np.float64(2**64)
        held = drawn < min(self.share, self.at_most / n)
        return Parts(np.flatnonzero(~held), np.flatnonzero(held))


def _apart(n: int, held: Index) -> Parts:
    learnt = np.ones(n, bool)
    learnt[held] = False
    return Parts(np.flatnonzero(learnt), held)


# ---- what a verdict is measured on -----------------------------------------------------------------------------------

# Rows of a table: a tenth is plenty of many; of few up to a quarter, as fewer than 20 tell little.
ROWS = HoldOut(0.1, enough=20, one_in=4, fewest=20)
# Users with their ratings: as rows; competitors rank all items for every one of them, so that 10 000 must do.
USERS = HoldOut(0.1, enough=20, one_in=4, at_most=10_000, fewest=20)
# Rows larger than memory: a tenth, by the number of the row, as nobody draws an order of so many.
ROWS_ON_DISK = HoldOut(0.1, at_most=10_000, fewest=20)
# Activations: neighbours are tokens of one text, and are held out together.
ACTIVATIONS = HoldOut(0.1, at_most=10_000, fewest=20, run=64)
# Labels: a fifth of every class, as an accuracy is coarser than an error; fewer than 300 are cross-validated.
LABELS = HoldOut(0.2, at_most=10_000, fewest=300)
# Pictures: two at least, as of one nothing can be said, and two to learn from.
PICTURES = HoldOut(0.2, enough=2, one_in=2, fewest=4, left=2)
# Good pictures beside bad ones: of few a third, as they set the threshold as well.
GOOD_PICTURES = HoldOut(0.2, enough=2, one_in=2, fewest=4, left=2, few=20, share_of_few=1 / 3)
# Rows that came to a report from Python: the first half is for the competitors.
HALVES = HoldOut(0.5, fewest=4, whole=math.ceil)

# ---- what sets a threshold, or chooses weights and settings ----------------------------------------------------------

# Ordinary rows that set the threshold: a fifth, of few up to a third; the detector says how many its rate needs.
CALIBRATION = HoldOut(0.2, one_in=3)
# Rows that choose epoch and weights, every epoch anew: few; of few rows up to a fifth, drawn as fits always drew them.
VALIDATION = HoldOut(0.05, enough=50, one_in=5, at_most=10_000, whole=math.floor, rng=np.random.RandomState)
# Rows that choose the length of a code: the fits are many and short, and one row is enough of very few.
CODE_SIZES = HoldOut(0.2, enough=1, whole=math.floor)
# Rows that choose the price of weights in a logistic regression: a quarter of a few thousand.
PRICES = HoldOut(0.25, whole=math.floor)
# Users that choose the settings of a recommender: each is ranked many times, so that 1000 must do.
SETTINGS = HoldOut(0.2, at_most=1000, whole=math.floor)

_MIN_CROSS_VALIDATED_LABELS = 6  # fewer labels of classes of two and more are learnt from, and measured
_TIME_ENDS = (0.6, 0.8)  # most of the time is learnt from; a fifth each says what is rare, and how rare it is


class Role(IntEnum):
    """What a step of a series is there for."""

    LEARN = 0
    THRESHOLD = 1
    MEASURE = 2


def in_time(n: int) -> Index:
    """Return the role of every one of n steps: those first in time are learnt from, the last are measured on.

    Examples
    --------
    >>> in_time(10).tolist()
    [0, 0, 0, 0, 0, 0, 1, 1, 2, 2]
    """
    return np.searchsorted([int(end * n) for end in _TIME_ENDS], np.arange(n), "right")


def series(names: Sequence[str]) -> list[list[int]]:
    """Return the places of names that end in evenly spaced numbers, by the words before them; nothing of other names.

    Examples
    --------
    >>> series(["a5.png", "a10.png"]), series(["a1.png", "a2.png", "a7.png"]), series(["a.png", "b.png"])
    ([[0, 1]], [], [])
    """
    matches = [re.fullmatch(r"(.*?)(\d+)(\.\w+)?", name) for name in names]
    rows: dict[str, list[int]] = {}
    for i, match in enumerate(matches):
        if match is None:
            return []
        rows.setdefault(match[1], []).append(i)
    numbers = {prefix: [int(matches[i][2]) for i in row] for prefix, row in rows.items()}  # type: ignore[index]
    even = all(len(row) > 1 and len(set(np.diff(row))) == 1 and row[1] > row[0] for row in numbers.values())
    return list(rows.values()) if even and 4 * len(rows) <= len(names) + 3 else []
