"""Tables without some of their columns."""

from __future__ import annotations

import shlex
from dataclasses import replace

from narrows.data.base import Source, row_numbers
from narrows.data.tables.source import TableSource
from narrows.errors import InputError, unknown
from narrows.notes import Note

__all__ = ["without_column", "without_columns"]


def without_columns(source: Source, names: str | None, *, fitted: bool = False) -> Source:
    """Take columns out of a table and say so; ``names`` has commas between, and None gives the source as it is.

    A name that is no column raises InputError; ``fitted``: after the fit it may be missing.

    Examples
    --------
    >>> import polars as pl
    >>> from narrows.data import read
    >>> source = without_columns(read(pl.DataFrame({"a": [1, 2], "b": [1, 5], "c": [0, 3]})), "a, c")
    >>> source.frame.columns, source.notes
    (['b'], ("'a', 'c' left out: --drop",))
    """
    if names is None:
        return source
    if not isinstance(source, TableSource):
        raise InputError(f"--drop {names} came for {source.name!r}, which is no table", "", "leave it out")
    columns = source.frame.columns
    wanted = [names] if names in columns else [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in columns and not fitted:
            came = f"{source.name!r} has no column {name!r}"
            raise unknown(came, name, columns, lambda near: f"--drop {shlex.quote(near)}")
        source = without_column(source, name) if name in source.frame.columns else source
    notes = () if fitted else (Note(f"{', '.join(map(repr, wanted))} left out: --drop"),)
    return replace(source, notes=(*source.notes, *notes))


def without_column(source: TableSource, column: str) -> TableSource:
    """Return the table without a column, also an identifier; raises InputError where none to learn from is left."""
    others = tuple(name for name in source.id_columns if name != column)
    notes = tuple(note for note in source.notes if column not in source.id_columns or note.where != column)
    table = replace(source, frame=source.frame.drop(column), id_columns=others, notes=notes)
    if source.id_name == column:
        table = replace(table, ids=row_numbers(len(source)), id_name="row")
    if not table.frame.drop(others).width:
        raise InputError(f"{source.name!r} has no column besides {column!r}", "columns to learn from", "another column")
    return table
