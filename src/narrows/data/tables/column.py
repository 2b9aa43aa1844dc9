"""What every column of a table is: cells to numbers, and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from narrows.base_measure import Measure
from narrows.data.tables.dtypes import named_dtype
from narrows.errors import ArtefactError
from narrows.typed_json import typed

__all__ = ["Column", "Floats"]

Floats = NDArray[np.float64]
POLARS = (pl.exceptions.PolarsError, pl.exceptions.PanicException)


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

    @abstractmethod
    def measure(self) -> Measure:
        """Say what kind of numbers the encoded values are."""

    @abstractmethod
    def holding(self) -> str:
        """Return what the column holds, in a word or two."""

    def scaling(self, series: pl.Series) -> str:
        """Return on which scale the cells of a series are learnt."""
        return ""

    @abstractmethod
    def extent(self) -> str:
        """Return which values there are."""

    def filling(self) -> str | None:
        """Return what stands in for a missing cell, as text; None where a missing cell is not filled."""
        return None

    def to_json(self) -> dict[str, Any]:
        """Describe the column by JSON values."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str = "column") -> Self:
        """Rebuild the column from ``to_json``; what is no such column raises ArtefactError naming the entry."""
        column: Self = typed({key: value for key, value in data.items() if key != "kind"}, cls, where)
        if not column.holds(column.type):
            raise ArtefactError(f"{where}.dtype is {column.dtype!r}", f"a type of columns of kind {cls.kind!r}")
        column.require_usable(where)
        return column

    @staticmethod
    def holds(dtype: pl.DataType) -> bool:
        """Return whether a column of this kind may be of a type."""
        return True

    def require_usable(self, where: str) -> None:
        """Refuse a column whose values, each of a right type, do not go together: one row is decoded and encoded."""
        try:
            self.encode(self.decode(np.zeros((1, len(self.features)))))
            self.filling()
        except (*POLARS, ArithmeticError, TypeError, ValueError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ArtefactError(f"{where} cannot be used ({reason})", "what to_json() wrote") from None
