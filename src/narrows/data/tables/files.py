"""Table files: text and its kin, packed or not, spreadsheets, records, databases, Parquet and Arrow."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import polars as pl
import polars.selectors as cs

from narrows.data.tables.columns import NumberColumn
from narrows.data.tables.csv_text import Hints, TextTable, parsed_text, read_text_table, text_cells
from narrows.data.tables.infer import as_numbers, infer_all
from narrows.data.tables.packed import PACKED, unpacked
from narrows.data.tables.parquet import ARROW, parquet_files, read_arrow, read_parquet
from narrows.data.tables.records import json_lines, json_records, sqlite_table
from narrows.data.tables.schema import TableSchema
from narrows.data.tables.source import TableSource, table_source
from narrows.data.tables.spreadsheets import SPREADSHEETS, sheet_cells
from narrows.data.tables.whole_column import WholeColumn
from narrows.errors import InputError

if TYPE_CHECKING:
    from narrows.data.base import Schema

__all__ = ["TEXT", "Place", "is_table", "table_cells", "table_file", "text_bytes", "text_table"]

TEXT = (".csv", ".tsv", ".tab", ".txt", ".data", ".dat", ".inter")
_RECORDS: dict[str, Callable[[bytes, str], pl.DataFrame]] = {
    ".json": json_records,
    ".jsonl": json_lines,
    ".ndjson": json_lines,
}
_DATABASES = (".db", ".sqlite", ".sqlite3")
_IN_PARTS = (*SPREADSHEETS, *_DATABASES, ".zip")


class Place(NamedTuple):
    """A file, and what is to be read of it: a sheet, a table, a file in an archive."""

    path: Path
    part: str | None = None

    @property
    def name(self) -> str:
        """What the rows are called."""
        return self.path.name if self.part is None else f"{self.path.name}::{self.part}"


def is_table(path: Path) -> bool:
    """Return whether a file, by its ending, or a folder, by what is in it, is read as a table.

    Examples
    --------
    >>> is_table(Path("a.csv.gz")), is_table(Path("a.png"))
    (True, False)
    """
    if path.is_dir():
        return bool(parquet_files(path))
    return path.suffix.lower() in (*TEXT, ".parquet", *ARROW, *_RECORDS, *_IN_PARTS, *PACKED)


def table_file(
    path: Path, part: str | None = None, like: Schema | None = None, encoding: str | None = None
) -> TableSource:
    """Read a table file and find the types of columns of text; with ``like``, they are those of the fit.

    Raises InputError where the file cannot be read, or has no part of that name.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = (file := Path(folder, "a.json")).write_text('[{"x": 1, "day": "2024-01-31"}, {"x": 2, "day": null}]')
    ...     table_file(file).frame.dtypes
    [Int64, Date]
    """
    table = table_cells(path, part, _hints(like, encoding))
    name = Place(path, part).name
    if path.is_dir() or path.suffix.lower() in (".parquet", *ARROW):
        fitted = like if isinstance(like, TableSchema) else None
        return table_source(table.frame if fitted is None else fitted.conform(table.frame), name, like=fitted)
    return _typed(table, name, like)


def table_cells(path: Path, part: str | None = None, hints: Hints | None = None) -> TextTable:
    r"""Read a table file as cells: of text where the file holds text, of their types where it holds types.

    A file of an unknown ending is text. Raises InputError as ``table_file`` does.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = (file := Path(folder, "u.ratings")).write_text("user,item\n07,x\n")
    ...     table_cells(file).frame.rows()
    [('07', 'x')]
    """
    place, suffix, hints = Place(path, part), path.suffix.lower(), hints or Hints()
    if part is not None and suffix not in _IN_PARTS:
        raise InputError(
            f"{place.name!r}: {path.name!r} has no parts", f"parts of {', '.join(_IN_PARTS)}", repr(path.name)
        )
    if suffix in ARROW:
        return TextTable(read_arrow(path), None, ())
    if suffix == ".parquet" or path.is_dir():
        return TextTable(read_parquet(path), None, ())
    if suffix in SPREADSHEETS:
        return text_cells(*sheet_cells(place.path, place.part), name=place.name, hints=hints)
    if suffix in _DATABASES:
        return TextTable(sqlite_table(place.path, place.part), None, ())
    if suffix in _RECORDS:
        return TextTable(_RECORDS[suffix](place.path.read_bytes(), place.name), None, ())
    return _unpacked(place, hints) if suffix in PACKED else read_text_table(place.path, hints)


def text_table(path: Path, like: Schema | None = None, known: Collection[str] = ()) -> TableSource:
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
    return _typed(read_text_table(path, _hints(like, None, known)), path.name, like)


def text_bytes(data: bytes, name: str, like: Schema | None = None, encoding: str | None = None) -> TableSource:
    r"""Read the bytes of a text table as ``text_table`` reads a file.

    Examples
    --------
    >>> text_bytes(b"x,y\n1,red\n", "stdin").frame.rows()
    [(1, 'red')]
    """
    return _typed(parsed_text(data, name, _hints(like, encoding)), name, like)


def _hints(like: Schema | None, encoding: str | None, known: Collection[str] = ()) -> Hints:
    if not isinstance(like, TableSchema):
        return Hints(known, encoding=encoding)
    return Hints(known, [column.name for column in like.columns], like.decimal_comma, encoding)


def _unpacked(place: Place, hints: Hints) -> TextTable:
    """Read the table in a packed file."""
    inner, data = unpacked(place.path, place.part)
    ending = Path(inner).suffix.lower()
    if ending in _RECORDS:
        return TextTable(_RECORDS[ending](data, inner), None, ())
    if ending not in TEXT:
        raise InputError(f"{place.name!r} holds {inner!r}", f"packed {', '.join((*TEXT, *_RECORDS))}", "unpack it")
    return parsed_text(data, place.name, hints)


def _typed(table: TextTable, name: str, like: Schema | None) -> TableSource:
    """Give columns of text the types that their cells have, or those of the fit."""
    fitted = {column.name: column for column in like.columns} if isinstance(like, TableSchema) else {}
    comma = table.decimal_comma is True
    parsed = infer_all(table.frame.select(cs.string() - cs.by_name(*fitted, require_all=False)), comma)
    frame = table.frame.with_columns(column.series for column in parsed)
    notes = [*table.notes, *(note for column in parsed for note in column.notes)]
    formats = {column.series.name: column.format for column in parsed if column.format is not None}
    if not isinstance(like, TableSchema):
        return table_source(frame, name, notes=notes, formats=formats, decimal_comma=table.decimal_comma)
    numbers = [
        as_numbers(series, column.format, comma)
        for series in frame.select(cs.string())
        if isinstance(column := fitted.get(series.name), NumberColumn | WholeColumn) and column.type.is_numeric()
    ]
    notes += [note for column in numbers for note in column.notes]
    frame = like.conform(frame.with_columns(column.series for column in numbers), comma)
    return table_source(frame, name, notes=notes, formats=formats, like=like)
