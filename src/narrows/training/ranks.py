"""Several processes that train together: joined under ``torchrun``, or started here; Lightning Fabric connects them."""

import atexit
import contextlib
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import distributed
from torch.multiprocessing.spawn import ProcessException

from narrows.errors import InputError, Sentence, Setting

__all__ = ["assigned", "first", "join", "launched", "rank", "spawn", "threads", "world"]

_T = TypeVar("_T")
_ALONE = {"RANK": "0", "WORLD_SIZE": "1"}  # what a process without others is told
_WORK, _ANSWER, _REFUSAL = "work.pt", "answer.pt", "refusal.pt"


def together() -> bool:
    """Return whether this process has joined others."""
    return distributed.is_available() and bool(distributed.is_initialized())


def world() -> int:
    """Return the number of processes that train together."""
    return distributed.get_world_size() if together() else 1


def rank() -> int:
    """Return the place of this process among them."""
    return distributed.get_rank() if together() else 0


def launched() -> bool:
    """Return whether ``torchrun`` started this process."""
    return distributed.is_available() and distributed.is_torchelastic_launched()


def assigned() -> int:
    """Return the rank that ``torchrun`` gave this process, which need not have joined yet; 0 without it.

    What another launcher, or a program before, has left in the environment raises ``InputError``: who takes this
    process for one of many would wait for a model that nobody writes.
    """
    if launched():
        return int(os.environ["RANK"])
    stray = {name: value for name, alone in _ALONE.items() if (value := os.environ.get(name, alone)) not in ("", alone)}
    if stray:
        came = " and ".join(f"{name}={value}" for name, value in stray.items())
        accepted = "torchrun for several processes, or an environment without them"
        hint = f"unset {' '.join(_ALONE)}"
        raise InputError(f"{came} came in the environment, but not from torchrun", accepted, hint)
    return 0


def threads(devices: int) -> int:
    """Return the processor threads of each process: this machine's cores shared out among its processes."""
    if launched():  # torchrun sets one thread, whatever the machine
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return max(1, cores // int(os.environ["LOCAL_WORLD_SIZE"]))
    return max(1, torch.get_num_threads() // devices)


def join(accelerator: str) -> None:
    """Join the other processes under ``torchrun``, once; they part when Python ends."""
    if together() or not launched() or int(os.environ["WORLD_SIZE"]) == 1:
        return
    devices, nodes = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ.get("GROUP_WORLD_SIZE", 1))
    with _quiet():
        _fabric(accelerator, devices, nodes, "ddp").launch()
    atexit.register(_part)


def first(function: Callable[[], _T]) -> _T:
    """Call ``function`` on the first rank only; every rank returns its answer, or raises its ``InputError``."""
    reply: list[Any] = [None, None]
    if rank() == 0:
        try:
            reply[0] = function()
        except InputError as error:
            reply[1] = error
    distributed.broadcast_object_list(reply, 0)
    if reply[1] is not None:
        raise reply[1]
    answer: _T = reply[0]
    return answer


def spawn(
    accelerator: str, devices: int, function: Callable[..., tuple[Any, ...]], args: tuple[Any, ...]
) -> tuple[Any, ...]:
    """Call ``function(*args)`` in new processes and return what the first of them answers.

    Work and answer go through files: mapped into memory, the data is there once for all processes, and an answer of any
    size can wait for its reader.

    Raises ``InputError`` where the work cannot be sent to other processes, or where the first of them raises one.
    """
    with tempfile.TemporaryDirectory(prefix="narrows-") as name, _environment(), _quiet():
        folder = Path(name)
        try:
            torch.save((function, args), folder / _WORK)
        except Exception as error:
            came = Sentence("With ", Setting("devices", devices), f" this cannot be sent to other processes: {error}")
            raise InputError(
                came, "networks, corruptions, ... defined at the top of a module", Setting("devices", 1)
            ) from error
        try:
            _fabric(accelerator, devices, 1, "ddp_spawn").launch(_Child(), folder)
        except ProcessException:
            if (folder / _REFUSAL).exists():
                raise InputError(*torch.load(folder / _REFUSAL, weights_only=False)) from None
            raise
        answer: tuple[Any, ...] = torch.load(folder / _ANSWER, weights_only=True)
    return answer


class _Child:
    """Does the work of one new process."""

    def __call__(self, _: Any, folder: Path) -> None:
        """Read the work, do it, and write the answer or why there is none."""
        function, args = torch.load(folder / _WORK, weights_only=False, mmap=True)
        try:
            answer = tuple(function(*args))
            if rank() == 0:
                torch.save(answer, folder / _ANSWER)
        except InputError as error:
            torch.save((error.came, error.accepted, error.hint), folder / _REFUSAL)
            raise
        finally:
            _part()

    def __reduce__(self) -> tuple[Any, ...]:
        """Arrive in the new process by a call that keeps Fabric's banner off the terminal."""
        return _arrived, ()


def _arrived() -> _Child:
    _fabric_log().setLevel(logging.WARNING)
    return _Child()


def _fabric_log() -> logging.Logger:
    import lightning_fabric  # noqa: F401 - it sets its level when it is imported

    return logging.getLogger("lightning_fabric")


def _part() -> None:
    if together():
        distributed.destroy_process_group()


def _fabric(accelerator: str, devices: int, nodes: int, strategy: str) -> Any:
    from lightning_fabric import Fabric

    return Fabric(accelerator=accelerator, devices=devices, num_nodes=nodes, strategy=strategy)


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """Forget what a launcher leaves in the environment, so that the next one finds a port of its own."""
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Fabric's banner off the terminal."""
    log = _fabric_log()
    level = log.level
    log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        log.setLevel(level)
