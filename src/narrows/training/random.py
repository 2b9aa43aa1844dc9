"""Random numbers that follow from a seed and leave everybody else's alone."""

import contextlib
from collections.abc import Iterator
from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state

from narrows.errors import InputError, Sentence, Setting

__all__ = ["derive_seed", "draw_seed", "fork_rng", "seed_of"]

_MASK = 0xFFFFFFFFFFFFFFFF


def draw_seed(random_state: "int | np.random.RandomState | None") -> int:
    """Return a seed: from ``random_state``, or a fresh one that touches no global state.

    Raises ``InputError`` for a number that is below 0 or has more than 32 bits.

    Examples
    --------
    >>> draw_seed(0) == draw_seed(0), draw_seed(None) == draw_seed(None)
    (True, False)
    """
    if isinstance(random_state, Integral) and not 0 <= random_state < 2**32:
        came = Sentence(Setting("random_state", int(random_state)), " came")
        raise InputError(came, "a whole number from 0 to 4294967295", Setting("random_state", 0))
    if random_state is None:
        return int(np.random.default_rng().integers(2**31 - 1))
    return int(check_random_state(random_state).randint(2**31 - 1))


def seed_of(random_state: Any) -> int:
    """Return the seed that a person wrote, or 0: for what must be the same in every run without one.

    Examples
    --------
    >>> seed_of(np.int64(3)), seed_of(None)
    (3, 0)
    """
    return int(random_state) if isinstance(random_state, Integral) else 0


def derive_seed(seed: int, *numbers: int) -> int:
    """Return a seed that depends on all the numbers (splitmix64), so that no random state needs to be stored."""
    state = seed & _MASK
    for number in numbers:
        state = (state + 0x9E3779B97F4A7C15 * (number + 1)) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state & 0x7FFFFFFFFFFFFFFF


@contextlib.contextmanager
def fork_rng(seed: int, where: torch.device | None = None) -> Iterator[None]:
    """Make random numbers on the processor and on ``where`` depend on ``seed`` inside; outside nothing changes.

    Examples
    --------
    >>> before = torch.get_rng_state()
    >>> with fork_rng(0):
    ...     a = torch.rand(3)
    >>> bool((torch.get_rng_state() == before).all())
    True
    """
    generators = [torch.default_generator]
    if where is not None and where.type == "cuda":
        torch.cuda.init()  # type: ignore[no-untyped-call]
        generators.append(
            torch.cuda.default_generators[torch.cuda.current_device() if where.index is None else where.index]
        )
    elif where is not None and where.type == "mps":
        generators.append(torch.mps._get_default_mps_generator())
    before = [generator.get_state() for generator in generators]
    for generator in generators:
        generator.manual_seed(seed)
    try:
        yield
    finally:
        for generator, state in zip(generators, before, strict=True):
            generator.set_state(state)
