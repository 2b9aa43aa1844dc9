"""``narrows fit`` from end to end: what RUN holds, what the first line says, stopping and going on."""

import csv
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from narrows.cli import main

NARROWS = [sys.executable, "-m", "narrows"]


def facts(run: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((run / "report.json").read_text(encoding="utf-8"))
    return found


def fit(words: str, run: Path) -> dict[str, object]:
    assert main([*words.split(), "-o", str(run)]) == 0
    return facts(run)


def self_contained(page: str) -> bool:
    sources = re.findall(r"(?:src|href)\s*=\s*[\"']([^\"']*)", page)
    return "http://" not in page and "https://" not in page and all(each.startswith("data:") for each in sources)


@pytest.mark.parametrize(
    "words", ["fit reduce digits --epochs 3", "fit denoise digits --noise gaussian:0.3 --epochs 3 --network dense:64"]
)
def test_a_run_holds_all_that_it_should(words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    report = fit(words, run)
    said = capsys.readouterr()
    assert {"task", "verdict", "metrics", "baselines", "data", "seconds"} <= set(report)
    verdict = report["verdict"]["text"]  # type: ignore[index]
    assert said.out.splitlines()[-2:] == [verdict, f"Report: {run / 'report.html'}"]
    page = (run / "report.html").read_text(encoding="utf-8")
    assert self_contained(page)
    assert page.index("<h1>") < page.index("<h2>")
    for figure in report["figures"]:  # type: ignore[attr-defined]
        assert (run / figure["file"]).read_bytes()[:4] == b"\x89PNG"
    assert page.count("data:image/png") == len(report["figures"])  # type: ignore[arg-type]
    assert not (run / "resume.pt").exists()


def test_figures_can_be_left_out_and_the_numbers_stay(tmp_path: Path) -> None:
    drawn = fit("fit reduce digits --family linear --latent-dim 2", tmp_path / "drawn")
    bare = fit("fit reduce digits --family linear --latent-dim 2 --no-figures", tmp_path / "bare")
    assert bare.pop("figures") == [] != drawn.pop("figures")
    assert not (tmp_path / "bare" / "figures").exists()
    assert "data:image" not in (tmp_path / "bare" / "report.html").read_text(encoding="utf-8")
    assert {**bare, "seconds": 0} == {**drawn, "seconds": 0}


def test_a_closed_form_has_no_history_of_epochs(tmp_path: Path) -> None:
    fit("fit reduce digits --family linear --no-figures", tmp_path / "run")
    assert not (tmp_path / "run" / "history.csv").exists()
    fit("fit reduce digits --family linear --no-figures --overwrite", tmp_path / "run")


def test_the_terms_of_the_history_add_up(tmp_path: Path) -> None:
    fit("fit reduce digits --family vae --epochs 3 --no-figures", tmp_path / "run")
    model = json.loads((tmp_path / "run" / "model.json").read_text(encoding="utf-8"))
    with (tmp_path / "run" / "history.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    for row, epoch in zip(rows, model["family"]["history"], strict=True):
        for part in ("train", "valid"):
            terms = [float(value) for name, value in row.items() if name.startswith(f"{part}_")]
            assert len(terms) == 2  # reconstruction and kl
            assert sum(terms) == pytest.approx(sum(epoch[part].values()))


def test_it_says_that_it_wins_on_a_curve(tmp_path: Path) -> None:
    t = np.random.default_rng(0).uniform(-1, 1, 1200)
    rows = np.c_[np.cos(4 * t), np.sin(4 * t), np.cos(7 * t), np.sin(7 * t), t**3, np.abs(t)]
    np.save(tmp_path / "curve.npy", rows)
    report = fit(f"fit reduce {tmp_path}/curve.npy --latent-dim 2 --epochs 80 --no-figures", tmp_path / "run")
    assert report["verdict"]["outcome"] == "wins"  # type: ignore[index]
    assert report["verdict"]["text"].startswith("The autoencoder beats PCA")  # type: ignore[index]


def test_it_says_that_it_does_not_win_on_noise(tmp_path: Path) -> None:
    np.save(tmp_path / "noise.npy", np.random.default_rng(0).normal(size=(600, 8)))
    report = fit(f"fit reduce {tmp_path}/noise.npy --latent-dim 3 --epochs 30 --no-figures", tmp_path / "run")
    assert report["verdict"]["outcome"] in ("loses", "even", "unclear")  # type: ignore[index]
    words = "The autoencoder (loses to|is level with|cannot be told from) PCA"
    assert re.match(words, report["verdict"]["text"])  # type: ignore[index]
    assert re.search(f"<h1>{words}", (tmp_path / "run/report.html").read_text())


def test_a_mixed_table_comes_back_in_its_own_units_and_types(tmp_path: Path) -> None:
    n = 120
    t = np.random.default_rng(0).normal(size=n)
    frame = pl.DataFrame(
        {
            "amount": (1e6 + 1e4 * t).round(2),
            "client": [f"C{i:04}" for i in range(n)],
            "age": (40 + 8 * t).round().astype(int),
            "kind": np.where(t > 0, "new", "old"),
            "day": [f"{1 + int(v * 3) % 28:02}.01.2024" for v in t],
            "at": [f"2024-03-05 {10 + int(v > 0)}:30:00" for v in t],
            "member": t > 0.5,
            "country": "DE",
            "empty": [None] * n,
        }
    ).with_columns(pl.when(pl.int_range(n) % 9 == 0).then(None).otherwise("amount").alias("amount"))
    frame.write_csv(tmp_path / "t.csv")
    fit(f"fit reduce {tmp_path}/t.csv --latent-dim 4 --epochs 3 --no-figures", tmp_path / "run")
    codes, back = (pl.read_csv(tmp_path / "run" / f"{stem}.csv") for stem in ("codes", "reconstruction"))
    assert codes["client"].to_list() == back["client"].to_list() == frame["client"].to_list()
    assert codes.columns == ["client", "z1", "z2", "z3", "z4"]
    assert back.columns == ["client", *(name for name in frame.columns if name != "client")]
    assert back["amount"].is_between(9e5, 1.1e6).all()
    assert back["age"].dtype == pl.Int64
    assert set(back["kind"]) <= {"new", "old"}
    assert back["day"].str.to_date("%d.%m.%Y").null_count() == 0
    assert back["at"].str.ends_with(":00").all()
    assert back["member"].dtype == pl.Boolean
    assert set(back["country"]) == {"DE"}
    assert back["empty"].null_count() == n


@pytest.mark.parametrize(("columns", "size"), [(1, 1), (4, 2), (9, 4), (64, 16)])
def test_the_code_of_a_narrow_table_is_shorter_than_its_rows(columns: int, size: int, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(40, columns)))
    fit(f"fit reduce {tmp_path}/x.npy --epochs 1 --no-figures", tmp_path / "run")
    assert pl.read_csv(tmp_path / "run" / "codes.csv").width == 1 + size


def test_a_code_longer_than_the_rows_is_legal_and_noted(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(40, 3)))
    report = fit(f"fit reduce {tmp_path}/x.npy --latent-dim 8 --epochs 1 --no-figures", tmp_path / "run")
    assert any("nothing is compressed" in words for words in report["warnings"])  # type: ignore[attr-defined]
    assert report["verdict"]["outcome"] == "even"  # type: ignore[index]
    assert "times as high" not in report["verdict"]["text"]  # type: ignore[index]  - no ratio to a rounding error


def test_a_wide_table_works(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(30, 2_000)).round(2)
    pl.DataFrame(rows, schema=[f"c{i}" for i in range(rows.shape[1])]).write_csv(tmp_path / "wide.csv")
    fit(f"fit reduce {tmp_path}/wide.csv --network linear --epochs 1 --latent-dim 2 --no-figures", tmp_path / "run")


@pytest.mark.parametrize("bits", [8, 16])
def test_a_folder_of_images_of_many_sizes(bits: int, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(8):
        y, x = np.mgrid[: 12 + i, : 10 + i % 3]
        wave = (0.5 + 0.5 * np.sin(x / 3 + y / 5 + i)) * (2**bits - 1)
        Image.fromarray(wave.astype(np.uint8 if bits == 8 else np.uint16)).save(folder / f"im{i}.png")
    fit(
        f"fit reduce {folder} --latent-dim 2 --epochs 2 --network conv:4 --image-size 12x10 --no-figures",
        tmp_path / "run",
    )
    made = sorted((tmp_path / "run" / "reconstruction").iterdir())
    assert [path.name for path in made] == [f"im{i}.png" for i in range(8)]
    for path in made:
        with Image.open(path) as image:
            pixels = np.asarray(image)
        assert pixels.shape == (12, 10)
        assert pixels.dtype == (np.uint8 if bits == 8 else np.uint16)


def test_mixed_channels_are_handled_and_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i, mode in enumerate(["L", "RGB"] * 3):
        Image.new(mode, (8, 8), i * 40 if mode == "L" else (i * 40, 0, 0)).save(tmp_path / f"{i}.png")
    assert main(["fit", "reduce", "--no-figures", str(tmp_path), "-o", str(tmp_path / "out/run"), "--epochs", "1"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert sum("grey is repeated" in line for line in said) == 1


def test_overwrite_replaces_the_run_and_nothing_else(tmp_path: Path) -> None:
    run = tmp_path / "run"
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(30, 4)))
    fit("fit reduce digits --family linear --no-figures", run)
    (run / "mine.txt").write_text("keep")
    fit(f"fit reduce {tmp_path}/x.npy --family linear --no-figures --overwrite", run)
    assert (run / "mine.txt").read_text() == "keep"
    assert pl.read_csv(run / "codes.csv").height == 30
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_refused_overwrite_leaves_the_old_run(tmp_path: Path) -> None:
    run = tmp_path / "run"
    fit("fit reduce digits --family linear --no-figures", run)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    (tmp_path / "bad.csv").write_text("a,b\n")
    assert main(["fit", "reduce", str(tmp_path / "bad.csv"), "-o", str(run), "--overwrite"]) == 2
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_resume_of_a_finished_run_does_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit("fit reduce digits --family linear --no-figures --resume", tmp_path / "run")  # a missing RUN starts
    capsys.readouterr()
    assert main(["fit", "reduce", "--no-figures", "digits", "-o", str(tmp_path / "run"), "--resume"]) == 0
    assert "finished" in capsys.readouterr().out


def test_another_fit_does_not_take_a_finished_run_for_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, data, same = tmp_path / "run", tmp_path / "x.npy", tmp_path / "same.npy"
    rows = np.random.default_rng(0).normal(size=(40, 4))
    np.save(data, rows)
    np.save(same, rows)
    fit(f"fit reduce {data} --family linear --latent-dim 2 --no-figures", run)
    before = (run / "model.json").read_bytes()
    for words in (f"fit reduce {data} --latent-dim 2 --family linear --device cpu", f"fit reduce {same}"):
        assert main([*words.split(), "-o", str(run), "--resume"]) == 0
    assert main(["rethreshold", str(run), "--fpr", "0.1"]) == 2  # that a reducer has none leaves no trace
    np.save(data, rows + 1)
    capsys.readouterr()
    for words, named in (
        (f"fit anomaly {same} --family linear", "task"),
        (f"fit reduce {same} --family vae", "family"),
        (f"fit reduce {same} --latent-dim 3", "latent_dim"),
        (f"fit reduce {same} --minutes 1", "minutes"),
        (f"fit reduce {data}", "the data"),
        (f"fit reduce {same} --valid {data}", "the data"),
    ):
        assert main([*words.split(), "-o", str(run), "--resume"]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert re.search(rf"other settings: .*\b{named}\b.* changed", said)
    assert (run / "model.json").read_bytes() == before
    assert not [path for path in run.iterdir() if path.name.startswith(".")]


def started(words: str, run: Path, state: str = "resume.pt") -> "subprocess.Popen[str]":
    """A fit in a process of its own, some epochs in."""
    call = [*NARROWS, *words.split(), "-o", str(run)]
    made = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    patience = time.monotonic() + 60
    while not (run / state).exists() and made.poll() is None and time.monotonic() < patience:
        time.sleep(0.01)
    return made


def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    words = "fit reduce digits --epochs 40 --latent-dim 3 --network dense:32 --batch-size 64 --no-figures"
    fit(words, tmp_path / "whole")
    process = started(words, tmp_path / "killed")
    process.kill()
    process.communicate()
    assert not (tmp_path / "killed" / "model.json").exists(), "it was over before the kill"
    assert main([*words.split(), "-o", str(tmp_path / "killed")]) == 2  # not without --resume
    fit(f"{words} --resume", tmp_path / "killed")
    for name in ("codes.csv", "model.safetensors", "reconstruction.npy"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes()


def test_a_killed_run_that_was_to_replace_another_leaves_that_one_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, words = tmp_path / "run", "fit reduce digits --epochs 40 --latent-dim 3 --network dense:32 --no-figures"
    fit("fit reduce digits --family linear --no-figures", run)
    (run / "mine.txt").write_text("keep")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    process = started(f"{words} --overwrite", run, "unfinished/resume.pt")
    capsys.readouterr()
    assert main([*words.split(), "--overwrite", "-o", str(run)]) == 2
    assert f"is being written to by process {process.pid} on" in capsys.readouterr().err
    process.kill()
    process.communicate()
    kept = (run / "unfinished" / "resume.pt").read_bytes()
    (tmp_path / "bad.csv").write_text("a,b\n")
    for wrong in (f"fit reduce {tmp_path}/bad.csv --overwrite", f"{words} --lr 0.1 --resume", words):
        assert main([*wrong.split(), "-o", str(run)]) == 2
        said = capsys.readouterr().err
    assert f"{run}/unfinished is a run that was to replace it" in said
    assert {path: path.read_bytes() for path in before} == before
    assert (run / "unfinished" / "resume.pt").read_bytes() == kept
    assert main(["report", str(run)]) == 0
    assert f"{run}/unfinished is a run that is to replace this one" in capsys.readouterr().err
    fit(f"{words} --resume", run)
    fit(words, tmp_path / "whole")
    (run / "mine.txt").unlink()
    assert sorted(path.name for path in run.iterdir()) == sorted(path.name for path in (tmp_path / "whole").iterdir())
    assert (run / "model.safetensors").read_bytes() == (tmp_path / "whole" / "model.safetensors").read_bytes()


def test_a_damaged_state_is_started_again_beside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, words = tmp_path / "run", "fit reduce digits --epochs 2 --latent-dim 3 --network dense:32 --no-figures"
    run.mkdir()
    (run / "resume.pt").write_bytes(b"damaged")
    assert main([*words.split(), "-o", str(run), "--resume"]) == 2
    said = capsys.readouterr().err
    assert "resume.pt is truncated, altered or no resume state" in said
    assert f"--overwrite, which starts again and keeps what {run} holds until it is finished" in said
    assert (run / "resume.pt").read_bytes() == b"damaged"
    for words_of in ("apply {run} digits -o {out}", "report {run}", "fit reduce digits --from {run} -o {out}"):
        assert main(words_of.format(run=run, out=tmp_path / "out").split()) == 2
        assert "holds a fit that is not finished" in capsys.readouterr().err
    fit(f"{words} --overwrite", run)
    assert not (run / "resume.pt").exists()


@pytest.mark.parametrize("left", [{"RANK": "1"}, {"WORLD_SIZE": "2", "RANK": "0"}, {"RANK": "one"}])
def test_a_rank_that_no_launcher_gave_is_refused(
    left: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in left.items():
        monkeypatch.setenv(name, value)
    assert main(["fit", "reduce", "digits", "-o", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert "came in the environment, but not from torchrun" in said
    assert "Try: unset RANK WORLD_SIZE" in said
    assert not (tmp_path / "run").exists()


def test_control_c_keeps_what_is_trained(tmp_path: Path) -> None:
    words = "fit reduce digits --epochs 300 --latent-dim 3 --network dense:32 --batch-size 64 --quiet"
    process = started(words, tmp_path / "run")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out.startswith("Interrupted in epoch")
    assert "--resume goes on" in out
    assert {"model.json", "codes.csv", "report.html", "resume.pt"} <= {
        path.name for path in (tmp_path / "run").iterdir()
    }
