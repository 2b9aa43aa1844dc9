"""``narrows fit --stream``: rows read from disk, results written piece by piece, the same as from memory."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

import narrows as nw
from narrows.cli import main
from narrows.data import pieces, read, schema_from_json
from narrows.journeys import stream


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE", 4000)  # so that a miniature comes in several pieces


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


def fit(words: str, run: Path) -> dict[str, object]:
    assert main([*words.split(), "-o", str(run)]) == 0
    found: dict[str, object] = json.loads((run / "report.json").read_text(encoding="utf-8"))
    return found


def ids_of(run: Path) -> list[str]:
    return [str(each) for each in pl.read_csv(run / "codes.csv")[:, 0]]


@pytest.mark.parametrize("kind", ["bytes", "floats", "images", "parquet"])
def test_from_disk_as_from_memory(kind: str, tmp_path: Path) -> None:
    data = write(kind, tmp_path)
    run, out = tmp_path / "run", tmp_path / "out"
    report = fit(f"fit reduce {data} --stream --latent-dim 2 --epochs 3 --quiet", run)
    counts = report["data"]
    source = read(data)
    n = len(source)
    assert counts["used"] + counts["held_out"] == counts["rows"] == n  # type: ignore[index]
    assert any("from disk" in note for note in counts["notes"])  # type: ignore[index]
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
    report = fit(f"fit reduce {data} --stream --valid {other} --latent-dim 2 --epochs 2 --quiet", first)
    counts = report["data"]
    assert (counts["used"], counts["held_out"], counts["split"]) == (500, 80, "validation")  # type: ignore[index]
    fit(f"fit reduce {other} --stream --from {first} --epochs 1 --lr 1e-12 --quiet", second)
    X = np.random.default_rng(0).normal(size=(9, 6))
    assert np.allclose(nw.load(first).transform(X), nw.load(second).transform(X), atol=1e-6)


def test_the_length_of_the_code_is_found_from_disk(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "rows.npy", (rng.normal(size=(400, 2)) @ rng.normal(size=(2, 6)) * 20 + 128).astype(np.uint8))
    fit(f"fit reduce {tmp_path}/rows.npy --stream --latent-dim auto --family linear --quiet", tmp_path / "run")
    assert nw.load(tmp_path / "run").code_size_["chosen"] == 2


def test_a_folder_of_images_from_disk(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(60):
        Image.fromarray(rng.integers(0, 256, (8 + i % 3, 9, 3), np.uint8)).save(folder / f"{i:02d}.png")
    (folder / "notes.txt").write_text("no image")
    report = fit(f"fit denoise {folder} --stream --epochs 1 --image-size 8x8 --quiet", tmp_path / "run")
    assert report["data"]["rows"] == 60  # type: ignore[index]
    assert any("not images" in note for note in report["data"]["notes"])  # type: ignore[index]
    assert main(["apply", f"{tmp_path}/run", str(folder), "-o", f"{tmp_path}/out"]) == 0
    made = sorted((tmp_path / "out" / "cleaned").iterdir())
    assert [each.name for each in made] == [f"{i:02d}.png" for i in range(60)]


def test_data_that_would_fill_the_memory_stay_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write("bytes", tmp_path)
    report = fit(f"fit reduce {data} --epochs 1 --quiet", tmp_path / "small")
    assert not any("from disk" in note for note in report["data"]["notes"])  # type: ignore[index]
    monkeypatch.setattr(stream, "free_memory", lambda: 4000)
    report = fit(f"fit reduce {data} --epochs 1 --quiet", tmp_path / "large")
    assert any("from disk" in note for note in report["data"]["notes"])  # type: ignore[index]


def test_a_stopped_run_from_disk_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write("floats", tmp_path)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    words = f"fit reduce {data} --stream --latent-dim 2 --epochs 4 --quiet"
    fit(words, whole)
    from narrows.training import fit as training

    entries = training.Session.take

    def stop(self: object, *args: object) -> object:
        entry = entries(self, *args)  # type: ignore[arg-type]
        if len(self.history) == 2:  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        return entry

    monkeypatch.setattr(training.Session, "take", stop)
    main([*words.split(), "-o", str(parts)])
    monkeypatch.setattr(training.Session, "take", entries)
    assert (parts / "resume.pt").exists()
    assert main([*words.split(), "--resume", "-o", str(parts)]) == 0
    assert (whole / "model.safetensors").read_bytes() == (parts / "model.safetensors").read_bytes()


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
    from narrows.data.stream import held_out

    rows, aside = curved(), held_out(500, 0.1)
    rows[aside] += 1000
    np.save(tmp_path / "rows.npy", rows)
    fit(f"fit reduce {tmp_path}/rows.npy --stream --latent-dim 2 --epochs 1 --quiet", tmp_path / "run")
    schema = schema_from_json(read_card(tmp_path / "run")["journey"]["card"]["schema"])
    X = schema.encode(read(rows, like=schema))[~aside]
    assert np.allclose(X.mean(0), 0, atol=1e-5)
    assert np.allclose(X.std(0), 1, atol=1e-5)


@pytest.mark.parametrize("n", [2, 5, 12])
def test_few_rows_from_disk(n: int, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", curved(n))
    report = fit(f"fit reduce {tmp_path}/rows.npy --stream --latent-dim 1 --epochs 1 --quiet", tmp_path / "run")
    assert report["data"]["rows"] == n  # type: ignore[index]
