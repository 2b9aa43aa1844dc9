"""Decoded columns in the form of the file that they came from."""

from __future__ import annotations

import math

import polars as pl

from .columns import Column, NumberColumn, WholeColumn
from .times import date_text

__all__ = ["in_file_form"]


def in_file_form(series: pl.Series, column: Column, *, dates: bool = True, digits: bool = True) -> pl.Series:
    """Give a column the form of its file: dates as they were written, numbers without the digits below float32.

    Examples
    --------
    >>> made = pl.Series("x", [0.300000000192, 2.0])
    >>> in_file_form(made, NumberColumn.fit(made)).to_list()
    [0.3, 2.0]
    """
    if dates and isinstance(column, WholeColumn) and column.format is not None and series.dtype.is_temporal():
        return date_text(series, column.format)
    if digits and isinstance(column, NumberColumn) and series.dtype.is_float():
        places = 7 - math.floor(math.log10(column.scale))
        return series.round(places) if 0 <= places <= 15 else series
    return series
