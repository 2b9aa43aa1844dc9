"""New rows: from what the user has to rows that nobody gave, in the same form."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, cast

import numpy as np

from narrows.data import Schema, Source
from narrows.data.tables.conditions import cell_ranges, named_conditions
from narrows.data.tables.schema import TableSchema
from narrows.errors import InputError
from narrows.params import param
from narrows.tasks.base import NewRows, Task
from narrows.tasks.generate.generator import Generator
from narrows.workflows.base import Request, Say
from narrows.workflows.outputs import decode, write_table
from narrows.workflows.tables import RowsWorkflow, schema_of

__all__ = ["DEFAULT_ROWS", "NewRowsWorkflow"]

DEFAULT_ROWS = 64


class Wanted(NamedTuple):
    """Conditions on the rows that are drawn: their class, and from where to where encoded cells are."""

    label: str | None
    ranges: dict[int, tuple[float, float]]


class NewRowsWorkflow(RowsWorkflow):
    """A table (csv, xlsx, json, SQLite, parquet, npy, ...), a folder of images, or a named dataset, for new rows.

    Classes are subfolders, or the column that ``label`` names.
    """

    asks: ClassVar[tuple[str, ...]] = ()
    knows: ClassVar[tuple[str, ...]] = ("decode", "n", "label", "random_state", "where")
    writes: ClassVar[tuple[str, ...]] = ("samples_classes",)

    where: str | None = param(
        None, "conditions on the rows that are drawn, again or with commas: income=>50K, age=30..40", several=True
    )

    def fit(self, task: Task, request: Request, say: Say) -> dict[str, Any]:
        """Train, and draw rows that meet the conditions."""
        facts = super().fit(task, request, say)
        wanted, seed = self._wanted(self.learnt.schema, self.where), task.estimator_.seed_
        self.drawn = _said(cast("Generator", task).new_rows(DEFAULT_ROWS, wanted.label, seed, wanted.ranges), say)
        return facts

    def schema_of(self, task: Task, learn: Source) -> Schema:
        """Return how rows become numbers, from those that are learnt from; conditions that do not fit are refused."""
        schema = super().schema_of(task, learn)
        self._wanted(schema, self.where)
        return schema

    def write(self, folder: Path) -> list[Path]:
        """Write new rows, and what lies between the rows of a table."""
        learnt = self.learnt
        rows = learnt.task.encoded(learnt.schema, learnt.source)
        outputs: Mapping[str, Any] = {**learnt.task.outputs(rows, fresh=False), "samples": self.drawn}
        return [path for stem, rows in outputs.items() for path in self._written(learnt.schema, rows, folder, stem)]

    def apply(self, task: Task, state: Mapping[str, Any], request: Request, out: Path, say: Say) -> list[Path]:
        """Write new rows, or the rows that codes stand for.

        Raises InputError where rows came without --decode, or --decode without codes.
        """
        schema, options = schema_of(state, task), request.given
        if request.decode and request.data:
            return decode(task, schema, request.data, out)
        if request.data or request.decode:
            came = f"{request.data} came for new rows" if request.data else "--decode came without codes"
            raise InputError(came, "narrows apply RUN -o OUT -n 64, or codes with --decode", "leave DATA out")
        wanted = self._wanted(schema, options.get("where"))
        n, label = options.get("n", DEFAULT_ROWS), options.get("label", wanted.label)
        rows = cast("Generator", task).new_rows(n, label, options.get("random_state"), wanted.ranges)
        return self._written(schema, _said(rows, say), out, "samples")

    def _wanted(self, schema: Schema, where: str | None) -> Wanted:
        """Return conditions that came as text."""
        if where is None:
            return Wanted(None, {})
        if not isinstance(schema, TableSchema):
            raise InputError("--where came for rows that are no table", "", "leave it out")
        names = [column.name for column in schema.columns]
        conditions = named_conditions(where, [*names, self.label] if self.label else names)
        return Wanted(conditions.pop(self.label or "", None), cell_ranges(conditions, schema))

    def _written(self, schema: Schema, rows: NewRows, folder: Path, stem: str) -> list[Path]:
        """Write rows in the form of the user's: images in a folder per class, tables with the column of the label."""
        values = np.asarray(rows.values).reshape(len(rows.values), *schema.shape)
        if rows.labels is None:
            return schema.write(values, folder, stem, rows.ids, rows.id_name)
        if schema.kind == "images":
            ids = np.array([f"{_safe(name)}/{row_id}" for name, row_id in zip(rows.labels, rows.ids, strict=True)])
            return schema.write(values, folder, stem, ids, rows.id_name)
        labels = {self.label or "class": rows.labels.tolist()}
        if schema.kind == "table" and not getattr(schema, "array", False):
            cells = schema.written(values).to_dict(as_series=True)  # type: ignore[attr-defined]
            return [write_table({**cells, **labels}, folder / f"{stem}.csv", rows.ids, rows.id_name)]
        paths = schema.write(values, folder, stem, rows.ids, rows.id_name)
        return [*paths, write_table(labels, folder / f"{stem}_classes.csv", rows.ids, rows.id_name)]


def _said(rows: NewRows, say: Say) -> NewRows:
    """Return rows once it is said how many of those drawn they are."""
    if rows.share < 1:
        say(f"{rows.share:.2%} of the rows that were drawn meet the conditions")
    return rows


def _safe(name: str) -> str:
    """Return a class's name as the name of a folder."""
    return str(name).replace("/", "_").replace("\\", "_").strip(". ") or "_"
