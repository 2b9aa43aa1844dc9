"""A series: windows of a table with a time column, scored step by step and channel by channel."""

import difflib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import polars as pl

from narrows.data import Schema, Source, read, schema_from_json
from narrows.data.table_schema import TableSchema
from narrows.data.tables import TableSource
from narrows.data.times import interval_of, time_texts
from narrows.data.windows import Steps, regular_steps, spread, window_starts
from narrows.errors import InputError
from narrows.journeys.anomaly import labelled
from narrows.journeys.base import Journey, Judged, Request, Say
from narrows.journeys.missing import counted, gaps
from narrows.journeys.outputs import write_table
from narrows.journeys.series_evidence import Part, evaluation
from narrows.params import param
from narrows.tasks.base import Task

__all__ = ["SeriesJourney"]

_PARTS = (0.6, 0.8)  # of the time is learnt from; what follows sets the threshold, up to ...; the rest is measured on
_NEAR = 0.05  # share by which the interval of new steps may differ from that of the fit
_FEW, _MOST = 200, 20_000  # windows that are learnt from


@dataclass(frozen=True)
class Read:
    """A series in the order of time: its rows, its channels as numbers (n, c) at the steps (m, c), its notes."""

    source: Source
    stamps: pl.Series
    form: str | None  # how the times of a text file were written
    steps: Steps
    notes: tuple[str, ...]


class SeriesJourney(Journey):
    """A table with a time column, ``--time COLUMN``, and one column for each channel.

    The first 60 % of the time is learnt from, the next 20 % sets the threshold, the rest is measured on; no window
    crosses from one part to the next, or a gap. Unevenly spaced rows are interpolated to a grid.
    """

    serves: ClassVar[tuple[str, ...]] = ("anomaly",)

    time: str | None = param(None, "the column of times: the rows are a series")
    window: int = param(64, "steps that are looked at together", ge=2)
    label: str | None = param(None, "the column that says which rows are anomalous (1) and which ordinary (0)")

    def takes(self, task: Task, request: Request) -> bool:
        """Return whether the user named a time column."""
        return self.time is not None

    def fit(self, task: Any, request: Request, say: Say) -> dict[str, Any]:
        """Read the series, divide it by time, and train on windows of its first part."""
        if request.second is not None:
            raise InputError(f"{request.second!r} came beside {request.data!r}", "one DATA", "leave it out")
        made = self._read(request.data, None)
        m, edges = len(made.steps), [int(share * len(made.steps)) for share in _PARTS]
        self.part = np.searchsorted(edges, np.arange(m), "right")
        rows = np.flatnonzero(self.part[made.steps.of_row] == 0)
        schema = made.source.take(rows).fit_schema()
        self.made, self.task, self.schema = made, task, schema
        self.values = made.steps.at(schema.encode(made.source))
        self.pieces = np.cumsum(np.diff(made.steps.pieces + self.part * m, prepend=0) != 0)
        notes = [*made.notes, *schema.told(made.source), *schema.warnings(made.source), *self._train(task, request)]
        for note in notes:
            say(note)
        held = int((self.part[made.steps.of_row] == 2).sum())
        return {
            "name": made.source.name,
            "rows": len(made.source),
            "used": len(rows),
            "held_out": held,
            "channels": len(_names(schema)),
            "window": self.window,
            "fingerprint": made.source.fingerprint()[:16],
            **counted(schema, made.source),
            "notes": notes,
            "split": "held-out",
        }

    def _train(self, task: Any, request: Request) -> list[str]:
        """Fit to windows of the first part, set the threshold by the steps of the second, and say what was passed."""
        learnt = int((self.part == 0).sum())
        stride = max(1, min(self.window // 4, learnt // _FEW), learnt // _MOST)
        starts = window_starts(self.pieces, self.window, stride)
        kinds = self.part[starts]
        if min(int((kinds == kind).sum()) for kind in range(3)) == 0:
            came = f"{len(self.made.steps)} steps do not hold windows of {self.window} in each of three parts"
            hint = f"--window {max(2, len(self.made.steps) // 12)}"
            raise InputError(came, f"{5 * self.window} steps or more without gaps, or shorter windows", hint)
        odd = self._labels()[starts[:, None] + np.arange(self.window)].any(1)
        starts, kinds = starts[~odd], kinds[~odd]
        if min(int((kinds == kind).sum()) for kind in (0, 1)) < 2:
            raise InputError("Nearly all windows hold a step labelled as anomalous", "ordinary windows in each part")
        rows = _windows(self.values, starts, self.window)
        if "latent_dim" not in request.given:
            task.set_params(**task.suited(rows.shape[1:]))
        task.fit(rows[kinds == 0], aside=rows[kinds == 1])
        self.scores = self._score(self.values, self.pieces)
        total = self._total(self.scores)
        known = np.isfinite(total)
        task.n_set_aside_ -= int((kinds == 1).sum()) - len(task.calibration_)  # windows; steps set the threshold
        task.calibrate(total[known & (self.part == 1) & (self._labels() == 0)])
        if task.contamination is not None:
            task.contaminated_ = float(np.quantile(-total[known], task.contamination))
        lost = int((~known[self.made.steps.of_row]).sum())
        short = f"{lost} rows are in pieces shorter than a window of {self.window} steps, and have no score"
        left = f"{int(odd.sum())} windows with steps labelled as anomalous are left out of training and threshold"
        return [said for said, count in ((short, lost), (left, odd.sum())) if count]

    def judge(self) -> Judged:
        """Measure on the last part of the time."""
        names = _names(self.schema)
        part = Part(self.values, self.pieces, self.part, self.window, self._groups())
        labels = None if self.made.source.labels is None else self._labels()
        return Judged(evaluation(self.task, part, self._score, labels, names, _clock(self.made)), None)

    def write(self, folder: Path) -> list[Path]:
        """Write the scores of all rows."""
        parts = np.array(["learnt", "threshold", "held-out"])[self.part]
        return [self._put(self.made, self.scores, folder, parts)]

    def card(self) -> dict[str, Any]:
        """Return the schema of the channels, and the interval of the steps."""
        return {"schema": self.schema.to_json(), "interval": interval_of(self.made.stamps, self.made.steps.interval)}

    def apply(self, task: Any, card: Mapping[str, Any], request: Request, out: Path, say: Say) -> list[Path]:
        """Write the scores of a new series."""
        self.task, self.schema = task, schema_from_json(card["schema"])
        made = self._read(request.data, self.schema)
        found, words = interval_of(made.stamps, made.steps.interval)
        fitted, said = card.get("interval", (found, words))
        if abs(found - fitted) > _NEAR * fitted:
            came = f"{made.source.name!r} has a step every {words}, and the model was fitted to one every {said}"
            raise InputError(came, "the interval of the fit", f"rows every {said}, or a fit to rows such as these")
        for note in (*made.notes, *self.schema.warnings(made.source), *gaps(self.schema, made.source)):
            say(note)
        values = made.steps.at(self.schema.encode(made.source))
        return [self._put(made, self._score(values, made.steps.pieces), out, None)]

    def _read(self, data: str, schema: Schema | None) -> Read:
        """Return a series in the order of time, without its column of times and labels."""
        source = read(data, like=schema)
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
            notes.append("the rows were not in the order of time: they are sorted")
        source = source.take(order)
        twice = int((np.diff(times[order]) == 0).sum())
        if twice:
            came = f"{twice} times in {self.time!r} occur more than once"
            raise InputError(came, "one row for each time", "one file for each series, or aggregated rows")
        steps = regular_steps(times[order])
        gaps = int(steps.pieces.max())
        if steps.resampled:
            notes.append(f"the rows are not evenly spaced: interpolated to {len(steps)} steps of the median interval")
        if gaps:
            notes.append(f"{gaps} gap{'s' * (gaps > 1)} in time: no window crosses one")
        kept = [note for note in notes if not note.startswith(repr(self.time))]
        others = tuple(each for each in source.id_columns if each != self.time)
        stamps = source.frame[self.time]
        bare = replace(source, frame=source.frame.drop(self.time), id_columns=others, notes=())
        return Read(bare, stamps, source.formats.get(str(self.time)), steps, tuple(kept))

    def _score(self, values: np.ndarray, pieces: np.ndarray) -> np.ndarray:
        """Return the score of every channel at every step, (m, channels); their squares add up to a step's."""
        starts = window_starts(pieces, self.window, max(1, self.window // 8))
        if not len(starts):
            raise InputError(f"{len(values)} steps hold no window of {self.window} without a gap", "a longer series")
        rows = _windows(values, starts, self.window)
        parts = self.task.examine(rows, fresh=True)[1].contributions.reshape(len(starts), self.window, -1)
        return np.sqrt(spread(np.add.reduceat(parts * self.window, self._groups(), axis=2), starts, len(values)))

    def _groups(self) -> np.ndarray:
        """Return where each channel's features begin."""
        if not isinstance(self.schema, TableSchema):
            return np.arange(self.schema.shape[0])
        return np.cumsum([0, *(len(each.features) for each in self.schema.columns if each.features)])[:-1]

    def _labels(self) -> np.ndarray:
        """Return which steps have an anomalous row nearest to them."""
        labels = np.zeros(len(self.made.steps), int)
        if self.made.source.labels is None:
            return labels
        np.maximum.at(labels, self.made.steps.of_row, self.made.source.labels)
        return labels

    @staticmethod
    def _total(scores: np.ndarray) -> np.ndarray:
        total: np.ndarray = np.sqrt(np.square(scores).sum(1))
        return total

    def _put(self, made: Read, scores: np.ndarray, folder: Path, parts: np.ndarray | None) -> Path:
        """Write series_scores.csv: time, score, p-value, flag, part, and the score of every channel."""
        rows = scores[made.steps.of_row]
        total = self._total(rows)
        known = np.isfinite(total)
        found = self.task.columns(-np.where(known, total, 0.0))
        columns = {name: pl.Series(values).set(pl.Series(~known), None) for name, values in found.items()}
        if parts is not None:
            columns["part"] = pl.Series(parts[made.steps.of_row].tolist())
        for name, values in zip(_names(self.schema), rows.T, strict=True):
            columns[f"score_{name}"] = pl.Series(values).fill_nan(None)
        return write_table(columns, folder / "series_scores.csv", time_texts(made.stamps, made.form), str(self.time))


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


def _clock(made: Read) -> np.ndarray:
    """Return the times of the steps for an axis: dates as dates."""
    dates = isinstance(made.stamps.dtype, (pl.Datetime, pl.Date))
    return made.stamps.to_numpy()[made.steps.low] if dates else made.steps.times


def _names(schema: Any) -> list[str]:
    return [column.name for column in schema.columns if column.features]


def _windows(values: np.ndarray, starts: np.ndarray, window: int) -> np.ndarray:
    """Return windows as rows, (n, window * c), float32."""
    made = values[starts[:, None] + np.arange(window)].astype(np.float32)
    return made.reshape(len(starts), -1)
