"""What the ratings of a file are: how much somebody likes an item, or an amount of it; and from where on one counts."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from narrows.data.ratings.columns import AMOUNTS, LIKING, Table, words_of
from narrows.data.ratings.words import liking_in_words
from narrows.data.tables.infer import as_type
from narrows.errors import InputError

__all__ = ["Kind", "Strengths", "kind_of", "least_liked", "strengths"]

Kind = Literal["liking", "amount"]

_LIKED_SHARE = 0.75  # of the way from the lowest to the highest rating
_SCALES = ((-10.0, 10.0), (0.0, 100.0))  # of liking, whose ends stand for those of a file that has most of one
_MOST = 0.9  # of a scale
_SHORT_SCALE = 10  # up to here a rating is one, however often the lowest is given
_SKEW = 0.1  # of the way from the lowest to the highest: amounts have their median below it
_LONG_SCALE = 80  # whole numbers between 20 and this are amounts, where no name says that they are ratings

_WITH_UNIT = r"^([+-]?\d+(?:\.\d+)?)\s*(?:/\s*\d+|out of \d+|stars?|hours?|hrs?|times?|plays?)$"


class Strengths(NamedTuple):
    """The ratings of a column as numbers, of what kind they are, and what there is to say."""

    values: pl.Series
    kind: Kind
    notes: tuple[str, ...]


def strengths(table: Table, column: str, kind: Kind | None = None) -> Strengths:
    """Return a column of ratings as numbers; of words, those of liking are 1, those of dislike and indifference 0.

    Raises InputError for a cell that is no number, or infinite.
    """
    series = table.frame[column]
    notes: list[str] = []
    if series.dtype == pl.String:
        series, notes = _from_text(series, decimal_comma=table.comma)
    if not (series.dtype.is_numeric() or series.dtype == pl.Boolean):
        raise InputError(f"{table.name!r}: {column!r} holds no numbers", "ratings", "--rating COLUMN, or --implicit")
    values = series.cast(pl.Float64).fill_nan(None)
    wrong = values.is_infinite().arg_true()
    if len(wrong):
        came = f"column {column!r}, row {wrong[0]} holds an infinite rating, one of {len(wrong):,}"
        raise InputError(came, "a finite number for each rating", "leave these lines out")
    name = column if table.header else ""
    unrated = None if "amount" in (kind, _name_kind(name)) else _unrated(values.drop_nulls().to_numpy())
    if unrated is not None:
        notes.append(f"{column!r}: {(values == unrated).sum():,} cells of {unrated:g} are read as no rating")
        values = values.set(values == unrated, None)
    return Strengths(values, kind or kind_of(values.drop_nulls().to_numpy(), name), tuple(notes))


def kind_of(values: NDArray[np.float64], name: str = "") -> Kind:
    """Return whether numbers say how much something is liked, or how much of it there was (hours, pieces, plays).

    The column's name tells, then the range; long tails are amounts.

    Examples
    --------
    >>> kind_of(np.array([1.0, 5, 4, 3])), kind_of(np.array([1.0, 1, 2, 300])), kind_of(np.array([1.0, 2]), "Quantity")
    ('liking', 'amount', 'amount')
    """
    named = _name_kind(name)
    if named == "amount" or not len(values):
        return named or "liking"
    low, high, middle = float(values.min()), float(values.max()), float(np.median(values))
    if max(-low, high) > _SCALES[-1][1] or (low < 0 and max(-low, high) > _SCALES[0][1]):
        return "amount"
    even = abs(low + high) <= _SKEW * (high - low)  # as far below zero as above
    if high <= _SHORT_SCALE:
        return "liking" if low >= 0 or even or named else "amount"
    short = 2 * _SHORT_SCALE < high < _LONG_SCALE and bool((values % 1 == 0).all())
    return "amount" if middle - low <= _SKEW * (high - low) or (short and named is None) else "liking"


def least_liked(values: NDArray[np.float64], kind: Kind) -> float:
    """Return the lowest rating that counts: of amounts the lowest above zero, otherwise one of the upper quarter.

    Examples
    --------
    >>> least_liked(np.array([1.0, 2, 3, 4, 5]), "liking"), least_liked(np.array([0.0, 0.5, 90]), "amount")
    (4.0, 0.5)
    """
    low, high = float(values.min()), float(values.max())
    if kind == "amount":
        return float(values[values > 0].min(initial=high))
    for start, end in _SCALES:
        if start <= low and high <= end and high - low >= _MOST * (end - start):
            return start + _LIKED_SHARE * (end - start)
    return float(values[values >= low + _LIKED_SHARE * (high - low)].min())


def _from_text(text: pl.Series, *, decimal_comma: bool) -> tuple[pl.Series, list[str]]:
    """Return text as numbers: words of liking, numbers with a unit (``4 / 5``, ``3 stars``), plain ones."""
    words = liking_in_words(text)
    if words is not None:
        sides = [f"{', '.join(map(repr, side))} as {value}" for side, value in ((words.yes, 1), (words.no, 0)) if side]
        return words.values, [f"{text.name!r}: {' and '.join(sides)}"]
    plain = text.str.strip_chars().str.to_lowercase()
    text = text.zip_with(~plain.str.contains(_WITH_UNIT).fill_null(False), plain.str.extract(_WITH_UNIT, 1))
    try:
        return as_type(text, pl.Float64(), decimal_comma=decimal_comma), []
    except InputError as error:
        hint = "correct it, or --implicit if every line counts"
        raise InputError(error.came, "a number for each rating, or like and dislike", hint) from None


def _unrated(values: NDArray[np.float64]) -> float | None:
    """Return the number that stands for no rating: -1 below ratings from 0 to 10, 99 above ratings from -10 to 10."""
    for mark in (-1.0, 99.0):
        others = values[values != mark]
        if not 0 < len(others) < len(values):
            continue
        low, high = others.min(), others.max()
        if (low >= 0 and 2 < high <= _SHORT_SCALE) if mark < 0 else (-_SHORT_SCALE <= low < 0 < high <= _SHORT_SCALE):
            return mark
    return None


def _name_kind(name: str) -> Kind | None:
    words = words_of(name)
    words = [*words, "".join(words)]
    if any(word in AMOUNTS for word in words):
        return "amount"
    return "liking" if any(word in LIKING for word in words) else None
