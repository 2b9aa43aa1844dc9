"""Dates and times as texts, in the form that they came in."""

from typing import Any

import polars as pl
from numpy.typing import NDArray

from .cells import as_text

__all__ = ["date_text", "time_texts"]


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
