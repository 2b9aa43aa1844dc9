"""The folder of a run: refused, opened, or put back as it was."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from narrows.artefact import read_card
from narrows.data.spool import FOLDER
from narrows.errors import ArtefactError, InputError

__all__ = ["claimed", "finished"]

_MODEL = ("model.json", "model.safetensors")
_TRAINING = ("history.csv", "resume.pt")
_REPORT = ("report.json", "report.html", "figures")
_OUTPUTS = (
    "cleaned",
    "codes",
    "dictionary",
    "enlarged",
    "features",
    "heatmaps",
    "imputed",
    "interpolations",
    "logp",
    "map",
    "masks",
    "overlays",
    "predictions",
    "reconstruction",
    "recs",
    "samples",
    "samples_classes",
    "scores",
    "series_scores",
    "translated",
    "traversals",
    "values",
)
_OWN = (*_MODEL, *_TRAINING, *_REPORT, *_OUTPUTS)


def finished(run: Path, *, resume: bool, overwrite: bool) -> bool:
    """Return whether ``run`` holds a finished model that is asked to go on; refuse a folder that may not be written."""
    if run.exists() and not run.is_dir():
        raise InputError(f"{run} is a file", "a folder that is new or empty", "another -o")
    if resume and overwrite:
        raise InputError(
            "--resume and --overwrite came together", "one of them", "--resume to go on with what RUN holds"
        )
    holds = sorted(path.name for path in run.iterdir()) if run.is_dir() else []
    if holds and not resume and not overwrite:
        files = f"{len(holds)} file{'s' * (len(holds) > 1)}"
        hint = "--resume, --overwrite or another -o" if is_run(run) else "another -o"
        raise InputError(f"{run} exists and holds {files}", "a folder that is new or empty", hint)
    if holds and not is_run(run):
        raise InputError(
            f"{run} holds files that are not a run's ({holds[0]}, ...)", "a run's folder, or a new one", "another -o"
        )
    if resume and "model.json" in holds and "resume.pt" not in holds:
        read_card(run)
        return True
    _writable(run)
    return False


def is_run(run: Path) -> bool:
    """Return whether a folder is one that a fit wrote: a model of Narrows, or the training of one."""
    if any((run / name).exists() for name in (*_TRAINING, FOLDER)):
        return True
    with contextlib.suppress(OSError, ValueError, AttributeError, ArtefactError):
        return bool(json.loads((run / "model.json").read_text(encoding="utf-8")).get("format") == "narrows")
    return False


@contextlib.contextmanager
def claimed(run: Path, *, overwrite: bool) -> Iterator[None]:
    """Open ``run`` for writing; when nothing came of it, leave everything as it was.

    With ``overwrite``, what an earlier run wrote is put aside until the new one is done; other files stay.
    """
    old = run.with_name(f".{run.name}.old") if run.name else run / ".old"
    new = not run.exists()
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{run} cannot be made ({error.strerror})", "a folder you may write to", "another -o"
        ) from None
    stale = [path for path in run.iterdir() if path.name.partition(".")[0] in _STEMS] if overwrite else []
    if stale:
        shutil.rmtree(old, ignore_errors=True)
        old.mkdir()
        for path in stale:
            path.rename(old / path.name)
    try:
        yield
    except BaseException:
        if not any((run / name).exists() for name in _TRAINING):
            _put_back(run, old, new)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


_STEMS = {name.partition(".")[0] for name in _OWN}


def _put_back(run: Path, old: Path, new: bool) -> None:
    shutil.rmtree(run / FOLDER, ignore_errors=True)
    for path in [path for path in run.iterdir() if path.name.partition(".")[0] in _STEMS]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in old.iterdir() if old.is_dir() else ():
        path.rename(run / path.name)
    if new:
        with contextlib.suppress(OSError):
            run.rmdir()


def _writable(run: Path) -> None:
    """Refuse a folder that cannot be written to, before any work."""
    place = next(path for path in (run.absolute(), *run.absolute().parents) if path.exists())
    if not place.is_dir():
        raise InputError(f"{run} cannot be made: {place} is a file", "a folder you may write to", "another -o")
    if not os.access(place, os.W_OK):
        raise InputError(f"{run} cannot be written to", "a folder you may write to", "another -o")
