"""When work on a time budget must be over, whatever it consists of."""

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

__all__ = ["part_of_time", "seconds_left", "within"]

_end: ContextVar[float] = ContextVar("end", default=math.inf)  # on the clock of time.monotonic


def seconds_left() -> float:
    """Return the seconds until the work must be over; infinity where nothing limits it.

    Examples
    --------
    >>> seconds_left()
    inf
    """
    return max(0.0, _end.get() - time.monotonic())


@contextmanager
def within(minutes: float | None) -> Iterator[None]:
    """Limit the work of a block to some minutes from now, and to what an outer block leaves; none: no limit of its own.

    Examples
    --------
    >>> with within(2), within(1):
    ...     59 < seconds_left() <= 60
    True
    """
    token = _end.set(min(_end.get(), math.inf if minutes is None else time.monotonic() + 60 * minutes))
    try:
        yield
    finally:
        _end.reset(token)


def part_of_time(share: float) -> AbstractContextManager[None]:
    """Limit the work of a block to a share of the time that is left.

    Examples
    --------
    >>> with within(1), part_of_time(0.5):
    ...     29 < seconds_left() <= 30
    True
    """
    return within(share * seconds_left() / 60)
