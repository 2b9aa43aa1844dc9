"""Columns of whole numbers, truth values, dates and times, to their encoding and back without loss of a digit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

import numpy as np
import polars as pl

from narrows.data.tables.column import Floats
from narrows.data.tables.columns import NumericColumn, median_of, moments_of
from narrows.data.tables.dtypes import dtype_name, limits
from narrows.data.tables.formatting import as_text
from narrows.data.tables.kinds import Law, law_of
from narrows.data.tables.times import date_text
from narrows.typed_json import Range

__all__ = ["WholeColumn"]

Whole = Annotated[int, Range(-(2**63), 2**63)]
WIDE = 2**50
"""Whole numbers further than this from their mean are scaled by a power of two, which loses no digit."""


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
    step: Annotated[int, Range(1, 2**63)] = 1

    @staticmethod
    def holds(dtype: pl.DataType) -> bool:
        """Return whether a type is one of whole numbers, truth values, dates or times."""
        return dtype.is_integer() or dtype.is_temporal() or dtype == pl.Boolean

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
        """Learn origin, median, mean and scale from a series with at least one value.

        ``kind`` is the user's; ``law`` is that of whole numbers from 0 on, where the other columns tell it.
        """
        whole = _physical(series)
        origin, step = round(float(whole.cast(pl.Float64).mean())), _step(series)  # type: ignore[arg-type]
        offset = (whole - origin).cast(pl.Float64).to_numpy()
        median, known = median_of(offset), offset[~np.isnan(offset)]
        filled = np.where(np.isnan(offset), median, offset)
        moments = moments_of(filled, series.name)
        priced = _law_of_offsets(known, origin, series, step, kind, law)
        if np.abs(filled).max() >= WIDE:
            units: dict[str, Any] = {"mean": 0.0, "scale": float(2.0 ** round(np.log2(moments[1]))), "told": priced}
        else:
            zero = float(-origin) if series.dtype.is_integer() else None
            units = cls._units(filled, moments, priced, zero, kind, linear)
        units |= {"median": median, "support": cls._support(known, _common_step(whole), float(-origin), kind)}
        return cls(name=series.name, dtype=dtype_name(series.dtype), format=format, step=step, origin=origin, **units)

    @property
    def zero(self) -> float:
        """The difference of the number 0 to the origin."""
        return -float(self.origin)

    def with_law(self, law: str, series: pl.Series, *, linear: bool) -> Self:
        """Return the column of whole numbers from 0 on, as this law of counts has them."""
        return self.fit(series, self.format, self.chosen, law=law, linear=linear)

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


def _law_of_offsets(
    offset: Floats, origin: int, series: pl.Series, step: int, chosen: str | None, law: str | None
) -> Law:
    """Tell what whole numbers are, from their differences to the origin: bits, counts, or multiples of the step."""
    if law is None and chosen == "count":
        law = "poisson"
    if law is not None:
        return law, -float(origin % step) if law == "rounded" else -float(origin), 1.0
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
