"""Columns of few values: categories, and constants that are left out and come back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

import numpy as np
import polars as pl

from narrows.typed_json import Distinct

from .columns import Column, Floats
from .dtypes import dtype_name
from .measures import Measure

__all__ = ["LONG", "CategoryColumn", "ConstantColumn", "plain", "shortened"]

Levels = Annotated[tuple[str, ...], Distinct()]
LONG = 60  # letters of a cell that are shown


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
    levels: Levels
    missing: bool
    enum: Levels | None = None

    @staticmethod
    def holds(dtype: pl.DataType) -> bool:
        """Return whether a type is one of texts."""
        return dtype in (pl.String, pl.Categorical)

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

    def measure(self) -> Measure:
        """Say that this is a block of one-hot columns."""
        return Measure("categorical", len(self.features))

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
        """Pick the level of the largest value in each row."""
        dtype = pl.Enum(self.enum) if self.enum is not None else self.type
        names = pl.Series(self.name, [*self.levels, None] if self.missing else list(self.levels), dtype=pl.String)
        return names.gather(pl.Series(values.argmax(axis=1), dtype=pl.UInt32)).cast(dtype)

    def unseen(self, series: pl.Series) -> pl.Series:
        """Find the values that ``encode`` knows no level for."""
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
    enum: Levels | None = None

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

    def measure(self) -> Measure:
        """Say that nothing is encoded."""
        return Measure("categorical", 0)

    def changed(self, series: pl.Series) -> int:
        """Count the values that differ from the one of the fit."""
        known = plain(series.drop_nulls())
        alike = self.value is not None and (known.dtype == pl.String) == isinstance(self.value, str)
        return int((known != self.value).sum()) if alike else len(known)

    def encode(self, series: pl.Series) -> Floats:
        """Give nothing, shape ``(n, 0)``."""
        return np.zeros((len(series), 0))

    def decode(self, values: Floats) -> pl.Series:
        """Repeat the value, once per row."""
        dtype = pl.Enum(self.enum) if self.enum is not None else self.type
        held = [self.value] * len(values)
        base = pl.Series(self.name, held) if self.value is not None else pl.Series(self.name, held, dtype=pl.Null)
        return base.cast(dtype)


def plain(series: pl.Series) -> pl.Series:
    """Give a series as JSON-able cells: text, float64, or whole numbers for integers, booleans and dates."""
    if series.dtype in (pl.String, pl.Categorical, pl.Enum):
        return series.cast(pl.String)
    if series.dtype.is_integer():
        return series
    return (
        series.cast(pl.Float64)
        if series.dtype.is_float() or series.dtype.is_decimal()
        else series.to_physical().cast(pl.Int64)
    )


def shortened(value: object) -> str:
    """Return a cell as it is named in a note: of a long text the beginning.

    Examples
    --------
    >>> shortened(3), len(shortened("a" * 70))
    ('3', 65)
    """
    return f"{value[:LONG]!r}..." if isinstance(value, str) and len(value) > LONG else repr(value)
