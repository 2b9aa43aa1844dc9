"""Files that hold one packed table: gzip, bzip2, xz and zip, refused where they unfold to more than they can."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from narrows.data.disk.memory import require_room
from narrows.errors import InputError, listed

__all__ = ["PACKED", "unpacked"]

_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.GzipFile, ".bz2": bz2.BZ2File, ".xz": lzma.LZMAFile}
PACKED = (*_OPENERS, ".zip")
_DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError)
_CHUNK = 1 << 22  # bytes that are unpacked at a time
_ACCEPTED = "a packed table (.csv.gz, .jsonl.gz, .csv.zip, ...)"


def unpacked(path: Path, part: str | None = None) -> tuple[str, bytes]:
    """Return name and bytes of the table in a packed file; of several in a zip the one that is called ``part``.

    Raises InputError where the file is damaged, unfolds to more than its size accounts for, or holds another number of
    tables than one.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with gzip.open(file := Path(folder, "a.csv.gz"), "wb") as packed:
    ...         _ = packed.write(b"x,y")
    ...     unpacked(file)
    ('a.csv', b'x,y')
    """
    try:
        if path.suffix.lower() != ".zip":
            with _OPENERS[path.suffix.lower()](path) as file:
                return path.stem, _read(file, path)
        with zipfile.ZipFile(path) as archive:
            member = _member(archive, path, part)
            require_room(path.name, member.file_size, path.stat().st_size)
            with archive.open(member) as file:
                return Path(member.filename).name, _read(file, path)
    except InputError:
        raise
    except _DAMAGED as error:
        reason = str(error) or type(error).__name__
        raise InputError(f"{path.name!r} cannot be unpacked ({reason})", _ACCEPTED, "pack it again") from error


def _read(file: IO[bytes], path: Path) -> bytes:
    chunks: list[bytes] = []
    while chunk := file.read(_CHUNK):
        chunks.append(chunk)
        require_room(path.name, len(chunks) * _CHUNK, path.stat().st_size)
    return b"".join(chunks)


def _member(archive: zipfile.ZipFile, path: Path, part: str | None) -> Any:
    """Return the only file of an archive, or the one that is named; what systems put beside it does not count."""
    members = {info.filename: info for info in archive.infolist() if not info.is_dir()}
    names = [name for name in members if not name.startswith("__MACOSX/") and not Path(name).name.startswith(".")]
    if part is not None:
        names = [name for name in names if part in (name, Path(name).name)]
    if len(names) != 1:
        came = f"{path.name!r} holds {len(members)} files ({listed(list(members)) or 'none'})"
        came += "" if part is None else f", and {len(names)} called {part!r}"
        raise InputError(came, "one table, or the name of one", f"{path.name}::NAME, or unpack it")
    return members[names[0]]
