"""Arrays: images and other rows of numbers as they came, dense or sparse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from narrows.errors import InputError

from .source import Source, channels_last, digest, row_numbers

if TYPE_CHECKING:
    from .array_schema import ArraySchema, SparseSchema

__all__ = [
    "LAYOUTS",
    "ArraySource",
    "SparseSource",
    "array_source",
    "require_dense",
    "require_numbers",
    "sparse_source",
]

ACCEPTED = "numbers of shape (n, d), (n, H, W), (n, C, H, W) or (n, H, W, C)"
LAYOUTS = {"nd": "(n, d)", "nhw": "(n, H, W)", "nchw": "(n, C, H, W)", "nhwc": "(n, H, W, C)"}


@dataclass(frozen=True, eq=False, kw_only=True)
class ArraySource(Source):
    """Rows of numbers in one array.

    Parameters
    ----------
    values : ndarray, shape (n, d) or (n, C, H, W)
        The rows; channels are on axis 1.
    layout : str
        How the axes came: ``nd``, ``nhw``, ``nchw`` or ``nhwc``.
    dtype : str
        The type that came; ``values`` is float64 where that was an integer other than uint8 and uint16.

    Examples
    --------
    >>> source = array_source(np.zeros((2, 5, 6, 3), np.uint8), "a")
    >>> source.values.shape, source.notes
    ((2, 3, 5, 6), ("'a': the last axis (3) is read as channels and moved to axis 1",))
    """

    kind: ClassVar[str] = "array"
    values: NDArray[Any]
    layout: str
    dtype: str

    def take(self, index: NDArray[Any]) -> Self:
        """Keep the rows at ``index``, in that order."""
        rows = np.arange(len(self))[index]
        return replace(self, values=self.values[rows], ids=self.ids[rows], labels=self.label_rows(rows))

    def fingerprint(self) -> str:
        """Hash the values."""
        return digest(self.kind, self.values)

    def fit_schema(self) -> ArraySchema:
        """Remember type and layout; missing or infinite values raise InputError."""
        from .array_schema import ArraySchema

        self.require_rows()
        require_numbers(self.values, self.name)
        return ArraySchema.build(self.values.shape[1:], self.dtype, self.layout)


@dataclass(frozen=True, eq=False, kw_only=True)
class SparseSource(Source):
    """Rows of counts or ratings in one sparse matrix.

    Parameters
    ----------
    values : scipy.sparse.csr_matrix, shape (n, d)
        The rows.

    Examples
    --------
    >>> import scipy.sparse
    >>> source = sparse_source(scipy.sparse.eye(3), "a")
    >>> source.kind, source.take([0, 2]).values.shape
    ('sparse', (2, 3))
    """

    kind: ClassVar[str] = "sparse"
    values: Any

    def take(self, index: NDArray[Any] | Sequence[int]) -> Self:
        """Keep the rows at ``index``, in that order."""
        rows = np.arange(len(self))[index]
        return replace(self, values=self.values[rows], ids=self.ids[rows], labels=self.label_rows(rows))

    def fingerprint(self) -> str:
        """Hash the shape and the stored values."""
        held = self.values
        return digest(
            self.kind, str(held.shape), held.data, held.indices.astype(np.int64), held.indptr.astype(np.int64)
        )

    def fit_schema(self) -> SparseSchema:
        """Remember type and width; missing or infinite values raise InputError."""
        from .array_schema import SparseSchema

        self.require_rows()
        require_numbers(self.values.data, self.name)
        return SparseSchema(shape=self.values.shape[1:], dtype=self.values.dtype.str)


def array_source(values: NDArray[Any], name: str, notes: Sequence[str] = ()) -> ArraySource:
    """Find the layout of an array; anything but numbers on 2 to 4 axes raises InputError.

    Examples
    --------
    >>> array_source(np.zeros((2, 8, 8), np.uint8), "a").values.shape
    (2, 1, 8, 8)
    """
    require_dense(values, name)
    said = list(notes)
    dtype = values.dtype.str
    layout = {2: "nd", 3: "nhw", 4: "nchw"}[values.ndim]
    if layout == "nhw":
        values = values[:, None]
    elif channels_last(values.shape[1:]):
        layout, values = "nhwc", np.moveaxis(values, 3, 1)
        said.append(f"{name!r}: the last axis ({values.shape[1]}) is read as channels and moved to axis 1")
    if values.dtype.kind in "ib" or (values.dtype.kind == "u" and values.dtype.itemsize > 2):
        said.append(f"{name!r} holds {values.dtype}: kept as it is; only uint8 and uint16 become [0, 1]")
        values = values.astype(np.float64)
    values = np.ascontiguousarray(values, values.dtype.newbyteorder("="))
    return ArraySource(
        name=name, ids=row_numbers(len(values)), notes=tuple(said), values=values, layout=layout, dtype=dtype
    )  # fmt: skip


def sparse_source(matrix: Any, name: str) -> SparseSource:
    """Take a SciPy sparse matrix of real numbers; an empty one raises InputError.

    Examples
    --------
    >>> import scipy.sparse
    >>> len(sparse_source(scipy.sparse.eye(3), "a"))
    3
    """
    import scipy.sparse

    if matrix.ndim != 2 or 0 in matrix.shape or matrix.dtype.kind not in "iufb":
        came = f"{name!r} is a sparse matrix of {matrix.dtype} with shape {matrix.shape}"
        raise InputError(came, "real numbers of shape (n, d), n and d at least 1")
    rows = scipy.sparse.csr_matrix(matrix)
    rows.sum_duplicates()
    return SparseSource(name=name, ids=row_numbers(rows.shape[0]), values=rows)


def require_numbers(values: NDArray[Any], name: str) -> None:
    """Refuse missing and infinite values, naming the first place.

    Examples
    --------
    >>> require_numbers(np.array([[1.0, np.nan]]), "a")
    Traceback (most recent call last):
    narrows.errors.InputError: 'a' holds 1 missing or infinite values, the first at [0, 1]. Accepted: finite numbers.
    """
    with np.errstate(all="ignore"):
        if values.dtype.kind != "f" or bool(np.isfinite(values.sum(dtype=np.float64))):
            return
    wrong = ~np.isfinite(values)
    if wrong.any():
        at = [int(i) for i in np.unravel_index(int(wrong.argmax()), values.shape)]
        raise InputError(
            f"{name!r} holds {int(wrong.sum())} missing or infinite values, the first at {at}", "finite numbers"
        )


def require_dense(values: NDArray[Any], name: str) -> None:
    """Refuse an array that is no rows of numbers: (n, d), (n, H, W), (n, C, H, W) or (n, H, W, C)."""
    if values.dtype.kind not in "iufb":
        what = {"O": "Python objects", "c": "complex numbers", "U": "text", "S": "bytes", "M": "dates"}
        came = f"{name!r} is an array of {what.get(values.dtype.kind, str(values.dtype))} ({values.dtype})"
        raise InputError(came, ACCEPTED, "convert it, or give a table with named columns")
    if values.ndim not in (2, 3, 4):
        hint = "x.reshape(-1, 1) for one column" if values.ndim == 1 else "reshape it"
        raise InputError(f"{name!r} is an array of shape {values.shape} with {values.ndim} axes", ACCEPTED, hint)
    if values.size == 0:
        raise InputError(f"{name!r} is empty: shape {values.shape}", ACCEPTED, "give at least one row and one column")
