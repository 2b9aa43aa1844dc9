"""Save one small run of every task and family with the Narrows that is installed, and what it answers to new data.

``python tests/saved_runs/write.py`` writes ``tests/saved_runs/VERSION/``, a zip file each, once for every version: what
stands there was written by the code of that day and is never written again. ``tests/test_saved_runs.py`` holds every
later Narrows to it.
"""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from PIL import Image

import narrows as nw
from narrows.cli import main
from narrows.parts import PARTS, as_part, part_json

HOME = Path(__file__).parent
KEPT = ("model.json", "model.safetensors", "report.json")
ROWS = np.random.default_rng(0).normal(size=(60, 6)).round(3)
LABELS = np.where(ROWS[:, 0] > 0, "up", "down")
NEW = np.random.default_rng(1).normal(size=(5, 6)).round(3)
SMALL = {"latent_dim": 2, "epochs": 2, "random_state": 0}


class Run(NamedTuple):
    """How a run is made: its data, the words after ``narrows fit``, and those after ``narrows apply RUN``."""

    data: Callable[[Path], None]
    fit: str
    apply: str
    fpr: float | None = None  # a rate of false alarms for ``narrows rethreshold``


def table(folder: Path, n: int = 80) -> None:
    """Numbers, counts, categories, dates and gaps, in two files."""
    draw = np.random.default_rng(n)
    x = draw.normal(size=n).round(3)
    columns = {
        "amount": [None if i % 17 == 3 else value for i, value in enumerate(np.exp(x).round(2).tolist())],
        "height": (170 + 9 * x + draw.normal(size=n)).round(1),
        "kind": np.where(x > 0, "large", "small"),
        "visits": draw.poisson(3, n),
        "member": draw.random(n) < 0.5,
        "day": [f"2026-0{1 + i % 9}-{1 + i % 28:02}" for i in range(n)],
        "odd": (draw.random(n) < 0.2).astype(int),
    }
    frame = pl.DataFrame(columns)
    frame.write_csv(folder / "table.csv")
    frame.head(8).write_csv(folder / "new.csv")


def array(folder: Path) -> None:
    """Rows of eight numbers, as an array and as a Parquet file."""
    draw = np.random.default_rng(0)
    rows = np.tanh(draw.normal(size=(80, 3)) @ draw.normal(size=(3, 8))) + 0.05 * draw.normal(size=(80, 8))
    np.save(folder / "rows.npy", rows.astype(np.float32))
    pl.DataFrame(rows, [f"x{i}" for i in range(8)], orient="row").write_parquet(folder / "rows.parquet")
    np.save(folder / "new.npy", rows[:6].astype(np.float32))
    pl.DataFrame(rows[:6], [f"x{i}" for i in range(8)], orient="row").write_parquet(folder / "new.parquet")


def series(folder: Path) -> None:
    """An hourly rhythm with a step that breaks it."""
    hours, draw = np.arange(400), np.random.default_rng(0)
    values = np.sin(2 * np.pi * hours / 24) + 0.1 * draw.normal(size=400)
    values[[60, 300]] += 3
    stamps = [f"2026-01-{1 + h // 24:02} {h % 24:02}:00:00" for h in hours]
    frame = pl.DataFrame({"when": stamps, "value": values.round(3)})
    frame.write_csv(folder / "series.csv")
    frame[40:90].write_csv(folder / "new.csv")


def pictures(folder: Path, side: int = 24) -> None:
    """Discs on noise, and where the discs are, in folders of pictures."""
    draw, (y, x) = np.random.default_rng(0), np.mgrid[:side, :side]
    centres = draw.uniform(7, side - 7, (12, 2, 1, 1))
    discs = (y - centres[:, 0]) ** 2 + (x - centres[:, 1]) ** 2 < 25
    images = np.clip(60 + 120 * discs + draw.normal(0, 15, discs.shape), 0, 255).astype(np.uint8)
    for name, several in (("images", images), ("masks", 255 * discs.astype(np.uint8)), ("new", images[:2])):
        (folder / name).mkdir()
        for i, picture in enumerate(several):
            Image.fromarray(picture).save(folder / name / f"{i:02}.png")


def small_pictures(folder: Path) -> None:
    """Pictures of a single patch: a detector keeps the patches of its fit."""
    pictures(folder, 16)


def ratings(folder: Path) -> None:
    """Users who take items of their own parity."""
    draw = np.random.default_rng(0)
    lines = [f"u{u},i{i}" for u in range(40) for i in draw.choice(20, 8, replace=False) if (u + i) % 2]
    (folder / "ratings.csv").write_text("\n".join(["user,item", *lines]) + "\n")
    (folder / "new.csv").write_text("user,item\nn1,i0\nn1,i2\nn2,i3\n")


UNET = "--epochs 1 --network unet:4,8 --latent-dim 8"
DENSE = "--epochs 2 --network dense:8 --latent-dim 2"
RUNS = {
    "reduce-table": Run(table, f"reduce table.csv {DENSE}", "new.csv"),
    "reduce-pictures": Run(pictures, "reduce images --epochs 2 --network conv:4 --latent-dim 2", "new"),
    "reduce-from-disk": Run(array, f"reduce rows.parquet --stream {DENSE}", "new.parquet"),
    "reduce-array": Run(array, f"reduce rows.npy {DENSE}", "new.npy"),
    "denoise-table": Run(array, f"denoise rows.npy --noise gaussian:0.3 {DENSE}", "new.npy"),
    "denoise-pictures": Run(pictures, f"denoise images --noise gaussian:0.2 {UNET}", "new"),
    "density": Run(table, f"density table.csv {DENSE}", "new.csv"),
    "generate-table": Run(table, f"generate table.csv --label kind {DENSE}", "-n 6 --random-state 0"),
    "generate-pictures": Run(pictures, f"generate images {DENSE}", "-n 3 --random-state 0"),
    "sparse": Run(array, "sparse rows.npy --epochs 3 --latent-dim 16 --k 2", "new.npy"),
    "anomaly-table": Run(table, f"anomaly table.csv --label odd {DENSE}", "new.csv", 0.1),
    "anomaly-unlabelled": Run(table, f"anomaly table.csv {DENSE}", "new.csv", 0.1),
    "anomaly-series": Run(series, f"anomaly series.csv --time when --window 12 {DENSE}", "new.csv", 0.1),
    "anomaly-pictures": Run(small_pictures, "anomaly images --epochs 1 --network conv:4 --latent-dim 4", "new", 0.1),
    "classify": Run(table, f"classify table.csv --label kind {DENSE}", "new.csv"),
    "recommend": Run(ratings, "recommend ratings.csv", "--history new.csv"),
    "recommend-vae": Run(ratings, f"recommend ratings.csv --family vae {DENSE}", "--history new.csv"),
    "impute": Run(table, f"impute table.csv --members 2 {DENSE}", "new.csv"),
    "segment": Run(pictures, f"segment images masks {UNET}", "new"),
    "translate": Run(pictures, f"translate images masks {UNET}", "new"),
    "upscale": Run(pictures, "upscale images --epochs 1 --network conv:4 --latent-dim 4", "new"),
}

FAMILIES: dict[str, Any] = {
    "linear": nw.LinearAutoEncoder(latent_dim=2),
    "autoencoder": nw.AutoEncoder(network="dense:8", penalties="l1:1e-3+orthogonal:0.1", **SMALL),
    "contractive": nw.ContractiveAutoEncoder(network="dense:8", **SMALL),
    "denoising": nw.DenoisingAutoEncoder(network="dense:8", corruption="mask:0.3", likelihood="laplace", **SMALL),
    "sparse": nw.SparseAutoEncoder(latent_dim=8, epochs=2, random_state=0),
    "stacked": nw.StackedAutoEncoder(network="dense:8", **SMALL),
    "vae": nw.VAE(network="dense:8", likelihood="gaussian:learnt", beta="ramp:end=2", **SMALL),
    "conditional-vae": nw.ConditionalVAE(network="dense:8", **SMALL),
    "adversarial": nw.AdversarialAutoEncoder(network="dense:8", **SMALL),
    "wasserstein": nw.WassersteinAutoEncoder(network="dense:8", **SMALL),
    "vqvae": nw.VQVAE(network="dense:8", codes=8, **SMALL),
    "linear-recommender": nw.LinearRecommender(),
}


def answers(model: Any, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Return what a family answers to rows: codes, what is put out for them, and the loss."""
    named = {"transform": model.transform(rows)}
    for name in ("reconstruct", "predict"):
        if hasattr(model, name):
            named[name] = getattr(model, name)(rows)
    return {name: np.asarray(value) for name, value in named.items()}


def words_of(text: str, run: str, out: str) -> list[str]:
    """Return a call of ``narrows apply``."""
    return ["apply", run, *text.split(), "-o", out]


def write_run(name: str, run: Run, home: Path) -> None:
    """Fit, keep the artefact, apply it to new data, and keep the answers."""
    run.data(home)
    if main(["fit", *run.fit.split(), "-o", "run", "--quiet", "--random-state", "0"]):
        raise SystemExit(f"{name} did not fit")
    if main(words_of(run.apply, "run", "expected")):
        raise SystemExit(f"{name} did not apply")
    kept = home / "kept"
    kept.mkdir()
    for file in KEPT:
        shutil.copy(home / "run" / file, kept)
    for path in home.glob("new*"):
        (shutil.copytree if path.is_dir() else shutil.copy)(path, kept / path.name)
    (home / "expected" / "summary.json").unlink()
    shutil.copytree(home / "expected", kept / "expected")
    if run.fpr is not None:
        main(["rethreshold", "run", "--fpr", str(run.fpr)])
        main(words_of(run.apply, "run", "rethresholded"))
        (home / "rethresholded" / "summary.json").unlink()
        shutil.copytree(home / "rethresholded", kept / "rethresholded")
    (kept / "run.json").write_text(json.dumps({"apply": run.apply, "fpr": run.fpr}) + "\n")
    pack(name, kept)


def pack(name: str, folder: Path) -> None:
    """Write a folder to a zip file among the runs of this version."""
    shutil.make_archive(str(HOME / nw.__version__ / name), "zip", folder)


def write_family(name: str, model: Any, folder: Path) -> None:
    """Fit a family in Python, and keep its artefact and its answers."""
    rows, new = (ROWS, NEW) if name != "linear-recommender" else (np.abs(ROWS).round(), np.abs(NEW).round())
    fitted = model.fit(rows, LABELS) if name == "conditional-vae" else model.fit(rows)
    fitted.save(folder)
    np.savez(folder / "answers.npz", rows=new, **answers(fitted, new))
    pack(f"family-{name}", folder)


def write_parts() -> None:
    """Write the JSON form of every part."""
    parts = [part_json(as_part(kind, name)) for kind, known in sorted(PARTS.items()) for name in sorted(known)]
    (HOME / nw.__version__ / "parts.json").write_text(json.dumps(parts, indent=0) + "\n")


def write() -> int:
    """Write every run."""
    (HOME / nw.__version__).mkdir()
    write_parts()
    for name, model in FAMILIES.items():
        with tempfile.TemporaryDirectory() as folder:
            write_family(name, model, Path(folder))
    for name, run in RUNS.items():
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            write_run(name, run, Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(write())
