"""What a person sees of a fit: a bar on a terminal, a line now and then elsewhere, TensorBoard events when asked."""

import contextlib
import os
import sys
import time
from pathlib import Path
from typing import Any, Protocol

import torch

from narrows.data.disk.memory import size_words

__all__ = ["Listener", "listeners"]


_BAR_ROOM = 44  # letters of a line before the text: epochs, bar, time


class Listener(Protocol):
    """Told of every epoch; closed at the end."""

    def epoch(self, entry: dict[str, Any]) -> None:
        """Take one row of the history."""

    def say(self, message: str) -> None:
        """Take a sentence."""

    def close(self) -> None:
        """End."""


def listeners(verbose: bool, tensorboard: "str | Path | None", epochs: int, done: int) -> list[Listener]:
    """Return who is to be told."""
    outputs: list[Listener] = []
    if verbose:
        outputs.append(Bar(epochs, done) if sys.stderr.isatty() else Lines(epochs, done))
    if tensorboard:
        outputs.append(Events(tensorboard, done))
    return outputs


def terms(entry: dict[str, Any]) -> str:
    """Return the errors, the loss and its terms in words, held-out rows first where there are any.

    Examples
    --------
    >>> errors = {"train": {"mean squared error": 0.0123}, "valid": {}}
    >>> terms({"train": {"reconstruction": 2.0, "kl": 1.0}, "valid": {}, "errors": errors})
    'mean squared error: train 0.0123; loss: train 3.00 (reconstruction 2.00 + kl 1.00) nats per row'
    """
    errors, words = entry.get("errors", {}), []
    for name in errors.get("train", {}):
        parts = [f"{part} {errors[part][name]:.4g}" for part in ("valid", "train") if name in errors[part]]
        words.append(f"{name}: {', '.join(parts)}")
    losses = []
    for part in ("valid", "train"):
        values = entry[part]
        if values:
            summands = " + ".join(f"{name} {value:.2f}" for name, value in values.items())
            losses.append(f"{part} {sum(values.values()):.2f}" + (f" ({summands})" if len(values) > 1 else ""))
    return "; ".join([*words, f"loss: {', '.join(losses)} nats per row"])


def duration(seconds: float) -> str:
    """Return a time in words, as exact as somebody who waits needs it.

    Examples
    --------
    >>> duration(0.4), duration(59.6), duration(200), duration(7500)
    ('1 s', '1 min', '3 min 20 s', '2 h 5 min')
    """
    whole = max(1, round(seconds))
    step = 1 if whole < 60 else 10 if whole < 600 else 60
    minutes, rest = divmod(round(whole / step) * step, 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest if not hours else 0, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count)


def memory() -> str:
    """Return how much memory this process holds, and of a GPU what its tensors take; empty where nobody knows.

    Examples
    --------
    >>> memory().split()[0], memory().split()[-1] in ("MB", "GB")
    ('memory', True)
    """
    parts = []
    with contextlib.suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        held = pages * os.sysconf("SC_PAGE_SIZE")
        parts.append(f"memory {size_words(held)}")
    if torch.cuda.is_available() and (reserved := torch.cuda.memory_reserved()):
        parts.append(f"GPU {size_words(reserved)}")
    return ", ".join(parts)


def state(entry: dict[str, Any]) -> str:
    """Return the terms of an epoch, and the speed."""
    return f"{terms(entry)}; {entry['rows_per_second']:,.0f} rows/s"


class Lines:
    """At most one line every few seconds, and the last one."""

    def __init__(self, epochs: int, done: int = 0):
        self.epochs, self.done, self.last, self.start = epochs, done, 0.0, time.monotonic()

    def epoch(self, entry: dict[str, Any]) -> None:
        """Write a line when the last one is old enough."""
        now = time.monotonic()
        if now - self.last > 5 or entry["epoch"] == self.epochs:
            self.last = now
            epoch, left = entry["epoch"], self.epochs - entry["epoch"]
            per_epoch = (now - self.start) / max(1, epoch - self.done)
            waiting = f"at most {duration(left * per_epoch)} left" if left else ""
            self.say("; ".join(filter(None, [f"epoch {epoch}/{self.epochs}  {state(entry)}", memory(), waiting])))

    def say(self, message: str) -> None:
        """Write a line."""
        sys.stderr.write(message + "\n")
        sys.stderr.flush()

    def close(self) -> None:
        """Nothing to close."""


class Bar:
    """A progress bar with loss terms, rows per second, memory and time left."""

    def __init__(self, epochs: int, done: int):
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.progress = Progress(
            TextColumn("epoch {task.completed:.0f}/{task.total:.0f}"),
            BarColumn(bar_width=12),
            TimeRemainingColumn(compact=True),
            TextColumn("left; {task.description}"),
            console=Console(stderr=True),
        )
        self.progress.start()
        self.task = self.progress.add_task("starting", total=epochs, completed=done)

    def epoch(self, entry: dict[str, Any]) -> None:
        """Move on."""
        room = max(20, self.progress.console.width - _BAR_ROOM)  # a longer text would leave the bar no place
        text = "; ".join(filter(None, [memory(), state(entry)]))
        self.progress.update(self.task, completed=entry["epoch"], description=text[:room])

    def say(self, message: str) -> None:
        """Write a line above the bar."""
        self.progress.console.print(message)

    def close(self) -> None:
        """Leave the bar as it stands."""
        self.progress.stop()


class Events:
    """TensorBoard events: one scalar per term, for training and held-out rows.

    Where ``done`` epochs were kept, what a killed fit wrote of later ones is hidden.
    """

    def __init__(self, folder: "str | Path", done: int):
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            from narrows.errors import InputError

            raise InputError("TensorBoard is not installed", "", "pip install 'narrows[track]'") from error
        self.writer: Any = SummaryWriter(folder, purge_step=done + 1 if done else None)

    def epoch(self, entry: dict[str, Any]) -> None:
        """Write the scalars of one epoch."""
        for part in ("train", "valid"):
            for name, value in entry[part].items():
                self.writer.add_scalar(f"{name}/{part}", value, entry["epoch"])
            if entry[part]:
                self.writer.add_scalar(f"loss/{part}", sum(entry[part].values()), entry["epoch"])
        self.writer.add_scalar("rows per second", entry["rows_per_second"], entry["epoch"])

    def say(self, message: str) -> None:
        """Keep the sentence as text."""
        self.writer.add_text("messages", message)

    def close(self) -> None:
        """Write what is left."""
        self.writer.close()
