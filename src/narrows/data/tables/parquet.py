"""Parquet and Arrow files, whatever their names look like, checked against their size before they are read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import polars.selectors as cs

from narrows.data.disk.memory import require_memory, require_plausible, require_room
from narrows.errors import InputError

_HINT = "give fewer rows, or read it from disk (reduce and denoise: --stream)"
__all__ = ["ARROW", "open_parquet", "parquet_files", "read_arrow", "read_parquet", "whole_parquet"]

ARROW = (".feather", ".arrow", ".ipc")

_BYTES_PER_CELL = 16  # bytes of a cell in memory: a number as it came and encoded, or where a text is


def read_parquet(path: Path) -> pl.DataFrame:
    """Read a Parquet file, or the files of a folder one after the other.

    Raises InputError where one is damaged, has other columns, or unfolds to more than memory can hold.

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
        _require_texts(frame, path)
    return frame


def read_arrow(path: Path) -> pl.DataFrame:
    """Read an Arrow (Feather) file; one that is damaged, or unfolds to more than it can, raises InputError.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     pl.DataFrame({"x": [1.0, 2.0]}).write_ipc(file := Path(folder, "a.feather"))
    ...     read_arrow(file).shape
    (2, 1)
    """
    with whole_parquet(path.name, "Arrow"):
        scan = pl.scan_ipc(path.absolute(), glob=False, hive_partitioning=False)
        need = _BYTES_PER_CELL * int(scan.select(pl.len()).collect().item()) * len(scan.collect_schema())
        require_room(path.name, need, path.stat().st_size, "give fewer rows")
        frame = pl.read_ipc(path.read_bytes())
        _require_texts(frame, path)
    return frame


def parquet_files(path: Path) -> list[Path]:
    """Return the Parquet files of a folder, and of its folders that are called ``column=value``, in their order."""
    files = [*path.glob("*.parquet"), *path.glob("*=*/**/*.parquet")]
    return sorted(file for file in files if file.is_file() and not file.name.startswith("."))


def _stored(path: Path) -> int:
    return sum(file.stat().st_size for file in parquet_files(path)) if path.is_dir() else path.stat().st_size


def _require_texts(frame: pl.DataFrame, path: Path) -> None:
    text = sum(int(series.str.len_bytes().cast(pl.UInt64).sum()) for series in frame.select(cs.string()))
    require_room(path.name, text, _stored(path), _HINT)


def open_parquet(path: Path) -> tuple[pl.LazyFrame, int]:
    """Return a Parquet file as a frame that is not read yet, and the rows that it declares."""
    with whole_parquet(path.name):
        files = parquet_files(path.absolute()) if path.is_dir() else [path.absolute()]
        scan = pl.scan_parquet(files, glob=False, hive_partitioning=path.is_dir())
        rows = int(scan.select(pl.len()).collect().item())
        require_plausible(path.name, _BYTES_PER_CELL * rows * len(scan.collect_schema()), _stored(path), _HINT)
        return scan, rows


@contextlib.contextmanager
def whole_parquet(name: str, kind: str = "Parquet") -> Iterator[None]:
    """Turn what goes wrong while a Parquet or Arrow file is read into InputError."""
    try:
        yield
    except InputError:
        raise
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError, TypeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        came = f"{name!r} is not a readable {kind} file ({reason})"
        raise InputError(came, f"a whole {kind} file", "write it again") from error
