"""Resume state on disk: replaced after every epoch, whole or not at all, read without running any code."""

import csv
import time
from pathlib import Path
from typing import Any

import torch

from narrows.errors import ArtefactError, InputError
from narrows.files import whole

__all__ = ["Checkpoint", "Keeper", "write_history"]

_FILE = "resume.pt"
_EVERY = 60.0  # seconds between two states that are saved inside an epoch ...
_SHARE = 0.05  # ... or more, so that saving takes no more than this share of the time


class Checkpoint:
    """The resume state of one fit in a folder, tied to its settings and data by ``signature``."""

    def __init__(self, folder: "str | Path", signature: dict[str, str]):
        self.folder, self.signature = Path(folder), signature

    @property
    def path(self) -> Path:
        """The file itself."""
        return self.folder / _FILE

    def load(self) -> dict[str, Any] | None:
        """Return what ``save`` wrote, None when there is nothing, an error when it belongs to another fit."""
        if not self.path.exists():
            return None
        try:
            saved: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
            theirs = dict(saved["signature"])
            if not saved.keys() >= {"seed", "runtime", "session", "state"}:
                raise KeyError("session")
        except Exception as error:  # noqa: BLE001 - whatever a broken file makes of the reader
            raise ArtefactError(
                f"{self.path} is truncated, altered or no resume state ({type(error).__name__})",
                "the file as it was written",
                f"another folder, or delete {self.path.name}",
            ) from None
        changed = sorted(key for key in {*self.signature, *theirs} if theirs.get(key) != self.signature.get(key))
        if changed:
            raise InputError(
                f"{self.folder} holds the state of a fit with other settings: {', '.join(changed)} changed",
                "the same data and settings when a fit goes on",
                f"another folder, or delete {self.path.name}",
            )
        return saved

    def save(self, content: dict[str, Any]) -> None:
        """Replace the resume state and ``history.csv``."""
        with whole(self.path) as temporary:
            torch.save({"signature": self.signature, **content}, temporary)
        write_history(self.folder / "history.csv", content["session"]["history"])


class Keeper:
    """Saves the resume state of a running fit: after every epoch, now and then inside a long one, and when it stops."""

    def __init__(self, checkpoint: Checkpoint | None):
        self.checkpoint = checkpoint
        self.due = time.monotonic() + _EVERY
        self.unsaved: dict[str, Any] | None = None

    def take(self, content: dict[str, Any], *, whole: bool) -> None:
        """Take the state after a ``whole`` epoch, or after a part of one, and save it where it is time."""
        self.unsaved = content
        if whole or time.monotonic() >= self.due:
            self.save()

    def save(self) -> None:
        """Save the last state that was taken, unless it is saved already."""
        if self.checkpoint is None or self.unsaved is None:
            return
        started = time.monotonic()
        self.checkpoint.save(self.unsaved)
        self.unsaved, ended = None, time.monotonic()
        self.due = ended + max(_EVERY, (ended - started) / _SHARE)


def write_history(path: "str | Path", history: list[dict[str, Any]]) -> None:
    """Write one row per epoch: every term while training and on the held-out rows, in nats per row, and the error."""
    rows = [
        {
            "epoch": epoch["epoch"],
            **{f"train_{name}": value for name, value in epoch["train"].items()},
            **{f"valid_{name}": value for name, value in epoch["valid"].items()},
            **{
                f"{part}_{name.replace(' ', '_')}": value
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
