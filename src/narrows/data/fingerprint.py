"""What is in the files that a user names, in a few characters: to tell whether data are the same again."""

from __future__ import annotations

import hashlib
from glob import glob
from pathlib import Path

from narrows.data.paths import data_part
from narrows.data.stdin import STDIN, piped

__all__ = ["content_digest"]

_MAX_WHOLE_BYTES = 1 << 28  # bytes of a file that are all read; of a larger one ...
_BLOCK_BYTES, _SAMPLED_BLOCKS = 1 << 16, 4096  # ... so many blocks of that size, evenly spaced


def content_digest(data: str) -> str:
    """Return a hash of a file, of the files below a folder and their names, or of those that a pattern matches.

    What is no file, as the name of a dataset, counts as it is written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as name:
    ...     one, two = Path(name, "one.csv"), Path(name, "two.csv")
    ...     _ = one.write_text("a,b"), two.write_text("a,b")
    ...     same = content_digest(str(one)) == content_digest(str(two))
    ...     _ = two.write_text("a;b")
    ...     same, content_digest(str(one)) == content_digest(str(two))
    (True, False)
    """
    if data == STDIN:
        return hashlib.sha256(piped()).hexdigest()
    path, part = data_part(data)
    if path.is_file():
        return _file(path) if part is None else f"{_file(path)} {part}"
    files = path.rglob("*") if path.is_dir() else map(Path, glob(data))
    paths = sorted(file for file in files if file.is_file() and not file.name.startswith("."))
    names = [file.relative_to(path).as_posix() if path.is_dir() else file.name for file in paths]
    parts = [f"{name} {_file(file)}" for name, file in zip(names, paths, strict=True)]
    parts += [] if part is None else [part]
    return hashlib.sha256("\n".join(parts or [data]).encode("utf-8", "surrogateescape")).hexdigest()


def _file(path: Path) -> str:
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= _MAX_WHOLE_BYTES:
            return hashlib.file_digest(file, "sha256").hexdigest()
        total = hashlib.sha256(str(size).encode())
        for block in range(_SAMPLED_BLOCKS):
            file.seek(block * (size - _BLOCK_BYTES) // (_SAMPLED_BLOCKS - 1))
            total.update(file.read(_BLOCK_BYTES))
    return total.hexdigest()
