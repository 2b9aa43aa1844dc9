"""Rows in memory or on disk, indexed as tensors; nothing is done per sample."""

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from narrows.data.disk.stored import BLOCK, WINDOW, DiskArray, block_order
from narrows.data.masked import unmasked
from narrows.data.scale import Scale, is_levels, top
from narrows.errors import InputError

__all__ = ["Batch", "Batches", "Pairs", "as_column", "at_once", "chosen", "floats", "refuse_levels", "taken"]


def as_column(column: Any) -> Any:
    """Return a tensor or a CSR matrix; numpy rows are shared, not copied, where torch can."""
    if column is None or isinstance(column, (Tensor, DiskArray)):
        return column
    if sp.issparse(column):
        return column.tocsr()
    array = np.asarray(unmasked(column))
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    backwards = any(stride < 0 for stride in array.strides)
    return torch.from_numpy(array.copy() if backwards or not array.flags.writeable else array)


def taken(column: Any, index: np.ndarray, rows: Tensor) -> Any:
    """Return some rows of a column as a column."""
    if isinstance(column, DiskArray):
        return column.take(index)
    return column[index] if sp.issparse(column) else column[rows]


def chosen(column: Any, rows: "Tensor | slice") -> Any:
    """Return some rows of a column in their own type."""
    if isinstance(column, DiskArray):
        return torch.from_numpy(column[rows if isinstance(rows, slice) else rows.cpu().numpy()])
    if sp.issparse(column):
        return column[rows if isinstance(rows, slice) else rows.numpy()]
    if isinstance(rows, slice) or column.dtype == torch.uint16:  # index_select, three times as fast, does not know it
        return column[rows if isinstance(rows, slice) else rows.to(column.device)]
    return column.index_select(0, rows.to(column.device))


def floats(chosen: Any, dtype: torch.dtype, full: bool = True) -> Tensor:
    """Return rows as floats; with ``full``, uint8 and uint16 in [0, 1], unless they are counts in sparse rows."""
    if sp.issparse(chosen):
        return torch.from_numpy(chosen.toarray()).to(dtype)
    peak = top(chosen) if full else 1
    numbers: Tensor = chosen.to(dtype)
    return numbers if peak == 1 else numbers.div_(peak)


def refuse_levels(column: Any) -> None:
    """Refuse dense uint8 and uint16, which ``floats`` makes levels of grey, where counts are wanted.

    Raises InputError where the column is of such a type.
    """
    if is_levels(column):
        kind = str(column.dtype).removeprefix("torch.")
        came = f"Targets of type {kind}, which are levels of grey from 0 to 1, came for a likelihood of counts"
        raise InputError(came, "counts of any other type", "X.astype(float)")


_ROWS, _VALUES = 1024, 1 << 17  # rows, and values of their inputs or targets, that a model is shown at once at most


def at_once(*shapes: tuple[int, ...]) -> int:
    """Return how many rows a model is shown at once where nothing is learnt, so that its maps stay in the cache.

    Examples
    --------
    >>> at_once((784,)), at_once((2,), (3, 128, 128)), at_once((3, 2000, 2000))
    (167, 2, 1)
    """
    return min(_ROWS, max(1, _VALUES // max(1, *map(math.prod, shapes))))


class Batch(NamedTuple):
    """Some rows as tensors, rows first, features on axis 1."""

    x: Tensor
    target: Tensor
    cond: Tensor | None = None
    weight: Tensor | None = None

    @property
    def row_weight(self) -> Tensor | None:
        """How often every row counts, (B,), where rows have a weight."""
        return self.weight if self.weight is not None and self.weight.ndim == 1 else None

    @property
    def values(self) -> Tensor | None:
        """The weight of every value, where values have one; how often a row counts is none."""
        return self.weight if self.weight is not None and self.weight.ndim > 1 else None

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on a device; a target that is the input stays the input."""
        if self.x.device == device:
            return self
        x = self.x.to(device, non_blocking=True)
        target = x if self.target is self.x else self.target.to(device, non_blocking=True)
        others = (None if t is None else t.to(device, non_blocking=True) for t in (self.cond, self.weight))
        return Batch(x, target, *others)


class Batches(Iterator[Batch]):
    """One pass over rows that can be left and taken up again at the same batch.

    Examples
    --------
    >>> pairs = Pairs(np.arange(10.0)[:, None])
    >>> batches = pairs.batches(3, torch.Generator().manual_seed(0))
    >>> _ = next(batches)
    >>> again = Batches.restore(pairs, batches.state())
    >>> [bool((a.x == b.x).all()) for a, b in zip(batches, again, strict=True)]
    [True, True, True]
    """

    def __init__(self, pairs: "Pairs", size: int, generator: torch.Generator | None = None):
        self.pairs, self.size, self.at = pairs, size, 0
        self._drawn = None if generator is None else generator.get_state()
        self._order = pairs.order(generator)

    def __next__(self) -> Batch:
        start = self.at * self.size
        if start >= len(self.pairs):
            raise StopIteration
        self.at += 1
        stop = min(start + self.size, len(self.pairs))
        return self.pairs.batch(slice(start, stop) if self._drawn is None else self._order[start:stop])

    def state(self) -> dict[str, Any]:
        """Return where the pass stands: how many batches are done, and what the order was drawn from."""
        return {"size": self.size, "at": self.at, "generator": self._drawn}

    @classmethod
    def restore(cls, pairs: "Pairs", state: dict[str, Any]) -> "Batches":
        """Return the rest of the pass that ``state`` was taken from, over the same rows."""
        drawn = state["generator"]
        batches = cls(pairs, state["size"], None if drawn is None else torch.Generator().set_state(drawn))
        batches.at = state["at"]
        return batches


class Pairs:
    """Rows of (x, target, cond, weight); ``target=None`` means the input itself.

    Dense rows stay in their own type until the batch: uint8 and uint16 become [0, 1] there, unless they are conditions,
    weights or labels. Sparse rows turn dense there; their numbers are counts or ratings, whatever the type, and stay as
    they are. Rows that are ``DiskArray`` stay on disk until the batch, and are shuffled in blocks.

    Parameters
    ----------
    x, target, cond, weight : array, tensor, sparse matrix or DiskArray
        Rows first, features on axis 1; a ``weight`` in the shape of the target multiplies the nats of every value, one
        number per row, (n,), multiplies the loss of the row.
    dtype : torch.dtype
        The type of the batches.
    transform : callable, optional
        Applied to every batch of targets before corruption, e.g. a fresh binarisation; it must be given a model that
        reconstructs its input, and then x is the transformed target.
    augment : callable, optional
        Applied to every batch of the rows that are learnt from, and to no others: flips, crops, dropped labels.
        Held-out rows get its ``still`` instead, where it has one.
    labels : bool
        The targets are labels, which stay as they are; what fits or scores with a likelihood of labels sets it.

    Raises ``InputError`` for columns of different lengths.

    Examples
    --------
    >>> pairs = Pairs(np.arange(6, dtype=np.uint8).reshape(3, 2) * 51)
    >>> [batch.x.tolist() for batch in pairs.batches(2)][1][0][1]
    1.0
    """

    def __init__(
        self,
        x: Any,
        target: Any = None,
        cond: Any = None,
        weight: Any = None,
        *,
        dtype: torch.dtype = torch.float32,
        transform: Callable[[Tensor], Tensor] | None = None,
        augment: Callable[[Batch], Batch] | None = None,
        labels: bool = False,
    ):
        self.columns = [as_column(column) for column in (x, target, cond, weight)]
        self.dtype, self.transform, self.augment, self.labels = dtype, transform, augment, labels
        lengths = [int(column.shape[0]) for column in self.columns if column is not None]
        if len(set(lengths)) > 1:
            raise InputError(f"Columns of {', '.join(map(str, lengths))} rows", "as many rows of each")

    def __len__(self) -> int:
        return int(self.columns[0].shape[0])

    @property
    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...], int]:
        """The shape of one input, the shape of one target, the columns of the condition."""
        x, target, cond, _ = self.columns
        return (
            tuple(x.shape[1:]),
            tuple((x if target is None else target).shape[1:]),
            0 if cond is None else cond.shape[1],
        )

    @property
    def input_scale(self) -> Scale:
        """The scale of the inputs."""
        return Scale.of(self.columns[0])

    def take(self, index: np.ndarray) -> "Pairs":
        """Return the rows at ``index``."""
        rows = torch.as_tensor(np.asarray(index))
        return self.of([None if c is None else taken(c, index, rows) for c in self.columns])

    def to(self, device: torch.device) -> "Pairs":
        """Return the rows on a device, in their own types; sparse rows stay where they are."""
        return self.of([c.to(device) if isinstance(c, Tensor) else c for c in self.columns])

    def of(self, columns: Iterable[Any]) -> "Pairs":
        """Return other columns, treated as these are."""
        return Pairs(*columns, dtype=self.dtype, transform=self.transform, augment=self.augment, labels=self.labels)

    def as_scored(self) -> "Pairs":
        """Return the rows as they are scored: without augmentation, or with what is ``still`` of it."""
        still = getattr(self.augment, "still", None)
        return Pairs(*self.columns, dtype=self.dtype, transform=self.transform, augment=still, labels=self.labels)

    @property
    def alone(self) -> bool:
        """Whether the inputs are their own targets, without a condition and with at most a weight for every row."""
        return self.columns[1] is None and self.columns[2] is None and self.columns[3] is self.row_weight

    @property
    def row_weight(self) -> Tensor | None:
        """The weight of every row, (n,), where there is one."""
        weight = self.columns[3]
        return weight if weight is not None and weight.ndim == 1 else None

    def weighted(self, weight: Any) -> "Pairs":
        """Return the rows whose ``weight`` (n,) is above zero, each with its weight."""
        weights = np.asarray(weight)
        rows = np.flatnonzero(weights)
        pairs = self if len(rows) == len(self) else self.take(rows)
        return pairs.of([*pairs.columns[:3], torch.as_tensor(weights[rows], dtype=torch.float64)])

    def balanced(self) -> "Pairs":
        """Return the rows with weights of mean 1, in their own type, so that the loss stays in nats per row."""
        weight = self.row_weight
        return self if weight is None else self.of([*self.columns[:3], (weight / weight.mean()).to(self.dtype)])

    def read_by(self, likelihood: Any) -> "Pairs":
        """Return the rows as a likelihood reads their targets: labels as they are, levels, no counts, in [0, 1]."""
        if likelihood.counts:
            refuse_levels(self.columns[0] if self.columns[1] is None else self.columns[1])
        if self.labels == likelihood.labels:
            return self
        pairs = self.of(self.columns)
        pairs.labels = likelihood.labels
        return pairs

    def order(self, generator: torch.Generator | None) -> Tensor:
        """Return the rows in order, or shuffled when a generator is given."""
        if generator is None:
            return torch.arange(len(self))
        width = sum(column.row_bytes for column in self.columns if isinstance(column, DiskArray))
        if not width:
            return torch.randperm(len(self), generator=generator)
        return block_order(len(self), max(1, BLOCK // width), max(1, WINDOW // width), generator)

    def batches(self, size: int, generator: torch.Generator | None = None) -> "Batches":
        """Return batches of ``size`` rows, the last one smaller; shuffled when a generator is given."""
        return Batches(self, size, generator)

    def batch(self, rows: "Tensor | slice") -> Batch:
        """Return the rows at these positions as one batch."""
        x, target, cond, weight = (None if column is None else chosen(column, rows) for column in self.columns)
        if target is None and self.labels:
            target = x
        x = floats(x, self.dtype)
        target = None if target is None else floats(target, self.dtype, full=not self.labels)
        cond, weight = (None if column is None else floats(column, self.dtype, full=False) for column in (cond, weight))
        if self.transform is not None:
            x = self.transform(x) if target is None else x
            target = None if target is None else self.transform(target)
        batch = Batch(x, x if target is None else target, cond, weight)
        return batch if self.augment is None else self.augment(batch)

    def fingerprint(self) -> str:
        """Return a hash of the shapes, types and values."""
        digest = hashlib.sha256()
        for name, column in zip(Batch._fields, self.columns, strict=True):
            if column is None:
                continue
            if isinstance(column, DiskArray):
                digest.update(column.fingerprint())
                continue
            arrays = [column.data, column.indices, column.indptr] if sp.issparse(column) else [column.cpu().numpy()]
            digest.update(repr((name, column.shape, [str(array.dtype) for array in arrays])).encode())
            for array in arrays:
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()
