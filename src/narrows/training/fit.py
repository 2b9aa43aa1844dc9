"""One fit from start to end: how many epochs, early stopping, best weights, checkpoints, several processes."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from narrows.data.pairs import Pairs
from narrows.model import Model
from narrows.training.checkpoint import Checkpoint, Keeper
from narrows.training.config import Steps, TrainingConfig
from narrows.training.deadline import seconds_left, within
from narrows.training.loop import Epoch, Part, evaluate, passes, train
from narrows.training.progress import Listener, listeners
from narrows.training.random import derive_seed
from narrows.training.runtime import Runtime
from narrows.training.state import State

__all__ = ["Job", "Outcome", "Settings", "Watch", "fit", "plan", "trial"]

STEPS = 16_000  # a default fit takes about so many steps, whatever the number of rows ...
MOST = 300  # ... but no more than so many epochs
_EPOCHS_SHARE = 0.85  # of a time budget that the epochs may fill: a schedule cut short costs more than the rest brings
_TRIAL_SHARE = 0.01  # of a time budget that goes into measuring the length of a step
_MAX_TRIAL_STEPS = 40  # steps that are measured at most


def plan(job: Job) -> tuple[int, int]:
    """Return the number of epochs and of rows: as asked, as a time budget allows, or ``STEPS`` steps of them."""
    asked, rows = job.settings.epochs, len(job.pairs)
    per_epoch = math.ceil(rows / job.settings.batch_size)
    with within(job.settings.minutes):
        seconds = job.runtime.first(seconds_left)
    if seconds == math.inf or asked == 0:
        return (max(1, min(MOST, round(STEPS / per_epoch))) if asked is None else asked), rows
    step = trial(job, 1)
    step = trial(job, max(1, min(per_epoch, _MAX_TRIAL_STEPS, int(_TRIAL_SHARE * seconds / step))))
    checks = len(job.held) / job.settings.batch_size / 3 if job.held is not None else 0.0
    fit_in = _EPOCHS_SHARE * seconds / (step * (per_epoch + checks))
    if fit_in < 1:
        return 1, max(min(rows, job.settings.batch_size), int(fit_in * rows))
    return (int(fit_in) if asked is None else min(int(fit_in), asked)), rows


def trial(job: Job, steps: int) -> float:
    """Return the seconds that a step takes once it is warm, measured on a copy of the model, the same on every rank."""
    sample = job.pairs.take(torch.arange(min(len(job.pairs), steps * job.settings.batch_size)).numpy())
    options = job.settings.options()
    *_, last = train(copy.deepcopy(job.model), sample, epochs=2, seed=job.seed, runtime=job.runtime, **options)
    return job.runtime.first(lambda: max(last.seconds / steps, 1e-9))


@dataclass(frozen=True, kw_only=True)
class Settings(Steps):
    """What a fit needs to know of an estimator: its training fields."""

    epochs: int | None = 20
    minutes: float | None = None
    patience: int | None = None
    tensorboard: str | Path | None = None
    verbose: bool = False

    @classmethod
    def of(cls, estimator: Any) -> Self:
        """Return the training fields of an estimator."""
        return cls(**{spec.name: getattr(estimator, spec.name) for spec in fields(cls)})

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the fields that a fit without epochs makes no use of."""
        return tuple(spec.name for spec in fields(cls) if spec.name not in ("epochs", "verbose"))

    def options(self) -> dict[str, Any]:
        """Return the arguments of ``train`` among them."""
        return {spec.name: getattr(self, spec.name) for spec in fields(Steps)}


class Outcome(NamedTuple):
    """What a fit leaves behind."""

    history: list[dict[str, Any]]
    weights: dict[str, Tensor]
    epochs: int  # that were planned
    best: int  # the epoch whose weights these are
    stopped: str  # why it ended
    messages: list[str]
    finished: bool


Watch = Callable[[Model, dict[str, Any]], None]


class Job(NamedTuple):
    """One fit: all that it needs, in this process or another."""

    model: Model
    pairs: Pairs
    held: Pairs | None
    settings: Settings
    seed: int
    runtime: Runtime
    checkpoint: Checkpoint | None = None
    saved: dict[str, Any] | None = None  # what the checkpoint held
    watch: Watch | None = None  # called after every epoch, where one process trains


def fit(job: Job) -> Outcome:
    """Train the job's model and give it the weights to keep, here or in several processes."""
    if job.saved:  # precision, threads, compilation and parts as they were
        job = job._replace(runtime=replace(job.runtime, **job.saved["runtime"]))
    with job.checkpoint.locked() if job.checkpoint and job.runtime.rank == 0 else contextlib.nullcontext():
        outcome = finished(job) or Outcome(*job.runtime.launch(run, job))
    plain = job.model.to("cpu").to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    plain.load_state_dict(outcome.weights)  # laid out as a loaded model is, so that its numbers are the same
    return outcome


def finished(job: Job) -> Outcome | None:
    """Return what the checkpoint holds when nothing is left to do."""
    session = Session.of(job) if job.saved else None
    ended = session.over(job) if session else ""
    return session.outcome(ended, True, {}) if session and ended else None


def run(job: Job) -> Outcome:
    """Do a job as one rank."""
    with job.runtime.limits():
        session = Session.of(job)
        state = State(**job.saved["state"]) if job.saved else State()
        if not job.saved:
            session.begin(job)
        progress: list[Listener] = []
        if job.runtime.rank == 0:
            progress = listeners(job.settings.verbose, job.settings.tensorboard, session.epochs, state.epoch)
        try:
            stopped, whole = epochs(job, session, state, progress)
        finally:
            for listener in progress:
                listener.close()
        return session.outcome(stopped, whole, state.model or job.model.state_dict())


def epochs(job: Job, session: Session, state: State, told: list[Listener]) -> tuple[str, bool]:
    """Go through the epochs; return why they ended, and whether there is nothing left to do."""
    keeper = Keeper(job.checkpoint if job.runtime.rank == 0 else None)
    try:
        for epoch in session.train(job, state):
            if isinstance(epoch, Part):
                keeper.take(session.content(job, state), whole=False)
                continue
            if epoch.message:
                session.messages.append(epoch.message)
                for listener in told:
                    listener.say(epoch.message)
                continue
            entry = session.take(job.model, epoch, state)
            keeper.take(session.content(job, state), whole=True)
            for listener in told:
                listener.epoch(entry)
            if job.watch is not None and job.runtime.processes == 1:
                job.watch(job.model, entry)
            if session.over(job):
                break
    except KeyboardInterrupt:
        return f"interrupted in epoch {len(session.history) + 1}", False
    finally:
        keeper.save()
    return session.over(job) or "all epochs were done", True


@dataclass
class Session:
    """The bookkeeping of one fit: history, best weights, patience; what a checkpoint holds besides the state."""

    epochs: int
    rows: int  # that are learnt from: all, unless a time budget is shorter than one epoch
    history: list[dict[str, Any]]
    messages: list[str]
    weights: dict[str, Tensor]
    best: int = 0
    lowest: float = math.inf
    minutes: float | None = None  # the time budget ...
    since: int = 0  # ... and the epochs that were done before it was set

    @classmethod
    def of(cls, job: Job) -> Self:
        """Return a new one, or the one that the checkpoint holds; a time budget that is set anew begins now."""
        if job.saved:
            session = cls(**job.saved["session"])
            if job.settings.minutes != session.minutes:
                session.minutes, session.since = job.settings.minutes, len(session.history)
            return session
        planned, rows = plan(job)
        messages = []
        if rows < len(job.pairs):
            most = "one epoch takes longer than the time budget"
            messages = [f"only {rows:,} of {len(job.pairs):,} rows are learnt from: {most}"]
        return cls(planned, rows, [], messages, {}, minutes=job.settings.minutes)

    def begin(self, job: Job) -> None:
        """Take the first weights for the best so far: a start from the data can be better than the first epochs.

        Not where a term is left out of the comparison, as an adversary's is: a start that never met it could win.
        """
        if job.model.incomparable:
            return
        model = job.model.to(job.runtime.where)
        held = None if job.held is None else job.held.to(job.runtime.where)
        loss = model.comparable_loss(
            evaluate(model, held, batch_size=job.settings.batch_size, seed=job.seed, runtime=job.runtime)
        )
        if held is not None and math.isfinite(loss):
            self.lowest = loss
            self.weights = {name: value.detach().clone() for name, value in model.state_dict().items()}

    def train(self, job: Job, state: State) -> Iterator[Epoch | Part]:
        """Return the loop over what is left of the epochs."""
        pairs = job.pairs
        if self.rows < len(pairs):
            order = torch.randperm(len(pairs), generator=torch.Generator().manual_seed(derive_seed(job.seed, 0, 1)))
            pairs = pairs.take(order[: self.rows].sort().values.numpy())
        config = TrainingConfig(epochs=self.epochs, seed=job.seed, **job.settings.options())
        return passes(job.model, pairs, job.held, config, state, job.runtime)

    def take(self, model: Model, epoch: Epoch, state: State) -> dict[str, Any]:
        """Note an epoch; keep its weights when it is the best so far, or when nothing is held out."""
        entry = {"epoch": epoch.number, "train": epoch.train, "valid": epoch.valid}
        entry |= {
            "errors": epoch.errors,
            "rows_per_second": epoch.rows_per_second,
            "seconds": epoch.seconds,
            "lr": epoch.lr,
        }
        self.history.append(entry)
        loss = model.comparable_loss(epoch.valid) if epoch.valid else -math.inf
        if loss < self.lowest or not epoch.valid:
            self.best, self.lowest, self.weights = epoch.number, loss, state.model
        return entry

    def over(self, job: Job) -> str:
        """Return why training should end now, or nothing: the first rank's clock decides for all."""
        return job.runtime.first(lambda: self._over(job.settings)) if self.history else ""

    def _over(self, settings: Settings) -> str:
        last, patience = self.history[-1], settings.patience or max(10, self.epochs // 5)
        if last["epoch"] >= self.epochs:
            return "all epochs were done"
        if last["valid"] and last["epoch"] - self.best >= patience:
            return f"no better on what was held out for {patience} epochs"
        spent = [entry["seconds"] for entry in self.history[self.since :]]
        over = self.minutes and spent and sum(spent) + last["seconds"] > 60 * self.minutes
        if over or seconds_left() < last["seconds"]:
            budget: dict[float | None, str] = {None: "the time budget was", 1: "1 minute was"}
            return budget.get(self.minutes, f"{self.minutes or 0:g} minutes were") + " over"
        return ""

    def outcome(self, stopped: str, finished: bool, last: dict[str, Tensor]) -> Outcome:
        """Return what the fit leaves behind: the best weights, or the ``last`` where no epoch was whole."""
        weights = {name: value.cpu() for name, value in (self.weights or last).items()}
        return Outcome(self.history, weights, self.epochs, self.best, stopped, self.messages, finished)

    def content(self, job: Job, state: State) -> dict[str, Any]:
        """Return what a checkpoint keeps, as it is now: what comes later changes nothing of it."""
        runtime = {name: getattr(job.runtime, name) for name in ("precision", "threads", "compile", "part")}
        session = vars(self) | {"history": list(self.history), "messages": list(self.messages)}
        return {"seed": job.seed, "runtime": runtime, "session": session, "state": dict(vars(state))}
