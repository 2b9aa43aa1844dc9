"""Columns of numbers, to their encoding and back."""

from __future__ import annotations

import math
import sys
from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from narrows.base_measure import Measure
from narrows.data.tables.amounts import AmountForm, amount_texts
from narrows.data.tables.column import Column, Floats
from narrows.data.tables.dtypes import dtype_name
from narrows.data.tables.formatting import cell_text
from narrows.data.tables.kinds import EVENTS, MAX_COUNT, Law, atoms_of, decimal_step, law_of, measure_of
from narrows.data.tables.support import Support
from narrows.data.tables.tails import Tails, Units
from narrows.data.tables.times import DateForm, date_text
from narrows.errors import InputError
from narrows.typed_json import Range

__all__ = ["NumberColumn", "NumericColumn", "in_file_form", "median_of", "moments_of"]

Positive = Annotated[float, Range(sys.float_info.min, sys.float_info.max)]
# of a column: its kind, origin and unit, then atoms
SavedKind = Literal["bernoulli", "poisson", "negative-binomial", "rounded", "gaussian"]
SavedLaw = tuple[SavedKind, float, Positive, *tuple[float, ...]]


def median_of(values: Floats) -> float:
    """Return the median of the numbers (n,) that are not NaN."""
    return float(np.median(values[~np.isnan(values)]))


def moments_of(values: Floats, name: str) -> tuple[float, float]:
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
    format: DateForm | AmountForm | None = None  # how a text file writes it

    @classmethod
    def _units(
        cls, filled: Floats, moments: tuple[float, float], law: Law, zero: float | None, kind: str | None, linear: bool
    ) -> dict[str, Any]:
        """Return mean, scale, tails and law of numbers, missing ones filled; bits and counts keep their distances."""
        if linear or law[0] in ("bernoulli", *EVENTS):
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
    @abstractmethod
    def zero(self) -> float:
        """What law and support call the number 0."""

    @abstractmethod
    def with_law(self, law: str, series: pl.Series, *, linear: bool) -> Self:
        """Return the column of whole numbers from 0 on, as this law of counts has them."""

    def may_count(self, series: pl.Series) -> bool:
        """Return whether cells may be counts: as the column alone tells, or small whole numbers from 0 on, none far."""
        if not self.type.is_numeric() or self.chosen not in (None, "count") or self.support is None:
            return False
        if self.told[0] in EVENTS:
            return True
        kind, origin, unit, *_ = self.told
        small = self.support.low == self.zero and self.support.high - self.zero <= MAX_COUNT
        return small and (kind, origin, unit) == ("rounded", 0.0, 1.0) and not self.far(series).any()

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
        if self.told[0] in EVENTS and self.support.low == self.told[1]:  # from 0 on
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

    @staticmethod
    def holds(dtype: pl.DataType) -> bool:
        """Return whether a type is one of numbers."""
        return dtype.is_numeric()

    @classmethod
    def fit(
        cls,
        series: pl.Series,
        format: str | None = None,
        kind: str | None = None,
        *,
        linear: bool = False,
        law: str | None = None,
    ) -> Self:
        """Learn median, mean and scale from a series of numbers with at least one value.

        ``kind`` is the user's; ``law`` is that of whole numbers from 0 on, where the other columns tell it.
        """
        values = series.cast(pl.Float64).to_numpy()
        median, known = median_of(values), values[~np.isnan(values)]
        filled = np.where(np.isnan(values), median, values)
        moments = moments_of(filled, series.name)
        if law is None and kind == "count":
            law = "poisson"
        priced: Law = law_of(known, counts=kind is None) if law is None else (law, 0.0, 1.0)
        units = cls._units(filled, moments, priced, 0.0, kind, linear)
        support = cls._support(known, priced[2] if priced[0] == "rounded" else decimal_step(known), 0.0, kind)
        fields = {"name": series.name, "dtype": dtype_name(series.dtype), "format": format}
        return cls(**fields, median=median, support=support, **units)  # type: ignore[arg-type]

    @property
    def zero(self) -> float:
        """The number 0."""
        return 0.0

    def with_law(self, law: str, series: pl.Series, *, linear: bool) -> Self:
        """Return the column of whole numbers from 0 on, as this law of counts has them."""
        return self.fit(series, self.format, self.chosen, law=law, linear=linear)

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


def in_file_form(series: pl.Series, column: Column, *, texts: bool = True, digits: bool = True) -> pl.Series:
    """Give a column the form of its file: dates as they were written, numbers without the digits below float32.

    Examples
    --------
    >>> series = pl.Series("x", [0.123456789, 0.300000000192, 2.0])
    >>> in_file_form(series, NumberColumn.fit(series)).to_list()  # the ends of the range have all their digits
    [0.123456789, 0.3, 2.0]
    """
    if texts and isinstance(column, NumericColumn) and column.format and series.dtype.is_temporal():
        return date_text(series, column.format)
    if texts and isinstance(column, NumericColumn) and column.format and series.dtype.is_numeric():
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
