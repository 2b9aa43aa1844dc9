"""How much memory this machine has left."""

from pathlib import Path

from narrows.errors import InputError

__all__ = ["free_memory", "require_memory"]


def free_memory() -> int:
    """Return the bytes of memory that are free on this machine, or 8 GB where it does not say.

    Examples
    --------
    >>> free_memory() > 1_000_000
    True
    """
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return 8 << 30


def require_memory(needed: int, came: str, hint: str) -> None:
    """Refuse what needs more bytes of memory than are free, before any of them is asked for.

    Examples
    --------
    >>> require_memory(10**18, "10 rows came", "fewer rows")
    Traceback (most recent call last):
    narrows.errors.InputError: 10 rows came: that takes 1000000000.0 GB of memory. Accepted: at most ...
    """
    free = free_memory()
    if needed > free:
        raise InputError(f"{came}: that takes {needed / 1e9:.1f} GB of memory", f"at most {free / 1e9:.1f} GB", hint)
