"""Rows: a table, an array, a folder of images brought to one size, or a named dataset."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Literal, NotRequired, TypedDict

import numpy as np

from narrows.data import Schema, Source, read, schema_from_json
from narrows.data.base import Treatment
from narrows.data.check import require_range
from narrows.data.labels import label_names, same_classes, with_label
from narrows.data.tables.chosen_kinds import with_kinds
from narrows.data.tables.chosen_missing import with_missing
from narrows.data.tables.drop_columns import without_columns
from narrows.data.tables.schema import TableSchema
from narrows.errors import ArtefactError, InputError
from narrows.holdout import ROWS, Parts, Split
from narrows.params import param
from narrows.tasks.base import Block, Evaluation, Rows, Task
from narrows.training.random import seed_of
from narrows.workflows.base import Evaluated, Items, Request, Say, Workflow
from narrows.workflows.copies import copied
from narrows.workflows.map_items import Shown, items_of, require_colour
from narrows.workflows.outputs import decode, write_outputs

__all__ = [
    "NO_IMAGES",
    "FittedRows",
    "RowsWorkflow",
    "counted",
    "parted",
    "rows_of",
    "settle",
    "size_of_images",
    "split",
]


NO_IMAGES = {"skip_unreadable": "only images of a folder are left out"}


def treatment_by(task: Task) -> Treatment:
    """Return what becomes of missing cells: a task that reads them as missing fills them itself or not at all."""
    if task.reads_missing:
        return Treatment.MODEL if task.imputes else Treatment.NO_PRICE
    return Treatment.MEDIAN


def counted(schema: Schema, source: Source) -> dict[str, dict[str, int]]:
    """Return the count of filled cells by column as a fact of the data, where there are some."""
    counts = {name: n for name, (n, _) in schema.fillings(source).items()}
    return {"cells filled": counts} if counts else {}


@dataclass(frozen=True)
class FittedRows:
    """A fitted task, the rows it came from, and the rows it is measured on."""

    task: Task
    source: Source
    schema: Schema
    train: Rows
    test: Rows
    held: Source  # the rows of ``test`` as they came
    caveats: tuple[str, ...] = ()  # what a reader of the verdict must know of the data


class RowsState(TypedDict):
    """What a run keeps of how its data was read."""

    schema: dict[str, Any]
    classes: NotRequired[list[str] | None]
    library: NotRequired[Literal["pandas", "polars"]]  # whose frames a fit in Python took


class RowsWorkflow(Workflow):
    """A table (csv, xlsx, json, SQLite, parquet, npy, ...), a folder of images, or a named dataset.

    Rows are encoded by a schema, a part is held out, and results go back through the schema.
    """

    keeps: ClassVar[Any] = RowsState
    honours: ClassVar[tuple[str, ...]] = ("valid", "start")
    knows: ClassVar[tuple[str, ...]] = ("decode",)
    writes: ClassVar[tuple[str, ...]] = ("imputed",)

    image_size: str | None = param(None, "HEIGHTxWIDTH that images of a folder are brought to")
    skip_unreadable: bool = param(False, "leave out images that cannot be read, and name them; no: they are refused")
    encoding: str | None = param(None, "encoding of a text file that is not UTF-8: cp949, shift_jis, gbk, cp1251, ...")
    label: str | None = param(None, "the column of a table that holds labels; nothing is learnt from it")
    drop: str | None = param(None, "columns of a table that are left out, with commas between")
    colour: str | None = param(None, "the column of a table that colours the map of the codes; none: the label")
    missing: str | None = param(
        None, "NAME=VALUE of values that stand for a missing cell, again or with commas: age=-1", several=True
    )
    column: str | None = param(
        None, "NAME=KIND of columns that are read as something else, again or with commas: zip=category", several=True
    )

    def fit(self, task: Task, request: Request, say: Say) -> dict[str, Any]:
        """Read the data, put some rows aside, and train on the others."""
        if request.second is not None:
            hint = f"narrows fit {task.name} DATA -o RUN"
            raise InputError(f"{request.second!r} came beside {request.data!r}: one word too many", "one DATA", hint)
        start = None if request.start is None else schema_from_json(request.start["schema"])
        source = self.open(request.data, start)
        if source.kind != "images":
            request.refuse({"image_size": "only images of a folder are brought to a size"} | NO_IMAGES)
        if source.kind != "table":
            request.refuse({"encoding": "only the text of a table is written in one"})
        if not task.mapped or source.kind != "table":
            request.refuse({"colour": "only the codes of a table that is reduced are drawn by a column"})
        elif self.colour not in (None, self.label):
            require_colour(source, self.colour)
        notes: Sequence[str] = source.notes
        if request.valid is None:
            learn, held, where = self.divide(source, seed_of(task.random_state))
            schema = start or self.schema_of(task, learn)
        else:
            learn, where = self.learnable(source), Split.VALIDATION
            schema = start or self.schema_of(task, learn)
            held, notes = self.own_rows(request.valid, schema, learn, treatment_by(task))
        column_notes = (schema.described if start is None else schema.filled)(source, treatment_by(task))
        unique_notes = list(dict.fromkeys((*notes, *column_notes, *schema.warnings(source))))
        caveats = self.caveats(source, schema)
        for note in (*unique_notes, *caveats):
            say(note)
        X = task.encoded(schema, learn)
        settle(task, request, X, schema, labelled=learn.labels is not None)
        require_range(X, source.name, task.resolve().likelihood)
        held_rows = task.encoded(schema, held)  # refused before anything is learnt
        say(f"{task.name}: {len(learn):,} rows of {_by(schema.shape)} values from {source.name}")
        task.fit(X, label_names(learn))
        train, test = (rows_of(values, of, schema) for values, of in ((X, learn), (held_rows, held)))
        self.learnt = FittedRows(task, source, schema, train, test._replace(split=where), held, caveats)
        copies = [] if where.learnt else copied(train.X, test.X)
        for note in copies:
            say(note)
        return self._facts([*unique_notes, *copies])

    def _facts(self, notes: list[str]) -> dict[str, Any]:
        """Return what the report says of the data."""
        learnt = self.learnt
        source, schema, split = learnt.source, learnt.schema, learnt.test.split
        return {
            "name": source.name,
            "rows": len(source) + (len(source.test) if source.test is not None else 0),
            "used": learnt.train.X.shape[0],
            "held_out": 0 if split.learnt else learnt.test.X.shape[0],
            "values per row": _by(schema.shape),
            "fingerprint": source.fingerprint()[:16],
            **({} if learnt.task.reads_missing else counted(schema, source)),
            "notes": notes,
            "split": split,
        }

    def evaluate(self) -> Evaluated:
        """Measure on the rows that were put aside."""
        learnt = self.learnt
        evaluation = self.evaluation(learnt)
        evaluation.caveats = (*evaluation.caveats, *learnt.caveats)
        return Evaluated(evaluation, learnt.task.as_read(learnt.test), self.items() if learnt.task.mapped else None)

    def items(self) -> Items:
        """Return the rows for the map of the codes."""
        learnt = self.learnt
        source, held, split = learnt.source, learnt.held, learnt.test.split
        sets = [Shown(source, np.isin(source.ids, held.ids) & (split is Split.HELD_OUT))]
        if split in (Split.TEST, Split.VALIDATION):
            sets.append(Shown(held, np.ones(len(held), bool)))

        def codes(rows: Source) -> np.ndarray:
            outputs = learnt.task.outputs(learnt.task.encoded(learnt.schema, rows), fresh=True)
            return np.asarray(outputs["codes"])

        return items_of(sets, codes, self.label, self.colour)

    def schema_of(self, task: Task, learn: Source) -> Schema:
        """Return how rows become numbers, from those that are learnt from."""
        return task.schema_of(learn)

    def evaluation(self, learnt: FittedRows) -> Evaluation:
        """Return how the fitted task does on the rows that were put aside."""
        return learnt.task.evaluate(learnt.train, learnt.test)

    def caveats(self, source: Source, schema: Schema) -> tuple[str, ...]:
        """Return what a reader of a verdict on these rows must know to believe it."""
        return ()

    def write(self, folder: Path) -> list[Path]:
        """Write the outputs for all rows of the data."""
        learnt = self.learnt
        return self.put(
            learnt.task, learnt.schema, learnt.source, learnt.task.encoded(learnt.schema, learnt.source), folder
        )

    def state(self) -> dict[str, Any]:
        """Return the schema and the classes of the labels."""
        return {"schema": self.learnt.schema.to_json(), "classes": self.learnt.source.class_names}

    def apply(self, task: Task, state: Mapping[str, Any], request: Request, out: Path, say: Say) -> list[Path]:
        """Write the outputs for new rows, or the rows that codes stand for."""
        schema = schema_of(state, task)
        if request.decode:
            return decode(task, schema, request.data, out)
        source = self.named(self.read(request.data, schema), state.get("classes") or ())
        if source.kind != "images":
            request.refuse(NO_IMAGES)
        filled_notes = schema.filled(source, treatment_by(task))
        for note in dict.fromkeys((*source.notes, *schema.warnings(source), *filled_notes)):
            say(note)
        return self.put(task, schema, source, task.encoded(schema, source), out, fresh=True)

    def open(self, data: str, like: Schema | None = None) -> Source:
        """Read rows, with their labels where there are some; ``like`` is the schema of the run that is gone on from."""
        return self.named(self.read(data, like, size_of_images(self.image_size)))

    def read(self, data: str, like: Schema | None, image_size: tuple[int, int] | None = None) -> Source:
        """Read rows without the columns that are to be left out; ``like`` is the schema of the fit."""
        skip = self.skip_unreadable
        rows = read(data, like=like, image_size=image_size, encoding=self.encoding, skip_unreadable=skip)
        source = without_columns(rows, self.drop, fitted=like is not None)
        source = with_missing(source, self.missing, fitted=like is not None)
        return with_kinds(source, self.column) if like is None else source

    def own_rows(
        self, data: str, schema: Schema, source: Source, treatment: Treatment
    ) -> tuple[Source, tuple[str, ...]]:
        """Return the user's own rows to measure on, and the notes on the data; rows that do not fit are refused."""
        try:
            held = self.with_labels_of(self.read(data, schema), source)
            schema.encode(held)
        except InputError as error:
            came = f"--valid {data} does not fit {source.name}: {error.came}"
            raise InputError(came, error.accepted, error.hint) from None
        sentence = (
            f"the verdict is measured on the {len(held):,} rows of {held.name} (--valid); no row of them is learnt "
            f"from, and early stopping looks at a share of {source.name} only"
        )
        unused = f"the {len(source.test):,} test rows of {source.name} are not used" if source.test is not None else ""
        filled = [f"{held.name}: {words}" for words in schema.filled(held, treatment)]
        return held, tuple(
            filter(None, (*source.notes, sentence, unused, *held.notes, *schema.warnings(held), *filled))
        )

    def learnable(self, source: Source) -> Source:
        """Return the rows that may be learnt from where others are measured on: all."""
        return source

    def with_labels_of(self, held: Source, source: Source) -> Source:
        """Return the user's own rows with their labels, numbered as those of ``source``."""
        return same_classes(self.named(held, source.class_names), source.class_names)

    def named(self, source: Source, classes: "Sequence[str] | None" = None) -> Source:
        """Return rows with their labels; ``classes`` are those of the fit."""
        return with_label(source, self.label, classes)

    def divide(self, source: Source, seed: int) -> tuple[Source, Source, Split]:
        """Return rows to learn from, rows to measure on, and what the latter are."""
        return split(source, seed)

    def put(
        self, task: Task, schema: Schema, source: Source, X: Any, folder: Path, *, fresh: bool = False
    ) -> list[Path]:
        """Write what the task gives for encoded rows."""
        return write_outputs(task, schema, source, X, folder, fresh=fresh)


def settle(task: Task, request: Request, X: Any, schema: Schema, *, labelled: bool = False) -> None:
    """Set what follows from the data, where the user said nothing else."""
    other = None if request.start else task.instead(request.given, labelled=labelled, columns=len(schema.measures))
    if other is not None and task.estimator is not None:
        kept = {"checkpoint", "verbose", *request.given} & {spec.name for spec in fields(other)}
        task.set_params(estimator=other.set_params(**{name: getattr(task.estimator, name) for name in kept}))
    if schema.image_shape and X.ndim == 2:
        task.set_params(estimator=task.resolve().set_params(image_shape=schema.image_shape))
    elif X.ndim > 2:
        request.refuse({"image_shape": f"they are images of {_by(schema.shape)} already, no flattened ones"})
    if schema.measures:
        task.read_columns(schema.measures)
    for name, value in task.suited(schema.varying_shape).items():
        if name not in request.given:
            task.set_params(**{name: value})


def split(source: Source, seed: int) -> tuple[Source, Source, Split]:
    """Return rows to learn from, rows to measure on, and what the latter are: test, held-out or training rows."""
    if source.test is not None:
        return source, source.test, Split.TEST
    return parted(source, ROWS.rows(len(source), seed))


def parted(source: Source, parts: Parts) -> tuple[Source, Source, Split]:
    """Return the rows of both parts, and what those measured on are; all rows are the source itself."""
    learn, measured = (source if len(part) == len(source) else source.take(part) for part in parts[:2])
    return learn, measured, parts.split


def schema_of(state: Mapping[str, Any], task: Task) -> Schema:
    """Return the schema of a state; one of other rows than those of the model is refused."""
    schema, shape = schema_from_json(state["schema"]), task.row_shape
    if math.prod(schema.shape) != math.prod(shape):
        came = f"The schema gives rows of shape {_by(schema.shape)}, and the model reads {_by(shape)}"
        raise ArtefactError(came, "the files of one fit")
    return schema


def rows_of(X: Any, source: Source, schema: Schema) -> Rows:
    """Return encoded rows with what the source knows of them."""
    units = "in standard deviations of the column, squared: 1 is no better than its mean"
    if schema.kind != "table":
        units = "per value"
    elif any(measure.kind in ("categorical", "bernoulli") for measure in schema.measures):
        units = "numbers in standard deviations of their column, squared; categories as 0 and 1"
    columns = tuple(Block(name, width) for name, width in schema.widths.items())
    table = schema if isinstance(schema, TableSchema) else None
    return Rows(X, source.labels, source.class_names, schema.feature_names, columns, units, table=table)


def size_of_images(text: str | None) -> tuple[int, int] | None:
    """Return height and width of a text like ``64x64``.

    Raises InputError where the text is not understood.
    """
    if text is None:
        return None
    try:
        sides = [int(side) for side in text.lower().replace(",", "x").split("x")]
        height, width = sides * 2 if len(sides) == 1 else sides
        if height < 1 or width < 1:
            raise ValueError
    except ValueError:
        came = f"--image-size {text!r} is not understood"
        raise InputError(came, "HEIGHTxWIDTH", "--image-size 64x64") from None
    return height, width


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
