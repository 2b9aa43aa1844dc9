"""What a filling is worth: known cells of held-out rows are hidden and filled, beside simple fillings."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from narrows.data.tables.column import Column
from narrows.data.tables.schema import TableSchema
from narrows.estimator.inputs import flat
from narrows.metrics import Comparison
from narrows.tasks.base import Evaluation, Metric, Picture, Rows, pick
from narrows.tasks.impute.baselines import IMPUTE_BASELINES, MAX_REGRESSED_COLUMNS
from narrows.tasks.impute.cells import Cells, Support
from narrows.tasks.impute.hiding import hidden_like_missing

__all__ = ["Unit", "evaluation", "units_of"]

Floats = NDArray[np.float64]

_MAX_ROWS, _MAX_REPEATS = 1000, 10  # rows that are measured, and times that cells of few rows are hidden anew
_OURS = "the autoencoder"
_DAYS = {"ms": 1 / 86_400e3, "us": 1 / 86_400e6, "ns": 1 / 86_400e9}
_LEAD = (
    "Known cells of {word} rows, hidden as cells of other rows are missing, and a tenth of a column at least. Numbers: "
    "the root mean square error in their own unit; categories: the share of wrong levels. "
    "All fillings are put into the form of their column first."
)
_CAPTION = "The mean over columns of the error on the same hidden cells of {word} rows; {scale}."
_SCALE = (
    "a number's is the root mean square in deviations of its column, a category's the share of wrong levels over the "
    "share that is not the most frequent one"
)


class Unit(NamedTuple):
    """What an encoded 1 is in a column of the file."""

    column: str
    scale: float = 1.0
    unit: str = ""


def units_of(schema: TableSchema) -> list[Unit]:
    """Return what an encoded 1 is in every cell of a table: days of dates and times."""
    return [_unit(column) for column in schema.columns if column.measure().width]


def _unit(column: Column) -> Unit:
    scale = float(getattr(column, "scale", 1.0))
    if not column.type.is_temporal():
        return Unit(column.name, scale)
    return Unit(column.name, scale * _DAYS.get(getattr(column.type, "time_unit", ""), 1.0), "days")


class FittedImputer(Protocol):
    """What is asked of a fitted imputer to measure it."""

    fill_: list[float]
    supports_: list[Support]
    units_: Any

    @property
    def cells(self) -> Cells:
        """Which encoded columns belong to which cell."""

    def coded(self, rows: np.ndarray) -> np.ndarray:
        """Return rows as the autoencoder sees them."""

    def forecast(self, coded: np.ndarray) -> tuple[Floats, Floats, Floats]:
        """Return means and both ends of intervals."""


class Losses:
    """The errors of fillings of the same hidden cells, by column.

    The measure is the mean over columns; of a number the root mean square error over the deviation of its column, of a
    category the share of wrong levels over that of the most frequent one: 1 is about mean or mode.
    """

    def __init__(self, cells: Cells, train: Floats, truth: Floats, hidden: NDArray[np.bool_], repeats: int):
        self.cells, self.truth, self.hidden, self.repeats = cells, truth, hidden, repeats
        known = cells.known(train)
        self.sizes = np.ones(len(cells.spans))
        for place, span in enumerate(cells.spans):
            values = train[known[:, place], span]
            if cells.category[place]:
                self.sizes[place] = 1 - values.mean(0).max() if len(values) else 1.0
            else:
                self.sizes[place] = values.std() if len(values) else 1.0
        self.sizes[self.sizes <= 1e-12] = 1.0

    def parts(self, filled: Floats) -> Floats:
        """Return what every row adds: the sum of its errors and the count of its hidden cells, (n, 2, cells)."""
        errors = np.zeros(self.hidden.shape)
        for place, span in enumerate(self.cells.spans):
            if self.cells.category[place]:
                errors[:, place] = filled[:, span].argmax(1) != self.truth[:, span].argmax(1)
            else:
                errors[:, place] = np.square(filled[:, span.start] - self.truth[:, span.start])
        both = np.stack([np.where(self.hidden, errors, 0.0), self.hidden], 1)
        return np.asarray(both.reshape(self.repeats, -1, *both.shape[1:]).sum(0), np.float64)

    def by_column(self, total: Floats) -> Floats:
        """Return the error of every column, in encoded units or as a share; NaN where nothing was hidden."""
        with np.errstate(invalid="ignore", divide="ignore"):
            means = total[0] / total[1]
        return np.asarray(np.where(self.cells.category, means, np.sqrt(means)), np.float64)

    def measure(self, total: Floats) -> float:
        """Return the mean over columns, each on its own scale."""
        errors = self.by_column(total) / self.sizes
        return float(np.mean(errors[~np.isnan(errors)])) if (total[1] > 0).any() else float("nan")

    def kind(self, total: Floats, category: bool) -> float:
        """Return the mean over the columns of numbers, in deviations, or of categories, in shares of wrong levels."""
        errors = self.by_column(total) / np.where(self.cells.category, 1.0, self.sizes)
        chosen = errors[(self.cells.category == category) & ~np.isnan(errors)]
        return float(chosen.mean()) if len(chosen) else float("nan")

    def numbers(self, parts: Floats) -> dict[str, float]:
        """Return all measures of a filling."""
        total = parts.sum(0)
        values = {"error": self.measure(total), "rms": self.kind(total, False), "wrong": self.kind(total, True)}
        return {name: value for name, value in values.items() if name == "error" or not np.isnan(value)}


def evaluation(imputer: FittedImputer, train: Rows, held: Rows, units: Sequence[Unit] = ()) -> Evaluation:
    """Return the error on hidden cells, by column and as one number, beside that of simple fillings."""
    cells, held = imputer.cells, pick(held, _MAX_ROWS)
    learnt, truth = (imputer.coded(flat(rows.X)).astype(np.float64) for rows in (train, held))
    repeats = int(np.clip(_MAX_ROWS // len(truth), 1, _MAX_REPEATS))
    truth = np.tile(truth, (repeats, 1))
    known, patterns = cells.known(truth), cells.known(learnt)
    hidden = hidden_like_missing(known, patterns, np.random.default_rng(0))
    seen = np.where(cells.spread(known & ~hidden), truth, np.nan)
    learnt = np.where(cells.spread(patterns), learnt, np.nan)
    expected, low, high = imputer.forecast(seen)
    fillings, notes = {_OURS: expected}, []
    for name, fill in IMPUTE_BASELINES.items():
        if name == "iterative regression" and learnt.shape[1] > MAX_REGRESSED_COLUMNS:
            notes.append(f"{name.capitalize()} is left out: {learnt.shape[1]} encoded columns are too many for it.")
            continue
        fillings[name] = fill(learnt, seen, cells.blocks)
    shares = np.array(imputer.fill_)
    losses = Losses(cells, learnt, truth, hidden, repeats)
    parts = {n: losses.parts(cells.in_form(rows, imputer.supports_, shares)) for n, rows in fillings.items()}
    ends = [cells.in_form(end, imputer.supports_, shares) for end in (low, high)]
    inside = _inside(cells, truth, hidden, *ends)
    return _evaluation(
        losses, parts, inside, held, _table(losses, parts, inside, held, _units(imputer, held, units)), notes
    )


def _evaluation(
    losses: Losses,
    parts: dict[str, Floats],
    inside: Floats,
    held: Rows,
    table: dict[str, Any],
    notes: list[str],
) -> Evaluation:
    judged = {name: losses.numbers(one) for name, one in parts.items()}
    bars = {name: values["error"] for name, values in judged.items()}
    ours, word = judged.pop(_OURS), held.split.word
    best = min(judged, key=lambda name: judged[name]["error"])
    metrics = {
        "error": Metric(ours["error"], "error of the filled cells", "mean over columns; 1 is about mean or mode")
    }
    if "rms" in ours:
        metrics["rms"] = Metric(ours["rms"], "root mean square error of numbers", "in deviations of their column")
    if "wrong" in ours:
        metrics["wrong"] = Metric(ours["wrong"], "share of wrong levels", "mean over the categories")
    if not np.isnan(inside).all():
        share = float(np.nanmean(inside))
        metrics["coverage"] = Metric(share, "share of the hidden numbers inside their interval", "of 90 %", "higher")
        notes.append(f"Intervals of 90 % held {share:.0%} of the hidden numbers of {word} rows.")
    caption = _CAPTION.format(word=word, scale=_SCALE)
    picture = Picture("bars", "Error of filled cells", caption, {"values": bars, "label": "error, mean over columns"})
    comparison = Comparison.of_totals(losses.measure, parts[_OURS], parts[best], "lower")
    rows = len(parts[_OURS])
    return Evaluation(metrics, judged, "error", best, rows, comparison, [picture], notes, tables=[table])


def _inside(cells: Cells, truth: Floats, hidden: NDArray[np.bool_], low: Floats, high: Floats) -> Floats:
    """Return the share of the hidden numbers of every column that lie inside their interval; NaN of categories."""
    first = [span.start for span in cells.spans]
    slack = 1e-6
    within = (truth[:, first] >= low[:, first] - slack) & (truth[:, first] <= high[:, first] + slack)
    counts = hidden.sum(0)
    shares = np.where(counts > 0, (within & hidden).sum(0) / np.maximum(counts, 1), np.nan)
    return np.where(cells.category, np.nan, shares)


def _units(imputer: FittedImputer, held: Rows, units: Sequence[Unit]) -> Sequence[Unit]:
    """Return what is known of the columns: what a workflow says, or their names and what they were divided by."""
    if units:
        return units
    first = [span.start for span in imputer.cells.spans]
    names = held.feature_names or [f"column {place}" for place in range(held.X.shape[1])]
    scales = np.ones(len(names)) if imputer.units_ is None else np.array(imputer.units_[1])
    return [Unit(names[place], float(scales[place])) for place in first]


def _table(
    losses: Losses, parts: dict[str, Floats], inside: Floats, held: Rows, units: Sequence[Unit]
) -> dict[str, Any]:
    """Return the errors of every column in its own unit, the worst filled ones first."""
    errors = {name: losses.by_column(one.sum(0)) for name, one in parts.items()}
    counts = parts[_OURS].sum(0)[1].astype(int)
    rows = []
    for place in np.argsort(-np.nan_to_num(errors[_OURS] / losses.sizes), kind="stable"):
        column, scale, unit = units[place]
        category = bool(losses.cells.category[place])
        measured = "share of wrong levels" if category else unit or "its own"
        values = [float(error[place]) * (1.0 if category else scale) for error in errors.values()]
        shown = ["" if np.isnan(value) else f"{value:.4g}" for value in values]
        covered = "" if np.isnan(inside[place]) else f"{inside[place]:.0%}"
        rows.append([column, int(counts[place]), measured, *shown, covered])
    columns = ("column", "cells", "unit", *errors, "inside 90 %")
    return {"title": "Errors by column", "lead": _LEAD.format(word=held.split.word), "columns": columns, "rows": rows}
