"""Text cells to numbers, booleans and dates: what a column of a text file holds."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from narrows.data.tables.amounts import Amounts, amount_texts, amounts, with_signs
from narrows.data.tables.dates import Dates, as_dates
from narrows.data.tables.times import parsed_times
from narrows.errors import InputError
from narrows.notes import Note

__all__ = ["MISSING", "Parsed", "as_numbers", "as_type", "infer", "infer_all"]

MISSING = ("", "na", "n/a", "nan", "null", "none", "?", "-", "#n/a")
PLAIN = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$"
WHOLE = r"^[+-]?\d+$"
LEADING_ZERO = r"^[+-]?0\d"
_DAYS = (pl.Date, pl.Datetime)
_MAX_ODD_CELLS, _MAX_ODD_SHARE = 3, 0.01  # of a column of numbers that are read as missing where they are none
_SAMPLE = 1000  # cells of a column that are looked at first
DECIMAL_COMMA = r"^[+-]?\d*,\d+(?:[eE][+-]?\d+)?$"


@dataclass(frozen=True)
class Parsed:
    """A typed column, the form that its dates or amounts are written in, and what there is to say about it."""

    series: pl.Series
    format: str | None = None
    notes: tuple[Note, ...] = ()


def infer(text: pl.Series, decimal_comma: bool = False) -> Parsed:
    """Find the type of a column of text: whole numbers, numbers, booleans, dates, times, or text.

    Examples
    --------
    >>> infer(pl.Series("a", ["1", "2", None])).series.dtype, infer(pl.Series("a", ["007", "010"])).series.dtype
    (Int64, String)
    >>> infer(pl.Series("a", ["31.12.2024"])).series.to_list()
    [datetime.date(2024, 12, 31)]
    """
    stripped = text.str.strip_chars()
    missing = _missing(stripped)
    known = stripped.filter(~missing)
    if known.is_empty():
        return Parsed(pl.Series(text.name, [None] * len(text), dtype=pl.Null))
    numbers = _numbers(stripped, missing, decimal_comma)
    share = numbers.is_not_null().sum() / len(known)
    if share == 1.0 and known.str.contains(LEADING_ZERO).any():
        return Parsed(_text(text), notes=_zeros_note(known))
    if share == 1.0:
        return Parsed(numbers, notes=_token_note(stripped, missing))
    truth = _booleans(stripped)
    if truth.null_count() == missing.sum():
        return Parsed(truth, notes=_token_note(stripped, missing))
    if (dates := as_dates(stripped.set(missing, None))) is not None:
        return _with_dates(text, stripped, missing, dates)
    odd = stripped.filter(numbers.is_null() & ~missing)
    signed = amounts(stripped.set(missing, None)) if with_signs(odd) and known.n_unique() > 1 else None
    if signed is not None and _few(signed.numbers, missing):
        notes = (*_amount_notes(stripped, signed), *_odd_cells(stripped, signed.numbers, missing))
        return Parsed(signed.numbers, signed.form, notes)
    if _few(numbers, missing):
        return Parsed(numbers, notes=_odd_cells(stripped, numbers, missing))
    if share >= 0.8:
        row = int((numbers.is_null() & ~missing).arg_true()[0])
        mixed = f"{text.name!r} is {share:.1%} numbers, but row {row} holds {text[row]!r}: the column is read as text"
        return Parsed(_text(text), notes=(Note(mixed, where=text.name),))
    return Parsed(_text(text))


def infer_all(frame: pl.DataFrame, decimal_comma: bool = False) -> list[Parsed]:
    """Find the types of all columns of text: those of plain numbers at once, the others one by one.

    Examples
    --------
    >>> frame = pl.DataFrame({"x": ["1", "-2.5e3"], "zip": ["01", "02"]})
    >>> [parsed.series.dtype for parsed in infer_all(frame)]
    [Float64, String]
    """
    quick = {} if decimal_comma else _plain(frame)
    return [quick[name] if name in quick else infer(frame[name], decimal_comma) for name in frame.columns]


def _plain(frame: pl.DataFrame) -> dict[str, Parsed]:
    """Columns that hold finite numbers and nothing else, without leading zeros: what `infer` gives for them."""
    every = pl.all().str
    head = frame.head(_SAMPLE)
    likely = head.select(every.contains(PLAIN).all() & pl.all().is_not_null().all()).row(0) if len(head) else ()
    frame = frame.select([name for name, plain in zip(frame.columns, likely, strict=False) if plain])
    if not frame.width:
        return {}
    full = frame.select(pl.all().is_not_null().all()).row(0)
    plain = frame.select(every.contains(PLAIN).all()).row(0)
    zeros = frame.select(every.contains(LEADING_ZERO).any()).row(0)
    whole = frame.select(every.contains(WHOLE).all()).row(0)
    rows = zip(frame.columns, full, plain, zeros, whole, strict=True)
    kinds = {name: pl.Int64() if w else pl.Float64() for name, f, p, z, w in rows if f and p and not z}
    cast = frame.select(pl.col(name).cast(kind, strict=False) for name, kind in kinds.items())
    good = cast.select(pl.all().is_finite().all() & pl.all().is_not_null().all()).row(0) if kinds else ()
    return {series.name: Parsed(series) for series, fits in zip(cast, good, strict=True) if fits}


def as_type(text: pl.Series, dtype: pl.DataType, format: str | None = None, decimal_comma: bool = False) -> pl.Series:
    """Read a column of text as the type it had at fit; a cell that is not of it raises InputError with row and value.

    Examples
    --------
    >>> as_type(pl.Series("a", ["1", "NA"]), pl.Float64()).to_list()
    [1.0, None]
    >>> as_type(pl.Series("a", ["2024-01-05"]), pl.Datetime("us"), "%Y-%m-%d %H:%M").to_list()
    [datetime.datetime(2024, 1, 5, 0, 0)]
    """
    stripped = text.str.strip_chars()
    missing = _missing(stripped)
    if dtype == pl.Boolean:
        values, wanted = _booleans(stripped), "true or false"
    elif dtype.is_temporal():
        values, wanted = _as_temporal(stripped.set(missing, None), format), "a date or time, as at fit"
        if dtype in _DAYS and values.dtype in _DAYS:
            values = values.cast(dtype)  # days where there were times, or the other way round
    else:
        values, wanted = _as_numbers(stripped, missing, format, decimal_comma), "a number, as at fit"
        values = values.cast(pl.Float64) if dtype.is_float() else values
    wrong_rows = (values.is_null() & ~missing).arg_true()
    if len(wrong_rows):
        row = int(wrong_rows[0])
        came = f"column {text.name!r}, row {row} holds {text[row]!r} ({len(wrong_rows)} such in all)"
        raise InputError(came, wanted, "correct the cell, or leave it empty")
    return values.alias(text.name)


def as_numbers(text: pl.Series, format: str | None = None, decimal_comma: bool = False) -> Parsed:
    """Read text as numbers in the form of the fit, a few cells that are none as missing; else it stays text.

    Examples
    --------
    >>> parsed = as_numbers(pl.Series("a", ["1%", "2%", "x", "3%", "4%"]), "0%")
    >>> print(parsed.series.to_list(), *parsed.notes)
    [1, 2, None, 3, 4] 'a': row 2 holds 'x', no number: read as missing; correct the cell, or leave it empty
    """
    stripped = text.str.strip_chars()
    missing = _missing(stripped)
    numbers = _as_numbers(stripped, missing, format, decimal_comma)
    if not _few(numbers, missing):
        return Parsed(text)
    return Parsed(numbers.alias(text.name), notes=_odd_cells(stripped, numbers, missing))


def _as_numbers(stripped: pl.Series, missing: pl.Series, form: str | None, decimal_comma: bool) -> pl.Series:
    signed = None if form is None else amounts(stripped.set(missing, None), form)
    return _numbers(stripped, missing, decimal_comma) if signed is None else signed.numbers


def _few(numbers: pl.Series, missing: pl.Series) -> bool:
    """Say whether so few of the cells that are there are no numbers that they can be mistakes."""
    wrong, known = int((numbers.is_null() & ~missing).sum()), int((~missing).sum())
    return wrong <= max(_MAX_ODD_CELLS, _MAX_ODD_SHARE * known) and wrong <= known / 5


def _missing(stripped: pl.Series) -> pl.Series:
    return stripped.is_null() | stripped.str.to_lowercase().is_in(MISSING).fill_null(True)


def _text(text: pl.Series) -> pl.Series:
    return text.set(text.str.strip_chars() == "", None)


def _numbers(stripped: pl.Series, missing: pl.Series, decimal_comma: bool) -> pl.Series:
    """Parse numbers (null where a cell is none): Int64 if every number is written as a whole one."""
    known = stripped.set(missing, None)
    if decimal_comma and not known.str.contains(".", literal=True).any():
        swapped = known.str.replace(",", ".", literal=True)
        known = known.zip_with(~known.str.contains(DECIMAL_COMMA).fill_null(False), swapped)
    if known.str.contains(WHOLE).all():
        whole = known.cast(pl.Int64, strict=False)
        return whole if whole.null_count() == known.null_count() else _nothing(stripped)
    return known.cast(pl.Float64, strict=False)


def _nothing(like: pl.Series) -> pl.Series:
    return pl.Series(like.name, [None] * len(like), dtype=pl.Float64)


def _booleans(stripped: pl.Series) -> pl.Series:
    low = stripped.str.to_lowercase()
    return (low == "true").set(~low.is_in(["true", "false"]).fill_null(False), None)


def _with_dates(text: pl.Series, stripped: pl.Series, missing: pl.Series, dates: Dates) -> Parsed:
    """Return a column of dates, of which a few may be mistakes; of text where they are more, or cannot be told."""
    notes = () if dates.note is None else (dates.note,)
    if dates.series is None:
        return Parsed(_text(text), notes=notes)
    if not _few(dates.series, missing):
        row = int((dates.series.is_null() & ~missing).arg_true()[0])
        mixed = f"{text.name!r} holds dates, but row {row} holds {text[row]!r}: the column is read as text"
        return Parsed(_text(text), notes=(Note(mixed, where=text.name),))
    return Parsed(dates.series, dates.form, (*notes, *_odd_cells(stripped, dates.series, missing, "date")))


def _as_temporal(text: pl.Series, format: str | None) -> pl.Series:
    """Read dates in the form of the fit, and those that are not in one of their own."""
    times = parsed_times(text, format or "%Y-%m-%d")
    left = text.set(times.is_not_null(), None)
    if left.null_count() == len(left):
        return times
    others = as_dates(left)
    if others is None or others.series is None:
        return times
    if times.null_count() == len(times):
        return others.series
    return times.zip_with(times.is_not_null(), others.series.cast(times.dtype))


def _zeros_note(known: pl.Series) -> tuple[Note, ...]:
    example = known.filter(known.str.contains(LEADING_ZERO))[0]
    return (Note(f"{known.name!r} holds leading zeros ({example!r}): the column is read as text", where=known.name),)


def _amount_notes(stripped: pl.Series, signed: Amounts) -> list[Note]:
    """Say what cells with signs are read as, and name those that are limits of what was measured."""
    notes, name = [], stripped.name
    ordinary = signed.signed & ~signed.limits & signed.numbers.is_not_null()
    if ordinary.any():
        rows = (ordinary & (signed.numbers < 0)).arg_true().to_list() or ordinary.arg_true().to_list()
        example = (
            f"{name!r}: {stripped[rows[0]]!r} is read as {signed.numbers[rows[0]]}, and so on in {ordinary.sum()} rows"
        )
        plain = amount_texts(signed.numbers[:1], signed.form).dtype != pl.String
        notes.append(Note(example + ("; written as plain numbers" if plain else ""), where=name))
    if signed.limits.any():
        row, n = signed.limits.arg_true()[0], signed.limits.sum()
        limit = f"{name!r}: row {row} holds {stripped[row]!r}, read as {signed.numbers[row]} ({n} such in all)"
        notes.append(Note(limit, where=name))
    return notes


def _odd_cells(stripped: pl.Series, values: pl.Series, missing: pl.Series, what: str = "number") -> tuple[Note, ...]:
    """Say what cells of a column are read as missing: words for it, and the few that are not what it holds."""
    rows = (values.is_null() & ~missing).arg_true().to_list()
    if not rows:
        return _token_note(stripped, missing)
    shown = ", ".join(f"row {row} holds {stripped[row]!r}" for row in rows[:_MAX_ODD_CELLS])
    more = f" and {len(rows) - _MAX_ODD_CELLS} more" if len(rows) > _MAX_ODD_CELLS else ""
    plural = "s" * (len(rows) > 1)
    mend = "correct the cells, or leave them empty" if plural else "correct the cell, or leave it empty"
    text = f"{stripped.name!r}: {shown}{more}, no {what}{plural}: read as missing; {mend}"
    return (*_token_note(stripped, missing), Note(text, where=stripped.name))


def _token_note(stripped: pl.Series, missing: pl.Series) -> tuple[Note, ...]:
    tokens = stripped.filter(missing & stripped.is_not_null() & (stripped != ""))
    if tokens.is_empty():
        return ()
    written = " and ".join(repr(token) for token in tokens.unique().sort().to_list())
    return (Note(f"{stripped.name!r}: {written} read as missing in {len(tokens)} rows", where=stripped.name),)
