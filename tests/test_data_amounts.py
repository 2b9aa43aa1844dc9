"""Amounts, per cent, units, limits, times with names of months: they come back as they were written."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from narrows.data import read
from narrows.data.base import schema_from_json
from narrows.data.tables.amounts import amount_texts, amounts
from narrows.data.tables.infer import infer
from narrows.errors import InputError


@pytest.mark.parametrize(
    ("cells", "numbers", "form"),
    [
        (["$64,212.11", "$5.00"], [64212.11, 5.0], "$#,##0.00"),
        (["$13,500", "$900", "-$20"], [13500, 900, -20], "$#,##0"),
        (["$-5", "$3"], [-5, 3], "$0;$-0"),
        (["(31)", "5"], [-31, 5], "0;(0)"),
        (["($1,031.50)", "$5.25"], [-1031.5, 5.25], "$#,##0.00;($#,##0.00)"),
        (["13.75%", "6.1%"], [13.75, 6.1], "0.##%"),
        (["1 234,50 EUR", "7,00 EUR"], [1234.5, 7.0], "# ##0,00 EUR"),
        (["1\u202f234,50\u00a0€", "7,00\u00a0€"], [1234.5, 7.0], "#\u202f##0,00\u00a0€"),
        (["R$ 1.234,50", "R$ 2,50"], [1234.5, 2.5], "R$ #.##0,00"),
        (["1.234.567 €", "5 €"], [1234567, 5], "#.##0 €"),
        (["1'234.50", "2.00"], [1234.5, 2.0], "#'##0.00"),
        (["36 months", "60 months"], [36, 60], "0 months"),
        (["20.1 µg/m³", "3.4 µg/m³"], [20.1, 3.4], "0.0 µg/m³"),
        (["5°C", "-6°C"], [5, -6], "0°C"),
        (["<0.05", "0.30"], [0.05, 0.3], "General"),
        (["5 kg", "3kg"], [5, 3], "Generalkg"),
    ],
)
def test_cells_with_signs_are_numbers_and_come_back(cells: list[str], numbers: list[float], form: str) -> None:
    parsed = infer(pl.Series("x", [*cells, None, "NA"]))
    assert parsed.series.to_list() == [*numbers, None, None]
    assert parsed.format == form
    written = amount_texts(parsed.series[: len(cells)], form).to_list()
    assert written == (numbers if "General" in form else cells)


@pytest.mark.parametrize(
    "cells",
    [["12A", "13A"], ["007 kg", "010 kg"], ["1.2.3", "2.3.4"], ["+49 123 456", "+49 123 457"], ["1 2", "2 3"],
     ["3 kg", "4 lb"], ["A12", "A13"], ["10-20", "20-30"], ["(12", "13)"], ["$", "%"]],
)  # fmt: skip
def test_codes_are_no_amounts(cells: list[str]) -> None:
    assert amounts(pl.Series(cells)) is None


def test_a_table_of_amounts_goes_through_the_schema_and_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    incomes = [f"${value:,.2f}" for value in rng.lognormal(11, 0.5, 60)]
    rates = [f"{value:.2f}%" for value in rng.uniform(5, 30, 60)]
    rows = [f'"{income}",{rate},{i % 7}\n' for i, (income, rate) in enumerate(zip(incomes, rates, strict=True))]
    (tmp_path / "loans.csv").write_text("income,rate,n\n" + "".join(rows))
    source = read(tmp_path / "loans.csv")
    assert f"'rate': {rates[0]!r} is read as {float(rates[0][:-1])}, and so on in 60 rows" in source.notes
    schema = schema_from_json(source.fit_schema().to_json())
    back = schema.written(schema.encode(source))
    assert back["income"].to_list() == incomes
    assert back["rate"].to_list() == rates
    (tmp_path / "new.csv").write_text('income,rate,n\n"$1,000.50",7.5%,3\n2000,8,1\n')
    assert read(tmp_path / "new.csv", like=schema).frame["income"].to_list() == [1000.5, 2000.0]
    (tmp_path / "euros.csv").write_text("income,rate,n\n€5,7%,3\n€6,8%,1\n")
    with pytest.raises(InputError, match="'income', row 0 holds '€5'"):
        read(tmp_path / "euros.csv", like=schema)


def test_limits_are_named_by_row() -> None:
    parsed = infer(pl.Series("pb", ["0.30", "<0.05", "0.12", "<0.05"]))
    assert parsed.notes == ("'pb': row 1 holds '<0.05', read as 0.05 (2 such in all)",)


def test_a_few_cells_that_are_no_numbers_are_missing_and_named(tmp_path: Path) -> None:
    cells = [f"{i % 50 / 4:.2f}" for i in range(500)]
    cells[7], cells[80] = "1O.5", "n.d."
    parsed = infer(pl.Series("x", cells))
    assert (parsed.series.dtype, parsed.series.null_count(), parsed.series[7]) == (pl.Float64(), 2, None)
    words = (
        "'x': row 7 holds '1O.5', row 80 holds 'n.d.', no numbers: read as missing; correct the cells, or leave them"
    )
    assert parsed.notes == (f"{words} empty",)
    (tmp_path / "a.csv").write_text("x,y\n" + "".join(f"{cell},{i % 9}\n" for i, cell in enumerate(cells)))
    source = read(tmp_path / "a.csv")
    again = read(tmp_path / "a.csv", like=source.fit_schema())
    assert again.frame.equals(source.frame)
    assert f"{words} empty" in again.notes
    cells[:6] = ["low"] * 6
    assert infer(pl.Series("x", cells)).series.dtype == pl.String


@pytest.mark.parametrize(
    ("cells", "first"),
    [
        (["2024-01-31T12:30:00+02:00", "2024-02-01T00:00:00+02:00"], "2024-01-31 10:30:00"),
        (["2024-01-31 12:30:00 +0530", "2024-02-01 00:00:00 +0530"], "2024-01-31 07:00:00"),
        (["2024-01-31T12:30:00-03:30"], "2024-01-31 16:00:00"),
        (["2024-01-31T12:30:00Z"], "2024-01-31 12:30:00"),
        (["03 Mar 2021", "14 May 2022"], "2021-03-03 00:00:00"),
        (["Mar 3, 2021 4:05 PM", "May 14, 2022 12:00 AM"], "2021-03-03 16:05:00"),
        (["March 3, 2021", "May 14, 2022"], "2021-03-03 00:00:00"),
        (["3/14/2021 9:05 pm"], "2021-03-14 21:05:00"),
        (["14-Mar-21"], "2021-03-14 00:00:00"),
        (["03/14/21"], "2021-03-14 00:00:00"),
        (["1/2/2021", "3/14/2021"], "2021-01-02 00:00:00"),
    ],
)
def test_times_come_back_as_they_were_written(cells: list[str], first: str, tmp_path: Path) -> None:
    rows = [f'"{cells[i % len(cells)]}",{i % 5},{i * i % 7}\n' for i in range(40)]
    (tmp_path / "a.csv").write_text('when,x,y\n"",1,2\n' + "".join(rows))
    source = read(tmp_path / "a.csv")
    assert str(source.frame["when"].cast(pl.Datetime("us"))[1]) == first
    schema = schema_from_json(source.fit_schema().to_json())
    if len(cells) > 1:
        back = schema.written(schema.encode(source))["when"]
        assert back.to_list()[1:] == [cells[i % len(cells)] for i in range(40)]
    else:
        assert infer(pl.Series("when", cells)).format is not None
