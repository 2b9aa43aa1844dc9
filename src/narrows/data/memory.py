"""How much memory this machine has left."""

from pathlib import Path

__all__ = ["free_memory"]


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
