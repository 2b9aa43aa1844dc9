"""Table files: CSV and its kin, and Parquet."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from narrows.data.tables.columns import NumberColumn, WholeColumn
from narrows.data.tables.csv_text import read_text_table
from narrows.data.tables.infer import as_numbers, infer_all
from narrows.data.tables.parquet import read_parquet
from narrows.data.tables.schema import TableSchema
from narrows.data.tables.source import TableSource, table_source

if TYPE_CHECKING:
    from narrows.data.base import Schema

__all__ = ["parquet_table", "text_table"]


def text_table(
    path: Path, like: Schema | None = None, known: Collection[str] = (), encoding: str | None = None
) -> TableSource:
    r"""Read a text table and find the type of every column; with ``like``, the types are those of the fit.

    A first line that holds one of the ``known`` cells is a row.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = (file := Path(folder, "a.csv")).write_text("zip,day,x\n01,2024-01-31,1\n02,2024-02-01,2.5\n")
    ...     text_table(file).frame.dtypes
    [String, Date, Float64]
    """
    fitted = {column.name: column for column in like.columns} if isinstance(like, TableSchema) else {}
    comma = like.decimal_comma if isinstance(like, TableSchema) else None
    table = read_text_table(path, known, fitted, comma, encoding)
    comma = table.decimal_comma is True
    parsed = infer_all(table.frame.drop(fitted, strict=False), comma)
    frame = table.frame.with_columns(column.series for column in parsed)
    notes = [*table.notes, *(note for column in parsed for note in column.notes)]
    formats = {column.series.name: column.format for column in parsed if column.format is not None}
    if isinstance(like, TableSchema):
        numbers = [
            as_numbers(frame[name], column.format, comma)
            for name, column in fitted.items()
            if isinstance(column, NumberColumn | WholeColumn) and column.type.is_numeric() and name in frame.columns
        ]
        notes += [note for column in numbers for note in column.notes]
        frame = like.conform(frame.with_columns(column.series for column in numbers), comma)
        return table_source(frame, path.name, notes=notes, formats=formats, like=like)
    return table_source(frame, path.name, notes=notes, formats=formats, decimal_comma=table.decimal_comma)


def parquet_table(path: Path, like: Schema | None = None) -> TableSource:
    """Read a Parquet file.

    Examples
    --------
    >>> import polars as pl
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     pl.DataFrame({"x": [1.0, 2.0]}).write_parquet(file := Path(folder, "a.parquet"))
    ...     len(parquet_table(file))
    2
    """
    frame = read_parquet(path)
    fitted = like if isinstance(like, TableSchema) else None
    frame = frame if fitted is None else fitted.conform(frame)
    return table_source(frame, path.name, like=fitted)
