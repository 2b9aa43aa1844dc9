"""``narrows fit reduce`` on the user's own data: the length of the code, the map, imputed tables, awkward tables."""

import json
import re
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import narrows as nw
from narrows.cli import main
from narrows.data import read
from narrows.data.tables.formatting import as_text
from narrows.tasks.reduce.latent_dim import CodeSize, _search, active_units, sweep
from narrows.workflows.tables import split


def planted(n: int = 600, seed: int = 0) -> pl.DataFrame:
    """Two hidden numbers behind eight columns of different kinds."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 2))
    X = 100 + 10 * (z @ np.array([[1, 2, -1, 0.5, 1], [1, -1, 0.5, 2, -2]]) + 0.05 * rng.normal(size=(n, 5)))
    return pl.DataFrame(
        {
            "customer_id": [f"{i:05d}" for i in range(n)],
            **{f"x{i}": X[:, i] for i in range(5)},
            "age": np.rint(40 + 10 * z[:, 0]).astype(int),
            "colour": np.where(z[:, 1] > 0, "red", "blue"),
            "site": ["here"] * n,
        }
    )


def punched(full: pl.DataFrame, share: float, columns: list[str]) -> pl.DataFrame:
    """The table with a share of the cells of some columns emptied."""
    rng = np.random.default_rng(1)
    kept = {name: pl.Series(rng.random(len(full)) >= share) for name in columns}
    return full.with_columns(pl.when(kept[name]).then(pl.col(name)).otherwise(None).alias(name) for name in columns)


def facts(run: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((run / "report.json").read_text(encoding="utf-8"))
    return found


def test_the_sweep_finds_the_planted_number_of_directions() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 5)) @ rng.normal(size=(5, 24)) + 0.02 * rng.normal(size=(500, 24))
    found = sweep(nw.LinearAutoEncoder(), X)
    assert found.chosen == 5
    assert np.allclose(found.errors, found.pca, rtol=1e-4)
    assert found.active[found.sizes.index(5)] == 5
    assert found.sizes == sorted(found.sizes)
    # PCA is the oracle of its own curve
    learn, held = (X[np.sort(part)] for part in np.split(np.random.default_rng(0).permutation(500), [100])[::-1])
    axes = np.linalg.svd(learn - learn.mean(0), full_matrices=False)[2]
    for size, error in zip(found.sizes, found.pca, strict=True):
        left = (held - learn.mean(0)) @ (np.eye(24) - axes[:size].T @ axes[:size])
        assert error == pytest.approx(np.square(left).mean())


def test_on_a_curved_surface_the_sweep_finds_fewer_numbers_than_pca_needs() -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 500))
    found = sweep(nw.AutoEncoder(epochs=40, batch_size=32), np.c_[a, b, 2 * np.tanh(2 * a), np.exp(b / 1.2), a * b])
    assert found.chosen == 2
    assert found.errors[1] < 0.5 * found.pca[1]


def test_few_epochs_do_not_make_the_code_longer() -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 400))
    curved = np.c_[a, b, 2 * np.tanh(2 * a), np.exp(b / 1.2), a * b]
    found = sweep(nw.AutoEncoder(epochs=1), curved)
    assert found.chosen == 2
    assert found.pca[1] / found.spread > 0.15  # two principal components are not enough
    rng = np.random.default_rng(1)
    flat = rng.normal(size=(400, 3)) @ rng.normal(size=(3, 12)) + 0.02 * rng.normal(size=(400, 12))
    assert sweep(nw.AutoEncoder(epochs=1), flat).chosen == 3


def test_on_noise_the_sweep_says_what_is_left() -> None:
    found = sweep(nw.AutoEncoder(epochs=3), np.random.default_rng(0).normal(size=(200, 6)))
    assert 1 <= found.chosen < 6
    assert f"{found.chosen} number" in found.reason


def test_idle_numbers_of_a_code_are_not_active() -> None:
    X = np.random.default_rng(0).normal(size=(400, 1)) @ np.ones((1, 6))
    assert active_units(nw.LinearAutoEncoder(latent_dim=3).fit(X), X) == 1
    both = np.c_[X, 0.5 * np.random.default_rng(1).normal(size=(400, 1)) @ np.ones((1, 6)) * [1, -1, 1, -1, 1, -1]]
    assert active_units(nw.LinearAutoEncoder(latent_dim=3).fit(both), both) == 2


def test_auto_writes_the_choice_and_its_reason(tmp_path: Path) -> None:
    planted().write_csv(tmp_path / "t.csv")
    run = tmp_path / "run"
    words = f"fit reduce {tmp_path}/t.csv --latent-dim auto --epochs 20 --quiet -o {run}"
    assert main(words.split()) == 0
    report = facts(run)
    kept = nw.load(run)
    found = CodeSize(**kept.code_size_)
    assert found.chosen == kept.estimator_.latent_dim == pl.read_csv(run / "codes.csv").width - 1
    assert any(found.reason in text for text in report["warnings"])  # type: ignore[attr-defined]
    assert (run / "figures" / "elbow.png").exists()
    assert report["compression"]["numbers_after"] == found.chosen  # type: ignore[index]
    assert main(["apply", str(run), f"{tmp_path}/t.csv", "-o", str(tmp_path / "out")]) == 0


def map_facts(run: Path) -> dict[str, object]:
    page = (run / "map.html").read_text(encoding="utf-8")
    assert "http://" not in page
    assert "https://" not in page
    held = re.search(r'<script type="application/json" id="facts">(.*?)</script>', page, re.DOTALL)
    assert held
    found: dict[str, object] = json.loads(held[1])
    return found


def test_the_map_holds_every_row_with_its_cells(tmp_path: Path) -> None:
    table = planted(60).with_columns(pl.Series("colour", ["</script><b>", "blue"] * 30))
    table.write_csv(tmp_path / "t.csv")
    assert main(f"fit reduce {tmp_path}/t.csv --latent-dim 2 --epochs 1 --no-figures -o {tmp_path}/run".split()) == 0
    found = map_facts(tmp_path / "run")
    assert found["ids"] == table["customer_id"].to_list()
    assert found["columns"] == [*(f"x{i}" for i in range(5)), "age", "colour", "site"]
    assert found["cells"][6] == table["colour"].to_list()  # type: ignore[index]
    ways = {way["name"]: way for way in found["colourings"]}  # type: ignore[attr-defined]
    assert list(ways) == ["nothing", *found["columns"], "held out"]  # type: ignore[misc]
    groups = [ways["colour"]["names"][ord(letter) - ord("a")] for letter in ways["colour"]["groups"]]
    assert groups == table["colour"].to_list()
    assert ways["held out"]["groups"] == found["held"]
    held = facts(tmp_path / "run")["data"]["held_out"]  # type: ignore[index]
    assert (found["held"].count("b"), len(found["held"])) == (held, 60)  # type: ignore[attr-defined,arg-type]
    codes = pl.read_csv(tmp_path / "run" / "codes.csv").select("z1", "z2").to_numpy()
    for axis, name in enumerate("xy"):
        low, high = found["ends"][axis]  # type: ignore[index]
        assert np.allclose(
            np.array(found[name]) / 65535 * (high - low) + low, codes[:, axis], atol=(high - low) / 65535
        )


def test_the_map_of_pictures_holds_a_sheet_of_them(tmp_path: Path) -> None:
    assert main(f"fit reduce digits --latent-dim 3 --epochs 1 --no-figures -o {tmp_path}/run".split()) == 0
    found = map_facts(tmp_path / "run")
    sheet = found["sheet"]
    assert (sheet["width"], sheet["height"]) == (8, 8)  # type: ignore[index]
    assert found["colourings"][0]["names"] == [str(i) for i in range(10)]  # type: ignore[index]
    assert len(found["ids"]) == len(found["colourings"][0]["groups"]) == 1797  # type: ignore[arg-type,index]
    assert "principal component" in found["axes"][0]  # type: ignore[index]


def test_holes_are_filled_better_than_by_the_mean_and_nothing_else_changes(tmp_path: Path) -> None:
    full = planted()
    columns = [*(f"x{i}" for i in range(5)), "age", "colour"]
    came = punched(full, 0.1, columns)
    came.write_csv(tmp_path / "t.csv")
    assert main(f"fit reduce {tmp_path}/t.csv --latent-dim 2 --epochs 60 --no-figures -o {tmp_path}/run".split()) == 0
    made = pl.read_csv(tmp_path / "run" / "imputed.csv", schema_overrides={"customer_id": pl.String})
    assert made.columns == full.columns
    assert made.dtypes == full.dtypes
    for name in full.columns:
        known = came[name].is_not_null()
        assert made[name].filter(known).equals(came[name].filter(known))
        assert made[name].null_count() == 0
    for name in columns[:-1]:
        hole, truth = came[name].is_null().to_numpy(), full[name].to_numpy()
        ours, mean = (np.square(np.array(each) - truth)[hole].mean() for each in (made[name], came[name].mean()))
        assert ours < 0.1 * mean
    hole = came["colour"].is_null().to_numpy()
    assert (made["colour"] == full["colour"]).to_numpy()[hole].mean() > 0.9
    assert main(["apply", f"{tmp_path}/run", f"{tmp_path}/t.csv", "-o", f"{tmp_path}/out"]) == 0
    assert (tmp_path / "out" / "imputed.csv").read_bytes() == (tmp_path / "run" / "imputed.csv").read_bytes()


def test_filled_cells_are_counted_in_the_report_and_at_apply(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = punched(planted(100), 0.2, ["x1", "age"])
    table.write_csv(tmp_path / "t.csv")
    words = ["fit", "reduce", str(tmp_path / "t.csv"), "-o", str(tmp_path / "run"), "--epochs", "1", "--no-figures"]
    assert main(words) == 0
    empty = {name: table[name].null_count() for name in ("x1", "age")}
    data = json.loads((tmp_path / "run" / "report.json").read_text(encoding="utf-8"))["data"]
    assert data["cells filled"] == empty
    assert any(
        note.startswith(f"'x1': missing in {empty['x1']} rows, filled with the median, ") for note in data["notes"]
    )
    new = table.head(10).with_columns(colour=pl.Series(["green", *["red"] * 9]), x2=pl.Series([None] * 4 + [1.0] * 6))
    new.write_csv(tmp_path / "new.csv")
    capsys.readouterr()
    assert main(["apply", str(tmp_path / "run"), str(tmp_path / "new.csv"), "-o", str(tmp_path / "out")]) == 0
    heard = capsys.readouterr().err.splitlines()
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert summary["notes"] == heard
    assert any(line.startswith("'x2': missing in 4 rows, filled with the median, 1") for line in heard)
    assert "'colour': 1 row holds values not seen in the rows learnt from ('green'): encoded as zeros" in heard
    assert summary["outputs"] == ["codes.csv", "imputed.csv", "reconstruction.csv"]


def test_a_table_without_holes_has_no_imputed_table(tmp_path: Path) -> None:
    planted(100).write_csv(tmp_path / "t.csv")
    assert main(f"fit reduce {tmp_path}/t.csv --epochs 1 --no-figures -o {tmp_path}/run".split()) == 0
    assert not (tmp_path / "run" / "imputed.csv").exists()


def test_dates_constants_and_arrays_with_holes(tmp_path: Path) -> None:
    days = [f"{1 + i % 28:02d}.{1 + i % 12:02d}.2024" for i in range(100)]
    table = (
        planted(100)
        .drop("customer_id")
        .with_columns(
            pl.Series("day", [None if i == 5 else day for i, day in enumerate(days)]),
            pl.Series("site", [None if i == 7 else "here" for i in range(100)]),
        )
    )
    table.write_csv(tmp_path / "t.csv")
    assert main(f"fit reduce {tmp_path}/t.csv --epochs 2 --no-figures -o {tmp_path}/run".split()) == 0
    made = pl.read_csv(tmp_path / "run" / "imputed.csv")
    assert made["day"].to_list()[:5] == days[:5]
    assert re.fullmatch(r"\d\d\.\d\d\.\d{4}", made["day"][5])
    assert made["site"].to_list() == ["here"] * 100
    rows = np.random.default_rng(0).normal(size=(100, 4)).astype(np.float32)
    rows[3, 2] = np.nan
    np.save(tmp_path / "rows.npy", rows)
    assert main(f"fit reduce {tmp_path}/rows.npy --epochs 2 --no-figures -o {tmp_path}/arrays".split()) == 0
    back = np.load(tmp_path / "arrays" / "imputed.npy")
    known = ~np.isnan(rows)
    assert np.array_equal(back[known], rows[known])
    assert np.isfinite(back).all()


def test_identifiers_constants_few_rows_and_an_unseen_category(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    full = planted(300)
    full.write_csv(tmp_path / "t.csv")
    assert main(f"fit reduce {tmp_path}/t.csv --epochs 3 -o {tmp_path}/run".split()) == 0
    said = capsys.readouterr().out
    assert "'customer_id' names the rows" in said
    assert "'site' is left out: one value" in said
    codes = pl.read_csv(tmp_path / "run" / "codes.csv", schema_overrides={"customer_id": pl.String})
    assert codes["customer_id"].to_list() == full["customer_id"].to_list()
    new = full.head(5).with_columns(pl.Series("colour", ["green", "red", "blue", "red", "blue"]))
    new.write_csv(tmp_path / "new.csv")
    assert main(["apply", f"{tmp_path}/run", f"{tmp_path}/new.csv", "-o", f"{tmp_path}/out"]) == 0
    assert "values not seen in the rows learnt from ('green')" in capsys.readouterr().err
    back = pl.read_csv(tmp_path / "out" / "reconstruction.csv", schema_overrides={"customer_id": pl.String})
    assert back["site"].to_list() == ["here"] * 5
    assert set(back["colour"]) <= {"red", "blue"}


def test_a_code_that_explains_nothing_is_the_shortest():
    assert _search(lambda size: -0.1 * size, 10) == (1, 1)
    assert _search(lambda size: 0.0, 10) == (1, 1)


def test_values_of_held_out_rows_only_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    full = planted(300).with_row_index("place")
    held = [int(row) for row in split(read(np.eye(300)), 0)[1].ids[:3]]
    odd = pl.col("place").is_in(held)
    full = full.with_columns(
        k=pl.when(odd).then(9).otherwise(5), level=pl.when(odd).then(pl.lit("rare")).otherwise(pl.col("colour"))
    )
    full.drop("place").write_csv(tmp_path / "t.csv")
    assert main(f"fit reduce {tmp_path}/t.csv --epochs 2 --random-state 0 -o {tmp_path}/run".split()) == 0
    said = capsys.readouterr().out
    assert "'k' is left out: one value in the rows learnt from, 5" in said
    assert "'k' was 5 in every row learnt from; 3 rows differ, which is not used" in said
    assert "'level': 3 rows hold values not seen in the rows learnt from ('rare'): encoded as zeros" in said
    assert "not there at fit" not in said


def test_a_value_of_anomalous_rows_only_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    full = planted(300).with_row_index("place").with_columns(y=(pl.col("place") % 30 == 0).cast(int)).drop("place")
    full.with_columns(sig=pl.col("y")).write_csv(tmp_path / "t.csv")
    assert main(f"fit anomaly {tmp_path}/t.csv --label y --epochs 2 -o {tmp_path}/run".split()) == 0
    said = capsys.readouterr().out
    assert "'sig' was 0 in every row learnt from; 10 rows differ, which is an anomaly" in said
    assert "not there at fit" not in said


@pytest.mark.parametrize("flags", [[], ["--stream"]])
def test_lists_and_durations_are_written_as_text(flags: list[str], tmp_path: Path) -> None:
    full = punched(planted(300), 0.1, ["x0"])
    seconds = [60 * int(age) for age in full["age"]]
    full = full.with_columns(
        tags=pl.Series([["a", str(i)] for i in range(300)]),
        raw=pl.Series([b"\x00\xff"] * 300),
        time=pl.Series([timedelta(seconds=each) for each in seconds]).set(pl.Series([True] + [False] * 299), None),
    )
    full.write_parquet(tmp_path / "t.parquet")
    words = ["fit", "reduce", "--no-figures", f"{tmp_path}/t.parquet", "--epochs", "2", "-o", f"{tmp_path}/run", *flags]
    assert main(words) == 0
    assert main(["apply", f"{tmp_path}/run", f"{tmp_path}/t.parquet", "-o", f"{tmp_path}/out"]) == 0
    for folder in ("run", "out"):
        whole = pl.read_csv(tmp_path / folder / "imputed.csv", infer_schema=False)
        assert [json.loads(each) for each in whole["tags"]] == [["a", str(i)] for i in range(300)]
        assert set(whole["raw"]) == {'"00ff"'}
        assert whole["time"][1:].to_list() == as_text(full["time"])[1:].to_list()
        assert whole["x0"].null_count() == 0
        assert whole["time"].null_count() == 0
    assert any("'tags' is left out" in note and "JSON" in note for note in facts(tmp_path / "run")["data"]["notes"])


@pytest.mark.parametrize(("flags", "form"), [([], "csv"), (["--stream"], "parquet")])
def test_identifiers_called_like_a_column_of_results_stay(flags: list[str], form: str, tmp_path: Path) -> None:
    full = planted(300).rename({"customer_id": "z1"})
    getattr(full, f"write_{form}")(tmp_path / f"t.{form}")
    words = ["fit", "reduce", "--no-figures", f"{tmp_path}/t.{form}", "--epochs", "2", "-o", f"{tmp_path}/run", *flags]
    assert main(words) == 0
    codes = pl.read_csv(tmp_path / "run" / "codes.csv", schema_overrides={"z1_": pl.String})
    assert codes["z1_"].to_list() == full["z1"].to_list()
    assert codes["z1"].dtype == pl.Float64
