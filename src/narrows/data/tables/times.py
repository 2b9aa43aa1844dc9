"""Dates and times as texts, in the form that they came in, and what lies between them."""

from datetime import timedelta
from typing import Annotated, Any

import polars as pl
from numpy.typing import NDArray

from narrows.data.tables.formatting import as_text
from narrows.typed_json import Matching

__all__ = ["DateForm", "date_text", "interval_of", "time_texts", "units_of"]

DateForm = Annotated[str, Matching(r"(%(\.f|#z|[YymdjbBaAHIMSpf])|[^%])*", "a form such as %Y-%m-%d %H:%M")]


def date_text(series: pl.Series, format: str) -> pl.Series:
    """Write dates and times in the form they were read with; those with an offset as UTC, which is written Z.

    Examples
    --------
    >>> times = pl.Series(["2024-01-31T12:30:00+02:00"]).str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", time_unit="us")
    >>> date_text(times, "%Y-%m-%dT%H:%M:%S%.f%#z").to_list()
    ['2024-01-31T10:30:00Z']
    """
    if not format.endswith("%#z"):
        return series.dt.to_string(format)
    bare = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return bare.dt.to_string(format.removesuffix("%#z")) + "Z"


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
