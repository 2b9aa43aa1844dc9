"""Columns of few values: categories, and constants that are left out and come back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from narrows.base_measure import Measure
from narrows.data.tables.column import Column, Floats
from narrows.data.tables.dtypes import dtype_name
from narrows.data.tables.formatting import as_text
from narrows.notes import Note, NoteKind
from narrows.typed_json import Distinct

__all__ = ["LONG", "CategoryColumn", "ConstantColumn", "json_cells", "shortened"]

Levels = Annotated[tuple[str, ...], Distinct()]
LONG = 60  # letters of a cell that are shown


@dataclass(frozen=True, kw_only=True)
class CategoryColumn(Column):
    """Text with few distinct values: one encoded column per level, and one for missing where that occurs at fit.

    Where it is ``blank`` a missing cell is no level: it has zeros, as a level that was never seen.

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
    blank: bool = False

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

    def holding(self) -> str:
        """Return that it is a category."""
        return "category"

    def extent(self) -> str:
        """Return how many levels there are."""
        return f"{len(self.levels)} levels"

    def measure(self) -> Measure:
        """Say that this is a block of one-hot columns."""
        return Measure("categorical", len(self.features))

    def filling(self) -> str | None:
        """Return what stands in for a missing cell, where it is no level of its own."""
        return "one of its levels" if self.blank else None

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
        return text.filter((~text.is_in(self.levels)).fill_null(not (self.missing or self.blank)))


@dataclass(frozen=True, kw_only=True)
class ConstantColumn(Column):
    """A column of one value, or of none: it is left out and comes back at decode.

    Where it is ``watched`` it has one number, 0 for the value of the fit and 1 for any other. Where it is ``holed`` it
    has one, 0, which stands for the value, as not-a-number does for a missing cell.

    Examples
    --------
    >>> column = ConstantColumn.fit(pl.Series("a", [7, 7]))
    >>> column.features, column.decode(np.zeros((3, 0))).to_list()
    ((), [7, 7, 7])
    >>> from dataclasses import replace
    >>> replace(column, watched=True).encode(pl.Series("a", [7, 8, None])).ravel().tolist()
    [0.0, 1.0, 0.0]
    >>> replace(column, holed=True).decode(np.array([[0.0], [np.nan]])).to_list()
    [7, None]
    """

    kind: ClassVar[str] = "constant"
    value: str | float | int | None
    enum: Levels | None = None
    missing: int = 0  # cells of the fit, beside the value
    watched: bool = False
    holed: bool = False

    @classmethod
    def fit(cls, series: pl.Series) -> Self:
        """Remember the one value."""
        known = series.drop_nulls()
        enum = tuple(series.dtype.categories.to_list()) if isinstance(series.dtype, pl.Enum) else None
        value = None if known.is_empty() else json_cells(known).item(0)
        kind, missing = dtype_name(series.dtype), series.null_count()
        return cls(name=series.name, dtype=kind, value=value, enum=enum, missing=missing)

    @property
    def features(self) -> tuple[str, ...]:
        """No encoded columns, or one where it is watched or holed."""
        return (self.name,) if self.watched or self.holed else ()

    def holding(self) -> str:
        """Return that it is one value."""
        return "one value"

    def extent(self) -> str:
        """Return the value."""
        return self.words()

    def measure(self) -> Measure:
        """Say that nothing is encoded, or whether the value is another one."""
        return Measure("bernoulli", 1) if self.features else Measure("categorical", 0)

    def filling(self) -> str | None:
        """Return the value that a missing cell is read as, where one is encoded; watched, a text is another value."""
        differs = self.watched and self._missing_differs
        return self.words() if self.features and self.value is not None and not differs else None

    def words(self) -> str:
        """Return the value as it is named in a note."""
        if self.value is None:
            return "empty"
        return shortened(self.value) if isinstance(self.value, str) else self._text()

    def note(self) -> Note:
        """Say what becomes of the column."""
        contents = f"one value in the rows learnt from, {self.words()}"
        contents += f" (and {self.missing} missing)" if self.missing else ""
        if self.watched:
            empty = f"{self.name!r} is empty in every row learnt from: any value in it is an anomaly"
            text = empty if self.value is None else f"{self.name!r} holds {contents}: any other is an anomaly"
            return Note(text, where=self.name)
        if self.holed:
            return Note(f"{self.name!r} holds {contents}: only where it is missing is learnt", where=self.name)
        empty = "every value is missing; it comes back empty"
        reason = empty if self.value is None else f"{contents}; it comes back at decode"
        return Note(f"{self.name!r} is left out: {reason}", NoteKind.LEFT_OUT, self.name)

    def differs(self, series: pl.Series) -> NDArray[np.bool_]:
        """Say which cells differ from the value; a missing one does if it is text, and none was missing in the fit."""
        series = series.fill_nan(None) if series.dtype.is_float() else series
        missing = series.is_null().to_numpy()
        known = json_cells(series)
        text = known.dtype == pl.String
        value = self._text() if text else self.value
        alike = self.value is not None and text >= isinstance(self.value, str)
        different = (known != value).fill_null(False).to_numpy() if alike else np.ones(len(series), bool)
        return np.where(missing, self._missing_differs, different)

    def encode(self, series: pl.Series) -> Floats:
        """Give nothing, shape ``(n, 0)``, or where it is watched whether the value is another one, ``(n, 1)``."""
        if self.watched:
            return self.differs(series)[:, None].astype(np.float64)
        return np.zeros((len(series), len(self.features)))

    @property
    def _missing_differs(self) -> bool:
        return isinstance(self.value, str) and not self.missing

    def _text(self) -> str:
        """Return the value as a text file holds it."""
        return str(as_text(self.decode(np.zeros((1, 1))))[0])

    def decode(self, values: Floats) -> pl.Series:
        """Repeat the value, once per row; where it is holed, not-a-number becomes missing."""
        dtype = pl.Enum(self.enum) if self.enum is not None else self.type
        cells = [self.value] * len(values)
        base = pl.Series(self.name, cells) if self.value is not None else pl.Series(self.name, cells, dtype=pl.Null)
        return base.cast(dtype).set(pl.Series(np.isnan(values).any(1)), None) if self.holed else base.cast(dtype)


def json_cells(series: pl.Series) -> pl.Series:
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
