"""Encode, then decode: the same cells and the same types."""

from datetime import datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrows.data import read, schema_from_json

RNG = np.random.default_rng(0)


floats = st.floats(-1e12, 1e12, allow_nan=False, width=64)


@settings(max_examples=60, deadline=None)
@given(st.lists(floats, min_size=2, max_size=40))
def test_float_identity(values: list[float]) -> None:
    source = read(pl.DataFrame({"x": values, "y": [0.5, *range(1, len(values))]}, schema_overrides={"y": pl.Float64}))
    schema = source.fit_schema()
    back = schema.decode(schema.encode(source))["x"].to_numpy()
    spread = max(abs(v) for v in values)
    np.testing.assert_allclose(back, values, rtol=1e-9, atol=1e-9 * spread)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-(2**53), 2**53), min_size=2, max_size=40))
def test_integers_are_exact(values: list[int]) -> None:
    mean = sum(values) / len(values)
    values = [v for v in values if abs(v - mean) <= 2**53 - 4]
    if len(set(values)) < 2 or max(values) - min(values) > 2**53:  # more than float64 tells apart
        return
    source = read(pl.DataFrame({"x": values, "y": RNG.random(len(values))}))
    if source.id_name != "row":
        return
    schema = source.fit_schema()
    assert schema.decode(schema.encode(source))["x"].to_list() == values


@settings(max_examples=60, deadline=None)
@given(st.lists(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)), min_size=2, max_size=20))
def test_datetimes_are_exact(values: list[datetime]) -> None:
    if len(set(values)) < 2:
        return
    source = read(pl.DataFrame({"t": values}))
    schema = source.fit_schema()
    assert schema.decode(schema.encode(source))["t"].to_list() == values


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | st.sampled_from(["a", "b", "", "ü", "a=b", "1"]), min_size=3, max_size=30))
def test_category_identity(values: list[str | None]) -> None:
    frame = pl.DataFrame({"k": values, "x": RNG.random(len(values))}, schema_overrides={"k": pl.String})
    source = read(frame)
    if source.id_columns or len(set(values) - {None}) < 2:
        return
    schema = source.fit_schema()
    assert schema.decode(schema.encode(source))["k"].to_list() == values


@pytest.mark.parametrize(
    "dtype",
    [pl.Datetime("ns"), pl.Datetime("ms", "UTC"), pl.Date, pl.Time, pl.Duration("us"), pl.UInt8, pl.UInt64, pl.Int16],
)
def test_types_come_back(dtype: pl.DataType) -> None:
    values = pl.Series("v", [1, 5, 200, 7, 7], dtype=pl.Int64).cast(dtype)
    schema = read(pl.DataFrame([values])).fit_schema()
    back = schema.decode(schema.encode(read(pl.DataFrame([values]))))["v"]
    assert back.dtype == values.dtype
    assert back.to_list() == values.to_list()


@pytest.mark.parametrize("dtype", [pl.Categorical, pl.Enum(["low", "mid", "high"])])
def test_category_types_come_back(dtype: pl.DataType) -> None:
    values = pl.Series("v", ["low", "high", "low", None]).cast(dtype)
    schema = read(pl.DataFrame([values])).fit_schema()
    back = schema_from_json(schema.to_json()).decode(schema.encode(read(pl.DataFrame([values]))))["v"]
    assert back.dtype == values.dtype
    assert back.to_list() == values.to_list()


def test_decode_stays_in_range() -> None:
    source = read(pl.DataFrame({"u": pl.Series([1, 2, 250], dtype=pl.UInt8), "b": [True, False, True]}))
    schema = source.fit_schema()
    back = schema.decode(np.array([[1e9, 1e9], [-1e9, -1e9], [np.nan, 0.0]]))
    assert back["u"].to_list() == [250, 1, None]
    assert back["b"].to_list()[:2] == [True, False]


def test_a_huge_constant_and_huge_whole_numbers() -> None:
    frame = pl.DataFrame({"c": pl.Series([2**64 - 1] * 3, dtype=pl.UInt64), "h": [2**62, -(2**62), 5]})
    schema = read(frame).fit_schema()
    back = schema_from_json(schema.to_json()).decode(schema.encode(read(frame)))
    assert back["c"].to_list() == [2**64 - 1] * 3
    np.testing.assert_allclose(back["h"].to_numpy()[:2], [2.0**62, -(2.0**62)], rtol=1e-12)
    assert "'h' holds whole numbers beyond 2**61: kept to 15 digits" in schema.notes
