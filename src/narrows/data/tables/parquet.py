"""Parquet files: one file, whatever its name looks like, checked against its size before it is read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import polars.selectors as cs

from narrows.data.disk.memory import require_memory, require_plausible, require_room
from narrows.errors import InputError

_HINT = "give fewer rows, or read it from disk (reduce and denoise: --stream)"
__all__ = ["open_parquet", "read_parquet", "whole_parquet"]

_BYTES_PER_CELL = 16  # bytes of a cell in memory: a number as it came and encoded, or where a text is


def read_parquet(path: Path) -> pl.DataFrame:
    """Read a Parquet file; one that is damaged, or unfolds to more than memory can hold, raises InputError.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     pl.DataFrame({"x": [1.0, 2.0]}).write_parquet(file := Path(folder, "star*.parquet"))
    ...     read_parquet(file).shape
    (2, 1)
    """
    scan, rows = open_parquet(path)
    with whole_parquet(path.name):
        need = _BYTES_PER_CELL * rows * len(scan.collect_schema())
        require_memory(need, f"{path.name!r} is to be read", _HINT)
        frame = scan.collect()
        text = sum(int(series.str.len_bytes().cast(pl.UInt64).sum()) for series in frame.select(cs.string()))
        require_room(path.name, text, path.stat().st_size, _HINT)
    return frame


def open_parquet(path: Path) -> tuple[pl.LazyFrame, int]:
    """Return a Parquet file as a frame that is not read yet, and the rows that it declares."""
    with whole_parquet(path.name):
        scan = pl.scan_parquet(path.absolute(), glob=False, hive_partitioning=False)
        rows = int(scan.select(pl.len()).collect().item())
        require_plausible(path.name, _BYTES_PER_CELL * rows * len(scan.collect_schema()), path.stat().st_size, _HINT)
        return scan, rows


@contextlib.contextmanager
def whole_parquet(name: str) -> Iterator[None]:
    """Turn what goes wrong while a Parquet file is read into InputError."""
    try:
        yield
    except InputError:
        raise
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError, TypeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        came = f"{name!r} is not a readable Parquet file ({reason})"
        raise InputError(came, "a whole .parquet file", "write it again") from error
