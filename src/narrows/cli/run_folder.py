"""What the folder of a run holds: its model, what its training goes on from, its report, its outputs."""

import contextlib
import json
import re
from pathlib import Path

from narrows.cli.flags import field_table
from narrows.errors import ArtefactError
from narrows.files import ENCODED, remove, sweep
from narrows.lock import LOCK

__all__ = ["clear", "finished", "is_run", "own", "tidy", "trained", "unfinished"]

_MODEL = ("model.json", "model.safetensors")
_TRAINING = ("history.csv", "resume.pt")
_REPORT = ("report.json", "report.html", "map.html", "figures")
_UNFINISHED = re.compile(r"unfinished(-\d+)?")


def own(run: Path) -> list[Path]:
    """Return what fits have written into a folder; what a user has put there is not among it."""
    training = [run / name for name in (*_TRAINING, ENCODED) if (run / name).exists()]
    return [*_results(run), *training, *unfinished(run)]


def _results(run: Path) -> list[Path]:
    """Return model, report and outputs, whatever their format; model.json, which says that all is there, first."""
    stems = {name.partition(".")[0] for name in (*_MODEL, *_REPORT, *field_table()["writes"])}
    paths = [path for path in run.iterdir() if path.name.partition(".")[0] in stems] if run.is_dir() else []
    return sorted(paths, key=lambda path: path.name != "model.json")


def unfinished(run: Path) -> list[Path]:
    """Return the runs that are to replace the one in ``run``, the one to go on with last.

    That is the one of those that have been trained, or of all, that was written to last.
    """
    folders = [path for path in run.iterdir() if path.is_dir()] if run.is_dir() else []
    runs = [path for path in folders if _UNFINISHED.fullmatch(path.name)]
    return sorted(runs, key=lambda path: (trained(path), path.stat().st_mtime_ns))


def is_run(run: Path) -> bool:
    """Return whether a folder is one that a fit wrote into: a model of Narrows, or the training of one."""
    if any((run / name).exists() for name in (*_TRAINING, ENCODED, LOCK)) or unfinished(run):
        return True
    with contextlib.suppress(OSError, ValueError, AttributeError, ArtefactError):
        return bool(json.loads((run / "model.json").read_text(encoding="utf-8")).get("format") == "narrows")
    return False


def finished(run: Path) -> bool:
    """Return whether a folder holds a run that has nothing left to do."""
    return (run / "model.json").exists() and not (run / "resume.pt").exists() and not unfinished(run)


def trained(run: Path) -> bool:
    """Return whether there is something to go on from in a folder."""
    return any((run / name).exists() for name in _TRAINING)


def clear(run: Path) -> None:
    """Remove model, report and outputs, and keep what training goes on from."""
    for path in _results(run):
        remove(path)


def tidy(run: Path) -> None:
    """Remove what writers that were killed left half written; only who may write there alone calls it."""
    sweep(run)
    for path in own(run):
        for folder in (path, *path.rglob("*")):
            sweep(folder)
