"""The one training loop. It yields; it does not call back, and it knows no model."""

import copy
import functools
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from narrows.data.pairs import Pairs, at_once
from narrows.errors import InputError
from narrows.model import Model
from narrows.training.adam import Adam
from narrows.training.runtime import Runtime
from narrows.training.seeds import mixed, seeded

__all__ = ["Epoch", "State", "evaluate", "train"]

Plan = Literal["cosine", "constant", "linear"]
_LOOK = 64  # steps between two looks at whether the loss is finite: a look waits for the device
_PATIENCE = 3  # how often training may go back before it gives up


@dataclass
class State:
    """Where training stands after an epoch: all that going on exactly needs, as random numbers follow from the seed."""

    epoch: int = 0
    model: dict[str, Tensor] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    slower: float = 1.0  # what the learning rate is multiplied with after going back
    returns: int = 0


@dataclass(frozen=True)
class Epoch:
    """What one pass over the rows gave: nats per row, term by term; the loss is the sum of the terms."""

    number: int
    train: dict[str, float]
    valid: dict[str, float]
    rows_per_second: float
    seconds: float
    lr: float
    message: str = ""


def train(
    model: Model,
    pairs: Pairs,
    valid: Pairs | None = None,
    *,
    epochs: int = 20,
    batch_size: int = 128,
    lr: float = 2e-3,
    weight_decay: float = 0.0,
    schedule: Plan = "cosine",
    warm_up: float = 0.05,
    clip: float | None = None,
    drop_last: bool = False,
    seed: int = 0,
    state: State | None = None,
    runtime: Runtime | None = None,
) -> Iterator[Epoch]:
    """Fit ``model`` in place, handing over after every epoch. To stop early, stop iterating.

    ``state`` is filled in before an epoch is handed over; given back later, training goes on from there, bit for bit.

    Examples
    --------
    >>> from narrows.bottlenecks import Free
    >>> from narrows.likelihood import Gaussian
    >>> from narrows.networks import Linear, Sizes
    >>> encoder, decoder = Linear().build(Sizes((4,), (4,), code_in=2, code_out=2, out=4))
    >>> rows = Pairs(torch.rand(64, 4))
    >>> [epoch.number for epoch in train(Model(encoder, Free(2), decoder, Gaussian()), rows, epochs=2)]
    [1, 2]
    """
    runtime, state = runtime or Runtime("cpu"), state or State()
    model.to(runtime.where)
    pairs, valid = pairs.read_by(model.likelihood).to(runtime.where), valid and valid.to(runtime.where)
    net = runtime.wrap(model, runtime.world > 1 and _unused(model, pairs, runtime))
    optimizer = Adam(model.parameters(), weight_decay)
    (restore if state.epoch else remember)(model, optimizer, state)
    rows = len(pairs) - len(pairs) % batch_size if drop_last and len(pairs) > batch_size else len(pairs)
    per_epoch = len(portions(torch.empty(rows), batch_size))
    rate = Rate(lr, epochs * per_epoch, warm_up, schedule)
    while state.epoch < epochs:
        started = time.perf_counter()
        number = state.epoch + 1
        with seeded(mixed(seed, number, runtime.rank), runtime.where):
            means = one_epoch(net, optimizer, pairs, rows, batch_size, rate, state, clip, seed, runtime)
        took = time.perf_counter() - started
        held = evaluate(model, valid, batch_size=batch_size, seed=seed, runtime=runtime) if means else {}
        if means is None or not all(map(math.isfinite, held.values())):
            yield go_back(model, optimizer, state, number, rate)
            continue
        remember(model, optimizer, state)
        state.epoch = number
        seconds = time.perf_counter() - started
        yield Epoch(number, means, held, rows / took, seconds, rate(number * per_epoch - 1) * state.slower)


def one_epoch(
    net: torch.nn.Module,
    optimizer: Adam,
    pairs: Pairs,
    most: int,
    batch_size: int,
    rate: "Rate",
    state: State,
    clip: float | None,
    seed: int,
    runtime: Runtime,
) -> dict[str, float] | None:
    """Pass over ``most`` rows and return the mean of every term, or None when the loss is no longer finite."""
    net.train()
    order = pairs.order(torch.Generator().manual_seed(mixed(seed, state.epoch + 1)))[:most]
    sums: dict[str, Tensor] = {}
    steps, world, where = portions(order, batch_size), runtime.world, runtime.where
    step = state.epoch * len(steps)
    for rows in steps:
        batch = pairs.batch(runtime.share(rows)).to(where)
        with runtime.autocast():
            terms: dict[str, Tensor] = net(batch, rate.progress(step))
        totals = {name: term.sum(dtype=torch.float32) for name, term in terms.items()}
        if world > 1 and runtime.rank >= len(rows):  # a row lent by another rank, so that this one has a batch
            totals = {name: total * 0 for name, total in totals.items()}
        loss = functools.reduce(torch.add, totals.values()) * (world / len(rows))
        optimizer.clear()
        loss.backward()  # type: ignore[no-untyped-call]
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(optimizer.parameters, clip)
        optimizer.step(rate(step) * state.slower)
        for name, total in totals.items():
            sums[name] = sums[name] + total.detach() if name in sums else total.detach()
        step += 1
        if step % _LOOK == 0 and not _finite(sums, runtime):
            return None
    # What the last step broke is in no sum yet: it shows in the weights.
    broken = torch.stack([parameter.detach().float().mul(0).sum() for parameter in optimizer.parameters]).sum()
    return _means(sums, most, runtime) if _finite({**sums, "": broken}, runtime) else None


def portions(order: Tensor, size: int) -> list[Tensor]:
    """Return the rows of every step; a last one alone joins the step before it: no statistics of a batch of one.

    Examples
    --------
    >>> [rows.tolist() for rows in portions(torch.arange(5), 2)]
    [[0, 1], [2, 3, 4]]
    """
    parts = list(torch.split(order, size))
    if len(parts) > 1 and size > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


@torch.no_grad()
def evaluate(
    model: Model, pairs: Pairs | None, *, batch_size: int = 256, seed: int = 0, runtime: Runtime | None = None
) -> dict[str, float]:
    """Return the same terms on rows that the model does not learn from, at the end of every schedule, noise fixed."""
    runtime = runtime or Runtime("cpu")
    sums: dict[str, Tensor] = {}
    if pairs is None:
        return {}
    pairs = pairs.read_by(model.likelihood)
    model.eval()
    model.bottleneck.train(model.bottleneck.draws)
    with seeded(mixed(seed, 0), runtime.where):
        for batch in pairs.batches(max(batch_size, at_once(*pairs.shapes[:2]))):
            for name, term in model(batch.to(runtime.where), 1.0).items():
                sums[name] = sums[name] + term.sum() if name in sums else term.sum()
    model.eval()
    # Every rank goes through all the rows; the mean over the ranks makes them agree to the last bit.
    return _means(sums, len(pairs) * runtime.world, runtime)


@dataclass(frozen=True)
class Rate:
    """The learning rate: a linear warm-up over a share of all steps, then down to zero, or constant."""

    peak: float
    steps: int
    warm_up: float
    plan: Plan

    def progress(self, step: int) -> float:
        """Return the share of training that is over."""
        return step / max(1, self.steps)

    def __call__(self, step: int) -> float:
        """Return the rate of a step."""
        rising = min(1000, int(self.warm_up * self.steps))
        if step < rising:
            return self.peak * (step + 1) / (rising + 1)
        done = (step - rising) / max(1, self.steps - rising)
        falling = {"constant": 1.0, "linear": 1 - done, "cosine": 0.5 + 0.5 * math.cos(math.pi * done)}
        return self.peak * falling[self.plan]


def remember(model: Model, optimizer: Adam, state: State) -> None:
    """Copy the weights and the optimiser's memory into ``state``."""
    state.model = {name: value.detach().clone() for name, value in model.state_dict().items()}
    state.optimizer = optimizer.state_dict()


def restore(model: Model, optimizer: Adam, state: State) -> None:
    """Put ``state`` back into the model and the optimiser."""
    model.load_state_dict(state.model)
    optimizer.load_state_dict(state.optimizer)


def go_back(model: Model, optimizer: Adam, state: State, number: int, rate: Rate) -> Epoch:
    """Return to the last good state at half the learning rate, or give up."""
    state.returns += 1
    if state.returns > _PATIENCE:
        raise InputError(
            f"The loss stopped being finite {state.returns} times, last in epoch {number} at a learning rate of "
            f"{rate.peak * state.slower:.3g}",
            "data in a moderate range, e.g. standardised",
            f"lr={rate.peak / 10:g}, or clip=1.0",
        )
    state.slower /= 2
    restore(model, optimizer, state)
    message = f"epoch {number}: the loss was no longer finite; back to the last good state, learning rate halved"
    return Epoch(number, {}, {}, 0.0, 0.0, rate.peak * state.slower, message)


def _finite(sums: dict[str, Tensor], runtime: Runtime) -> bool:
    total = runtime.total(torch.stack([value.detach() for value in sums.values()]).sum())
    return math.isfinite(float(total))


def _means(sums: dict[str, Tensor], rows: int, runtime: Runtime) -> dict[str, float]:
    return {name: float(runtime.total(total.clone())) / rows for name, total in sums.items()}


def _unused(model: Model, pairs: Pairs, runtime: Runtime) -> bool:
    """Return whether some weights have no part in the loss: a trial on a copy tells."""
    trial = copy.deepcopy(model).train()
    with seeded(0, runtime.where):
        terms = trial(pairs.batch(slice(0, 2)).to(runtime.where), 0.5)
        torch.stack([term.sum() for term in terms.values()]).sum().backward()  # type: ignore[no-untyped-call]
    return any(weight.requires_grad and weight.grad is None for weight in trial.parameters())
