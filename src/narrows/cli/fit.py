"""``narrows fit``: which task, which autoencoder, which way to read the data; then train, compare, write."""

import shutil
import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

from sklearn.base import clone

from narrows.artefact import load, read_card, save
from narrows.cli.claim import claimed, opened, refuse, settled
from narrows.cli.flags import Options
from narrows.cli.identity import identity
from narrows.cli.messages import accepted, flag, translated
from narrows.cli.run_folder import clear, finished, unfinished
from narrows.discovery import import_uses
from narrows.errors import ArtefactError, InputError
from narrows.files import ENCODED
from narrows.holdout import Split
from narrows.params import FAMILIES, TASKS, declared
from narrows.parts import as_part, as_parts, read_value
from narrows.reporting.build import make_report
from narrows.reporting.report import Report
from narrows.tasks.base import Task
from narrows.training import ranks
from narrows.training.checkpoint import StateError, changed, write_history
from narrows.training.deadline import part_of_time, within
from narrows.workflows.base import (
    Request,
    Say,
    Workflow,
    workflow_for,
    workflow_from_state,
    workflow_state,
    workflows_of,
)

__all__ = ["fit"]

_FIT_SHARE = 0.8  # of a time budget; the rest is for comparisons, figures and results


def fit(options: Options) -> int:
    """Train a model for a task and write RUN; raises InputError where data or settings do not fit the task."""
    import_uses()
    run = Path(options.output)
    names = [*options.task_fields, *options.reading_fields, *options.family_fields]
    try:
        base, card = started(options, run) if options.origin else (None, None)
        task = make_task(options, run, base)
        settings = {name: getattr(options, name) for name in names if name in options}
        settings |= {"family": options.family} if options.family else {}
        start = origin(base, card) if base and card else None
        request = Request(options.data, options.second, options.valid, given=settings, start=start)
        workflow = workflow_for(task, request, reading(options))
        request.refuse(task.unused())
        if card and card["journey"]["name"] != workflow.name:
            came = f"{options.origin} read its data as {card['journey']['name']}, and {options.data} is {workflow.name}"
            raise InputError(came, "data like the run's own", "leave out --from")
        if ranks.assigned() and not (options.resume and finished(run)):  # a further process of torchrun
            workflow.fit(task, request, _silent)
            return 0
        report = make_run(options, workflow, task, request, run)
    except StateError as error:
        hint = f"another -o, or --overwrite, which starts again and keeps what {run} holds until it is finished"
        raise translated(InputError(error.came, error.accepted, hint), names) from None
    except InputError as error:
        raise translated(error, names) from None
    if report is None:
        _say(f"{run} holds a finished model: nothing to do.")
        return 0
    place = run
    if not task.estimator_.finished_:
        place = (run, *unfinished(run))[-1]
        before = "" if place == run else f" {run} holds the run before."
        _say(f"{task.estimator_.stopped_.capitalize()}: what was trained is kept; --resume goes on.{before}")
    _say(report.verdict["text"])
    _say(f"Report: {place / 'report.html'}")
    return 0


def make_run(options: Options, workflow: Workflow, task: Task, request: Request, run: Path) -> Report | None:
    """Make the run and return its report; None when ``run`` holds it, finished."""
    refuse(run, resume=options.resume, overwrite=options.overwrite)
    settled(run)
    asked = identity(task, workflow, request)
    if options.resume and finished(run):
        refuse_another(run, asked, {"task", "the data", *request.given})
        return None
    say = _silent if options.quiet else _say
    with claimed(run, resume=options.resume, overwrite=options.overwrite) as place:
        if place != run:
            say(f"This run is made in {place}; {run} holds the one before until it is finished.")
        task.set_params(estimator__checkpoint=str(place))
        with within(task.resolve().minutes):
            return travel(workflow, task, request, place, say, asked, draw=options.figures)


def refuse_another(run: Path, asked: dict[str, str], given: set[str]) -> None:
    """Refuse to take a finished run for what is asked for where something that was given is another there."""
    card = read_card(run)
    known = card.get("identity") or asked | {name: (card[name] or {}).get("name") for name in ("task", "family")}
    other = [name for name in changed(known, asked) if name in given]
    if other:
        came = f"{run} holds a finished run with other settings: {', '.join(other)} changed"
        raise InputError(came, "the same data and settings with --resume", "--overwrite or another -o")


def travel(
    workflow: Workflow, task: Task, request: Request, run: Path, say: Say, asked: dict[str, str], *, draw: bool
) -> Report:
    """Fit, measure, and write the model, the outputs and the report, and return it; the resume state goes last."""
    started = time.perf_counter()
    with part_of_time(_FIT_SHARE):
        data = workflow.fit(task, request, say)
    fitted = time.perf_counter()
    say("comparing with the simple competitors")
    known = {key: data[key] for key in ("name", "rows", "used", "fingerprint") if key in data}

    def keep() -> None:
        save(task, run, {"journey": workflow_state(workflow), "data": known, "identity": asked})

    try:
        evaluated = workflow.evaluate()
    except Exception:
        keep()  # what was trained serves `narrows apply`, whatever a comparison runs into
        say(f"The comparison failed; the model is kept: narrows apply {run} uses it.")
        raise
    data["notes"] = [*data.get("notes", ()), *learnt_before(request, task, data)]
    seconds = {"fit": round(fitted - started, 2), "compare": round(time.perf_counter() - fitted, 2)}
    clear(run)  # of a fit that was interrupted, and has gone on
    if task.estimator_.history_:  # a closed form has no epochs
        write_history(run / "history.csv", task.estimator_.history_)
    require_declared(workflow, task, {path.relative_to(run).parts[0] for path in workflow.write(run)})
    rows, items = evaluated.rows, evaluated.items
    report = make_report(task, evaluated.evaluation, run, data=data, seconds=seconds, rows=rows, items=items, draw=draw)
    for words in report.warnings:
        say(words)
    keep()
    if task.estimator_.finished_:
        shutil.rmtree(run / ENCODED, ignore_errors=True)
        (run / "resume.pt").unlink(missing_ok=True)  # last: nothing is left to do
    return report


def require_declared(workflow: Workflow, task: Task, names: set[str]) -> None:
    """Raise TypeError for a file or folder of a run that nothing declares: whatever replaces the run would leave it."""
    undeclared = {name.partition(".")[0] for name in names} - {*task.writes, *workflow.writes}
    if undeclared:
        raise TypeError(f"{task.name} wrote {sorted(undeclared)}, in `writes` of neither it nor {workflow.name}")


def origin(base: Task, card: dict[str, Any]) -> dict[str, Any]:
    """Return what a fit needs to know of the run that it goes on from."""
    known = {"fingerprint": card.get("data", {}).get("fingerprint"), "seed": base.random_state}
    return {**card["journey"]["card"], "learnt": known}


def learnt_before(request: Request, task: Task, data: dict[str, Any]) -> list[str]:
    """Say when the rows that are measured on may be among those that the run before has learnt from."""
    before = (request.start or {}).get("learnt", {"fingerprint": None})
    if before["fingerprint"] is None or before["fingerprint"] != data.get("fingerprint"):
        return []
    if before["seed"] == task.random_state or data.get("split") != Split.HELD_OUT:
        return []
    sentence = f"--from names a run that learnt from the same data, put aside with --random-state {before['seed']}"
    return [f"{sentence}: some of the rows that are measured on here it has seen. Use the same seed, or --valid."]


def started(options: Options, run: Path) -> tuple[Task, dict[str, Any]]:
    """Return the fitted task that ``--from`` names, and its card; another task or family is refused."""
    folder = Path(options.origin)
    if folder.resolve() == run.resolve():
        raise InputError(f"--from and -o are both {run}", "a folder of its own for the new run", "another -o")
    opened(folder)
    card = read_card(folder)
    if "journey" not in card or card["task"] is None:
        raise ArtefactError(f"{folder} was saved from Python: its columns are not known", "a run of `narrows fit`")
    workflow_from_state(card["journey"])  # refuses a card whose columns cannot be read
    task: Task = load(folder)
    theirs, family = card["task"]["name"], card["family"]["name"]
    if theirs != options.task:
        came = f"{folder} is a run of {theirs}, and this one is of {options.task}"
        raise InputError(came, f"the same task, {theirs}", f"narrows fit {theirs}")
    if options.family not in (None, family):
        came = f"{folder} holds the family {family}, and --family {options.family} came"
        raise InputError(came, f"the same family, {family}", "leave out --family or --from")
    return task, card


def make_task(options: Options, run: Path, base: Task | None = None) -> Task:
    """Return the unfitted task with the user's flags read by their fields; ``base`` gives those that did not come.

    Raises InputError where ``base`` came for a fit without training.
    """
    cls = TASKS[options.task]
    task: Task = cls(**{**_settled(base), **_given(cls, options, options.task_fields)})
    if not hasattr(options, "random_state"):
        task.random_state = 0
    chosen = FAMILIES[options.family]() if options.family else task.default()
    if base is not None:
        chosen = clone(base.estimator_).set_params(weights=options.origin, start="data")
    chosen.set_params(**_given(type(chosen), options, options.family_fields))
    if base is not None and (task.epochs if task.epochs is not None else chosen.epochs) == 0:
        raise InputError("--from came for a fit without training", "at least one pass over the rows", "--epochs 20")
    chosen.set_params(checkpoint=str(run), verbose=not options.quiet)
    task.estimator = chosen
    for holder in (task, task.resolve()):
        _check_parts(holder)
    return task


def _settled(base: Task | None) -> dict[str, Any]:
    """Return the fields of a fitted task as they turned out."""
    names = [] if base is None else [f.name for f in fields(base)]
    skipped = ("estimator", "epochs", "random_state")
    fitted = getattr(base, "estimator_", None)
    return {name: getattr(fitted, name, getattr(base, name)) for name in names if name not in skipped}


def reading(options: Options) -> dict[str, Any]:
    """Return what the user set of how the data is read, each value read by the first workflow that declares it."""
    values: dict[str, Any] = {}
    for cls in workflows_of(TASKS[options.task]):
        names = {spec.name for spec in fields(cls)}
        values = _given(cls, options, [name for name in options.reading_fields if name in names]) | values
    return values


def _given(cls: Any, options: Options, names: list[str]) -> dict[str, Any]:
    specs = {f.name: f for f in fields(cls)}
    values = {}
    for name in names:
        if hasattr(options, name):
            value, kind = getattr(options, name), declared(cls, specs[name])
            try:
                values[name] = read_value(value, kind) if isinstance(value, str) else value
            except InputError:
                hint = f"narrows fit {options.task} --help"
                raise InputError(f"{flag(name)} {value!r} is not understood", accepted(kind), hint) from None
    return values


def _check_parts(holder: Any) -> None:
    """Refuse a network, likelihood, noise, ... that does not exist, before any data is read."""
    for spec in fields(holder):
        kind, value = spec.metadata.get("kind"), getattr(holder, spec.name)
        if kind is not None and isinstance(value, str):
            (as_parts if spec.name == "penalties" else as_part)(kind, value)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _silent(text: str) -> None:
    """Say nothing."""
