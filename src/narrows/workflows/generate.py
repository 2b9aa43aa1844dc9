"""New rows: from what the user has to rows that nobody gave, in the same form."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np

from narrows.data import Schema
from narrows.errors import InputError
from narrows.tasks.base import NewRows, Task
from narrows.tasks.generate.generator import Generator
from narrows.workflows.base import Request, Say
from narrows.workflows.outputs import decode, write_table
from narrows.workflows.tables import RowsWorkflow, encoded, schema_of

__all__ = ["DEFAULT_ROWS", "NewRowsWorkflow"]

DEFAULT_ROWS = 64


class NewRowsWorkflow(RowsWorkflow):
    """A table (csv, tsv, parquet, npy, npz), a folder of images, or a named dataset, for new rows like those.

    Classes are subfolders, or the column that ``label`` names.
    """

    asks: ClassVar[tuple[str, ...]] = ()
    knows: ClassVar[tuple[str, ...]] = ("decode", "n", "label", "random_state")
    writes: ClassVar[tuple[str, ...]] = ("samples_classes",)

    def write(self, folder: Path) -> list[Path]:
        """Write new rows, and what lies between the rows of a table."""
        learnt = self.learnt
        outputs: Mapping[str, Any] = learnt.task.outputs(
            encoded(learnt.task, learnt.schema, learnt.source), fresh=False
        )
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
        rows = cast("Generator", task).new_rows(
            options.get("n", DEFAULT_ROWS), options.get("label"), options.get("random_state")
        )
        return self._written(schema, rows, out, "samples")

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


def _safe(name: str) -> str:
    """Return a class's name as the name of a folder."""
    return str(name).replace("/", "_").replace("\\", "_").strip(". ") or "_"
