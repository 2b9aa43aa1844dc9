"""One writer in a folder at a time: a lock that ends with its process, however that ends."""

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from narrows.errors import InputError

try:
    import fcntl
except ImportError:  # Windows: nothing is locked there
    fcntl = None  # type: ignore[assignment]

__all__ = ["LOCK", "locked"]

LOCK = ".narrows.lock"  # says who writes; left behind only by a process that was killed

_held: set[tuple[int, Path]] = set()  # process and folder: a process may lock again what it has locked


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from writing into a folder, made if missing; ``InputError`` where another writes into it.

    The kernel ends the lock of a process that is killed. Where a file system has no locks, as some of those over a
    network, nothing is kept out. A folder that was made for it and is empty at the end is removed.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with locked(folder):
    ...     [file.name for file in folder.iterdir()]
    ['.narrows.lock']
    >>> list(folder.iterdir())
    []
    """
    key = os.getpid(), folder.resolve()
    if key in _held:
        yield
        return
    new, path = not folder.exists(), folder / LOCK
    descriptor = _taken(path)
    _held.add(key)
    try:
        yield
    finally:
        _held.discard(key)
        with contextlib.suppress(OSError):
            path.unlink()  # before it is unlocked: who opens it afterwards makes another
            if new:
                folder.rmdir()  # fails where it holds something
        os.close(descriptor)


def _taken(path: Path) -> int:
    """Return the lock file, open and locked, with this process in it."""
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            accepted = "a folder you may write to"
            raise InputError(f"{path.parent} cannot be written to ({error.strerror})", accepted) from error
        if not _lock(descriptor):
            os.close(descriptor)
            came = f"{path.parent} is being written to by {_owner(path)}"
            raise InputError(came, "one process at a time", "wait for it, or another folder")
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                break
        os.close(descriptor)  # its owner removed it between the opening and the locking
    owner = {"process": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
    with contextlib.suppress(OSError):  # on a full disk it is locked without saying by whom
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps(owner).encode())
    return descriptor


def _lock(descriptor: int) -> bool:
    """Lock an open file and return whether no other process had."""
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # this file system has no locks
        pass
    return True


def _owner(path: Path) -> str:
    try:
        owner = json.loads(path.read_text(encoding="utf-8"))
        return f"process {owner['process']} on {owner['host']} since {owner['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
