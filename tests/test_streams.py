"""Output whose reader goes, or whose disk is full: the command goes on, and its files are all there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from narrows.cli import main
from narrows.cli.streams import Lasting


def test_a_reader_that_goes_stops_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", encoding="utf-8") as stream:
        lasting = Lasting(stream)
        assert lasting.write("a\n") == 2
        lasting.flush()
        lasting.write("b\n")
        lasting.flush()
        assert lasting.lost == ""
        assert lasting.fileno() == stream.fileno()


def test_a_full_disk_is_remembered() -> None:
    with open("/dev/full", "w", encoding="utf-8") as stream:
        lasting = Lasting(stream)
        lasting.write("a\n")
        lasting.flush()
        assert lasting.lost == "No space left on device"
        lasting.write("b\n")  # goes nowhere
        lasting.flush()


def test_names_from_files_steer_no_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("\x1b[2Jt.csv").write_text("a,\x1b[31mred,b\n" + "".join(f"{i},,{i * i % 17}\n" for i in range(40)), "utf-8")
    assert main(["check", "\x1b[2Jt.csv"]) == 0
    assert main(["apply", "\x1b[2J", "t.csv", "-o", "\u202eout"]) == 2
    assert main(["fit", "reduce", "\x1b[2Jt.csv", "--window", "3", "-o", "run"]) == 2
    said = "".join(capsys.readouterr())
    assert "\\x1b[31mred" in said
    assert "\\x1b[2Jt.csv: 40 rows" in said
    assert not {"\x1b", "\u202e"} & set(said)


def shell(command: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    narrows = f"{sys.executable} -m narrows"
    return subprocess.run(
        ["bash", "-c", command.replace("narrows", narrows, 1)],
        capture_output=True,
        cwd=folder,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_fit_goes_on_when_nobody_reads_it(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c\n" + "".join(f"{i},{i * i % 17},{i * 7 % 5}\n" for i in range(40)))
    words = "narrows fit reduce t.csv --latent-dim 1 --epochs 1 -o run"
    gone = shell(f"{words} 2>&1 | true; echo ${{PIPESTATUS[0]}}", tmp_path)
    assert gone.stdout == "0\n"
    assert {"model.json", "report.html"} <= {path.name for path in (tmp_path / "run").iterdir()}
    assert not (tmp_path / "run" / "resume.pt").exists()


def test_what_could_not_be_written_is_said_at_the_end(tmp_path: Path) -> None:
    full = shell("narrows data > /dev/full", tmp_path)
    assert (full.returncode, full.stderr) == (
        2,
        "narrows: Standard output could not be written (No space left on device).\n",
    )


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    gone = shell(f"mkdir x && cd x && rmdir ../x && narrows check {tmp_path / 't.csv'}", tmp_path)
    assert gone.returncode == 2
    assert gone.stderr.splitlines()[-1].startswith("narrows: The folder that this was started in is gone.")


def test_an_error_that_nobody_reads_keeps_its_exit_code(tmp_path: Path) -> None:
    assert shell("narrows check none.csv 2>&1 | true; exit ${PIPESTATUS[0]}", tmp_path).returncode == 2
