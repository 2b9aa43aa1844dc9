"""Columns of a table in which some values stand for a missing cell."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import polars as pl

from narrows.data.base import Source
from narrows.data.tables.source import TableSource
from narrows.errors import InputError, unknown
from narrows.notes import Note

__all__ = ["with_missing"]


def with_missing(
    source: Source, missing: Mapping[str, Sequence[object]] | str | None, *, fitted: bool = False
) -> Source:
    """Return a table in which some values are missing cells: ``{"age": [-1, 99]}``, or a text, ``age=-1,age=99``.

    Raises InputError where there is no such column, or where a value is no number and the column holds numbers;
    ``fitted``: after the fit a column may be missing.

    Examples
    --------
    >>> from narrows.data import read
    >>> source = with_missing(read(pl.DataFrame({"age": [31, 99, 40], "x": [1.0, 2.0, 5.0]})), "age=99")
    >>> source.frame["age"].to_list(), source.notes[-1]
    ([31, None, 40], "'age': 99 is a missing cell in 1 row (--missing)")
    """
    if not missing:
        return source
    if not isinstance(source, TableSource):
        raise InputError(f"values that stand for missing cells came for {source.name!r}, which is no table")
    for name, value in _pairs(missing):
        if name in source.frame.columns:
            source = _with_missing(source, name, value)
        elif not fitted:
            raise _no_column(source, name, value)
    return source


def _no_column(source: TableSource, name: str, value: object) -> InputError:
    came = f"{source.name!r} has no column {name!r}"
    return unknown(came, name, source.frame.columns, lambda near: f"--missing {shlex.quote(f'{near}={value}')}")


def _pairs(missing: Mapping[str, Sequence[object]] | str) -> Iterable[tuple[str, object]]:
    if not isinstance(missing, str):
        return [(name, value) for name, values in missing.items() for value in values]
    parts = [text.rpartition("=") for text in missing.split(",")]
    for _, mark, value in parts:
        if not mark:
            raise InputError(f"{value!r} came as a missing value", "COLUMN=VALUE", f"--missing {value}=-999")
    return [(name.strip(), value.strip()) for name, _, value in parts]


def _with_missing(source: TableSource, name: str, value: object) -> TableSource:
    series = source.frame[name]
    if series.dtype.is_numeric():
        try:
            number = float(str(value))
        except ValueError:
            came = f"{value!r} came as a missing value of {name!r}, which holds numbers"
            raise InputError(came, "a number", f"--missing {shlex.quote(f'{name}=-999')}") from None
        stands = (series == number).fill_null(False)
    else:
        stands = (series.cast(pl.String) == str(value)).fill_null(False)
    rows = int(stands.sum())
    note = Note(f"{name!r}: {value} is a missing cell in {rows} row{'s' * (rows != 1)} (--missing)", where=name)
    frame = source.frame.with_columns(series.set(stands, None))
    return replace(source, frame=frame, notes=(*source.notes, note))
