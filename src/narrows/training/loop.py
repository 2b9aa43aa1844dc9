"""The one training loop. It yields; it does not call back, and it knows no model."""

import copy
import functools
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from narrows.data.pairs import Batch, Pairs, at_once
from narrows.model import Model
from narrows.training.adam import Adam
from narrows.training.config import Rate, TrainingConfig
from narrows.training.random import derive_seed, fork_rng
from narrows.training.runtime import Runtime
from narrows.training.state import State, go_back, remember, restore

__all__ = ["Epoch", "Part", "evaluate", "passes", "train"]

Errors = dict[str, dict[str, float]]  # of the rows learnt from and held out, by name, in the unit of reports

_STEPS_BETWEEN_LOOKS = 64  # steps between two looks at whether the loss is finite: a look waits for the device


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
    errors: Errors = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """A part of a long epoch is over: ``step`` of its ``steps`` are done."""

    number: int
    step: int
    steps: int


def train(
    model: Model,
    pairs: Pairs,
    valid: Pairs | None = None,
    *,
    state: State | None = None,
    runtime: Runtime | None = None,
    **config: Any,
) -> Iterator[Epoch]:
    """Fit ``model`` in place, handing over after every epoch. To stop early, stop iterating.

    ``config`` are the fields of ``TrainingConfig``: epochs, batch_size, lr, ... ``state`` is filled in before an epoch
    is handed over; given back later, training goes on from there, bit for bit.

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
    for event in passes(model, pairs, valid, TrainingConfig(**config), state or State(), runtime or Runtime("cpu")):
        if isinstance(event, Epoch):
            yield event


def passes(
    model: Model, pairs: Pairs, valid: Pairs | None, config: TrainingConfig, state: State, runtime: Runtime
) -> Iterator[Epoch | Part]:
    """Do what ``train`` does, handing over after every part of a long epoch too, with ``state`` filled in."""
    model.to(runtime.where)
    pairs, valid = pairs.read_by(model.likelihood).to(runtime.where), valid and valid.to(runtime.where)
    net = runtime.wrap(Measured(model), runtime.world > 1 and _unused(model, pairs, runtime))
    optimizer = Adam(model.parameters(), config.weight_decay)
    (restore if state.epoch or state.step else remember)(model, optimizer, state)
    rows = config.rows(len(pairs))
    rate = config.rate(len(portions(torch.empty(rows), config.batch_size)))
    loop = Loop(model, net, optimizer, pairs, valid, config, rate, state, runtime)
    while state.epoch < config.epochs:
        order = pairs.order(torch.Generator().manual_seed(derive_seed(config.seed, state.epoch + 1)))[:rows]
        yield from loop.epoch(portions(order, config.batch_size))


class Measured(torch.nn.Module):
    """A model whose forward pass also gives the errors of the rows."""

    def __init__(self, model: Model):
        super().__init__()
        self.model = model

    def forward(self, batch: Batch, progress: float) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return terms and errors of every row."""
        return self.model.terms_and_errors(batch, progress)


@dataclass(frozen=True)
class Loop:
    """All that a step needs, and what came of those before."""

    model: Model
    net: torch.nn.Module  # the model as it is trained: compiled, data-parallel
    optimizer: Adam
    pairs: Pairs
    valid: Pairs | None
    config: TrainingConfig
    rate: Rate
    state: State
    runtime: Runtime

    def epoch(self, steps: list[Tensor]) -> Iterator[Epoch | Part]:
        """Go through the rows of the steps that are left of an epoch, part by part."""
        state, number, rows = self.state, self.state.epoch + 1, sum(map(len, steps))
        while state.epoch < number:
            started, before = time.perf_counter(), state.seconds
            stop = min((state.step // self.runtime.part + 1) * self.runtime.part, len(steps))
            done = self.part(steps[state.step : stop], number * len(steps) - len(steps) + state.step)
            took = before + time.perf_counter() - started
            if done is not None and stop < len(steps):
                remember(self.model, self.optimizer, state, step=stop, sums=done[0], errors=done[1], seconds=took)
                yield Part(number, stop, len(steps))
                continue
            means, errors = ({name: total / rows for name, total in sums.items()} for sums in done or ({}, {}))
            held, missed = self.held() if means else ({}, {})
            if not means or not all(map(math.isfinite, held.values())):
                message = go_back(self.model, self.optimizer, state, self.rate)
                yield Epoch(number, {}, {}, 0.0, 0.0, self.rate.peak * state.slower, message)
                continue
            remember(self.model, self.optimizer, state, epoch=number, step=0, sums={}, errors={}, seconds=0.0)
            seconds, lr = before + time.perf_counter() - started, self.rate(number * len(steps) - 1) * state.slower
            yield Epoch(number, means, held, rows / took, seconds, lr, errors={"train": errors, "valid": missed})

    def part(self, steps: list[Tensor], step: int) -> tuple[dict[str, float], dict[str, float]] | None:
        """Do steps of an epoch; return the sums of its terms and of its errors so far, or None for a broken loss.

        ``step`` counts those before, in all epochs.
        """
        self.net.train()
        state, runtime, sums, errors = self.state, self.runtime, dict[str, Tensor](), dict[str, Tensor]()
        part = state.step // runtime.part
        place = (state.epoch + 1, part, runtime.rank) if part else (state.epoch + 1, runtime.rank)
        with fork_rng(derive_seed(self.config.seed, *place), runtime.where):
            for rows in steps:
                terms, missed = self.step(rows, step)
                _add(sums, terms)
                _add(errors, missed)
                step += 1
                if step % _STEPS_BETWEEN_LOOKS == 0 and not _finite(sums, runtime):
                    return None
        # What the last step broke is in no sum yet: it shows in the weights.
        broken = torch.stack([weight.detach().float().mul(0).sum() for weight in self.optimizer.parameters]).sum()
        if not _finite({**sums, "": broken}, runtime):
            return None
        if state.step and not state.errors:  # a state that was saved without: these would be a part of the epoch's
            errors = {}
        before, now = (state.sums, state.errors), (_totals(sums, runtime), _totals(errors, runtime))
        so_far, wrong = ({k: old.get(k, 0.0) + new[k] for k in new} for old, new in zip(before, now, strict=True))
        return so_far, wrong

    def step(self, rows: Tensor, step: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Learn from the rows of one batch; return the sums of its terms and errors over this rank's part of it."""
        world = self.runtime.world
        batch = self.pairs.batch(self.runtime.share(rows)).to(self.runtime.where)
        with self.runtime.autocast():
            both: tuple[dict[str, Tensor], dict[str, Tensor]] = self.net(batch, self.rate.progress(step))
        totals, errors = ({name: term.sum(dtype=torch.float32) for name, term in terms.items()} for terms in both)
        if world > 1 and self.runtime.rank >= len(rows):  # a row lent by another rank, so that this one has a batch
            totals, errors = ({name: total * 0 for name, total in terms.items()} for terms in (totals, errors))
        loss = functools.reduce(torch.add, totals.values()) * (world / len(rows))
        self.optimizer.clear()
        loss.backward()  # type: ignore[no-untyped-call]
        if self.config.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.optimizer.parameters, self.config.clip)
        self.optimizer.step(self.rate(step) * self.state.slower)
        return {name: total.detach() for name, total in totals.items()}, errors

    def held(self) -> tuple[dict[str, float], dict[str, float]]:
        """Return the terms and the errors on the rows that are held out."""
        options, errors = {"batch_size": self.config.batch_size, "seed": self.config.seed}, dict[str, float]()
        return evaluate(self.model, self.valid, **options, runtime=self.runtime, errors=errors), errors


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
    model: Model,
    pairs: Pairs | None,
    *,
    batch_size: int = 256,
    seed: int = 0,
    runtime: Runtime | None = None,
    errors: dict[str, float] | None = None,
) -> dict[str, float]:
    """Return the same terms on rows that the model does not learn from, at the end of every schedule, noise fixed.

    ``errors`` is filled with the errors of the likelihood on the way.
    """
    runtime = runtime or Runtime("cpu")
    sums, wrong = dict[str, Tensor](), dict[str, Tensor]()
    if pairs is None:
        return {}
    pairs = pairs.read_by(model.likelihood)
    model.eval()
    model.bottleneck.train(model.bottleneck.samples_in_eval)
    with fork_rng(derive_seed(seed, 0), runtime.where):
        for batch in pairs.batches(max(batch_size, at_once(*pairs.shapes[:2]))):
            terms, missed = model.terms_and_errors(batch.to(runtime.where), 1.0)
            _add(sums, {name: term.sum() for name, term in terms.items()})
            _add(wrong, {name: error.sum() for name, error in missed.items()})
    model.eval()
    # Every rank goes through all the rows; the mean over the ranks makes them agree to the last bit.
    of_terms, of_errors = (
        {name: total / (len(pairs) * runtime.world) for name, total in _totals(totals, runtime).items()}
        for totals in (sums, wrong)
    )
    if errors is not None:
        errors.update(of_errors)
    return of_terms


def _add(sums: dict[str, Tensor], more: dict[str, Tensor]) -> None:
    for name, total in more.items():
        sums[name] = sums[name] + total if name in sums else total


def _finite(sums: dict[str, Tensor], runtime: Runtime) -> bool:
    total = runtime.total(torch.stack([value.detach() for value in sums.values()]).sum())
    return math.isfinite(float(total))


def _totals(sums: dict[str, Tensor], runtime: Runtime) -> dict[str, float]:
    return {name: float(runtime.total(total.clone())) for name, total in sums.items()}


def _unused(model: Model, pairs: Pairs, runtime: Runtime) -> bool:
    """Return whether some weights have no part in the loss: a trial on a copy tells."""
    trial = copy.deepcopy(model).train()
    with fork_rng(0, runtime.where):
        terms = trial(pairs.batch(slice(0, 2)).to(runtime.where), 0.5)
        torch.stack([term.sum() for term in terms.values()]).sum().backward()  # type: ignore[no-untyped-call]
    return any(weight.requires_grad and weight.grad is None for weight in trial.parameters())
