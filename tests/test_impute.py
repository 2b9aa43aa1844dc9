"""Filled cells: what they may be, how sure they are, what is hidden to learn and to measure, and the way to files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import narrows as nw
from narrows.base_measure import Measure
from narrows.cli import main
from narrows.data import read
from narrows.data.pairs import Batch
from narrows.data.tables.schema import TableSchema
from narrows.errors import ArtefactError, InputError
from narrows.tasks.base import Rows
from narrows.tasks.impute.baselines import iterative_regression, mean_or_mode, nearest_neighbours
from narrows.tasks.impute.cells import Cells, Support
from narrows.tasks.impute.evaluate import Losses
from narrows.tasks.impute.gaussian import Gaussian
from narrows.tasks.impute.hiding import Hide, hidden_like_missing

MIXED = [Measure("gaussian"), Measure("categorical", 3), Measure("rounded", 1, 2.0, 4.0)]


def plane(n: int = 400) -> np.ndarray:
    """Rows (n, 5) that two numbers make, with a little noise."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 2)) @ rng.normal(size=(2, 5)) + 0.05 * rng.normal(size=(n, 5))


@pytest.fixture(scope="module")
def fitted() -> tuple[np.ndarray, np.ndarray, Any]:
    truth = plane()
    X = np.where(np.random.default_rng(1).random(truth.shape) < 0.15, np.nan, truth)
    return truth, X, nw.Imputer(epochs=60, members=2, random_state=0).fit(X)


def test_known_cells_stay_and_gaps_are_filled_better_than_by_the_mean(fitted: Any) -> None:
    truth, X, task = fitted
    filled, gaps = task.transform(X), np.isnan(X)
    assert np.array_equal(filled[~gaps], X[~gaps])
    error = np.sqrt(np.mean(((filled - truth) / truth.std(0))[gaps] ** 2))
    by_mean = np.sqrt(np.mean(((np.nanmean(X, 0) - truth) / truth.std(0))[gaps] ** 2))
    assert error < 0.5 * by_mean, (error, by_mean)
    assert (filled >= np.nanmin(X, 0)).all()
    assert (filled <= np.nanmax(X, 0)).all()


def test_intervals_hold_about_nine_tenths_of_what_was_hidden(fitted: Any) -> None:
    truth, X, task = fitted
    result, gaps = task.fill(X), np.isnan(X)
    inside = ((truth >= result.low) & (truth <= result.high))[gaps].mean()
    assert 0.8 <= inside <= 0.99, inside
    assert (result.low <= result.values)[gaps].mean() > 0.98
    assert (result.high >= result.values)[gaps].mean() > 0.98


def test_a_loaded_imputer_fills_the_same(fitted: Any, tmp_path: Path) -> None:
    _, X, task = fitted
    again = nw.load(task.save(tmp_path / "model"))
    for ours, theirs in zip(again.fill(X), task.fill(X), strict=True):
        assert np.array_equal(ours, theirs, equal_nan=True)
    assert len(again.members_) == 1
    state = again.fitted_state() | {"members_": again.members_}
    with pytest.raises(ArtefactError, match="supports_ of 5 and 4 cells"):
        again.adopt_state(state | {"supports_": state["supports_"][1:]})
    with pytest.raises(ArtefactError, match="members_ holds 7 weights"):
        again.adopt_state(state | {"members_": np.zeros((1, 7), np.float32)})


def test_whole_numbers_are_whole_and_answers_stay_answers() -> None:
    rng = np.random.default_rng(0)
    mood = rng.normal(size=(300, 1))
    X = np.clip(np.rint(3 + mood + 0.5 * rng.normal(size=(300, 6))), 1, 5)
    X[:, 5] = np.rint(1000 * (mood[:, 0] + rng.normal(size=300)))
    X[rng.random(X.shape) < 0.2] = np.nan
    filled = nw.Imputer(epochs=10, members=1, random_state=0).fit_transform(X)
    assert set(np.unique(filled[:, :5])) <= {1.0, 2.0, 3.0, 4.0, 5.0}
    assert np.array_equal(filled, np.rint(filled))
    assert filled[:, 5].min() >= np.nanmin(X[:, 5])
    assert filled[:, 5].max() <= np.nanmax(X[:, 5])


def test_another_likelihood_is_refused_before_training() -> None:
    with pytest.raises(InputError, match=r"'laplace' came for impute.*likelihood='mixed'"):
        nw.Imputer(estimator=nw.AutoEncoder(likelihood="laplace")).fit(plane(30))


def test_a_family_that_keeps_its_likelihood_gets_a_law_for_every_column() -> None:
    X = plane(60)
    X[3, 1] = np.nan
    task = nw.Imputer(estimator=nw.VAE(latent_dim=2), epochs=1, random_state=0)
    assert np.isfinite(task.fit_transform(X)).all()
    assert task.estimator_.likelihood_.columns == ("gaussian*5",)
    assert task.estimator.likelihood == nw.VAE.likelihood


def test_what_a_column_may_hold() -> None:
    steps = Support.of(np.arange(100) / 4 - 0.5, MIXED[2])
    assert steps.levels == []
    assert (steps.low, steps.high) == (-0.5, 24.25)
    assert steps.nearest(np.array([-9.0, 0.3, 1.6, 99.0])).tolist() == [-0.5, 0.25, 1.5, 24.25]
    free = Support.of(np.linspace(0, 1, 50), Measure("gaussian"))
    assert free.nearest(np.array([-1.0, 0.123, 2.0])).tolist() == [0.0, 0.123, 1.0]
    assert Support.of(np.zeros(0), Measure("gaussian")).nearest(np.array([3.0])).tolist() == [0.0]


def test_a_level_that_was_never_seen_is_not_filled_in() -> None:
    cells = Cells(MIXED)
    rows = np.array([[0.3, 0.2, 0.7, 0.1, 0.1]])
    supports = [Support(-1, 1, []), Support(0, 1, []), Support(-5, 5, [], 2.0, 4.0)]
    filled = cells.in_form(rows, supports, np.array([0, 0.5, 0.0, 0.5, 0]))
    assert filled.tolist() == [[0.3, 1.0, 0.0, 0.0, 0.0]]
    assert cells.chances(filled, rows)[0, 1] == 0.2
    assert cells.blocks == [slice(1, 4)]


def test_what_is_hidden_is_priced_and_stands_at_its_column() -> None:
    torch.manual_seed(0)
    cells, fill = Cells(MIXED), np.array([9.0, 0.5, 0.25, 0.25, 7.0], np.float32)
    x = torch.ones(4000, 5)
    known = torch.ones(4000, 3)
    known[:, 2] = 0
    batch = Batch(x, x, known, torch.as_tensor(cells.spread(known.numpy())))
    gaussian = Gaussian.of_mean(torch.tensor(fill))
    hidden = Hide(cells.of_column, gaussian)(batch)
    assert hidden.cond is not None
    assert hidden.weight is not None
    gone = hidden.cond == 0
    assert gone[:, 2].all()
    assert abs(gone[:, :2].float().mean().item() - 0.325) < 0.02
    assert (hidden.x[gone[:, 1]][:, 1:4] == torch.tensor([0.5, 0.25, 0.25])).all()
    assert hidden.weight[:, 0].unique().tolist() == pytest.approx([0.1, 1.0])
    assert (hidden.weight[:, 0] == 1).equal(gone[:, 0])
    assert (hidden.weight[:, 4] == 0).all()
    assert (hidden.x[:, 4] == 7).all()  # what was never known is told anew from what is left
    assert (hidden.target == x).all()
    still = Hide(cells.of_column, gaussian).still
    assert torch.equal(still(batch).x, still(batch).x)


def test_weights_are_chosen_on_hidden_cells() -> None:
    X = np.random.default_rng(0).normal(size=(300, 5))
    task = nw.Imputer(epochs=60, members=1, random_state=0).fit(X)
    errors = [entry["errors"]["valid"]["mean squared error"] for entry in task.history_]
    assert min(errors) > 0.25, errors  # of independent columns nothing can be told; what is seen would be copied


def test_cells_are_hidden_together_as_they_are_missing_together() -> None:
    patterns = np.ones((100, 3), bool)
    patterns[:30, :2] = False
    hidden = hidden_like_missing(np.ones((5000, 3), bool), patterns, np.random.default_rng(0))
    assert (hidden[:, 0] == hidden[:, 1]).all()
    assert hidden.mean(0).round(2).tolist() == pytest.approx([0.3, 0.3, 0.1], abs=0.02)


def test_one_number_is_the_mean_of_columns_each_on_its_own_scale() -> None:
    cells = Cells([Measure("gaussian"), Measure("categorical", 2)])
    train = np.array([[-2.0, 1, 0], [2.0, 1, 0], [-2.0, 1, 0], [2.0, 0, 1]])  # deviation 2; the mode is wrong in 1/4
    truth = np.array([[0.0, 1, 0], [4.0, 0, 1]])
    losses = Losses(cells, train, truth, np.ones((2, 2), bool), 1)
    parts = losses.parts(np.array([[0.0, 1, 0], [0.0, 1, 0]]))
    assert losses.by_column(parts.sum(0)).tolist() == pytest.approx([8**0.5, 0.5])
    assert losses.numbers(parts)["error"] == pytest.approx((8**0.5 / 2 + 0.5 / 0.25) / 2)
    assert losses.numbers(parts)["wrong"] == 0.5


def test_the_simple_fillings_are_those_of_scikit_learn() -> None:
    from sklearn.impute import KNNImputer

    X = plane(60)
    X[3, 1] = X[9, 4] = np.nan
    assert mean_or_mode(X, X)[3, 1] == pytest.approx(np.nanmean(X[:, 1]))
    assert np.allclose(nearest_neighbours(X, X), KNNImputer(n_neighbors=10).fit_transform(X))
    assert abs(iterative_regression(X, X)[3, 1] - plane(60)[3, 1]) < 0.5
    block = np.eye(3)[np.arange(60) % 3]
    rows = np.c_[X, block]
    rows[5, 5:] = np.nan
    assert iterative_regression(rows, rows, [slice(5, 8)])[:, 5:].sum(1) == pytest.approx(np.ones(60))


def test_the_verdict_is_measured_on_hidden_cells_of_other_rows(fitted: Any) -> None:
    _, X, task = fitted
    result = task.evaluate(Rows(X[:350]), Rows(X[350:]))
    assert set(result.baselines) == {"mean or mode", "nearest neighbours", "iterative regression"}
    assert result.metrics["error"].value < result.baselines["mean or mode"]["error"]
    assert result.baselines["mean or mode"]["error"] == pytest.approx(1, abs=0.15)
    assert 0.8 < result.metrics["coverage"].value <= 1
    table = result.tables[0]
    assert table["columns"][:3] == ("column", "cells", "unit")
    assert len(table["rows"]) == 5


def mixed_table(home: Path) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    size = rng.normal(size=200)
    frame = pl.DataFrame(
        {
            "id": [f"k{i}" for i in range(200)],
            "size": np.round(size, 2),
            "count": np.rint(np.exp(1 + size)).astype(int),
            "day": pl.Series([f"2024-0{1 + (s > 0)}-{10 + i % 9}" for i, s in enumerate(size)]).str.to_date(),
            "kind": np.where(size > 0, "large", "small"),
        }
    )
    gone = rng.random((200, 5)) < 0.2
    holes = [
        pl.when(pl.Series(gone[:, i])).then(None).otherwise(pl.col(c)).alias(c) for i, c in enumerate(frame.columns)
    ]
    frame = frame.with_columns(holes[1:])
    frame.write_csv(home / "t.csv")
    return frame


def test_a_table_comes_back_whole_with_an_interval_for_each_cell(tmp_path: Path, capsys: Any) -> None:
    frame = mixed_table(tmp_path)
    run = tmp_path / "run"
    assert main(f"fit impute {tmp_path}/t.csv -o {run} --epochs 30 --members 1 --no-figures".split()) == 0
    said = capsys.readouterr().out
    assert "filled by the model" in said
    assert "a level of its own" not in said
    assert "not seen" not in said
    made = pl.read_csv(run / "imputed.csv", try_parse_dates=True)
    assert made.columns == frame.columns
    assert not sum(made.null_count().row(0))
    assert made.schema == frame.schema
    for name in frame.columns:
        known = frame[name].is_not_null()
        assert made[name].filter(known).equals(frame[name].filter(known))
    assert set(made["kind"]) == {"large", "small"}
    assert made["count"].min() >= frame["count"].min()
    cells = pl.read_csv(run / "imputed_intervals.csv", infer_schema=False)
    assert cells.columns == ["id", "column", "value", "low", "high", "probability"]
    assert len(cells) == sum(frame.null_count().row(0))
    numbers = cells.filter(pl.col("column") == "count").select(pl.col("value", "low", "high").cast(pl.Int64))
    assert (numbers["low"] <= numbers["high"]).all()
    assert numbers["low"].min() >= frame["count"].min()
    levels = cells.filter(pl.col("column") == "kind")
    assert levels["low"].null_count() == len(levels)
    assert levels["probability"].cast(float).min() >= 0.5
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    assert {row[0]: row[2] for row in report["tables"][0]["rows"]}["day"] == "days"
    assert main(["apply", str(run), f"{tmp_path}/t.csv", "-o", f"{tmp_path}/out"]) == 0
    for name in ("imputed.csv", "imputed_intervals.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (run / name).read_bytes()


def test_a_missing_category_is_missing_where_it_is_to_be_filled() -> None:
    source = read(pl.DataFrame({"a": [1.0, 2.0, None, 4.0], "b": ["x", None, "y", "x"]}))
    schema = source.fit_schema()
    assert isinstance(schema, TableSchema)
    blank = schema.with_blanks()
    assert blank.feature_names == ("a", "b=x", "b=y")
    assert blank.known(source).astype(int).tolist() == [[1, 1, 1], [1, 0, 0], [0, 1, 1], [1, 1, 1]]
    assert schema.known(source)[:, 1:].all()
    assert blank.warnings(source) == ()
    assert set(blank.fillings(source)) == {"a", "b"}
    assert TableSchema.from_json(blank.to_json()).columns == blank.columns


def test_what_is_no_table_is_refused(tmp_path: Path, capsys: Any) -> None:
    np.save(tmp_path / "p.npy", np.zeros((30, 8, 8), np.uint8))
    assert main(["fit", "impute", f"{tmp_path}/p.npy", "-o", f"{tmp_path}/run"]) == 2
    assert "holds no table" in capsys.readouterr().err


def test_a_typed_likelihood_is_refused_also_where_it_is_that_of_the_family(tmp_path: Path, capsys: Any) -> None:
    pl.DataFrame(plane(40)).write_csv(tmp_path / "t.csv")
    assert main(["fit", "impute", f"{tmp_path}/t.csv", "-o", f"{tmp_path}/run", "--likelihood", "gaussian"]) == 2
    assert (
        "'gaussian' came for impute. Accepted: a law for every column. Try: --likelihood mixed"
        in capsys.readouterr().err
    )
