"""Wrong artefacts, wrong rows and a full disk: exit code 2, one line on stderr, nothing half-written."""

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image
from test_cli_bad_input import full_folder, refused

from narrows.cli import main

ROWS = pl.DataFrame({"id": [f"r{i}" for i in range(30)], "x": np.arange(30) ** 1.5, "n": np.arange(30) % 7})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("fitted")
    ROWS.write_csv(home / "t.csv")
    assert main(f"fit reduce {home}/t.csv -o {home}/run --family linear --latent-dim 1 --no-figures".split()) == 0
    return home


def card(change: Callable[[dict[str, object]], None]) -> Callable[[Path], None]:
    """Change what model.json says."""

    def apply(run: Path) -> None:
        content = json.loads((run / "model.json").read_text(encoding="utf-8"))
        change(content)
        (run / "model.json").write_text(json.dumps(content), encoding="utf-8")

    return apply


def cut(name: str) -> Callable[[Path], None]:
    return lambda run: (run / name).write_bytes((run / name).read_bytes()[:-40])


ARTEFACTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "no model": (lambda run: (run / "model.json").unlink(), "holds no model.json"),
    "no weights": (lambda run: (run / "model.safetensors").unlink(), "holds no model.safetensors"),
    "truncated card": (cut("model.json"), "truncated"),
    "truncated weights": (cut("model.safetensors"), "truncated"),
    "tampered": (card(lambda c: c.update(task=None)), "altered"),
    "newer": (card(lambda c: c.update(version=99)), "newer than this Narrows"),
    "foreign": (lambda run: (run / "model.json").write_text("{}"), "not written by Narrows"),
}


@pytest.mark.parametrize(("harm", "fragment"), ARTEFACTS.values(), ids=list(ARTEFACTS))
def test_a_wrong_artefact_is_refused(
    harm: Callable[[Path], None], fragment: str, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(home / "run", run)
    harm(run)
    refused(["apply", str(run), str(home / "t.csv"), "-o", str(tmp_path / "out")], [fragment], capsys)
    assert not (tmp_path / "out").exists()


def test_a_model_saved_from_python_says_so(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import narrows as nw

    nw.LinearAutoEncoder(latent_dim=1).fit(np.eye(4)).save(tmp_path / "run")
    refused(
        ["apply", str(tmp_path / "run"), str(home / "t.csv"), "-o", str(tmp_path / "out")],
        ["saved from Python"],
        capsys,
    )


APPLIES: dict[str, tuple[str, str, list[str]]] = {
    "missing column": ("id,x\na,1\n", "", ["1 of the 2 columns of the fit is missing: 'n'"]),
    "text among numbers": ("id,x,n\na,1,2\nb,one,3\n", "", ["column 'x', row 1 holds 'one'", "a number, as at fit"]),
    "infinite": ("id,x,n\na,inf,2\n", "", ["infinite"]),
    "codes of the wrong width": ("id,z1,z2\na,1,2\n", "--decode", ["1 number per row"]),
    "codes that are text": ("id,z1\na,one\nb,two\n", "--decode", ["columns that are no numbers"]),
    "codes with a hole": ("id,z1\na,1\nb,\n", "--decode", ["missing or infinite"]),
}


@pytest.mark.parametrize(("content", "flags", "fragments"), APPLIES.values(), ids=list(APPLIES))
def test_wrong_rows_are_refused(
    content: str, flags: str, fragments: list[str], home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new.csv").write_text(content)
    words = ["apply", str(home / "run"), str(tmp_path / "new.csv"), "-o", str(tmp_path / "out"), *flags.split()]
    refused(words, fragments, capsys)
    assert not (tmp_path / "out").exists()


def test_images_for_a_table_are_refused(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["apply", str(home / "run"), "digits", "-o", str(tmp_path / "out")]
    refused(words, ["holds an array", "fitted on a table"], capsys)


def test_results_do_not_go_over_other_files(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    full_folder(tmp_path)
    for out, fragment in ((tmp_path / "run", "exists"), (home / "t.csv", "is a file"), (home / "run", "exists")):
        refused(["apply", str(home / "run"), str(home / "t.csv"), "-o", str(out)], [fragment], capsys)
    words = ["apply", str(home / "run"), str(home / "t.csv"), "-o", str(home / "run"), "--overwrite"]
    refused(words, ["is the run itself"], capsys)


def test_other_settings_do_not_go_on(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from narrows.training import fit as module

    run, words = tmp_path / "run", f"fit reduce {home}/t.csv --epochs 3 --no-figures -o"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.Session, "over", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        main([*words.split(), str(run)])
    assert (run / "resume.pt").exists()
    refused(
        [*words.replace("--epochs 3", "--epochs 4").split(), str(run), "--resume"],
        ["other settings: epochs changed"],
        capsys,
    )


@pytest.mark.parametrize("call", ["replace", "fsync"])
@pytest.mark.parametrize("what", ["fit", "apply"])
def test_a_full_disk_is_said_and_nothing_is_half_written(
    call: str,
    what: str,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    words = {
        "fit": f"fit reduce {home}/t.csv -o {tmp_path}/run --epochs 1 --no-figures",
        "apply": f"apply {home}/run {home}/t.csv -o {tmp_path}/run",
    }[what]
    refused(words.split(), ["No space left on device"], capsys)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_second_word_and_codes_are_refused_where_nothing_reads_them(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["-o", str(tmp_path / "out")]
    refused(["apply", str(home / "run"), str(home / "t.csv"), "more.csv", *out], ["DATA2", "a run of sparse."], capsys)
    rng = np.random.default_rng(0)
    for i, picture in enumerate(rng.integers(0, 255, (4, 9, 9), np.uint8)):
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.fromarray(picture).save(tmp_path / "in" / f"p{i}.png")
    words = ["denoise", str(tmp_path / "in"), "--network", "residual:2,blocks=1", "--epochs", "1", "--no-figures"]
    assert main(["fit", *words, "-o", str(tmp_path / "run")]) == 0
    wrong = ["apply", str(tmp_path / "run"), str(tmp_path / "in"), "--decode", *out]
    refused(wrong, ["--decode", "no use for it"], capsys)
