"""Files that are written whole or not at all."""

import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from narrows.errors import InputError

__all__ = ["ENCODED", "content", "remove", "reserve", "sweep", "whole", "write_array", "write_text"]

ENCODED = "encoded-rows"  # in the folder of a run: rows that training reads from disk
_PARTIAL_NAME = re.compile(r"\..+\.[0-9a-f]{8}\.partial(\.[^.]+)?")  # what `whole` calls a file until it is whole
_REFUSED_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.EISDIR}


@contextlib.contextmanager
def whole(path: "str | Path") -> Iterator[Path]:
    """Give a temporary path beside ``path`` to write to, and put it in place only when all went well.

    Raises ``InputError`` where the folder cannot be written to, or the disk is full.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with whole(folder / "a.txt") as temporary:
    ...     _ = temporary.write_text("all of it")
    >>> [file.name for file in folder.iterdir()]
    ['a.txt']
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}.partial{path.suffix}"
        temporary.touch(exist_ok=False)
    except OSError as error:
        accepted = "a folder you may write to"
        raise InputError(f"{path.parent} cannot be written to ({error.strerror})", accepted) from error
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in _REFUSED_ERRNOS:
            raise InputError(
                f"{path} could not be written ({error.strerror})", "a disk with room, and the right to write"
            ) from error
        raise


def content(path: "str | Path", most: int) -> bytes:
    """Return what stands in an ordinary file of at most ``most`` bytes; FileNotFoundError where there is none.

    Raises ``InputError`` for a pipe, a device, a folder, a larger file and one that may not be read, before anything is
    read.
    """
    path = Path(path)
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            raise InputError(f"{path} is no ordinary file", "a file")
        if state.st_size > most:
            raise InputError(f"{path} has {state.st_size} bytes", f"at most {most} bytes")
        with path.open("rb") as file:
            return file.read(most)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})", "a file that you may read") from None


def write_array(values: Any, path: Path) -> Path:
    """Write one ``.npy`` file, whole or not at all.

    Examples
    --------
    >>> import numpy as np
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     float(np.load(write_array([1.0, 2.5], Path(folder, "a.npy"))).sum())
    3.5
    """
    import numpy as np

    with whole(path) as draft, draft.open("wb") as file:
        stream: Any = SimpleNamespace(write=file.write)  # numpy writes past a real file, and hides that a disk is full
        np.save(stream, np.asarray(values), allow_pickle=False)
    return path


def write_text(path: "str | Path", text: str) -> None:
    """Write a text file whole or not at all."""
    with whole(path) as temporary:
        temporary.write_text(
            text, encoding="utf-8", errors="backslashreplace"
        )  # a name may hold bytes that are no text


def reserve(path: Path, size: int) -> None:
    """Make room on the disk for a file that is written through memory: a full disk would end the process then."""
    with path.open("r+b") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)


def sweep(folder: Path) -> None:
    """Remove what writers that were killed left of their files in a folder; only who may write there alone calls it.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in (".a.csv.0123abcd.partial.csv", ".mine.csv", "a.csv"):
    ...     (folder / name).touch()
    >>> sweep(folder)
    >>> sorted(file.name for file in folder.iterdir())
    ['.mine.csv', 'a.csv']
    """
    for path in folder.iterdir() if folder.is_dir() else ():
        if _PARTIAL_NAME.fullmatch(path.name):
            remove(path)


def remove(path: Path) -> None:
    """Remove a file or a folder, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
