"""Text tables: separator, header, encoding and shape found from the file itself."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from narrows.errors import InputError

from .header import has_header
from .marks import plain_marks
from .memory import free_memory

__all__ = ["TextTable", "read_text_table", "to_parquet"]

SEPARATORS = (",", ";", "\t", "|")
ACCEPTED = "a text table with a header line and one row per line"
MAGIC = {
    b"PK\x03\x04": "a zip or Excel file",
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "a gzip file",
    b"\x93NUMPY": "an npy file",
    b"%PDF": "a PDF file",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
}
_BYTE, _CELL = 2, 25  # bytes of memory that a byte and a cell of a text table take while it is read, at least


@dataclass(frozen=True)
class TextTable:
    """A table of text cells, whether a comma stands before decimals (None without such marks), and what was found."""

    frame: pl.DataFrame
    decimal_comma: bool | None
    notes: tuple[str, ...]


def read_text_table(
    path: Path, known: Collection[str] = (), names: Collection[str] = (), decimal_comma: bool | None = None
) -> TextTable:
    r"""Read a text table; every cell stays text, empty cells are null.

    A first line that holds one of the ``known`` cells is a row, one that holds all ``names`` is the header; otherwise
    the cells tell. Numbers that may have either mark before decimals have that of the fit, ``decimal_comma``.

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
    data, notes = _utf8(path.read_bytes(), path.name)
    data = _one_character(data)
    try:
        frame, separator = _rows(data, path)
    except (csv.Error, pl.exceptions.PolarsError) as error:
        raise InputError(f"{path.name!r} cannot be read ({str(error).splitlines()[0]})", ACCEPTED) from error
    if has_header(frame, known, names):
        found = _names([cell or "" for cell in frame.row(0)], path.name)
        frame = frame[1:].rename(dict(zip(frame.columns, found, strict=True)))
    else:
        notes.append(f"{path.name!r} has no header line: the columns are called c0 to c{frame.width - 1}")
    if frame.is_empty():
        raise InputError(f"{path.name!r} has a header and no rows", ACCEPTED, "add rows below the header")
    frame, comma, said = plain_marks(frame, separator, decimal_comma)
    return TextTable(frame, comma, (*notes, *said))


def to_parquet(path: Path) -> str:
    r"""Return the command that writes a text table of any size as a Parquet file beside it.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = (file := Path(folder, "a.csv")).write_text("x;y\n1,5;red\n")
    ...     to_parquet(file).partition("a.csv")[2][:36]
    "', separator=';', decimal_comma=True"
    """
    sample = _sample(_start(path))
    separator = _separator(sample, ",") if sample else ","
    own = "" if separator == "," else f"separator={separator!r}, "
    own += "decimal_comma=True, " if separator == ";" and re.search(r"\d,\d", "".join(sample)) else ""
    read = f"scan_csv({str(path)!r}, {own}infer_schema_length=100_000)"
    return f'python -c "import polars; polars.{read}.sink_parquet({str(path.with_suffix(".parquet"))!r})"'


def _refuse_large(path: Path) -> None:
    """Refuse a table that cannot be read in the memory that is free, judged by its size and its first cells."""
    start, size, free = _start(path), path.stat().st_size, free_memory()
    marks = start.count(b"\n") + max(start.count(mark.encode()) for mark in SEPARATORS)
    need = int(size * (_BYTE + _CELL * marks / max(1, len(start))))
    if need > free:
        came = f"{path.name!r} takes about {need / 1e9:.1f} GB of memory to be read, and {free / 1e9:.1f} GB are free"
        accepted = "a smaller table, or a Parquet file, which takes less, and which reduce and denoise read from disk"
        raise InputError(came, accepted, to_parquet(path))


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(1 << 18)


def _rows(data: bytes, path: Path) -> tuple[pl.DataFrame, str]:
    """Return every line that is not blank as a row of the columns c0, c1, ..., and the separator."""
    text, (data, separator) = data, _separated(data, "\t" if path.suffix.lower() in (".tsv", ".tab") else ",")
    above = text.count(b"\n", 0, len(text) - len(data))
    sample = _sample(data)
    names = [f"c{i}" for i in range(len(next(csv.reader(sample, delimiter=separator))))]
    blank = _blank(data, separator, len(names))
    if blank is None:
        return _rows_one_by_one(data, separator, names, path.name, above), separator
    frame = pl.read_csv(data, separator=separator, has_header=False, new_columns=names, infer_schema=False)
    if len(blank):
        keep = np.ones(len(frame), bool)
        keep[blank] = False
        frame = frame.filter(pl.Series(keep))
    return frame, separator


def _utf8(data: bytes, name: str) -> tuple[bytes, list[str]]:
    """UTF-8 bytes with plain line ends, whatever came; binary content is refused."""
    if not data.strip():
        raise InputError(f"{name!r} is empty ({len(data)} bytes)", ACCEPTED, "check the path")
    for magic, what in MAGIC.items():
        if data.startswith(magic):
            raise InputError(f"{name!r} is {what}, not text", ACCEPTED, "give it its own ending, or export it as CSV")
    notes = []
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            data = data.decode("utf-16").encode()
        except UnicodeDecodeError as error:
            raise InputError(f"{name!r} is binary, not text", ACCEPTED, "export it as CSV") from error
        notes.append(f"{name!r} is UTF-16: read as such")
    data = data.removeprefix(b"\xef\xbb\xbf")
    control = np.isin(np.frombuffer(data[: 1 << 20], np.uint8), [i for i in range(32) if i not in (9, 10, 12, 13, 27)])
    if control.mean() > 0.001 or b"\x00" in data:
        raise InputError(f"{name!r} is binary, not text", ACCEPTED, "export it as CSV")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        text, encoding = _windows(data)
        notes.append(f"{name!r} is not UTF-8 (byte {error.start}): read as {encoding}")
        data = text.encode()
    data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data.rstrip(b"\n") + b"\n", notes


def _windows(data: bytes) -> tuple[str, str]:
    """Return text in the encoding of Windows, or where that has no such letters in latin-1, and which it is."""
    try:
        return data.decode("cp1252"), "cp1252 (Windows)"
    except UnicodeDecodeError:
        return data.decode("latin-1"), "latin-1"


def _sample(data: bytes) -> list[str]:
    return data[: 1 << 18].decode("utf-8", errors="ignore").splitlines()[:200]


def _separated(data: bytes, default: str) -> tuple[bytes, str]:
    """Return the lines and their separator: what Excel's first line ``sep=;`` says, which is dropped, or a guess."""
    data = data.lstrip(b"\n")
    said = re.match(rb'"?sep=([,;|\t])"?\n', data, re.IGNORECASE)
    if said is not None and len(data) > said.end():
        return data[said.end() :].lstrip(b"\n"), said[1].decode()
    return data, _separator(_sample(data), default)


def _separator(sample: list[str], default: str) -> str:
    """Find the separator that gives the most rows as many fields as the header has, more than one."""
    best, best_score = default, (0.0, 0)
    for separator in (default, *(s for s in SEPARATORS if s != default)):
        counts = Counter(len(row) for row in csv.reader(sample, delimiter=separator) if row)
        header = len(next(csv.reader(sample, delimiter=separator)))
        score = (counts[header] / counts.total(), header)
        if header > 1 and score > best_score:
            best, best_score = separator, score
    return best


def _one_character(data: bytes) -> bytes:
    """Put tabs for the separator ``::``, where every line of the sample has it as often."""
    counts = {line.count("::") for line in _sample(data) if line}
    return data.replace(b"::", b"\t") if len(counts) == 1 and counts != {0} and b"\t" not in data else data


def _names(first: list[str], name: str) -> list[str]:
    names = [cell.strip() for cell in first]
    names = [cell or f"unnamed_{i}" for i, cell in enumerate(names)]
    twice = [cell for cell, count in Counter(names).items() if count > 1]
    if twice:
        came = f"{name!r} has columns of the same name: {', '.join(map(repr, twice))}"
        raise InputError(came, "one name per column", "rename the columns in the header")
    return names


def _blank(data: bytes, separator: str, width: int) -> np.ndarray[tuple[int], np.dtype[np.intp]] | None:
    """Line numbers (from 0) of blank lines to pass over; None where a row has another width, or a quote is a mark."""
    chars = np.frombuffer(data, np.uint8)
    quotes = chars == ord('"')
    outside = np.bitwise_xor.accumulate(quotes) == 0
    opening = np.flatnonzero(quotes & ~outside)
    inches = ~np.isin(chars[opening[opening > 0] - 1], [10, ord('"'), ord(separator)])  # as in 5" pipe
    ends = np.flatnonzero((chars == 10) & outside)
    marks = np.flatnonzero((chars == ord(separator)) & outside)
    fields = np.diff(np.searchsorted(marks, ends), prepend=0) + 1
    blank = np.diff(ends, prepend=-1) == 1
    if ((fields != width) & ~blank).any() or not bool(outside[-1]) or inches.any():
        return None
    return np.flatnonzero(blank) if width > 1 else np.empty(0, np.intp)


def _rows_one_by_one(data: bytes, separator: str, names: list[str], name: str, above: int) -> pl.DataFrame:
    """Read rows in which quotes may be marks of inches, below so many lines; a row of another width is refused."""
    reader = csv.reader(io.StringIO(data.decode()), delimiter=separator)
    rows = []
    for row in reader:
        if len(row) not in (0, len(names)):
            raise InputError(
                f"{name!r}, line {above + reader.line_num} has {len(row)} values and the header has {len(names)}",
                "as many values in every line",
                "correct the line, or put quotes around text with separators",
            )
        if row or len(names) == 1:
            rows.append([cell or None for cell in row] or [None])
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
