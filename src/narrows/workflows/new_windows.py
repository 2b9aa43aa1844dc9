"""New windows of a series: stretches of time that nobody gave, in the form of the file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np

from narrows.data.tables.formatting import save_csv, with_ids
from narrows.data.tables.schema import TableSchema
from narrows.data.tables.source import TableSource
from narrows.errors import ArtefactError, InputError
from narrows.tasks.base import NewRows
from narrows.tasks.generate.generator import Generator
from narrows.workflows.base import Request, Say
from narrows.workflows.generate import DEFAULT_ROWS
from narrows.workflows.windows import WindowsWorkflow

__all__ = ["NewWindowsWorkflow"]


class NewWindowsWorkflow(WindowsWorkflow):
    """A table with a time column, ``--time COLUMN``, for new windows like those of its series.

    Every new window has a number, and every step of it a row in the units of the file. Where a channel has a trend, new
    windows are at the level of the middle of what was learnt from.
    """

    asks: ClassVar[tuple[str, ...]] = ()
    knows: ClassVar[tuple[str, ...]] = ("n", "random_state")

    def schema_of(self, learn: TableSource) -> TableSchema:
        """Return how rows become numbers; what is drawn lies in their range."""
        return learn.fit_schema()

    def write(self, folder: Path) -> list[Path]:
        """Write new windows, and what lies between those of the series."""
        outputs: Mapping[str, Any] = self.task.outputs(self.learnt.rows(), fresh=False)
        return [self._save(rows, folder / f"{stem}.csv") for stem, rows in outputs.items()]

    def apply(self, task: Any, state: Mapping[str, Any], request: Request, out: Path, say: Say) -> list[Path]:
        """Write new windows.

        Raises InputError where rows came, and ArtefactError where the schema is that of another model.
        """
        if request.data:
            came = f"{request.data} came for new windows"
            raise InputError(came, "narrows apply RUN -o OUT -n 64", "leave DATA out")
        self.schema, values = TableSchema.from_json(state["schema"]), task.estimator_.shapes_[0][0]
        if values != self.window * self.schema.shape[0]:
            came = f"The schema gives windows of {self.window} x {self.schema.shape[0]}, and the model reads {values}"
            raise ArtefactError(came, "the files of one fit")
        options = request.given
        rows = cast("Generator", task).new_rows(options.get("n", DEFAULT_ROWS), None, options.get("random_state"))
        return [self._save(rows, out / "samples.csv")]

    def _save(self, rows: NewRows, path: Path) -> Path:
        """Write windows one after the other, a line for each step."""
        frame = self.schema.written(np.asarray(rows.values).reshape(-1, self.schema.shape[0]))
        frame = with_ids(frame, np.tile(np.arange(1, self.window + 1), len(rows.values)), "step")
        return save_csv(with_ids(frame, np.repeat(rows.ids, self.window), rows.id_name), path)
