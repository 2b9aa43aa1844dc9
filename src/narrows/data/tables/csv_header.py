"""Whether the first line of a text table names its columns, or is a row like the others."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import numpy as np
import polars as pl

from narrows.data.tables.dates import DATE_LIKE
from narrows.data.tables.infer import MISSING

__all__ = ["has_header"]

_MAX_SAMPLE_ROWS = 200  # rows that tell what a column holds
_NUMBER = re.compile(r"[<>]?\(?[+-]?[$€£¥₩₹]?\s?[+-]?(\d+([.,]\d+)*[.,]?|[.,]\d+)([eE][+-]?\d+)?\s?[%$€£]?\)?")
_YEARS = range(1800, 2101)


def has_header(rows: pl.DataFrame, known: Collection[str] = (), names: Collection[str] = ()) -> bool:
    """Say whether the first row of a table of text names the columns.

    A word above numbers or dates is a name; a number above numbers, or a word that comes again below it, is a cell.
    Numbers are names all the same where they count from 0, are evenly spaced, or are years above other numbers.

    Parameters
    ----------
    rows : polars.DataFrame
        All lines of the file, cells as text.
    known : collection of str
        Cells of rows: a line that holds one of them is a row.
    names : collection of str
        The columns of the fit: a line that holds all of them is a header; where they are c0, c1, ... there was none.

    Examples
    --------
    >>> has_header(pl.DataFrame({"a": ["size", "1"], "b": ["kind", "x"]}))
    True
    >>> has_header(pl.DataFrame({"a": ["2", "1"], "b": ["y", "x"]}))
    False
    """
    raw = ["" if cell is None else str(cell) for cell in rows.row(0)]
    first = [cell.strip() for cell in raw]
    if names and set(names) <= set(first):
        return True
    if any(cell in known for cell in first) or (names and set(names) <= {f"c{i}" for i in range(len(first))}):
        return False
    filled = [cell for cell in first if cell]
    if filled == [str(i) for i in range(len(filled))] and len(first) > 1:
        return True
    kinds = [_kind(cell) for cell in first]
    if "word" not in kinds and kinds.count("missing") < len(kinds):
        return False
    repeat = pl.all_horizontal(pl.col(name).fill_null("") == cell for name, cell in zip(rows.columns, raw, strict=True))
    body = rows[1:].filter(~repeat)  # without headers of files that were put one after the other
    body = rows[1:] if body.is_empty() else body
    sample = body[:_MAX_SAMPLE_ROWS]
    pairs = zip(kinds, map(_kind_of, sample), strict=True)  # lazily: of a wide table the first column decides
    if any(below not in ("word", "missing") and kind not in (below, "missing") for kind, below in pairs):
        return True
    words = [place for place, kind in enumerate(kinds) if kind == "word"]
    if any((body[:, place] == raw[place]).any() for place in words):
        return False
    values = [place for place, kind in enumerate(kinds) if kind not in ("word", "missing")]
    places = [place for place in values if _kind_of(sample[:, place]) == kinds[place]]
    return not places or _are_names([first[place] for place in places], sample[:, places])


def _kind(cell: str) -> str:
    """Return what a cell is: missing, a date, a number or a word."""
    if cell.lower() in MISSING:
        return "missing"
    if DATE_LIKE.fullmatch(cell):
        return "date"
    return "number" if _NUMBER.fullmatch(cell) else "word"


def _kind_of(column: pl.Series) -> str:
    """Return what all cells of a column are that are not missing; a word where they differ."""
    kinds = {_kind(cell.strip()) for cell in column.drop_nulls().unique()} - {"missing"}
    return "word" if len(kinds) > 1 else kinds.pop() if kinds else "missing"


def _are_names(cells: Sequence[str], below: pl.DataFrame) -> bool:
    """Say whether numbers above numbers are names: evenly spaced, or years above what are no years."""
    try:
        values = np.array([float(cell) for cell in cells])
    except ValueError:
        return False
    steps = np.diff(values)
    even = len(steps) > 0 and steps[0] != 0 and bool(np.allclose(steps, steps[0], rtol=1e-6))
    if even and (len(steps) > 1 or abs(steps[0]) == 1):
        return True
    years = len(set(cells)) == len(cells) and all(value in _YEARS for value in values)
    return years and not all(_all_years(column) for column in below)


def _all_years(column: pl.Series) -> bool:
    numbers = column.str.strip_chars().cast(pl.Float64, strict=False).drop_nulls().to_list()
    return all(number in _YEARS for number in numbers)
