"""What a run holds is declared by the task or the workflow that writes it, so that what replaces the run removes it."""

import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

import narrows as nw
from narrows.cli import main, run_folder
from narrows.cli.fit import require_declared
from narrows.cli.flags import field_table
from narrows.discovery import import_uses
from narrows.params import TASKS
from narrows.workflows.base import WORKFLOWS, Workflow

SAVED = (Path(__file__).parent / "saved_runs").glob("*/*.zip")
SMALL = "--epochs 1 --network dense:8 --latent-dim 2 --no-figures"
FITS = {  # runs that hold what `narrows apply` does not write
    "generate table.csv --label kind": {"samples", "interpolations", "traversals"},
    "generate rows.npz": {"samples", "samples_classes"},
    "sparse rows.npy": {"dictionary", "features"},
    "anomaly table.csv --time t --window 4": {"series_scores", "intervals"},
    "impute holes.csv": {"imputed", "imputed_intervals"},
    "translate photos": {"pictures", "translated"},
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home, draw = tmp_path_factory.mktemp("runs"), np.random.default_rng(0)
    rows, kinds = draw.normal(size=(60, 5)), np.array(["one", "two"])[np.arange(60) % 2]
    pl.DataFrame({"t": np.arange(60), **{f"x{i}": rows[:, i] for i in range(5)}, "kind": kinds}).write_csv(
        home / "table.csv"
    )
    holes = {f"x{i}": [None if j == i else v for j, v in enumerate(rows[:, i])] for i in range(5)}
    pl.DataFrame(holes).write_csv(home / "holes.csv")
    np.save(home / "rows.npy", rows.astype(np.float32))
    np.savez(home / "rows.npz", X=rows.reshape(60, 1, 5), y=kinds)
    for name in ("A/a.png", "A/b.png", "B/a.png", "B/b.png"):
        (home / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 256, (16, 16), np.uint8)).save(home / "photos" / name)
    folders = {}
    for i, words in enumerate(FITS):
        folders[words] = home / f"run{i}"
        task, data, *flags = words.split()
        small = "--epochs 1 --latent-dim 8 --k 2 --no-figures" if task == "sparse" else SMALL
        assert main(["fit", task, str(home / data), *flags, *small.split(), "-o", str(folders[words])]) == 0
    return folders


def stems(names: "list[str] | set[str]") -> set[str]:
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("words", FITS)
def test_what_a_fit_writes_goes_with_the_run(words: str, runs: dict[str, Path]) -> None:
    run = runs[words]
    about_the_run = {"model", "history", "report", "figures"}
    assert stems({path.name for path in run.iterdir()}) - about_the_run == FITS[words]
    assert {path.name for path in run_folder.own(run)} == {path.name for path in run.iterdir()}


def test_everything_that_is_declared_is_written(runs: dict[str, Path]) -> None:
    applied = [name.split("/") for path in SAVED for name in zipfile.ZipFile(path).namelist()]
    written = stems({parts[1] for parts in applied if parts[0] == "expected" and len(parts) > 1})
    declared = set(field_table()["writes"])
    assert declared == (written | set().union(*FITS.values())) - {"", "users"}  # what new users are, no fit writes
    import_uses()
    assert declared == {stem for cls in (*TASKS.values(), *WORKFLOWS.values()) for stem in cls.writes}


def test_what_is_not_declared_is_refused() -> None:
    rows: Workflow = WORKFLOWS["rows"]()
    require_declared(rows, nw.Reducer(), {"codes.csv", "reconstruction.csv", "imputed.parquet"})
    with pytest.raises(TypeError, match=r"density wrote \['codes'\], in `writes` of neither it nor rows"):
        require_declared(rows, nw.DensityEstimator(), {"codes.csv", "logp.csv"})
