"""What training is asked to do: how many passes over the rows, in which batches, at which learning rate."""

import math
from dataclasses import dataclass
from typing import Literal

__all__ = ["Plan", "Rate", "Steps", "TrainingConfig"]

Plan = Literal["cosine", "constant", "linear"]


@dataclass(frozen=True, kw_only=True)
class Steps:
    """How a step is made of rows."""

    batch_size: int = 128
    lr: float = 2e-3
    weight_decay: float = 0.0
    schedule: Plan = "cosine"
    warm_up: float = 0.05
    clip: float | None = None
    drop_last: bool = False


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(Steps):
    """The settings of the loop; ``seed`` settles every random number."""

    epochs: int = 20
    seed: int = 0

    def rows(self, n: int) -> int:
        """Return how many of ``n`` rows an epoch learns from.

        Examples
        --------
        >>> TrainingConfig(batch_size=4).rows(10), TrainingConfig(batch_size=4, drop_last=True).rows(10)
        (10, 8)
        """
        return n - n % self.batch_size if self.drop_last and n > self.batch_size else n

    def rate(self, per_epoch: int) -> "Rate":
        """Return the learning rate for epochs of so many steps."""
        return Rate(self.lr, self.epochs * per_epoch, self.warm_up, self.schedule)


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
