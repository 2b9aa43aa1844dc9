"""``narrows fit``: read, split, train, compare, write."""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from narrows.artefact import save
from narrows.cli.flags import Options
from narrows.cli.folder import claimed, finished
from narrows.cli.outputs import write_outputs
from narrows.cli.speech import flag, spoken
from narrows.data import Schema, Source, read
from narrows.data.check import require_range
from narrows.errors import InputError
from narrows.params import FAMILIES, TASKS, declared
from narrows.parts import as_part, as_parts, read_value
from narrows.report.make import make_report
from narrows.tasks.base import Rows, Task
from narrows.training.checkpoint import write_history

__all__ = ["fit"]

_SMALL = 20  # fewer rows are not split: everything is measured on the rows that were learnt
_HELD = 0.1  # of the rows are held out for the verdict ...
_ENOUGH = 20  # ... but of few rows up to a quarter, to have so many

Say = Callable[[str], None]


def fit(options: Options) -> int:
    """Train a model for a task and write RUN."""
    import_module("narrows.families")
    import_module("narrows.tasks")
    run = Path(options.output)
    try:
        task = make_task(options, run)
        if int(os.environ.get("RANK", 0)):  # a further process of torchrun: it trains, and writes nothing
            learnt(task, options, _silent)
            return 0
        if finished(run, resume=options.resume, overwrite=options.overwrite):
            _say(f"{run} holds a finished model: nothing to do.")
            return 0
        with claimed(run, overwrite=options.overwrite):
            say = _silent if options.quiet else _say
            report = finish(learnt(task, options, say), run, say)
    except InputError as error:
        raise spoken(error, [*options.task_fields, *options.family_fields]) from None
    if not task.estimator_.finished_:
        _say(f"{task.estimator_.stopped_.capitalize()}: what was trained is kept; --resume goes on.")
    _say(report["verdict"]["text"])
    _say(f"Report: {run / 'report.html'}")
    return 0


@dataclass(frozen=True)
class Learnt:
    """A fitted task, the rows it came from, and the rows it is measured on."""

    task: Task
    source: Source
    schema: Schema
    train: Rows
    test: Rows
    data: dict[str, Any]
    seconds: float


def learnt(task: Task, options: Options, say: Say) -> Learnt:
    """Read the data, put some rows aside, and train on the others."""
    source = read(options.data, image_size=_size(options.image_size))
    learn, held, where = split(source, task.random_state if isinstance(task.random_state, int) else 0)
    schema = learn.fit_schema()
    for note in dict.fromkeys((*source.notes, *schema.notes)):
        say(note)
    X = schema.encode(learn)
    settle(task, options, X, schema)
    require_range(X, source.name, str(task.resolve().likelihood))
    say(f"{task.name}: {len(learn):,} rows of {_by(schema.shape)} values from {source.name}")
    started = time.perf_counter()
    task.fit(X)
    seconds = time.perf_counter() - started
    train, test = (_rows(values, of, schema) for values, of in ((X, learn), (schema.encode(held), held)))
    data = {
        "name": source.name,
        "rows": len(source) + (len(source.test) if source.test is not None else 0),
        "used": len(learn),
        "held_out": len(held) if where != "training" else 0,
        "values per row": _by(schema.shape),
        "fingerprint": source.fingerprint()[:16],
        "notes": list(dict.fromkeys((*source.notes, *schema.notes))),
        "split": where,
    }
    return Learnt(task, source, schema, train, test, data, seconds)


def settle(task: Task, options: Options, X: Any, schema: Schema) -> None:
    """Set what follows from the data, where the user said nothing else."""
    if schema.image_shape and X.ndim == 2:
        task.set_params(estimator=task.resolve().set_params(image_shape=schema.image_shape))
    elif X.ndim > 2 and hasattr(options, "image_shape"):
        came = f"--image-shape {options.image_shape} came for data that are images of {_by(schema.shape)} already"
        raise InputError(came, "--image-shape for tables whose rows are flattened images", "leave it out")
    for name, value in task.suited(X.shape[1:]).items():
        if not hasattr(options, name):
            task.set_params(**{name: value})


def finish(made: Learnt, run: Path, say: Say) -> dict[str, Any]:
    """Measure, and write the model, the outputs and the report, and return it; the resume state goes last."""
    say("comparing with the simple competitors")
    task, source, schema, data = made.task, made.source, made.schema, made.data
    started = time.perf_counter()
    evaluation = task.evaluate(made.train, made.test)
    seconds = {"fit": round(made.seconds, 2), "compare": round(time.perf_counter() - started, 2)}
    extra = {"schema": schema.to_json(), "data": {key: data[key] for key in ("name", "rows", "used", "fingerprint")}}
    write_history(run / "history.csv", task.estimator_.history_)
    write_outputs(task, schema, source, schema.encode(source), run)
    report = make_report(task, evaluation, run, data=data, seconds=seconds, rows=made.test)
    save(task, run, extra)
    if task.estimator_.finished_:
        (run / "resume.pt").unlink(missing_ok=True)
    return report


def make_task(options: Options, run: Path) -> Task:
    """Return the unfitted task with the user's flags read by their fields."""
    cls = TASKS[options.task]
    task: Task = cls(**_given(cls, options, options.task_fields))
    if not hasattr(options, "random_state"):
        task.random_state = 0
    chosen = FAMILIES[options.family]() if options.family else task.default()
    chosen.set_params(**_given(type(chosen), options, options.family_fields))
    chosen.set_params(checkpoint=str(run), verbose=not options.quiet)
    task.estimator = chosen
    for holder in (task, task.resolve()):
        _check_parts(holder)
    return task


def _given(cls: Any, options: Options, names: list[str]) -> dict[str, Any]:
    specs = {f.name: f for f in fields(cls)}
    found = {}
    for name in names:
        if hasattr(options, name):
            value = getattr(options, name)
            try:
                found[name] = read_value(value, declared(cls, specs[name])) if isinstance(value, str) else value
            except InputError as error:
                accepted = error.accepted.replace(" or None", ", or none").replace("True or False", "yes or no")
                hint = f"narrows fit {options.task} --help"
                raise InputError(f"{flag(name)} {value!r} is not understood", accepted, hint) from None
    return found


def _check_parts(holder: Any) -> None:
    """Refuse a network, likelihood, noise, ... that does not exist, before any data is read."""
    for spec in fields(holder):
        kind, value = spec.metadata.get("kind"), getattr(holder, spec.name)
        if kind is not None and isinstance(value, str):
            (as_parts if spec.name == "penalties" else as_part)(kind, value)


def split(source: Source, seed: int) -> tuple[Source, Source, str]:
    """Return rows to learn from, rows to measure on, and what the latter are: test, held-out or training rows."""
    if source.test is not None:
        return source, source.test, "test"
    if len(source) < _SMALL:
        return source, source, "training"
    order = np.random.default_rng(seed).permutation(len(source))
    held = max(round(_HELD * len(source)), min(_ENOUGH, len(source) // 4))
    return source.take(np.sort(order[held:])), source.take(np.sort(order[:held])), "held-out"


def _rows(X: Any, source: Source, schema: Schema) -> Rows:
    table = schema.kind == "table"
    units = "in standard deviations of the column, squared: 1 is no better than its mean" if table else "per value"
    return Rows(X, source.labels, source.class_names, schema.feature_names, units)


def _size(text: str | None) -> tuple[int, int] | None:
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


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _silent(text: str) -> None:
    """Say nothing."""
