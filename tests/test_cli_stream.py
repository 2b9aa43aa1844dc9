"""``narrows fit --stream``: rows read from disk, results written piece by piece, the same as from memory."""

import json
import os
import pickle
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest
from PIL import Image

import narrows as nw
from narrows.cli import main
from narrows.data import read, schema_from_json
from narrows.data.disk import chunks, encode
from narrows.training import fit as training
from narrows.workflows import on_disk


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "PIECE", 4000)  # so that a miniature comes in several pieces


def curved(n: int = 500) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.tanh(rng.normal(size=(n, 2)) @ rng.normal(size=(2, 6))) + 0.01 * rng.normal(size=(n, 6))


def write(kind: str, folder: Path) -> Path:
    rows = curved()
    if kind == "bytes":
        np.save(folder / "rows.npy", np.clip(rows * 60 + 128, 0, 255).astype(np.uint8))
    elif kind == "floats":
        rows[7, 2] = np.nan
        np.save(folder / "rows.npy", rows.astype(np.float32))
    elif kind == "images":
        np.save(folder / "rows.npy", np.random.default_rng(0).integers(0, 256, (300, 8, 8, 3), np.uint8))
    else:
        frame = pl.DataFrame({"id": [f"r{i:04d}" for i in range(500)], **{f"x{j}": rows[:, j] for j in range(6)}})
        frame = frame.with_columns(colour=pl.when(pl.col("x0") > 0).then(pl.lit("red")).otherwise(pl.lit("blue")))
        frame = frame.with_columns(pl.when(pl.int_range(500) % 9 == 4).then(None).otherwise("x3").alias("x3"))
        frame.write_parquet(folder / "rows.parquet", row_group_size=70)
        return folder / "rows.parquet"
    return folder / "rows.npy"


def fit(words: str, run: Path) -> dict[str, Any]:
    assert main([*words.split(), "-o", str(run)]) == 0
    found: dict[str, Any] = json.loads((run / "report.json").read_text(encoding="utf-8"))
    return found


def ids_of(run: Path) -> list[str]:
    return [str(each) for each in pl.read_csv(run / "codes.csv")[:, 0]]


@pytest.mark.parametrize("kind", ["bytes", "floats", "images", "parquet"])
def test_from_disk_as_from_memory(kind: str, tmp_path: Path) -> None:
    data = write(kind, tmp_path)
    run, out = tmp_path / "run", tmp_path / "out"
    report = fit(f"fit reduce {data} --stream --latent-dim 2 --epochs 3 --no-figures", run)
    counts = report["data"]
    source = read(data)
    n = len(source)
    assert counts["used"] + counts["held_out"] == counts["rows"] == n
    assert any("from disk" in note for note in counts["notes"])
    assert not list(run.glob(".rows*"))
    # what was written piece by piece is what the model gives for all rows at once
    model, card = nw.load(run), json.loads((run / "model.json").read_text(encoding="utf-8"))
    schema = schema_from_json(card["journey"]["card"]["schema"])
    held = read(data, like=schema)
    X = schema.encode(held)
    codes = pl.read_csv(run / "codes.csv")
    assert ids_of(run) == held.ids.tolist()
    assert np.allclose(codes.select("z1", "z2").to_numpy(), model.transform(X), atol=1e-5)
    schema.write(model.reconstruct(X).reshape(n, *schema.shape), tmp_path, "whole", held.ids, held.id_name)
    suffix = ".csv" if kind == "parquet" else ".npy"
    ours, theirs = ((folder / f"{stem}{suffix}") for folder, stem in ((run, "reconstruction"), (tmp_path, "whole")))
    if suffix == ".npy":
        assert np.allclose(np.load(ours), np.load(theirs), atol=1 if kind != "floats" else 1e-5)
        assert np.load(ours).shape == np.load(data).shape
    else:
        a, b = (pl.read_csv(each) for each in (ours, theirs))
        assert a.columns == b.columns
        assert a["colour"].equals(b["colour"])
        assert np.allclose(a.select("x0").to_numpy(), b.select("x0").to_numpy(), atol=1e-4)
    # apply, from disk as well
    assert main(["apply", str(run), str(data), "-o", str(out)]) == 0
    assert np.allclose(pl.read_csv(out / "codes.csv").select("z1").to_numpy(), codes.select("z1").to_numpy(), atol=1e-5)
    assert (run / f"imputed{suffix}").exists() == (kind in ("floats", "parquet"))
    if kind == "floats":
        came, back = np.load(data), np.load(run / "imputed.npy")
        assert np.array_equal(came[~np.isnan(came)], back[~np.isnan(came)])
        assert np.isfinite(back).all()
    if kind == "parquet":
        came, back = pl.read_parquet(data), pl.read_csv(run / "imputed.csv")
        assert back["x3"].null_count() == 0
        assert back.filter(came["x3"].is_not_null())["x3"].equals(came["x3"].drop_nulls())


def test_own_rows_to_measure_on_and_a_run_to_go_on_from(tmp_path: Path) -> None:
    data = write("floats", tmp_path)
    other = tmp_path / "other.npy"
    np.save(other, curved(80).astype(np.float32))
    first, second = tmp_path / "first", tmp_path / "second"
    report = fit(f"fit reduce {data} --stream --valid {other} --latent-dim 2 --epochs 2 --no-figures", first)
    counts = report["data"]
    assert (counts["used"], counts["held_out"], counts["split"]) == (500, 80, "validation")
    fit(f"fit reduce {other} --stream --from {first} --epochs 1 --lr 1e-12 --no-figures", second)
    X = np.random.default_rng(0).normal(size=(9, 6))
    assert np.allclose(nw.load(first).transform(X), nw.load(second).transform(X), atol=1e-6)


def test_the_length_of_the_code_is_found_from_disk(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "rows.npy", (rng.normal(size=(400, 2)) @ rng.normal(size=(2, 6)) * 20 + 128).astype(np.uint8))
    fit(f"fit reduce {tmp_path}/rows.npy --stream --latent-dim auto --family linear --no-figures", tmp_path / "run")
    assert nw.load(tmp_path / "run").code_size_["chosen"] == 2


def photos(folder: Path, n: int = 60) -> Path:
    rng = np.random.default_rng(0)
    folder.mkdir()
    for i in range(n):
        Image.fromarray(rng.integers(0, 256, (8 + i % 3, 9, 3), np.uint8)).save(folder / f"{i:02d}.png")
    return folder


def test_a_folder_of_images_from_disk(tmp_path: Path) -> None:
    folder = photos(tmp_path / "images")
    (folder / "notes.txt").write_text("no image")
    report = fit(f"fit denoise {folder} --stream --epochs 1 --image-size 8x8 --no-figures", tmp_path / "run")
    assert report["data"]["rows"] == 60
    assert any("not images" in note for note in report["data"]["notes"])
    assert main(["apply", f"{tmp_path}/run", str(folder), "-o", f"{tmp_path}/out"]) == 0
    made = sorted((tmp_path / "out" / "cleaned").iterdir())
    assert [each.name for each in made] == [f"{i:02d}.png" for i in range(60)]


def test_data_that_would_fill_the_memory_stay_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write("bytes", tmp_path)
    report = fit(f"fit reduce {data} --epochs 1 --no-figures", tmp_path / "small")
    assert not any("from disk" in note for note in report["data"]["notes"])
    monkeypatch.setattr(on_disk, "free_memory", lambda: 4000)
    report = fit(f"fit reduce {data} --epochs 1 --no-figures", tmp_path / "large")
    assert any("from disk" in note for note in report["data"]["notes"])


def stopped(words: str, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Press Ctrl-C in the third epoch."""
    take = training.Session.take

    def stop(self: training.Session, *args: Any) -> Any:
        entry = take(self, *args)
        if len(self.history) == 3:
            raise KeyboardInterrupt
        return entry

    with monkeypatch.context() as patch:
        patch.setattr(training.Session, "take", stop)
        assert main([*words.split(), "-o", str(run)]) == 0
    assert (run / ("unfinished" if "--overwrite" in words else "") / "resume.pt").exists()


def test_a_stopped_run_from_disk_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write("floats", tmp_path)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    words = f"fit reduce {data} --stream --latent-dim 2 --epochs 4 --no-figures"
    fit(words, whole)
    stopped(words, parts, monkeypatch)
    assert main([*words.split(), "--resume", "-o", str(parts)]) == 0
    assert (whole / "model.safetensors").read_bytes() == (parts / "model.safetensors").read_bytes()


class Disk(NamedTuple):
    free: int


def where(report: dict[str, Any]) -> str:
    return next(note for note in report["data"]["notes"] if "from disk" in note)


def test_a_stopped_run_uses_what_it_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, whole, parts = photos(tmp_path / "images"), tmp_path / "whole", tmp_path / "parts"
    words = f"fit reduce {folder} --stream --epochs 4 --latent-dim 4 --image-size 8x8 --no-figures"
    first = fit(words, whole)
    assert "encoded once" in where(first)
    assert not (whole / "encoded-rows").exists()
    stopped(words, parts, monkeypatch)
    assert np.load(parts / "encoded-rows" / "rows.npy").shape == (60, 3, 8, 8)
    with monkeypatch.context() as patch:
        patch.setattr(encode, "open_memmap", lambda *_: pytest.fail("encoded again"))
        found = fit(f"{words} --resume", parts)
    assert where(found) == where(first)  # a report does not tell of kills
    assert (whole / "model.safetensors").read_bytes() == (parts / "model.safetensors").read_bytes()
    assert {path.name for path in whole.iterdir()} == {path.name for path in parts.iterdir()}


def test_changed_pictures_are_decoded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, run = photos(tmp_path / "images"), tmp_path / "run"
    words = f"fit reduce {folder} --stream --epochs 4 --latent-dim 4 --image-size 8x8 --no-figures"
    stopped(words, run, monkeypatch)
    os.utime(folder / "07.png", (1, 1))  # the same picture, written again
    with monkeypatch.context() as patch:
        patch.setattr(encode, "open_memmap", lambda *_: pytest.fail("encoded again"))
        with pytest.raises(pytest.fail.Exception):
            fit(f"{words} --resume", run)
    fit(f"{words} --resume", run)
    stopped(f"{words} --overwrite", run, monkeypatch)
    Image.fromarray(np.zeros((8, 9, 3), np.uint8)).save(folder / "07.png")
    assert main([*words.split(), "--resume", "-o", str(run)]) == 2  # another picture: another fit


def test_what_a_kill_left_of_decoding_is_thrown_away(tmp_path: Path) -> None:
    folder, run = photos(tmp_path / "images"), tmp_path / "run"
    (run / "encoded-rows").mkdir(parents=True)
    (run / "encoded-rows" / ".rows.npy.0123.npy").write_bytes(b"half")
    (run / "encoded-rows" / "rows.npy").write_bytes(b"without its key")
    fit(f"fit denoise {folder} --stream --epochs 1 --image-size 8x8 --no-figures --resume", run)
    assert not (run / "encoded-rows").exists()


def test_without_room_pictures_are_decoded_whenever_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, roomy, full = photos(tmp_path / "images"), tmp_path / "roomy", tmp_path / "full"
    words = f"fit reduce {folder} --stream --epochs 2 --latent-dim 4 --image-size 8x8"
    fit(words, roomy)
    monkeypatch.setattr("narrows.data.disk.encode.shutil.disk_usage", lambda _: Disk(free=10_000))
    said = where(fit(words, full))
    assert "decoded again whenever they are needed" in said
    assert said in capsys.readouterr().out
    assert (roomy / "model.safetensors").read_bytes() == (full / "model.safetensors").read_bytes()
    table = write("parquet", tmp_path)
    assert main(["fit", "reduce", str(table), "--stream", "-o", f"{tmp_path}/other"]) == 2
    assert "has 10,000 bytes free" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_pictures_that_are_decoded_whenever_they_are_read_travel(tmp_path: Path) -> None:
    found = chunks.ImageChunks(photos(tmp_path / "images"), (8, 8))
    rows = found.anew(found.sample().fit_schema())
    assert rows is not None
    some = rows.take([50, 3])
    assert np.array_equal(pickle.loads(pickle.dumps(some))[:], found.sample().values[[50, 3]])  # type: ignore[attr-defined]
    assert rows[3:3].shape == (0, 3, 8, 8)


def test_a_csv_is_written_as_parquet_by_the_command_that_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = curved(90).round(4)
    text = "\n".join(";".join(f"{value:.4f}".replace(".", ",") for value in row) for row in rows)
    (tmp_path / "t.csv").write_text("a;b;c;d;e;f\n" + text + "\n")
    assert main(["fit", "reduce", f"{tmp_path}/t.csv", "--stream", "-o", f"{tmp_path}/run"]) == 2
    command = capsys.readouterr().err.partition("Try: ")[2].strip().removesuffix(".")
    subprocess.run(shlex.split(command.replace("python", sys.executable, 1)), check=True, timeout=120)
    assert np.array_equal(pl.read_parquet(tmp_path / "t.parquet").to_numpy(), rows)
    fit(f"fit reduce {tmp_path}/t.parquet --stream --latent-dim 2 --epochs 1 --no-figures", tmp_path / "run")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("fit reduce {home}/t.csv --stream", ".npy file"),
        ("fit reduce {home}/rows.npy --stream --valid {home}/t.csv", "--valid"),
        ("fit reduce digits --stream", ".npy file"),
        ("fit reduce {home}/broken.parquet --stream", "Parquet"),
        ("fit reduce {home}/flat.npy --stream", "flat.npy"),
    ],
)
def test_what_cannot_be_read_from_disk_is_refused(
    words: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write("bytes", tmp_path)
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3,4\n")
    (tmp_path / "broken.parquet").write_text("PAR1 and no more")
    np.save(tmp_path / "flat.npy", np.zeros(7))
    assert main([*words.format(home=tmp_path).split(), "-o", str(tmp_path / "run")]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_rows_that_are_put_aside_say_nothing_of_means_and_scales(tmp_path: Path) -> None:
    from narrows.artefact import read_card
    from narrows.holdout import ROWS_ON_DISK

    rows, parts = curved(), ROWS_ON_DISK.numbers(500)
    rows[parts.measure] += 1000
    np.save(tmp_path / "rows.npy", rows)
    fit(f"fit reduce {tmp_path}/rows.npy --stream --latent-dim 2 --epochs 1 --no-figures", tmp_path / "run")
    schema = schema_from_json(read_card(tmp_path / "run")["journey"]["card"]["schema"])
    X = schema.encode(read(rows, like=schema))[parts.learn]
    assert np.allclose(X.mean(0), 0, atol=1e-5)
    assert np.allclose(X.std(0), 1, atol=1e-5)


@pytest.mark.parametrize("n", [2, 5, 12])
def test_few_rows_from_disk(n: int, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", curved(n))
    report = fit(f"fit reduce {tmp_path}/rows.npy --stream --latent-dim 1 --epochs 1 --no-figures", tmp_path / "run")
    assert report["data"]["rows"] == n


def test_values_outside_the_sample_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "SAMPLE", 100)
    frame = pl.DataFrame({f"x{j}": curved()[:, j] for j in range(6)})
    colours = np.array(["red", "blue"], object)[np.arange(500) % 2]
    sampled = chunks.pieces_of(write("table", tmp_path)).sampled
    rare = next(i for i in range(500) if i not in set(sampled.tolist()))
    colours[rare] = "green"
    frame.with_columns(colour=pl.Series(colours.tolist())).write_parquet(tmp_path / "rare.parquet", row_group_size=70)
    made = fit(f"fit reduce {tmp_path}/rare.parquet --stream --latent-dim 2 --epochs 1 --no-figures", tmp_path / "run")
    said = "'colour': 1 row holds values not seen in the rows learnt from ('green'): encoded as zeros"
    assert said in made["data"]["notes"]
