"""What a user says that columns hold: ``--column zip=category`` and ``columns={"zip": "category"}``."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import narrows as nw
from narrows.cli import main
from narrows.data import schema_from_json
from narrows.data.tables.columns import NumericColumn
from narrows.data.tables.schema import TableSchema

RNG = np.random.default_rng(0)
N = 60
FRAME = pl.DataFrame(
    {
        "zip": RNG.choice([2138, 2139, 10001], N),
        "pay": RNG.normal(100, 9, N).round(2),
        "people": RNG.integers(18, 91, N),
        "percent": RNG.integers(20, 80, N),
        "level": RNG.choice([1.5, 2.0, 7.25], N),
        "day": ["31.12.2024", "01.02.2025", "02.02.2025"] * 20,
        "word": RNG.choice(["a", "b"], N),
        "digits": RNG.choice(["1", "2.5", "17"], N),
        "person": RNG.permutation(5 * N)[:N],
        "minus": RNG.normal(size=N),
    }
)


def column(name: str, kind: str) -> NumericColumn:
    schema = nw.read(FRAME, columns={name: kind}).fit_schema()
    again = schema_from_json(json.loads(json.dumps(schema.to_json(), allow_nan=False)))
    assert isinstance(again, TableSchema)
    (fitted,) = (fitted for fitted in again.columns if fitted.name == name)
    assert fitted.holding() == kind
    assert isinstance(fitted, NumericColumn)
    return fitted


def test_numbers_that_are_categories() -> None:
    source = nw.read(FRAME, columns={"zip": "category", "level": "category"})
    schema = source.fit_schema()
    assert schema.feature_names[:4] == ("zip=10001", "zip=2138", "zip=2139", "pay")
    new = nw.read(FRAME, like=schema)
    np.testing.assert_array_equal(schema.encode(new), schema.encode(source))
    assert schema.decode(schema.encode(source))["zip"].to_list() == FRAME["zip"].cast(pl.String).to_list()


def test_an_amount_is_seen_as_a_logarithm() -> None:
    fitted, pay = column("pay", "amount"), FRAME["pay"].to_numpy()
    seen = np.arcsinh(pay / np.median(pay))
    np.testing.assert_allclose(fitted.encode(FRAME["pay"])[:, 0], (seen - seen.mean()) / seen.std(), rtol=1e-6)


def test_a_count_is_priced_as_one() -> None:
    assert column("people", "count").measure().kind in ("poisson", "negative-binomial")
    assert nw.read(FRAME).fit_schema().measures[2].kind == "rounded"


def test_a_share_may_be_nothing_or_all() -> None:
    ends = column("percent", "share").decode(np.array([[-99.0], [99.0]]))
    assert ends.to_list() == [0, 100]


def test_an_ordinal_has_its_levels_and_no_others() -> None:
    back = column("people", "ordinal").decode(np.linspace(-9, 9, 999)[:, None])
    assert set(back) == set(FRAME["people"])


def test_texts_that_are_numbers_or_dates() -> None:
    source = nw.read(FRAME, columns={"digits": "number"})
    assert source.frame["digits"].to_list() == FRAME["digits"].cast(pl.Float64).to_list()
    source = nw.read(FRAME, columns={"day": "date"})
    assert source.frame["day"][0] == date(2024, 12, 31)
    assert source.formats["day"] == "%d.%m.%Y"


def test_identifiers_and_texts_are_not_learnt_from() -> None:
    source = nw.read(FRAME, columns={"person": "identifier", "word": "text"})
    schema = source.fit_schema()
    assert (source.id_name, source.ids.tolist()) == ("person", FRAME["person"].cast(pl.String).to_list())
    assert not {"person", "word=a"} & set(schema.feature_names)
    named = nw.read(FRAME.rename({"person": "person_id"}), columns={"person_id": "whole"})
    assert (named.id_name, named.id_columns) == ("row", ())
    assert "person_id" in named.fit_schema().feature_names


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("minus", "amount", "column 'minus' cannot be read as amount: row "),
        ("minus", "count", "column 'minus' cannot be read as count: row 0 holds "),
        ("pay", "share", "column 'pay' cannot be read as share: row "),
        ("pay", "whole", "column 'pay' cannot be read as whole: row "),
        ("word", "number", "column 'word', row 0 holds "),
        ("word", "date", "column 'word' cannot be read as date: its cells are of type String"),
        ("wrod", "text", "Try: --column word=text"),
        ("word", "categories", "Try: --column word=category"),
    ],
)
def test_what_cells_cannot_be_is_refused_in_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, kind: str, words: str
) -> None:
    with pytest.raises(nw.InputError) as refused:
        nw.read(FRAME, columns={name: kind})
    assert words in str(refused.value)
    FRAME.write_csv(tmp_path / "t.csv")
    for command in (["check"], ["fit", "reduce", "-o", str(tmp_path / "run"), "--epochs", "1"]):
        assert main([*command, str(tmp_path / "t.csv"), "--column", f"{name}={kind}"]) == 2
        assert words in capsys.readouterr().err


def test_the_flag_comes_again_or_with_commas_and_the_run_keeps_it(tmp_path: Path) -> None:
    FRAME.write_csv(tmp_path / "t.csv")
    words = ["--column", "zip=category,word=text", "--column", "person=identifier", "--epochs", "1", "--no-figures"]
    assert main(["fit", "reduce", "--no-figures", str(tmp_path / "t.csv"), "-o", str(tmp_path / "run"), *words]) == 0
    assert main(["apply", str(tmp_path / "run"), str(tmp_path / "t.csv"), "-o", str(tmp_path / "out")]) == 0
    for folder in ("run", "out"):
        back = pl.read_csv(tmp_path / folder / "reconstruction.csv")
        assert back.columns[0] == "person"
        assert back["person"].to_list() == FRAME["person"].to_list()
        assert "word" not in back.columns
        assert set(back["zip"]) <= set(FRAME["zip"])
