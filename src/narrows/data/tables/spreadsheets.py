"""Sheets of .xlsx and .ods files as cells of text: what a CSV export of them would hold; nothing in them is run."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import polars as pl

from narrows.data.disk.memory import require_room
from narrows.errors import InputError, listed
from narrows.notes import Note

__all__ = ["SPREADSHEETS", "sheet_cells"]

Cell = tuple[int, str]  # its column, and its text
Row = list[Cell]
Element = ElementTree.Element

_ACCEPTED = "a whole .xlsx or .ods file without a password"
_DAMAGED = (
    OSError,
    EOFError,
    zlib.error,
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    LookupError,
    ValueError,
)
_BYTES_PER_CELL = 100
_CHUNK = 1 << 20  # bytes of cells after which it is seen whether there is room
_MAX_COLUMNS = 16_384
_DATES = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}  # built-in formats of dates and times
_TIMES = {*range(18, 23), *range(45, 48)}
_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h|m|s)[^\]]*\]', re.IGNORECASE)  # what is no code in a format
_NOT_A_DATE = ("", "General")


class Sheet(NamedTuple):
    """A sheet: its name, and its rows as they are read."""

    name: str
    rows: Callable[[], Iterator[Row]]


def sheet_cells(path: Path, part: str | None = None) -> tuple[pl.DataFrame, list[Note]]:
    """Return the cells of a sheet as text, columns c0, c1, ..., rows and columns that are empty left out.

    It is the sheet that is called ``part``, or the first one, which a note says. Raises InputError where there is no
    such sheet, where it is empty, or where the file is damaged or unfolds to more than its size accounts for.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            require_room(path.name, sum(info.file_size for info in archive.infolist()), path.stat().st_size)
            sheets = SPREADSHEETS[path.suffix.lower()](archive)
            names = [sheet.name for sheet in sheets]
            if (part is not None and part not in names) or not names:
                came = f"{path.name!r} has no sheet {part!r}" if names else f"{path.name!r} has no sheets"
                raise InputError(came, listed(list(map(repr, names))), f"{path.name}::{names[0]}" if names else "")
            sheet = sheets[0 if part is None else names.index(part)]
            frame = _frame(sheet, path)
    except InputError:
        raise
    except (*_DAMAGED, ElementTree.ParseError) as error:
        reason = str(error) or type(error).__name__
        raise InputError(f"{path.name!r} cannot be read ({reason})", _ACCEPTED, "save it again, or as CSV") from error
    others = [repr(name) for name in names if name != sheet.name]
    if part is not None or not others:
        return frame, []
    text = f"{path.name!r}: the sheet {sheet.name!r} is read; {path.name}::NAME reads {listed(others)}"
    return frame, [Note(text)]


def _frame(sheet: Sheet, path: Path) -> pl.DataFrame:
    rows, size, checked = [], 0, 0
    used: set[int] = set()
    for row in sheet.rows():
        size += sum(_BYTES_PER_CELL + len(text) for _, text in row)
        if size - checked > _CHUNK:
            require_room(path.name, size, path.stat().st_size)
            checked = size
        if row:
            rows.append(dict(row))
            used.update(rows[-1])
    if not rows:
        raise InputError(f"{path.name!r}: the sheet {sheet.name!r} is empty", "a header line and rows")
    require_room(path.name, _BYTES_PER_CELL * len(rows) * len(used), path.stat().st_size)
    columns = [pl.Series(f"c{i}", [row.get(place) for row in rows], pl.String) for i, place in enumerate(sorted(used))]
    return pl.DataFrame(columns)


def _elements(archive: zipfile.ZipFile, name: str, *tags: str) -> Iterator[Element]:
    """Yield the elements of a member that are called so, each emptied behind the reader; definitions are refused."""
    with archive.open(name) as file:
        if b"<!DOCTYPE" in file.read(1024):
            raise ValueError(f"{name} defines entities")
        file.seek(0)
        for _, element in ElementTree.iterparse(file):
            if _tag(element) in tags:
                yield element
                element.clear()


def _tag(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _get(element: Element, name: str) -> str:
    """Return an attribute, whatever its namespace; nothing where there is none."""
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name), "")


def _xlsx(archive: zipfile.ZipFile) -> list[Sheet]:
    targets = {
        _get(item, "Id"): _get(item, "Target")
        for item in _elements(archive, "xl/_rels/workbook.xml.rels", "Relationship")
    }
    members = set(archive.namelist())
    shared = ["".join(_texts(item)) for item in _optional(archive, members, "xl/sharedStrings.xml", "si")]
    formats = _date_formats(archive, members)
    sheets, start = [], datetime(1899, 12, 30)
    for item in _elements(archive, "xl/workbook.xml", "workbookPr", "sheet"):
        if _tag(item) == "workbookPr":
            start = datetime(1904, 1, 1) if _get(item, "date1904") in ("1", "true") else start
        elif _get(item, "state") not in ("hidden", "veryHidden"):
            target = targets[_get(item, "id")]
            member = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
            sheets.append((_get(item, "name"), member))
    return [Sheet(name, _reader(archive, member, shared, formats, start)) for name, member in sheets]


def _optional(archive: zipfile.ZipFile, members: set[str], name: str, *tags: str) -> Iterator[Element]:
    return _elements(archive, name, *tags) if name in members else iter(())


def _texts(item: Element) -> Iterator[str]:
    """Yield the pieces of a text; how it is pronounced, which stands beside it in Japanese, is none."""
    for child in item:
        if _tag(child) == "t":
            yield child.text or ""
        elif _tag(child) == "r":
            yield from _texts(child)


def _date_formats(archive: zipfile.ZipFile, members: set[str]) -> dict[int, str]:
    """Return how the styles of cells that are dates are written, by their number."""
    codes, styles = {}, []
    for item in _optional(archive, members, "xl/styles.xml", "numFmt", "cellXfs"):
        if _tag(item) == "numFmt":
            codes[int(_get(item, "numFmtId"))] = _get(item, "formatCode")
        else:
            styles = [int(_get(child, "numFmtId") or 0) for child in item]
    forms = {}
    for style, number in enumerate(styles):
        code = "" if codes.get(number, "") in _NOT_A_DATE else _LITERAL.sub("", codes[number]).lower()
        if number in _DATES or re.search("[ymdhs]", code):
            timed = number in _TIMES or re.search("[hs]", code)
            forms[style] = "%Y-%m-%d %H:%M:%S" if timed else "%Y-%m-%d"
    return forms


def _reader(
    archive: zipfile.ZipFile, member: str, shared: list[str], formats: Mapping[int, str], start: datetime
) -> Callable[[], Iterator[Row]]:
    def text(cell: Element) -> str:
        kind, value = _get(cell, "t"), next((child.text or "" for child in cell if _tag(child) == "v"), "")
        if kind == "s":
            return shared[int(value)] if value else ""
        if kind == "inlineStr":
            return "".join("".join(_texts(child)) for child in cell if _tag(child) == "is")
        if kind == "b":
            return {"1": "true", "0": "false"}.get(value, "")
        if kind in ("str", "d") or not value:
            return value
        if kind == "e":
            return ""
        form = formats.get(int(_get(cell, "s") or 0))
        return _number(value) if form is None else _moment(start, float(value), form)

    def rows() -> Iterator[Row]:
        for row in _elements(archive, member, "row"):
            cells, place = [], -1
            for cell in row:
                letters = _get(cell, "r").rstrip("0123456789")
                place = _place(letters) if letters else place + 1
                if value := text(cell).strip():
                    cells.append((place, value))
            yield cells

    return rows


def _place(letters: str) -> int:
    """Return the number of a column, from 0.

    Examples
    --------
    >>> _place("A"), _place("AB")
    (0, 27)
    """
    place = 0
    for letter in letters[:4]:
        place = 26 * place + ord(letter) - ord("A") + 1
    if not 1 <= place <= _MAX_COLUMNS:
        raise ValueError(f"a cell is in column {letters[:8]!r}")
    return place - 1


def _number(value: str) -> str:
    """Return a number as Python writes it: whole ones without a point, others with the digits that count."""
    number = float(value)
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)


def _moment(start: datetime, days: float, form: str) -> str:
    try:
        moment = start + timedelta(milliseconds=round(days * 86_400_000))
    except OverflowError:
        return ""
    return (moment.strftime("%H:%M:%S") if 0 <= days < 1 else moment.strftime(form)) if days >= 0 else ""


def _ods(archive: zipfile.ZipFile) -> list[Sheet]:
    if b"manifest:encryption-data" in archive.read("META-INF/manifest.xml"):
        raise ValueError("it has a password")
    names = [_get(table, "name") for table in _elements(archive, "content.xml", "table")]
    return [Sheet(name, _ods_rows(archive, number)) for number, name in enumerate(names)]


def _ods_rows(archive: zipfile.ZipFile, number: int) -> Callable[[], Iterator[Row]]:
    def rows() -> Iterator[Row]:
        before = 0  # sheets that are over
        for element in _elements(archive, "content.xml", "table-row", "table"):
            if _tag(element) == "table":
                before += 1
            elif before == number and (row := _ods_row(element)):
                yield from (row for _ in range(int(_get(element, "number-rows-repeated") or 1)))

    return rows


def _ods_row(element: Element) -> Row:
    cells, place = [], 0
    for cell in element:
        times = int(_get(cell, "number-columns-repeated") or 1)
        if value := _ods_text(cell).strip():
            if place + times > _MAX_COLUMNS:
                raise ValueError(f"a row has more than {_MAX_COLUMNS} columns")
            cells += [(place + i, value) for i in range(times)]
        place += times
    return cells


def _ods_text(cell: Element) -> str:
    kind = _get(cell, "value-type")
    if kind in ("float", "percentage", "currency"):
        return _number(next(value for key, value in cell.attrib.items() if key.endswith("office:1.0}value")))
    if kind in ("date", "boolean"):
        return _get(cell, f"{kind}-value").replace("T", " ")
    return "\n".join("".join(child.itertext()) for child in cell if _tag(child) == "p")


SPREADSHEETS: dict[str, Callable[[zipfile.ZipFile], list[Sheet]]] = {".xlsx": _xlsx, ".xlsm": _xlsx, ".ods": _ods}
"""The endings of spreadsheets, and what finds their sheets."""
