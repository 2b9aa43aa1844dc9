"""Series: windows of a table with a time column, scored step by step and channel by channel."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, NotRequired, TypedDict, cast

import numpy as np
import polars as pl

from narrows.conformal import Threshold
from narrows.data import read
from narrows.data.base import Treatment
from narrows.data.series import (
    drawn_starts,
    filled_between,
    grid_steps,
    holes,
    step_means,
    window_starts,
    windows_at,
)
from narrows.data.tables.chosen_kinds import with_kinds
from narrows.data.tables.formatting import as_text, save_csv, with_ids
from narrows.data.tables.intervals import SCORE, intervals, strangest
from narrows.data.tables.schema import TableSchema
from narrows.data.tables.source import TableSource
from narrows.data.tables.timeline import Timeline, clock_of, column_of_times, split_names, timeline
from narrows.data.tables.times import interval_of, units_of
from narrows.data.trend import EXPLAINED, SavedTrend, Trend, lines_through
from narrows.errors import InputError
from narrows.holdout import Role, Split, in_time
from narrows.notes import Note
from narrows.params import param
from narrows.tasks.anomaly.series import DividedSeries, evaluation, step_threshold
from narrows.tasks.base import Task
from narrows.training.random import seed_of
from narrows.typed_json import Distinct, Range
from narrows.workflows.anomaly import labelled, reasons
from narrows.workflows.base import Evaluated, Request, Say, Workflow
from narrows.workflows.tables import counted

__all__ = ["SeriesWorkflow"]

_INTERVAL_TOLERANCE = 0.05  # share by which the interval of new steps may differ from that of the fit
_MAX_WINDOWS = 20_000  # windows that are learnt from
_FILLED_SHARE = 8  # windows are so many times as long as the holes that are filled


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
    clock: NotRequired[list[dict[str, Any]]]  # the column of times, as the schema has columns
    series: NotRequired[Annotated[list[str], Distinct()]]
    trend: NotRequired[SavedTrend]


class SeriesWorkflow(Workflow):
    """A table with a time column, ``--time COLUMN``, and one column for each channel; of several series with ``--by``.

    The first 60 % of the time is learnt from, the next 20 % sets the threshold, the rest is measured on, series by
    series. No window that is learnt from crosses into another part, and none a gap, or into another series; a step is
    scored by the windows that end in its own part, as by somebody who does not know what comes later. Unevenly spaced
    rows are interpolated to a grid. Short holes are filled between neighbours in time; in long ones nothing is scored.
    """

    keeps: ClassVar[Any] = WindowsState
    writes: ClassVar[tuple[str, ...]] = ("series_scores", "intervals")

    time: str | None = param(None, "the column of times: the rows are a series")
    encoding: str | None = param(None, "encoding of a text file that is not UTF-8: cp949, shift_jis, gbk, cp1251, ...")
    column: str | None = param(
        None, "NAME=KIND of columns that are read as something else, again or with commas: zip=category", several=True
    )
    by: str | None = param(None, "columns that name the series, with commas between; none: all rows are one series")
    window: int = param(64, "steps that are looked at together", ge=2)
    fill: int | None = param(
        None, "missing steps in a row that are filled at most; none: an eighth of the window", ge=0
    )
    trend: Literal["auto", "linear", "none"] = param(
        "auto", "a line through time that is taken from a channel: where one goes on, always, or never"
    )
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
        self._divide(series)
        rows = np.flatnonzero(self.part[series.steps.of_row] == Role.LEARN)
        schema = series.source.take(rows).linear().fit_schema().watching().of_sample()
        self.series, self.task, self.schema = series, task, schema
        self.values, hole_notes = self._encode()
        trend_notes = self._find_trend()
        column_notes = schema.described(series.source, Treatment.NEIGHBOURS)
        notes = [*series.notes, *column_notes, *schema.warnings(series.source), *hole_notes, *trend_notes]
        notes += self._train(task, request)
        for note in notes:
            say(note)
        self.table = self._table(self.looks, np.array(["learnt", "threshold", "held-out"])[self.part])
        held = int((self.part[series.steps.of_row] == Role.MEASURE).sum())
        return {
            "name": series.source.name,
            "rows": len(series.source),
            "used": len(rows),
            "held_out": held,
            **({"series": len(series.names)} if self.by else {}),
            "channels": len(_names(schema)),
            "window": self.window,
            "fingerprint": series.source.fingerprint()[:16],
            **counted(schema, series.source),
            "notes": notes,
            "split": Split.HELD_OUT,
        }

    def _divide(self, series: Timeline) -> None:
        """Divide every series in time by itself."""
        self.of = series.series[series.steps.low]
        self.part = np.concatenate([in_time(int(count)) for count in np.bincount(self.of)])

    def _find_trend(self) -> list[Note]:
        """Take the lines of channels whose level drifts on from the values, and say so; the last part has no say."""
        seconds, ordinary = self._seconds(), (self._labels() == 0) & (self.pieces >= 0)
        self.lines = Trend.none(len(self.series.names), self.values.shape[1])
        places = self._numbers()
        if self.trend != "none" and len(places):
            learnt, after = (ordinary & (self.part == role) for role in (Role.LEARN, Role.THRESHOLD))
            always = self.trend == "linear"
            drift = lines_through(seconds, self.values[:, places], self.of, learnt, after, always=always)
            slopes = self.lines.slopes.copy()
            slopes[: len(drift.slopes), places] = drift.slopes
            self.lines = Trend(drift.centres, slopes)
        self.values = self.values - self.lines.at(seconds, self.of)
        notes = []
        for place, count in zip(places, np.count_nonzero(self.lines.slopes[:, places], axis=0), strict=True):
            if count:
                name = self.schema.feature_names[place]
                where = f" in {count} of {len(self.series.names)} series" if self.by else ""
                why = "" if self.trend == "linear" else f", as one explains {EXPLAINED:.0%} of its level and goes on"
                text = f"{name!r}{where}: a line through time is taken away{why}; what is expected has it again"
                notes.append(Note(text, where=name))
        return notes

    def _train(self, task: Any, request: Request) -> list[str]:
        """Fit to windows of the first part, set the threshold by the steps of the second, and say what was passed."""
        m = len(self.series.steps)
        starts = window_starts(3 * self.pieces + self.part, self.window)
        kinds = self.part[starts]
        if min(int((kinds == kind).sum()) for kind in Role) == 0:
            came = f"{m} steps do not hold windows of {self.window} in each of three parts"
            hint = f"--window {max(2, m // 12)}"
            raise InputError(came, f"{5 * self.window} steps or more without gaps, or shorter windows", hint)
        anomalous = self._labels()[starts[:, None] + np.arange(self.window)].any(1)
        learnt, others = (starts[~anomalous & (kinds == kind)] for kind in (Role.LEARN, Role.THRESHOLD))
        if min(len(learnt), len(others)) < 2:
            raise InputError("Nearly all windows hold a step labelled as anomalous", "ordinary windows in each part")
        seed = seed_of(task.random_state)
        learnt, others = (drawn_starts(places, _MAX_WINDOWS, seed) for places in (learnt, others))
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
        lost_rows = int((~known & (self.pieces >= 0))[self.series.steps.of_row].sum())
        short_note = f"{lost_rows} rows are in pieces shorter than a window of {self.window} steps, and have no score"
        left_note = (
            f"{int(anomalous.sum())} windows with steps labelled as anomalous are left out of training and threshold"
        )
        return [note for note, count in ((short_note, lost_rows), (left_note, anomalous.sum())) if count]

    def evaluate(self) -> Evaluated:
        """Measure on the last part of the time."""
        divided = DividedSeries(
            values=self.values,
            pieces=self.pieces,
            part=self.part,
            window=self.window,
            groups=self._groups(),
            names=_names(self.schema),
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
        """Return the schema of the channels, how times are read, the trends, and what sets the threshold of steps."""
        series, steps = self.series, self.series.steps
        interval = interval_of(series.stamps, steps.interval)
        facts = {"schema": self.schema.to_json(), "interval": interval, "resampled": steps.resampled}
        more = {"clock": [clock_of(series.stamps, series.form).to_json()], "series": list(series.names)}
        return {**facts, **more, "trend": self.lines.to_json(), "threshold": self.threshold.kept()}

    def apply(self, task: Any, state: Mapping[str, Any], request: Request, out: Path, say: Say) -> list[Path]:
        """Write the scores of a new series.

        Raises InputError where the interval of its steps is not that of the fit.
        """
        self.task, self.schema = task, TableSchema.from_json(state["schema"])
        self.threshold = Threshold(**state["threshold"]).asked(task.fpr, task.contamination)
        series = self._read(request.data, self._with_clock(state))
        interval, words = interval_of(series.stamps, series.steps.interval)
        fitted, phrase = state.get("interval", (interval, words))
        if abs(interval - fitted) > _INTERVAL_TOLERANCE * fitted:
            came = f"{series.source.name!r} has a step every {words}, and the model was fitted to one every {phrase}"
            raise InputError(came, "the interval of the fit", f"rows every {phrase}, or a fit to rows such as these")
        if series.steps.resampled or state.get("resampled"):  # on the grid of the fit, whatever else the file holds
            steps = grid_steps(series.times, fitted * units_of(series.stamps), series.series)
            series = replace(series, steps=steps)
        self.series, self.of, self.part = series, series.series[series.steps.low], np.zeros(len(series.steps), int)
        column_notes = self.schema.filled(series.source, Treatment.NEIGHBOURS)
        known_notes = [*series.notes, *self.schema.warnings(series.source), *column_notes]
        self.values, hole_notes = self._encode()
        for note in (*known_notes, *hole_notes, *self._adopt_trend(state)):
            say(note)
        self.table = self._table(self._look(self.values), None)
        if "series" not in state:  # runs of Narrows 0.1 go on as they were
            return [save_csv(self.table, out / "series_scores.csv")]
        return self.write(out)

    @staticmethod
    def _with_clock(state: Mapping[str, Any]) -> TableSchema:
        """Return the schema by which a file is read: that of the channels, with the column of times."""
        columns = [*state["schema"]["columns"], *state.get("clock", ())]
        return TableSchema.from_json({**state["schema"], "columns": columns})

    def _adopt_trend(self, state: Mapping[str, Any]) -> list[Note]:
        """Take the trends of the fit from the values, and name the series that were not there."""
        known = {name: number for number, name in enumerate(state.get("series", [""]))}
        here = self.series.names
        numbers = np.array([known.get(name, -1) for name in here])
        self.lines = Trend.from_json(state.get("trend"), len(known), self.values.shape[1]).of(numbers)
        self.values = self.values - self.lines.at(self._seconds(), self.of)
        new = [name for name, number in zip(here, numbers, strict=True) if number < 0]
        if not new:
            return []
        shown = ", ".join(map(repr, new[:3])) + (", ..." if len(new) > 3 else "")
        return [Note(f"{len(new)} of the series were not there at fit ({shown}): they are scored by the others")]

    def _read(self, data: str, schema: TableSchema | None) -> Timeline:
        """Return the series of a file, by the schema of a fit and its column of times."""
        rows = read(data, like=schema, encoding=self.encoding)
        source = column_of_times(with_kinds(rows, self.column) if schema is None else rows, str(self.time))
        if self.label is not None and (schema is None or self.label in source.frame.columns):
            source = cast("TableSource", labelled(source, self.label))
        forms = [
            getattr(column, "format", None) for column in (schema.columns if schema else ()) if column.name == self.time
        ]
        return timeline(source, str(self.time), split_names(self.by), self._most_filled, next(iter(forms), None))

    @property
    def _most_filled(self) -> int:
        """The most missing steps in a row that are filled."""
        return self.window // _FILLED_SHARE if self.fill is None else self.fill

    def _encode(self) -> tuple[np.ndarray, list[Note]]:
        """Return numbers at the steps, (m, c), missing ones lying between neighbours, and where holes are longer.

        A piece ends at a long hole, whose steps are each a piece with a negative number.
        """
        series, steps = self.series, self.series.steps
        values, known = self.schema.encode(series.source), self.schema.known(series.source)
        self.pieces, notes = steps.pieces, []
        if not known.all():
            parts = 3 * steps.pieces + self.part  # no part knows what comes later
            values = filled_between(values, known, series.times, parts[steps.of_row])
            hole = holes(known, steps.of_row, parts, self.of, self._most_filled)
            outside = hole.any(1)
            ends = (np.diff(steps.pieces, prepend=0) != 0) | np.diff(outside, prepend=False)
            self.pieces = np.where(outside, -1 - np.arange(len(steps)), np.cumsum(ends))
            for place in np.flatnonzero(hole.any(0)):
                name, many = self.schema.feature_names[place], int(hole[:, place].sum())
                longer = f"holes of more than {self._most_filled} steps"
                notes.append(Note(f"{name!r}: {many} steps lie in {longer} and have no score", where=name))
        return steps.at(values), notes

    def _look(self, values: np.ndarray) -> Look:
        """Return the score of every channel at every step, and why."""
        starts = window_starts(self.pieces, self.window)
        if not len(starts):
            raise InputError(f"{len(values)} steps hold no window of {self.window} without a gap", "a longer series")
        both = step_means(values, starts, self.part, self.window, self._examined)
        parts, expected = np.split(both, 2, axis=1)
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

    def _numbers(self) -> np.ndarray:
        """Return which features are numbers, and not whether a category is of a level, or a constant moved."""
        numbers = [c.filling() is not None for c in self.schema.columns for _ in c.features]
        return np.flatnonzero(numbers)

    def _seconds(self) -> np.ndarray:
        """Return the times of the steps in seconds, or as the numbers that they are."""
        seconds: np.ndarray = self.series.steps.times / units_of(self.series.stamps)
        return seconds

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
        for name, values in zip(_names(self.schema), rows.T, strict=True):
            columns[f"{SCORE}{name}"] = pl.Series(values).fill_nan(None)
        why = reasons(self.schema, series.source, np.nan_to_num(shares), np.nan_to_num(expected))
        columns |= {name: values.set(pl.Series(~known), None) for name, values in why.items()}
        frame = pl.DataFrame(columns)
        for key in reversed(series.keys.get_columns()):
            frame = with_ids(frame, as_text(key).to_numpy(), key.name)
        return with_ids(frame, series.texts(), str(self.time))

    def _intervals(self) -> pl.DataFrame:
        return intervals(self.table, self.series.keys.width, self.window)


def _axis(series: Timeline) -> np.ndarray:
    """Return the times of the steps for an axis: dates as dates."""
    dates = isinstance(series.stamps.dtype, (pl.Datetime, pl.Date))
    return series.stamps.to_numpy()[series.steps.low] if dates else series.steps.times


def _names(schema: TableSchema) -> list[str]:
    return [column.name for column in schema.columns if column.features]
