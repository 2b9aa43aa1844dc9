"""Columns at apply: given the type they had at fit, or refused by name, row and value."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import polars.selectors as cs

from narrows.data.tables.categorical import CategoryColumn, ConstantColumn
from narrows.data.tables.column import Column
from narrows.data.tables.formatting import as_text
from narrows.data.tables.infer import as_type
from narrows.errors import InputError

__all__ = ["conform", "require_finite"]


def conform(series: pl.Series, column: Column, decimal_comma: bool = False) -> pl.Series:
    """Give a series the type family of a fitted column; a cell that does not fit raises InputError.

    Examples
    --------
    >>> from narrows.data.tables.columns import NumberColumn
    >>> column = NumberColumn.fit(pl.Series("a", [1.0, 2.0]))
    >>> conform(pl.Series("a", ["3", "4"]), column).to_list()
    [3.0, 4.0]
    >>> conform(pl.Series("a", ["3", "four"]), column)
    Traceback (most recent call last):
    narrows.errors.InputError: column 'a', row 1 holds 'four' (1 such in all). Accepted: a number, as at fit. ...
    """
    dtype, fit_dtype = series.dtype, column.type
    if fit_dtype == pl.Null or dtype == pl.Null:
        return series
    if isinstance(column, CategoryColumn) or fit_dtype == pl.String:
        return _text(series)
    if isinstance(column, ConstantColumn):
        return _loosely(series, fit_dtype, decimal_comma)
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return as_type(series.cast(pl.String), fit_dtype, getattr(column, "format", None), decimal_comma)
    if fit_dtype == pl.Boolean and dtype != pl.Boolean:
        return _boolean(series)
    if fit_dtype.is_temporal():
        return _temporal(series, fit_dtype)
    if dtype.is_temporal() or not (dtype.is_numeric() or dtype == pl.Boolean):
        raise _wrong(series, "a number, as at fit")
    return series


def require_finite(frame: pl.DataFrame) -> None:
    """Refuse infinite values, naming the first column and row that hold one.

    Examples
    --------
    >>> require_finite(pl.DataFrame({"a": [1.0, float("inf")]}))
    Traceback (most recent call last):
    narrows.errors.InputError: column 'a' holds infinite values (1 in all), the first in row 1. Accepted: ...
    """
    floats = frame.select(cs.float())
    if not floats.width or not any(floats.select(pl.all().is_infinite().any()).row(0)):
        return
    for series in floats:
        if (infinite := series.is_infinite().fill_null(False)).any():
            raise InputError(
                f"column {series.name!r} holds infinite values ({infinite.sum()} in all), "
                f"the first in row {int(infinite.arg_true()[0])}",
                "finite numbers, or empty cells",
                "empty the cells, or replace them by a number",
            )


def _wrong(series: pl.Series, accepted: str, row: int | None = None) -> InputError:
    index = int(series.is_not_null().arg_true()[0]) if row is None else row
    came = f"column {series.name!r}, row {index} holds {series[index]!r}, of type {series.dtype}"
    return InputError(came, accepted, "convert the column")


def _text(series: pl.Series) -> pl.Series:
    if series.dtype.is_nested() or series.dtype in (pl.Object, pl.Binary):
        raise _wrong(series, "text, as at fit")
    return series.cast(pl.String)


def _boolean(series: pl.Series) -> pl.Series:
    if not series.dtype.is_numeric():
        raise _wrong(series, "true or false, as at fit")
    wrong_rows = (~series.is_in([0, 1])).fill_null(False).arg_true()
    if len(wrong_rows):
        raise _wrong(series, "true or false, as at fit", int(wrong_rows[0]))
    return series.cast(pl.Boolean)


def _temporal(series: pl.Series, dtype: pl.DataType) -> pl.Series:
    date_types = (pl.Date, pl.Datetime)
    alike = series.dtype.base_type() == dtype.base_type() or (series.dtype in date_types and dtype in date_types)
    if not alike:
        raise _wrong(series, f"{dtype}, as at fit")
    return series.cast(dtype)


def _loosely(series: pl.Series, dtype: pl.DataType, decimal_comma: bool) -> pl.Series:
    """Give a series the type of a constant where that works; of cells that it does not suit, none is refused.

    Text of which some cells are of the type stays text, those cells written as the type is.
    """
    date_types = (pl.Date, pl.Datetime)
    if series.dtype in date_types and dtype in date_types:
        return series.cast(dtype)
    if series.dtype not in (pl.String, pl.Categorical, pl.Enum):
        return series
    text = series.cast(pl.String)
    try:
        return as_type(text, dtype, None, decimal_comma)
    except InputError:
        return text.replace(dict(_readable(text, dtype, decimal_comma)))


def _readable(text: pl.Series, dtype: pl.DataType, decimal_comma: bool) -> Iterator[tuple[str, str | None]]:
    """Yield the different cells that can be read as a type, and how that type is written."""
    for cell in text.drop_nulls().unique().to_list():
        try:
            yield cell, as_text(as_type(pl.Series([cell]), dtype, None, decimal_comma).cast(dtype))[0]
        except InputError:
            continue
