"""A run that replaces another: made in ``RUN/unfinished``, and put in the place of the old one when it is finished.

A process may be killed at any moment; what is in RUN says what is left to do:

* ``unfinished``: the new run is being made there, as in any folder; the old one is as it was
* ``unfinished`` with a model and no resume state: the new run is finished, and has to be put in place
* ``.replacing``: the new run, while files of the old one are removed
* ``.moving``: the new run, while its files are moved to their places
* ``.draft``: a change to the run of which nothing is in place; it is made again by who asked for it
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path

from narrows.cli.run_folder import finished, own, trained, unfinished
from narrows.files import remove
from narrows.lock import LOCK

__all__ = ["begin", "drafted", "pending", "replace", "settle"]

_REPLACING, _MOVING, _DRAFT = ".replacing", ".moving", ".draft"


def begin(run: Path) -> Path:
    """Make a folder for a run that is to replace the one in ``run``; none that holds training is touched."""
    for path in unfinished(run):
        if not trained(path):
            remove(path)
    names = chain(["unfinished"], (f"unfinished-{number}" for number in count(2)))
    place = next(run / name for name in names if not (run / name).exists())
    place.mkdir()
    return place


def replace(run: Path, place: Path) -> None:
    """Put the run in ``place`` into ``run``, for all that fits have written there before."""
    place.rename(run / _REPLACING)
    settle(run)


@contextmanager
def drafted(run: Path) -> Iterator[Path]:
    """Give an empty folder, and put the files that are in it at the end into ``run``: all of them, or none."""
    draft = run / _DRAFT
    remove(draft)
    draft.mkdir()
    try:
        yield draft
    except BaseException:
        remove(draft)
        raise
    draft.rename(run / _MOVING)
    settle(run)


def pending(run: Path) -> bool:
    """Return whether a process was killed while it put files in place."""
    return any((run / name).is_dir() for name in (_REPLACING, _MOVING)) or any(map(finished, unfinished(run)))


def settle(run: Path) -> None:
    """Go on with what such a process had begun; only who may write into ``run`` alone calls it."""
    replacing, moving = run / _REPLACING, run / _MOVING
    remove(run / _DRAFT)
    done = [path for path in unfinished(run) if finished(path)]
    if done and not replacing.is_dir() and not moving.is_dir():
        done[-1].rename(replacing)
    if replacing.is_dir():
        for path in own(run):
            remove(path)
        replacing.rename(moving)
    if moving.is_dir():
        remove(moving / LOCK)  # not this one
        for path in sorted(moving.iterdir(), key=lambda path: path.name == "model.json"):  # which comes last
            remove(run / path.name)
            path.rename(run / path.name)
        moving.rmdir()
