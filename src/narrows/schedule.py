"""A setting that changes while training is a function of progress in [0, 1]."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from numbers import Real
from typing import ClassVar

from narrows.params import param
from narrows.parts import Part, as_part, part

__all__ = ["Cosine", "Ramp", "Schedule", "at", "number_or_schedule"]


class Schedule(Part, ABC):
    """A number as a function of training progress in [0, 1]."""

    kind: ClassVar[str] = "schedule"
    plain: ClassVar[bool] = True

    @abstractmethod
    def __call__(self, progress: float) -> float:
        """Return the value at ``progress``."""


@part("ramp")
class Ramp(Schedule):
    """From ``start`` to ``end``, linearly, over the first ``until`` of training; then ``end``.

    Examples
    --------
    >>> Ramp(0, 4, until=0.5)(0.25)
    2.0
    """

    start: float = param(0.0, "value at the beginning")
    end: float = param(1.0, "value from `until` on")
    until: float = param(0.2, "share of training over which it changes", gt=0, le=1)

    def __call__(self, progress: float) -> float:
        """Return the value at ``progress``."""
        return self.start + (self.end - self.start) * min(progress / self.until, 1.0)


@part("cosine")
class Cosine(Schedule):
    """From ``start`` to ``end`` along half a cosine over the whole of training.

    Examples
    --------
    >>> round(Cosine(1, 0)(0.5), 6)
    0.5
    """

    start: float = param(1.0, "value at the beginning")
    end: float = param(0.0, "value at the end")

    def __call__(self, progress: float) -> float:
        """Return the value at ``progress``."""
        return self.end + (self.start - self.end) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


def at(value: float | Callable[[float], float], progress: float) -> float:
    """Return a number as it is and a schedule at ``progress``.

    Examples
    --------
    >>> at(2.0, 0.5), at(Ramp(0, 4, until=1), 0.5)
    (2.0, 2.0)
    """
    return value(progress) if callable(value) else value


def number_or_schedule(value: float | str | Schedule) -> float | Schedule:
    """Return a number of any type as a float, and a schedule from itself or from its text.

    Examples
    --------
    >>> number_or_schedule(4), number_or_schedule("ramp:0,1,0.2")
    (4.0, Ramp(start=0.0, end=1.0, until=0.2))
    """
    setting: float | Schedule = float(value) if isinstance(value, Real) else as_part("schedule", value)
    return setting
