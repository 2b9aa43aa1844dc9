"""Cells as text files hold them: identifiers first, durations as text, lists and structs as JSON, formulas as text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import polars as pl
import polars.selectors as cs
from numpy.typing import NDArray

from narrows.files import whole

__all__ = ["as_text", "cell_text", "save_csv", "unguarded", "unguarded_name", "with_ids", "writable", "write_csv"]

_FORMULA = r"^'*[=+\-@\t\r\n]"  # what a spreadsheet takes for a formula, or such a text with apostrophes before it
_GUARDED = r"^'+[=+\-@\t\r\n]"
_NUMBER = r"^'?[+-]?[$€£¥₩₹]?(\d[\d.,]*|[.,]\d+)([eE][+-]?\d+)?\s*[%$€£]?$"


def write_csv(frame: pl.DataFrame, file: Path | IO[bytes], *, header: bool = True) -> None:
    r"""Write a table as CSV in which no text is a formula to a spreadsheet.

    A text or a column's name that begins with ``=``, ``+``, ``-``, ``@``, a tab or a line end, and is no number, gets
    an apostrophe before it (OWASP, "CSV Injection"); so does one that has apostrophes before such a sign. Narrows takes
    one away again when it reads a text table, so that every text comes back as it was; other programs see the
    apostrophe.

    Examples
    --------
    >>> from io import BytesIO
    >>> write_csv(pl.DataFrame({"id": ["=1+2", "-3.5", "a"], "-x": [-1, 2, 3]}), file := BytesIO())
    >>> file.getvalue().decode().split()
    ["id,'-x", "'=1+2,-1", '-3.5,2', 'a,3']
    """
    safe = frame.with_columns(cs.by_dtype(pl.Categorical, pl.Enum).cast(pl.String))
    cell = cs.string()
    safe = safe.with_columns(
        pl.when(cell.str.contains(_FORMULA) & ~cell.str.contains(_NUMBER)).then("'" + cell).otherwise(cell).name.keep()
    )
    safe.columns = [
        f"'{name}" if re.search(_FORMULA, name) and not re.search(_NUMBER, name) else name for name in safe.columns
    ]
    safe.write_csv(file, include_header=header)


def save_csv(frame: pl.DataFrame, path: Path) -> Path:
    """Write a table as CSV whole or not at all, and return where."""
    with whole(path) as draft:
        write_csv(frame, draft)
    return path


def cell_text(value: object) -> str:
    """Return a cell as it is named in a sentence: a number with six digits.

    Examples
    --------
    >>> cell_text(9.4e14), cell_text(31)
    ('9.4e+14', '31')
    """
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def unguarded(frame: pl.DataFrame) -> pl.DataFrame:
    """Return cells of text as they were before ``write_csv`` put an apostrophe before them.

    Examples
    --------
    >>> unguarded(pl.DataFrame({"id": ["'=1+2", "'-3.5", "'a'"]}))["id"].to_list()
    ['=1+2', "'-3.5", "'a'"]
    """
    guarded = frame.select(cs.string().str.contains(_GUARDED).any())
    names = [name for name, has_guard in zip(guarded.columns, guarded.row(0), strict=True) if has_guard]
    return frame.with_columns(pl.Series(name, list(map(_unguarded, frame[name])), pl.String) for name in names)


def unguarded_name(name: str) -> str:
    """Return one text as ``unguarded`` does."""
    return name[1:] if re.search(_GUARDED, name) and not re.search(_NUMBER, name) else name


def _unguarded(cell: str | None) -> str | None:
    return None if cell is None else unguarded_name(cell)


def as_text(series: pl.Series) -> pl.Series:
    """Return a column as text; durations as 1d 6h 2s.

    Examples
    --------
    >>> from datetime import timedelta
    >>> as_text(pl.Series([timedelta(hours=30, seconds=2)])).to_list()
    ['1d 6h 2s']
    """
    return series.dt.to_string("polars") if isinstance(series.dtype, pl.Duration) else series.cast(pl.String)


def writable(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a table that a text file can hold: lists, structs and objects as JSON, durations as text.

    Examples
    --------
    >>> writable(pl.DataFrame({"tags": [["a", "b"], None], "x": [1, 2]}))["tags"].to_list()
    ['["a", "b"]', None]
    """
    nested = [series for series in frame if series.dtype.is_nested() or series.dtype in (pl.Object, pl.Binary)]
    spans = [as_text(series) for series in frame if isinstance(series.dtype, pl.Duration)]
    return frame.with_columns([*map(_json, nested), *spans])


def with_ids(columns: pl.DataFrame | Mapping[str, Any], ids: NDArray[Any], id_name: str) -> pl.DataFrame:
    """Return columns of results with identifiers before them, whose name gets a ``_`` where a column has it.

    Examples
    --------
    >>> import numpy as np
    >>> with_ids({"score": [0.5]}, np.array(["a"]), "score").to_dict(as_series=False)
    {'score_': ['a'], 'score': [0.5]}
    """
    frame = columns if isinstance(columns, pl.DataFrame) else pl.DataFrame(dict(columns))
    while id_name in frame.columns:
        id_name += "_"
    return frame.insert_column(0, pl.Series(id_name, ids.tolist()))


def _json(series: pl.Series) -> pl.Series:
    cells = series.to_list()
    texts = [None if cell is None else json.dumps(cell, default=_plain, ensure_ascii=False) for cell in cells]
    return pl.Series(series.name, texts, dtype=pl.String)


def _plain(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
