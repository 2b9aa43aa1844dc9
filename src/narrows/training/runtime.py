"""Where the arithmetic runs: device, precision, threads, compilation, ranks. Stands on Lightning Fabric for several ranks."""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from narrows.errors import InputError

__all__ = ["Runtime", "mixed", "seeded"]

_T = TypeVar("_T")
_SMALL = 2e8  # multiply-adds a step under which a second thread costs more than it brings


def mixed(seed: int, *numbers: int) -> int:
    """Return a seed that depends on all the numbers (splitmix64), so that no random state needs to be stored."""
    state = seed & 0xFFFFFFFFFFFFFFFF
    for number in numbers:
        state = (state + 0x9E3779B97F4A7C15 * (number + 1)) & 0xFFFFFFFFFFFFFFFF
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 31
    return state & 0x7FFFFFFFFFFFFFFF


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Make random numbers depend on ``seed`` inside, and leave the global state untouched outside."""
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() and torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield


@dataclass(frozen=True)
class Runtime:
    """One process by default; several with ``devices``, or under ``torchrun``, where each rank takes its share of a batch.

    Examples
    --------
    >>> Runtime(device="cpu").where
    device(type='cpu')
    """

    device: str = "auto"
    devices: int = 1
    precision: str = "auto"
    threads: int | None = None
    compile: bool = False

    @property
    def where(self) -> torch.device:
        """The device of this rank."""
        local = int(os.environ.get("LOCAL_RANK", 0))
        if self.device == "auto":
            if torch.cuda.is_available():
                return torch.device("cuda", local if self.world > 1 else torch.cuda.current_device())
            return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
        try:
            where = torch.device(self.device)
        except RuntimeError:
            raise InputError(f"There is no device {self.device!r}", "auto, cpu, cuda, cuda:1, mps") from None
        if where.type == "cuda" and not torch.cuda.is_available():
            raise InputError(f"device={self.device!r}, but this machine has no usable GPU", "cpu or auto", "--device auto")
        return torch.device("cuda", local) if where.type == "cuda" and where.index is None else where

    @property
    def world(self) -> int:
        """The number of processes that train together."""
        return torch.distributed.get_world_size() if _together() else 1

    @property
    def rank(self) -> int:
        """This process's place among them."""
        return torch.distributed.get_rank() if _together() else 0

    def resolve(self, work: float) -> "Runtime":
        """Return the same with threads and precision chosen by a fixed rule from the multiply-adds of one step."""
        threads = self.threads or (1 if work < _SMALL else torch.get_num_threads())
        precision = self.precision
        if precision == "auto":
            precision = "bfloat16" if _bf16_pays(self.where, work) else "float32"
        return Runtime(self.device, self.devices, precision, threads, self.compile)

    @contextlib.contextmanager
    def limits(self) -> Iterator[None]:
        """Use the chosen number of threads inside."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads or before)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which the forward pass runs."""
        if self.precision != "bfloat16":
            return contextlib.nullcontext()
        return torch.autocast(self.where.type, torch.bfloat16)

    def wrap(self, model: nn.Module) -> nn.Module:
        """Return the model ready to train: on its device, compiled if asked, data-parallel over several ranks."""
        net: nn.Module = model.to(self.where)
        if self.compile:
            net = torch.compile(net)  # type: ignore[assignment]
        if self.world > 1:
            net = nn.parallel.DistributedDataParallel(net)
        return net

    def total(self, values: Tensor) -> Tensor:
        """Return the sum over the ranks, so that every rank takes the same decisions."""
        if self.world > 1:
            torch.distributed.all_reduce(values)
        return values

    def share(self, rows: Tensor) -> Tensor:
        """Return this rank's part of a global batch: every world-th row; never empty."""
        if self.world == 1:
            return rows
        mine = rows[self.rank :: self.world]
        return mine if len(mine) else rows[:1]

    def launch(self, function: Callable[..., _T], *args: Any) -> _T:
        """Call ``function(*args)`` here, or in ``devices`` processes of which the first one's answer returns."""
        under_torchrun = "TORCHELASTIC_RUN_ID" in os.environ
        if self.devices == 1 and not under_torchrun:
            return function(*args)
        if _together():
            return function(*args)
        fabric = _fabric(self, under_torchrun)
        answer: _T = fabric.launch(_Task(function), *args)
        return answer


class _Task:
    """Calls a function without the Fabric object that launched it."""

    def __init__(self, function: Callable[..., Any]):
        self.function = function

    def __call__(self, fabric: Any, *args: Any) -> Any:
        return self.function(*args)


def _together() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def _fabric(runtime: Runtime, under_torchrun: bool) -> Any:
    from lightning_fabric import Fabric

    where = runtime.where.type
    devices = int(os.environ["LOCAL_WORLD_SIZE"]) if under_torchrun else runtime.devices
    nodes = int(os.environ.get("GROUP_WORLD_SIZE", 1)) if under_torchrun else 1
    strategy = "ddp" if under_torchrun else "ddp_spawn"
    fabric = Fabric(accelerator=where, devices=devices, num_nodes=nodes, strategy=strategy)
    if under_torchrun:
        fabric.launch()
    return fabric


def _bf16_pays(where: torch.device, work: float) -> bool:
    if where.type == "cuda":
        return torch.cuda.is_bf16_supported() and work > 1e9
    fast: Callable[[], bool] = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return where.type == "cpu" and work > 1e9 and fast()
