"""Conditions on the columns of a table: ``income=>50K``, ``age=30..40``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from narrows.data.tables.categorical import CategoryColumn, ConstantColumn
from narrows.data.tables.column import Column
from narrows.data.tables.columns import NumericColumn
from narrows.data.tables.conform import conform
from narrows.data.tables.schema import TableSchema
from narrows.errors import InputError, listed

__all__ = ["cell_ranges", "conditions_of", "named_conditions"]

_SHAPE = "NAME=VALUE, or NAME=LOW..HIGH for numbers and dates"
_ROUNDING = 1e-7  # of an encoded value


def named_conditions(text: str, names: Sequence[str]) -> dict[str, str]:
    """Return the conditions of a text by column; commas stand between them, and may stand in values.

    Raises InputError for a column that is none of ``names``, or that comes twice.

    Examples
    --------
    >>> named_conditions("town=Paris, Texas,age=30..40", ["age", "town"])
    {'town': 'Paris, Texas', 'age': '30..40'}
    """
    result: dict[str, str] = {}
    last = ""
    for piece in text.split(","):
        known = [name for name in names if piece.strip().startswith(f"{name}=")]
        if not known and not last:
            column, mark, _ = piece.partition("=")
            came = f"A condition on {column.strip()!r} came" if mark else f"The condition {piece!r} came"
            raise InputError(came, f"{_SHAPE}; columns: {listed(names)}", f"--where {names[0]}=VALUE")
        if not known:
            result[last] += f",{piece}"
            continue
        last = max(known, key=len)
        if last in result:
            raise InputError(f"Two conditions on {last!r} came", "one for a column", f"--where {last}=LOW..HIGH")
        result[last] = piece.strip()[len(last) + 1 :]
    return result


def conditions_of(where: Mapping[Any, Any], schema: TableSchema) -> dict[str, str]:
    """Return conditions on the columns of a frame as text: a value, or a pair of ends.

    Raises InputError for a column that the fit did not see, and for ends that are no pair.

    Examples
    --------
    >>> from narrows.data import read
    >>> schema = read(pl.DataFrame({"size": [1.0, 3.0, 5.5], "colour": ["red", "blue", "red"]})).fit_schema()
    >>> conditions_of({"size": (1, 3), "colour": "red"}, schema)
    {'size': '1..3', 'colour': 'red'}
    """
    names = [column.name for column in schema.columns]
    result = {}
    for name, wanted in where.items():
        if str(name) not in names:
            raise InputError(f"A condition on {name!r} came", listed(names))
        result[str(name)] = "..".join(map(str, as_ends(name, wanted))) if is_pair(wanted) else str(wanted)
    return result


def is_pair(wanted: Any) -> bool:
    """Return whether a condition has two ends."""
    return isinstance(wanted, tuple | list)


def as_ends(name: Any, wanted: Any) -> tuple[Any, Any]:
    """Return both ends of a condition: of a value twice it. Raises InputError for ends that are no pair."""
    if not is_pair(wanted):
        return wanted, wanted
    if len(wanted) != 2:
        raise InputError(f"A condition on {name!r} of {len(wanted)} ends came", "a value, or a pair of ends")
    return wanted[0], wanted[1]


def cell_ranges(conditions: Mapping[str, str], schema: TableSchema) -> dict[int, tuple[float, float]]:
    """Return by the place of a column among those that vary the least and the largest encoded value that is wanted.

    That of a category is the place of its level. Raises InputError for values that the fit did not see.

    Examples
    --------
    >>> from narrows.data import read
    >>> frame = pl.DataFrame({"size": [1.0, 3.0, 5.5], "colour": ["red", "blue", "red"]})
    >>> ranges = cell_ranges({"colour": "red"}, read(frame).fit_schema())
    >>> {cell: [round(end, 3) for end in ends] for cell, ends in ranges.items()}
    {1: [1.0, 1.0]}
    """
    cells = [column for column in schema.columns if column.features]
    ranges = {}
    for name, wanted in conditions.items():
        column = next(column for column in schema.columns if column.name == name)
        if column not in cells:
            raise InputError(
                f"A condition on {name!r} came", "a column of several values", f"{name} is {column.extent()}"
            )
        low, high = _ends(column, wanted.strip(), schema.decimal_comma or False)
        ranges[cells.index(column)] = low - _ROUNDING * max(1, abs(low)), high + _ROUNDING * max(1, abs(high))
    return ranges


def _ends(column: Column, wanted: str, decimal_comma: bool) -> tuple[float, float]:
    if isinstance(column, CategoryColumn):
        if wanted not in column.levels:
            raise InputError(f"{column.name}={wanted} came", listed(column.levels))
        return (float(column.levels.index(wanted)),) * 2
    low, _, high = wanted.partition("..")
    cells = pl.Series(column.name, [low.strip(), (high or low).strip()])
    try:
        values = conform(cells, column, decimal_comma)
    except InputError:
        values = pl.Series([None, None])
    if values.null_count() or (isinstance(column, ConstantColumn) and column.differs(values).any()):
        raise InputError(f"{column.name}={wanted} came", column.extent(), _SHAPE)
    first, last = sorted(column.encode(values)[:, 0].tolist())
    if isinstance(column, NumericColumn) and column.support is not None:
        ends = column.encode(column.decode(column.encode(values)))[:, 0]  # within the range of the fit
        if last < ends.min() - _ROUNDING or first > ends.max() + _ROUNDING:
            raise InputError(f"{column.name}={wanted} came", column.extent(), f"{column.name}=LOW..HIGH within it")
    return first, last
