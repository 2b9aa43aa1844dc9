"""Tables: identifiers, notes, and encode against scikit-learn's transformers."""

import json
import subprocess
import sys
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from narrows.data import check, read, schema_from_json
from narrows.data.base import Treatment
from narrows.errors import ArtefactError

RNG = np.random.default_rng(0)
COLOURS = ["red", "blue", "green", "red"] * 10


def mixed(n: int = 40) -> pl.DataFrame:
    days = [date(2020, 1, 1) + timedelta(days=int(i)) for i in RNG.integers(0, 999, n)]
    return pl.DataFrame(
        {
            "size": RNG.normal(5, 3, n),
            "count": RNG.integers(-50, 50, n),
            "colour": COLOURS[:n],
            "flag": RNG.random(n) > 0.5,
            "day": days,
            "same": ["x"] * n,
            "none": pl.Series([None] * n, dtype=pl.Float64),
            "small": RNG.integers(0, 9, n).astype(np.int8),
            "single": RNG.random(n).astype(np.float32),
        }
    )


def written(folder: Path, content: str | bytes, name: str = "t.csv") -> Path:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder / name


def test_identity_on_a_mixed_frame() -> None:
    frame = mixed()
    source = read(frame)
    schema = schema_from_json(json.loads(json.dumps(source.fit_schema().to_json(), allow_nan=False)))
    back = schema.decode(schema.encode(source))
    assert back.schema == frame.schema
    for name in frame.columns:
        if frame[name].dtype.is_float():
            np.testing.assert_allclose(back[name].to_numpy(), frame[name].to_numpy(), rtol=1e-9)
        else:
            assert back[name].to_list() == frame[name].to_list(), name


def test_statistics_are_exact_after_json() -> None:
    source = read(mixed())
    schema = source.fit_schema()
    again = schema_from_json(json.loads(json.dumps(schema.to_json())))
    np.testing.assert_array_equal(schema.encode(source), again.encode(source))
    assert again.to_json() == schema.to_json()
    assert (again.shape, again.feature_names, again.notes) == (schema.shape, schema.feature_names, schema.notes)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_numbers_are_median_then_standardised(dtype: type) -> None:
    values = (RNG.normal(100, 30, (200, 3))).astype(dtype)
    known = RNG.random((200, 3)) > 0.2
    frame = pl.DataFrame([pl.Series(f"x{i}", values[:, i]).set(pl.Series(~known[:, i]), None) for i in range(3)])
    oracle = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    holes = np.where(known, values.astype(np.float64), np.nan)
    source = read(frame)
    train = np.arange(150)
    schema = source.take(train).fit_schema()
    oracle.fit(holes[train])
    np.testing.assert_allclose(schema.encode(source), oracle.transform(holes), rtol=1e-9, atol=1e-9)


def test_categories_are_one_hot_as_in_sklearn() -> None:
    train = np.array(["b", "a", None, "c", "b", "a"], object)[:, None]
    test = np.array(["c", None, "z", "a", "b", "z"], object)[:, None]
    oracle = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(train)
    source = read(pl.DataFrame({"k": train[:, 0].tolist()}))
    schema = source.fit_schema()
    apply = read(pl.DataFrame({"k": test[:, 0].tolist()}), like=schema)
    np.testing.assert_array_equal(schema.encode(apply), oracle.transform(test))
    assert schema.feature_names == ("k=a", "k=b", "k=c", "k=missing")
    assert schema.decode(schema.encode(source))["k"].to_list() == train[:, 0].tolist()
    held = "'k': 2 rows hold values not seen in the rows learnt from"
    assert schema.warnings(apply) == (f"{held} ('z'): encoded as zeros",)


def test_missing_that_did_not_occur_at_fit_is_zeros() -> None:
    schema = read(pl.DataFrame({"k": ["a", "b", "a"]})).fit_schema()
    apply = read(pl.DataFrame({"k": [None, "b"]}), like=schema)
    assert schema.encode(apply).tolist() == [[0.0, 0.0], [0.0, 1.0]]
    held = "'k': 1 row holds values not seen in the rows learnt from"
    assert schema.warnings(apply) == (f"{held} (missing): encoded as zeros",)


def test_filled_cells_are_counted_with_what_stands_in_for_them() -> None:
    days = [date(2024, 1, 1), date(2024, 1, 3), date(2024, 1, 9)]
    fit = {"x": [1.0, 2.5, 9.0], "n": [1, 2, 9], "day": days, "yes": [True, True, False], "k": ["a", None, "b"]}
    schema = read(pl.DataFrame(fit)).fit_schema()
    new = {"x": [None, float("nan"), 1.0], "n": [None, 1, 1], "day": [None, *days[:2]], "yes": [None, None, True]}
    rows = read(pl.DataFrame({**new, "k": [None, "a", "b"]}), like=schema)
    assert schema.fillings(rows) == {"x": (2, "2.5"), "n": (1, "2"), "day": (1, "2024-01-03"), "yes": (2, "true")}
    said = schema.described(rows, Treatment.MEDIAN)
    assert "'day': missing in 1 row, filled with the median, 2024-01-03" in said
    assert schema.decode(schema.encode(rows))["day"][0] == days[1]
    many = read(np.where(np.eye(15), np.nan, np.arange(225.0).reshape(15, 15)))
    words = many.fit_schema().described(many, Treatment.MEDIAN)
    assert len(words) == 11
    assert words[-1] == "5 further columns: 5 cells missing, filled with the median"


def test_notes_and_left_out_columns() -> None:
    n = 200
    frame = pl.DataFrame(
        {
            "customer_id": RNG.permutation(9 * n)[:n],
            "text": [f"note {i % 150} of many" for i in range(n)],
            "same": [3] * n,
            "none": [None] * n,
            "x": pl.Series(RNG.random(n)).set(pl.Series([True] * 5 + [False] * (n - 5)), None),
        }
    )
    source = read(frame)
    schema = source.fit_schema()
    assert (source.id_name, source.ids[0]) == ("customer_id", str(frame["customer_id"][0]))
    assert schema.feature_names == ("x",)
    assert "'text' is left out: 150 different texts in 200 rows (at most 40)" in schema.notes
    assert "'same' is left out: one value in the rows learnt from, 3; it comes back at decode" in schema.notes
    assert "'none' is left out: every value is missing; it comes back empty" in schema.notes
    assert "'x': missing in 5 rows, filled with the median" in schema.notes
    assert schema.decode(np.zeros((1, 1))).columns == ["same", "none", "x"]


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("index", [0, 1, 2, 3], "index"),
        ("n", [1, 2, 3, 4], "n"),
        ("customerId", [9, 4, 7, 1], "customerId"),
        ("paid", [9, 4, 7, 1], "row"),
        ("id", [9, 4, 4, 1], "row"),
        ("who", ["a", "b", "c", "d"], "who"),
        ("x_key", [2.5, 3.5, 1.5, 9.5], "row"),
    ],
)
def test_identifiers(name: str, values: list[object], expected: str) -> None:
    assert read(pl.DataFrame({name: values, "x": [1.0, 2.0, 2.0, 5.0]})).id_name == expected


def test_arrays_have_no_identifiers() -> None:
    values = np.arange(20, dtype=np.float32).reshape(10, 2)
    source = read(values)
    schema = source.fit_schema()
    assert (source.kind, source.id_name, schema.feature_names) == ("table", "row", ("c0", "c1"))
    back = schema.decode(schema.encode(source)).to_numpy()
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, values, rtol=1e-6, atol=1e-6)


def test_write_is_a_csv_with_identifiers_first(tmp_path: Path) -> None:
    source = read(pl.DataFrame({"id": [7, 3, 5], "n": [1, 2, 9], "k": ["a", None, "b"]}))
    schema = source.fit_schema()
    (path,) = schema.write(schema.encode(source), tmp_path, "out", source.ids, source.id_name)
    assert path.read_text() == "id,n,k\n7,1,a\n3,2,\n5,9,b\n"
    assert [file.name for file in tmp_path.iterdir()] == ["out.csv"]


def test_pandas_frames() -> None:
    frame = pd.DataFrame(
        {
            "x": [1.0, None, 3.0],
            "n": pd.array([1, None, 3], dtype="Int64"),
            "k": pd.Categorical(["a", "b", "a"]),
            "t": pd.to_datetime(["2024-01-01", "2024-01-02", None]),
            "z": pd.to_datetime(["2024-01-01", "2024-01-02", None]).tz_localize("Europe/Paris"),
            "s": ["u", None, "u"],
        },
        index=["p", "q", "r"],
    )
    source = read(frame)
    assert source.ids.tolist() == ["p", "q", "r"]
    assert source.frame["x"].to_list() == [1.0, None, 3.0]
    assert source.frame["n"].to_list() == [1, None, 3]
    assert source.frame["k"].to_list() == ["a", "b", "a"]
    assert source.frame["t"].to_list() == [datetime(2024, 1, 1), datetime(2024, 1, 2), None]
    assert source.frame["z"].dt.epoch("s").to_list() == [1704063600, 1704150000, None]
    assert source.frame["s"].to_list() == ["u", None, "u"]


def test_fingerprint_is_the_content(tmp_path: Path) -> None:
    path = written(tmp_path, "x,k\n1,a\n2,b\n,a\n")
    source = read(path)
    script = f"from narrows.data import read; print(read({str(path)!r}).fingerprint())"
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == source.fingerprint()
    assert source.take(np.array([0, 1])).fingerprint() != source.fingerprint()
    assert read(pl.DataFrame({"x": [1.0, 2.0]})).fingerprint() != read(pl.DataFrame({"x": [1.0, 2.5]})).fingerprint()


@pytest.mark.parametrize("damage", [{}, {"kind": "table"}, {"kind": "table", "columns": [{"kind": "odd"}]}])
def test_a_damaged_schema_is_refused(damage: dict[str, object]) -> None:
    with pytest.raises(ArtefactError):
        schema_from_json(damage)


def test_floats_in_a_column_of_integers_keep_their_fraction() -> None:
    schema = read(pl.DataFrame({"n": [0, 4, 8, 4]})).fit_schema()
    encoded = schema.encode(read(pl.DataFrame({"n": [5.5]})))
    assert encoded[0, 0] == pytest.approx(1.5 / np.std([0, 4, 8, 4]), rel=1e-12)


def test_nested_columns_are_left_out() -> None:
    source = read(pl.DataFrame({"l": [[1], [2], [2]], "x": [1.0, 2.0, 4.0]}))
    schema = source.fit_schema()
    assert schema.feature_names == ("x",)
    assert schema.notes[0].startswith("'l' is left out: cells of type List(Int64)")
    assert [finding.level for finding in check(source)] == ["warning"]


def test_take_accepts_masks_and_orders() -> None:
    source = read(pl.DataFrame({"x": [1.0, 2.0, 3.0]}))
    assert source.take(np.array([2, 0])).frame["x"].to_list() == [3.0, 1.0]
    assert source.take(np.array([True, False, True])).ids.tolist() == ["0", "2"]
