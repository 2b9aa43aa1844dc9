"""Column types as text, and the whole numbers they can hold."""

from __future__ import annotations

import re
from collections.abc import Callable

import polars as pl

from narrows.errors import ArtefactError

__all__ = ["dtype_name", "limits", "named_dtype"]

SAFE = 2**61
"""Whole numbers up to here are moved by an origin without overflow."""

DAY = 86_400
YEARS = (-719_162 * DAY, 2_932_897 * DAY - 1)
"""Seconds from 1970 to the years 1 and 9999."""

PLAIN: dict[str, pl.DataType] = {
    dtype.__name__: dtype()
    for dtype in (
        *(pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.Int128, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64, pl.UInt128),
        *(pl.Float16, pl.Float32, pl.Float64, pl.Boolean, pl.Date, pl.Time, pl.String, pl.Categorical, pl.Null),
    )
}
PLAIN["Enum"] = pl.String()  # its levels are kept beside it
WITH_ARGUMENTS: dict[str, Callable[..., pl.DataType]] = {
    r"Datetime\[(ms|us|ns),([A-Za-z0-9_+/-]{0,64})\]": lambda unit, zone: pl.Datetime(unit, zone or None),
    r"Duration\[(ms|us|ns)\]": lambda unit: pl.Duration(unit),
    r"Decimal\[([1-9]|[12]\d|3[0-8]),(\d|[12]\d|3[0-8])\]": lambda digits, scale: pl.Decimal(int(digits), int(scale)),
}
"""All types that a column of a schema may have: nothing else of polars can be named by a file."""

UNITS = {"ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def dtype_name(dtype: pl.DataType) -> str:
    """Write a polars type as text.

    Examples
    --------
    >>> dtype_name(pl.Int8()), dtype_name(pl.Datetime("us", "UTC")), dtype_name(pl.Decimal(10, 2))
    ('Int8', 'Datetime[us,UTC]', 'Decimal[10,2]')
    """
    if isinstance(dtype, pl.Datetime):
        return f"Datetime[{dtype.time_unit},{dtype.time_zone or ''}]"
    if isinstance(dtype, pl.Duration):
        return f"Duration[{dtype.time_unit}]"
    if isinstance(dtype, pl.Decimal):
        return f"Decimal[{dtype.precision},{dtype.scale}]"
    return dtype.base_type().__name__


def named_dtype(name: str) -> pl.DataType:
    """Read what ``dtype_name`` wrote; any other text raises ArtefactError.

    Examples
    --------
    >>> named_dtype("Datetime[ns,]")
    Datetime(time_unit='ns', time_zone=None)
    >>> named_dtype("read_csv[http://localhost]")
    Traceback (most recent call last):
    narrows.errors.ArtefactError: the column type 'read_csv[http://localhost]' came. Accepted: Boolean, Categorical, ...
    """
    if name in PLAIN:
        return PLAIN[name]
    for pattern, make in WITH_ARGUMENTS.items():
        if match := re.fullmatch(pattern, name):
            return make(*match.groups())
    raise ArtefactError(
        f"the column type {name[:80]!r} came", f"{', '.join(sorted(PLAIN))}, Datetime, Duration, Decimal"
    )


def limits(dtype: pl.DataType) -> tuple[int, int]:
    """Give the smallest and largest whole number a type holds, within 2**61; dates stay in the years 1 to 9999.

    Examples
    --------
    >>> limits(pl.Boolean()), limits(pl.UInt8())
    ((0, 1), (0, 255))
    """
    if dtype == pl.Boolean:
        return 0, 1
    if dtype == pl.Date:
        return YEARS[0] // DAY, YEARS[1] // DAY
    if dtype == pl.Time:
        return 0, DAY * UNITS["ns"] - 1
    if isinstance(dtype, pl.Datetime):
        unit = UNITS[dtype.time_unit]
        return max(-SAFE, YEARS[0] * unit), min(SAFE, YEARS[1] * unit)
    if dtype.is_integer() and dtype not in (pl.Int128, pl.UInt128):
        bits = int(re.sub(r"\D", "", str(dtype)))
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if dtype.is_signed_integer() else (0, 2**bits - 1)
        return max(-SAFE, low), min(SAFE, high)
    return -SAFE, SAFE
