"""The schema of arrays: the type and layout that results come back in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, TypedDict, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from narrows.errors import ArtefactError, InputError
from narrows.files import write_array
from narrows.typed_json import Matching, Range, typed

from .arrays import LAYOUTS, ArraySource, SparseSource, require_numbers
from .schema import Schema

if TYPE_CHECKING:
    from .source import Source

__all__ = ["ArraySchema", "SparseSchema", "to_dtype"]

_SCALED = (np.uint8, np.uint16)  # types that become [0, 1]


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
    top = np.iinfo(dtype)
    if dtype in _SCALED:
        numbers = numbers * top.max if array.dtype.kind == "f" else numbers
    high = min(float(top.max), float(2**62))
    return np.clip(np.rint(numbers), float(top.min), high).astype(dtype)


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
        scaled = fitted in _SCALED or values.dtype in _SCALED
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
        """Rebuild the schema from ``to_json``."""
        saved: ArrayCard = typed(dict(data), ArrayCard, "schema")
        shape, layout = saved["shape"], saved["layout"]
        if len(shape) != (1 if layout == "nd" else 3) or (layout == "nhw" and shape[0] != 1):
            raise ArtefactError(f"schema.layout is {layout!r} for shape {shape}", "nd, or another for (C, H, W)")
        return cls.build(shape, saved["dtype"], layout)


def _values(source: Source) -> NDArray[Any]:
    """Give the numbers of an array, of images, or of an array that was read as a table."""
    from .tables import TableSource

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
