"""Tables with a time column: how every workflow of series reads one, fills it, divides it and takes its trends."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, NotRequired, TypedDict

import numpy as np
import polars as pl

from narrows.data import read
from narrows.data.base import Treatment
from narrows.data.series import filled_between, grid_steps, holes, window_starts
from narrows.data.tables.chosen_kinds import with_kinds
from narrows.data.tables.chosen_missing import with_missing
from narrows.data.tables.formatting import as_text, with_ids
from narrows.data.tables.schema import TableSchema
from narrows.data.tables.source import TableSource
from narrows.data.tables.timeline import Timeline, clock_of, column_of_times, split_names, timeline
from narrows.data.tables.times import interval_of, units_of
from narrows.data.trend import EXPLAINED, SavedTrend, Trend, lines_through
from narrows.errors import InputError
from narrows.holdout import Role, Split, in_time
from narrows.notes import Note
from narrows.params import param
from narrows.parts import as_part
from narrows.tasks.base import Task
from narrows.typed_json import Distinct, Range
from narrows.workflows.base import Request, Say, Workflow
from narrows.workflows.tables import counted

__all__ = ["MOST_WINDOWS", "TimedState", "TimedWorkflow"]

MOST_WINDOWS = 20_000  # windows that are learnt from
_INTERVAL_TOLERANCE = 0.05  # share by which the interval of new steps may differ from that of the fit
_FILLED_SHARE = 8  # windows are so many times as long as the holes that are filled


class TimedState(TypedDict):
    """What a run keeps of how its series was read."""

    schema: dict[str, Any]
    interval: NotRequired[tuple[Annotated[float, Range(0, 1e300)], str]]
    resampled: NotRequired[bool]
    clock: NotRequired[list[dict[str, Any]]]  # the column of times, as the schema has columns
    series: NotRequired[Annotated[list[str], Distinct()]]
    trend: NotRequired[SavedTrend]


class TimedWorkflow(Workflow):
    """A table with a time column, ``--time COLUMN``, and one column for each channel; of several series with ``--by``.

    The first part of the time, of every series, is learnt from, the last fifth is measured on. No window crosses a gap,
    or into another series. Unevenly spaced rows are interpolated to a grid. Short holes are filled between neighbours
    in time; windows leave long ones out.
    """

    keeps: ClassVar[Any] = TimedState
    learns: ClassVar[tuple[Role, ...]] = (Role.LEARN,)  # the parts of the time that are learnt from

    time: str | None = param(None, "the column of times: the rows are a series")
    encoding: str | None = param(None, "encoding of a text file that is not UTF-8: cp949, shift_jis, gbk, cp1251, ...")
    column: str | None = param(
        None, "NAME=KIND of columns that are read as something else, again or with commas: zip=category", several=True
    )
    missing: str | None = param(
        None, "NAME=VALUE of values that stand for a missing cell, again or with commas: age=-1", several=True
    )
    by: str | None = param(None, "columns that name the series, with commas between; none: all rows are one series")
    window: int = param(64, "steps that are looked at together", ge=2)
    fill: int | None = param(
        None, "missing steps in a row that are filled at most; none: an eighth of the window", ge=0
    )
    trend: Literal["auto", "linear", "none"] = param(
        "auto", "a line through time that is taken from a channel: where one goes on, always, or never"
    )

    def accepts(self, task: Task, request: Request) -> bool:
        """Return whether the user named a time column."""
        return self.time is not None

    def fit(self, task: Any, request: Request, say: Say) -> dict[str, Any]:
        """Read the series, divide it by time, and train on windows of its first part."""
        if request.second is not None:
            raise InputError(f"{request.second!r} came beside {request.data!r}", "one DATA", "leave it out")
        request.refuse({"image_shape": "windows of a series are no images"})
        series = self.series = self._read(request.data, None)
        self.of: np.ndarray = series.series[series.steps.low]
        self.part: np.ndarray = np.concatenate([in_time(int(count)) for count in np.bincount(self.of)])
        rows = np.flatnonzero(self.part[series.steps.of_row] == Role.LEARN)
        schema = self.schema = self.schema_of(series.source.take(rows).linear())
        self.task = task
        self.values, hole_notes = self.encode()
        trend_notes = self._find_trend()
        column_notes = schema.described(series.source, Treatment.NEIGHBOURS)
        notes = [*series.notes, *column_notes, *schema.warnings(series.source), *hole_notes, *trend_notes]
        self._tell_network()
        notes += self.train(request)
        for note in notes:
            say(note)
        held = int((self.part[series.steps.of_row] == Role.MEASURE).sum())
        return {
            "name": series.source.name,
            "rows": len(series.source),
            "used": int(np.isin(self.part[series.steps.of_row], self.learns).sum()),
            "held_out": held,
            **({"series": len(series.names)} if self.by else {}),
            "channels": len(self.channel_names()),
            "window": self.window,
            "fingerprint": series.source.fingerprint()[:16],
            **counted(schema, series.source),
            "notes": notes,
            "split": Split.HELD_OUT,
        }

    @abstractmethod
    def train(self, request: Request) -> list[str]:
        """Fit the task to windows, and return notes on what was passed over."""

    def schema_of(self, learn: TableSource) -> TableSchema:
        """Return how rows become numbers, from those that are learnt from: drawn in to no range."""
        return learn.fit_schema().of_sample()

    def channel_names(self) -> list[str]:
        """Return the names of the columns that are looked at."""
        return [column.name for column in self.schema.columns if column.features]

    def starts_in(self, parts: np.ndarray) -> np.ndarray:
        """Return where windows begin that lie in one of several parts of the time, (m,).

        Raises InputError where one of them holds none.
        """
        starts, m = window_starts(len(Role) * self.pieces + parts, self.window), len(parts)
        if not np.isin(parts, parts[starts]).all():
            came = f"{m} steps do not hold windows of {self.window} in each part of the time"
            hint = f"--window {max(2, m // 12)}"
            raise InputError(came, f"{5 * self.window} steps or more without gaps, or shorter windows", hint)
        return starts

    def all_starts(self) -> np.ndarray:
        """Return where windows begin; raises InputError where the series holds none."""
        starts = window_starts(self.pieces, self.window)
        if not len(starts):
            came = f"{len(self.pieces)} steps hold no window of {self.window} without a gap"
            raise InputError(came, "a longer series")
        return starts

    def short_pieces(self, known: np.ndarray) -> list[str]:
        """Say how many rows are in pieces that hold no window, so that their steps (m,) are not ``known``."""
        rows = int((~known & (self.pieces >= 0))[self.series.steps.of_row].sum())
        text = f"{rows} rows are in pieces shorter than a window of {self.window} steps, and have no score"
        return [text] if rows else []

    def stamped(self, table: pl.DataFrame) -> pl.DataFrame:
        """Return a table of the rows with their times, and the names of their series, before it."""
        for key in reversed(self.series.keys.get_columns()):
            table = with_ids(table, as_text(key).to_numpy(), key.name)
        return with_ids(table, self.series.texts(), str(self.time))

    def state(self) -> dict[str, Any]:
        """Return the schema of the channels, how times are read, and the trends."""
        series, steps = self.series, self.series.steps
        interval = interval_of(series.stamps, steps.interval)
        facts = {"schema": self.schema.to_json(), "interval": interval, "resampled": steps.resampled}
        more = {"clock": [clock_of(series.stamps, series.form).to_json()], "series": list(series.names)}
        return {**facts, **more, "trend": self.lines.to_json()}

    def adopt(self, task: Any, state: Mapping[str, Any], request: Request, say: Say) -> None:
        """Read a new series as that of the fit was read.

        Raises InputError where the interval of its steps is not that of the fit.
        """
        self.task, self.schema = task, TableSchema.from_json(state["schema"])
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
        if "series" not in state and (column_notes or len(series.steps) > len(series.source)):
            known_notes.append("This run was fitted by Narrows 0.1, which filled no gaps; here short ones are filled")
        self.values, hole_notes = self.encode()
        for note in (*known_notes, *hole_notes, *self._adopt_trend(state)):
            say(note)

    def _tell_network(self) -> None:
        """Say to the network how many numbers a step has."""
        model = self.task.resolve()
        if model.network is not None:
            network = as_part("network", model.network).of_steps(self.values.shape[1])
            self.task.set_params(estimator=model.set_params(network=network))

    def _find_trend(self) -> list[Note]:
        """Take the lines of channels whose level drifts on from the values, and say so; the last part has no say."""
        seconds, ordinary = self._seconds(), (self._labels() == 0) & (self.pieces >= 0)
        self.lines = Trend.none(len(self.series.names), self.values.shape[1])
        places = self._numbers()
        if self.trend != "none" and len(places):
            learnt, after = (ordinary & (self.part == role) for role in (Role.LEARN, Role.THRESHOLD))
            always = self.trend == "linear"
            drift = lines_through(seconds, self.values[:, places], self.of, learnt, after, always=always)
            self.lines = self.lines.with_columns(drift, places)
        self.values = self.values - self.lines.at(seconds, self.of)
        notes = []
        for place, count in zip(places, np.count_nonzero(self.lines.slopes[:, places], axis=0), strict=True):
            if count:
                name = self.schema.feature_names[place]
                where = f" in {count} of {len(self.series.names)} series" if self.by else ""
                why = "" if self.trend == "linear" else f", as one explains {EXPLAINED:.0%} of its level and goes on"
                line = f"a line through time{self._begun(place)} is taken away{why}; what is expected has it again"
                notes.append(Note(f"{name!r}{where}: {line}", where=name))
        return notes

    def _begun(self, place: int) -> str:
        """Return from when on the only series has its line, in words; nothing where that was there from the first."""
        step = int(np.searchsorted(self._seconds(), self.lines.begins[0, place]))
        return f" from {self.series.texts()[self.series.steps.low[step]]} on" if step and not self.by else ""

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
        source = self.source(data, schema)
        forms = [
            getattr(column, "format", None) for column in (schema.columns if schema else ()) if column.name == self.time
        ]
        return timeline(source, str(self.time), split_names(self.by), self._most_filled, next(iter(forms), None))

    def source(self, data: str, schema: TableSchema | None) -> TableSource:
        """Return the table of a file."""
        rows = read(data, like=schema, encoding=self.encoding)
        rows = with_missing(rows, self.missing, fitted=schema is not None)
        return column_of_times(with_kinds(rows, self.column) if schema is None else rows, str(self.time))

    @property
    def _most_filled(self) -> int:
        """The most missing steps in a row that are filled."""
        return self.window // _FILLED_SHARE if self.fill is None else self.fill

    def encode(self) -> tuple[np.ndarray, list[Note]]:
        """Return numbers at the steps, (m, c), missing ones lying between neighbours, and where holes are longer.

        A piece ends at a long hole, whose steps are each a piece with a negative number.
        """
        series, steps = self.series, self.series.steps
        values, known = self.schema.encode(series.source), self.schema.known(series.source)
        self.pieces: np.ndarray = steps.pieces
        notes = []
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
