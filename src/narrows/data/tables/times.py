"""Dates and times as texts, in the form that they came in, and what lies between them."""

import re
from datetime import timedelta
from typing import Annotated, Any

import polars as pl
from numpy.typing import NDArray

from narrows.data.tables.formatting import as_text
from narrows.typed_json import Matching

__all__ = ["DateForm", "date_text", "interval_of", "own_form", "parsed_times", "time_texts", "units_of"]

DateForm = Annotated[str, Matching(r"(%(\.f|#z|-?[YymdjbBaAHIMSpPf])|[^%])*", "a form such as %Y-%m-%d %H:%M")]
"""What stands behind ``%#z`` is the offset that all times of the file had."""

_OFFSET = "%#z"


def date_text(series: pl.Series, format: str) -> pl.Series:
    """Write dates and times in the form they were read with; those of several offsets as UTC, which is written Z.

    Examples
    --------
    >>> times = parsed_times(pl.Series(["2024-01-31T12:30:00+02:00"]), "%Y-%m-%dT%H:%M:%S%.f%#z")
    >>> date_text(times, "%Y-%m-%dT%H:%M:%S%.f%#z").to_list(), date_text(times, "%d %b %Y %I:%M %p%#z+02:00").to_list()
    (['2024-01-31T10:30:00Z'], ['31 Jan 2024 12:30 PM+02:00'])
    """
    form, zoned, offset = format.partition(_OFFSET)
    if not zoned:
        return series.dt.to_string(form)
    shift = timedelta(0)
    if match := re.fullmatch(r"\s?([+-])(\d\d):?(\d\d)", offset):
        shift = timedelta(hours=int(match[2]), minutes=int(match[3])) * (-1 if match[1] == "-" else 1)
    bare = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None) + shift
    return bare.dt.to_string(form) + (offset if match else "Z")


def parsed_times(text: pl.Series, format: str) -> pl.Series:
    """Read texts as dates or times of one form; null where one is not of it.

    Examples
    --------
    >>> parsed_times(pl.Series(["Mar 3, 2021 4:05 PM"]), "%b %d, %Y %I:%M %p").to_list()
    [datetime.datetime(2021, 3, 3, 16, 5)]
    """
    form, zoned, _ = format.partition(_OFFSET)
    if not re.search("%-?[HI]", form):
        return text.str.to_date(form, strict=False)
    return text.str.to_datetime(form + zoned, strict=False, time_unit="us")


def own_form(texts: pl.Series, times: pl.Series, format: str) -> str:
    """Return the form in which times are written as their texts were: with or without leading zeros, with one offset.

    Examples
    --------
    >>> texts = pl.Series(["3/4/2021 9:05 pm"])
    >>> own_form(texts, parsed_times(texts, "%m/%d/%Y %I:%M %p"), "%m/%d/%Y %I:%M %p")
    '%-m/%-d/%Y %-I:%M %P'
    """
    if format.endswith(_OFFSET):
        offsets = texts.drop_nulls().str.extract(r"(\s?[+-]\d\d:?\d\d)$").unique().to_list()
        format += offsets[0] if len(offsets) == 1 and offsets[0] else ""
    bare = re.sub("%([dm])", r"%-\1", format)
    forms = [re.sub("%([HI])", r"%-\1", form) if hour else form for form in (format, bare) for hour in (False, True)]
    forms += [form.replace("%p", "%P") for form in forms if "%p" in form]
    forms += [form.replace("%S%.f", "%S") for form in forms if "%.f" in form]
    return next((form for form in forms if date_text(times, form).equals(texts)), format)


def time_texts(stamps: pl.Series, form: str | None = None) -> NDArray[Any]:
    """Return times in the form of their file; else as usual: without the zeros of microseconds that nobody wrote.

    Examples
    --------
    >>> from datetime import datetime
    >>> time_texts(pl.Series([datetime(2024, 1, 31, 12)])).tolist()
    ['2024-01-31 12:00:00']
    """
    if form is not None:
        return date_text(stamps, form).to_numpy()
    texts = as_text(stamps)
    bare = texts.str.replace(r"\.0+($|[^0-9])", "$1") if isinstance(stamps.dtype, pl.Datetime) else texts
    return (texts if bare.str.contains(".", literal=True).any() else bare).to_numpy()


def interval_of(stamps: pl.Series, interval: float) -> tuple[float, str]:
    """Return an interval in units that the times are stored in as seconds, of numbers as it is, and in words.

    Examples
    --------
    >>> from datetime import datetime
    >>> interval_of(pl.Series([datetime(2024, 1, 31, 12)]), 3.6e9), interval_of(pl.Series([1, 2]), 0.5)
    ((3600.0, '1:00:00'), (0.5, '0.5'))
    """
    if not stamps.dtype.is_temporal():
        return interval, f"{interval:g}"
    seconds = interval / units_of(stamps)
    return seconds, str(timedelta(seconds=seconds))


def units_of(stamps: pl.Series) -> float:
    """Return how many of the units that times are stored in make a second; 1 for numbers.

    Examples
    --------
    >>> units_of(pl.Series([1.5]))
    1.0
    """
    kind = stamps.dtype
    if kind == pl.Date or not kind.is_temporal():
        return 1 / 86_400 if kind == pl.Date else 1.0
    return {"ms": 1e3, "us": 1e6}.get(getattr(kind, "time_unit", "ns") or "us", 1e9)
