"""``narrows apply``: a fitted model on new data."""

import sys
from importlib import import_module
from pathlib import Path

from narrows.artefact import load, read_card
from narrows.cli.flags import Options
from narrows.errors import ArtefactError, InputError
from narrows.journeys.base import Journey, Request, journey_from_card

__all__ = ["apply"]


def apply(options: Options) -> int:
    """Write the task's outputs for new data, as the run reads its data."""
    for package in ("families", "tasks", "journeys"):
        import_module(f"narrows.{package}")
    run, out = Path(options.run), Path(options.output)
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not options.overwrite):
        hint = "another -o" if out.is_file() else "--overwrite or another -o"
        raise InputError(f"{out} {'is a file' if out.is_file() else 'exists'}", "a folder that is new or empty", hint)
    if out.resolve() == run.resolve():
        raise InputError(f"{out} is the run itself", "a folder that is new or empty", "another -o")
    card = read_card(run)
    if "journey" not in card or card["task"] is None:
        raise ArtefactError(
            f"{run} was saved from Python: it does not know how its rows are read", "a folder that `narrows fit` wrote"
        )
    journey, own = journey_from_card(card["journey"])
    request = _request(options, journey)
    paths = journey.apply(load(run), own, request, out, _tell)
    sys.stdout.write(f"{_named(paths, out)}\n")
    return 0


def _request(options: Options, journey: Journey) -> Request:
    """Return what the user points at: data, or a history where the run reads such."""
    usage = f"narrows apply RUN {'--history FILE' if journey.histories else 'DATA'} -o OUT"
    if options.history and not journey.histories:
        raise InputError("--history came for a run that is no recommender", usage, "leave --history out")
    if options.history and options.data:
        raise InputError(f"--history came beside {options.data!r}", usage, "leave one of them out")
    if not (options.history or options.data):
        raise InputError("DATA is missing", usage, "narrows apply --help")
    return Request(options.data or options.history, options.second, decode=options.decode, history=options.history)


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _named(paths: list[Path], out: Path) -> str:
    if len(paths) <= 3:
        return "\n".join(str(path) for path in paths)
    return f"{len(paths)} files in {out}"
