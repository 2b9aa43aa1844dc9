import errno
import os
import stat

import pytest

from narrows.errors import ArtefactError, InputError
from narrows.files import whole, write_text


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
