"""Columns of text that hold dates or times: in which forms they are written, and what they are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from narrows.data.tables.times import own_form, parsed_times
from narrows.notes import Note

__all__ = ["DATE_LIKE", "Dates", "as_dates"]

_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y")
_SHORT_YEARS = ("%d.%m.%y", "%d/%m/%y", "%m/%d/%y")
_NAMED_MONTHS = tuple(
    form.replace("%b", month)
    for form in ("%d %b %Y", "%b %d, %Y", "%b %d %Y", "%d-%b-%Y", "%d-%b-%y")
    for month in ("%b", "%B")
)
_TIMES = ("%H:%M:%S%.f", "%H:%M", "%H:%M:%S%.f%#z", "%I:%M %p", "%I:%M:%S %p", "%H:%M:%S%.f %#z")
_FORMS = tuple(
    (day, *(f"{day}{gap}{time}" for gap in " T" for time in _TIMES)) for day in (*_DATES, *_SHORT_YEARS, *_NAMED_MONTHS)
)
_MONTH = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
DATE_LIKE = re.compile(
    rf"(?:\d{{1,4}}[-/.]\d{{1,2}}[-/.]\d{{1,4}}|\d{{1,2}}[ -]{_MONTH}[ -]\d{{2,4}}|{_MONTH} \d{{1,2}},? \d{{4}})"
    r"(?:[ T]\d{1,2}:\d\d.*)?",
    re.IGNORECASE,
)
_HEAD = 100  # cells that rule a form out
_SAMPLE = 1000  # cells that show a form
_MAX_OWN_FORM_ROWS = 10_000  # rows that show how times are written
_MIN_LIKE = 0.8  # share of the first cells that look like dates
_MAX_FORMS = 4  # that one column is written in
_MIN_YEAR = 100  # an earlier one was written with two digits


class Dates(NamedTuple):
    """Dates or times, null where a cell is none, in the form that most came in; None where they cannot be told."""

    series: pl.Series | None
    form: str | None = None
    note: Note | None = None


class _Written(NamedTuple):
    """A form, and the dates of the cells that are written in it, null for the others."""

    form: str
    dates: pl.Series


def as_dates(known: pl.Series) -> Dates | None:
    """Read cells, null where one is missing, as dates or times, in one form or in up to four; None where most are none.

    What reads both as day/month and month/day, or is written in both orders, cannot be told; a note says so.

    Examples
    --------
    >>> as_dates(pl.Series("a", ["31.12.2024", "2024-12-30", "29.12.2024"])).series.to_list()
    [datetime.date(2024, 12, 31), datetime.date(2024, 12, 30), datetime.date(2024, 12, 29)]
    """
    head = known.drop_nulls().head(_HEAD)
    if sum(bool(DATE_LIKE.fullmatch(cell)) for cell in head) < _MIN_LIKE * len(head):
        return None
    n = known.len() - known.null_count()
    every = [written for forms in _FORMS if (written := _in_all(known, head, forms, n)) is not None]
    if any(not other.dates.equals(every[0].dates) for other in every[1:]):
        return _unclear(known)
    return _dates(known, every[:1]) if every else _mixed(known)


def _in_all(known: pl.Series, head: pl.Series, forms: Sequence[str], n: int) -> _Written | None:
    """Return the first form that all cells are of."""
    for form in forms:
        if not parsed_times(head, form).null_count():
            dates = _parsed(known, form)
            if dates.len() - dates.null_count() == n:
                return _Written(form, dates)
    return None


def _parsed(cells: pl.Series, form: str) -> pl.Series:
    dates = parsed_times(cells, form)
    early = (dates.dt.year() < _MIN_YEAR).fill_null(False)
    return dates.set(early, None) if early.any() else dates


def _mixed(known: pl.Series) -> Dates | None:
    """Read cells in several forms: the one that most of them are of, then that of most others, and so on."""
    chosen: list[_Written] = []
    left = known
    while left.null_count() < len(left) and len(chosen) < _MAX_FORMS:
        best = _most(left)
        if not best or any(_swapped(best[0].form) == other.form for other in chosen):
            break
        if any(bool((other.dates != best[0].dates).any()) for other in best[1:]):  # of cells that are of both forms
            return _unclear(known)
        chosen.append(best[0])
        left = left.set(best[0].dates.is_not_null(), None)
    return _dates(known, chosen) if chosen else None


def _most(left: pl.Series) -> list[_Written]:
    """Return the forms that most cells are of, several where they are as many."""
    sample = left.drop_nulls().head(_SAMPLE)
    counts = {form: _count(_parsed(sample, form)) for forms in _FORMS for form in forms}
    most = max(counts.values())
    likely = [_Written(form, _parsed(left, form)) for form, count in counts.items() if count == most > 0]
    most = max((_count(written.dates) for written in likely), default=0)
    return [written for written in likely if _count(written.dates) == most]


def _count(dates: pl.Series) -> int:
    return dates.len() - dates.null_count()


def _swapped(form: str) -> str:
    """Return a form with day and month in each other's place."""
    return re.sub("%[dm]", lambda match: "%m" if match[0] == "%d" else "%d", form)


def _dates(known: pl.Series, written: list[_Written]) -> Dates:
    """Put the dates of several forms together; times of day stay, and those with an offset only among themselves."""
    written = sorted(written, key=lambda one: -_count(one.dates))
    if len({getattr(one.dates.dtype, "time_zone", None) for one in written}) > 1:
        written = written[:1]
    timed = [one for one in written if one.dates.dtype != pl.Date]
    first = (timed or written)[0]
    series = first.dates
    for one in written:
        series = series.zip_with(series.is_not_null(), one.dates.cast(series.dtype))
    texts = known.set(first.dates.is_null(), None).head(_MAX_OWN_FORM_ROWS)
    form = own_form(texts, first.dates.head(_MAX_OWN_FORM_ROWS), first.form)
    return Dates(series, form, _several(known, written, first) if len(written) > 1 else None)


def _several(known: pl.Series, written: list[_Written], first: _Written) -> Note:
    ways = [(known.filter(one.dates.is_not_null())[0], _count(one.dates)) for one in written]
    shown = ", ".join(f"{example!r} in {count} row{'s' * (count != 1)}" for example, count in ways)
    back = known.filter(first.dates.is_not_null())[0]
    return Note(
        f"{known.name!r} is written in {len(ways)} ways ({shown}): it comes back like {back!r}", where=known.name
    )


def _unclear(known: pl.Series) -> Dates:
    both = f"{known.name!r} holds dates that read both as day/month and month/day: write them as 2024-01-31"
    return Dates(None, note=Note(both, where=known.name))
