"""Lines above the header of a table: a title, a date, a source."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

import polars as pl

from narrows.data.tables.csv_header import has_header
from narrows.notes import Note

__all__ = ["below_titles", "title_lines", "title_note"]

_MAX_TITLES = 10
_MAX_SHOWN = 40  # characters of a title that a note shows


def below_titles(
    rows: pl.DataFrame, name: str, known: Collection[str] = (), names: Collection[str] = ()
) -> tuple[pl.DataFrame, list[Note]]:
    """Return the rows of a table of text without titles above its header, and a note that says so.

    Titles begin in the first column and fill at most half of them; the header below fills all but one at least.

    Examples
    --------
    >>> rows = pl.DataFrame({"a": ["Sales 2024", "shop", "x", "y"], "b": [None, "sum", "3", "4"]})
    >>> frame, notes = below_titles(rows, "a.xlsx")
    >>> frame.row(0), *notes
    (('shop', 'sum'), "'a.xlsx': a line above the header is passed over ('Sales 2024')")
    """
    top = [[cell or "" for cell in row] for row in rows.head(_MAX_TITLES + 1).rows()]
    n = _titles(top, rows.width)
    if not n or not has_header(rows[n:], known, names):
        return rows, []
    return rows[n:], [title_note(name, [row[0] for row in top[:n]])]


def title_note(name: str, titles: Sequence[str]) -> Note:
    """Say that lines above the header are passed over.

    Examples
    --------
    >>> print(title_note("a.csv", ["Sales 2024", "", "in euros"]))
    'a.csv': 2 lines above the header are passed over ('Sales 2024', ...)
    """
    written = [title.strip() for title in titles if title.strip()]
    count = "a line above the header is" if len(written) == 1 else f"{len(written)} lines above the header are"
    return Note(f"{name!r}: {count} passed over ({written[0][:_MAX_SHOWN]!r}{', ...' * (len(written) > 1)})")


def title_lines(sample: Sequence[str], separators: Collection[str]) -> int:
    """Return how many lines stand above the header of a text table, which has more fields than they have.

    Examples
    --------
    >>> title_lines(["Sales 2024", "shop;sum", "x;3", "y;4"], (",", ";"))
    1
    >>> title_lines(["shop;sum", "x;3", "y;4"], (",", ";"))
    0
    """
    tables = sorted((_fields(sample, separator) for separator in separators), key=lambda table: -table.width)
    if any(table.width > 1 and len(table.rows[0]) == table.width for table in tables):
        return 0
    for rows, ends, width in tables:
        n = _titles(rows[: _MAX_TITLES + 1], width) if width > 1 else 0
        below = [row for row in rows[n:] if len(row) == width]
        if n and len(rows[n]) == width and has_header(_frame(below)):
            return ends[n - 1]
    return 0


class _Fields(NamedTuple):
    """The rows of a sample that are not blank, on which line each ends, and how many fields most of them have."""

    rows: list[list[str]]
    ends: list[int]
    width: int


def _fields(sample: Sequence[str], separator: str) -> _Fields:
    reader = csv.reader(sample, delimiter=separator)
    read = [(row, reader.line_num) for row in reader if row]
    width = Counter(len(row) for row, _ in read).most_common(1)[0][0]
    return _Fields([row for row, _ in read], [end for _, end in read], width)


def _titles(top: Sequence[Sequence[str]], width: int) -> int:
    """Return how many of the first rows are titles above a row that fills the width, or all of it but one cell."""
    filled = [sum(bool(cell.strip()) for cell in row) for row in top]
    titled = [2 * count <= width and bool(row[0].strip()) for row, count in zip(top, filled, strict=True)]
    n = titled.index(False) if False in titled else 0
    return n if n and filled[n] >= max(2, width - 1) else 0


def _frame(rows: Sequence[Sequence[str]]) -> pl.DataFrame:
    names = [f"c{i}" for i in range(len(rows[0]))]
    cells = [[cell or None for cell in row] for row in rows]
    return pl.DataFrame(cells, schema=dict.fromkeys(names, pl.String), orient="row")
