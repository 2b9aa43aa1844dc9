"""Records as tables: JSON, JSON lines, and tables of an SQLite database."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl

from narrows.data.disk.memory import require_memory
from narrows.errors import InputError, listed

__all__ = ["json_lines", "json_records", "sqlite_table"]

_ACCEPTED = 'records ([{"a": 1, "b": "x"}, ...]), or columns ({"a": [1, 2], "b": ["x", "y"]})'
_BYTES_PER_FILE_BYTE = 12  # of memory, for objects of Python while records are read
_BYTES_PER_CELL = 80
_MAX_CELL_BYTES = 10_000_000  # of a database: a longer cell is no cell of a table
_MAX_NUMBER = 2**1023  # larger whole numbers are no floats
_INTS = range(-(2**63), 2**63)


def json_records(data: bytes, name: str) -> pl.DataFrame:
    """Read a list of records, or a record of columns; anything else raises InputError.

    Examples
    --------
    >>> json_records(b'[{"a": 1, "b": "x"}, {"a": 2.5}]', "a.json").rows()
    [(1.0, 'x'), (2.5, None)]
    """
    require_memory(_BYTES_PER_FILE_BYTE * len(data), f"{name!r} is to be read", "a Parquet file, which takes less")
    value = _parsed(data, name)
    if isinstance(value, list) and value and all(isinstance(record, dict) for record in value):
        return _of_records(value)
    lists = isinstance(value, dict) and value and all(isinstance(cells, list) for cells in value.values())
    if lists and len({len(cells) for cells in value.values()}) == 1:
        return pl.DataFrame([_column(str(key), cells) for key, cells in value.items()])
    raise InputError(f"{name!r} holds no table", _ACCEPTED, "write it as a list of records")


def json_lines(data: bytes, name: str) -> pl.DataFrame:
    r"""Read one record per line; a line that is none raises InputError with its number.

    Examples
    --------
    >>> json_lines(b'{"a": 1}\n\n{"a": null, "b": [1]}\n', "a.jsonl").rows()
    [(1, None), (None, '[1]')]
    """
    require_memory(_BYTES_PER_FILE_BYTE * len(data), f"{name!r} is to be read", "a Parquet file, which takes less")
    records = []
    for number, line in enumerate(data.splitlines(), 1):
        if line.strip():
            record = _parsed(line, f"{name}, line {number}")
            if not isinstance(record, dict):
                raise InputError(f"{name!r}, line {number} is no record", '{"a": 1, "b": "x"}', "one record per line")
            records.append(record)
    if not records:
        raise InputError(f"{name!r} holds no record", '{"a": 1, "b": "x"}', "one record per line")
    return _of_records(records)


def _parsed(data: bytes, name: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name!r} is no JSON ({error})", _ACCEPTED, "correct it, or export it as CSV") from error


def _of_records(records: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    names = dict.fromkeys(key for record in records for key in record)
    return pl.DataFrame([_column(name, [record.get(name) for record in records]) for name in names])


def _column(name: str, cells: Iterable[Any]) -> pl.Series:
    """Return cells as a column of their type; of several types, or nested ones, as text."""
    plain = [None if isinstance(cell, float) and math.isnan(cell) else cell for cell in cells]
    kinds = {type(cell) for cell in plain} - {type(None)}
    if kinds == {int} and all(cell is None or cell in _INTS for cell in plain):
        return pl.Series(name, plain, pl.Int64)
    if kinds and kinds <= {int, float} and all(cell is None or abs(cell) < _MAX_NUMBER for cell in plain):
        return pl.Series(name, [None if cell is None else float(cell) for cell in plain], pl.Float64)
    for kind, dtype in ((bool, pl.Boolean), (bytes, pl.Binary), (str, pl.String)):
        if kinds == {kind}:
            return pl.Series(name, plain, dtype)
    return pl.Series(name, list(map(_text, plain)), pl.String if kinds else pl.Null)


def _text(cell: Any) -> str | None:
    if cell is None or isinstance(cell, str):
        return cell
    return cell.hex() if isinstance(cell, bytes) else json.dumps(cell, ensure_ascii=False)


def sqlite_table(path: Path, part: str | None = None) -> pl.DataFrame:
    """Read a table of an SQLite database: the one that is called ``part``, or its only one; views are not run.

    Raises InputError where there is no such table, or the file is no database that can be read.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with closing(sqlite3.connect(file := Path(folder, "a.db"))) as database:
    ...         _ = database.executescript("create table t (x, y); insert into t values (1, 'a'), (2, null)")
    ...     sqlite_table(file).rows()
    [(1, 'a'), (2, None)]
    """
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        raise InputError(f"{path.name!r} is being written to", "a closed database", "close the program that writes it")
    address = f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True)) as database:
            database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_CELL_BYTES)
            database.execute("pragma trusted_schema = off")
            return _of_database(database, path, part)
    except (sqlite3.Error, UnicodeError) as error:
        came = f"{path.name!r} cannot be read ({error})"
        raise InputError(came, "a whole SQLite database", "export the table as CSV") from error


def _of_database(database: sqlite3.Connection, path: Path, part: str | None) -> pl.DataFrame:
    tables = "type = 'table' and name not like 'sqlite_%' and sql like 'create table%'"
    names = [name for (name,) in database.execute(f"select name from sqlite_master where {tables} order by rowid")]
    chosen = names if part is None else [name for name in names if name == part]
    if len(chosen) != 1:
        came = f"{path.name!r} holds {len(names)} tables ({listed(names) or 'none'})"
        came += "" if part is None else f", and none called {part!r}"
        raise InputError(came, "the name of one", f"{path.name}::{names[0] if names else 'TABLE'}")
    table = chosen[0].replace('"', '""')
    (rows,) = database.execute(f'select count(*) from "{table}"').fetchone()
    cursor = database.execute(f'select * from "{table}"')
    columns = [column for column, *_ in cursor.description]
    need = _BYTES_PER_CELL * rows * len(columns) + _BYTES_PER_FILE_BYTE * path.stat().st_size
    require_memory(need, f"{path.name!r} is to be read", "fewer rows, or a Parquet file")
    cells = list(zip(*cursor, strict=True)) or [()] * len(columns)
    return pl.DataFrame([_column(name, values) for name, values in zip(columns, cells, strict=True)])
