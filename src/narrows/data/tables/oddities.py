"""What is odd about the columns of a table: sentinels, lost zeros, identifiers, copies, one value nearly everywhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import Literal, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from narrows.data.tables.categorical import CategoryColumn, ConstantColumn, shortened
from narrows.data.tables.column import Column
from narrows.data.tables.columns import NumericColumn
from narrows.data.tables.formatting import cell_text
from narrows.data.tables.never_known import never_known
from narrows.data.tables.schema import TableSchema
from narrows.data.tables.source import TableSource

__all__ = ["MIN_CORRELATION", "Oddity", "determines", "few_levels", "oddities"]

_SENTINELS = (-9.0, -99.0, -999.0, -9999.0, -99999.0, 9.0, 99.0, 999.0, 9999.0, 99999.0, 999999.0)
_SENTINEL_ROWS, _SENTINEL_GAP = 2, 5.0  # rows that hold it, and median gaps between the others that it is off
_MIN_COUNTED_ROWS = 10  # of fewer rows, whole numbers in a row are no identifiers
_NEARLY = 0.99  # share of the rows that one value takes
_DENSE = 1.05  # whole numbers, all different, of which so many would fit between the least and the most
_MAX_LEVELS = 1000  # a column of more values determines others by chance
_MIN_ROWS_PER_LEVEL = 20  # of fewer, what it determines may be chance
_SAMPLE = 2000  # rows on which pairs of columns are looked at first
_MAX_COLUMNS = 200  # of a wider table, pairs are not looked at
MIN_CORRELATION = 1 - 1e-9  # columns of which one is the other in other units
_PADDED = re.compile(r"(^|[^a-z])(zip|zipcode|postal|postcode|plz|cep|fips|geoid|naics|siren|siret|insee)([^a-z]|$)")


class Oddity(NamedTuple):
    """One odd thing about a column in a few words; as a sentence, unless a note says it, and what to do about it."""

    column: str
    short: str
    what: str = ""
    fix: str = ""
    level: Literal["warning", "note"] = "note"


def oddities(source: TableSource, schema: TableSchema) -> list[Oddity]:
    """Return what is odd about the columns that a schema learnt from a table, in their order.

    Examples
    --------
    >>> from narrows.data import read
    >>> ages = [31, 45, 99, 52, 28, 99, 63, 37, 41, 99, 58, 33] * 3
    >>> source = read(pl.DataFrame({"age": ages, "person": range(1001, 1037), "x": np.arange(36) ** 0.5}))
    >>> [(odd.column, odd.short) for odd in oddities(source, source.fit_schema())]
    [('age', '99 in 9 rows'), ('person', 'counts rows')]
    """
    frame = schema.conform(source.frame)
    single = [odd for column in schema.columns for odd in _of_column(column, frame[column.name], source)]
    place = {column.name: rank for rank, column in enumerate(schema.columns)}
    return sorted([*single, *_of_pairs(schema.columns, frame)], key=lambda odd: place[odd.column])


def _of_column(column: Column, series: pl.Series, source: TableSource) -> Iterator[Oddity]:
    name = column.name
    if isinstance(column, ConstantColumn):
        yield Oddity(name, "one value")  # that it is left out is a note of the schema, far cells are a warning of it
        return
    known = series.drop_nulls()
    yield from _near_constant(known)
    if not isinstance(column, NumericColumn):
        return
    if (far := column.far(series)).any():
        cell = cell_text(series.filter(far)[0])
        more = f" and {far.sum() - 1} more" if far.sum() > 1 else ""
        yield Oddity(name, f"{cell} in {source.id_name} {source.ids[far][0]}{more}")
    if known.dtype.is_numeric():
        yield from _sentinels(known, amount=column.is_amount)
    if known.dtype.is_integer():
        yield from _identifier(series)
        yield from _lost_zeros(known)


def _near_constant(known: pl.Series) -> Iterator[Oddity]:
    """Name a value that nearly all rows hold."""
    usual = known.gather_every(max(1, len(known) // _SAMPLE)).mode()[0]
    if (share := int((known == usual).sum()) / len(known)) >= _NEARLY:
        value = shortened(usual)
        what = f"{known.name!r} is {value} in {share:.1%} of the rows"
        yield Oddity(known.name, f"{share:.1%} {value}", what, f"--drop {shlex.quote(known.name)} if it says nothing")


def _sentinels(known: pl.Series, *, amount: bool) -> Iterator[Oddity]:
    """Name a value of nines at an end, which several rows hold and the others keep far from; amounts may have a cap."""
    ends = [value for value in (known.min(), known.max()) if value in _SENTINELS]
    if not ends:
        return
    distinct = known.cast(pl.Float64).unique().sort().to_numpy()
    for value in ends:
        rows, others = int((known == value).sum()), distinct[distinct != value]
        gaps = np.diff(others)
        gap = float(np.abs(others - value).min()) if len(others) else 0.0
        if rows >= _SENTINEL_ROWS and len(gaps) and gap >= _SENTINEL_GAP * float(np.median(gaps)):
            text = f"{value:g}"
            rest = f"far from its other values ({others[0]:g} to {others[-1]:g})"
            role = ": a cap or a sentinel" if amount and value == known.max() else ""
            what = f"{known.name!r} is {text} in {rows} rows, {rest}{role}"
            fix = f"if {text} means missing: --missing {shlex.quote(f'{known.name}={text}')}"
            yield Oddity(known.name, f"{text} in {rows} rows", what, fix, "note" if role else "warning")


def _identifier(series: pl.Series) -> Iterator[Oddity]:
    """Name whole numbers that count the rows, from wherever and in whatever order."""
    if series.null_count() or len(series) < _MIN_COUNTED_ROWS:
        return
    low, high = int(series.min()), int(series.max())  # type: ignore[arg-type]
    if high - low + 1 <= _DENSE * len(series) and series.n_unique() == len(series):
        what = (
            f"{series.name!r} holds whole numbers from {low} to {high}, different in every row: they may name the rows"
        )
        yield Oddity(
            series.name, "counts rows", what, f"--column {shlex.quote(f'{series.name}=identifier')}", "warning"
        )


def _lost_zeros(known: pl.Series) -> Iterator[Oddity]:
    """Name codes of different lengths, which may have begun with zeros."""
    if not _PADDED.search(known.name.lower()):
        return
    lengths = known.cast(pl.String).str.len_chars()
    short = int((lengths < lengths.max()).sum())
    if short:
        what = f"{known.name!r} is named like a code, and {short} rows have fewer digits: leading zeros may be lost"
        fix = f"--column {shlex.quote(f'{known.name}=category')}, and read the file with the column as text"
        yield Oddity(known.name, "zeros lost?", what, fix, "warning")


def _of_pairs(columns: Sequence[Column], frame: pl.DataFrame) -> Iterator[Oddity]:
    """Name columns that another one determines: level by level, as a multiple of it, or where they are empty."""
    if len(columns) > _MAX_COLUMNS:
        return
    rows = np.unique(np.linspace(0, len(frame) - 1, min(len(frame), _SAMPLE)).astype(np.int64))
    some = frame[rows]
    few = [column.name for column in columns if _few_levels(column, frame[column.name])]
    for empty in never_known(frame, few):
        fix = f"--drop {shlex.quote(empty.column)} leaves it out"
        yield Oddity(empty.column, f"empty {empty.where}", empty.sentence(), fix)
    codes = {name: some[name].rank("dense").fill_null(0).to_numpy().astype(np.int64) for name in few}
    followers = set()
    for one, other in permutations(few, 2):
        if other in followers or (other, one) in followers or not determines(codes[one], codes[other]):
            continue
        if frame.select(one, other).n_unique() == frame[one].n_unique():
            followers |= {other, (one, other)}
            what, fix = f"{one!r} determines {other!r} in every row", f"--drop {shlex.quote(other)} says no less"
            yield Oddity(other, f"follows {one}", what, fix)
    yield from _multiples([c for c in columns if isinstance(c, NumericColumn) and c.name not in few], some)


def _few_levels(column: Column, series: pl.Series) -> bool:
    """Return whether a column has so few values that what it determines is no chance."""
    return isinstance(column, (CategoryColumn, NumericColumn)) and few_levels(series.n_unique(), len(series))


def few_levels(levels: int, rows: int) -> bool:
    """Return whether a column of so many levels in so many rows does not determine others by chance.

    Examples
    --------
    >>> few_levels(16, 320), few_levels(17, 320)
    (True, False)
    """
    return levels <= min(_MAX_LEVELS, rows // _MIN_ROWS_PER_LEVEL)


def determines(one: NDArray[np.int64], other: NDArray[np.int64]) -> bool:
    """Return whether equal levels of one column, whole numbers from 0, have equal levels of the other.

    Examples
    --------
    >>> determines(np.array([0, 1, 2, 0]), np.array([1, 0, 0, 1])), determines(np.array([0, 0]), np.array([0, 1]))
    (True, False)
    """
    return len(np.unique(one * (other.max() + 1) + other)) == len(np.unique(one))


def _multiples(columns: Sequence[NumericColumn], some: pl.DataFrame) -> Iterator[Oddity]:
    """Name columns that are another one in other units."""
    if len(columns) < 2 or len(some) < _MIN_COUNTED_ROWS:
        return
    values = np.concatenate([column.encode(some[column.name]) for column in columns], axis=1)
    varying = np.flatnonzero(values.std(0) > 0)
    equal = np.abs(np.corrcoef(values[:, varying].T)) >= MIN_CORRELATION
    for later in range(1, len(varying)):
        if (same := np.flatnonzero(equal[later, :later])).size:
            one, other = columns[varying[same[0]]].name, columns[varying[later]].name
            what = f"{other!r} is {one!r} in other units in every row looked at"
            yield Oddity(other, f"follows {one}", what, f"--drop {shlex.quote(other)} says no less")
