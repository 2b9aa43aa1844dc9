import errno
import os
import stat
import subprocess
import sys

import pytest

from narrows.errors import ArtefactError, InputError
from narrows.files import sweep, whole, write_text


def test_a_file_is_written_and_nothing_else_is_left(tmp_path):
    write_text(tmp_path / "new" / "a.txt", "naïve")
    assert (tmp_path / "new" / "a.txt").read_text(encoding="utf-8") == "naïve"
    assert os.listdir(tmp_path / "new") == ["a.txt"]


@pytest.mark.parametrize("error", [RuntimeError("stop"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file(tmp_path, error):
    write_text(tmp_path / "a.txt", "old")

    def fail():
        with whole(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert (tmp_path / "a.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_the_suffix_is_kept_for_writers_that_look_at_it(tmp_path):
    with whole(tmp_path / "codes.npy") as temporary:
        assert temporary.suffix == ".npy"
        assert temporary.parent == tmp_path
        temporary.write_bytes(b"x")
    assert os.listdir(tmp_path) == ["codes.npy"]


def test_a_full_disk_is_said_in_one_message(tmp_path):
    with pytest.raises(InputError, match="could not be written"), whole(tmp_path / "a.txt"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_a_file_is_said(tmp_path):
    (tmp_path / "taken").write_text("x")
    with pytest.raises(InputError, match="cannot be written to"), whole(tmp_path / "taken" / "a.txt"):
        pass


def test_files_get_the_users_own_permissions(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (("It is empty",), "It is empty."),
        (("It is empty.", "a table"), "It is empty. Accepted: a table."),
        (("It is empty", "", "another"), "It is empty. Try: another."),
    ],
)
def test_messages(given, text):
    assert str(InputError(*given)) == text
    error = ArtefactError(*given)
    assert isinstance(error, InputError)
    assert isinstance(error, ValueError)
    assert error.came == given[0]


LIMITED = """
import resource, sys
from pathlib import Path
import numpy as np
from narrows.files import write_array
from narrows.data.disk.writers import Writers
from narrows.errors import InputError
from narrows.files import whole

folder = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    if sys.argv[2] == "memory":
        with Writers(folder, rows=1000) as sinks:
            sinks.array("rows", np.ones((10, 8)), 0)
    elif sys.argv[2] == "numpy":
        write_array(np.ones(1000), folder / "rows.npy")
    else:
        with whole(folder / "rows.txt") as draft:
            draft.write_text("x" * 9000)
except InputError as error:
    print(error)
"""


@pytest.mark.parametrize("kind", ["memory", "numpy", "text"])
def test_what_the_system_does_not_let_grow_is_refused_and_leaves_nothing(tmp_path, kind):
    words = [sys.executable, "-c", LIMITED, str(tmp_path), kind]
    done = subprocess.run(words, capture_output=True, text=True, timeout=140, check=False)
    assert done.returncode == 0, done.stderr
    assert "rows" in done.stdout
    assert "could not be written" in done.stdout
    assert os.listdir(tmp_path) == []


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path):
    script = "import sys; from narrows.files import whole; from os import _exit\nwith whole(sys.argv[1]): _exit(0)"
    for name in ("a.npy", "resume.pt", "plain"):
        subprocess.run([sys.executable, "-c", script, str(tmp_path / name)], check=True)
    mine = [".a.csv", ".a.0123abcd.csv", "a.partial"]
    for name in mine:
        (tmp_path / name).touch()
    assert len(os.listdir(tmp_path)) == 6
    sweep(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted(mine)
    sweep(tmp_path / "none")
