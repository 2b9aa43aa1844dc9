"""One fit from start to end: how many epochs, early stopping, best weights, checkpoints, several processes."""

import copy
import math
import time
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from narrows.data.pairs import Pairs
from narrows.model import Model
from narrows.training.checkpoint import Checkpoint
from narrows.training.loop import Epoch, Plan, State, train
from narrows.training.progress import Listener, listeners
from narrows.training.runtime import Runtime

__all__ = ["Outcome", "Settings", "fit"]

STEPS = 9_000  # a default fit takes about so many steps, whatever the number of rows ...
MOST = 300  # ... but no more than so many epochs


class Settings(Protocol):
    """What a fit reads of an estimator: its training fields."""

    epochs: int | None
    minutes: float | None
    batch_size: int
    lr: float
    weight_decay: float
    schedule: Plan
    warm_up: float
    clip: float | None
    patience: int | None
    checkpoint: str | None
    tensorboard: str | None
    verbose: bool


class Outcome(NamedTuple):
    """What a fit leaves behind."""

    history: list[dict[str, Any]]
    weights: dict[str, Tensor]
    epochs: int  # that were planned
    best: int  # the epoch whose weights these are
    stopped: str  # why it ended
    messages: list[str]
    finished: bool


def fit(
    model: Model, pairs: Pairs, held: Pairs | None, settings: Settings, seed: int, runtime: Runtime, signature: dict[str, str]
) -> Outcome:
    """Train ``model`` on ``pairs`` as ``settings`` say and return the weights to keep, here or in several processes."""
    outcome = runtime.launch(_fit, model, pairs, held, settings, seed, runtime, signature)
    model.to("cpu").load_state_dict(outcome.weights)
    return outcome


class Session:
    """The bookkeeping of one fit: history, best weights, patience; what a checkpoint holds besides the state."""

    def __init__(self, epochs: int, patience: int):
        self.epochs, self.patience = epochs, patience
        self.history: list[dict[str, Any]] = []
        self.messages: list[str] = []
        self.best, self.lowest = 0, math.inf
        self.weights: dict[str, Tensor] = {}

    def take(self, model: Model, epoch: Epoch, state: State) -> dict[str, Any]:
        """Note an epoch; keep its weights when it is the best so far, or when nothing is held out."""
        entry = {
            "epoch": epoch.number,
            "train": epoch.train,
            "valid": epoch.valid,
            "rows_per_second": epoch.rows_per_second,
            "seconds": epoch.seconds,
            "lr": epoch.lr,
        }
        self.history.append(entry)
        loss = model.settled(epoch.valid) if epoch.valid else -math.inf
        if loss < self.lowest or not epoch.valid:
            self.best, self.lowest, self.weights = epoch.number, loss, state.model
        return entry

    def over(self, entry: dict[str, Any], minutes: float | None) -> str:
        """Return why training should end after this epoch, or nothing."""
        if entry["valid"] and entry["epoch"] - self.best >= self.patience:
            return f"no better on held-out rows for {self.patience} epochs"
        spent = sum(each["seconds"] for each in self.history)
        if minutes and entry["epoch"] < self.epochs and spent + entry["seconds"] > 60 * minutes:
            return f"{minutes:g} minutes were over"
        return ""

    def content(self, state: State) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        own = {name: getattr(self, name) for name in ("epochs", "history", "messages", "best", "lowest", "weights")}
        return {"session": own, "state": vars(state), "history": self.history}

    def adopt(self, saved: dict[str, Any]) -> State:
        """Go on from a checkpoint."""
        vars(self).update(saved["session"])
        return State(**saved["state"])


def _fit(
    model: Model, pairs: Pairs, held: Pairs | None, settings: Settings, seed: int, runtime: Runtime, signature: dict[str, str]
) -> Outcome:
    with runtime.limits():
        checkpoint = Checkpoint(settings.checkpoint, signature) if settings.checkpoint else None
        saved = checkpoint.load() if checkpoint else None
        epochs = saved["session"]["epochs"] if saved else plan(model, pairs, held, settings, seed, runtime)
        session = Session(epochs, settings.patience or max(10, epochs // 5))
        state = session.adopt(saved) if saved else State()
        first = runtime.rank == 0
        told = listeners(settings.verbose and first, settings.tensorboard if first else None, epochs, state.epoch)
        try:
            stopped, finished = _epochs(model, pairs, held, settings, seed, runtime, session, state, checkpoint if first else None, told)
        finally:
            for listener in told:
                listener.close()
        weights = {name: value.cpu() for name, value in (session.weights or state.model or model.state_dict()).items()}
        return Outcome(session.history, weights, epochs, session.best, stopped, session.messages, finished)


def _epochs(
    model: Model,
    pairs: Pairs,
    held: Pairs | None,
    settings: Settings,
    seed: int,
    runtime: Runtime,
    session: Session,
    state: State,
    checkpoint: Checkpoint | None,
    told: list[Listener],
) -> tuple[str, bool]:
    """Go through the epochs; return why they ended, and whether there is nothing left to do."""
    ended = session.over(session.history[-1], settings.minutes) if session.history else ""
    if ended:
        return ended, True
    options = training_options(settings, seed, runtime)
    try:
        for epoch in train(model, pairs, held, epochs=session.epochs, state=state, **options):
            if epoch.message:
                session.messages.append(epoch.message)
                for listener in told:
                    listener.say(epoch.message)
                continue
            entry = session.take(model, epoch, state)
            for listener in told:
                listener.epoch(entry)
            if checkpoint:
                checkpoint.save(session.content(state))
            ended = session.over(entry, settings.minutes)
            if ended:
                return ended, True
    except KeyboardInterrupt:
        return f"interrupted in epoch {state.epoch + 1}", False
    return "all epochs were done", True


def training_options(settings: Settings, seed: int, runtime: Runtime) -> dict[str, Any]:
    """Return the arguments of ``train`` that come from the settings."""
    names = ("batch_size", "lr", "weight_decay", "schedule", "warm_up", "clip")
    return {**{name: getattr(settings, name) for name in names}, "seed": seed, "runtime": runtime}


def plan(model: Model, pairs: Pairs, held: Pairs | None, settings: Settings, seed: int, runtime: Runtime) -> int:
    """Return the number of epochs: as asked, as a time budget allows, or as many as about ``STEPS`` steps make."""
    per_epoch = math.ceil(len(pairs) / settings.batch_size)
    if settings.minutes is None:
        return max(1, min(MOST, round(STEPS / per_epoch))) if settings.epochs is None else settings.epochs
    steps = min(per_epoch, 40)
    some = pairs.take(torch.arange(min(len(pairs), steps * settings.batch_size)).numpy())
    trial, options = copy.deepcopy(model), training_options(settings, seed, runtime)
    for _ in train(trial, some, epochs=1, **options):  # the first pass pays for warming up
        pass
    started = time.perf_counter()
    for _ in train(trial, some, None, epochs=1, **options):
        pass
    step = (time.perf_counter() - started) / steps
    epoch = step * (per_epoch + (len(held) / settings.batch_size / 3 if held is not None else 0))
    known = torch.tensor([epoch], device=runtime.where)
    epoch = float(runtime.total(known)) / runtime.world
    most = max(1, int(0.95 * 60 * settings.minutes / epoch))
    return most if settings.epochs is None else min(most, settings.epochs)
