"""What ``check`` and ``describe`` say of the columns of a table."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import narrows as nw
from narrows.cli import main
from narrows.data import Finding, check

RNG = np.random.default_rng(0)
N = 300
TOWN = RNG.choice(["Ulm", "Bonn", "Kiel"], N)
ZEROS = RNG.random(N) < 0.8
IDS = RNG.permutation(10 * N)[:N]
TABLE = pl.DataFrame(
    {
        "customer_id": IDS,
        "respondent": np.arange(1001, 1001 + N),
        "age": np.where(np.arange(N) % 50 == 3, 999, RNG.integers(18, 80, N)),
        "income": np.where(np.arange(N) == 17, 9.4e14, np.round(RNG.normal(300, 50, N), 1)),
        "gain": np.where(ZEROS, 0.0, np.round(np.exp(RNG.normal(7, 2, N)), 2)),
        "share": RNG.random(N),
        "visits": RNG.poisson(3, N),
        "likert": RNG.choice([1, 2, 4, 5], N),
        "zip": RNG.integers(1000, 99999, N),
        "town": TOWN,
        "country": np.where(TOWN == "Ulm", "south", "north"),
        "metres": pl.Series(RNG.normal(2, 0.3, N)).set(pl.Series(np.arange(N) < 7), None),
        "when": [date(2024, 1, 1) + timedelta(days=int(day)) for day in RNG.integers(0, 999, N)],
        "rare": ["yes", *["no"] * (N - 1)],
        "same": [7] * N,
        "comment": [f"note {i % 200}" for i in range(N)],
    }
).with_columns(feet=pl.col("metres") / 0.3048)


def said(column: str) -> dict[str, object]:
    (row,) = nw.describe(TABLE).filter(pl.col("column") == column).to_dicts()
    return row


@pytest.mark.parametrize(
    ("column", "kind", "scale", "odd"),
    [
        ("customer_id", "identifier", "left out", ""),
        ("respondent", "whole", "standard", "counts rows"),
        ("age", "whole", "robust", f"999 in customer_id {IDS[3]} and 5 more; 999 in 6 rows"),
        ("income", "number", "robust", f"9.4e+14 in customer_id {IDS[17]}"),
        ("gain", f"amount, {ZEROS.mean():.0%} zeros", "log", ""),
        ("share", "share", "standard", ""),
        ("visits", "count", "standard", ""),
        ("likert", "ordinal", "standard", ""),
        ("zip", "whole", "standard", "zeros lost?"),
        ("town", "category", "", ""),
        ("country", "category", "", "follows town"),
        ("metres", "number", "standard", ""),
        ("feet", "number", "standard", "follows metres"),
        ("when", "date", "standard", ""),
        ("rare", "category", "", "99.7% 'no'"),
        ("same", "one value", "", "one value"),
        ("comment", "text", "left out", ""),
    ],
)
def test_kind_scale_and_what_is_odd(column: str, kind: str, scale: str, odd: str) -> None:
    row = said(column)
    assert (row["kind"], row["scale"], row["odd"]) == (kind, scale, odd)


def test_ranges_missing_cells_and_examples() -> None:
    whens = TABLE["when"]
    assert said("when")["range"] == f"{whens.min()} to {whens.max()}"
    assert (said("metres")["missing"], said("metres")["example"]) == (7, f"{TABLE['metres'][7]:.6g}")
    assert said("likert")["range"] == "1 to 5"
    assert said("town")["range"] == "3 levels"


@pytest.mark.parametrize(
    ("what", "fix"),
    [
        (
            "'respondent' holds whole numbers from 1001 to 1300",
            "--column respondent=identifier",
        ),
        ("'age' is 999 in 6 rows, far from its other values (18 to 79)", "if 999 means missing: --missing age=999"),
        ("'zip' is named like a code", "--column zip=category"),
        ("'town' determines 'country' in every row", "--drop country"),
        ("'metres' is 'feet' in other units", ""),
        ("'rare' is 'no' in 99.7% of the rows", "--drop rare"),
        (f"'income' holds 9.4e+14 in customer_id {IDS[17]}, far from all other values", ""),
        ("'same' is left out: one value in the rows learnt from, 7", ""),
    ],
)
def test_findings_say_it_once_with_what_to_type(what: str, fix: str) -> None:
    both = (what, what.replace("'metres' is 'feet'", "'feet' is 'metres'"))
    found: list[Finding] = [finding for finding in check(TABLE) if finding.what.startswith(both)]
    assert len(found) == 1
    assert fix in found[0].fix


def test_an_honest_table_has_nothing_odd() -> None:
    columns = {f"x{i}": RNG.normal(size=N) for i in range(4)} | {"k": RNG.choice(list("abc"), N)}
    whole = {"age": RNG.integers(18, 80, N), "price": RNG.gamma(3, 20, N).round(2), "nine": RNG.integers(0, 10, N)}
    assert not any(nw.describe(pl.DataFrame(columns | whole))["odd"])


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(nw.InputError, match="is no table"):
        nw.describe(np.zeros((3, 4, 4), np.uint8))


def test_the_command_prints_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    TABLE.write_csv(tmp_path / "t.csv")
    assert main(["check", str(tmp_path / "t.csv")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["column", "kind", "scale", "missing", "range", "example", "odd"]
    assert [line.split()[0] for line in lines[1 : 1 + TABLE.width]] == TABLE.columns
    wide = pl.DataFrame(RNG.normal(size=(20, 70)).round(3))
    wide.write_csv(tmp_path / "w.csv")
    assert main(["check", str(tmp_path / "w.csv")]) == 0
    assert "... and 10 more columns" in capsys.readouterr().out


def test_examples_are_written_as_in_the_file(tmp_path: Path) -> None:
    rows = "".join(f'{day:02}/01/2024,"$1,2{day:02}.50"\n' for day in range(1, 29))
    (tmp_path / "t.csv").write_text("day,pay\n" + rows)
    assert nw.describe(tmp_path / "t.csv")["example"].to_list() == ["01/01/2024", "$1,201.50"]


def test_a_column_that_is_empty_where_another_holds_a_value_is_named() -> None:
    dead = np.arange(N) % 3 == 0
    cause = pl.Series(RNG.choice(["fall", "flu"], N)).set(pl.Series(~dead), None)
    frame = pl.DataFrame({"age": RNG.integers(18, 80, N), "dead": np.where(dead, "yes", "no"), "cause": cause})
    (found,) = [finding for finding in check(frame) if "is empty in all" in finding.what]
    assert found.what.startswith("'cause' is empty in all 200 rows where 'dead' is no: ")
    assert "--drop cause" in found.fix
    holes = pl.Series(RNG.random(N) < 0.6)
    chance = frame.with_columns(cause=pl.Series(RNG.choice(["fall", "flu"], N)).set(holes, None))
    assert not any("is empty in all" in finding.what for finding in check(chance))
