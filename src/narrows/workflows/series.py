"""A series: windows of a table with a time column, scored step by step and channel by channel."""

import difflib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple, NotRequired, TypedDict, cast

import numpy as np
import polars as pl

from narrows.conformal import Threshold
from narrows.data import Schema, Source, read, schema_from_json
from narrows.data.base import Treatment
from narrows.data.series import (
    Steps,
    drawn_starts,
    filled_between,
    grid_steps,
    regular_steps,
    step_means,
    window_starts,
    windows_at,
)
from narrows.data.tables.schema import TableSchema
from narrows.data.tables.source import TableSource
from narrows.data.tables.times import interval_of, time_texts, units_of
from narrows.errors import InputError
from narrows.holdout import Role, Split, in_time
from narrows.notes import Note
from narrows.params import param
from narrows.tasks.anomaly.series import DividedSeries, evaluation, step_threshold
from narrows.tasks.base import Task
from narrows.training.random import seed_of
from narrows.typed_json import Range
from narrows.workflows.anomaly import labelled, reasons
from narrows.workflows.base import Evaluated, Request, Say, Workflow
from narrows.workflows.outputs import write_table
from narrows.workflows.tables import counted

__all__ = ["SeriesWorkflow"]

_INTERVAL_TOLERANCE = 0.05  # share by which the interval of new steps may differ from that of the fit
_MAX_WINDOWS = 20_000  # windows that are learnt from


@dataclass(frozen=True)
class Read:
    """A series in the order of time: its rows, its channels as numbers (n, c) at the steps (m, c), its notes."""

    source: Source
    stamps: pl.Series
    form: str | None  # how the times of a text file were written
    steps: Steps
    notes: tuple[Note, ...]


class Look(NamedTuple):
    """What windows say of the steps of a series: the score of every channel (m, channels), and why, (m, numbers)."""

    scores: np.ndarray  # whose squares add up to that of the step
    parts: np.ndarray  # of the squared score
    expected: np.ndarray  # the numbers that the nearest windows of the fit have there


class WindowsState(TypedDict):
    """What a run keeps of how its data was read, and the scores of steps that set its threshold."""

    schema: dict[str, Any]
    threshold: Threshold
    interval: NotRequired[tuple[Annotated[float, Range(0, 1e300)], str]]
    resampled: NotRequired[bool]


class SeriesWorkflow(Workflow):
    """A table with a time column, ``--time COLUMN``, and one column for each channel.

    The first 60 % of the time is learnt from, the next 20 % sets the threshold, the rest is measured on. No window that
    is learnt from crosses into another part, and none a gap; a step is scored by the windows that end in its own part,
    as by somebody who does not know what comes later. Unevenly spaced rows are interpolated to a grid.
    """

    keeps: ClassVar[Any] = WindowsState
    writes: ClassVar[tuple[str, ...]] = ("series_scores",)

    time: str | None = param(None, "the column of times: the rows are a series")
    encoding: str | None = param(None, "encoding of a text file that is not UTF-8: cp949, shift_jis, gbk, cp1251, ...")
    window: int = param(64, "steps that are looked at together", ge=2)
    label: str | None = param(None, "the column that says which rows are anomalous (1) and which ordinary (0)")

    def accepts(self, task: Task, request: Request) -> bool:
        """Return whether the user named a time column."""
        return self.time is not None

    def fit(self, task: Any, request: Request, say: Say) -> dict[str, Any]:
        """Read the series, divide it by time, and train on windows of its first part."""
        if request.second is not None:
            raise InputError(f"{request.second!r} came beside {request.data!r}", "one DATA", "leave it out")
        request.refuse({"image_shape": "windows of a series are no images"})
        series = self._read(request.data, None)
        self.part = in_time(len(series.steps))
        rows = np.flatnonzero(self.part[series.steps.of_row] == Role.LEARN)
        schema = series.source.take(rows).fit_schema().watching()
        self.series, self.task, self.schema = series, task, schema
        self.values = self._values(series)
        column_notes = schema.described(series.source, Treatment.NEIGHBOURS)
        notes = [*series.notes, *column_notes, *schema.warnings(series.source), *self._train(task, request)]
        for note in notes:
            say(note)
        held = int((self.part[series.steps.of_row] == Role.MEASURE).sum())
        return {
            "name": series.source.name,
            "rows": len(series.source),
            "used": len(rows),
            "held_out": held,
            "channels": len(_names(schema)),
            "window": self.window,
            "fingerprint": series.source.fingerprint()[:16],
            **counted(schema, series.source),
            "notes": notes,
            "split": Split.HELD_OUT,
        }

    def _train(self, task: Any, request: Request) -> list[str]:
        """Fit to windows of the first part, set the threshold by the steps of the second, and say what was passed."""
        m, pieces = len(self.series.steps), self.series.steps.pieces
        starts = window_starts(3 * pieces + self.part, self.window)
        kinds = self.part[starts]
        if min(int((kinds == kind).sum()) for kind in Role) == 0:
            came = f"{m} steps do not hold windows of {self.window} in each of three parts"
            hint = f"--window {max(2, m // 12)}"
            raise InputError(came, f"{5 * self.window} steps or more without gaps, or shorter windows", hint)
        anomalous = self._labels()[starts[:, None] + np.arange(self.window)].any(1)
        learnt, aside = (starts[~anomalous & (kinds == kind)] for kind in (Role.LEARN, Role.THRESHOLD))
        if min(len(learnt), len(aside)) < 2:
            raise InputError("Nearly all windows hold a step labelled as anomalous", "ordinary windows in each part")
        seed = seed_of(task.random_state)
        learnt, aside = (drawn_starts(places, _MAX_WINDOWS, seed) for places in (learnt, aside))
        rows, others = (
            windows_at(self.values, places, self.window).reshape(len(places), -1) for places in (learnt, aside)
        )
        if "latent_dim" not in request.given:
            varying = self.schema.varying_shape[0] / self.schema.shape[0]  # of what a window holds
            task.set_params(**task.suited((round(varying * rows.shape[1]),)))
        task.fit(rows, aside=others, starts=learnt, window=self.window)
        self.looks = self._look(self.values)
        total = self._total(self.looks.scores)
        known = np.isfinite(total)
        exceeded = None if task.contamination is None else -float(np.quantile(-total[known], task.contamination))
        steps = total[known & (self.part == Role.THRESHOLD) & (self._labels() == 0)]
        threshold, steps_apart = step_threshold(steps, clean=task.clean, exceeded=exceeded)
        self.threshold = threshold.asked(task.fpr, task.contamination)
        self.n_left_out = task.n_set_aside_ - task.n_apart_ + steps_apart  # windows not learnt from, and steps
        lost_rows = int((~known[self.series.steps.of_row]).sum())
        short_note = f"{lost_rows} rows are in pieces shorter than a window of {self.window} steps, and have no score"
        left_note = (
            f"{int(anomalous.sum())} windows with steps labelled as anomalous are left out of training and threshold"
        )
        return [note for note, count in ((short_note, lost_rows), (left_note, anomalous.sum())) if count]

    def evaluate(self) -> Evaluated:
        """Measure on the last part of the time."""
        divided = DividedSeries(
            values=self.values,
            pieces=self.series.steps.pieces,
            part=self.part,
            window=self.window,
            groups=self._groups(),
            names=_names(self.schema),
            times=_clock(self.series),
            labels=None if self.series.source.labels is None else self._labels(),
        )

        def score(values: np.ndarray) -> np.ndarray:
            return self._look(values).scores

        return Evaluated(evaluation(self.task, self.threshold, divided, score, n_left_out=self.n_left_out), None)

    def write(self, folder: Path) -> list[Path]:
        """Write the scores of all rows."""
        parts = np.array(["learnt", "threshold", "held-out"])[self.part]
        return [self._put(self.series, self.looks, folder, parts)]

    def state(self) -> dict[str, Any]:
        """Return the schema of the channels, the interval of the steps, and what sets their threshold."""
        steps = self.series.steps
        interval = interval_of(self.series.stamps, steps.interval)
        facts = {"schema": self.schema.to_json(), "interval": interval, "resampled": steps.resampled}
        return {**facts, "threshold": self.threshold.kept()}

    def apply(self, task: Any, state: Mapping[str, Any], request: Request, out: Path, say: Say) -> list[Path]:
        """Write the scores of a new series.

        Raises InputError where the interval of its steps is not that of the fit.
        """
        self.task, self.schema = task, schema_from_json(state["schema"])
        self.threshold = Threshold(**state["threshold"]).asked(task.fpr, task.contamination)
        series = self._read(request.data, self.schema)
        interval, words = interval_of(series.stamps, series.steps.interval)
        fitted, phrase = state.get("interval", (interval, words))
        if abs(interval - fitted) > _INTERVAL_TOLERANCE * fitted:
            came = f"{series.source.name!r} has a step every {words}, and the model was fitted to one every {phrase}"
            raise InputError(came, "the interval of the fit", f"rows every {phrase}, or a fit to rows such as these")
        if series.steps.resampled or state.get("resampled"):  # on the grid of the fit, whatever else the file holds
            times = _times(series.stamps, series.source.name)
            series = replace(series, steps=grid_steps(times, fitted * units_of(series.stamps)))
        column_notes = self.schema.filled(series.source, Treatment.NEIGHBOURS)
        for note in (*series.notes, *self.schema.warnings(series.source), *column_notes):
            say(note)
        self.series, self.part = series, np.zeros(len(series.steps), int)
        values = self._values(series)
        return [self._put(series, self._look(values), out, None)]

    def _read(self, data: str, schema: Schema | None) -> Read:
        """Return a series in the order of time, without its column of times and labels."""
        source = read(data, like=schema, encoding=self.encoding)
        if not isinstance(source, TableSource) or self.time not in source.frame.columns:
            names = source.frame.columns if isinstance(source, TableSource) else []
            near = difflib.get_close_matches(str(self.time), names, 1, 0.4)
            came = f"{source.name!r} has no column {self.time!r} of times"
            raise InputError(
                came, ", ".join(names[:20]) or "a table", f"--time {shlex.quote(near[0]) if near else 'COLUMN'}"
            )
        if self.label is not None and (schema is None or self.label in source.frame.columns):
            source = cast("TableSource", labelled(source, self.label))
        times = _times(source.frame[self.time], source.name)
        order = np.argsort(times, kind="stable")
        notes = list(source.notes)
        if (np.diff(order) < 0).any():
            notes.append(Note("the rows were not in the order of time: they are sorted"))
        source = source.take(order)
        twice = int((np.diff(times[order]) == 0).sum())
        if twice:
            came = f"{twice} times in {self.time!r} occur more than once"
            raise InputError(came, "one row for each time", "one file for each series, or aggregated rows")
        steps = regular_steps(times[order])
        gaps = int(steps.pieces.max())
        if steps.resampled:
            uneven = f"the rows are not evenly spaced: interpolated to {len(steps)} steps of the median interval"
            notes.append(Note(uneven))
        if gaps:
            notes.append(Note(f"{gaps} gap{'s' * (gaps > 1)} in time: no window crosses one"))
        kept_notes = [note for note in notes if note.where != self.time]
        others = tuple(column for column in source.id_columns if column != self.time)
        stamps = source.frame[self.time]
        bare = replace(source, frame=source.frame.drop(self.time), id_columns=others, notes=())
        return Read(bare, stamps, source.formats.get(str(self.time)), steps, tuple(kept_notes))

    def _values(self, series: Read) -> np.ndarray:
        """Return the encoded numbers of a series at its steps, (m, c); missing ones lie between their neighbours."""
        values, known = self.schema.encode(series.source), self.schema.known(series.source)
        if known is None or known.all():
            return series.steps.at(values)
        pieces = (3 * series.steps.pieces + self.part)[series.steps.of_row]  # no part knows what comes later
        return series.steps.at(filled_between(values, known, _times(series.stamps, series.source.name), pieces))

    def _look(self, values: np.ndarray) -> Look:
        """Return the score of every channel at every step, and why."""
        starts = window_starts(self.series.steps.pieces, self.window)
        if not len(starts):
            raise InputError(f"{len(values)} steps hold no window of {self.window} without a gap", "a longer series")
        both = step_means(values, starts, self.part, self.window, self._examined)
        parts, expected = np.split(both, 2, axis=1)
        return Look(np.sqrt(np.add.reduceat(parts, self._groups(), axis=1)), parts, expected)

    def _examined(self, windows: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """Return what every number adds to the squared score of its step, and what was expected, (n, window, 2 c)."""
        pair = self.task.examine(windows.reshape(len(windows), -1), fresh=True, starts=starts)[1]
        parts, expected = (part.reshape(windows.shape) for part in pair)
        return np.concatenate([parts * self.window, expected], axis=2)

    def _groups(self) -> np.ndarray:
        """Return where each channel's features begin."""
        if not isinstance(self.schema, TableSchema):
            return np.arange(self.schema.shape[0])
        return np.cumsum([0, *(len(column.features) for column in self.schema.columns if column.features)])[:-1]

    def _labels(self) -> np.ndarray:
        """Return which steps have an anomalous row nearest to them."""
        labels = np.zeros(len(self.series.steps), int)
        if self.series.source.labels is None:
            return labels
        np.maximum.at(labels, self.series.steps.of_row, self.series.source.labels)
        return labels

    @staticmethod
    def _total(scores: np.ndarray) -> np.ndarray:
        total: np.ndarray = np.sqrt(np.square(scores).sum(1))
        return total

    def _put(self, series: Read, looks: Look, folder: Path, parts: np.ndarray | None) -> Path:
        """Write series_scores.csv: time, score, p-value, flag, part, the score of every channel, and the reasons."""
        rows, shares, expected = (array[series.steps.of_row] for array in looks)
        total = self._total(rows)
        known = np.isfinite(total)
        score_columns = self.threshold.columns(np.where(known, total, 0.0))
        columns = {name: pl.Series(values).set(pl.Series(~known), None) for name, values in score_columns.items()}
        if parts is not None:
            columns["part"] = pl.Series(parts[series.steps.of_row].tolist())
        for name, values in zip(_names(self.schema), rows.T, strict=True):
            columns[f"score_{name}"] = pl.Series(values).fill_nan(None)
        if isinstance(self.schema, TableSchema):
            why = reasons(self.schema, series.source, np.nan_to_num(shares), np.nan_to_num(expected))
            columns |= {name: values.set(pl.Series(~known), None) for name, values in why.items()}
        return write_table(
            columns, folder / "series_scores.csv", time_texts(series.stamps, series.form), str(self.time)
        )


def _times(series: pl.Series, name: str) -> np.ndarray:
    """Return times as numbers; missing ones, and texts that are no times, are refused."""
    if not (series.dtype.is_numeric() or series.dtype.is_temporal()):
        came = f"the column {series.name!r} of {name!r} holds {series.dtype} ({series.drop_nulls().head(1).to_list()})"
        raise InputError(came, "numbers, dates, or dates with times (2024-01-31 12:30:00)", "--time COLUMN")
    times = series.to_physical().cast(pl.Float64)
    missing = times.null_count() + int(times.is_nan().sum() or 0)
    if missing:
        raise InputError(f"{missing} rows have no time in {series.name!r}", "a time in every row", "leave them out")
    return times.to_numpy()


def _clock(series: Read) -> np.ndarray:
    """Return the times of the steps for an axis: dates as dates."""
    dates = isinstance(series.stamps.dtype, (pl.Datetime, pl.Date))
    return series.stamps.to_numpy()[series.steps.low] if dates else series.steps.times


def _names(schema: Any) -> list[str]:
    return [column.name for column in schema.columns if column.features]
