"""Errors of encoded columns in the units of their file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from narrows.data.tables.categorical import CategoryColumn
from narrows.data.tables.column import Column, Floats

if TYPE_CHECKING:
    from narrows.data.tables.schema import TableSchema

__all__ = ["column_errors", "errors_table", "in_own_unit", "unit_of"]

_DAYS = {"ms": 1 / 86_400e3, "us": 1 / 86_400e6, "ns": 1 / 86_400e9}


def unit_of(column: Column) -> str:
    """Return in which unit the errors of a column are: days of dates and times."""
    if isinstance(column, CategoryColumn):
        return "share of wrong levels"
    return "days" if column.type.is_temporal() else "its own"


def in_own_unit(column: Column, values: Floats) -> Floats:
    """Return encoded numbers (n,) of a column as its file counts them: days of dates and times.

    Examples
    --------
    >>> from narrows.data.tables.columns import NumberColumn
    >>> in_own_unit(NumberColumn.fit(pl.Series("a", [10.0, 20.0, 60.0])), np.array([0.0])).tolist()
    [30.0]
    """
    series = column.decode(np.asarray(values, np.float64)[:, None])
    step = _DAYS.get("ns" if series.dtype == pl.Time else getattr(series.dtype, "time_unit", ""), 1.0)
    return np.asarray(series.to_physical().cast(pl.Float64).to_numpy() * step)


def errors_table(schema: TableSchema, errors: Mapping[str, Mapping[str, float]], lead: str) -> dict[str, Any]:
    """Return errors by column, of several methods, as a table of a report."""
    columns = [column for column in schema.columns if all(column.name in values for values in errors.values())]
    rows = [[c.name, unit_of(c), *(f"{values[c.name]:.4g}" for values in errors.values())] for c in columns]
    return {"title": "Errors by column", "lead": lead, "columns": ("column", "unit", *errors), "rows": rows}


def column_errors(schema: TableSchema, truth: Floats, values: Floats) -> dict[str, float]:
    """Return the error of every encoded column of a table in its own unit, from encoded rows (n, d) and what is given.

    Of numbers, dates and times the root mean square, of categories the share of wrong levels. NaN counts for nothing.

    Examples
    --------
    >>> from narrows.data import read
    >>> source = read(pl.DataFrame({"size": [10.0, 20.0, 60.0], "town": ["Ulm", "Bonn", "Ulm"]}))
    >>> schema = source.fit_schema()
    >>> rows = schema.encode(source)
    >>> column_errors(schema, rows, rows[::-1]), column_errors(schema, rows, rows[[1, 1, 2]])["town"]
    ({'size': 40.824829046386306, 'town': 0.0}, 0.3333333333333333)
    """
    errors, start = {}, 0
    for column in schema.columns:
        stop = start + len(column.features)
        known = ~np.isnan(truth[:, start]) if stop > start else np.zeros(0, bool)
        if known.any():
            ours, theirs = values[known, start:stop], truth[known, start:stop]
            if isinstance(column, CategoryColumn):
                errors[column.name] = float((ours.argmax(1) != theirs.argmax(1)).mean())
            else:
                gap = in_own_unit(column, ours[:, 0]) - in_own_unit(column, theirs[:, 0])
                errors[column.name] = float(np.sqrt(np.nanmean(np.square(gap))))
        start = stop
    return errors
