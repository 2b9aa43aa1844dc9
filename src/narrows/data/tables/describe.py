"""A table of the columns of a table: what they hold, how they are scaled, and what is odd about them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import polars as pl

from narrows.data.base import Source
from narrows.data.tables.column import Column
from narrows.data.tables.columns import NumericColumn, in_file_form
from narrows.data.tables.formatting import cell_text
from narrows.errors import InputError

if TYPE_CHECKING:
    from narrows.data.tables.oddities import Oddity
    from narrows.data.tables.schema import TableSchema
    from narrows.data.tables.source import TableSource

__all__ = ["describe", "described"]

_MASS_SHARE = 0.05
HEAD = ("column", "kind", "scale", "missing", "range", "example", "odd")


def describe(data: object) -> pl.DataFrame:
    """Return one row for every column of a table: column, kind, scale, missing, range, example, odd.

    Parameters
    ----------
    data : Source, or anything that ``read`` takes
        A table; anything else raises InputError.

    Examples
    --------
    >>> table = describe(pl.DataFrame({"town": ["Ulm", "Bonn", "Ulm"], "rooms": [2, 3, None]}))
    >>> table.select("column", "kind", "missing", "range").rows()
    [('town', 'category', 0, '2 levels'), ('rooms', 'two values', 1, '2 to 3')]
    """
    from narrows.data.read import read
    from narrows.data.tables.oddities import oddities
    from narrows.data.tables.source import TableSource

    source = data if isinstance(data, Source) else read(data)
    if not isinstance(source, TableSource):
        raise InputError(f"{source.name!r} is no table", "a table, whose columns are described")
    schema = source.fit_schema()
    return described(source, schema, oddities(source, schema))


def described(source: TableSource, schema: TableSchema, found: Iterable[Oddity]) -> pl.DataFrame:
    """Return the rows of ``describe`` for a table, the schema that it gave, and what is odd about its columns."""
    odd: dict[str, list[str]] = {}
    for oddity in found:
        odd.setdefault(oddity.column, []).append(oddity.short)
    columns = {column.name: column for column in schema.columns}
    rows: list[dict[str, Any]] = []
    for series in source.frame:
        plain = series.fill_nan(None) if series.dtype.is_float() else series
        known = plain.drop_nulls()
        column, kind = columns.get(series.name), "identifier" if series.name in source.id_columns else "text"
        cells: dict[str, Any] = {"column": series.name, "kind": kind, "scale": "left out", "range": ""}
        if column is not None:
            kind = column.holding() + _zeros(column, known)
            cells |= {"kind": kind, "scale": column.scaling(plain), "range": column.extent()}
        first = known[:1] if column is None else in_file_form(known[:1], column, digits=False)
        example = "" if first.is_empty() else cell_text(first[0])
        cells |= {"missing": plain.null_count(), "example": example, "odd": "; ".join(odd.get(series.name, []))}
        rows.append(cells)
    return pl.DataFrame(rows, schema=dict.fromkeys(HEAD, pl.String) | {"missing": pl.Int64}, infer_schema_length=None)


def _zeros(column: Column, known: pl.Series) -> str:
    """Say how many cells are 0, where that is a point mass of more than a few values."""
    if not isinstance(column, NumericColumn) or column.support is None or not column.support.gaps:
        return ""
    share = int((known == 0).sum()) / len(known) if known.dtype.is_numeric() else 0.0
    return f", {share:.0%} zeros" if share >= _MASS_SHARE else ""
