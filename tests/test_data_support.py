"""What comes back could have been in the file: ranges, levels, steps and point masses, a kind of column each."""

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from narrows.cli import main
from narrows.data import read, schema_from_json
from narrows.data.tables.schema import TableSchema

N = 200
WIDE = np.linspace(-9, 9, 2001)[:, None]  # encoded values, far beyond what a column holds
RNG = np.random.default_rng(0)
ZEROS = RNG.random(N) < 0.6
COLUMNS = {
    "number": RNG.normal(50, 4, N),
    "single": RNG.normal(0, 1e-3, N).astype(np.float32),
    "step": np.round(RNG.integers(20, 900, N) * 0.05, 2),
    "thousandths": RNG.lognormal(3, 2, N).round(3),
    "whole": RNG.integers(-40, 90, N),
    "tens": RNG.integers(3, 90, N) * 10 + 7,
    "visits": RNG.poisson(4, N),
    "likert": RNG.choice([1, 2, 3, 5], N),
    "dose": RNG.choice([5, 10], N),
    "half": RNG.choice([0.5, 1.0, 2.5], N),
    "amount": np.where(ZEROS, 0.0, RNG.lognormal(5, 1, N)),
    "gain": np.where(ZEROS, 0, 100 + RNG.poisson(900, N) * 7),
    "capped": np.minimum(RNG.normal(30, 9, N), 38.5),
    "monday": [date(2024, 1, 1) + timedelta(weeks=int(week)) for week in RNG.integers(0, 150, N)],
}


def schema_of(name: str) -> tuple[pl.Series, TableSchema]:
    series = pl.Series(name, COLUMNS[name])
    schema = read(pl.DataFrame([series])).fit_schema()
    again = schema_from_json(json.loads(json.dumps(schema.to_json(), allow_nan=False)))
    assert isinstance(again, TableSchema)
    return series, again


@pytest.mark.parametrize("name", COLUMNS)
def test_decoded_values_stay_in_the_range_and_training_rows_come_back(name: str) -> None:
    series, schema = schema_of(name)
    back = schema.written(WIDE)[name]
    assert (back.min(), back.max()) == (series.min(), series.max())
    same = schema.written(schema.encode(read(series.to_frame())))[name]
    if series.dtype.is_float():
        np.testing.assert_allclose(same.to_numpy(), series.to_numpy(), rtol=1e-6, atol=1e-7 * series.std())
    else:
        assert same.to_list() == series.to_list()


@pytest.mark.parametrize("name", ["likert", "dose", "half"])
def test_levels_are_never_left(name: str) -> None:
    series, schema = schema_of(name)
    assert set(schema.written(WIDE)[name]) == set(series)
    levels = np.sort(series.unique().to_numpy())
    between = np.linspace(levels[0], levels[-1], 999)
    near = schema.decode(schema.encode(read(pl.DataFrame({name: between}))))[name].to_numpy()
    assert np.abs(near - between) == pytest.approx(np.abs(levels - between[:, None]).min(1))


@pytest.mark.parametrize(("name", "step"), [("step", 0.05), ("tens", 10), ("gain", 1)])
def test_rounding_steps_are_kept(name: str, step: float) -> None:
    series, schema = schema_of(name)
    steps = (schema.decode(WIDE)[name].to_numpy() - series.min()) / step
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-6)


def test_decimals_are_those_of_the_file() -> None:
    _, schema = schema_of("thousandths")
    came = schema.decode(WIDE)["thousandths"].to_list()
    assert len(set(came)) > 200
    assert came == [round(value, 3) for value in came]


def test_ages_in_twelfths_with_three_decimals_come_back_with_three() -> None:
    ages = pl.Series("age", np.round(16 + RNG.integers(0, 84, N) / 12, 3))
    schema = read(pl.DataFrame([ages])).fit_schema()
    came = schema.decode(WIDE)["age"].to_list()
    assert came == [round(value, 3) for value in came]


def test_days_of_the_week_are_kept() -> None:
    _, schema = schema_of("monday")
    assert set(schema.decode(WIDE)["monday"].dt.weekday()) == {1}


@pytest.mark.parametrize(("name", "mass"), [("amount", 0), ("gain", 0), ("capped", 38.5)])
def test_nothing_comes_back_between_a_point_mass_and_its_neighbour(name: str, mass: float) -> None:
    series, schema = schema_of(name)
    values = series.to_numpy()
    next_to = values[values != mass][np.abs(values[values != mass] - mass).argmin()]
    asked = mass + (next_to - mass) * np.array([0.1, 0.45, 0.55, 0.9])
    column = read(pl.DataFrame({name: asked}))
    assert schema.decode(schema.encode(column))[name].to_list() == pytest.approx([mass, mass, next_to, next_to])
    assert (schema.decode(schema.encode(read(series.to_frame())))[name] == mass).sum() == (values == mass).sum()


def test_a_schema_of_an_older_version_decodes_as_it_did() -> None:
    _, schema = schema_of("whole")
    saved = schema.to_json()
    del saved["columns"][0]["support"]
    assert schema_from_json(saved).decode([[9.0]])["whole"][0] > max(COLUMNS["whole"])


def test_what_a_run_writes_could_have_been_in_the_file(tmp_path: Path) -> None:
    table = pl.DataFrame(COLUMNS).with_columns(pl.col("single").cast(pl.Float64))
    table.write_csv(tmp_path / "t.csv")
    words = ["--latent-dim", "2", "--epochs", "3", "--random-state", "0", "--no-figures", "-o", str(tmp_path / "run")]
    assert main(["fit", "reduce", "--no-figures", str(tmp_path / "t.csv"), *words]) == 0
    back = pl.read_csv(tmp_path / "run" / "reconstruction.csv", try_parse_dates=True)
    for name in COLUMNS:
        assert table[name].min() <= back[name].min() <= back[name].max() <= table[name].max(), name
    for name in ("likert", "dose", "half"):
        assert set(back[name]) <= set(table[name])
