"""One writer in a folder at a time, told apart by a lock that no kill leaves behind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from narrows.errors import InputError
from narrows.lock import LOCK, locked

HOLDS = """
import sys, time
from pathlib import Path
from narrows.lock import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(100)
"""


def holder(folder: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen([sys.executable, "-c", HOLDS, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    return process


def test_a_second_process_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        with pytest.raises(InputError, match=f"written to by process {process.pid} on .* since 20"), locked(tmp_path):
            pass
        process.kill()
    assert (tmp_path / LOCK).exists()
    with locked(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_process_may_lock_again_what_it_has_locked(tmp_path: Path) -> None:
    with locked(tmp_path):
        with locked(tmp_path / "." / "x" / ".."):
            pass
        assert f'"process": {os.getpid()}' in (tmp_path / LOCK).read_text()
    assert not (tmp_path / LOCK).exists()


def test_a_folder_that_was_made_for_the_lock_goes_with_it(tmp_path: Path) -> None:
    for kept in (True, False):
        with locked(tmp_path / "a" / "b"):
            if kept:
                (tmp_path / "a" / "b" / "file").touch()
        assert (tmp_path / "a" / "b").exists() is kept
        (tmp_path / "a" / "b" / "file").unlink(missing_ok=True)
        if kept:
            (tmp_path / "a" / "b").rmdir()


def test_a_lock_that_is_removed_while_another_waits_to_take_it_is_taken_anew(tmp_path: Path) -> None:
    """Several processes come and go; never are two inside."""
    script = """
import os, sys, time
from pathlib import Path
from narrows.errors import InputError
from narrows.lock import locked
folder, entered = Path(sys.argv[1]), 0
end = time.monotonic() + 1.0
while time.monotonic() < end:
    try:
        with locked(folder):
            os.close(os.open(folder / "inside", os.O_CREAT | os.O_EXCL))  # fails where another is in here
            os.unlink(folder / "inside")
            entered += 1
    except InputError:
        pass
print(entered)
"""
    call = [sys.executable, "-c", script, str(tmp_path)]
    several = [subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate(timeout=60) for process in several]
    assert [error for _, error in said] == ["", "", ""]
    assert all(int(entered) > 0 for entered, _ in said)
    assert list(tmp_path.iterdir()) == []
