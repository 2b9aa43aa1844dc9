"""``narrows apply``: a fitted model on new data."""

import json
import sys
from collections.abc import Set
from dataclasses import fields
from pathlib import Path

from narrows.artefact import load
from narrows.cli.claim import opened
from narrows.cli.flags import Options
from narrows.cli.messages import translated
from narrows.cli.run_folder import tidy
from narrows.discovery import import_uses
from narrows.errors import ArtefactError, InputError, listed
from narrows.files import write_text
from narrows.lock import LOCK, locked
from narrows.model_card import read_card
from narrows.params import TASKS
from narrows.workflows.base import Request, Workflow, workflow_from_state, workflows_of

__all__ = ["apply"]

_FLAGS = {"history": "--history", "titles": "--titles", "n": "-n", "label": "--class", "where": "--where"}
_FLAGS |= {"random_state": "--random-state"}
# what a call may say anew of how a fit read its data, and what of that held for the files of the fit alone
_READING = {"encoding": "--encoding", "skip_unreadable": "--skip-unreadable"}
_OF_ONE_CALL = {"skip_unreadable": False}
_OPTION_WORDS = {"decode": "--decode", "second": "DATA2"} | _FLAGS | _READING  # what not every run reads


def apply(options: Options) -> int:
    """Write the task's outputs for new data, as the run reads its data; raises InputError where OUT is in use."""
    import_uses()
    run, out = Path(options.run), Path(options.output)
    occupied = out.is_dir() and any(path.name != LOCK for path in out.iterdir())
    if out.is_file() or (occupied and not options.overwrite):
        hint = "another -o" if out.is_file() else "--overwrite or another -o"
        raise InputError(f"{out} {'is a file' if out.is_file() else 'exists'}", "a folder that is new or empty", hint)
    if out.resolve() == run.resolve():
        raise InputError(f"{out} is the run itself", "a folder that is new or empty", "another -o")
    opened(run)
    card = read_card(run)
    if "journey" not in card or card["task"] is None:
        raise ArtefactError(
            f"{run} was saved from Python: it does not know how its rows are read", "a folder that `narrows fit` wrote"
        )
    workflow, workflow_state = workflow_from_state(card["journey"])
    settings = {name: value for name in (*_FLAGS, *_READING) if (value := getattr(options, name)) is not None}
    _require(workflow, options, settings.keys() - _anew(workflow, options))
    request = Request(options.data, options.second, decode=options.decode, given=settings)
    notes: list[str] = []

    def tell(text: str) -> None:
        notes.append(text)
        sys.stderr.write(f"{text}\n")

    task = load(run)
    with locked(out):
        tidy(out)
        earlier = _earlier(out)
        try:
            paths = workflow.apply(task, workflow_state, request, out, tell)
        except InputError as error:
            raise translated(error, [*_FLAGS, *_READING]) from None
        for path, written in earlier.items():
            if path.is_file() and path.stat().st_mtime_ns == written:  # by the earlier call, and not by this one
                path.unlink()
        _summarise(options, paths, notes, out)
    sys.stdout.write(f"{_named(paths, out)}\n")
    return 0


def _earlier(out: Path) -> dict[Path, int]:
    """Return the files that an earlier call wrote into ``out``, as its summary has them, and when each was written."""
    try:
        names = json.loads((out / "summary.json").read_text(encoding="utf-8"))["files"]
        files = [out / name for name in names if (out / name).resolve().is_relative_to(out.resolve())]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return {path: path.stat().st_mtime_ns for path in files if path.is_file()}


def _anew(workflow: Workflow, options: Options) -> set[str]:
    """Set how new data are read where the call says it, and return what a run of this kind may be told of that."""
    known = _READING.keys() & {spec.name for spec in fields(workflow)}
    for name in known:
        value = getattr(options, name)
        if value is not None or name in _OF_ONE_CALL:
            setattr(workflow, name, value or _OF_ONE_CALL.get(name))
    return known


def _require(workflow: Workflow, options: Options, settings: Set[str]) -> None:
    """Refuse what a run does not read, and a call without what it needs."""
    more = {name for name in ("decode", "second") if getattr(options, name)}
    useless = sorted((settings | more) - set(workflow.knows))
    if useless:
        came = ", ".join(_OPTION_WORDS[name] for name in useless)
        raise InputError(f"{came} came for a run that has no use for it", _owners(useless[0]), "leave it out")
    history = " or --history FILE" if "history" in workflow.knows else ""
    usage = f"narrows apply RUN DATA{history} -o OUT"
    if options.data and "history" in settings:
        raise InputError(f"--history came beside {options.data!r}", usage, "leave one of them out")
    if "data" in workflow.asks and not options.data and "history" not in settings:
        raise InputError("DATA is missing", usage, "narrows apply --help")


def _owners(option: str) -> str:
    """Return in words the tasks whose runs read an option."""
    owners = [
        name
        for name in sorted(TASKS)
        if any(option in (*cls.knows, *(spec.name for spec in fields(cls))) for cls in workflows_of(TASKS[name]))
    ]
    return f"a run of {listed(owners)}"


def _summarise(options: Options, paths: list[Path], notes: list[str], out: Path) -> None:
    """Write what was done to ``summary.json``: the run, the data, what was said of them, and where the outputs are."""
    files = [path.relative_to(out) for path in paths]
    named = sorted({path.parts[0] for path in files})
    data = options.data or getattr(options, "history", None)
    facts = {"run": options.run, "data": data, "notes": notes, "outputs": named}
    facts["files"] = [path.as_posix() for path in files]
    write_text(out / "summary.json", json.dumps(facts, indent=2, ensure_ascii=False) + "\n")


def _named(paths: list[Path], out: Path) -> str:
    if len(paths) <= 3:
        return "\n".join(str(path) for path in paths)
    return f"{len(paths)} files in {out}"
