"""The bytes of a text file as UTF-8, whatever encoding they came in."""

from __future__ import annotations

import codecs
import math
import re
import unicodedata
from collections.abc import Collection, Iterator

import numpy as np

from narrows.data.tables.languages import ENCODINGS
from narrows.errors import InputError, Sentence, Setting
from narrows.notes import Note

__all__ = ["to_utf8"]

MAGIC = {
    b"PK\x03\x04": "a zip or Excel file",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an old Excel file",
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "a gzip file",
    b"\x93NUMPY": "an npy file",
    b"%PDF": "a PDF file",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"SQLite format 3\x00": "an SQLite database",
}
_ACCEPTED = "a text table with a header line and one row per line"
_MARKS = {  # the longer ones first: one begins as the other
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_LARGER = {  # what programs call by the name of the smaller set, and write all of
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "cp950",
    "latin-1": "cp1252",
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
}
_NO_LETTERS = ("Cc", "Cn", "Co")  # categories of Unicode: control characters, without a meaning, for private use
_MAX_CELLS, _MAX_CELL_BYTES = 2_000, 200  # different cells, and bytes of each, that tell an encoding
_MIN_LIKELIHOOD = -7.5  # nats per byte below which bytes are no text: letters take 4, signs that nobody writes 12
_MIN_ZEROS = 0.05  # share of zeros in UTF-16: every digit, separator and line end has one
_MAX_SHARED = 0.5  # share of broken sequences up to which bytes are UTF-8 that was damaged, and no other encoding


def to_utf8(
    data: bytes, name: str, encoding: str | None = None, names: Collection[str] = ()
) -> tuple[bytes, list[Note]]:
    r"""Return text as UTF-8 with plain line ends, and a note where it was written in another encoding.

    Text that is UTF-8, or says so by its first bytes, is read as such. Other text is read in ``encoding``; without one,
    in that under which it holds all ``names`` of the fit, and of several in the one under which it is most likely.
    Raises InputError for what is empty, no text, or no text in that encoding.

    Examples
    --------
    >>> text, notes = to_utf8("도시,기온\n서울,12\n부산,14\n".encode("cp949"), "a.csv")
    >>> print(text.decode().split()[0], *notes)
    도시,기온 'a.csv' is not UTF-8: read as cp949, Korean ('도시', '기온', '서울'); --encoding NAME reads it otherwise
    """
    if not data.strip():
        raise InputError(f"{name!r} is empty ({len(data)} bytes)", _ACCEPTED, "check the path")
    for magic, kind in MAGIC.items():
        if data.startswith(magic):
            raise InputError(f"{name!r} is {kind}, not text", _ACCEPTED, "give it its own ending, or export it as CSV")
    wide = next((codec for mark, codec in _MARKS.items() if data.startswith(mark)), None) or _without_mark(data)
    notes = []
    if wide is not None:
        data, note = _wide(data, wide, name)
        notes.append(note)
    data = data.removeprefix(codecs.BOM_UTF8)
    _require_text(data, name)
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        data, note = _other(data, name, encoding, names)
        notes.append(note)
    data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data.rstrip(b"\n") + b"\n", notes


def _require_text(data: bytes, name: str) -> None:
    control = np.isin(np.frombuffer(data[: 1 << 20], np.uint8), [i for i in range(32) if i not in (9, 10, 12, 13, 27)])
    if control.mean() > 0.001 or b"\x00" in data:
        raise InputError(f"{name!r} is binary, not text", _ACCEPTED, "export it as CSV")


def _without_mark(data: bytes) -> str | None:
    """Return in which order of bytes text is UTF-16 that does not say so; None where it is none."""
    sample = data[: 1 << 20]
    if len(data) % 2 or sample.count(0) < _MIN_ZEROS * len(sample):
        return None
    ends = {codec: sample.decode(codec, errors="ignore").count("\n") for codec in ("utf-16-le", "utf-16-be")}
    codec = max(ends, key=lambda codec: ends[codec])
    return codec if ends[codec] else None


def _wide(data: bytes, codec: str, name: str) -> tuple[bytes, Note]:
    try:
        text = data.decode(codec).encode()
    except UnicodeError as error:
        raise InputError(f"{name!r} is binary, not text", _ACCEPTED, "export it as CSV") from error
    return text, Note(f"{name!r} is {codec[:6].upper()}: read as such")


def _other(data: bytes, name: str, encoding: str | None, names: Collection[str]) -> tuple[bytes, Note]:
    """Return text that is not UTF-8 as UTF-8, and in which encoding it was read."""
    if encoding is not None:
        codec = _codec(encoding)
        try:
            return data.decode(codec).encode(), Note(f"{name!r} is not UTF-8: read as {codec}, as you say")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            came = f"{name!r}, line {line} is no text in {codec}: the bytes {data[error.start : error.start + 4]!r}"
            raise InputError(
                came, "a file in the encoding that is named", "name another one, or save as UTF-8"
            ) from error
    _refuse_damaged(data, name)
    for codec, language in _likely(_cells(data), names):
        try:
            text = data.decode(codec)
        except UnicodeDecodeError:
            continue
        words = list(dict.fromkeys(re.findall(r"[^\W\d_]*[^\W\d_\x00-\x7f][^\W\d_]*", text[: 1 << 18])))[:3]
        shown = f" ({', '.join(map(repr, words))})" if words else ""
        note = f"{name!r} is not UTF-8: read as {codec}, {language}{shown}; --encoding NAME reads it otherwise"
        return text.encode(), Note(note)
    came = f"{name!r} is not UTF-8, and no text in another encoding that is known"
    raise InputError(
        came, _ACCEPTED, Sentence("save it as UTF-8, or name what it is in: ", Setting("encoding", "cp949"))
    )


def _refuse_damaged(data: bytes, name: str) -> None:
    """Refuse UTF-8 in which some bytes are not: in any other encoding all the rest would be read wrongly."""
    text = data.decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    whole = len(text) - broken - np.count_nonzero(np.frombuffer(data, np.uint8) < 128)
    if broken <= _MAX_SHARED * whole:
        line = text.count("\n", 0, text.index("\ufffd")) + 1
        came = f"{name!r} is UTF-8 except for {broken} places, the first in line {line}"
        raise InputError(came, "one encoding in all of a file", "write these cells again, and save as UTF-8")


def _codec(encoding: str) -> str:
    """Return the codec of a name; for one that is none of text, raises InputError."""
    try:
        "a".encode(encoding)  # refuses codecs that are none of text
        codec = codecs.lookup(encoding).name
    except (LookupError, ValueError) as error:
        accepted = ", ".join(dict.fromkeys(codec for codec, *_ in ENCODINGS))
        raise InputError(Setting("encoding", encoding), accepted) from error
    return _LARGER.get(codec, codec)


def _cells(data: bytes) -> list[bytes]:
    """Return the first different cells that hold bytes beyond ASCII; no encoding has the separators within a letter."""
    cells: dict[bytes, None] = {}
    for match in re.finditer(rb'[^,;\t\r\n"]*[\x80-\xff][^,;\t\r\n"]*', data):
        cells.setdefault(match[0] if len(match[0]) <= _MAX_CELL_BYTES else b"")
        if len(cells) > _MAX_CELLS:
            break
    return [cell for cell in cells if cell]


def _likely(cells: list[bytes], names: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the encodings that cells may be in, with the name of the language, the most likely one first."""
    foreign = {name for name in names if not name.isascii()}
    ranks = []
    for codec, language, share in ENCODINGS:
        try:
            texts = [cell.decode(codec) for cell in cells]
        except UnicodeDecodeError:
            continue
        if any(unicodedata.category(letter) in _NO_LETTERS for text in texts for letter in text):
            continue
        known = bool(foreign) and foreign <= {text.strip() for text in texts}
        likelihood = sum(map(language.log_likelihood, texts))
        if known or likelihood > _MIN_LIKELIHOOD * sum(map(len, cells)):
            ranks.append((known, math.log(share) + likelihood, codec, language.name))
    for *_, codec, name in sorted(ranks, key=lambda rank: rank[:2], reverse=True):
        yield codec, name
