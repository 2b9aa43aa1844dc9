"""nw.Table: a mixed frame to numbers and back, as a step of scikit-learn."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import narrows as nw
from narrows.data import read
from narrows.errors import InputError

N = 60


def mixed() -> pd.DataFrame:
    """A frame of many types, with holes, and an index of its own."""
    draw = np.random.default_rng(0)
    columns = {
        "price": np.round(np.exp(draw.normal(3, 1, N)), 2),
        "single": draw.normal(size=N).astype("f4"),
        "rooms": draw.integers(1, 900, N),
        "nullable": pd.array([None, *range(N - 1)], dtype="Int64"),
        "yes": draw.random(N) > 0.5,
        "zone": pd.Categorical(draw.integers(1, 4, N)),
        "grade": pd.Categorical(draw.choice(["lo", "mid", "hi"], N), ["lo", "mid", "hi"], ordered=True),
        "town": draw.choice(["Ulm", "Bonn", "Jena"], N),
        "text": np.array(draw.choice(["x", "y"], N), object),
        "day": pd.date_range("2024-01-01", periods=N),
        "hour": pd.date_range("2024-01-01 10:00", periods=N, freq="h", tz="Europe/Berlin"),
        "took": pd.to_timedelta(draw.integers(0, 100, N), "h"),
        "one": 3,
        "holes": np.where(draw.random(N) < 0.2, np.nan, draw.normal(size=N)),
    }
    return pd.DataFrame(columns, index=[f"r{i}" for i in draw.permutation(N)])


@pytest.fixture(scope="module")
def fitted() -> tuple[pd.DataFrame, Any]:
    frame = mixed()
    return frame, nw.Table().fit(frame)


@parametrize_with_checks([nw.Table(), nw.Table(missing="keep")])
def test_scikit_learn(estimator: Any, check: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # checks pass odd data on purpose
        check(estimator)


def test_what_comes_back_has_columns_types_index_and_values(fitted: Any) -> None:
    frame, table = fitted
    numbers = table.transform(frame)
    assert numbers.index.equals(frame.index)
    assert list(numbers.columns) == list(table.get_feature_names_out())
    assert (numbers.dtypes == "float64").all()
    back = table.inverse_transform(numbers)
    assert list(back.columns) == list(frame.columns)
    assert back.dtypes.equals(frame.dtypes)
    assert back.index.equals(frame.index)
    known = frame.drop(columns=["nullable", "holes", "single", "price"])
    pd.testing.assert_frame_equal(back[known.columns], known)
    for name in ("price", "single", "holes"):
        there = frame[name].notna()
        assert np.allclose(back[name][there], frame[name][there], atol=1e-6)
        assert back[name].notna().all()


def test_missing_numbers_stay_missing_where_they_are_to_be_kept(fitted: Any) -> None:
    frame, filled = fitted
    table = nw.Table(missing="keep")
    numbers = table.fit_transform(frame)
    assert numbers["holes"].isna().equals(frame["holes"].isna())
    assert table.inverse_transform(numbers)["holes"].isna().equals(frame["holes"].isna())
    assert filled.transform(frame).notna().all(axis=None)


def test_polars_and_arrays_come_back_as_such() -> None:
    frame = pl.from_dict({"size": [1.5, None, 4.0, 2.0], "town": ["Ulm", "Bonn", None, "Ulm"]})
    table = nw.Table().fit(frame)
    numbers = table.transform(frame)
    assert numbers.columns == ["size", "town=Bonn", "town=Ulm", "town=missing"]
    back = table.inverse_transform(numbers)
    assert back.schema == frame.schema
    assert back["town"].to_list() == frame["town"].to_list()
    assert back["size"].to_list() == [1.5, 2.0, 4.0, 2.0]
    X = np.random.default_rng(0).normal(size=(20, 3))
    array = nw.Table().fit(X)
    assert np.allclose(array.inverse_transform(array.transform(X)), X)


def test_columns_are_what_the_user_says_and_are_found_by_name() -> None:
    frame = pd.DataFrame({"zip": [2138, 2139, 2138, 2141], "pay": [1.0, 2.0, 5.0, 3.0]})
    table = nw.Table(columns={"zip": "category"}).fit(frame)
    assert list(table.get_feature_names_out()) == ["zip=2138", "zip=2139", "zip=2141", "pay"]
    turned = frame[["pay", "zip"]].assign(more=1)
    with pytest.warns(UserWarning, match="'more'"):
        assert table.transform(turned).equals(table.transform(frame))
    assert table.inverse_transform(table.transform(frame))["zip"].tolist() == frame["zip"].tolist()
    with pytest.raises(InputError, match="no column 'zap'"):
        nw.Table(columns={"zap": "category"}).fit(frame)
    with pytest.raises(InputError, match="'pay'"):
        table.transform(frame[["zip"]])
    with pytest.raises(ValueError, match="'fill' or 'keep'"):
        nw.Table(missing="median").fit(frame)
    with pytest.raises(InputError, match="no table"):
        nw.Table().fit(read(np.zeros((3, 8, 8), np.uint8)))


def test_it_reads_what_the_command_reads(fitted: Any) -> None:
    frame, table = fitted
    source = read(frame)
    assert np.array_equal(table.transform(frame).to_numpy(), source.fit_schema().encode(source))
    assert table.schema_.to_json() == source.fit_schema().to_json()
    assert any("'one' is left out" in note for note in table.notes_)
    named = pd.DataFrame({"id": [f"k{i}" for i in range(30)], "x": np.arange(30) / 7})
    assert nw.Table().fit(named).left_out_ == ("id",)


def test_it_is_a_step_of_a_pipeline(fitted: Any) -> None:
    frame, table = fitted
    y = (frame["price"] > frame["price"].median()).to_numpy()
    pipe = make_pipeline(nw.Table(columns={"price": "amount"}), LogisticRegression())
    assert cross_val_score(clone(pipe), frame, y, cv=3).mean() > 0.75
    assert pipe.fit(frame, y)[:-1].get_feature_names_out()[0] == "price"
    codes = make_pipeline(nw.Table(), nw.LinearAutoEncoder(latent_dim=3))
    assert codes.inverse_transform(codes.fit_transform(frame)).dtypes.equals(frame.dtypes)
    assert isinstance(nw.Table().set_output(transform="polars").fit_transform(frame), pl.DataFrame)
    with pytest.raises(NotFittedError):
        nw.Table().transform(frame)
    with pytest.warns(UserWarning, match="not seen in the rows learnt from"):
        assert table.transform(frame.assign(town="Rom")).filter(like="town=").to_numpy().sum() == 0


def test_columns_of_one_name_are_refused_in_one_message() -> None:
    with pytest.raises(InputError, match="columns of the same name: 'x'"):
        nw.Table().fit(pd.DataFrame([[1.0, 2.0], [3.0, 5.0]], columns=["x", "x"]))
