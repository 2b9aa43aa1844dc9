"""Columns of numbers, to their encoding and back: numbers, whole numbers, dates and times."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from narrows.base_measure import Measure
from narrows.data.tables.amounts import AmountForm, amount_texts
from narrows.data.tables.column import Column, Floats
from narrows.data.tables.dtypes import dtype_name, limits
from narrows.data.tables.formatting import as_text, cell_text
from narrows.data.tables.kinds import Law, atoms_of, decimal_step, law_of, measure_of
from narrows.data.tables.support import Support
from narrows.data.tables.tails import Tails, Units
from narrows.data.tables.times import DateForm, date_text
from narrows.errors import InputError
from narrows.typed_json import Range

__all__ = ["NumberColumn", "NumericColumn", "WholeColumn", "in_file_form"]

Positive = Annotated[float, Range(sys.float_info.min, sys.float_info.max)]
Whole = Annotated[int, Range(-(2**63), 2**63)]
# of a column: its kind, origin and unit, then atoms
SavedLaw = tuple[Literal["bernoulli", "poisson", "rounded", "gaussian"], float, Positive, *tuple[float, ...]]
WIDE = 2**50
"""Whole numbers further than this from their mean are scaled by a power of two, which loses no digit."""


def _median(values: Floats) -> float:
    return float(np.median(values[~np.isnan(values)]))


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
class NumericColumn(Column):
    """One standardised number: the median where a value is missing, then minus the mean, over the standard deviation.

    Far values are bent, and amounts with a long tail seen on a logarithmic scale, as ``Tails`` says. What is decoded is
    a value that could have been among the training rows, as ``Support`` says. Runs of older versions have neither.
    """

    median: float
    mean: float
    scale: Positive
    told: SavedLaw = ("gaussian", 0.0, 1.0)
    support: Support | None = None
    tails: Tails | None = None
    chosen: str | None = None  # what the user said that it holds

    @classmethod
    def _units(
        cls, filled: Floats, moments: tuple[float, float], law: Law, zero: float | None, kind: str | None, linear: bool
    ) -> dict[str, Any]:
        """Return mean, scale, tails and law of numbers, missing ones filled; bits and counts keep their distances."""
        if linear or law[0] in ("bernoulli", "poisson"):
            return {"mean": moments[0], "scale": moments[1], "told": law, "chosen": kind}
        units = Units.of(filled, moments, zero if kind in (None, "amount") else None, amount=kind == "amount")
        law = law if units.tails.unit is None else ("gaussian", 0.0, 1.0, *atoms_of(filled))
        return {**units._asdict(), "told": law, "chosen": kind}

    @staticmethod
    def _support(known: Floats, step: float, zero: float, kind: str | None) -> Support:
        """Return the support of known numbers; a share may be anything from nothing to all."""
        support = Support.of(known, step, ordinal=kind == "ordinal")
        if kind != "share":
            return support
        return replace(support, low=zero, high=zero + (1.0 if support.high <= zero + 1 else 100.0))

    def measure(self) -> Measure:
        """Say what kind of numbers the encoded values are.

        On a logarithmic scale the unit of a density is that at the column's mean.
        """
        if self.tails is None or self.tails.unit is None:
            return measure_of(self.told, self.mean, self.scale)
        slope = self.scale * self.tails.unit * math.cosh(self.mean)
        atoms = self._encoded(np.array(self.told[3:], np.float64)).ravel() * slope
        return Measure("gaussian", 1, 0.0, slope, tuple(atoms.tolist()))

    @property
    def is_amount(self) -> bool:
        """Whether it is seen on a logarithmic scale, or is an amount as the user said."""
        return self.chosen == "amount" or (self.tails is not None and self.tails.unit is not None)

    def holding(self) -> str:
        """Return what the column holds: as the user said, or by its type, its law and its support."""
        if self.chosen is not None:
            return self.chosen
        if self.type.is_temporal():
            return "date" if self.type == pl.Date else "time"
        if self.told[0] == "bernoulli" or self.support is None:
            return "number" if self.support is None else "two values"
        if self.told[0] == "poisson" and self.support.low == self.told[1]:  # from 0 on
            return "count"
        if self.support.levels:
            return "ordinal"
        if self.is_amount:
            return "amount"
        if self.type.is_integer():
            return "whole"
        return "share" if self.support.low >= 0 and self.support.high <= 1 else "number"

    def scaling(self, series: pl.Series) -> str:
        """Return the scale: standard, log, or robust where far cells have no part in it."""
        if self.tails is not None and self.tails.unit is not None:
            return "log"
        return "robust" if self.far(series).any() else "standard"

    def extent(self) -> str:
        """Return the least and the largest value, as the file has them."""
        if self.support is None:
            return ""
        ends = in_file_form(self.decode(self._encoded(np.array([self.support.low, self.support.high]))), self)
        return " to ".join(map(cell_text, ends))

    def far(self, series: pl.Series) -> NDArray[np.bool_]:
        """Say which cells are bent: so far from the others that they would set the scale of the column."""
        ends = pl.Series([series.min(), series.max()], dtype=series.dtype)
        if self.tails is None or not self._bent(ends).any():
            return np.zeros(len(series), bool)
        return self._bent(series)

    def _bent(self, series: pl.Series) -> NDArray[np.bool_]:
        bend = math.inf if self.tails is None else self.tails.bend
        return np.asarray(np.abs(self.encode(series)[:, 0]) > bend)

    def _encoded(self, numbers: Floats) -> Floats:
        """Fill and standardise numbers, (n,), to (n, 1)."""
        filled = np.where(np.isnan(numbers), self.median, numbers)
        if self.tails is None:
            out = (filled - self.mean) / self.scale
        else:
            out = self.tails.bent((self.tails.seen(filled) - self.mean) / self.scale)
        return np.asarray(out[:, None], np.float64)

    def _decoded(self, values: Floats) -> Floats:
        """Return the numbers, (n,), that encoded values, (n, 1), stand for."""
        if self.tails is None:
            numbers = values[:, 0] * self.scale + self.mean
        else:
            with np.errstate(over="ignore"):  # what is far beyond comes back to the support
                numbers = self.tails.unseen(self.tails.straight(values[:, 0]) * self.scale + self.mean)
        return numbers if self.support is None else self.support.nearest(numbers)


@dataclass(frozen=True, kw_only=True)
class NumberColumn(NumericColumn):
    """Floats.

    Examples
    --------
    >>> series = pl.Series("a", [1.0, None, 3.0, 8.0])
    >>> column = NumberColumn.fit(series)
    >>> column.median, column.decode(column.encode(series)).to_list()
    (3.0, [1.0, 3.0, 3.0, 8.0])
    """

    kind: ClassVar[str] = "number"
    format: AmountForm | None = None

    @staticmethod
    def holds(dtype: pl.DataType) -> bool:
        """Return whether a type is one of numbers."""
        return dtype.is_numeric()

    @classmethod
    def fit(
        cls, series: pl.Series, format: str | None = None, kind: str | None = None, *, linear: bool = False
    ) -> Self:
        """Learn median, mean and scale from a series of numbers with at least one value; ``kind`` is the user's."""
        values = series.cast(pl.Float64).to_numpy()
        median, known = _median(values), values[~np.isnan(values)]
        filled = np.where(np.isnan(values), median, values)
        moments = _moments(filled, series.name)
        law: Law = ("poisson", 0.0, 1.0) if kind == "count" else law_of(known, counts=kind is None)
        units = cls._units(filled, moments, law, 0.0, kind, linear)
        support = cls._support(known, law[2] if law[0] == "rounded" else decimal_step(known), 0.0, kind)
        fields = {"name": series.name, "dtype": dtype_name(series.dtype), "format": format}
        return cls(**fields, median=median, support=support, **units)  # type: ignore[arg-type]

    def encode(self, series: pl.Series) -> Floats:
        """Impute and standardise, shape ``(n, 1)``."""
        return self._encoded(series.cast(pl.Float64).to_numpy())

    def filling(self) -> str:
        """Return the median."""
        return f"{self.median:.6g}"

    def decode(self, values: Floats) -> pl.Series:
        """Undo the standardisation, to values as the fit saw them; not-a-number becomes missing."""
        plain = pl.Series(self.name, self._decoded(values), nan_to_null=True)
        if self.type.is_integer():
            return plain.round().cast(self.type, strict=False)
        return plain.cast(self.type, strict=False)


@dataclass(frozen=True, kw_only=True)
class WholeColumn(NumericColumn):
    """Integers, booleans, dates and times: differences to a whole origin, standardised, so that no digit is lost.

    The encoded value is that of NumberColumn; ``origin + mean`` is the mean, and ``median`` counts from the origin, as
    do law and support.

    Examples
    --------
    >>> from datetime import date
    >>> series = pl.Series("day", [date(2024, 1, 1), date(2024, 1, 3)])
    >>> column = WholeColumn.fit(series)
    >>> column.encode(series).ravel().tolist(), column.decode(column.encode(series)).to_list() == series.to_list()
    ([-1.0, 1.0], True)
    """

    kind: ClassVar[str] = "whole"
    origin: Whole
    format: DateForm | AmountForm | None = None
    step: Annotated[int, Range(1, 2**63)] = 1

    @staticmethod
    def holds(dtype: pl.DataType) -> bool:
        """Return whether a type is one of whole numbers, truth values, dates or times."""
        return dtype.is_integer() or dtype.is_temporal() or dtype == pl.Boolean

    @classmethod
    def fit(
        cls, series: pl.Series, format: str | None = None, kind: str | None = None, *, linear: bool = False
    ) -> Self:
        """Learn origin, median, mean and scale from a series with at least one value; ``kind`` is the user's."""
        whole = _physical(series)
        origin, step = round(float(whole.cast(pl.Float64).mean())), _step(series)  # type: ignore[arg-type]
        offset = (whole - origin).cast(pl.Float64).to_numpy()
        median, known = _median(offset), offset[~np.isnan(offset)]
        filled = np.where(np.isnan(offset), median, offset)
        moments = _moments(filled, series.name)
        law = _law_of_offsets(known, origin, series, step, kind)
        if np.abs(filled).max() >= WIDE:
            units: dict[str, Any] = {"mean": 0.0, "scale": float(2.0 ** round(np.log2(moments[1]))), "told": law}
        else:
            zero = float(-origin) if series.dtype.is_integer() else None
            units = cls._units(filled, moments, law, zero, kind, linear)
        units |= {"median": median, "support": cls._support(known, _common_step(whole), float(-origin), kind)}
        return cls(name=series.name, dtype=dtype_name(series.dtype), format=format, step=step, origin=origin, **units)

    def encode(self, series: pl.Series) -> Floats:
        """Impute and standardise, shape ``(n, 1)``."""
        floats = series.dtype.is_float() or series.dtype.is_decimal()
        whole = series.cast(pl.Float64) if floats else _physical(series)
        return self._encoded((whole - self.origin).cast(pl.Float64).to_numpy())

    def filling(self) -> str:
        """Return the median: a number as it is, a date or truth value as the nearest that there is."""
        if self.type.is_integer():
            return f"{self.origin + self.median:.15g}"
        near = self.decode(self._encoded(np.array([self.median])))
        return str((date_text(near, self.format) if self.format and self.type.is_temporal() else as_text(near))[0])

    def decode(self, values: Floats) -> pl.Series:
        """Undo the standardisation, round to whole steps within the type's range; not-a-number becomes missing."""
        low, high = limits(self.type)
        offset = self._in_steps(self._decoded(values))
        missing = np.isnan(offset)
        clipped = np.clip(np.where(missing, 0.0, offset), float(low - self.origin), float(high - self.origin))
        whole = np.clip(clipped.astype(np.int64) + self.origin, low, high)
        out = pl.Series(self.name, whole, dtype=pl.Int64).set(pl.Series(missing), None)
        return out.cast(self.type)

    def _in_steps(self, offset: Floats) -> Floats:
        """Round offsets so that the whole numbers are multiples of the step, as at fit."""
        shift = self.origin % self.step
        return np.rint((offset + shift) / self.step) * self.step - shift if self.step > 1 else np.rint(offset)


def _law_of_offsets(offset: Floats, origin: int, series: pl.Series, step: int, chosen: str | None) -> Law:
    """Tell what whole numbers are, from their differences to the origin: bits, counts, or multiples of the step."""
    if chosen == "count":
        return "poisson", -float(origin), 1.0
    kind, _, unit, *_ = law_of(offset + origin, counts=chosen is None and not series.dtype.is_temporal())
    if kind == "bernoulli":
        return kind, float(offset.min()), unit
    return (kind, -float(origin), 1.0) if kind == "poisson" else ("rounded", -float(origin % step), float(step))


def _common_step(whole: pl.Series) -> float:
    """Return the largest number that all differences of whole numbers are multiples of.

    Examples
    --------
    >>> _common_step(pl.Series([1003, 1008, None, 1053]))
    5.0
    """
    known = whole.drop_nulls()
    return float(max(1, np.gcd.reduce((known - known.min()).to_numpy())))


def _step(series: pl.Series) -> int:
    """Return what every time of a column is a multiple of, in its own unit; 1 for what is no time.

    Examples
    --------
    >>> _step(pl.Series(["2024-01-31 12:30"]).str.to_datetime("%Y-%m-%d %H:%M", time_unit="us"))
    60000000
    """
    if not isinstance(series.dtype, (pl.Datetime, pl.Duration)):
        return 1
    second = {"ms": 10**3, "us": 10**6, "ns": 10**9}[series.dtype.time_unit]
    known = _physical(series).drop_nulls()
    steps = [86_400 * second, 60 * second, second, second // 1000]
    return next((step for step in steps if step > 1 and bool((known % step == 0).all())), 1)


def _physical(series: pl.Series) -> pl.Series:
    return series.to_physical().cast(pl.Int64)


def in_file_form(series: pl.Series, column: Column, *, texts: bool = True, digits: bool = True) -> pl.Series:
    """Give a column the form of its file: dates as they were written, numbers without the digits below float32.

    Examples
    --------
    >>> series = pl.Series("x", [0.123456789, 0.300000000192, 2.0])
    >>> in_file_form(series, NumberColumn.fit(series)).to_list()  # the ends of the range have all their digits
    [0.123456789, 0.3, 2.0]
    """
    if texts and isinstance(column, WholeColumn) and column.format is not None and series.dtype.is_temporal():
        return date_text(series, column.format)
    if texts and isinstance(column, NumberColumn | WholeColumn) and column.format and series.dtype.is_numeric():
        written = amount_texts(series, column.format)
        if written.dtype == pl.String:
            return written
    if not digits or not isinstance(column, NumberColumn) or not series.dtype.is_float():
        return series
    places = 7 - math.floor(math.log10(column.scale))
    if column.tails is not None and column.tails.unit is not None:
        short = series.round_sig_figs(7)
    else:
        short = series.round(places) if 0 <= places <= 15 else series
    return short if column.support is None else column.support.kept(series, short)
