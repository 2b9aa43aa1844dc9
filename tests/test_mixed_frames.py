"""Tasks that are given frames: mixed rows go in, results come back as such, and the command goes on from there."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

import narrows as nw
from narrows.cli import main
from narrows.data import read
from narrows.errors import InputError

N = 90


def mixed() -> pd.DataFrame:
    """A frame with holes, a date, categories, an identifier, one value, and an index of its own."""
    draw = np.random.default_rng(0)
    size = draw.normal(size=N)
    columns = {
        "key": [f"k{i}" for i in range(N)],
        "size": np.round(100 + 40 * size, 1),
        "rooms": draw.integers(1, 5, N),
        "town": pd.Categorical(np.where(size > 0, "Ulm", "Bonn")),
        "day": pd.date_range("2024-01-01", periods=N),
        "one": "same",
        "debt": np.where(draw.random(N) < 0.2, np.nan, 1000 * size),
    }
    return pd.DataFrame(columns, index=[f"r{i}" for i in range(N)])


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return mixed()


@pytest.fixture(scope="module")
def reducer(frame: pd.DataFrame) -> Any:
    return nw.Reducer(latent_dim=2, epochs=2, random_state=0).fit(frame)


@pytest.fixture(scope="module")
def imputer(frame: pd.DataFrame) -> Any:
    return nw.Imputer(epochs=5, members=2, random_state=0).fit(frame)


def test_rows_come_back_as_a_frame_with_index_and_types(frame: pd.DataFrame, reducer: Any) -> None:
    codes = reducer.transform(frame)
    assert codes.shape == (N, 2)
    back = reducer.reconstruct(frame)
    assert back.index.equals(frame.index)
    assert back.dtypes.equals(frame.drop(columns="key").dtypes)
    assert set(back["town"]) <= {"Ulm", "Bonn"}
    assert back["rooms"].between(1, 4).all()
    assert reducer.inverse_transform(codes).reset_index(drop=True).equals(back.reset_index(drop=True))
    named = clone(reducer).set_output(transform="pandas").fit_transform(frame)
    assert named.index.equals(frame.index)
    turned = frame[frame.columns[::-1]]
    assert np.array_equal(reducer.transform(turned), codes)


def test_numbers_are_those_that_the_command_learns_from(frame: pd.DataFrame, reducer: Any, imputer: Any) -> None:
    source = read(frame)
    X = source.fit_schema().encode(source)
    assert np.array_equal(clone(reducer).fit(X).transform(X), reducer.transform(frame))
    density = nw.DensityEstimator(samples=2, epochs=1, random_state=0).fit(frame)
    assert density.table_.schema_.to_json() == source.linear().fit_schema().to_json()
    assert imputer.measures_ == list(source.fit_schema().with_blanks().measures)
    assert density.measures_ == [list(m) for m in source.linear().fit_schema().measures]


def test_a_frame_is_filled_and_all_else_stays(frame: pd.DataFrame, imputer: Any) -> None:
    filled, holes = imputer.transform(frame), frame["debt"].isna()
    assert filled.notna().all(axis=None)
    pd.testing.assert_frame_equal(filled.drop(columns="debt"), frame.drop(columns="debt"))
    pd.testing.assert_series_equal(filled["debt"][~holes], frame["debt"][~holes])
    assert filled["debt"].between(frame["debt"].min(), frame["debt"].max()).all()
    result = imputer.fill(frame)
    assert result.values.equals(filled)
    assert (result.low["debt"] <= result.high["debt"])[holes].all()
    assert (result.high["debt"] > result.low["debt"])[holes].mean() > 0.9
    assert list(result.chances.columns) == ["size", "rooms", "town", "day", "debt"]
    assert list(imputer.set_output(transform="pandas").transform(frame).columns) == list(frame.columns)


def test_new_rows_and_reasons_are_in_the_units_of_the_frame(frame: pd.DataFrame) -> None:
    rows = nw.Generator(latent_dim=2, epochs=1, random_state=0).fit(frame).sample(7, random_state=0)
    assert rows.dtypes.equals(frame.drop(columns="key").dtypes)
    assert len(rows) == 7
    detector = nw.AnomalyDetector(clean=True, epochs=1, random_state=0).fit(frame)
    odd = frame.iloc[:3].copy()
    odd.loc["r1", "debt"] = 90_000.0
    with pytest.warns(UserWarning, match="far from all other values"):
        assert detector.predict(odd).tolist()[1] == -1
    with pytest.warns(UserWarning, match="far from all other values"):
        why = detector.explain(odd)
    assert why.contributions.loc["r1"].idxmax() == "debt"
    assert why.expected.index.equals(odd.index)
    assert why.expected["debt"].abs().max() < 9000
    odd = frame.iloc[:3].assign(one=["same", "same", "other"])
    with pytest.warns(UserWarning, match="which is an anomaly"):
        assert detector.explain(odd).contributions.loc["r2", "one"] > 0


def test_a_classifier_of_frames_is_scored_like_any_other(frame: pd.DataFrame) -> None:
    y = np.where(frame["town"] == "Ulm", "south", "west")
    model = nw.CodeClassifier(epochs=2, tune_epochs=20, random_state=0)
    assert cross_val_score(model, frame.drop(columns="key"), y, cv=2).mean() > 0.9


def test_what_nw_read_gives_is_read_as_the_user_says(frame: pd.DataFrame) -> None:
    source = read(frame, columns={"rooms": "category"})
    task = nw.Denoiser(epochs=1, random_state=0).fit(source)
    assert "rooms=2" in task.table_.schema_.feature_names
    assert task.denoise(frame).index.equals(frame.index)
    assert isinstance(task.denoise(pl.DataFrame(frame.drop(columns="key").to_dict("list"))), pl.DataFrame)


def test_a_saved_model_reads_frames_and_the_command_applies_it(
    frame: pd.DataFrame, reducer: Any, imputer: Any, tmp_path: Path
) -> None:
    again = nw.load(reducer.save(tmp_path / "model"))
    assert np.array_equal(again.transform(frame), reducer.transform(frame))
    assert again.reconstruct(frame).equals(reducer.reconstruct(frame))
    assert isinstance(again.inverse_transform(again.transform(frame)), pd.DataFrame)
    frame.to_csv(tmp_path / "t.csv", index=False)
    imputer.save(tmp_path / "imputer")
    assert main(["apply", f"{tmp_path}/imputer", f"{tmp_path}/t.csv", "-o", f"{tmp_path}/out"]) == 0
    filled = pd.read_csv(tmp_path / "out" / "imputed.csv")
    assert np.allclose(filled["debt"], imputer.set_output(transform="default").transform(frame)["debt"], rtol=1e-5)


def test_a_report_on_a_frame_names_its_columns(frame: pd.DataFrame, imputer: Any, tmp_path: Path) -> None:
    report = nw.report(imputer, frame, tmp_path)
    rows = {row[0]: row for row in report["tables"][0]["rows"]}
    assert set(rows) == {"size", "rooms", "town", "day", "debt"}
    assert rows["day"][2] == "days"
    assert 100 < float(rows["debt"][3]) < 3000


def test_a_family_names_the_way_for_mixed_frames(frame: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=r"'key' holds no numbers.*nw\.Table"):
        nw.AutoEncoder(epochs=1).fit(frame)


def test_errors_by_column_are_in_the_units_of_the_frame(frame: pd.DataFrame, reducer: Any, tmp_path: Path) -> None:
    back, task = reducer.reconstruct(frame), clone(reducer).fit(frame)
    assert task.errors_["debt"] == pytest.approx(
        np.sqrt(np.mean((back["debt"] - frame["debt"].fillna(median(frame))) ** 2))
    )
    assert task.errors_["town"] == (back["town"] != frame["town"]).mean()
    days = (back["day"] - frame["day"]) / pd.Timedelta("1D")
    assert task.errors_["day"] == pytest.approx(np.sqrt(np.mean(days**2)))
    table = nw.report(task, frame, tmp_path)["tables"][0]
    assert table["columns"][:3] == ("column", "unit", "the autoencoder")
    assert {row[0]: row[1] for row in table["rows"]}["town"] == "share of wrong levels"
    assert [float(row[2]) for row in table["rows"]] == pytest.approx(list(task.errors_.values()), rel=1e-3)
    assert nw.load(task.save(tmp_path / "model")).errors_ == task.errors_


def median(frame: pd.DataFrame) -> float:
    """What stands in for a missing debt."""
    return float(frame["debt"].median())


def test_categories_of_polars_are_filled_as_such() -> None:
    sizes = pl.Series("size", ["S", "L", None, "L"] * 10, dtype=pl.Enum(["S", "M", "L"]))
    frame = pl.DataFrame(
        {"size": sizes, "x": np.arange(40.0), "town": pl.Series(["Ulm", "Bonn"] * 20).cast(pl.Categorical)}
    )
    task = nw.Imputer(epochs=1, members=1, random_state=0).fit(frame)
    filled = task.transform(frame)
    assert filled.schema == frame.schema
    assert filled.null_count().row(0) == (0, 0, 0)
    assert filled.filter(sizes.is_not_null()).equals(frame.filter(sizes.is_not_null()))
    empty = frame.head(4).with_columns(pl.Series("town", [None] * 4))  # no cell says that it holds texts
    assert set(task.transform(empty)["town"].to_list()) <= {"Ulm", "Bonn"}
