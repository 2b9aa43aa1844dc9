"""A table as series: in the order of time, each series by itself, one row for each time."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import polars as pl
import polars.selectors as cs
from numpy.typing import NDArray

from narrows.data.base import Source
from narrows.data.series import Steps, regular_steps
from narrows.data.tables.column import Column
from narrows.data.tables.columns import NumberColumn
from narrows.data.tables.drop_columns import without_column
from narrows.data.tables.formatting import as_text
from narrows.data.tables.infer import as_type
from narrows.data.tables.source import TableSource
from narrows.data.tables.times import date_text, interval_of, time_texts
from narrows.data.tables.whole_column import WholeColumn
from narrows.errors import InputError, nearest
from narrows.notes import Note

__all__ = ["Timeline", "clock_of", "column_of_times", "split_names", "timeline"]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
_MAX_TWICE = 0.1  # share of the rows that may have the time of another one in one series, and of these by themselves
_FEWEST_ROWS = 10  # of a series, on average, that a column may tell from the others; rows that show an interval
_NIGHT_ENDS, _CHANGE_MONTHS = 3, (3, 4, 9, 10, 11)  # when clocks are set back, in the north and in the south
_OTHER_INTERVAL = 1.5  # times the usual one


@dataclass(frozen=True)
class Timeline:
    """Series in the order of time, one after the other.

    Parameters
    ----------
    source : TableSource
        The rows, without the columns of times and of the series' names.
    stamps : polars.Series, shape (n,)
        Their times.
    keys : polars.DataFrame, shape (n, columns)
        The columns that name the series.
    names : tuple of str
        Of the series, in the order in which they come; one empty name where no column names any.
    series : ndarray, shape (n,)
        The number of each row's series.
    form : str or None
        How the times of a text file were written.
    steps : Steps
        Equal steps in time.
    notes : tuple of Note
        What was found.
    """

    source: TableSource
    stamps: pl.Series
    keys: pl.DataFrame
    names: tuple[str, ...]
    series: Indices
    form: str | None
    steps: Steps
    notes: tuple[Note, ...]

    @property
    def times(self) -> Floats:
        """The times of the rows as numbers."""
        return _numbers(self.stamps)

    def texts(self) -> NDArray[np.str_]:
        """Return the times of the rows in the form of their file."""
        return time_texts(self.stamps, self.form)


def timeline(source: Source, time: str, by: Sequence[str], fill: int, form: str | None = None) -> Timeline:
    """Return the series of a table, of which rows of one time are merged.

    Numbers become their mean (whole numbers the nearest one), other cells the first that is not empty; a row is
    labelled as anomalous where one of those merged is. ``fill`` missing steps are filled in; ``form`` is how the times
    of a text file are written, where the file does not show it.

    Raises InputError where a column is missing, where rows have no time, and where rows of one time are of several
    series that a column tells apart.
    """
    table = column_of_times(source, time)
    for name in by:
        table = column_of_times(table, name, "--by")
    stamps = table.frame[time]
    times = _checked(stamps, table.name)
    names, series = _named(table.frame.select(by), len(table))
    order = np.lexsort((times, series))
    notes = list(table.notes)
    if (np.diff(times[np.argsort(series, kind="stable")])[np.diff(series[order]) == 0] < 0).any():
        notes.append(Note("the rows were not in the order of time: they are sorted"))
    rows, times, series = table.take(order), times[order], series[order]
    first = np.append(True, (np.diff(series) != 0) | (np.diff(times) != 0))
    if not first.all():
        _require_one_series(rows, time, by, first)
        notes.append(_twice(stamps, order, first))
        rows = _merged(rows, first, (time, *by))
    series, stamps, keys = series[first], rows.frame[time], rows.frame.select(by)
    steps = regular_steps(times[first], series, fill)
    _require_one_interval(stamps, steps, names, series)
    notes += _described(steps, series, names)
    for name in (time, *by):
        rows = without_column(rows, name)
    kept = tuple(note for note in notes if note.where not in (time, *by))
    form = table.formats.get(time, _lossless(form, stamps))
    return Timeline(replace(rows, notes=()), stamps, keys, names, series, form, steps, kept)


def column_of_times(source: Source, name: str, flag: str = "--time") -> TableSource:
    """Return a table that has a column; raises InputError where it has none, or is no table."""
    if isinstance(source, TableSource) and name in source.frame.columns:
        return source
    names = source.frame.columns if isinstance(source, TableSource) else []
    near = nearest(name, names, 0.4)
    came = f"{source.name!r} has no column {name!r} {'of times' if flag == '--time' else 'that names series'}"
    hint = f"{flag} {shlex.quote(near) if near else 'COLUMN'}"
    raise InputError(came, ", ".join(names[:20]) or "a table", hint)


def split_names(names: str | None) -> tuple[str, ...]:
    """Return names of columns with commas between.

    Examples
    --------
    >>> split_names("site, machine"), split_names(None)
    (('site', 'machine'), ())
    """
    return () if names is None else tuple(name for part in names.split(",") if (name := part.strip()))


def clock_of(stamps: pl.Series, form: str | None) -> Column:
    """Return how a column of times is read in later files, as in this one."""
    return NumberColumn.fit(stamps) if stamps.dtype.is_float() else WholeColumn.fit(stamps, form)


def _lossless(form: str | None, stamps: pl.Series) -> str | None:
    """Return the form of times where it holds all of these."""
    if form is None or not stamps.dtype.is_temporal():
        return None
    return form if as_type(date_text(stamps, form), stamps.dtype, form).equals(stamps) else None


def _numbers(stamps: pl.Series) -> Floats:
    return stamps.to_physical().cast(pl.Float64).to_numpy()


def _checked(stamps: pl.Series, name: str) -> Floats:
    """Return times as numbers; missing ones, and texts that are no times, are refused."""
    if not (stamps.dtype.is_numeric() or stamps.dtype.is_temporal()):
        came = f"the column {stamps.name!r} of {name!r} holds {stamps.dtype} ({stamps.drop_nulls().head(1).to_list()})"
        raise InputError(came, "numbers, dates, or dates with times (2024-01-31 12:30:00)", "--time COLUMN")
    times = stamps.to_physical().cast(pl.Float64)
    missing = times.null_count() + int(times.is_nan().sum() or 0)
    if missing:
        raise InputError(f"{missing} rows have no time in {stamps.name!r}", "a time in every row", "leave them out")
    return times.to_numpy()


def _named(keys: pl.DataFrame, n: int) -> tuple[tuple[str, ...], Indices]:
    """Return the names of the series in the order in which they come, and the number of each row's."""
    if not keys.width:
        return ("",), np.zeros(n, int)
    texts = [as_text(series).fill_null("missing") for series in keys]
    words = pl.select(pl.concat_str(texts, separator=", ")).to_series()
    names = words.unique(maintain_order=True)
    return tuple(names), words.replace_strict(names, np.arange(len(names)), return_dtype=pl.Int64).to_numpy()


def _require_one_series(rows: TableSource, time: str, by: Sequence[str], first: NDArray[np.bool_]) -> None:
    """Refuse rows of which many have the time of another one, where a column tells them apart."""
    n, twice = len(first), int((~first).sum())
    if twice <= _MAX_TWICE * n:
        return
    discrete = rows.frame.select((cs.string() | cs.categorical() | cs.enum() | cs.integer()) - cs.by_name(time, *by))
    for name in discrete.columns:
        few = 2 <= rows.frame[name].n_unique() <= n / _FEWEST_ROWS
        if few and n - rows.frame.select(time, *by, name).n_unique() <= _MAX_TWICE * twice:
            came = (
                f"{twice} rows have the time of another one, and {name!r} tells them apart: they are of several series"
            )
            raise InputError(came, "the column that names the series", f"--by {shlex.quote(','.join((*by, name)))}")


def _twice(stamps: pl.Series, order: Indices, first: NDArray[np.bool_]) -> Note:
    """Say how many times occur more than once, the first with its rows, and what becomes of them."""
    group = np.cumsum(first) - 1
    several = np.bincount(group) > 1
    rows = np.sort(order[group == int(np.argmax(several))])
    shown = ", ".join(map(str, rows[:3].tolist())) + (", ..." if len(rows) > 3 else "")
    many = "1 time occurs" if several.sum() == 1 else f"{several.sum()} times occur"
    text = f"{many} more than once in {stamps.name!r}, the first {time_texts(stamps[rows[:1]])[0]} in rows {shown}"
    back = ", as where clocks are set back" if _clocks_set_back(stamps) else ""
    return Note(f"{text}{back}: rows of one time are merged (numbers: their mean; other cells: the first)")


def _clocks_set_back(stamps: pl.Series) -> bool:
    """Return whether times go back only by an hour, less the step to the next row, at night in spring or autumn."""
    if not isinstance(stamps.dtype, pl.Datetime):
        return False
    seconds = stamps.diff().dt.total_seconds()
    back = (seconds <= 0).fill_null(False)
    by_an_hour = seconds == pl.Series([seconds.median()]) - 3600
    night = (stamps.dt.hour() <= _NIGHT_ENDS) & stamps.dt.month().is_in(_CHANGE_MONTHS)
    return bool(back.any()) and bool((by_an_hour & night).filter(back).all())


def _merged(rows: TableSource, first: NDArray[np.bool_], keys: Sequence[str]) -> TableSource:
    """Return one row for those from a ``first`` one up to the next."""
    group = np.cumsum(first) - 1
    numbers = (cs.numeric() | cs.decimal()) - cs.by_name(*keys)
    mean = numbers.cast(pl.Float64).fill_nan(None).mean()
    grouped = rows.frame.group_by(pl.lit(pl.Series(group)).alias("\0"), maintain_order=True)
    cells = grouped.agg(mean, (~numbers).drop_nulls().first()).select(rows.frame.columns)
    types = {name: kind for name, kind in rows.frame.schema.items() if kind.is_numeric()}
    whole = [pl.col(name).round() for name, kind in types.items() if kind.is_integer() and name not in keys]
    frame = cells.with_columns(whole).with_columns(pl.col(name).cast(kind) for name, kind in types.items())
    kept = rows.take(np.flatnonzero(first))
    if rows.labels is None:
        return replace(kept, frame=frame)
    labels = np.maximum.reduceat(rows.labels, np.flatnonzero(first))
    return replace(kept, frame=frame, labels=labels)


def _require_one_interval(stamps: pl.Series, steps: Steps, names: Sequence[str], series: Indices) -> None:
    """Refuse series whose rows are much nearer to each other, or further apart, than those of the others."""
    all_of_them, times = steps.interval, _numbers(stamps)
    edges = np.flatnonzero(np.diff(series, prepend=-1, append=-1))
    for name, (low, high) in zip(names, pairwise(edges), strict=True):
        own = float(np.median(np.diff(times[low:high]))) if high - low >= _FEWEST_ROWS else all_of_them
        if not all_of_them / _OTHER_INTERVAL <= own <= all_of_them * _OTHER_INTERVAL:
            ours, others = (interval_of(stamps, interval)[1] for interval in (own, all_of_them))
            came = f"The series {name!r} has a step every {ours}, and the usual one of all series is {others}"
            raise InputError(came, "series of one interval", "a fit for each interval")


def _described(steps: Steps, series: Indices, names: Sequence[str]) -> list[Note]:
    """Say what the steps are."""
    notes, gaps = [], int(steps.pieces[-1]) + 1 - len(names)
    if len(names) > 1:
        shown = ", ".join(map(repr, names[:3])) + (", ..." if len(names) > 3 else "")
        least, most = np.bincount(series).min(), np.bincount(series).max()
        notes.append(
            Note(f"{len(names)} series ({shown}) of {least} to {most} rows: no window crosses from one to another")
        )
    if steps.resampled:
        uneven = f"the rows are not evenly spaced: interpolated to {len(steps)} steps of the median interval"
        notes.append(Note(uneven))
    elif len(steps) > len(steps.of_row):
        added = len(steps) - len(steps.of_row)
        notes.append(Note(f"{added} missing step{'s' * (added > 1)} between rows: filled between neighbours in time"))
    if gaps:
        notes.append(Note(f"{gaps} gap{'s' * (gaps > 1)} in time: no window crosses one"))
    return notes
