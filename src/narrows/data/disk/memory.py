"""How much memory is left to this process, and what may be taken of it."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from narrows.errors import InputError

try:
    import resource
except ImportError:  # Windows: no process has a limit of its own there
    resource = None  # type: ignore[assignment]

__all__ = ["free_memory", "require_memory", "require_plausible", "require_room", "size_words"]

_MAX_BYTES = 500_000_000  # bytes that a file may unfold to, however small it is
_MAX_RATIO = 200  # ... and how many times its own size beyond that; data that tell something stay below


def free_memory() -> int:
    """Return the bytes of memory that this process may still take, or 8 GB where the machine does not say.

    That is what is free on the machine, and no more than a container or batch system (control groups) or ``ulimit -v``
    leaves.

    Examples
    --------
    >>> free_memory() > 1_000_000
    True
    """
    return max(0, min(_machine_free(), *group_free(), *_process_free()))


def _machine_free() -> int:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return 8 << 30


def group_free(groups: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> Iterator[int]:
    """Yield the bytes that every control group of this process leaves, of either version; those without a limit none.

    Pages of files that the group holds count as free: the kernel gives them up first.
    """
    with contextlib.suppress(OSError, ValueError):
        lines = [line.split(":", 2) for line in groups.read_text(encoding="utf-8").splitlines()]
        paths = {kinds: PurePosixPath(path.lstrip("/")) for _, kinds, path in lines}
        versions = (
            ("", root, "memory.max", "memory.current", "inactive_file"),
            ("memory", root / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        )
        for kinds, place, limit_name, usage_name, pages in versions:
            for group in (paths[kinds], *paths[kinds].parents) if kinds in paths else ():
                with contextlib.suppress(OSError, ValueError):
                    limit, taken = (
                        int((place / group / name).read_text(encoding="ascii")) for name in (limit_name, usage_name)
                    )
                    stat = (place / group / "memory.stat").read_text(encoding="ascii").split()
                    yield limit - taken + int(dict(zip(stat[::2], stat[1::2], strict=True)).get(pages, 0))


def _process_free() -> Iterator[int]:
    """Yield the bytes of addresses that ``ulimit -v`` leaves this process, where there is such a limit."""
    with contextlib.suppress(OSError, ValueError):
        limit = resource.getrlimit(resource.RLIMIT_AS)[0] if resource else -1
        if limit >= 0:
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
            yield limit - pages * os.sysconf("SC_PAGE_SIZE")


def require_memory(needed: int, came: str, hint: str) -> None:
    """Refuse what needs more bytes of memory than are free, before any of them is asked for.

    Raises InputError where more is needed than is free.

    Examples
    --------
    >>> require_memory(10**18, "'a.npy' is to be read", "give fewer rows")
    Traceback (most recent call last):
    narrows.errors.InputError: 'a.npy' is to be read: that takes 1000000000.0 GB of memory. Accepted: at most ...
    """
    free = free_memory()
    if needed > free:
        raise InputError(f"{came}: that takes {size_words(needed)} of memory", f"at most {size_words(free)}", hint)


def size_words(size: int) -> str:
    """Return a number of bytes in words.

    Examples
    --------
    >>> size_words(2_500), size_words(2_500_000), size_words(3_000_000_000)
    ('2,500 bytes', '2.5 MB', '3.0 GB')
    """
    if size < 1_000_000:
        return f"{size:,} bytes"
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def require_room(name: str, need: int, stored: int, hint: str = "give fewer rows") -> None:
    """Refuse, before it is read, a file whose content its size cannot account for, or takes more memory than is free.

    Examples
    --------
    >>> require_room("a.npz", 1000, 500)
    """
    require_plausible(name, need, stored, hint)
    require_memory(need, f"{name!r} is to be read", hint)


def require_plausible(name: str, need: int, stored: int, hint: str = "give fewer rows") -> None:
    """Refuse a file that unfolds to more than its size can account for.

    A file that is packed tells how large its content is, and may lie, or hold nothing but one value: content of more
    than 500 MB may be at most 200 times as large as the file. Raises InputError where it is larger.

    Parameters
    ----------
    name : str
        The file.
    need, stored : int
        Bytes that its content takes in memory while it is read, and bytes of the file.
    hint : str
        What to do about it.

    Examples
    --------
    >>> require_plausible("a.npz", 5_700_000_000, 2_000_000)
    Traceback (most recent call last):
    narrows.errors.InputError: 'a.npz' holds 2.0 MB that unfold to 5.7 GB in memory. Accepted: content of at most ...
    """
    if need > _MAX_BYTES and need > _MAX_RATIO * stored:
        came = f"{name!r} holds {size_words(stored)} that unfold to {size_words(need)} in memory"
        accepted = f"content of at most {size_words(max(_MAX_BYTES, _MAX_RATIO * stored))} for a file of this size"
        raise InputError(came, accepted, hint)
