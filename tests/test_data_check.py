"""Findings before training: what, how many, and what to do."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import scipy.sparse

import narrows as nw
from narrows.data import check, read
from narrows.parts import PARTS, part

RNG = np.random.default_rng(0)


def levels(findings: list) -> list[str]:
    return [finding.level for finding in findings]


def test_clean_data_has_no_findings() -> None:
    assert check(RNG.random((30, 4)), likelihood="gaussian", n_parameters=10) == []


def test_what_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    (finding,) = check(tmp_path)
    assert finding.level == "error"
    assert "a.png (0 bytes)" in finding.what
    assert "remove these files" in finding.fix


@pytest.mark.parametrize("rows", [0, 1])
def test_too_few_rows(rows: int) -> None:
    (finding,) = check(read(RNG.random((5, 3))).take(np.arange(rows)))
    assert (finding.level, finding.what) == ("error", f"'array' has {rows} rows")


def test_infinite_values() -> None:
    (finding,) = check(pl.DataFrame({"x": [1.0, np.inf, 3.0]}))
    assert finding.level == "error"
    assert "column 'x' holds infinite values (1 in all), the first in row 1" in finding.what


def test_duplicates_are_counted() -> None:
    values = RNG.random((10, 3))
    for kind in (values, (values * 255).astype(np.uint8), scipy.sparse.csr_matrix(values)):
        both = scipy.sparse.vstack([kind, kind[:4]]) if scipy.sparse.issparse(kind) else np.vstack([kind, kind[:4]])
        (finding,) = check(both)
        assert "4 of 14 rows are copies of earlier rows" in finding.what


def test_identifiers_do_not_hide_duplicates() -> None:
    found = check(pl.DataFrame({"id": [5, 9, 7], "x": [1.0, 1.0, 2.0]}))
    assert levels(found) == ["warning", "note"]
    assert "1 of 3 rows are copies" in found[0].what


def test_columns_left_out_are_warnings() -> None:
    found = check(pl.DataFrame({"x": [1.0, 2.0, 4.0], "same": [1, 1, 1], "none": [None] * 3}))
    assert levels(found) == ["warning", "warning"]
    assert all("left out" in finding.what for finding in found)


@pytest.mark.parametrize(
    ("likelihood", "values", "wrong"),
    [
        ("bernoulli", RNG.random((9, 4)), 1),
        ("bernoulli", (RNG.random((9, 4)) * 255).astype(np.uint8), 0),
        ("bernoulli", scipy.sparse.csr_matrix(np.diag([1.0, 2.0, 3.0])), 1),
        ("multinomial", scipy.sparse.csr_matrix(np.diag([1.0, 2.0, 3.0])), 0),
        ("multinomial", scipy.sparse.csr_matrix(np.diag([1.0, -2.0, 3.0])), 1),
        ("poisson", scipy.sparse.csr_matrix(np.diag([1.0, 2.0, 3.0])), 0),
        ("poisson", scipy.sparse.csr_matrix(np.diag([1.0, -2.0, 3.0])), 1),
        ("gaussian:learnt", RNG.normal(size=(9, 4)), 0),
        ("continuous-bernoulli", RNG.random((9, 4)) + 0.5, 1),
        ("categorical:3", RNG.integers(0, 3, (9, 4)).astype(float), 0),
    ],
)
def test_range_of_the_likelihood(likelihood: str, values: object, wrong: int) -> None:
    found = [finding for finding in check(values, likelihood=likelihood) if finding.level == "error"]
    assert len(found) == wrong
    assert all(f"outside what {likelihood.partition(':')[0]} takes: " in finding.what for finding in found)


def test_what_is_said_of_the_range() -> None:
    for likelihood, accepted in (("bernoulli", "values in [0, 1]"), ("multinomial", "counts of 0 or more")):
        (finding,) = check(scipy.sparse.csr_matrix(np.diag([1.0, -2.0, 3.0])), likelihood=likelihood)
        count = 2 if likelihood == "bernoulli" else 1
        came = f"'sparse matrix': {count} encoded values from -2 to 3"
        assert finding.what == f"{came} are outside what {likelihood} takes: {accepted}"
    with pytest.raises(nw.InputError, match=r"There is no likelihood 'bernouli'.*Try: 'bernoulli'"):
        check(RNG.random((9, 4)), likelihood="bernouli")


def test_a_new_likelihood_needs_no_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PARTS, "likelihood", dict(PARTS["likelihood"]))

    @part("angle")
    class Angle(nw.Bernoulli):
        @property
        def support(self) -> tuple[float, float]:
            return -180.0, 180.0

    (finding,) = check(scipy.sparse.csr_matrix(np.diag([1.0, -200.0, 90.0])), likelihood="angle")
    assert finding.what.endswith("1 encoded values from -200 to 90 are outside what angle takes: values in [-180, 180]")
    assert check(scipy.sparse.csr_matrix(np.diag([1.0, -20.0, 90.0])), likelihood="angle") == []


@pytest.mark.parametrize(("parameters", "expected"), [(10, []), (50, ["note"]), (500, ["warning"])])
def test_rows_against_parameters(parameters: int, expected: list[str]) -> None:
    assert levels(check(RNG.random((30, 4)), n_parameters=parameters)) == expected
