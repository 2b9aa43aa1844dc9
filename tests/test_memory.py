"""Memory that is kept between steps."""

import resource
import subprocess
import sys
import threading

import pytest

from narrows.training import malloc
from narrows.training.malloc import kept_memory

MEASURE = """
import resource
import torch
from narrows.training.malloc import kept_memory

def pages():
    for _ in range(30):  # holes are found again once neighbours are free
        torch.ones(12_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(12_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

before = pages()
with kept_memory():
    inside = pages()
after = pages()
with open("/proc/self/status") as status:  # ru_maxrss would be that of the process before exec, if it was larger
    most = next(line.split()[1] for line in status if line.startswith("VmHWM"))
print(before, inside, after, most)
"""


@pytest.mark.skipif(not (sys.platform == "linux" and malloc._library()), reason="another C library than glibc")
def test_big_tensors_use_the_memory_of_earlier_ones_inside():
    said = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True).stdout
    before, inside, after, kilobytes = map(int, said.split())
    pages = 12_000_000 * 4 // resource.getpagesize()  # of one tensor, and ten are made
    assert before > 9 * pages
    assert inside < 3 * pages
    assert kilobytes < 1_500_000
    assert after <= before  # what is free may serve once more


def test_the_last_one_out_puts_things_back(monkeypatch):
    calls = []
    monkeypatch.setattr(malloc, "_call", lambda *call: calls.append(call))
    with kept_memory(), kept_memory():
        assert len(calls) == 2
    assert len(calls) == 5
    assert calls[-1] == ("malloc_trim", 0)


def test_threads_may_come_and_go(monkeypatch):
    monkeypatch.setattr(malloc, "_call", lambda *call: None)

    def often() -> None:
        for _ in range(200):
            with kept_memory():
                pass

    threads = [threading.Thread(target=often) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert malloc._inside == 0


def test_errors_leave_nothing_behind():
    with pytest.raises(RuntimeError), kept_memory():
        raise RuntimeError
    assert malloc._inside == 0
