"""What is piped to the standard input: read once, however often it is asked for."""

import sys
from functools import cache

from narrows.data.disk.memory import require_memory
from narrows.errors import InputError

__all__ = ["STDIN", "piped"]

STDIN = "-"
"""The name of the standard input, where a file is named."""

_CHUNK = 1 << 24
_BYTES_PER_BYTE = 3  # of memory, while text is put together and read


@cache
def piped() -> bytes:
    """Return all bytes of the standard input; a terminal, or more than memory holds, raises InputError."""
    if sys.stdin is None or sys.stdin.isatty():
        raise InputError(f"{STDIN!r} is the standard input, and nothing is piped to it", "a text table (csv)", "a file")
    chunks: list[bytes] = []
    size = 0
    while chunk := sys.stdin.buffer.read(_CHUNK):
        chunks.append(chunk)
        size += len(chunk)
        require_memory(_BYTES_PER_BYTE * size, "the standard input is to be read", "write it to a Parquet file first")
    return b"".join(chunks)
