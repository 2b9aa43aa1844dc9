"""How many epochs a fit has: as asked, as a time budget allows, or a default number of steps."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

import torch

from narrows.training.loop import train

if TYPE_CHECKING:
    from narrows.training.fit import Job

__all__ = ["plan", "trial"]

STEPS = 16_000  # a default fit takes about so many steps, whatever the number of rows ...
MOST = 300  # ... but no more than so many epochs
_SHARE = 0.85  # of a time budget that the epochs may fill: a schedule cut short costs more than the rest brings
_TRIAL = 0.01  # of a time budget that goes into measuring the length of a step
_TRIED = 40  # steps that are measured at most


def plan(job: Job) -> tuple[int, int]:
    """Return the number of epochs and of rows: as asked, as a time budget allows, or ``STEPS`` steps of them."""
    asked, minutes, rows = job.settings.epochs, job.settings.minutes, len(job.pairs)
    per_epoch = math.ceil(rows / job.settings.batch_size)
    if minutes is None or asked == 0:
        return (max(1, min(MOST, round(STEPS / per_epoch))) if asked is None else asked), rows
    step = trial(job, 1)
    step = trial(job, max(1, min(per_epoch, _TRIED, int(_TRIAL * 60 * minutes / step))))
    checks = len(job.held) / job.settings.batch_size / 3 if job.held is not None else 0.0
    fit_in = _SHARE * 60 * minutes / (step * (per_epoch + checks))
    if fit_in < 1:
        return 1, max(min(rows, job.settings.batch_size), int(fit_in * rows))
    return (int(fit_in) if asked is None else min(int(fit_in), asked)), rows


def trial(job: Job, steps: int) -> float:
    """Return the seconds that a step takes once it is warm, measured on a copy of the model, the same on every rank."""
    some = job.pairs.take(torch.arange(min(len(job.pairs), steps * job.settings.batch_size)).numpy())
    options = job.settings.options()
    *_, last = train(copy.deepcopy(job.model), some, epochs=2, seed=job.seed, runtime=job.runtime, **options)
    return job.runtime.first(lambda: max(last.seconds / steps, 1e-9))
