"""One column of a table, to numbers and back: numbers, whole numbers and dates, categories, constants."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from narrows.errors import InputError

from .dtypes import dtype_name, limits, named_dtype

__all__ = ["COLUMNS", "CategoryColumn", "Column", "ConstantColumn", "NumberColumn", "WholeColumn", "column_from_json"]

Floats = NDArray[np.float64]
WIDE = 2**50
"""Whole numbers further than this from their mean are scaled by a power of two, which loses no digit."""


@dataclass(frozen=True, kw_only=True)
class Column(ABC):
    """How one column becomes numbers, shape ``(n, width)``, and comes back as a polars series."""

    kind: ClassVar[str]
    name: str
    dtype: str

    @property
    def type(self) -> pl.DataType:
        """The polars type of the column at fit."""
        return named_dtype(self.dtype)

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the encoded columns; as many as the width."""
        return (self.name,)

    @abstractmethod
    def encode(self, series: pl.Series) -> Floats:
        """Turn a series of the column's type into float64, shape ``(n, width)``."""

    @abstractmethod
    def decode(self, values: Floats) -> pl.Series:
        """Turn float64, shape ``(n, width)``, into a series of the column's type."""

    def to_json(self) -> dict[str, Any]:
        """Describe the column by JSON values."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild the column from ``to_json``."""
        return cls(**{key: tuple(v) if isinstance(v, list) else v for key, v in data.items() if key != "kind"})


def _moments(values: Floats, name: str) -> tuple[float, float]:
    """Mean and standard deviation as StandardScaler takes them, with 1 for a deviation of zero."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean, variance = float(values.mean()), float(values.var())
    if not np.isfinite(mean) or not np.isfinite(variance):
        came = f"column {name!r} holds values up to {np.abs(values).max():.3g}, too large to standardise"
        raise InputError(came, "values below 1e150", "divide the column by a constant")
    eps = np.finfo(np.float64).eps
    flat = variance <= len(values) * eps * variance + (len(values) * mean * eps) ** 2
    return mean, 1.0 if flat or variance == 0.0 else float(np.sqrt(variance))


@dataclass(frozen=True, kw_only=True)
class NumberColumn(Column):
    """Floats: the median where a value is missing, then minus the mean, over the standard deviation.

    Examples
    --------
    >>> series = pl.Series("a", [1.0, None, 3.0, 8.0])
    >>> column = NumberColumn.fit(series)
    >>> column.median, column.decode(column.encode(series)).to_list()
    (3.0, [1.0, 3.0, 3.0, 8.0])
    """

    kind: ClassVar[str] = "number"
    median: float
    mean: float
    scale: float

    @classmethod
    def fit(cls, series: pl.Series) -> Self:
        """Learn median, mean and scale from a series of numbers with at least one value."""
        values = series.cast(pl.Float64).to_numpy()
        median = float(np.nanmedian(values))
        mean, scale = _moments(np.where(np.isnan(values), median, values), series.name)
        return cls(name=series.name, dtype=dtype_name(series.dtype), median=median, mean=mean, scale=scale)

    def encode(self, series: pl.Series) -> Floats:
        """Impute and standardise, shape ``(n, 1)``."""
        values = series.cast(pl.Float64).to_numpy()
        out = (np.where(np.isnan(values), self.median, values) - self.mean) / self.scale
        return np.asarray(out[:, None], np.float64)

    def decode(self, values: Floats) -> pl.Series:
        """Undo the standardisation; integers are rounded, not-a-number becomes missing."""
        plain = pl.Series(self.name, values[:, 0] * self.scale + self.mean, nan_to_null=True)
        if self.type.is_integer():
            return plain.round().cast(self.type, strict=False)
        return plain.cast(self.type, strict=False)


@dataclass(frozen=True, kw_only=True)
class WholeColumn(Column):
    """Integers, booleans, dates and times: differences to a whole origin, standardised, so that no digit is lost.

    The encoded value is that of NumberColumn; ``origin + mean`` is the mean, and ``median`` counts from the origin.

    Examples
    --------
    >>> from datetime import date
    >>> series = pl.Series("day", [date(2024, 1, 1), date(2024, 1, 3)])
    >>> column = WholeColumn.fit(series)
    >>> column.encode(series).ravel().tolist(), column.decode(column.encode(series)).to_list() == series.to_list()
    ([-1.0, 1.0], True)
    """

    kind: ClassVar[str] = "whole"
    origin: int
    median: float
    mean: float
    scale: float
    format: str | None = None

    @classmethod
    def fit(cls, series: pl.Series, format: str | None = None) -> Self:
        """Learn origin, median, mean and scale from a series with at least one value."""
        whole = _physical(series)
        origin = round(float(whole.cast(pl.Float64).mean()))  # type: ignore[arg-type]
        offset = (whole - origin).cast(pl.Float64).to_numpy()
        median = float(np.nanmedian(offset))
        filled = np.where(np.isnan(offset), median, offset)
        mean, scale = _moments(filled, series.name)
        if np.abs(filled).max() >= WIDE:
            mean, scale = 0.0, float(2.0 ** round(np.log2(scale)))
        known = {"name": series.name, "dtype": dtype_name(series.dtype), "format": format}
        return cls(**known, origin=origin, median=median, mean=mean, scale=scale)  # type: ignore[arg-type]

    def encode(self, series: pl.Series) -> Floats:
        """Impute and standardise, shape ``(n, 1)``."""
        offset = (_physical(series) - self.origin).cast(pl.Float64).to_numpy()
        out = (np.where(np.isnan(offset), self.median, offset) - self.mean) / self.scale
        return np.asarray(out[:, None], np.float64)

    def decode(self, values: Floats) -> pl.Series:
        """Undo the standardisation, round to whole steps within the type's range; not-a-number becomes missing."""
        low, high = limits(self.type)
        offset = np.rint(values[:, 0] * self.scale + self.mean)
        missing = np.isnan(offset)
        held = np.clip(np.where(missing, 0.0, offset), float(low - self.origin), float(high - self.origin))
        whole = np.clip(held.astype(np.int64) + self.origin, low, high)
        out = pl.Series(self.name, whole, dtype=pl.Int64).set(pl.Series(missing), None)
        return out.cast(self.type)


def _physical(series: pl.Series) -> pl.Series:
    return series.to_physical().cast(pl.Int64)


@dataclass(frozen=True, kw_only=True)
class CategoryColumn(Column):
    """Text with few distinct values: one encoded column per level, and one for missing where that occurs at fit.

    Examples
    --------
    >>> column = CategoryColumn.fit(pl.Series("colour", ["red", "blue", None]))
    >>> column.features, column.encode(pl.Series("colour", ["red", "green"])).tolist()
    (('colour=blue', 'colour=red', 'colour=missing'), [[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    """

    kind: ClassVar[str] = "category"
    levels: tuple[str, ...]
    missing: bool
    enum: tuple[str, ...] | None = None

    @classmethod
    def fit(cls, series: pl.Series) -> Self:
        """Learn the levels, in alphabetical order."""
        levels = tuple(sorted(series.drop_nulls().cast(pl.String).unique().to_list()))
        enum = tuple(series.dtype.categories.to_list()) if isinstance(series.dtype, pl.Enum) else None
        kind = dtype_name(series.dtype)
        return cls(name=series.name, dtype=kind, levels=levels, missing=series.null_count() > 0, enum=enum)

    @property
    def features(self) -> tuple[str, ...]:
        """``name=level`` for each level, and ``name=missing`` last."""
        return tuple(f"{self.name}={level}" for level in (*self.levels, *(("missing",) if self.missing else ())))

    def encode(self, series: pl.Series) -> Floats:
        """One-hot, shape ``(n, levels)``; a level that was not seen at fit is all zeros."""
        codes = series.cast(pl.String).cast(pl.Enum(self.levels), strict=False).to_physical().cast(pl.Int64)
        if self.missing:
            codes = codes.set(series.is_null(), len(self.levels))
        out = np.zeros((len(series), len(self.features)))
        known = codes.is_not_null().to_numpy()
        out[np.flatnonzero(known), codes.drop_nulls().to_numpy()] = 1.0
        return out

    def decode(self, values: Floats) -> pl.Series:
        """The level of the largest value in each row."""
        dtype = pl.Enum(self.enum) if self.enum is not None else self.type
        names = pl.Series(self.name, [*self.levels, None] if self.missing else list(self.levels), dtype=pl.String)
        return names.gather(pl.Series(values.argmax(axis=1), dtype=pl.UInt32)).cast(dtype)

    def unseen(self, series: pl.Series) -> pl.Series:
        """The values that ``encode`` knows no level for."""
        text = series.cast(pl.String)
        return text.filter((~text.is_in(self.levels)).fill_null(not self.missing))


@dataclass(frozen=True, kw_only=True)
class ConstantColumn(Column):
    """A column of one value, or of none: it is left out and comes back at decode.

    Examples
    --------
    >>> column = ConstantColumn.fit(pl.Series("a", [7, 7]))
    >>> column.features, column.decode(np.zeros((3, 0))).to_list()
    ((), [7, 7, 7])
    """

    kind: ClassVar[str] = "constant"
    value: str | float | int | None
    enum: tuple[str, ...] | None = None

    @classmethod
    def fit(cls, series: pl.Series) -> Self:
        """Remember the one value."""
        known = series.drop_nulls()
        enum = tuple(series.dtype.categories.to_list()) if isinstance(series.dtype, pl.Enum) else None
        value = None if known.is_empty() else plain(known).item(0)
        return cls(name=series.name, dtype=dtype_name(series.dtype), value=value, enum=enum)

    @property
    def features(self) -> tuple[str, ...]:
        """No encoded columns."""
        return ()

    def encode(self, series: pl.Series) -> Floats:
        """Nothing, shape ``(n, 0)``."""
        return np.zeros((len(series), 0))

    def decode(self, values: Floats) -> pl.Series:
        """The value, once per row."""
        dtype = pl.Enum(self.enum) if self.enum is not None else self.type
        held = [self.value] * len(values)
        base = pl.Series(self.name, held) if self.value is not None else pl.Series(self.name, held, dtype=pl.Null)
        return base.cast(dtype)


def plain(series: pl.Series) -> pl.Series:
    """A series as JSON-able cells: text, float64, or whole numbers for integers, booleans and dates."""
    if series.dtype in (pl.String, pl.Categorical, pl.Enum):
        return series.cast(pl.String)
    return series.cast(pl.Float64) if series.dtype.is_float() or series.dtype.is_decimal() else series.to_physical().cast(pl.Int64)


COLUMNS: dict[str, type[Column]] = {
    found.kind: found for found in (NumberColumn, WholeColumn, CategoryColumn, ConstantColumn)
}  # fmt: skip


def column_from_json(data: Mapping[str, Any]) -> Column:
    """Rebuild any column from its ``to_json``."""
    return COLUMNS[data["kind"]].from_json(data)
