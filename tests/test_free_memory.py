"""What is left of the memory to a process: the machine's, its control groups', and its own limit."""

import resource
from pathlib import Path

import pytest

from narrows.data.disk.memory import free_memory, group_free


def group(folder: Path, limit: str, used: int, pages: str, *, second: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names = ("memory.max", "memory.current") if second else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    for name, text in zip(names, (limit, str(used)), strict=True):
        (folder / name).write_text(f"{text}\n")
    (folder / "memory.stat").write_text(f"anon 5\n{pages}\n")


def test_groups_of_the_second_version(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("0::/batch/job7\n")
    group(tmp_path / "root/batch/job7", "max", 400, "inactive_file 10", second=True)
    group(tmp_path / "root/batch", "3000", 1000, "inactive_file 200", second=True)  # the root has none
    assert list(group_free(tmp_path / "own", tmp_path / "root")) == [2200]


def test_groups_of_the_first_version(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("5:cpu:/elsewhere\n4:memory:/docker/abc\n0::/\n")
    group(tmp_path / "root/memory", "900", 100, "total_inactive_file 50", second=False)  # seen from within
    assert list(group_free(tmp_path / "own", tmp_path / "root")) == [850]


@pytest.mark.parametrize("text", ["", "0::/a\n", "nothing\n", "0::/../../etc\n"])
def test_groups_that_say_nothing(text: str, tmp_path: Path) -> None:
    (tmp_path / "own").write_text(text)
    assert list(group_free(tmp_path / "own", tmp_path / "root")) == []
    assert list(group_free(tmp_path / "none", tmp_path / "root")) == []


def test_the_limit_of_the_process() -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    try:
        resource.setrlimit(resource.RLIMIT_AS, (size + 100_000_000, before[1]))
        assert 90_000_000 < free_memory() <= 100_000_000
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
