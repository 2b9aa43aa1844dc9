"""Resume state on disk: replaced after an epoch, whole or not at all, read without running any code."""

import contextlib
import csv
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from narrows.errors import ArtefactError
from narrows.files import sweep, whole
from narrows.lock import locked
from narrows.training.packing import packed, unpacked

__all__ = ["Checkpoint", "Keeper", "StateError", "changed", "write_history"]

_FILE = "resume.pt"
_EVERY = 60.0  # least seconds between two states that are saved inside an epoch
_SHARE = 0.05  # of the time may be spent on saving


class StateError(ArtefactError):
    """A resume state that a fit cannot go on with: damaged, or of another fit."""


class Checkpoint:
    """The resume state of one fit in a folder, tied to its settings and data by ``signature``."""

    def __init__(self, folder: "str | Path", signature: dict[str, str]):
        self.folder, self.signature = Path(folder), signature

    @property
    def path(self) -> Path:
        """The file itself."""
        return self.folder / _FILE

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from writing into the folder, and remove what killed ones left half written."""
        with locked(self.folder):
            sweep(self.folder)
            yield

    def load(self) -> dict[str, Any] | None:
        """Return what ``save`` wrote, None when there is nothing, an error when it belongs to another fit.

        Raises ``StateError`` for a damaged file, and for that of another fit.
        """
        try:
            saved: dict[str, Any] = unpacked(self.path.read_bytes())
            theirs = dict(saved["signature"])
            if not saved.keys() >= {"seed", "runtime", "session", "state"}:
                raise KeyError("session")
        except FileNotFoundError:
            return None
        except Exception as error:  # noqa: BLE001 - whatever a broken file makes of the reader
            raise StateError(
                f"{self.path} is truncated, altered or no resume state of this version ({error})",
                "the file as it was written",
                "another folder",
            ) from None
        other = changed(theirs, self.signature)
        if other:
            raise StateError(
                f"{self.folder} holds the state of a fit with other settings: {', '.join(other)} changed",
                "the same data and settings when a fit goes on",
                "another folder",
            )
        return saved

    def save(self, content: dict[str, Any]) -> None:
        """Replace the resume state and ``history.csv``."""
        with whole(self.path) as temporary:
            temporary.write_bytes(packed({"signature": self.signature, **content}))
        write_history(self.folder / "history.csv", content["session"]["history"])


def changed(theirs: dict[str, str], ours: dict[str, str]) -> list[str]:
    """Return the names under which two signatures differ.

    Examples
    --------
    >>> changed({"lr": "0.1", "epochs": "3"}, {"lr": "0.2", "epochs": "3"})
    ['lr']
    """
    return sorted(key for key in {*ours, *theirs} if theirs.get(key) != ours.get(key))


class Keeper:
    """Saves the resume state of a running fit: after the first epoch, then now and then, and when it ends.

    Only a kill loses what was learnt since the last state.
    """

    def __init__(self, checkpoint: Checkpoint | None):
        self.checkpoint = checkpoint
        self.due, self.due_inside = time.monotonic(), time.monotonic() + _EVERY
        self.unsaved: dict[str, Any] | None = None

    def take(self, content: dict[str, Any], *, whole: bool) -> None:
        """Take the state after a ``whole`` epoch, or after a part of one, and save it where it is time."""
        self.unsaved = content
        if time.monotonic() >= (self.due if whole else self.due_inside):
            self.save()

    def save(self) -> None:
        """Save the last state that was taken, unless it is saved already."""
        if self.checkpoint is None or self.unsaved is None:
            return
        started = time.monotonic()
        self.checkpoint.save(self.unsaved)
        self.unsaved, ended = None, time.monotonic()
        self.due = ended + (ended - started) / _SHARE
        self.due_inside = max(self.due, ended + _EVERY)


def write_history(path: "str | Path", history: list[dict[str, Any]]) -> None:
    """Write one row per epoch: every term while training and on the held-out rows, in nats per row, and the error."""
    rows = [
        {
            "epoch": epoch["epoch"],
            **{f"train_{name}": value for name, value in epoch["train"].items()},
            **{f"valid_{name}": value for name, value in epoch["valid"].items()},
            **{
                f"{name.replace(' ', '_')}_{part}": value  # no term of the loss
                for part, errors in epoch.get("errors", {}).items()
                for name, value in errors.items()
            },
            "rows_per_second": round(epoch["rows_per_second"]),
            "seconds": round(epoch["seconds"], 3),
            "lr": epoch["lr"],
        }
        for epoch in history
    ]
    with whole(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)) or ["epoch"])
        writer.writeheader()
        writer.writerows(rows)
