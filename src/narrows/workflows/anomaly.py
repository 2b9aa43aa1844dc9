"""Rows among which anomalies are looked for: labels when there are some, and reasons in the user's own units."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl

from narrows.data import Schema, Source
from narrows.data.label_hints import label_hints
from narrows.data.leaks import leak_notes
from narrows.data.tables.categorical import CategoryColumn
from narrows.data.tables.column import Column
from narrows.data.tables.columns import in_file_form
from narrows.data.tables.drop_columns import without_column
from narrows.data.tables.formatting import as_text
from narrows.data.tables.schema import TableSchema
from narrows.data.tables.source import TableSource
from narrows.errors import InputError, listed, nearest
from narrows.holdout import ROWS, Split
from narrows.notes import Note, NoteKind
from narrows.params import param
from narrows.tasks.anomaly.labels import ACCEPTED, strange_names
from narrows.tasks.base import Evaluation
from narrows.workflows.base import Request, Say
from narrows.workflows.outputs import write_outputs, write_table
from narrows.workflows.tables import FittedRows, RowsWorkflow, split

__all__ = ["AnomalyWorkflow", "labelled", "reasons", "strangest"]

_CLASS_NAMES = ("ordinary", "anomalous")
_MAX_REASONS = 3
_MAX_STRANGEST = 10  # rows that the page names


class AnomalyWorkflow(RowsWorkflow):
    """A table (csv, xlsx, json, SQLite, parquet, npy, ...), a folder of images, or a named dataset.

    With labels, the anomalous rows are left out of training and all of them are measured on.
    """

    knows: ClassVar[tuple[str, ...]] = ()  # its codes are those of standardised rows

    label: str | None = param(None, "the column that says which rows are anomalous (1) and which ordinary (0)")

    def fit(self, task: Any, request: Request, say: Say) -> dict[str, Any]:
        """Train, and count the rows that set the threshold and those that are far outside."""
        facts = super().fit(task, request, say)
        counts = {"of these for the threshold": len(task.calibration_), "of these left out": task.n_set_aside_}
        return facts | counts

    def open(self, data: str, like: Schema | None = None) -> Source:
        """Read rows, and name the columns that may be a label which the user forgot."""
        source = super().open(data, like)
        return replace(source, notes=(*source.notes, *(label_hints(source) if self.label is None else ())))

    def named(self, source: Source, classes: Sequence[str] | None = None) -> Source:
        """Return rows with their labels, if a column holds them; after the fit it is a column too many."""
        if classes is not None:
            return source
        if self.label is None:
            if source.labels is not None:
                unused = Note(f"{source.name!r}: 'y' is not used; --label y reads anomalies from it", where="y")
                notes = (unused if note.kind is NoteKind.LABELS else note for note in source.notes)
                source = replace(source, notes=tuple(notes))
            return replace(_bare(source), test=None if source.test is None else _bare(source.test))
        return labelled(source, self.label)

    def caveats(self, source: Source, schema: Schema) -> tuple[str, ...]:
        """Name the columns that determine the label."""
        return leak_notes(source, schema, self.label)

    def divide(self, source: Source, seed: int) -> tuple[Source, Source, Split]:
        """Put ordinary rows aside to be measured on, and all rows labelled as anomalous with them.

        Raises InputError where fewer than two rows are ordinary.
        """
        if source.labels is None:
            return split(source, seed)
        rows = np.arange(len(source))
        ordinary, strange = rows[source.labels == 0], rows[source.labels == 1]
        if len(ordinary) < 2:
            raise InputError(
                f"{source.name!r} has {len(ordinary)} ordinary rows",
                "at least 2",
                f"--label {shlex.quote(str(self.label))}",
            )
        parts = ROWS.rows(len(ordinary), seed)
        held = np.concatenate([ordinary[parts.measure], strange])
        return _bare(source.take(ordinary[parts.learn])), source.take(held), parts.split

    def learnable(self, source: Source) -> Source:
        """Return the ordinary rows, where labels say which those are."""
        if source.labels is None:
            return source
        ordinary = np.flatnonzero(source.labels == 0)
        note = Note(f"{len(source) - len(ordinary)} anomalous rows of {source.name!r} are not learnt from")
        rows = _bare(source.take(ordinary))
        return replace(rows, notes=(*rows.notes, note)) if len(ordinary) < len(source) else rows

    def with_labels_of(self, held: Source, source: Source) -> Source:
        """Return the user's own rows with the labels of their column."""
        return self.named(held)

    def evaluation(self, learnt: FittedRows) -> Evaluation:
        """Return how anomalies are told, and of a table the strangest of all its rows."""
        evaluation, source = super().evaluation(learnt), learnt.source
        if not isinstance(learnt.schema, TableSchema):
            return evaluation
        X = learnt.task.encoded(learnt.schema, source)
        self.scores = _scored(learnt.task, learnt.schema, source, X, fresh=False)
        return replace(evaluation, tables=[*evaluation.tables, strangest(self.scores, source)])

    def write(self, folder: Path) -> list[Path]:
        """Write scores.csv for all rows of the data."""
        source = self.learnt.source
        if not isinstance(self.learnt.schema, TableSchema):
            return super().write(folder)
        return [write_table(self.scores, folder / "scores.csv", source.ids, source.id_name)]

    def put(
        self, task: Any, schema: Schema, source: Source, X: Any, folder: Path, *, fresh: bool = False
    ) -> list[Path]:
        """Write scores.csv: score, p-value, flag, and the columns that made them so."""
        if not isinstance(schema, TableSchema):
            return write_outputs(task, schema, source, X, folder, fresh=fresh)
        scores = _scored(task, schema, source, X, fresh=fresh)
        return [write_table(scores, folder / "scores.csv", source.ids, source.id_name)]


def _scored(task: Any, schema: TableSchema, source: Source, X: Any, *, fresh: bool) -> dict[str, Any]:
    """Return what scores.csv says of every row."""
    scores, explained = task.examine(X, fresh=fresh)
    why = reasons(schema, source, explained.contributions, explained.expected)
    return {**task.threshold_.columns(-scores), **why}


def strangest(scores: Mapping[str, Any], source: Source) -> dict[str, Any]:
    """Return the table of a page that names the rows with the highest scores, and what is strange about them.

    Examples
    --------
    >>> from narrows.data import read
    >>> why = {"column_1": ["age", "age"], "seen_1": ["230", "31"], "expected_1": ["28", "30"]}
    >>> source = read(pl.DataFrame({"id": [7, 9], "age": [230, 31]}))
    >>> strangest({"score": np.array([9.0, 1.0]), "p_value": np.array([0.01, 0.7]), **why}, source)["rows"][0]
    ['7', 9.0, 0.01, 'age is 230, expected 28']
    """
    order = np.argsort(-scores["score"], kind="stable")[:_MAX_STRANGEST].tolist()
    ranks = [rank for rank in range(1, _MAX_REASONS + 1) if f"column_{rank}" in scores]
    rows = []
    for row in order:
        cells = [[scores[f"{word}_{rank}"][row] for word in ("column", "seen", "expected")] for rank in ranks]
        why = "; ".join(f"{name} is {seen}, expected {expected}" for name, seen, expected in cells)
        rows.append([str(source.ids[row]), float(scores["score"][row]), float(scores["p_value"][row]), why])
    lead = f"Those of all {len(source):,} rows with the highest scores; scores.csv holds every row."
    return {
        "title": "The strangest rows",
        "lead": lead,
        "columns": (source.id_name, "score", "p-value", "why"),
        "rows": rows,
    }


def _bare(source: Source) -> Source:
    """Return rows without labels."""
    return replace(source, labels=None, class_names=None)


def labelled(source: Source, name: str) -> Source:
    """Return rows whose labels are those of a column, which is no feature any more.

    Raises InputError where there is no such column, or where labels are missing.
    """
    accepted = f"a column of {ACCEPTED}"
    if isinstance(source, TableSource) and name in source.frame.columns:
        marks, words = _marks(source.frame[name], accepted)
        text = f"{name!r} is read as labels ({marks.sum()} of {len(marks)} rows are anomalous), not as a feature"
        note = Note(text, where=name)
        remaining = without_column(source, name)
        rows: Source = replace(remaining, notes=(*remaining.notes, note, *words))
        labels = marks.to_numpy()
    elif name == "y" and source.class_names is not None and (strange := strange_names(source.class_names, zero=True)):
        missing = 0 if source.labels is None else int((source.labels < 0).sum())
        if missing:
            raise InputError(f"{missing} rows of {source.name!r} have no label in 'y'", accepted, "leave them out")
        rows = replace(source, notes=(*source.notes, *_read_as(name, source.class_names)))
        labels = np.array(strange)[source.labels]
    else:
        columns = source.frame.columns if isinstance(source, TableSource) else []
        npz_names = ["y"] if source.labels is not None and name != "y" else []  # beside the rows of an .npz file
        near = nearest(name, [*npz_names, *columns], 0.4)
        hint = f"--label {shlex.quote(near) if near else 'COLUMN'}"
        accepted = ", ".join([*npz_names, *columns][:20]) or "a column of a table, or y, in an .npz file"
        raise InputError(f"{source.name!r} has no label column {name!r}", accepted, hint)
    return replace(rows, labels=labels.astype(np.int64), class_names=_CLASS_NAMES, test=None)


def _marks(column: pl.Series, accepted: str) -> tuple[pl.Series, list[Note]]:
    """Return 1 for the rows that a column of labels calls anomalous, and a note where only one label has a meaning."""
    words = column.cast(pl.String).str.strip_chars().str.to_lowercase()
    different = words.drop_nulls().unique().sort().to_list()
    known = dict(zip(different, strange_names(different, zero=True) or (), strict=False))
    marks = words.replace_strict(known, default=None, return_dtype=pl.Int64)
    odd = words.filter(marks.is_null()).unique().sort().to_list()
    if odd:
        examples = ", ".join("missing" if label is None else repr(label) for label in odd[:3])
        raise InputError(f"the label column {column.name!r} holds {examples}", accepted, "--label COLUMN")
    return marks, _read_as(column.name, different)


def _read_as(name: str, labels: Sequence[str]) -> list[Note]:
    """Say which labels are read as ordinary where the others have no meaning of their own."""
    if all(strange_names([label]) is not None for label in labels):
        return []
    strange = strange_names(labels, zero=True) or []
    sides = [
        listed([repr(label) for label, odd in zip(labels, strange, strict=True) if odd == side]) for side in (0, 1)
    ]
    text = f"{name!r}: {sides[0]} is read as ordinary, everything else as anomalous ({sides[1]})"
    return [Note(text, where=name)]


def reasons(schema: TableSchema, source: Source, parts: np.ndarray, expected: np.ndarray) -> dict[str, pl.Series]:
    """Return for every row the columns that add most to its score, with seen and expected values in their own units."""
    seen = schema.conform(source.frame)  # type: ignore[attr-defined]
    decoded = schema.decode(expected)
    used = [column for column in schema.columns if column.features]
    shares = schema.by_column(parts)
    for place, column in enumerate(used):
        if isinstance(column, CategoryColumn):  # near rows of several levels, mostly of this one: no reason to name
            shares[_texts(seen[column.name]) == _texts(decoded[column.name]), place] = 0
    order = np.argsort(-shares, axis=1, kind="stable")[:, :_MAX_REASONS]
    columns: dict[str, pl.Series] = {}
    for rank in range(order.shape[1]):
        names, texts = np.empty(len(parts), object), np.empty((2, len(parts)), object)
        for place, column in enumerate(used):
            rows = np.flatnonzero(order[:, rank] == place)
            if len(rows):
                names[rows] = column.name
                texts[0, rows] = _texts(_as_read(seen[column.name], column)[rows], digits=None)
                texts[1, rows] = _texts(_as_read(decoded[column.name], column)[rows])
        for word, values in (("column", names), ("seen", texts[0]), ("expected", texts[1])):
            columns[f"{word}_{rank + 1}"] = pl.Series(values.tolist(), dtype=pl.String)
    return columns


def _as_read(series: pl.Series, column: Column) -> pl.Series:
    """Return cells with dates in the form of their file."""
    return in_file_form(series, column, digits=False)


def _texts(series: pl.Series, digits: int | None = 6) -> np.ndarray:
    """Return cells as texts, numbers to so many digits; None: every digit that came."""
    if series.dtype.is_float():
        series = series.fill_nan(None)
        series = series if digits is None else series.round_sig_figs(digits)
    texts: np.ndarray = as_text(series).fill_null("missing").to_numpy()
    return texts
