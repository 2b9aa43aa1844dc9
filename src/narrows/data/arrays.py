"""Arrays: images and other rows of numbers as they came, dense or sparse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, TypedDict, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from narrows.data.base import Schema, Source, channels_last, digest, row_numbers
from narrows.errors import ArtefactError, InputError
from narrows.files import write_array
from narrows.notes import Note
from narrows.typed_json import Matching, Range, typed

if TYPE_CHECKING:
    from narrows.data.base import Source

__all__ = [
    "LAYOUTS",
    "ArraySchema",
    "ArraySource",
    "SparseSchema",
    "SparseSource",
    "array_source",
    "require_dense",
    "require_numbers",
    "sparse_source",
    "to_dtype",
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
        from narrows.data.arrays import ArraySchema

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
        matrix = self.values
        return digest(
            self.kind, str(matrix.shape), matrix.data, matrix.indices.astype(np.int64), matrix.indptr.astype(np.int64)
        )

    def fit_schema(self) -> SparseSchema:
        """Remember type and width; missing or infinite values raise InputError."""
        from narrows.data.arrays import SparseSchema

        self.require_rows()
        require_numbers(self.values.data, self.name)
        return SparseSchema(shape=self.values.shape[1:], dtype=self.values.dtype.str)


def array_source(values: NDArray[Any], name: str, notes: Sequence[Note] = ()) -> ArraySource:
    """Find the layout of an array; anything but numbers on 2 to 4 axes raises InputError.

    Examples
    --------
    >>> array_source(np.zeros((2, 8, 8), np.uint8), "a").values.shape
    (2, 1, 8, 8)
    """
    require_dense(values, name)
    all_notes = list(notes)
    dtype = values.dtype.str
    layout = {2: "nd", 3: "nhw", 4: "nchw"}[values.ndim]
    if layout == "nhw":
        values = values[:, None]
    elif channels_last(values.shape[1:]):
        layout, values = "nhwc", np.moveaxis(values, 3, 1)
        moved = f"{name!r}: the last axis ({values.shape[1]}) is read as channels and moved to axis 1"
        all_notes.append(Note(moved))
    if values.dtype.kind in "ib" or (values.dtype.kind == "u" and values.dtype.itemsize > 2):
        all_notes.append(Note(f"{name!r} holds {values.dtype}: kept as it is; only uint8 and uint16 become [0, 1]"))
        values = values.astype(np.float64)
    values = np.ascontiguousarray(values, values.dtype.newbyteorder("="))
    return ArraySource(
        name=name, ids=row_numbers(len(values)), notes=tuple(all_notes), values=values, layout=layout, dtype=dtype
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

    Raises InputError where there is such a value.

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
    """Refuse an array that is no rows of numbers: (n, d), (n, H, W), (n, C, H, W) or (n, H, W, C).

    Raises InputError for such an array.
    """
    if values.dtype.kind not in "iufb":
        kinds = {"O": "Python objects", "c": "complex numbers", "U": "text", "S": "bytes", "M": "dates"}
        came = f"{name!r} is an array of {kinds.get(values.dtype.kind, str(values.dtype))} ({values.dtype})"
        raise InputError(came, ACCEPTED, "convert it, or give a table with named columns")
    if values.ndim not in (2, 3, 4):
        hint = "x.reshape(-1, 1) for one column" if values.ndim == 1 else "reshape it"
        raise InputError(f"{name!r} is an array of shape {values.shape} with {values.ndim} axes", ACCEPTED, hint)
    if values.size == 0:
        raise InputError(f"{name!r} is empty: shape {values.shape}", ACCEPTED, "give at least one row and one column")


_SCALED_DTYPES = (np.uint8, np.uint16)  # types that become [0, 1]


Length = Annotated[int, Range(1, 2**31)]
NumberType = Annotated[
    str, Matching(r"bool|u?int(8|16|32|64)|float(16|32|64)|[<>|=]?(b1|[iu][1248]|f[248])", "a type of numbers")
]


class SparseCard(TypedDict):
    """A schema of sparse rows as JSON has it."""

    kind: str
    shape: tuple[Length]
    dtype: NumberType


class ArrayCard(TypedDict):
    """A schema of an array as JSON has it."""

    kind: str
    shape: tuple[Length, ...]
    dtype: NumberType
    layout: Literal["nd", "nhw", "nchw", "nhwc"]


def to_dtype(values: ArrayLike, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Give values a type: uint8 and uint16 from [0, 1], rounded and clipped; other integers rounded and clipped.

    Integer values pass as they are.

    Examples
    --------
    >>> to_dtype([0.5, 1.2], np.dtype("uint8")).tolist(), to_dtype([1.6], np.dtype("int64")).tolist()
    ([128, 255], [2])
    """
    array = np.asarray(values)
    if dtype.kind == "f" or array.dtype == dtype:
        return array.astype(dtype, copy=False)
    numbers = np.nan_to_num(array.astype(np.float64))
    if dtype.kind == "b":
        return numbers > 0.5
    limits = np.iinfo(dtype)
    if dtype in _SCALED_DTYPES:
        numbers = numbers * limits.max if array.dtype.kind == "f" else numbers
    high = min(float(limits.max), float(2**62))
    return np.clip(np.rint(numbers), float(limits.min), high).astype(dtype)


@dataclass(frozen=True, eq=False, kw_only=True)
class ArraySchema(Schema):
    """Arrays go in as they are and come back in their type and layout.

    Parameters
    ----------
    dtype : str
        The type that came.
    layout : str
        How the axes came: ``nd``, ``nhw``, ``nchw`` or ``nhwc``.

    Examples
    --------
    >>> from narrows.data import read
    >>> source = read(np.full((2, 4, 4), 51, np.uint8))
    >>> schema = source.fit_schema()
    >>> schema.image_shape, schema.decode(schema.encode(source) / 255).tolist()[0][0]
    ((1, 4, 4), [51, 51, 51, 51])
    """

    kind: ClassVar[str] = "array"
    dtype: str
    layout: str

    @classmethod
    def build(cls, shape: tuple[int, ...], dtype: str, layout: str) -> Self:
        """Put a schema together from the shape of one row, the type and the layout."""
        image = (shape[0], shape[1], shape[2]) if len(shape) == 3 else None
        return cls(shape=tuple(shape), image_shape=image, dtype=dtype, layout=layout)

    def encode(self, source: Source) -> NDArray[Any]:
        """Give the values as they are, shape ``(n, *shape)``; another shape or type raises InputError."""
        self.require_kind(source, "array", "images", "table")
        values = _values(source)
        fitted = np.dtype(self.dtype).newbyteorder("=")
        scaled = fitted in _SCALED_DTYPES or values.dtype in _SCALED_DTYPES
        if values.shape[1:] != self.shape or (scaled and values.dtype != fitted):
            raise InputError(
                f"{source.name!r} holds rows of shape {values.shape[1:]} and type {values.dtype}",
                f"shape {self.shape} (given as {LAYOUTS[self.layout]}) and type {fitted}, as at fit",
                "resize or convert the rows as at fit",
            )
        require_numbers(values, source.name)
        return values

    def warnings(self, source: Source) -> tuple[str, ...]:
        """Nothing is passed over in an array."""
        return ()

    def decode(self, values: ArrayLike) -> NDArray[Any]:
        """Restore the original type and layout; uint8 and uint16 come back from [0, 1] floats."""
        out = to_dtype(values, np.dtype(self.dtype)).reshape(-1, *self.shape)
        if self.layout == "nhw":
            return out[:, 0]
        return np.moveaxis(out, 1, 3) if self.layout == "nhwc" else out

    def write(self, values: ArrayLike, folder: Path, stem: str, ids: NDArray[np.str_], id_name: str) -> list[Path]:
        """Write ``stem.npy``."""
        return [write_array(self.decode(values), folder / f"{stem}.npy")]

    def to_json(self) -> dict[str, Any]:
        """Describe the schema by JSON values only."""
        return {"kind": self.kind, "shape": list(self.shape), "dtype": self.dtype, "layout": self.layout}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild the schema from ``to_json``. Raises ArtefactError where layout and shape do not agree."""
        saved: ArrayCard = typed(dict(data), ArrayCard, "schema")
        shape, layout = saved["shape"], saved["layout"]
        if len(shape) != (1 if layout == "nd" else 3) or (layout == "nhw" and shape[0] != 1):
            raise ArtefactError(f"schema.layout is {layout!r} for shape {shape}", "nd, or another for (C, H, W)")
        return cls.build(shape, saved["dtype"], layout)


def _values(source: Source) -> NDArray[Any]:
    """Give the numbers of an array, of images, or of an array that was read as a table."""
    from narrows.data.tables.source import TableSource

    if isinstance(source, TableSource):
        return source.frame.to_numpy() if source.array else np.empty((len(source), 0))
    return cast("ArraySource", source).values


@dataclass(frozen=True, eq=False, kw_only=True)
class SparseSchema(Schema):
    """Sparse rows go in as they are; results come back dense.

    Parameters
    ----------
    dtype : str
        The type that came.

    Examples
    --------
    >>> import scipy.sparse
    >>> from narrows.data import read
    >>> source = read(scipy.sparse.eye(3))
    >>> source.fit_schema().encode(source).shape
    (3, 3)
    """

    kind: ClassVar[str] = "sparse"
    dtype: str

    def encode(self, source: Source) -> Any:
        """Give the rows as a ``csr_matrix``, shape ``(n, d)``; another width raises InputError."""
        self.require_kind(source, "sparse")
        values = cast("SparseSource", source).values
        if values.shape[1:] != self.shape:
            raise InputError(f"{source.name!r} has {values.shape[1]} columns", f"{self.shape[0]} columns, as at fit")
        require_numbers(values.data, source.name)
        return values

    def warnings(self, source: Source) -> tuple[str, ...]:
        """Nothing is passed over in a sparse matrix."""
        return ()

    def decode(self, values: ArrayLike) -> NDArray[Any]:
        """Give the values as a dense array; integers come back as float64, because results are expectations."""
        dtype = np.dtype(self.dtype)
        return np.asarray(values).astype(dtype if dtype.kind == "f" else np.float64)

    def write(self, values: ArrayLike, folder: Path, stem: str, ids: NDArray[np.str_], id_name: str) -> list[Path]:
        """Write ``stem.npy``."""
        return [write_array(self.decode(values), folder / f"{stem}.npy")]

    def to_json(self) -> dict[str, Any]:
        """Describe the schema by JSON values only."""
        return {"kind": self.kind, "shape": list(self.shape), "dtype": self.dtype}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild the schema from ``to_json``."""
        saved: SparseCard = typed(dict(data), SparseCard, "schema")
        return cls(shape=saved["shape"], dtype=saved["dtype"])
