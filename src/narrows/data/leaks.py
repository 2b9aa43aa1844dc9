"""Columns that give a label away: one of them alone says of nearly every row which class it is in."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from narrows.data.base import Source
from narrows.data.tables.schema import TableSchema
from narrows.data.tables.source import TableSource

if TYPE_CHECKING:
    from narrows.data.base import Schema

__all__ = ["Leak", "leak_notes", "leaks"]

_MIN_TOLD_SHARE = 0.99  # share of the rows of a class, on average over the classes, that a leak tells
_MIN_LABELLED_ROWS = 30  # with a label; of fewer many an honest column tells all ...
_MIN_CLASS_ROWS = 5  # ... as of fewer of a class ...
_MIN_ORDERED_ROWS = 100  # ... and of so many by its order
_FIRST_SHARE = 0.9  # share that the column must tell of a first sample to be looked at whole
_FIRST_ROWS = 1000  # rows of that sample
_MAX_ORDERED_CLASSES = 20  # more are not looked for in the order of a column

Ints = NDArray[np.int64]


class Leak(NamedTuple):
    """A column that determines the label, in which share of the rows, and by what."""

    column: str
    share: float
    by: str = ""  # nothing: by its values

    def sentence(self, label: str, hint: str) -> str:
        """Return the sentence about it; ``hint`` is what leaves the column out.

        Examples
        --------
        >>> Leak("alive", 1.0).sentence("'survived'", "--drop alive")[:66]
        "'alive' determines 'survived' in every labelled row. If it is made"
        """
        rows = "in every labelled row" if self.share == 1 else f"in {100 * self.share:.4g} % of the labelled rows"
        determines = " ".join(filter(None, (f"{self.column!r} determines {label}", self.by, rows)))
        return f"{determines}. If it is made from the label, or known only after it, leave it out: {hint}."


def leaks(frame: pl.DataFrame, labels: NDArray[np.int64]) -> list[Leak]:
    """Return the columns that determine the class of a row, -1 for a row without a label.

    A column tells a row's class by its value when most other rows of that value are of the class, by whether it is
    missing, or, unless it is text, by its order when every class has an interval of it. What is different in every
    row tells nothing by its values. Classes with fewer than 5 labels, and fewer than 30 labels (100 for an order), are
    not looked at.

    Examples
    --------
    >>> y, row = np.arange(100) % 2, np.arange(100)
    >>> frame = pl.DataFrame({"row": row, "code": ["ab"[i] for i in y], "score": y + row / 200})
    >>> [(leak.column, leak.by) for leak in leaks(frame, y)]
    [('code', ''), ('score', 'by its order')]
    """
    counts = np.bincount(labels[labels >= 0]) if (labels >= 0).any() else np.zeros(1, int)
    rows = np.flatnonzero((labels >= 0) & (counts[labels] >= _MIN_CLASS_ROWS))
    classes, places = np.unique(labels[rows], return_inverse=True)
    if len(rows) < _MIN_LABELLED_ROWS or len(classes) < 2:
        return []
    sample = _some(places, max(_MIN_CLASS_ROWS, _FIRST_ROWS // len(classes)))
    likely = [series.name for series in frame[rows[sample]] if _leak(series, places[sample], _FIRST_SHARE)]
    return [leak for name in likely if (leak := _leak(frame[name][rows], places, _MIN_TOLD_SHARE))]


def leak_notes(source: Source, schema: Schema, label: str | None) -> tuple[str, ...]:
    """Say which of a table's columns that a schema reads determine the labels; ``label`` is their column, if one is.

    Examples
    --------
    >>> from narrows.data import read
    >>> from narrows.data.labels import with_label
    >>> frame = pl.DataFrame({"y": [0, 1] * 20, "alive": ["no", "yes"] * 20, "x": range(5, 45)})
    >>> source = with_label(read(frame), "y")
    >>> leak_notes(source, source.fit_schema(), "y")[0][:45]
    "'alive' determines 'y' in every labelled row."
    """
    if not isinstance(source, TableSource) or not isinstance(schema, TableSchema) or source.labels is None:
        return ()
    label_leaks = leaks(source.frame.select(column.name for column in schema.columns), source.labels)
    return tuple(
        leak.sentence(repr(label) if label else "the label", f"--drop {shlex.quote(leak.column)}")
        for leak in label_leaks
    )


def _some(places: Ints, per_class: int) -> Ints:
    """Return which rows are looked at first: so many of every class, evenly spaced."""
    order = np.argsort(places, kind="stable")
    counts = np.bincount(places)
    rank = np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)
    size = np.repeat(counts, counts)
    chosen = (size <= per_class) | (rank * per_class // size != (rank - 1) * per_class // size)
    return np.sort(order[chosen])


def _leak(series: pl.Series, places: Ints, share: float) -> Leak | None:
    """Return the first way in which a column determines the class of such a share of the rows, if any does."""
    codes = _codes(series)
    for by, correct in () if codes is None else _ways(series, codes, places):
        recalls = np.bincount(places, correct) / np.bincount(places)
        if recalls.mean() >= share:
            return Leak(series.name, float(correct.mean()), by)
    return None


def _ways(series: pl.Series, codes: Ints, places: Ints) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield for each way to read a column which rows' classes it tells."""
    if codes.max() < len(codes):  # not all different
        yield "", by_value(codes, places)
    if not codes.all():
        yield "by whether it is missing", by_value(np.minimum(codes, 1), places)
    ordered = series.dtype not in (pl.String, pl.Categorical, pl.Enum) and places.max() < _MAX_ORDERED_CLASSES
    if ordered and len(places) >= _MIN_ORDERED_ROWS:
        yield "by its order", by_order(codes, places)


def _codes(series: pl.Series) -> Ints | None:
    """Return ranks of cells, 0 for a missing one; None for cells that cannot be compared."""
    if series.dtype.is_nested() or series.dtype in (pl.Object, pl.Binary, pl.Null):
        return None
    if series.dtype.is_float():
        series = series.fill_nan(None)
    elif series.dtype in (pl.Categorical, pl.Enum):
        series = series.cast(pl.String)
    return series.rank("dense").fill_null(0).cast(pl.Int64).to_numpy()


def by_value(codes: Ints, places: Ints) -> NDArray[np.bool_]:
    """Return which rows are in the class of most other rows of the same value.

    Examples
    --------
    >>> by_value(np.array([1, 1, 1, 2, 3, 3]), np.array([0, 0, 1, 1, 1, 1])).tolist()
    [False, False, False, False, True, True]
    """
    classes = int(places.max()) + 1
    pairs, counts = np.unique(codes * classes + places, return_counts=True)
    order = np.lexsort((-counts, pairs // classes))
    pairs, counts = pairs[order], counts[order]
    levels = pairs // classes
    first = np.r_[True, levels[1:] != levels[:-1]]
    second = np.where(np.r_[~first[1:], False], np.r_[counts[1:], 0], 0)  # the next class of the same value
    return np.isin(codes * classes + places, pairs[first & (counts - 1 > second)])


def by_order(codes: Ints, places: Ints) -> NDArray[np.bool_]:
    """Return which rows are in the interval of their class: the best intervals, a class each, in the order of medians.

    Examples
    --------
    >>> by_order(np.array([1, 2, 3, 4, 5]), np.array([0, 0, 1, 0, 1])).tolist()
    [True, True, True, False, True]
    """
    counts = np.bincount(places)
    ranked = np.argsort([np.median(codes[places == label]) for label in range(len(counts))], kind="stable")
    order = np.argsort(codes, kind="stable")
    cuts = np.r_[0, np.flatnonzero(np.diff(codes[order])) + 1, len(codes)]
    below = [np.r_[0, np.cumsum(places[order] == label)][cuts] / counts[label] for label in ranked]
    best, starts = below[0], []
    for recalls in below[1:]:
        gained = best - recalls
        top = np.maximum.accumulate(gained)
        starts.append(np.maximum.accumulate(np.where(gained == top, np.arange(len(top)), 0)))
        best = top + recalls
    correct, stop = np.zeros(len(codes), bool), len(cuts) - 1
    for label, start in zip(ranked[::-1], [*(indices for indices in reversed(starts)), None], strict=True):
        begin = 0 if start is None else int(start[stop])
        inside = order[cuts[begin] : cuts[stop]]
        correct[inside] = places[inside] == label
        stop = begin
    return correct
