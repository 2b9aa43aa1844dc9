"""Text tables: separator, header, encoding and shape found from the file itself."""

from __future__ import annotations

import contextlib
import csv
import io
import re
import shlex
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from narrows.data.disk.memory import require_memory, require_plausible
from narrows.data.tables.csv_header import has_header
from narrows.data.tables.csv_numbers import plain_marks
from narrows.data.tables.encodings import to_utf8
from narrows.data.tables.formatting import unguarded, unguarded_name
from narrows.data.tables.titles import below_titles, title_lines, title_note
from narrows.errors import InputError
from narrows.notes import Note

__all__ = ["Hints", "TextTable", "parsed_text", "read_text_table", "text_cells", "to_parquet"]

SEPARATORS: tuple[str, ...] = (",", ";", "\t", "|")
ACCEPTED = "a text table with a header line and one row per line"
_BYTES_PER_FILE_BYTE, _BYTES_PER_CELL = 2, 25  # of memory, for a text table while it is read, at least
Places = np.ndarray[tuple[int], np.dtype[np.intp]]
_BYTES_PER_COLUMN = 16_000  # bytes of memory that a column takes, however few its cells
_SAMPLE_BYTES = 1 << 18  # bytes that separator and shape are guessed from, or two lines where those are longer


@dataclass(frozen=True)
class TextTable:
    """A table of text cells, whether a comma stands before decimals (None without such marks), and what was found."""

    frame: pl.DataFrame
    decimal_comma: bool | None
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class Hints:
    """What is known of a text table before it is read.

    Parameters
    ----------
    known : collection of str
        Cells of rows: a first line that holds one of them is a row.
    names : collection of str
        The columns of the fit: a first line that holds all of them is the header.
    decimal_comma : bool or None
        The mark before decimals in the file of the fit, for numbers that may have either.
    encoding : str or None
        That of bytes that are not UTF-8; without it the one that they are most likely in.
    """

    known: Collection[str] = ()
    names: Collection[str] = ()
    decimal_comma: bool | None = None
    encoding: str | None = None


_NOTHING = Hints()


def read_text_table(path: Path, hints: Hints = _NOTHING) -> TextTable:
    r"""Read a text table; every cell stays text, empty cells are null.

    Raises InputError where the file cannot be read as a table, or has no rows.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = (file := Path(folder, "a.csv")).write_text("x;y\n1,5;red\n2;blue\n")
    ...     table = read_text_table(file)
    >>> table.frame.columns, table.decimal_comma, table.frame["x"].to_list()
    (['x', 'y'], True, ['1,5', '2'])
    """
    _refuse_large(path)
    return parsed_text(path.read_bytes(), path.name, hints)


def parsed_text(data: bytes, name: str, hints: Hints = _NOTHING) -> TextTable:
    r"""Read the bytes of a text table as ``read_text_table`` does.

    Examples
    --------
    >>> parsed_text(b"x;y\n1,5;red\n", "a.csv").frame.rows()
    [('1,5', 'red')]
    """
    require_memory(_need(data[:_SAMPLE_BYTES], len(data)), f"{name!r} is to be read", "a Parquet file takes less")
    data, notes = to_utf8(data, name, hints.encoding, hints.names)
    data = _one_character(data)
    try:
        with _any_length():
            frame, separator, quote_notes = _rows(data, name)
    except (csv.Error, pl.exceptions.PolarsError) as error:
        raise InputError(f"{name!r} cannot be read ({str(error).splitlines()[0]})", ACCEPTED) from error
    return text_cells(frame, [*notes, *quote_notes], name, hints, separator)


def text_cells(
    frame: pl.DataFrame, notes: list[Note], name: str, hints: Hints = _NOTHING, separator: str = ","
) -> TextTable:
    """Find the header of cells of text, and the marks in their numbers.

    Examples
    --------
    >>> text_cells(pl.DataFrame({"c0": ["size", "1"], "c1": ["kind", "x"]}), [], "a").frame.columns
    ['size', 'kind']
    """
    frame, title_notes = below_titles(unguarded(frame), name, hints.known, hints.names)
    notes = [*notes, *title_notes]
    if has_header(frame, hints.known, hints.names):
        columns = _names([cell or "" for cell in frame.row(0)], name)
        frame = frame[1:].rename(dict(zip(frame.columns, columns, strict=True)))
    else:
        headless = f"{name!r} has no header line: the columns are called c0 to c{frame.width - 1}"
        notes.append(Note(headless))
    if frame.is_empty():
        raise InputError(f"{name!r} has a header and no rows", ACCEPTED, "add rows below the header")
    frame, comma, mark_notes = plain_marks(frame, separator, hints.decimal_comma)
    return TextTable(frame, comma, (*notes, *mark_notes))


def to_parquet(path: Path) -> str:
    r"""Return the command, quoted for a shell, that writes a text table of any size as a Parquet file beside it.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = (file := Path(folder, "$a.csv")).write_text("x;y\n1,5;red\n")
    ...     command = to_parquet(file).replace(folder, ".")
    >>> command.partition("decimal_comma=True, ")[2]
    'infer_schema_length=100_000).sink_parquet(b)" \'./$a.csv\' \'./$a.parquet\''
    """
    sample = _sample(_start(path))
    with _any_length():
        separator = _separator(sample) if sample else ","
    options = "" if separator == "," else f"separator={separator!r}, "
    options += "decimal_comma=True, " if separator == ";" and re.search(r"\d,\d", "".join(sample)) else ""
    call = f"scan_csv(a, glob=False, {options}infer_schema_length=100_000).sink_parquet(b)"
    names = shlex.join([str(path), str(path.with_suffix(".parquet"))])
    return f'python -c "import polars, sys; a, b = sys.argv[1:]; polars.{call}" {names}'


def _refuse_large(path: Path) -> None:
    """Refuse a table that cannot be read in the memory that is free, judged by its size and its first cells."""
    need = _need(_start(path), path.stat().st_size)
    hint = f"a Parquet file, which takes less, and which reduce and denoise read from disk: {to_parquet(path)}"
    require_memory(need, f"{path.name!r} is to be read", hint)


def _need(start: bytes, size: int) -> int:
    marks = start.count(b"\n") + max(start.count(mark.encode()) for mark in SEPARATORS)
    return int(size * (_BYTES_PER_FILE_BYTE + _BYTES_PER_CELL * marks / max(1, len(start))))


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_SAMPLE_BYTES)


@contextlib.contextmanager
def _any_length() -> Iterator[None]:
    """Let the csv module read cells of any length; its own bound, 131 072 characters, is put back."""
    bound = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(bound)


def _rows(data: bytes, name: str) -> tuple[pl.DataFrame, str, list[Note]]:
    """Return every line that is not blank as a row of the columns c0, c1, ..., the separator, and what is odd."""
    text, (data, separator, title_notes) = data, _separated(data, name)
    above = text.count(b"\n", 0, len(text) - len(data))
    sample = _sample(data)
    names = [f"c{i}" for i in range(len(next(csv.reader(sample, delimiter=separator))))]
    require_plausible(name, _BYTES_PER_COLUMN * len(names), len(data), "fewer columns, or an .npy file")
    quotes = _quotes(data)
    blank = _blank(quotes, separator, len(names))
    if blank is None:
        return _rows_one_by_one(data, separator, names, name, above), separator, title_notes
    notes = [*title_notes, *_swallowed(data, quotes, separator, len(names), name, above)]
    frame = pl.read_csv(data, separator=separator, has_header=False, new_columns=names, infer_schema=False)
    if len(blank):
        keep = np.ones(len(frame), bool)
        keep[blank] = False
        frame = frame.filter(pl.Series(keep))
    return frame, separator, notes


def _sample(data: bytes) -> list[str]:
    """Return at most 200 lines from the start, whole ones, and two at least however long they are."""
    first = data.find(b"\n") + 1 or len(data)
    second = data.find(b"\n", first) + 1 or len(data)
    stop = max(second, data.rfind(b"\n", 0, _SAMPLE_BYTES) + 1)
    return data[:stop].decode("utf-8", errors="ignore").splitlines()[:200]


def _separated(data: bytes, name: str) -> tuple[bytes, str, list[Note]]:
    """Return the lines from the header on, their separator, and a note on titles above the header.

    The separator is the one that Excel's first line ``sep=;`` names, which is dropped, or a guess.
    """
    data, separators = data.lstrip(b"\n"), SEPARATORS
    declaration = re.match(rb'"?sep=([,;|\t])"?\n', data, re.IGNORECASE)
    if declaration is not None and len(data) > declaration.end():
        data, separators = data[declaration.end() :].lstrip(b"\n"), (declaration[1].decode(),)
    elif name.lower().endswith((".tsv", ".tab")):
        separators = ("\t", *separators)
    sample, notes = _sample(data), list[Note]()
    if lines := title_lines(sample, separators):
        data, notes = data.split(b"\n", lines)[lines].lstrip(b"\n"), [title_note(name, sample[:lines])]
    return data, separators[0] if declaration is not None else _separator(_sample(data), separators), notes


def _separator(sample: list[str], separators: Sequence[str] = SEPARATORS) -> str:
    """Find the separator that gives the most rows as many fields as the header has, more than one; else the first."""
    best, best_score = separators[0], (0.0, 0)
    for separator in separators:
        counts = Counter(len(row) for row in csv.reader(sample, delimiter=separator) if row)
        header = len(next(csv.reader(sample, delimiter=separator)))
        score = (counts[header] / max(1, counts.total()), header)
        if header > 1 and score > best_score:
            best, best_score = separator, score
    return best


def _one_character(data: bytes) -> bytes:
    """Put tabs for the separator ``::``, where every line of the sample has it as often."""
    counts = {line.count("::") for line in _sample(data) if line}
    return data.replace(b"::", b"\t") if len(counts) == 1 and counts != {0} and b"\t" not in data else data


def _names(cells: list[str], name: str) -> list[str]:
    names = [unguarded_name(cell.strip()) for cell in cells]
    names = [cell or f"unnamed_{i}" for i, cell in enumerate(names)]
    duplicates = [cell for cell, count in Counter(names).items() if count > 1]
    if duplicates:
        came = f"{name!r} has columns of the same name: {', '.join(map(repr, duplicates))}"
        raise InputError(came, "one name per column", "rename the columns in the header")
    return names


class _Quotes(NamedTuple):
    """The bytes of a table, which of them are outside of quotes, and where quotes open and close."""

    chars: np.ndarray[tuple[int], np.dtype[np.uint8]]
    outside: np.ndarray[tuple[int], np.dtype[np.bool_]]
    opening: Places
    closing: Places


def _quotes(data: bytes) -> _Quotes:
    """Find the quotes; one that is doubled, as a mark of the text, closes and opens again."""
    chars = np.frombuffer(data, np.uint8)
    quotes = chars == ord('"')
    outside = np.bitwise_xor.accumulate(quotes) == 0 if quotes.any() else ~quotes
    return _Quotes(chars, outside, np.flatnonzero(quotes & ~outside), np.flatnonzero(quotes & outside))


def _blank(quotes: _Quotes, separator: str, width: int) -> Places | None:
    """Line numbers (from 0) of blank lines to pass over; None where a row has another width, or a quote is a mark."""
    chars, outside, opening, closing = quotes
    edges = [10, ord('"'), ord(separator)]
    before, after = chars[opening[opening > 0] - 1], chars[np.minimum(closing + 1, len(chars) - 1)]
    marks = ~np.isin(before, edges).all() or ~np.isin(after, edges).all()  # as in 5" pipe
    ends = np.flatnonzero((chars == 10) & outside)
    separators = np.flatnonzero((chars == ord(separator)) & outside)
    fields = np.diff(np.searchsorted(separators, ends), prepend=0) + 1
    blank = np.diff(ends, prepend=-1) == 1
    if ((fields != width) & ~blank).any() or not bool(outside[-1]) or marks:
        return None
    return np.flatnonzero(blank) if width > 1 else np.empty(0, np.intp)


def _swallowed(data: bytes, quotes: _Quotes, separator: str, width: int, name: str, above: int) -> list[Note]:
    """Name the first quoted cell whose lines have the form of whole rows: a quote may not have been closed."""
    if width < 2 or not ((quotes.chars == 10) & ~quotes.outside).any():
        return []
    mark = separator.encode()
    for start, stop in zip(quotes.opening.tolist(), quotes.closing.tolist(), strict=True):
        counts = [line.count(mark) for line in data[start:stop].split(b"\n")]
        before = data.count(mark, data.rfind(b"\n", 0, start) + 1, start)  # in the row that the cell begins in
        if len(counts) > 2 and counts == [width - 1 - before, *[width - 1] * (len(counts) - 2), before]:
            number = above + data.count(b"\n", 0, start) + 1
            text = f"{name!r}, line {number}: a quoted cell goes on over {len(counts)} lines that have the form of rows"
            return [Note(f"{text}; if they are rows, a quote was not closed")]
    return []


def _rows_one_by_one(data: bytes, separator: str, names: list[str], name: str, above: int) -> pl.DataFrame:
    """Read rows in which quotes may be marks of inches, below so many lines; a row of another width is refused."""
    lines: list[str] = []  # of the row that is being read

    def noted() -> Iterator[str]:
        for line in io.StringIO(data.decode()):
            lines.append(line)
            yield line

    reader, rows = csv.reader(noted(), delimiter=separator), []
    for row in reader:
        if any("\n" in cell for cell in row):
            _refuse_unclosed(lines, separator, name, above + reader.line_num - len(lines) + 1)
        lines.clear()
        if len(row) not in (0, len(names)):
            raise InputError(
                f"{name!r}, line {above + reader.line_num} has {len(row)} values and the header has {len(names)}",
                "as many values in every line",
                "correct the line, or put quotes around text with separators",
            )
        if row or len(names) == 1:
            rows.append([cell or None for cell in row] or [None])
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


def _refuse_unclosed(lines: list[str], separator: str, name: str, line: int) -> None:
    """Refuse a row over several lines in which a quote is not closed, or closed in the middle of a cell."""
    try:
        list(csv.reader(lines, delimiter=separator, strict=True))
    except csv.Error as error:
        hint = "close the quote, or double the quotes that belong to the text"
        raise InputError(f"{name!r}, line {line}: a quote opens and is not closed", ACCEPTED, hint) from error
