"""``narrows fit``: read, split, train, compare, write."""

import os
import shutil
import sys
import time
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from narrows.artefact import read_card, save
from narrows.cli.flags import Options
from narrows.cli.outputs import write_outputs
from narrows.data import Schema, Source, read
from narrows.errors import InputError
from narrows.params import FAMILIES, TASKS, read_value
from narrows.report.make import make_report
from narrows.tasks.base import Rows, Task
from narrows.training.checkpoint import write_history

__all__ = ["fit"]

_SMALL = 20  # fewer rows are not split: everything is measured on the rows that were learnt
_HELD = 0.1
_OWN = ("model.json", "model.safetensors", "history.csv", "resume.pt", "report.json", "report.html")


def fit(options: Options) -> int:
    """Train a model for a task and write RUN."""
    import_module("narrows.families")
    import_module("narrows.tasks")
    first, run = int(os.environ.get("RANK", 0)) == 0, Path(options.output)
    task = make_task(options, run)
    if first and open_run(run, options):
        _say(f"{run} holds a finished model: nothing to do.")
        return 0
    say = _say if first and not options.quiet else _silent
    source = read(options.data, image_size=_size(options.image_size))
    for note in source.notes:
        say(note)
    seed = task.random_state if isinstance(task.random_state, int) else 0
    learn, held, where = split(source, seed)
    schema = learn.fit_schema()
    for note in schema.notes:
        say(note)
    X = schema.encode(learn)
    if schema.image_shape and X.ndim == 2:
        task.set_params(estimator=task.resolve().set_params(image_shape=schema.image_shape))
    say(f"{task.name}: {len(learn):,} rows of {' x '.join(map(str, schema.shape))} values from {source.name}")
    started = time.perf_counter()
    task.fit(X)
    if not first:
        return 0
    seconds = {"fit": round(time.perf_counter() - started, 2)}
    train, test = _rows(X, learn, schema), _rows(schema.encode(held), held, schema)
    data = {
        "name": source.name,
        "rows": len(source) + (len(source.test) if source.test is not None else 0),
        "used": len(learn),
        "held_out": len(held) if where != "training" else 0,
        "values per row": " x ".join(map(str, schema.shape)),
        "fingerprint": source.fingerprint()[:16],
        "notes": [*source.notes, *schema.notes, *task.estimator_.messages_],
        "split": where,
    }
    return finish(task, run, source, schema, train, test, data, seconds, say)


def finish(
    task: Task, run: Path, source: Source, schema: Schema, train: Rows, test: Rows, data: dict[str, Any], seconds: dict[str, float], say: Any
) -> int:
    """Measure, and write the model, the outputs and the report; the resume state goes last."""
    say("comparing with the simple competitors")
    started = time.perf_counter()
    evaluation = task.evaluate(train, test)
    seconds["compare"] = round(time.perf_counter() - started, 2)
    extra = {"schema": schema.to_json(), "data": {key: data[key] for key in ("name", "rows", "used", "fingerprint")}}
    write_history(run / "history.csv", task.estimator_.history_)
    write_outputs(task, schema, source, schema.encode(source), run)
    report = make_report(task, evaluation, run, data=data, seconds=seconds, rows=test)
    save(task, run, extra)
    if task.estimator_.finished_:
        (run / "resume.pt").unlink(missing_ok=True)
    else:
        say(f"{task.estimator_.stopped_}: what was trained is kept; --resume goes on.")
    _say(report["verdict"]["text"])
    _say(f"Report: {run / 'report.html'}")
    return 0


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
    task.resolve()
    return task


def _given(cls: Any, options: Options, names: list[str]) -> dict[str, Any]:
    kinds = {f.name: f.type for f in fields(cls)}
    found = {}
    for name in names:
        if hasattr(options, name):
            value = getattr(options, name)
            try:
                found[name] = read_value(value, kinds[name]) if isinstance(value, str) else value
            except InputError as error:
                flag = "--" + name.replace("_", "-")
                raise InputError(f"{flag} {value!r} is not understood", error.accepted, f"narrows fit {options.task} --help") from None
    return found


def split(source: Source, seed: int) -> tuple[Source, Source, str]:
    """Return rows to learn from, rows to measure on, and what the latter are: test, held-out or training rows."""
    if source.test is not None:
        return source, source.test, "test"
    if len(source) < _SMALL:
        return source, source, "training"
    order = np.random.default_rng(seed).permutation(len(source))
    held = max(1, round(_HELD * len(source)))
    return source.take(np.sort(order[held:])), source.take(np.sort(order[:held])), "held-out"


def open_run(run: Path, options: Options) -> bool:
    """Make RUN ready to be written; return whether it is finished already."""
    holds = sorted(path.name for path in run.iterdir()) if run.is_dir() else []
    if run.exists() and not run.is_dir():
        raise InputError(f"{run} is a file", "a folder that is new or empty", "another -o")
    if holds and not options.resume and not options.overwrite:
        raise InputError(f"{run} exists and holds {len(holds)} files", "a folder that is new or empty", "--resume, --overwrite or another -o")
    if holds and options.overwrite:
        if not set(holds) & set(_OWN):
            raise InputError(f"{run} holds files that are not a run's ({holds[0]}, ...)", "a run's folder, or a new one", "another -o")
        shutil.rmtree(run)
    elif "model.json" in holds and "resume.pt" not in holds:
        read_card(run)
        return True
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{run} cannot be made ({error.strerror})", "a folder you may write to", "another -o") from None
    if not os.access(run, os.W_OK):
        raise InputError(f"{run} cannot be written to", "a folder you may write to", "another -o")
    return False


def _rows(X: Any, source: Source, schema: Schema) -> Rows:
    return Rows(X, source.labels, source.class_names, schema.feature_names)


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    try:
        sides = [int(side) for side in text.lower().replace(",", "x").split("x")]
        if len(sides) == 1:
            sides *= 2
        height, width = sides
        if height < 1 or width < 1:
            raise ValueError
    except ValueError:
        raise InputError(f"--image-size {text!r} is not understood", "HEIGHTxWIDTH", "--image-size 64x64") from None
    return height, width


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _silent(text: str) -> None:
    """Say nothing."""
