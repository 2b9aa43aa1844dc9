"""Activations that stay in their files: read a few rows at a time, shuffled well."""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from narrows.data.disk.stored import BLOCK, LARGEST, WINDOW, block_order
from narrows.data.npy import require_uncut
from narrows.data.pairs import Batch, Pairs
from narrows.data.scale import Scale
from narrows.errors import InputError

__all__ = ["Activations", "Shard"]

_ROWS_AT_ONCE = 1024  # rows that are looked at together


@dataclass(frozen=True, eq=False)
class Shard:
    """Rows of one file, (n, d); ``half`` says that the numbers are bfloat16, which numpy knows as uint16."""

    name: str
    values: np.ndarray
    half: bool = False

    def rows(self, index: Any) -> np.ndarray:
        """Return the rows at ``index`` as floats, float64 where they are, read from the file now.

        Missing and infinite values, and those that are infinite in float32, raise ``InputError``.
        """
        require_uncut(self.values)
        rows = np.asarray(self.values[index])
        if self.half:
            rows = torch.from_numpy(rows).view(torch.bfloat16).float().numpy()
        rows = rows if rows.dtype == np.float64 else rows.astype(np.float32, copy=False)
        if not (rows.min(initial=0.0) >= -LARGEST and rows.max(initial=0.0) <= LARGEST):  # nor is NaN
            wrong = ~(np.abs(rows) <= LARGEST)
            at, column = divmod(int(wrong.argmax()), wrong.shape[1])
            row = np.arange(len(self.values))[index][at]
            came = f"{self.name} holds missing or infinite values in row {row}, column {column} ({rows[at, column]:g})"
            raise InputError(came, f"finite numbers below {LARGEST:.2g}")
        return rows


class Activations(Pairs):
    """Rows of shards, which stay in their files: every batch reads its own.

    Rows are shuffled in two steps: blocks of a megabyte over the whole data, and single rows over windows of 256
    megabytes of such blocks, so that what is read lies together. ``take`` gives a view.

    Examples
    --------
    >>> rows = Activations.of_array(np.arange(6.0).reshape(3, 2))
    >>> rows.take(np.array([2, 0])).batch(slice(0, 2)).x.tolist()
    [[4.0, 5.0], [0.0, 1.0]]
    """

    def __init__(self, shards: Sequence[Shard], *, dtype: torch.dtype = torch.float32):
        widths = {shard.name: shard.values.shape[1] for shard in shards}
        if len(set(widths.values())) != 1:
            listed = ", ".join(f"{name} ({width})" for name, width in list(widths.items())[:4])
            raise InputError(f"Shards of different widths came: {listed}", "rows of one width")
        self.shards = tuple(shards)
        self.starts = np.cumsum([0, *(len(shard.values) for shard in shards)])
        self.width = next(iter(widths.values()))
        self.index: np.ndarray | None = None  # rows of a view
        self.shift, self.scale = np.zeros(self.width), 1.0
        self.columns = [self.shards, None, None, None]
        self.dtype, self.transform, self.augment, self.labels = dtype, None, None, False

    @classmethod
    def of_array(cls, rows: np.ndarray) -> Self:
        """Return rows that are in memory, or mapped into it; float64 ones stay so."""
        return cls([Shard("rows", rows)], dtype=torch.float64 if rows.dtype == np.float64 else torch.float32)

    def __len__(self) -> int:
        return int(self.starts[-1]) if self.index is None else len(self.index)

    @property
    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...], int]:
        """The shape of a row, twice; no condition."""
        return (self.width,), (self.width,), 0

    @property
    def input_scale(self) -> Scale:
        """The scale of the first rows, as there may be more than a machine reads twice."""
        return Scale.of(self.batch(slice(0, _ROWS_AT_ONCE)).x)

    def of(self, columns: Any) -> Activations:
        """Return the same rows."""
        return copy.copy(self)

    def as_scored(self) -> Activations:
        """Return the same rows."""
        return self

    def to(self, device: torch.device) -> Activations:
        """Return the same rows: batches move, one by one."""
        return self

    def take(self, index: np.ndarray) -> Activations:
        """Return a view of the rows at ``index``."""
        view = copy.copy(self)
        index = np.asarray(index)
        view.index = index if self.index is None else self.index[index]
        return view

    def scaled(self, shift: np.ndarray, scale: float) -> Activations:
        """Return the same rows as (row - shift) / scale."""
        view = copy.copy(self)
        view.shift, view.scale = np.asarray(shift, np.float64), float(scale)
        return view

    def order(self, generator: torch.Generator | None) -> Tensor:
        """Return the rows in order, or shuffled when a generator is given."""
        if generator is None:
            return super().order(None)
        row = self.width * self.shards[0].values.itemsize
        return block_order(len(self), max(1, BLOCK // row), max(1, WINDOW // row), generator)

    def batch(self, rows: Tensor | slice) -> Batch:
        """Return the rows at these positions."""
        places = np.arange(len(self))[rows] if isinstance(rows, slice) else rows.numpy()
        values = self.rows(places)
        values = values - self.shift.astype(values.dtype)
        values /= values.dtype.type(self.scale)
        x = torch.from_numpy(values).to(self.dtype)
        return Batch(x, x)

    def require_finite(self) -> None:
        """Read all rows once; missing and infinite values raise ``InputError``."""
        for start in range(0, len(self), _ROWS_AT_ONCE):
            self.rows(np.arange(start, min(start + _ROWS_AT_ONCE, len(self))))

    def rows(self, places: np.ndarray) -> np.ndarray:
        """Return the rows at these positions as they came, float32 or float64."""
        index = places if self.index is None else self.index[places]
        owner = np.searchsorted(self.starts, index, side="right") - 1
        owners = np.unique(owner)
        if len(owners) == 1:
            return np.asarray(self.shards[owners[0]].rows(index - self.starts[owners[0]]))
        double = any(self.shards[number].values.dtype == np.float64 for number in owners)
        values = np.empty((len(index), self.width), np.float64 if double else np.float32)
        for number in owners:
            values[owner == number] = self.shards[number].rows(index[owner == number] - self.starts[number])
        return values

    def spread(self, most: int, seed: int = 0) -> np.ndarray:
        """Return positions of at most ``most`` rows, in order: runs of 64 from all over the data."""
        if len(self) <= most:
            return np.arange(len(self))
        runs = math.ceil(len(self) / 64)
        chosen = np.sort(np.random.default_rng(seed).permutation(runs)[: max(1, most // 64)])
        places = (chosen[:, None] * 64 + np.arange(64)).ravel()
        return places[places < len(self)]

    def fingerprint(self) -> str:
        """Return a hash of names, shapes and types, of the view, and of rows from all over the data."""
        digest = hashlib.sha256()
        for shard in self.shards:
            digest.update(repr((shard.name, shard.values.shape, str(shard.values.dtype))).encode())
        if self.index is not None:
            digest.update(np.ascontiguousarray(self.index).data)
        places = self.spread(4096)
        for start in range(0, len(places), _ROWS_AT_ONCE):
            digest.update(np.ascontiguousarray(self.rows(places[start : start + _ROWS_AT_ONCE])).data)
        return digest.hexdigest()
