"""Rows as they were found: the raw side of the data door."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from narrows.errors import InputError

if TYPE_CHECKING:
    from .schema import Schema

__all__ = ["Source", "as_pictures", "channels_last", "digest", "row_key", "row_numbers"]

_COLOURS = (1, 3, 4)  # channels of grey, colour, colour with alpha


def row_numbers(n: int) -> NDArray[np.str_]:
    """Name ``n`` rows by their numbers, counted from 0.

    Examples
    --------
    >>> row_numbers(3).tolist()
    ['0', '1', '2']
    """
    return np.arange(n).astype(np.str_)


def row_key(row: Any) -> tuple[Any, ...]:
    """Return what equal rows or pictures share: arrays, or rows of a sparse matrix.

    Examples
    --------
    >>> row_key(np.zeros(2)) == row_key(np.zeros(2)), row_key(np.zeros(2)) == row_key(np.zeros((2, 1)))
    (True, False)
    """
    if sp.issparse(row):
        return row.indices.tobytes(), row.data.tobytes()
    return row.shape, hash(row.tobytes())


def digest(*parts: bytes | str | NDArray[Any]) -> str:
    """Hash parts with SHA-256; an array counts with its dtype and shape.

    Examples
    --------
    >>> digest("a", np.zeros(2)) == digest("a", np.zeros(2)), digest(np.zeros(2)) == digest(np.zeros(3))
    (True, False)
    """
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            total.update(f"{part.dtype.str}{part.shape}".encode())
            total.update(np.ascontiguousarray(part).tobytes())
        else:
            data = part.encode() if isinstance(part, str) else part
            total.update(f"{len(data)}:".encode())
            total.update(data)
    return total.hexdigest()


def channels_last(shape: tuple[int, ...]) -> bool:
    """Return whether an array of this shape looks like a picture (H, W, C) and not like (C, H, W).

    Small maps of features, as high as wide, do not.

    Examples
    --------
    >>> channels_last((16, 16, 3)), channels_last((3, 20, 4)), channels_last((8, 4, 4)), channels_last((7,))
    (True, False, False, False)
    """
    return len(shape) == 3 and shape[2] in _COLOURS and shape[0] not in _COLOURS and shape[1] != shape[2]


def as_pictures(values: Any) -> NDArray[np.uint8] | None:
    """Return arrays (n, C, H, W) as grey or coloured pictures of 8 bits, alpha left out; None for other shapes.

    Examples
    --------
    >>> as_pictures(np.full((1, 2, 1, 1), 65535, np.uint16)).tolist()
    [[[[255]]]]
    """
    if values is None or values.ndim != 4 or values.shape[1] > 4:
        return None
    colours: NDArray[Any] = values[:, : 1 if values.shape[1] < 3 else 3]
    if values.dtype.kind == "u":
        return np.asarray(np.right_shift(colours, 8 * (values.dtype.itemsize - 1)), np.uint8)
    low, high = float(colours.min()), float(colours.max())
    shades: NDArray[np.uint8] = np.rint((colours - low) * (255 / ((high - low) or 1.0))).astype(np.uint8)
    return shades


@dataclass(frozen=True, eq=False, kw_only=True)
class Source(ABC):
    """Raw rows with names, not yet encoded.

    Parameters
    ----------
    name : str
        What the rows are called: the file name, or the named dataset.
    ids : ndarray of str, shape (n,)
        One name per row: the identifier column, relative file names, or row numbers from 0.
    id_name : str
        What the identifiers are: ``"customer_id"``, ``"file"``, ``"row"``.
    labels : ndarray of int64, shape (n,), or None
        Class indices, where the data says so; -1 for a row without a label.
    class_names : tuple of str, or None
        The name of each class index.
    test : Source or None
        The official test part.
    notes : tuple of str
        Sentences on what was found, left out or converted.

    Examples
    --------
    >>> from narrows.data import read
    >>> source = read(np.zeros((3, 8, 8), np.uint8))
    >>> source.kind, len(source), source.take(np.array([2])).ids.tolist()
    ('array', 3, ['2'])
    """

    kind: ClassVar[str]
    name: str
    ids: NDArray[np.str_]
    id_name: str = "row"
    labels: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] | None = None
    test: Source | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @abstractmethod
    def take(self, index: NDArray[Any]) -> Self:
        """Keep the rows at ``index`` (row numbers or a boolean mask), in that order."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Hash the content: the same rows give the same 64 characters in every process."""

    @abstractmethod
    def fit_schema(self) -> Schema:
        """Learn from these rows how to encode rows like them; at least 2 rows (InputError)."""

    def cells(self) -> dict[str, list[str]]:
        """Return the columns that a person would look at, as texts; none where rows are not a table."""
        return {}

    def pictures(self) -> NDArray[np.uint8] | None:
        """Return the rows as pictures, shape (n, 1 or 3, H, W); None where they are none."""
        return as_pictures(getattr(self, "values", None))

    def label_rows(self, index: NDArray[Any]) -> NDArray[np.int64] | None:
        """Labels of the rows at ``index``, or None where there are no labels."""
        return None if self.labels is None else self.labels[index]

    def require_rows(self) -> None:
        """Refuse to learn from fewer than 2 rows."""
        if len(self) < 2:
            came = f"{self.name!r} has {len(self)} row{'' if len(self) == 1 else 's'}"
            raise InputError(came, "at least 2 rows to learn from", "give more rows")
