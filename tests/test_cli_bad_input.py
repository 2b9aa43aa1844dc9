"""A corpus of wrong calls and wrong data: exit code 2, one line on stderr, no traceback, nothing left behind."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from narrows.cli import main

Make = Callable[[Path], object]


def text(content: str | bytes, name: str = "t.csv") -> Make:
    return lambda folder: (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def array(rows: np.ndarray) -> Make:
    return lambda folder: np.save(folder / "x.npy", rows)


def images(**wrong: bytes) -> Make:
    def make(folder: Path) -> None:
        (folder / "pics").mkdir()
        for i in range(3):
            Image.fromarray(np.full((20, 20), 70 * i, np.uint8)).save(folder / "pics" / f"{i}.png")
        whole = (folder / "pics" / "2.png").read_bytes()
        for name, content in wrong.items():
            (folder / "pics" / f"{name}.png").write_bytes(content or whole[:50])

    return make


def folder_of_texts(folder: Path) -> None:
    (folder / "pics").mkdir()
    (folder / "pics" / "a.txt").write_text("x")


def full_folder(folder: Path) -> None:
    (folder / "run").mkdir()
    (folder / "run" / "mine.txt").write_text("x")


def labels(folder: Path) -> None:
    np.save(folder / "u.npy", np.random.default_rng(0).integers(0, 5, (20, 4)).astype(np.uint8))


def nothing(folder: Path) -> None:
    """Make nothing."""


REDUCE = "fit reduce t.csv -o run"
PICS = "fit reduce pics -o run"
DIGITS = "fit reduce digits -o run"
TABLE = text("x,y\n1,2\n3,5\n4,9\n2,2\n")

FITS: dict[str, tuple[Make, str, list[str]]] = {
    "empty file": (text(""), REDUCE, ["'t.csv' is empty (0 bytes)", "Accepted: a text table"]),
    "header only": (text("a,b\n"), REDUCE, ["a header and no rows"]),
    "binary junk": (text(bytes(range(256)) * 20), REDUCE, ["'t.csv' is binary"]),
    "one row": (text("a,b\n1,2\n"), REDUCE, ["has 1 row", "at least 2 rows"]),
    "duplicate names": (text("a,a\n1,2\n3,4\n"), REDUCE, ["columns of the same name: 'a'"]),
    "infinite": (text("a,b\n1,inf\n2,3\n4,5\n"), REDUCE, ["column 'b' holds infinite values", "row 0"]),
    "all constant": (text("a,b\n1,2\n1,2\n1,2\n"), REDUCE, ["no column to learn from"]),
    "ragged": (text("a,b\n1,2\n3\n"), REDUCE, ["line 3 has 1 value"]),
    "complex numbers": (array(np.ones((9, 3)) * 1j), "fit reduce x.npy -o run", ["'x.npy' is an array of complex"]),
    "complex stream": (array(np.ones((9, 3)) * 1j), "fit reduce x.npy -o run --stream", ["an array of complex"]),
    "one axis": (array(np.arange(9.0)), "fit reduce x.npy -o run", ["with 1 axes", "Try: x.reshape(-1, 1)"]),
    "unknown ending": (text("x", "t.docx"), "fit reduce t.docx -o run", ["a file of type '.docx'"]),
    "no such file": (TABLE, "fit reduce tt.csv -o run", ["no file, folder or named dataset 'tt.csv'", "Try: 't.csv'"]),
    "misspelt dataset": (nothing, "fit reduce digit -o run", ["'digit'", "Try: 'digits'"]),
    "truncated image": (images(bad=b""), PICS, ["1 of 4 images cannot be read: bad.png"]),
    "empty image": (images(bad=b"\n"), PICS, ["1 of 4 images cannot be read: bad.png"]),
    "no images": (folder_of_texts, PICS, ["'pics' holds no images, but 1 .txt"]),
    "unknown task": (nothing, "fit redduce digits -o run", ["no task 'redduce'", "Try: narrows fit reduce"]),
    "no task": (nothing, "fit", ["No task came", "denoise", "reduce"]),
    "unknown family": (nothing, f"{DIGITS} --family vaee", ["no family 'vaee'", "Try: --family vae"]),
    "unknown flag": (nothing, f"{DIGITS} --epoch 3", ["no flag --epoch here", "Try: --epochs"]),
    "flag with a line below": (nothing, f"{DIGITS} --latent_dim 3", ["no flag --latent_dim here. Try: --latent-dim"]),
    "flag with one dash": (nothing, f"{DIGITS} -epochs 3", ["no flag -epochs here. Try: --epochs"]),
    "capitals": (nothing, f"{DIGITS} --Beta 3", ["no flag --Beta here: it belongs to the family conditional-vae"]),
    "family in capitals": (nothing, f"{DIGITS} --family VAEE", ["no family 'VAEE'", "Try: --family vae"]),
    "task as a command": (nothing, "reduce digits -o run", ["no command 'reduce'", "Try: narrows fit reduce DATA"]),
    "colour of pictures": (nothing, f"{DIGITS} --colour x", ["--colour came for digits"]),
    "another task's flag": (nothing, f"{DIGITS} --noise mask:0.1", ["--noise", "belongs to the task denoise"]),
    "no data": (nothing, "fit reduce -o run", ["DATA is missing", "narrows fit reduce DATA -o RUN"]),
    "no output": (nothing, "fit reduce digits", ["-o is missing", "narrows fit reduce DATA -o RUN"]),
    "a word too many": (nothing, f"{DIGITS} more", ["'more' is one word too many"]),
    "flag without value": (nothing, f"{DIGITS} --epochs", ["--epochs: expected one argument"]),
    "no number": (nothing, f"{DIGITS} --epochs three", ["--epochs 'three' is not understood", "an integer, or none"]),
    "out of range": (nothing, f"{DIGITS} --epochs -1", ["--epochs must be at least 0", "-1"]),
    "zero": (nothing, f"{DIGITS} --latent-dim 0", ["--latent-dim must be at least 1"]),
    "no choice": (nothing, f"{DIGITS} --schedule cos", ["--schedule 'cos'", "'cosine' or 'linear'"]),
    "unknown network": (nothing, f"{DIGITS} --network dens:3", ["no network 'dens'", "Try: 'dense'"]),
    "unknown likelihood": (nothing, f"{DIGITS} --likelihood normal", ["no likelihood 'normal'", "gaussian"]),
    "unknown noise": (nothing, "fit denoise digits -o run --noise gauss", ["no corruption 'gauss'", "gaussian"]),
    "noise out of range": (nothing, "fit denoise digits -o run --noise mask:2", ["must be at most 1"]),
    "unknown device": (nothing, f"{DIGITS} --device foo", ["no device 'foo'", "auto, cpu"]),
    "wrong size": (nothing, f"{DIGITS} --image-size 0x3", ["--image-size '0x3'", "HEIGHTxWIDTH"]),
    "image shape of images": (nothing, f"{DIGITS} --image-shape 1,8,8", ["images of 1 x 8 x 8 already"]),
    "network that does not fit": (TABLE, f"{REDUCE} --network conv:8", ["The network 'conv' cannot read"]),
    "likelihood that does not fit": (TABLE, f"{REDUCE} --likelihood bernoulli", ["outside what bernoulli takes"]),
    "labels that are no rows": (labels, "fit reduce u.npy -o run --likelihood categorical:5", ["its mean is shares"]),
    "resume and overwrite": (nothing, f"{DIGITS} --resume --overwrite", ["--resume and --overwrite came together"]),
    "output is a file": (TABLE, "fit reduce digits -o t.csv", ["t.csv is a file", "Try: another -o"]),
    "output below a file": (TABLE, "fit reduce digits -o t.csv/run", ["t.csv is a file"]),
    "existing output": (full_folder, DIGITS, ["run exists and holds 1 file.", "new or empty"]),
    "somebody else's folder": (full_folder, f"{DIGITS} --overwrite", ["files that are not a run's (mine.txt, ...)"]),
    "unknown command": (nothing, "aply x y -o z", ["no command 'aply'", "Try: narrows apply"]),
    "flag before command": (nothing, "--foo", ["no flag --foo"]),
    "check of nothing": (nothing, "check t.csv", ["no file, folder or named dataset"]),
    "report of nothing": (nothing, "report run", ["run holds no model.json"]),
    "unknown dataset": (nothing, "data digit", ["no dataset 'digit'", "Try: narrows data digits"]),
}


def refused(words: list[str], fragments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    code = main(words)
    said = capsys.readouterr().err
    assert code == 2, said
    assert said.count("\n") == 1, said
    assert said.startswith("narrows: ")
    assert "Traceback" not in said
    for fragment in fragments:
        assert fragment in said


@pytest.mark.parametrize(("make", "words", "fragments"), FITS.values(), ids=list(FITS))
def test_a_wrong_call_is_refused(
    make: Make,
    words: str,
    fragments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    refused(words.split(), fragments, capsys)
    assert sorted(tmp_path.rglob("*")) == before, "something was left behind"


def test_a_folder_that_may_not_be_written_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    refused(["fit", "reduce", "digits", "-o", str(tmp_path / "run")], ["cannot be written to"], capsys)


def test_a_named_dataset_without_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import urllib.request

    from narrows.data import datasets

    def blocked(*_: object, **__: object) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr(urllib.request, "urlopen", blocked)
    monkeypatch.delenv("NARROWS_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets, "_folders", lambda data: [tmp_path / "cache"])
    words = ["fit", "reduce", "--no-figures", "mnist", "-o", str(tmp_path / "run")]
    refused(words, ["mnist", "NARROWS_DATA"], capsys)
    assert not (tmp_path / "run").exists()


def test_a_failure_that_nobody_foresaw_is_one_line_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from narrows.data import datasets

    monkeypatch.setattr(datasets, "table", lambda: 1 / 0)
    monkeypatch.delenv("NARROWS_DEBUG", raising=False)
    assert main(["data"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("narrows: The run failed: ZeroDivisionError")
    assert said.count("\n") == 1


def test_an_array_with_names_is_read_as_check_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = np.zeros(40, [("a", "f8"), ("b", "i4")])
    rows["a"], rows["b"] = np.arange(40) / 7, np.arange(40) ** 2 % 11
    np.save("x.npy", rows)
    assert main(["check", "x.npy"]) == 0
    assert main(["fit", "reduce", "x.npy", "-o", "run", "--family", "linear", "--latent-dim", "1", "--no-figures"]) == 0
    assert "Report: run" in capsys.readouterr().out
