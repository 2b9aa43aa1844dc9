"""What a filling is worth: known cells of held-out rows are hidden and filled, beside simple fillings."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from narrows.data.tables.own_units import in_own_unit, unit_of
from narrows.data.tables.schema import TableSchema
from narrows.estimator.inputs import flat
from narrows.metrics import Comparison
from narrows.tasks.base import Evaluation, Metric, Picture, Rows, pick
from narrows.tasks.impute.baselines import IMPUTE_BASELINES, MAX_REGRESSED_COLUMNS
from narrows.tasks.impute.cells import Cells, Support
from narrows.tasks.impute.hiding import hidden_like_missing

__all__ = ["evaluation", "own_errors", "units_of"]

Floats = NDArray[np.float64]

_MAX_ROWS, _MAX_REPEATS = 1000, 10  # rows that are measured, and times that cells of few rows are hidden anew
_OURS = "the autoencoder"
_LEAD = (
    "Known cells of {word} rows, hidden as cells of other rows are missing, and a tenth of a column at least. Numbers: "
    "the root mean square error in their own unit; categories: the share of wrong levels. "
    "All fillings are put into the form of their column first. The columns that are filled worst stand first."
)
_CAPTION = "The mean over columns of the error on the same hidden cells of {word} rows; {scale}."
_SCALE = (
    "a number's is the root mean square in deviations of its column, a category's the share of wrong levels over the "
    "share that is not the most frequent one"
)


class Unit(NamedTuple):
    """How encoded numbers of a column are read in its own unit."""

    column: str
    own: Callable[[Floats], Floats]
    unit: str


def units_of(names: Sequence[str], scales: Sequence[float], table: TableSchema | None = None) -> list[Unit]:
    """Return the units of all cells: of the columns of a table, or of columns that were divided by ``scales``."""
    if table is not None:
        return [Unit(c.name, partial(in_own_unit, c), unit_of(c)) for c in table.columns if c.measure().width]
    return [Unit(name, partial(np.multiply, scale), "its own") for name, scale in zip(names, scales, strict=True)]


def own_errors(
    cells: Cells, units: Sequence[Unit], truth: Floats, filled: Floats, hidden: NDArray[np.bool_]
) -> dict[str, float]:
    """Return the error of every column over its hidden cells, in its own unit; NaN where none is hidden."""
    errors = dict.fromkeys((unit.column for unit in units), float("nan"))
    for place, (span, unit) in enumerate(zip(cells.spans, units, strict=True)):
        ours, theirs = filled[hidden[:, place], span], truth[hidden[:, place], span]
        if not len(ours):
            continue
        if cells.category[place]:
            errors[unit.column] = float((ours.argmax(1) != theirs.argmax(1)).mean())
        else:
            errors[unit.column] = float(np.sqrt(np.mean(np.square(unit.own(ours[:, 0]) - unit.own(theirs[:, 0])))))
    return errors


class FittedImputer(Protocol):
    """What is asked of a fitted imputer to measure it."""

    fill_: list[float]
    supports_: list[Support]
    units_: Any
    errors_: dict[str, float]

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


def evaluation(imputer: FittedImputer, train: Rows, held: Rows) -> Evaluation:
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
    formed = {name: cells.in_form(rows, imputer.supports_, shares) for name, rows in fillings.items()}
    parts = {name: losses.parts(rows) for name, rows in formed.items()}
    ends = [cells.in_form(end, imputer.supports_, shares) for end in (low, high)]
    inside = _inside(cells, truth, hidden, *ends)
    units = _units(imputer, held)
    errors = {name: own_errors(cells, units, truth, rows, hidden) for name, rows in formed.items()}
    imputer.errors_ = errors[_OURS]
    table = _table(losses, parts, errors, inside, units, held.split.word)
    return _evaluation(losses, parts, inside, held, table, notes)


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


def _units(imputer: FittedImputer, held: Rows) -> list[Unit]:
    """Return the units of the columns of measured rows: of their table, or by their names."""
    first = [span.start for span in imputer.cells.spans]
    names = held.feature_names or [f"column {place}" for place in range(held.X.shape[1])]
    scales = np.ones(len(names)) if imputer.units_ is None else np.array(imputer.units_[1])
    return units_of([names[place] for place in first], scales[first].tolist(), held.table)


def _table(
    losses: Losses,
    parts: dict[str, Floats],
    errors: dict[str, dict[str, float]],
    inside: Floats,
    units: Sequence[Unit],
    word: str,
) -> dict[str, Any]:
    """Return the errors of every column in its own unit, the worst filled ones first."""
    total = parts[_OURS].sum(0)
    rows = []
    for place in np.argsort(-np.nan_to_num(losses.by_column(total) / losses.sizes), kind="stable"):
        values = [errors[name][units[place].column] for name in parts]
        shown = ["" if np.isnan(value) else f"{value:.4g}" for value in values]
        covered = "" if np.isnan(inside[place]) else f"{inside[place]:.0%}"
        rows.append([units[place].column, int(total[1, place]), units[place].unit, *shown, covered])
    columns = ("column", "cells", "unit", *parts, "inside 90 %")
    return {"title": "Errors by column", "lead": _LEAD.format(word=word), "columns": columns, "rows": rows}
