"""Odd command lines: one message, exit code 0, 1 or 2, no traceback, nothing allocated for absurd sizes."""

import os
import subprocess
import sys
from pathlib import Path

import corpus_commands
import pytest
from corpus_artefacts import fitted, small_data

from narrows.cli import main

REFUSED = {
    "--threads 1000000": "--threads must be at most 1024",
    "--devices 1000000": "--devices must be at most 1024",
    "--devices 999": "this machine has room for",
    "--random-state -1": "--random-state must be at least 0",
    "--random-state 99999999999": "--random-state must be at most 4294967295",
    "--latent-dim 1000000000": "GB of memory",
    "--latent-dim 1000000000 --family vae": "GB of memory",
    "--latent-dim 1000000000 --family linear": "GB of memory",
    "--latent-dim 99999999999999999999": "--latent-dim must be at most 4294967295",
    "--network dense:1000000000": "GB of memory",
    "--epochs 1000000000": "--epochs must be at most 1000000",
    "--image-size 8x8": "only images of a folder are brought to a size",
    "--image-shape 1,8,8": "do not fit",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("commands")
    small_data(home)
    fitted(home, ("generate",))
    corpus_commands.odd_places(home)
    return home


@pytest.mark.parametrize("flags", REFUSED)
def test_absurd_flags_are_refused(
    flags: str, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(home)
    assert main(["fit", "reduce", "t.csv", "-o", "out", *flags.split()]) == 2
    err = capsys.readouterr().err.splitlines()[-1]
    assert REFUSED[flags] in err
    assert not (home / "out").exists()


OF_NO_USE = {
    "anomaly p --time when": "no column",
    "anomaly t.csv --window 8": "--window came for t.csv: it is not read that way",
    "anomaly t.csv --patch 8": "--patch came for t.csv: it is not read that way",
    "anomaly p --image-shape 1,8,8": "--image-shape came for p: patches have their own shape",
    "denoise p m --noise gaussian:0.1": "--noise came for p: noisy pictures came, which have theirs",
    "sparse a.npy --tensor x": "--tensor came for a.npy",
    "recommend r.csv --implicit --rating rating": "--rating came for r.csv: with --implicit every line counts",
    "segment p m --held-out 0.3 --valid p,m": "--held-out came for p: --valid holds out",
    "reduce t.csv --family contractive --std 0.3": "--std came for t.csv: only --method noise perturbs",
    "generate t.csv --prior own --parts 3": "--parts came for t.csv: --prior own has no mixture",
    "classify l.csv --label y --no-pretrain": "--epochs came for l.csv: without pretraining only the labels",
    "reduce p --label y": "--label y came for 'p', which is no table",
    "anomaly s.csv --time when --window 1": "--window must be at least 2",
}


@pytest.mark.parametrize("words", OF_NO_USE)
def test_flags_of_no_use_are_refused(
    words: str, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(home)
    assert main(["fit", *words.split(), "-o", "out", "--epochs", "1"]) == 2
    assert OF_NO_USE[words] in capsys.readouterr().err or words.startswith("anomaly p --time")


@pytest.mark.parametrize("flags", ["--lr 0.1", "--patience 3 --validation 0.2", "--epochs 0 --clip 1"])
def test_flags_of_training_are_refused_where_nothing_is_trained(
    flags: str, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(home)
    assert main(["fit", "reduce", "t.csv", "--family", "linear", "-o", "out", *flags.split()]) == 2
    assert "came for t.csv: linear with --epochs 0 is not trained. Try: leave it out." in capsys.readouterr().err
    assert not (home / "out").exists()


@pytest.mark.parametrize("flags", ["-n 1000000000000", "-n 0", "-n -3", "--random-state -1"])
def test_absurd_numbers_of_new_rows_are_refused(
    flags: str, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(home)
    assert main(["apply", "generate", "-o", "new", *flags.split()]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_drawn_calls_end_in_one_line(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(home)
    codes = set()
    for words, _ in list(corpus_commands.drawn(60, seed=3)):
        if words[:1] != ["fit"] and "recipe" not in words:  # fits take longer; `make fuzz` tries them
            codes.add(code := main(words))
            err = capsys.readouterr().err
            assert code in (0, 1, 2), (words, err)
            assert not [word for word in ("please report it", "Traceback") if word in err], (words, err)
    assert codes >= {2}


def call(shell: str, home: Path, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    command = f"{sys.executable} -m narrows"
    return subprocess.run(
        ["bash", "-c", shell.replace("narrows", command)],
        capture_output=True,
        cwd=home,
        env={**os.environ, **environment},
        timeout=60,
        check=False,
    )


def test_streams_of_every_kind(home: Path) -> None:
    closed = call("narrows data >&-", home)
    assert (closed.returncode, closed.stderr.count(b"\n")) == (2, 1)
    assert b"Standard output is closed" in closed.stderr
    assert call("narrows data 2>&-", home).returncode == 0
    gone = call("set -o pipefail; narrows fit --help | true; exit ${PIPESTATUS[0]}", home)
    assert gone.returncode in (0, 1)
    assert b"Exception" not in gone.stderr
    full = call("narrows data > /dev/full", home)
    assert full.returncode == 2
    assert full.stderr.count(b"\n") == 1
    ascii_only = call("narrows check é.csv", home, PYTHONIOENCODING="ascii")
    assert ascii_only.returncode == 0, ascii_only.stderr
    assert ascii_only.stdout.isascii()
    odd = call("narrows check $'b\\xff.csv'", home, LC_ALL="C", PYTHONUTF8="0")
    assert (odd.returncode, odd.stderr.count(b"\n")) == (2, 1)
    assert b"not UTF-8" in odd.stderr
