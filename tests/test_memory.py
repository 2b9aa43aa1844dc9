"""Memory that is kept between steps."""

import resource
import sys
import threading

import pytest
import torch

from narrows import memory
from narrows.memory import kept_memory


def faults(size: int = 12_000_000, times: int = 5) -> int:
    """Return how many pages are mapped by so many tensors of 48 MB, one after the other."""
    torch.ones(size)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        torch.ones(size)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(not (sys.platform == "linux" and memory._library()), reason="another C library than glibc")
def test_big_tensors_use_the_memory_of_the_last_ones_inside_and_only_there():
    pages = 12_000_000 * 4 // resource.getpagesize()
    assert faults() > 4 * pages
    with kept_memory():
        assert faults() < pages / 10
    assert faults() > 4 * pages


def test_the_last_one_out_puts_things_back(monkeypatch):
    calls = []
    monkeypatch.setattr(memory, "_call", lambda *call: calls.append(call))
    with kept_memory(), kept_memory():
        assert len(calls) == 2
    assert len(calls) == 5
    assert calls[-1] == ("malloc_trim", 0)


def test_threads_may_come_and_go(monkeypatch):
    monkeypatch.setattr(memory, "_call", lambda *call: None)

    def often() -> None:
        for _ in range(200):
            with kept_memory():
                pass

    threads = [threading.Thread(target=often) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert memory._inside == 0


def test_errors_leave_nothing_behind():
    with pytest.raises(RuntimeError), kept_memory():
        raise RuntimeError
    assert memory._inside == 0
