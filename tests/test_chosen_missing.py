"""Values that stand for a missing cell: from check's advice to a fit and new rows."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from narrows.data import read
from narrows.data.check import check
from narrows.data.tables.chosen_missing import with_missing
from narrows.errors import InputError
from narrows.workflows.series import SeriesWorkflow

AGES = [31, 45, 99, 52, 28, 99, 63, 37, 41, 99, 58, 33] * 3


def frame() -> pl.DataFrame:
    return pl.DataFrame({"age": AGES, "x": np.arange(36) ** 0.5, "town": ["Ulm", "?x", "Bonn"] * 12})


def test_what_check_says_to_type_makes_the_cells_missing(tmp_path: Path) -> None:
    frame().write_csv(tmp_path / "t.csv")
    source = read(tmp_path / "t.csv")
    odd = next(finding for finding in check(source) if "99 in 9 rows" in finding.what)
    assert odd.level == "warning"
    assert odd.fix == "if 99 means missing: --missing age=99"
    cleaned = with_missing(source, odd.fix.rpartition(" ")[2])
    assert cleaned.frame["age"].to_list() == [None if age == 99 else age for age in AGES]
    assert not [finding for finding in check(cleaned) if "99 in 9 rows" in finding.what]
    median = float(np.median([age for age in AGES if age != 99]))
    assert cleaned.fit_schema().fillings(cleaned)["age"] == (9, f"{median:g}")


def test_python_takes_them_as_a_mapping_and_texts_as_they_are() -> None:
    source = read(frame(), missing={"town": ["?x"], "age": [99, 28]})
    assert source.frame["town"].null_count() == 12
    assert source.frame["age"].null_count() == 12
    assert source.fit_schema().feature_names[2:] == ("town=Bonn", "town=Ulm", "town=missing")


def test_a_value_at_the_top_of_amounts_may_be_a_cap() -> None:
    pay = np.round(np.random.default_rng(0).lognormal(7, 1, 500))
    pay[:5] = 99999
    (odd,) = [finding for finding in check(pl.DataFrame({"pay": pay, "x": pay**0.1 % 1})) if "99999" in finding.what]
    assert odd.level == "note"
    assert ": a cap or a sentinel" in odd.what


@pytest.mark.parametrize(
    ("missing", "words"),
    [("agee=99", "Try: --missing age=99"), ("age=old", "which holds numbers"), ("99", "COLUMN=VALUE")],
)
def test_what_cannot_be_meant_is_refused(missing: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        with_missing(read(frame()), missing)
    assert with_missing(read(frame()), "agee=99", fitted=True).frame.equals(read(frame()).frame)


def test_a_series_takes_them_too(tmp_path: Path) -> None:
    values = [-999.0 if step % 9 == 4 else step / 10 for step in range(60)]
    steps = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 3, 11), "1h", eager=True)
    pl.DataFrame({"t": steps, "v": values}).write_csv(tmp_path / "s.csv")
    workflow = SeriesWorkflow(time="t", missing="v=-999")
    assert workflow.source(f"{tmp_path}/s.csv", None).frame["v"].null_count() == 7
