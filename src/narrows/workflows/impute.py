"""A table with empty cells, and the table without them."""

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl

from narrows.data import Schema, Source
from narrows.data.tables.formatting import as_text
from narrows.data.tables.impute import file_form, filled, holes, write_imputed
from narrows.data.tables.never_known import never_known
from narrows.data.tables.oddities import few_levels
from narrows.data.tables.schema import TableSchema
from narrows.data.tables.source import TableSource
from narrows.errors import InputError
from narrows.notes import Note
from narrows.tasks.impute import Imputer
from narrows.workflows.base import Request, Say
from narrows.workflows.outputs import write_table
from narrows.workflows.tables import RowsWorkflow

__all__ = ["ImputeWorkflow"]


class ImputeWorkflow(RowsWorkflow):
    """A table (csv, xlsx, json, SQLite, parquet, npy, ...) with empty cells.

    ``imputed.csv`` is the table with its empty cells filled, ``imputed_intervals.csv`` has a line for each of them.
    """

    knows: ClassVar[tuple[str, ...]] = ()  # what is decoded is filled cells, and no code of a row
    writes: ClassVar[tuple[str, ...]] = ("imputed", "imputed_intervals")

    def fit(self, task: Any, request: Request, say: Say) -> dict[str, Any]:
        """Read the table, put some rows aside, and train on the others.

        Raises InputError for another --likelihood than mixed.
        """
        if "likelihood" in request.given:
            task.mixed(request.given["likelihood"])
        return super().fit(task, request, say)

    def read(self, data: str, like: Schema | None, image_size: tuple[int, int] | None = None) -> Source:
        """Read a table.

        Raises InputError where the data is none.
        """
        source = super().read(data, like, image_size)
        if not isinstance(source, TableSource):
            came = f"{data} holds no table: only a table has cells to fill"
            raise InputError(
                came, "a table: csv, xlsx, json, SQLite, parquet, npy, ...", "narrows fit impute table.csv"
            )
        return source

    def open(self, data: str, like: Schema | None = None) -> Source:
        """Read a table, and name the columns that are empty wherever another one holds a value."""
        source = super().open(data, like)
        if not isinstance(source, TableSource):
            return source
        frame = source.plain()
        few = [series.name for series in frame if few_levels(series.n_unique(), len(series))]
        notes = (Note(empty.sentence(), where=empty.column) for empty in never_known(frame, few))
        return replace(source, notes=(*source.notes, *notes))

    def put(
        self, task: Any, schema: Schema, source: Source, X: Any, folder: Path, *, fresh: bool = False
    ) -> list[Path]:
        """Write the table with its empty cells filled, and for each of them its interval."""
        if not isinstance(schema, TableSchema) or not isinstance(source, TableSource):
            return super().put(task, schema, source, X, folder, fresh=fresh)
        whole = filled(schema, source, task.complete)
        frame = source.frame if whole is None else whole
        return [write_imputed(schema, frame, folder), _write_intervals(task, schema, source, frame, folder)]


def _write_intervals(
    task: Imputer, schema: TableSchema, source: TableSource, frame: pl.DataFrame, folder: Path
) -> Path:
    """Write a line for every filled cell: row, column, value; of a number its interval, of a level its probability."""
    missing = holes(schema, schema.conform(source.frame))
    result = task.fill(np.where(missing, np.nan, schema.encode(source)))
    texts = file_form(schema, frame)
    ends = [schema.written(values) for values in (result.low, result.high)]
    columns: dict[str, list[Any]] = {name: [] for name in ("column", "value", "low", "high", "probability")}
    ids, start, cell = [], 0, 0
    for column in schema.columns:
        width = len(column.features)
        rows = np.flatnonzero(missing[:, start]) if width else np.zeros(0, int)
        if len(rows):
            level = not np.isnan(result.chances[rows, cell]).all()
            low, high = ([None] * len(rows) if level else as_text(end[column.name][rows]) for end in ends)
            columns["column"] += [column.name] * len(rows)
            columns["value"] += list(as_text(texts[column.name][rows]))
            columns["low"] += list(low)
            columns["high"] += list(high)
            columns["probability"] += [None if np.isnan(p) else round(float(p), 4) for p in result.chances[rows, cell]]
            ids += source.ids[rows].tolist()
        start, cell = start + width, cell + bool(width)
    return write_table(columns, folder / "imputed_intervals.csv", np.array(ids, np.str_), source.id_name)
