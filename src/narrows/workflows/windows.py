"""Windows of a series as rows: what a task gives for them, at every time stamp."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl

from narrows.base_measure import Measure
from narrows.data.series import StepSums, batches_of
from narrows.data.tables.formatting import save_csv
from narrows.data.windows import Windows
from narrows.holdout import Role
from narrows.notes import Note
from narrows.tasks.base import rows_of_windows, spaced
from narrows.training.random import seed_of
from narrows.workflows.base import Evaluated, Items, Request, Say
from narrows.workflows.timed import MOST_WINDOWS, TimedWorkflow

__all__ = ["WindowsWorkflow"]

_MOST_JUDGED, _MOST_ITEMS = 5000, 10_000  # windows that are measured on, and that a map shows


class WindowsWorkflow(TimedWorkflow):
    """A table with a time column, ``--time COLUMN``, and one column for each channel; of several series with ``--by``.

    Windows of the first 80 % of the time, of every series, are rows to learn from, those of the rest are measured on.
    What a task gives for a row stands at the last time stamp of its window; where it gives rows, a stamp has the mean
    over the windows that cover it, in the units of the file.
    """

    learns: ClassVar[tuple[Role, ...]] = (Role.LEARN, Role.THRESHOLD)

    def train(self, request: Request) -> list[str]:
        """Fit to windows of the first four fifths of the time."""
        task, learns = self.task, np.isin(self.part, self.learns)
        starts = self.starts_in(learns.astype(int))
        learnt = learns[starts]
        names = self.schema.feature_names
        windows = (Windows(self.values, places, self.window, names) for places in (starts[learnt], starts[~learnt]))
        self.learnt, self.held = (
            part.drawn(most, seed_of(task.random_state))
            for part, most in zip(windows, (MOST_WINDOWS, _MOST_JUDGED), strict=True)
        )
        rows = self.learnt.rows()
        task.read_columns(self._measures() * self.window)
        if "latent_dim" not in request.given:
            task.set_params(**task.suited(rows.shape[1:]))
        task.fit(rows)
        everywhere = replace(self.learnt, starts=self.all_starts())
        return self.short_pieces(everywhere.runs >= 0)

    def encode(self) -> tuple[np.ndarray, list[Note]]:
        """Return numbers at the steps that a row can have, also where they lie between rows; and notes on holes."""
        values, notes = super().encode()
        between = replace(self.series.source, frame=self.schema.decode(values))
        return self.schema.encode(between), notes

    def _measures(self) -> tuple[Measure, ...]:
        """Return what the numbers of a step are; whole ones less a trend are real."""
        measures, start = [], 0
        for measure in self.schema.measures:
            drifts = self.lines.slopes[:, start : start + measure.width].any()
            measures.append(measure._replace(kind="gaussian", atoms=()) if drifts else measure)
            start += measure.width
        return tuple(measures)

    def evaluate(self) -> Evaluated:
        """Measure on windows of the last fifth of the time."""
        measured = self.task.evaluate_windows(self.learnt, self.held)
        counted = measured if measured.unit != "row" else replace(measured, unit="window")
        rows = self.task.as_read(rows_of_windows(self.held))
        return Evaluated(replace(counted, piece="window"), rows, self._items() if self.task.mapped else None)

    def _items(self) -> Items:
        """Return the codes of windows for a map, each with the cells of its last row."""
        starts = self.all_starts()
        windows = replace(self.held, starts=starts[spaced(len(starts), _MOST_ITEMS)])
        rows = self.series.steps.low[windows.starts + self.window - 1]
        codes = self.task.outputs(windows.rows(), fresh=True)["codes"]
        cells = self.series.source.take(rows).cells()
        return Items(codes, self.series.texts()[rows], str(self.time), cells=cells, total=len(starts))

    def write(self, folder: Path) -> list[Path]:
        """Write what the task gives at every time stamp."""
        tables: dict[str, list[Mapping[str, np.ndarray]]] = {}
        series: dict[str, StepSums] = {}
        windows = Windows(self.values, self.all_starts(), self.window, self.schema.feature_names)
        everywhere = np.zeros(len(self.values), int)
        for starts in batches_of(windows.starts, self.window * self.values.shape[1]):
            for stem, values in self.task.outputs(replace(windows, starts=starts).rows(), fresh=True).items():
                if stem == "codes":
                    values = {f"z{i + 1}": numbers for i, numbers in enumerate(values.T)}
                if isinstance(values, Mapping):
                    tables.setdefault(stem, []).append(values)
                else:
                    sums = series.setdefault(stem, StepSums(everywhere, self.window))
                    sums.add(starts, values.reshape(len(starts), self.window, -1))
        ends = windows.starts + self.window - 1
        frames = {stem: self._at(ends, parts) for stem, parts in tables.items()}
        frames |= {stem: self._decoded(sums.means()) for stem, sums in series.items()}
        return [save_csv(self.stamped(frame), folder / f"{stem}.csv") for stem, frame in frames.items()]

    def _at(self, steps: np.ndarray, parts: Sequence[Mapping[str, np.ndarray]]) -> pl.DataFrame:
        """Return columns of numbers at some steps as those of rows; the others are empty."""
        columns = {}
        for name in parts[0]:
            values = np.full(len(self.values), np.nan)
            values[steps] = np.concatenate([part[name] for part in parts])
            columns[name] = pl.Series(values[self.series.steps.of_row]).fill_nan(None)
        return pl.DataFrame(columns)

    def _decoded(self, means: np.ndarray) -> pl.DataFrame:
        """Return numbers of steps, (m, c), as the cells of rows, with the trends; empty where there are none."""
        means = (means + self.lines.at(self._seconds(), self.of))[self.series.steps.of_row]
        known = pl.Series(np.isfinite(means).all(1))
        frame = self.schema.written(np.nan_to_num(means))
        return frame.select(pl.when(known).then(pl.all()))

    def apply(self, task: Any, state: Mapping[str, Any], request: Request, out: Path, say: Say) -> list[Path]:
        """Write what the task gives at every time stamp of a new series, of any length from a window on."""
        self.adopt(task, state, request, say)
        return self.write(out)
