"""The marks in the numbers of a text table: which one stands before decimals, which one between thousands."""

from __future__ import annotations

import polars as pl

from narrows.notes import Note

__all__ = ["plain_marks"]

_DECIMAL = r"^[+-]?(?:\d*|\d{1,3}(?:OTHER\d{3})+)MARK\d+(?:[eE][+-]?\d+)?$"
_GROUPS = r"^[+-]?[1-9]\d{0,2}(?:MARK\d{3})+$"
_NUMBER = r"^[+-]?(?:[1-9]\d{0,2}(?:OTHER\d{3})+|\d+)(?:MARK\d+)?$"
_SAMPLE = 1000  # cells of a column that are looked at first
_OTHER_MARK = {",": ".", ".": ","}


def plain_marks(
    frame: pl.DataFrame, separator: str, fitted: bool | None = None
) -> tuple[pl.DataFrame, bool | None, list[Note]]:
    """Return cells without marks between thousands, whether a comma stands before decimals, and notes.

    One cell that can only be a decimal number tells the mark of the whole file: 1,5 or 1.234,50 is none with a mark
    between thousands. Without such a cell it is that of the fit (``fitted``), or else a comma where semicolons part the
    cells; None where no number has a mark. In a file with numbers of both kinds every column is read by itself, and
    those that could be read either way are named.

    Examples
    --------
    >>> frame = pl.DataFrame({"sold": ["999", "1.234"], "share": ["1,5", "2,5"]})
    >>> plain_marks(frame, ";")[0]["sold"].to_list()
    ['999', '1234']
    """
    commas, dots = (_holding(frame, mark) for mark in ",.")
    comma, dot = any(_decimal(column, ",") for column in commas), any(_decimal(column, ".") for column in dots)
    if comma and dot:
        return frame, separator == ";", [note for column in frame if (note := _in_doubt(column))]
    if comma and separator == ",":  # pairs such as "1,5" are text in a file whose commas part the cells
        return frame, None, []
    if not commas and not dots:
        return frame, None, []
    usual = separator == ";" and bool(commas) if fitted is None else fitted and separator != ","
    mark = "," if comma or (usual and not dot) else "."
    frame, notes = _without_thousands(frame, commas if mark == "." else dots, mark)
    return frame, mark == ",", notes


def _without_thousands(frame: pl.DataFrame, columns: list[pl.Series], mark: str) -> tuple[pl.DataFrame, list[Note]]:
    """Take the other mark out of the columns that are numbers with it between thousands, and say so."""
    other, notes = _OTHER_MARK[mark], []
    for column in columns:
        known = column.drop_nulls().str.strip_chars()
        known = known.filter(known != "")
        if known.str.contains(_filled(_NUMBER, mark)).all() and (marked := known.filter(_has(known, other))).len():
            frame = frame.with_columns(column.str.replace_all(other, "", literal=True))
            number = marked[0].replace(other, "")
            text = f"{column.name!r}: {marked[0]!r} is read as {number}, and so on in {len(marked)} rows"
            notes.append(Note(text, where=column.name))
    return frame, notes


def _holding(frame: pl.DataFrame, mark: str) -> list[pl.Series]:
    """Return the columns in which a cell is a number with this mark in it; all of a wide table are looked at at once.

    Examples
    --------
    >>> frame = pl.DataFrame({"a": ["1", "2.5"], "b": ["1.2.3", None], "c": ["1,234.5", ""]})
    >>> [column.name for column in _holding(frame, ".")], [column.name for column in _holding(frame, ",")]
    (['a', 'c'], ['c'])
    """
    if len(frame) > _SAMPLE:  # what the first cells tell need not be looked for in the others
        first = [column.name for column in _holding(frame.head(_SAMPLE), mark)]
        others = [column.name for column in _with_numbers(frame.drop(first), mark)]
        return [column for column in frame if column.name in {*first, *others}]
    return _with_numbers(frame, mark)


def _with_numbers(frame: pl.DataFrame, mark: str) -> list[pl.Series]:
    """Return the columns in which any cell is a number with this mark in it."""
    forms = _filled(_DECIMAL, mark), _filled(_NUMBER, _OTHER_MARK[mark])
    marked = _where(frame, [pl.all().str.contains(mark, literal=True).any()])
    known = [pl.col(name).filter(pl.col(name).str.contains(mark, literal=True)).str.strip_chars() for name in marked]
    numbers = [pl.any_horizontal(cells.str.contains(form).any() for form in forms) for cells in known]
    return [frame[name] for name in _where(frame.select(marked), numbers)]


def _where(frame: pl.DataFrame, truths: list[pl.Expr]) -> list[str]:
    """Return the names of the columns whose truth, one for each, holds."""
    row = frame.select(truths).row(0) if frame.width else ()
    return [name for name, holds in zip(frame.columns, row, strict=True) if holds]


def _has(column: pl.Series, mark: str) -> pl.Series:
    return column.str.contains(mark, literal=True)


def _filled(pattern: str, mark: str) -> str:
    return pattern.replace("MARK", f"[{mark}]").replace("OTHER", f"[{_OTHER_MARK[mark]}]")


def _decimal(column: pl.Series, mark: str) -> bool:
    """Say whether a cell can only be a number with this mark before its decimals."""
    if len(column) > _SAMPLE and _decimal(column.head(_SAMPLE), mark):
        return True
    cells = column.str.strip_chars()
    return bool((cells.str.contains(_filled(_DECIMAL, mark)) & ~cells.str.contains(_filled(_GROUPS, mark))).any())


def _in_doubt(column: pl.Series) -> Note | None:
    """Say that a column whose marks could all stand between thousands is read as decimals."""
    known = column.drop_nulls().str.strip_chars()
    for mark in ",.":
        marked = known.filter(_has(known, mark))
        if marked.len() and marked.str.contains(_filled(_GROUPS, mark)).all():
            decimal, whole = (marked[0].replace(mark, to) for to in (".", ""))
            text = f"{column.name!r}: {marked[0]!r} is read as {decimal}; write {whole} if it is that"
            return Note(text, where=column.name)
    return None
