"""A few far values do not set the scale of a column, and columns without them are standardised as ever."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.preprocessing import StandardScaler

from narrows.cli import main
from narrows.data import check, read, schema_from_json
from narrows.data.base import Schema
from narrows.data.tables.columns import NumberColumn

RNG = np.random.default_rng(0)
N = 500
LATENT = RNG.normal(size=(N, 2))
ORDINARY = np.round(50 + LATENT @ [4.0, 0.0] + RNG.normal(0, 1, N), 2)
TYPO = np.where(np.arange(N) == 17, 9.4e14, ORDINARY)
INCOME = np.round(np.exp(8 + 1.5 * RNG.normal(size=N)), 2)


def schema_of(**columns: object) -> tuple[pl.DataFrame, Schema]:
    frame = pl.DataFrame(columns)
    return frame, schema_from_json(json.loads(json.dumps(read(frame).fit_schema().to_json(), allow_nan=False)))


@pytest.mark.parametrize(
    "values",
    [
        ORDINARY,
        RNG.integers(0, 9999, N),
        RNG.gamma(3, 2, N),
        RNG.poisson(0.2, N),
        np.append(RNG.normal(size=40), 1e6),
        np.append(np.zeros(480), RNG.integers(1, 9, 20)),
    ],
)
def test_columns_without_heavy_tails_are_standardised_bit_for_bit(values: np.ndarray) -> None:
    frame, schema = schema_of(x=values)
    offsets = values - round(float(values.mean())) if values.dtype.kind == "i" else values
    expected = (offsets - offsets.mean()) / np.sqrt(offsets.var())
    np.testing.assert_array_equal(schema.encode(read(frame))[:, 0], expected)
    np.testing.assert_allclose(expected, StandardScaler().fit_transform(values[:, None])[:, 0], atol=1e-9)


@pytest.mark.parametrize("dtype", [float, int])
def test_one_cell_does_not_set_the_scale(dtype: type) -> None:
    values, ordinary = TYPO.astype(dtype), np.delete(ORDINARY.astype(dtype), 17)
    frame, schema = schema_of(x=values)
    encoded = schema.encode(read(frame))[:, 0]
    expected = (ordinary - ordinary.mean()) / ordinary.std()
    np.testing.assert_allclose(np.delete(encoded, 17), expected, rtol=1e-3, atol=1e-3)
    assert 10 < encoded[17] < 14
    back = schema.decode(encoded[:, None])["x"].to_numpy()
    np.testing.assert_allclose(back, values, rtol=1e-9, atol=1e-3)


def test_amounts_with_a_long_tail_are_seen_as_logarithms() -> None:
    frame, schema = schema_of(x=INCOME)
    encoded = schema.encode(read(frame))[:, 0]
    seen = np.arcsinh(INCOME / np.median(INCOME))
    np.testing.assert_allclose(encoded, (seen - seen.mean()) / seen.std(), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(schema.decode(encoded[:, None])["x"].to_numpy(), INCOME, rtol=1e-9)
    wide = schema.decode(np.linspace(-20, 20, 99)[:, None])["x"]
    assert (wide.min(), wide.max()) == (INCOME.min(), INCOME.max())


def test_zeros_beside_amounts_come_back_and_have_a_probability() -> None:
    amounts = np.where(RNG.random(4 * N) < 0.7, 0, np.rint(np.exp(7 + 1.5 * RNG.normal(size=4 * N))).astype(int))
    frame, schema = schema_of(x=amounts)
    assert schema.decode(schema.encode(read(frame)))["x"].to_list() == amounts.tolist()
    (measure,) = schema.measures
    assert (measure.kind, len(measure.atoms)) == ("gaussian", 1)
    atom = measure.atom_of(schema.encode(read(frame))[:, 0])
    np.testing.assert_array_equal(atom == 0, amounts == 0)


def test_far_values_keep_their_order_and_come_back() -> None:
    _, schema = schema_of(x=ORDINARY, y=RNG.normal(size=N))
    far = np.array([60.0, 100.0, 300.0, 1e6, 9.4e14, -9.4e14])
    encoded = schema.encode(read(pl.DataFrame({"x": far, "y": np.zeros(6)})))[:, 0]
    assert (np.diff(encoded[:5]) > 0).all()
    assert np.abs(encoded).max() < 14
    unlimited = schema.of_sample()
    back = unlimited.decode(np.stack([encoded, encoded * 0], 1))["x"].to_numpy()
    np.testing.assert_allclose(back, far, rtol=1e-9)


def test_far_cells_are_named_by_row_and_value() -> None:
    warnings = [finding.what for finding in check(pl.DataFrame({"x": TYPO, "y": ORDINARY}))]
    start = "'x' holds 9.4e+14 in row 17, far from all other values: "
    assert sum(words.startswith(start) for words in warnings) == 1


def test_the_verdict_is_not_carried_by_one_cell(tmp_path: Path) -> None:
    frame = pl.DataFrame({"typo": TYPO, "a": LATENT[:, 0], "b": LATENT @ [1.0, 2.0], "c": LATENT @ [2.0, -1.0]})
    frame.write_csv(tmp_path / "t.csv")
    words = ["--epochs", "30", "--latent-dim", "2", "--random-state", "0", "--no-figures", "-o", str(tmp_path / "run")]
    assert main(["fit", "reduce", "--no-figures", str(tmp_path / "t.csv"), *words]) == 0
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["metrics"]["explained"]["value"] > 0.8
    assert any("in row 17, far from all other values" in note for note in report["data"]["notes"])
    back = pl.read_csv(tmp_path / "run" / "reconstruction.csv")["typo"].to_numpy()
    assert np.abs(np.delete(back - TYPO, 17)).mean() < ORDINARY.std() / 2


def test_an_amount_of_few_values_is_one() -> None:
    for values in ([0.0, 0.0, 1.0, 5.0, 9.0], [1.0, 2.0], [0.0] * 30 + [5.0, 6.0]):
        series = pl.Series("a", values)
        column = NumberColumn.fit(series, kind="amount")
        assert column.decode(column.encode(series)).to_list() == pytest.approx(values)
