"""The marks in the numbers of a text table: which one stands before decimals, which one between thousands."""

from __future__ import annotations

import polars as pl

__all__ = ["plain_marks"]

_DECIMAL = r"^[+-]?(?:\d*|\d{1,3}(?:OTHER\d{3})+)MARK\d+(?:[eE][+-]?\d+)?$"
_GROUPS = r"^[+-]?[1-9]\d{0,2}(?:MARK\d{3})+$"
_NUMBER = r"^[+-]?(?:[1-9]\d{0,2}(?:OTHER\d{3})+|\d+)(?:MARK\d+)?$"
_OTHER = {",": ".", ".": ","}


def plain_marks(frame: pl.DataFrame, separator: str) -> tuple[pl.DataFrame, bool, list[str]]:
    """Return cells without marks between thousands, whether a comma stands before decimals, and notes.

    One cell that can only be a decimal number tells the mark of the whole file: 1,5 or 1.234,50 is none with a mark
    between thousands. Without such a cell it is a comma where semicolons part the cells. In a file with numbers of both
    kinds every column is read by itself, and those that could be read either way are named.

    Examples
    --------
    >>> frame = pl.DataFrame({"sold": ["999", "1.234"], "share": ["1,5", "2,5"]})
    >>> plain_marks(frame, ";")[0]["sold"].to_list()
    ['999', '1234']
    """
    commas = [column for column in frame if _holds(column, ",")]
    if not commas:
        return frame, False, []
    dots = [column for column in frame if _holds(column, ".")]
    comma, dot = any(_decimal(each, ",") for each in commas), any(_decimal(each, ".") for each in dots)
    if comma and dot:
        return frame, separator == ";", [note for each in frame if (note := _in_doubt(each))]
    mark = "," if comma or (separator == ";" and not dot) else "."
    if comma and separator == ",":  # pairs such as "1,5" are text in a file whose commas part the cells
        return frame, False, []
    other, notes = _OTHER[mark], []
    for column in commas if mark == "." else dots:
        known = column.drop_nulls().str.strip_chars()
        known = known.filter(known != "")
        if known.str.contains(_filled(_NUMBER, mark)).all() and (marked := known.filter(_has(known, other))).len():
            frame = frame.with_columns(column.str.replace_all(other, "", literal=True))
            read = marked[0].replace(other, "")
            notes.append(f"{column.name!r}: {marked[0]!r} is read as {read}, and so on in {len(marked)} rows")
    return frame, mark == ",", notes


def _holds(column: pl.Series, mark: str) -> bool:
    return bool(_has(column, mark).any())


def _has(column: pl.Series, mark: str) -> pl.Series:
    return column.str.contains(mark, literal=True)


def _filled(pattern: str, mark: str) -> str:
    return pattern.replace("MARK", f"[{mark}]").replace("OTHER", f"[{_OTHER[mark]}]")


def _decimal(column: pl.Series, mark: str) -> bool:
    """Say whether a cell can only be a number with this mark before its decimals."""
    cells = column.str.strip_chars()
    return bool((cells.str.contains(_filled(_DECIMAL, mark)) & ~cells.str.contains(_filled(_GROUPS, mark))).any())


def _in_doubt(column: pl.Series) -> str:
    """Say that a column whose marks could all stand between thousands is read as decimals."""
    known = column.drop_nulls().str.strip_chars()
    for mark in ",.":
        marked = known.filter(_has(known, mark))
        if marked.len() and marked.str.contains(_filled(_GROUPS, mark)).all():
            read, whole = (marked[0].replace(mark, to) for to in (".", ""))
            return f"{column.name!r}: {marked[0]!r} is read as {read}; write {whole} if it is that"
    return ""
