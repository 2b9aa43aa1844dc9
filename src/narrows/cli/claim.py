"""The folder of a run before a command writes into it or reads it: refused, locked, or left as it was."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from narrows.cli.replacement import begin, pending, replace, settle
from narrows.cli.run_folder import clear, finished, is_run, own, tidy, trained, unfinished
from narrows.errors import ArtefactError, InputError
from narrows.files import remove
from narrows.lock import LOCK, locked

__all__ = ["claimed", "opened", "refuse", "settled"]


def refuse(run: Path, *, resume: bool, overwrite: bool) -> None:
    """Refuse a folder that a fit may not write into as it is asked to."""
    if run.exists() and not run.is_dir():
        raise InputError(f"{run} is a file", "a folder that is new or empty", "another -o")
    if resume and overwrite:
        raise InputError(
            "--resume and --overwrite came together", "one of them", "--resume to go on with what RUN holds"
        )
    names = sorted(path.name for path in run.iterdir() if path.name != LOCK) if run.is_dir() else []
    if names and not resume and not overwrite:
        files = f"{len(names)} file{'s' * (len(names) > 1)}"
        rest = "".join(f"; {path} is a run that was to replace it" for path in unfinished(run)[-1:])
        hint = "--resume, --overwrite or another -o" if is_run(run) else "another -o"
        raise InputError(f"{run} exists and holds {files}{rest}", "a folder that is new or empty", hint)
    if names and not is_run(run):
        raise InputError(
            f"{run} holds files that are not a run's ({names[0]}, ...)", "a run's folder, or a new one", "another -o"
        )


@contextlib.contextmanager
def claimed(run: Path, *, resume: bool, overwrite: bool) -> Iterator[Path]:
    """Keep ``run`` for this process and give the folder to train in; when nothing came of it, all is as it was.

    That folder is ``run`` itself, or one beside what ``run`` holds, which it replaces when the ``with`` block is left
    and the run in it is finished.
    """
    _writable(run)
    with locked(run):
        settle(run)
        tidy(run)
        refuse(run, resume=resume, overwrite=overwrite)  # again: another process may have been there since
        place = _place(run, resume=resume)
        try:
            yield place
        except BaseException:
            if resume and not trained(place):
                clear(place)
            elif not trained(place):
                for path in own(run) if place == run else [place]:
                    remove(path)
            raise
        if place != run and finished(place):  # one that was interrupted may go on there
            replace(run, place)
        for path in run.glob(".rows-*"):  # of further processes that were killed
            remove(path)


def _place(run: Path, *, resume: bool) -> Path:
    """Return the folder to train in."""
    if not resume:
        return begin(run) if own(run) else run
    if finished(run):
        raise InputError(f"{run} was finished by another process", "a run that is not finished", "another -o")
    return (run, *unfinished(run))[-1]


def settled(run: Path) -> None:
    """Put a finished run in its place where a process was killed while it did so."""
    if pending(run):
        with locked(run):
            settle(run)


def opened(run: Path) -> None:
    """Make ``run`` ready to be read; a fit that has no model yet is refused, and one that is to replace it named."""
    settled(run)
    if not (run / "model.json").exists() and is_run(run):
        came = f"{run} holds a fit that is not finished: there is no model.json"
        raise ArtefactError(came, "a finished run", "the same `narrows fit` with --resume")
    for path in unfinished(run)[-1:]:
        sentence = f"{path} is a run that is to replace this one, and is not finished"
        sys.stderr.write(f"{sentence}: the same `narrows fit` with --resume goes on with it.\n")


def _writable(run: Path) -> None:
    """Refuse a folder that cannot be written to, before any work."""
    place = next(path for path in (run.absolute(), *run.absolute().parents) if path.exists())
    if not place.is_dir():
        raise InputError(f"{run} cannot be made: {place} is a file", "a folder you may write to", "another -o")
    if not os.access(place, os.W_OK):
        raise InputError(f"{run} cannot be written to", "a folder you may write to", "another -o")
