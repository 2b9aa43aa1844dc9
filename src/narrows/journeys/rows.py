"""Rows: a table, an array, a folder of images brought to one size, or a named dataset."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from narrows.data import Schema, Source, read, schema_from_json
from narrows.data.check import require_range
from narrows.data.impute import filled, write_imputed
from narrows.data.source import row_numbers
from narrows.data.table_schema import TableSchema
from narrows.data.tables import TableSource
from narrows.errors import InputError
from narrows.files import whole
from narrows.journeys.base import Items, Journey, Judged, Request, Say
from narrows.params import param
from narrows.tasks.base import Rows, Task

__all__ = ["Learnt", "RowsJourney", "items_of", "own_rows", "rows_of", "settle", "size_of_images", "split"]

_SHOWN = 10_000  # items on the map of the codes
_SMALL = 20  # fewer rows are not split: everything is measured on the rows that were learnt
_HELD = 0.1  # of the rows are held out for the verdict ...
_ENOUGH = 20  # ... but of few rows up to a quarter, to have so many


@dataclass(frozen=True)
class Learnt:
    """A fitted task, the rows it came from, and the rows it is measured on."""

    task: Task
    source: Source
    schema: Schema
    train: Rows
    test: Rows


class RowsJourney(Journey):
    """A table (csv, tsv, parquet, npy, npz), a folder of images, or a named dataset.

    Rows are encoded by a schema, a part is held out, and results go back through the schema.
    """

    serves: ClassVar[tuple[str, ...]] = ("reduce", "denoise")
    last: ClassVar[bool] = True
    honours: ClassVar[tuple[str, ...]] = ("valid", "start")

    image_size: str | None = param(None, "HEIGHTxWIDTH that images of a folder are brought to")

    def fit(self, task: Task, request: Request, say: Say) -> dict[str, Any]:
        """Read the data, put some rows aside, and train on the others."""
        if request.second is not None:
            hint = f"narrows fit {task.name} DATA -o RUN"
            raise InputError(f"{request.second!r} came beside {request.data!r}: one word too many", "one DATA", hint)
        start = None if request.start is None else schema_from_json(request.start["schema"])
        source = read(request.data, like=start, image_size=size_of_images(self.image_size))
        if request.valid is None:
            learn, held, where = split(source, task.random_state if isinstance(task.random_state, int) else 0)
            schema, notes = start or learn.fit_schema(), source.notes
        else:
            learn, where, schema = source, "validation", start or source.fit_schema()
            held, notes = own_rows(request.valid, schema, source)
        notes = tuple(dict.fromkeys((*notes, *(schema.notes if start is None else schema.warnings(source)))))
        for note in notes:
            say(note)
        X = schema.encode(learn)
        settle(task, request, X, schema)
        require_range(X, source.name, str(task.resolve().likelihood))
        say(f"{task.name}: {len(learn):,} rows of {_by(schema.shape)} values from {source.name}")
        task.fit(X)
        train, test = (rows_of(values, of, schema) for values, of in ((X, learn), (schema.encode(held), held)))
        self.learnt = Learnt(task, source, schema, train, test)
        return {
            "name": source.name,
            "rows": len(source) + (len(source.test) if source.test is not None else 0),
            "used": len(learn),
            "held_out": len(held) if where != "training" else 0,
            "values per row": _by(schema.shape),
            "fingerprint": source.fingerprint()[:16],
            "notes": list(notes),
            "split": where,
        }

    def judge(self) -> Judged:
        """Measure on the rows that were put aside."""
        made = self.learnt
        evaluation = made.task.evaluate(made.train, made.test)
        return Judged(evaluation, made.test, items_of(made) if made.task.mapped else None)

    def write(self, folder: Path) -> list[Path]:
        """Write the outputs for all rows of the data."""
        made = self.learnt
        return write_outputs(made.task, made.schema, made.source, made.schema.encode(made.source), folder)

    def card(self) -> dict[str, Any]:
        """Return the schema."""
        return {"schema": self.learnt.schema.to_json()}

    def apply(self, task: Task, card: Mapping[str, Any], request: Request, out: Path, say: Say) -> list[Path]:
        """Write the outputs for new rows, or the rows that codes stand for."""
        schema = schema_from_json(card["schema"])
        if request.decode:
            return decode(task, schema, request.data, out)
        source = read(request.data, like=schema)
        for words in dict.fromkeys((*source.notes, *schema.warnings(source))):
            say(words)
        return write_outputs(task, schema, source, schema.encode(source), out, fresh=True)


def own_rows(data: str, schema: Schema, source: Source) -> tuple[Source, tuple[str, ...]]:
    """Return the user's own rows to measure on, and the notes on the data; rows that do not fit are refused."""
    try:
        held = read(data, like=schema)
        schema.encode(held)
    except InputError as error:
        raise InputError(
            f"--valid {data} does not fit {source.name}: {error.came}", error.accepted, error.hint
        ) from None
    said = (
        f"the verdict is measured on the {len(held):,} rows of {held.name} (--valid); no row of them is learnt from, "
        f"and early stopping looks at a share of {source.name} only"
    )
    unused = f"the {len(source.test):,} test rows of {source.name} are not used" if source.test is not None else ""
    return held, tuple(filter(None, (*source.notes, said, unused, *held.notes, *schema.warnings(held))))


def settle(task: Task, request: Request, X: Any, schema: Schema) -> None:
    """Set what follows from the data, where the user said nothing else."""
    if schema.image_shape and X.ndim == 2:
        task.set_params(estimator=task.resolve().set_params(image_shape=schema.image_shape))
    elif X.ndim > 2 and "image_shape" in request.given:
        shape = request.given["image_shape"]
        came = f"--image-shape {shape} came for data that are images of {_by(schema.shape)} already"
        raise InputError(came, "--image-shape for tables whose rows are flattened images", "leave it out")
    for name, value in task.suited(X.shape[1:]).items():
        if name not in request.given:
            task.set_params(**{name: value})


def split(source: Source, seed: int) -> tuple[Source, Source, str]:
    """Return rows to learn from, rows to measure on, and what the latter are: test, held-out or training rows."""
    if source.test is not None:
        return source, source.test, "test"
    if len(source) < _SMALL:
        return source, source, "training"
    order = np.random.default_rng(seed).permutation(len(source))
    held = max(round(_HELD * len(source)), min(_ENOUGH, len(source) // 4))
    return source.take(np.sort(order[held:])), source.take(np.sort(order[:held])), "held-out"


def write_outputs(
    task: Task, schema: Schema, source: Source, X: Any, folder: Path, *, fresh: bool = False
) -> list[Path]:
    """Write the task's outputs for encoded rows ``X`` and return the files; ``fresh`` rows were not learnt from."""
    paths: list[Path] = []
    for stem, values in task.outputs(X, fresh=fresh).items():
        if stem == "codes":
            columns = {f"z{i + 1}": values[:, i] for i in range(values.shape[1])}
            paths.append(write_table(columns, folder / "codes.csv", source.ids, source.id_name))
        elif isinstance(values, Mapping):
            paths.append(write_table(values, folder / f"{stem}.csv", source.ids, source.id_name))
        else:
            paths += schema.write(values.reshape(len(values), *schema.shape), folder, stem, source.ids, source.id_name)
    if task.imputes and isinstance(schema, TableSchema) and isinstance(source, TableSource):
        whole_table = filled(schema, source, task.reconstruct)
        paths += [] if whole_table is None else [write_imputed(schema, whole_table, folder)]
    return paths


def write_table(columns: Mapping[str, Any], path: Path, ids: Any, id_name: str) -> Path:
    """Write identifiers and columns, one line per row; every number reads back exactly."""
    import polars as pl

    with whole(path) as draft:
        pl.DataFrame({id_name: ids.tolist(), **columns}).write_csv(draft)
    return path


def decode(task: Any, schema: Schema, data: str, out: Path) -> list[Path]:
    """Write the rows that the codes in ``data`` stand for."""
    source = read(data)
    codes, ids, id_name = code_values(source)
    size = task.estimator_._n_features_out
    if codes.ndim != 2 or codes.shape[1] != size:
        wanted = f"{size} number{'s' * (size > 1)} per row, as this model's codes"
        raise InputError(f"{data} holds codes of shape {codes.shape[1:]}", wanted)
    if not np.isfinite(codes).all():
        row = int(np.argmin(np.isfinite(codes).all(axis=1)))
        raise InputError(f"{data} holds missing or infinite codes, the first in row {row}", "finite numbers")
    if not hasattr(task.estimator_, "inverse_transform"):
        raise InputError(
            "This model's decoder also reads the encoder's maps", "rows, not codes", "narrows apply without --decode"
        )
    rows = task.estimator_.inverse_transform(codes)
    return schema.write(rows.reshape(len(rows), *schema.shape), out, "decoded", ids, id_name)


def code_values(source: Source) -> tuple[np.ndarray, Any, str]:
    """Return codes from an array or from the table that ``narrows`` wrote (identifier, z1, z2, ...)."""
    frame = getattr(source, "frame", None)
    if frame is None:
        return np.asarray(source.values), source.ids, source.id_name  # type: ignore[attr-defined]
    named = [name for name in frame.columns if name.startswith("z") and name[1:].isdigit()] or list(frame.columns)
    try:
        codes = frame.select(named).to_numpy().astype(np.float64)
    except ValueError:
        raise InputError(f"{source.name} holds columns that are no numbers", "columns z1, z2, ...") from None
    return codes, source.ids if source.id_name != "row" else row_numbers(len(codes)), source.id_name


def items_of(made: Learnt) -> Items:
    """Return rows for the map of the codes: all, or evenly spaced ones where there are many."""
    source = made.source
    index = np.unique(np.linspace(0, len(source) - 1, min(len(source), _SHOWN)).astype(np.int64))
    some = source.take(index)
    codes = made.task.outputs(made.schema.encode(some), fresh=True)["codes"]
    return Items(
        codes, some.ids, some.id_name, some.labels, some.class_names, some.cells(), some.pictures(), len(source)
    )


def rows_of(X: Any, source: Source, schema: Schema) -> Rows:
    """Return encoded rows with what the source knows of them."""
    table = schema.kind == "table"
    units = "in standard deviations of the column, squared: 1 is no better than its mean" if table else "per value"
    return Rows(X, source.labels, source.class_names, schema.feature_names, units)


def size_of_images(text: str | None) -> tuple[int, int] | None:
    """Return height and width of a text like ``64x64``."""
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
