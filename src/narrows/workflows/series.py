"""Series: windows of a table with a time column, scored step by step and channel by channel."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple, NotRequired, cast

import numpy as np
import polars as pl

from narrows.conformal import Threshold
from narrows.data.series import drawn_starts, step_means, windows_at
from narrows.data.tables.formatting import save_csv
from narrows.data.tables.intervals import SCORE, intervals, strangest
from narrows.data.tables.schema import TableSchema
from narrows.data.tables.source import TableSource
from narrows.data.tables.timeline import Timeline
from narrows.errors import InputError
from narrows.holdout import Role
from narrows.params import param
from narrows.tasks.anomaly.series import DividedSeries, evaluation, smoothed, smoothing, step_threshold
from narrows.training.random import seed_of
from narrows.typed_json import Range
from narrows.workflows.anomaly import labelled, reasons
from narrows.workflows.base import Evaluated, Request, Say
from narrows.workflows.timed import MOST_WINDOWS, TimedState, TimedWorkflow

__all__ = ["SeriesWorkflow"]


class Look(NamedTuple):
    """What windows say of the steps of a series: the score of every channel (m, channels), and why, (m, numbers)."""

    scores: np.ndarray  # whose squares add up to that of the step
    parts: np.ndarray  # of the squared score
    expected: np.ndarray  # the numbers that the nearest windows of the fit have there


class WindowsState(TimedState):
    """What a run keeps of how its data was read, and the scores of steps that set its threshold."""

    threshold: Threshold
    smoothing: NotRequired[Annotated[int, Range(1, 2**20)]]  # steps that squared scores are averaged over


class SeriesWorkflow(TimedWorkflow):
    """A table with a time column, ``--time COLUMN``, and one column for each channel; of several series with ``--by``.

    The first 60 % of the time is learnt from, the next 20 % sets the threshold, the rest is measured on, series by
    series. No window that is learnt from crosses into another part, and none a gap, or into another series; a step is
    scored by the windows that end in its own part, as by somebody who does not know what comes later. Unevenly spaced
    rows are interpolated to a grid. Short holes are filled between neighbours in time; in long ones nothing is scored.
    """

    keeps: ClassVar[Any] = WindowsState
    writes: ClassVar[tuple[str, ...]] = ("series_scores", "intervals")

    label: str | None = param(None, "the column that says which rows are anomalous (1) and which ordinary (0)")

    def source(self, data: str, schema: TableSchema | None) -> TableSource:
        """Return the table of a file, with its labels where there are some."""
        source = super().source(data, schema)
        if self.label is not None and (schema is None or self.label in source.frame.columns):
            return cast("TableSource", labelled(source, self.label))
        return source

    def schema_of(self, learn: TableSource) -> TableSchema:
        """Return how rows become numbers: a column of one value says whether a row holds another one."""
        return learn.fit_schema().watching().of_sample()

    def train(self, request: Request) -> list[str]:
        """Fit to windows of the first part, set the threshold by the steps of the second, and say what was passed."""
        task, starts, self.smoothing = self.task, self.starts_in(self.part), smoothing(self.window)
        kinds = self.part[starts]
        anomalous = self._labels()[starts[:, None] + np.arange(self.window)].any(1)
        learnt, others = (starts[~anomalous & (kinds == kind)] for kind in (Role.LEARN, Role.THRESHOLD))
        if min(len(learnt), len(others)) < 2:
            raise InputError("Nearly all windows hold a step labelled as anomalous", "ordinary windows in each part")
        seed = seed_of(task.random_state)
        learnt, others = (drawn_starts(places, MOST_WINDOWS, seed) for places in (learnt, others))
        rows, calibrating = (
            windows_at(self.values, places, self.window).reshape(len(places), -1) for places in (learnt, others)
        )
        if "latent_dim" not in request.given:
            varying = self.schema.varying_shape[0] / self.schema.shape[0]  # of what a window holds
            task.set_params(**task.suited((round(varying * rows.shape[1]),)))
        task.fit(rows, aside=calibrating, starts=learnt, window=self.window)
        self.looks: Look = self._look(self.values)
        total = self._total(self.looks.scores)
        known = np.isfinite(total)
        exceeded = None if task.contamination is None else -float(np.quantile(-total[known], task.contamination))
        aside = known & (self.part == Role.THRESHOLD) & (self._labels() == 0)
        threshold, steps_apart = step_threshold(total[aside], self.of[aside], clean=task.clean, exceeded=exceeded)
        self.threshold = threshold.asked(task.fpr, task.contamination)
        self.n_left_out = task.n_set_aside_ - task.n_apart_ + steps_apart  # windows not learnt from, and steps
        self.table = self._table(self.looks, np.array(["learnt", "threshold", "held-out"])[self.part])
        many = int(anomalous.sum())
        left_note = f"{many} windows with steps labelled as anomalous are left out of training and threshold"
        return [*self.short_pieces(known), *([left_note] if many else [])]

    def evaluate(self) -> Evaluated:
        """Measure on the last part of the time."""
        divided = DividedSeries(
            values=self.values,
            pieces=self.pieces,
            part=self.part,
            window=self.window,
            groups=self._groups(),
            names=self.channel_names(),
            times=_axis(self.series),
            labels=None if self.series.source.labels is None else self._labels(),
            series=self.of,
            series_names=self.series.names,
        )

        def score(values: np.ndarray) -> np.ndarray:
            return self._look(values).scores

        measured = evaluation(self.task, self.threshold, divided, score, n_left_out=self.n_left_out)
        return Evaluated(replace(measured, tables=[strangest(self._intervals())]), None)

    def write(self, folder: Path) -> list[Path]:
        """Write the scores of all rows, and the intervals that are flagged."""
        return [
            save_csv(self.table, folder / "series_scores.csv"),
            save_csv(self._intervals(), folder / "intervals.csv"),
        ]

    def state(self) -> dict[str, Any]:
        """Return how the series is read, and what sets the threshold of steps."""
        return {**super().state(), "threshold": self.threshold.kept(), "smoothing": self.smoothing}

    def apply(self, task: Any, state: Mapping[str, Any], request: Request, out: Path, say: Say) -> list[Path]:
        """Write the scores of a new series."""
        self.threshold = Threshold(**state["threshold"]).asked(task.fpr, task.contamination)
        self.smoothing = state.get("smoothing", 1)  # runs of before go on as they were
        self.adopt(task, state, request, say)
        self.table = self._table(self._look(self.values), None)
        if "series" not in state:  # runs of Narrows 0.1 go on as they were
            return [save_csv(self.table, out / "series_scores.csv")]
        return self.write(out)

    def _look(self, values: np.ndarray) -> Look:
        """Return the score of every channel at every step, and why."""
        both = step_means(values, self.all_starts(), self.part, self.window, self._examined)
        parts, expected = np.split(both, 2, axis=1)
        parts = smoothed(parts, self.pieces, self.part, self.smoothing)
        scores = np.sqrt(np.add.reduceat(parts, self._groups(), axis=1))
        return Look(scores, parts, expected + self.lines.at(self._seconds(), self.of))

    def _examined(self, windows: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """Return what every number adds to the squared score of its step, and what was expected, (n, window, 2 c)."""
        pair = self.task.examine(windows.reshape(len(windows), -1), fresh=True, starts=starts)[1]
        parts, expected = (part.reshape(windows.shape) for part in pair)
        return np.concatenate([parts * self.window, expected], axis=2)

    def _groups(self) -> np.ndarray:
        """Return where each channel's features begin."""
        return np.cumsum([0, *(len(column.features) for column in self.schema.columns if column.features)])[:-1]

    @staticmethod
    def _total(scores: np.ndarray) -> np.ndarray:
        total: np.ndarray = np.sqrt(np.square(scores).sum(1))
        return total

    def _table(self, looks: Look, parts: np.ndarray | None) -> pl.DataFrame:
        """Return time, series, score, p-value, flag, part, the score of every channel, and the reasons, by row."""
        series = self.series
        rows, shares, expected = (array[series.steps.of_row] for array in looks)
        total = self._total(rows)
        known = np.isfinite(total)
        score_columns = self.threshold.columns(np.where(known, total, 0.0))
        columns = {name: pl.Series(values).set(pl.Series(~known), None) for name, values in score_columns.items()}
        if parts is not None:
            columns["part"] = pl.Series(parts[series.steps.of_row].tolist())
        for name, values in zip(self.channel_names(), rows.T, strict=True):
            columns[f"{SCORE}{name}"] = pl.Series(values).fill_nan(None)
        why = reasons(self.schema, series.source, np.nan_to_num(shares), np.nan_to_num(expected))
        columns |= {name: values.set(pl.Series(~known), None) for name, values in why.items()}
        return self.stamped(pl.DataFrame(columns))

    def _intervals(self) -> pl.DataFrame:
        return intervals(self.table, self.series.keys.width, self.window)


def _axis(series: Timeline) -> np.ndarray:
    """Return the times of the steps for an axis: dates as dates."""
    dates = isinstance(series.stamps.dtype, (pl.Datetime, pl.Date))
    return series.stamps.to_numpy()[series.steps.low] if dates else series.steps.times
