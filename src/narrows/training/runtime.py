"""Where the arithmetic runs: device, precision, threads, compilation, ranks (through Lightning Fabric)."""

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from narrows.errors import InputError, Sentence, Setting
from narrows.training import ranks
from narrows.training.malloc import kept_memory

__all__ = ["Runtime"]

_T = TypeVar("_T")
PART = 1024  # steps of a part of an epoch at most
_PROCESSES = 8  # that a machine of fewer cores may train with
_MIN_THREADED_WORK = 2e8  # multiply-adds a step under which a second thread costs more than it brings
_UNITS = ("amx_tile", "avx512_bf16")  # of a processor, that multiply bfloat16
_MIN_STEPS = 16  # steps of a part, where that many take more than ...
_MINUTE_WORK = 2.5e12  # multiply-adds, about a minute of a processor
_MIN_BFLOAT16_WORK = 1e9  # multiply-adds a step from which bfloat16 is faster wherever the processor multiplies it


@dataclass(frozen=True)
class Runtime:
    """One process by default; several with ``devices`` or under ``torchrun``, each with its share of every batch.

    Training can go on exactly between two parts of an epoch, of ``part`` steps each.

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
    part: int = field(default_factory=lambda: PART)

    @property
    def where(self) -> torch.device:
        """The device of this rank. Raises ``InputError`` where this machine has no such device."""
        local = int(os.environ.get("LOCAL_RANK", 0)) if self.world > 1 else None
        if self.device == "auto":
            if torch.cuda.is_available():
                return torch.device("cuda", torch.cuda.current_device() if local is None else local)
            return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
        try:
            where = torch.device(self.device)
        except RuntimeError:
            raise InputError(f"There is no device {self.device!r}", "auto, cpu, cuda, cuda:1, mps") from None
        if where.type == "cuda":
            gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
            if (where.index or 0) >= gpus:
                raise InputError(
                    Sentence(Setting("device", self.device), f", but this machine has {gpus} usable GPUs"),
                    "cpu or auto",
                    Setting("device", "auto"),
                )
            return torch.device("cuda", local or 0) if where.index is None else where
        if where.type == "mps" and not torch.backends.mps.is_available():
            came = Sentence(Setting("device", "mps"), ", but this machine has none")
            raise InputError(came, "cpu or auto", Setting("device", "auto"))
        return where

    @property
    def world(self) -> int:
        """The number of processes that train together."""
        return ranks.world()

    @property
    def rank(self) -> int:
        """The place of this process among them."""
        return ranks.rank()

    @property
    def processes(self) -> int:
        """How many processes a fit that starts here has."""
        return self.world if self.world > 1 or ranks.launched() else self.devices

    def join(self) -> None:
        """Join the other processes that ``torchrun`` started; nothing otherwise."""
        ranks.join(self.where.type)

    def resolve(self, work: float) -> "Runtime":
        """Return the same with threads, precision and parts by a fixed rule from the multiply-adds of one step."""
        threads = self.threads or (1 if work < _MIN_THREADED_WORK else ranks.threads(self.devices))
        precision = self.precision
        if precision == "auto":
            precision = "bfloat16" if _bf16_pays(self.where, work) else "float32"
        part = min(PART, max(_MIN_STEPS, int(_MINUTE_WORK / max(1.0, work)))) if self.where.type == "cpu" else PART
        return replace(self, precision=precision, threads=threads, part=part)

    @contextlib.contextmanager
    def limits(self) -> Any:
        """Use the chosen number of threads inside, keep memory, and round to zero what is too small to matter."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads or before)
        torch.set_flush_denormal(True)
        try:
            with kept_memory():
                yield
        finally:
            torch.set_flush_denormal(False)
            torch.set_num_threads(before)

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which the forward pass runs."""
        if self.precision != "bfloat16":
            return contextlib.nullcontext()
        return torch.autocast(self.where.type, torch.bfloat16)

    def wrap(self, model: nn.Module, unused: bool = False) -> nn.Module:
        """Return the model ready to train: on its device, compiled if asked, data-parallel over several ranks.

        Filters lie in memory channels last, which convolutions run 1.1 to 1.4 times faster on with AVX-512.
        ``unused`` says that some weights have no gradient, which data-parallel training has to look for.
        """
        net: nn.Module = model.to(self.where)
        if any(weight.ndim == 4 for weight in net.parameters()):
            net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.compile:
            net = torch.compile(net)  # type: ignore[assignment]
        if self.world > 1:
            net = nn.parallel.DistributedDataParallel(net, find_unused_parameters=unused)
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

    def first(self, function: Callable[[], _T]) -> _T:
        """Call ``function`` on the first rank only; every rank returns its answer, or raises its ``InputError``."""
        return function() if self.world == 1 else ranks.first(function)

    def launch(self, function: Callable[..., tuple[Any, ...]], *args: Any) -> tuple[Any, ...]:
        """Call ``function(*args)`` here, or in ``devices`` new processes of which the first one's answer returns.

        An answer is a tuple of tensors, numbers, texts, and lists and dicts of them.

        Raises ``InputError`` for more ``devices`` than this machine has room for.
        """
        if self.processes == 1 or self.world > 1:
            return function(*args)
        most = torch.cuda.device_count() if self.where.type == "cuda" else max(_PROCESSES, os.cpu_count() or 1)
        if self.devices > most:
            came = Sentence(Setting("devices", self.devices), f" came, and this machine has room for {most} processes")
            raise InputError(came, f"1 to {most}", Setting("devices", 1))
        return ranks.spawn(self.where.type, self.devices, function, args)


def _bf16_pays(where: torch.device, work: float) -> bool:
    if work <= _MIN_BFLOAT16_WORK:
        return False
    if where.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    checks: list[Callable[[], bool] | None] = [getattr(torch.cpu, f"_is_{unit}_supported", None) for unit in _UNITS]
    return where.type == "cpu" and any(check is not None and check() for check in checks)
