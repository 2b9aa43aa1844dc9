"""Columns of a table that hold what the user says."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import polars as pl

from narrows.data.base import Source, row_numbers
from narrows.data.tables.infer import as_type, infer
from narrows.data.tables.source import TableSource
from narrows.errors import InputError, nearest, unknown
from narrows.notes import Note

__all__ = ["KINDS", "with_kinds"]

_MAX_LEVELS = 1000  # of a category or an ordinal column

KINDS: dict[str, str] = {
    "number": "numbers",
    "whole": "whole numbers",
    "count": "whole numbers of 0 or more",
    "amount": "numbers of 0 or more",
    "share": "numbers from 0 to 1, or from 0 to 100",
    "ordinal": f"numbers, of which at most {_MAX_LEVELS} differ",
    "category": f"cells of which at most {_MAX_LEVELS} differ",
    "date": "dates or times",
    "text": "anything; nothing is learnt from it",
    "identifier": "anything; it names the rows",
}
"""What a column may be said to hold, and which cells that takes."""


class Cells(NamedTuple):
    """A column of the type that was chosen, and how its dates are written."""

    series: pl.Series
    format: str | None = None


def with_kinds(source: Source, columns: Mapping[str, str] | str | None) -> Source:
    """Return a table whose columns hold what is said: ``{"zip": "category"}``, or a text, ``zip=category,pay=amount``.

    Raises InputError where there is no such column or kind, or where the cells cannot be that.

    Examples
    --------
    >>> from narrows.data import read
    >>> source = with_kinds(read(pl.DataFrame({"zip": [2138, 2139, 2138], "x": [1.0, 2.0, 5.0]})), "zip=category")
    >>> source.fit_schema().feature_names
    ('zip=2138', 'zip=2139', 'x')
    """
    if not columns:
        return source
    if not isinstance(source, TableSource):
        raise InputError(f"kinds of columns came for {source.name!r}, which is no table", "", "leave them out")
    chosen = dict(map(_pair, columns.split(","))) if isinstance(columns, str) else dict(columns)
    for name, kind in chosen.items():
        source = _with_kind(source, name, kind)
    return replace(source, kinds={**source.kinds, **chosen})


def _pair(text: str) -> tuple[str, str]:
    name, mark, kind = text.rpartition("=")
    if not mark:
        raise InputError(f"{text!r} came as the kind of a column", "NAME=KIND", f"--column {text}=category")
    return name.strip(), kind.strip()


def _with_kind(source: TableSource, name: str, kind: str) -> TableSource:
    if name not in source.frame.columns:
        came = f"{source.name!r} has no column {name!r}"
        raise unknown(came, name, source.frame.columns, lambda near: f"--column {shlex.quote(f'{near}={kind}')}")
    if kind not in KINDS:
        near = nearest(kind, KINDS)
        hint = f"--column {shlex.quote(f'{name}={near}')}" if near else ""
        raise InputError(f"{kind!r} is no kind of column", ", ".join(KINDS), hint)
    notes = tuple(note for note in source.notes if note.where != name)
    series = source.frame[name]
    if kind == "identifier":
        ids = np.array(series.cast(pl.String).fill_null("").to_list(), np.str_)
        others = tuple(c for c in source.id_columns if c != name)
        note = Note(f"{name!r} names the rows, as was chosen", where=name)
        return replace(source, ids=ids, id_name=name, id_columns=(name, *others), notes=(*notes, note))
    cells = _as_kind(series, kind)
    formats = {**source.formats, name: cells.format} if cells.format else source.formats
    frame, others = source.frame.with_columns(cells.series), tuple(c for c in source.id_columns if c != name)
    table = replace(source, frame=frame, id_columns=others, formats=formats, notes=notes)
    return replace(table, ids=row_numbers(len(source)), id_name="row") if source.id_name == name else table


def _as_kind(series: pl.Series, kind: str) -> Cells:
    """Return a column as the type of a kind; raises InputError naming the first cell that is none."""
    if kind == "text":
        return Cells(series)
    if kind == "category":
        whole = series.dtype.is_float() and bool((series.drop_nulls() == series.drop_nulls().round()).all())
        text = (series.cast(pl.Int64) if whole else series).cast(pl.String)
        _require(series, text.drop_nulls().n_unique() <= _MAX_LEVELS, kind)
        return Cells(text)
    if kind == "date":
        if series.dtype.is_temporal():
            return Cells(series)
        parsed = infer(series.cast(pl.String))
        _require(series, parsed.series.dtype.is_temporal(), kind)
        return Cells(parsed.series, parsed.format)
    return Cells(_numbers(series, kind))


def _numbers(series: pl.Series, kind: str) -> pl.Series:
    _require(series, not series.dtype.is_temporal() and not series.dtype.is_nested(), kind)
    if series.dtype in (pl.String, pl.Categorical, pl.Enum):
        try:
            numbers = as_type(series.cast(pl.String), pl.Float64())
        except InputError as error:
            raise InputError(f"{error.came}, which is read as {kind}", KINDS[kind], error.hint) from None
    else:
        numbers = series.cast(pl.Float64)
    whole = numbers.is_null() | (numbers == numbers.round())
    _require(series, whole.fill_null(True) if kind in ("whole", "count") else True, kind)
    _require(series, (numbers >= 0).fill_null(True) if kind in ("count", "amount", "share") else True, kind)
    _require(series, (numbers <= 100).fill_null(True) if kind == "share" else True, kind)
    _require(series, numbers.n_unique() <= _MAX_LEVELS if kind == "ordinal" else True, kind)
    if series.dtype.is_integer() or series.dtype.is_float():
        return series.cast(pl.Int64) if kind in ("whole", "count") else series
    return numbers.cast(pl.Int64) if whole.all() else numbers


def _require(series: pl.Series, good: pl.Series | bool, kind: str) -> None:
    """Refuse a column of which not every cell is good, naming the first that is not."""
    if good is True or (isinstance(good, pl.Series) and good.all()):
        return
    row = int((~good).arg_true()[0]) if isinstance(good, pl.Series) else None
    cell = f"row {row} holds {series[row]!r}" if row is not None else f"its cells are of type {series.dtype}"
    came = f"column {series.name!r} cannot be read as {kind}: {cell}"
    raise InputError(came, KINDS[kind], "choose another kind, or correct the cells")
