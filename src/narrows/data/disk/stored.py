"""Rows that stay on disk: a memory-mapped array, read batch by batch, shuffled in blocks, with bounded memory."""

from __future__ import annotations

import math
import mmap
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from narrows.data.arrays import require_dense
from narrows.data.base import channels_last, digest
from narrows.data.npy import DAMAGED, damaged, map_npy, require_uncut
from narrows.data.paths import data_path
from narrows.errors import InputError

__all__ = ["LARGEST", "DiskArray", "block_order", "stored"]

WINDOW = 128 << 20  # bytes that are shuffled among each other; the system may keep twice as much in memory
BLOCK = 1 << 20  # bytes that are read in one go
_MAPPED_BYTES = 1 << 17  # bytes that the system maps around a row that is read by itself
_ROWS_AT_ONCE = 1024  # rows that are read before the pages are counted
LARGEST = float(np.finfo(np.float32).max)  # what is beyond is infinite to a model
_FINGERPRINT_ROWS = 4096  # rows that a fingerprint reads


class DiskArray:
    """Rows of a memory-mapped array, or some of them; indexing reads them into memory.

    A column of ``Pairs`` may be one, and what ``fit`` takes as X. The array may be whatever has the shape, the type and
    the indexing of one. ``index`` are the rows of the array that count, in ascending order for speed; ``shape`` may
    reshape a row. Integers other than uint8 and uint16 are read as float64.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "rows.npy"
    >>> np.save(path, np.arange(12.0).reshape(6, 2))
    >>> rows = stored(path)
    >>> rows.shape, rows.take([4, 1])[np.array([0])].tolist()
    ((6, 2), [[8.0, 9.0]])
    """

    def __init__(
        self,
        array: Any,
        index: NDArray[np.int64] | None = None,
        shape: tuple[int, ...] | None = None,
        *,
        channels_last: bool = False,
    ):
        row = array.shape[1:] if shape is None else shape
        row = (row[-1], *row[:-1]) if channels_last and shape is None else row
        self.array, self.index, self.channels_last = array, index, channels_last
        self.shape: tuple[int, ...] = (len(array) if index is None else len(index), *row)
        plain = array.dtype.kind == "f" or array.dtype in (np.uint8, np.uint16)
        self.dtype = array.dtype.newbyteorder("=") if plain else np.dtype(np.float64)
        self._read = 0
        self._limits: tuple[float, float] | None = None

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def row_bytes(self) -> int:
        """The bytes of one row on disk."""
        size: int = self.array.dtype.itemsize * math.prod(self.array.shape[1:])
        return max(1, size)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        """Read rows: a slice or an array of positions; pages that were read are given back after a while."""
        at = rows if self.index is None else self.index[rows]
        if isinstance(at, slice):
            require_uncut(self.array)
            values = np.array(self.array[at], self.dtype)
            self._count(len(values) * self.row_bytes)
        else:
            values = np.empty((len(at), *self.array.shape[1:]), self.dtype)
            for start in range(0, len(at), _ROWS_AT_ONCE):
                positions = at[start : start + _ROWS_AT_ONCE]
                require_uncut(self.array)
                values[start : start + len(positions)] = self.array[positions]
                self._count(len(positions) * max(self.row_bytes, _MAPPED_BYTES))
        values = np.ascontiguousarray(np.moveaxis(values, -1, 1)) if self.channels_last else values
        return values.reshape(len(values), *self.shape[1:])

    def __array__(self, *_: Any, **__: Any) -> NDArray[Any]:
        came = f"Rows on disk, {self.shape}, came where all rows are needed at once"
        raise InputError(came, "an array; Reducer, Denoiser, CodeClassifier and families read from disk", "X[:]")

    def _count(self, touched: int) -> None:
        self._read += touched
        if self._read > WINDOW:
            self.release()

    def release(self) -> None:
        """Give the pages of the file that were read back to the system; it may keep them for others."""
        mapped = getattr(self.array, "_mmap", None)
        if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
            mapped.madvise(mmap.MADV_DONTNEED)
        self._read = 0

    def take(self, index: Any) -> DiskArray:
        """Return some of the rows; nothing is read."""
        chosen = np.asarray(index, np.int64)
        return self._of(chosen if self.index is None else self.index[chosen], self.shape[1:])

    def reshape(self, n: int, *shape: int) -> DiskArray:
        """Return the same rows, each in another shape."""
        return self._of(self.index, shape)

    def _of(self, index: NDArray[np.int64] | None, shape: tuple[int, ...]) -> DiskArray:
        return DiskArray(self.array, index, tuple(shape), channels_last=self.channels_last)

    def blocks(self) -> list[slice]:
        """Return slices that go through all rows, each of about a megabyte or one row."""
        step = max(1, BLOCK // self.row_bytes)
        return [slice(start, min(start + step, len(self))) for start in range(0, len(self), step)]

    def limits(self) -> tuple[float, float]:
        """Return the smallest and the largest value, once read; missing, infinite and huge ones raise InputError."""
        if self._limits is not None:
            return self._limits
        low, high = math.inf, -math.inf
        for part in self.blocks():
            values = self[part]
            ends = float(values.min()), float(values.max())  # both are NaN where one value is
            low, high = min(low, ends[0]), max(high, ends[1])
            if not all(abs(end) <= LARGEST for end in ends):
                rows = f"rows {part.start} to {part.stop - 1}"
                came = f"Missing (NaN), infinite or huge values among {rows}"
                raise InputError(came, f"finite numbers below {LARGEST:.2g}", "fill the gaps, or rescale the values")
        self._limits = low, high
        return self._limits

    def fingerprint(self) -> bytes:
        """Return a hash of shape, type, the chosen rows, and the values of at most 4096 of them, evenly spaced."""
        sample = np.unique(np.linspace(0, len(self) - 1, min(len(self), _FINGERPRINT_ROWS)).astype(np.int64))
        chosen = np.zeros(0, np.int64) if self.index is None else self.index
        return digest(str(self.shape), str(self.array.dtype), chosen, self[sample]).encode()

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to another process as the name of the file."""
        array = self.array
        if not isinstance(array, np.memmap) or not array.flags.c_contiguous:
            array = np.asarray(array) if isinstance(array, np.ndarray) else array
            return _rebuilt, (array, self.index, self.shape[1:], self.channels_last)
        place = (str(array.filename), array.dtype.str, array.shape, array.offset)
        return _rebuilt, (place, self.index, self.shape[1:], self.channels_last)


def _rebuilt(place: Any, index: Any, shape: tuple[int, ...], channels_last: bool) -> DiskArray:
    if isinstance(place, tuple):
        name, dtype, array_shape, offset = place
        place = np.memmap(name, dtype=dtype, mode="r", offset=offset, shape=array_shape)
    return DiskArray(place, index, shape, channels_last=channels_last)


def stored(path: Path | str | NDArray[Any]) -> DiskArray:
    """Open an ``.npy`` file, or a memory-mapped array, as rows that stay on disk: (n, d), (n, H, W) or (n, C, H, W).

    An array with channels last, (n, H, W, 1 or 3 or 4), is read with them first. Raises InputError where
    the file is damaged or holds no such array.
    """
    try:
        array = map_npy(data_path(path)) if isinstance(path, (str, Path)) else path
    except DAMAGED as error:
        raise damaged(str(path), error, "an .npy file with an array of numbers") from None
    require_dense(array, Path(path).name if isinstance(path, (str, Path)) else "the array")
    shape = (1, *array.shape[1:]) if array.ndim == 3 else None
    return DiskArray(array, shape=shape, channels_last=channels_last(array.shape[1:]))


def block_order(n: int, block: int, window: int, generator: torch.Generator) -> Tensor:
    """Return a shuffled order of ``n`` rows that reads ``block`` neighbours at a time: blocks first, then rows.

    Rows are shuffled among the ``window`` rows that follow each other in the order of the blocks, so that a batch holds
    rows from everywhere. Where the window holds all rows the order is ``torch.randperm``.

    Examples
    --------
    >>> order = block_order(1000, 10, 200, torch.Generator().manual_seed(0))
    >>> sorted(order.tolist()) == list(range(1000))
    True
    """
    if n <= window:
        return torch.randperm(n, generator=generator)
    starts = torch.randperm(math.ceil(n / block), generator=generator) * block
    rows = (starts[:, None] + torch.arange(block)).flatten()
    rows = rows[rows < n] if n % block else rows
    for near in torch.split(rows, window):
        near[:] = near[torch.randperm(len(near), generator=generator)]
    return rows
