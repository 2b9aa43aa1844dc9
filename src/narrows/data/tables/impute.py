"""Holes of a table filled by a model; every other cell stays as it came."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from narrows.data.tables.categorical import CategoryColumn, ConstantColumn
from narrows.data.tables.columns import in_file_form
from narrows.data.tables.formatting import writable, write_csv
from narrows.data.tables.schema import TableSchema
from narrows.data.tables.source import TableSource
from narrows.files import whole, write_array

__all__ = ["file_form", "filled", "holes", "impute", "impute_shrunk", "write_imputed"]

Floats = NDArray[np.float64]
_MAX_PASSES = 5  # more of them leave the data
_MIN_CHANGE = 1e-3  # of a value, at which the passes end
_MAX_PROBED, _PROBED_SHARE, _MIN_PROBED = 2000, 0.15, 10  # rows, the share of their cells, and cells of a column


def holes(schema: TableSchema, frame: pl.DataFrame) -> NDArray[np.bool_]:
    """Return which encoded values stand for an empty cell, shape ``(n, d)``.

    Examples
    --------
    >>> from narrows.data import read
    >>> source = read(pl.DataFrame({"a": [1.0, None, 3.0], "b": ["x", "y", None]}))
    >>> holes(source.fit_schema(), source.frame).astype(int).tolist()
    [[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 1, 1]]
    """
    empty = [np.repeat(_empty(frame[c.name]).to_numpy()[:, None], len(c.features), axis=1) for c in schema.columns]
    return np.concatenate(empty, axis=1)


def impute(rows: Floats, missing: NDArray[np.bool_], reconstruct: Callable[[Floats], Any]) -> Floats:
    """Return encoded rows whose missing values agree with their reconstruction: filled, reconstructed, filled again.

    The known values are held fixed, so that they decide where on the model's surface a row lies; for a linear model
    it goes towards principal component analysis with missing values (Wiberg 1976; Ilin and Raiko 2010).

    Examples
    --------
    >>> rows = np.array([[2.0, 0.0]])
    >>> impute(rows, np.array([[False, True]]), lambda x: x.mean(1, keepdims=True).repeat(2, 1)).round(2).tolist()
    [[2.0, 1.94]]
    """
    rows, incomplete = rows.copy(), np.flatnonzero(missing.any(axis=1))
    part, hole = rows[incomplete], missing[incomplete]
    for _ in range(_MAX_PASSES if len(incomplete) else 0):
        completed = np.where(hole, reconstruct(part), part)
        change, part = float(np.abs(completed - part).max()), completed
        if change < _MIN_CHANGE:
            break
    rows[incomplete] = part
    return rows


def impute_shrunk(rows: Floats, missing: NDArray[np.bool_], reconstruct: Callable[[Floats], Any]) -> Floats:
    """Return what ``impute`` does, every column drawn to its mean as far as cells that are known and hidden ask for.

    A network that has learnt its rows by heart fills with too much confidence. The share of a column is the slope of
    the hidden values on what they are filled with, from 0 to 1.

    Examples
    --------
    >>> draw = np.random.default_rng(0)
    >>> rows = draw.normal(size=(500, 2))  # the columns say nothing of each other
    >>> rows[0, 1] = 0.0
    >>> missing = np.zeros((500, 2), bool)
    >>> missing[0, 1] = True
    >>> bool(abs(impute_shrunk(rows, missing, lambda x: x[:, ::-1])[0, 1]) < 0.2 * abs(rows[0, 0]))
    True
    """
    known = ~missing
    mean = np.where(known, rows, 0.0).sum(0) / np.maximum(known.sum(0), 1)
    some = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _MAX_PROBED)).astype(int))
    hidden = known[some] & (np.random.default_rng(0).random((len(some), rows.shape[1])) < _PROBED_SHARE)
    start = np.where(missing, mean, rows)
    guesses = impute(np.where(hidden, mean, start[some]), hidden | missing[some], reconstruct) - mean
    products, squares = ((guesses * other * hidden).sum(0) for other in (rows[some] - mean, guesses))
    slopes = np.clip(products / np.maximum(squares, 1e-12), 0.0, 1.0)
    slopes = np.where(hidden.sum(0) >= _MIN_PROBED, slopes, 1.0)
    return np.where(missing, mean + slopes * (impute(start, missing, reconstruct) - mean), rows)


def filled(
    schema: TableSchema, source: TableSource, complete: Callable[[Floats, NDArray[np.bool_]], Floats]
) -> pl.DataFrame | None:
    """Return the table with its empty cells filled, in the columns, units and types that it came in; None: no holes.

    ``complete`` is given encoded rows and which of their values are missing, and returns the rows filled.
    Columns that the model does not know (identifiers, free text, columns that are empty throughout) stay as they are.
    """
    frame = schema.conform(source.frame)
    missing = holes(schema, frame)
    constants = [c for c in schema.columns if isinstance(c, ConstantColumn) and c.value is not None]
    if not missing.any() and not any(_empty(frame[c.name]).any() for c in constants):
        return None
    rows, start = schema.encode(source), 0
    unused = np.zeros(schema.shape[0], bool)  # the level "missing" of a category
    for column in schema.columns:
        stop = start + len(column.features)
        if isinstance(column, CategoryColumn):
            rows[missing[:, start], start:stop] = 0.0
            unused[stop - 1] = column.missing
        start = stop
    rows = complete(rows, missing & ~unused)
    rows[:, unused] = -np.inf  # decoded, a category is then one of its levels
    decoded = schema.decode(rows)
    changed = []
    for column in schema.columns:
        series, name = frame[column.name], column.name
        value = in_file_form(decoded[name], column, texts=False)
        changed.append(_put(series, value) if _empty(series).any() else source.frame[name])
    return source.frame.with_columns(changed)


def write_imputed(schema: TableSchema, frame: pl.DataFrame, folder: Path) -> Path:
    """Write ``imputed.csv`` with the columns of the table, or ``imputed.npy`` where the table was an array."""
    if schema.array:
        return write_array(frame.to_numpy(), folder / "imputed.npy")
    with whole(folder / "imputed.csv") as draft:
        write_csv(file_form(schema, frame), draft)
    return folder / "imputed.csv"


def file_form(schema: TableSchema, frame: pl.DataFrame) -> pl.DataFrame:
    """Return a table as a text file holds it: dates as they were written, lists and structs as JSON."""
    known = {column.name: column for column in schema.columns}
    return writable(
        pl.DataFrame([in_file_form(s, known[s.name], digits=False) if s.name in known else s for s in frame])
    )


def _put(series: pl.Series, value: pl.Series) -> pl.Series:
    """Fill the empty cells of a series from another one."""
    if series.dtype == pl.Null:  # no cell says of what type it is
        return value
    plain = series.fill_nan(None) if series.dtype.is_float() else series
    return plain.fill_null(value.cast(series.dtype))


def _empty(series: pl.Series) -> pl.Series:
    if not series.dtype.is_float():
        return series.is_null()
    return pl.Series(series.name, np.isnan(series.to_numpy()))  # null becomes NaN
