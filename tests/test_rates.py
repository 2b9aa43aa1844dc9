"""The stated rate of false alarms for skewed and heavy-tailed rows; ``bench/rates.py`` is the whole of it."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import narrows as nw
from narrows.tasks.anomaly.normal_scale import NormalScale
from narrows.tasks.anomaly.outliers import MOST, groups_apart, trusted
from narrows.tasks.anomaly.tail import beyond_tail
from narrows.tasks.base import Rows

BENCH = Path(__file__).parent.parent / "bench"


@pytest.fixture
def rates(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCH)
    return import_module("rates")


@pytest.mark.parametrize("law", ["one Cauchy", "log-normal", "t1.5", "wide rows"])
def test_the_rate_holds_on_clean_rows(rates: Any, law: str) -> None:
    """The mean over 8 draws of a rate of 5 % has a standard error of 0.7 %: 100 rows of 500 are put aside."""
    found = [rates.shares(rates.LAWS[law], seed, 500, dirty=False, epochs=1)[1][0] for seed in range(8)]
    assert 0.02 < np.mean(found) < 0.05 * 1.3 + 0.007


def test_anomalies_among_the_rows_are_survived(rates: Any) -> None:
    found = np.array([rates.shares(rates.normal, seed, 600, dirty=True, epochs=5)[1] for seed in range(3)])
    alarms, hits, oracle = found.mean(0)
    assert hits > 0.9
    assert hits > oracle - 0.05
    assert 0.015 < alarms < 0.08


def test_the_oracle_of_the_bench_knows_which_rows_are_ordinary(rates: Any) -> None:
    """Without anomalies it is the detector; where none is set aside, anomalies hide others from the detector alone."""
    for ours in rates.shares(rates.normal, 0, 500, dirty=False, epochs=1):
        assert ours.hits == ours.oracle
    ours = rates.shares(rates.wide, 0, 500, dirty=True, epochs=1)[1]
    assert ours.oracle > 0.9
    assert ours.oracle > ours.hits + 0.1


def test_a_group_apart_is_found_beyond_a_larger_one() -> None:
    """A quarter of the rows is five times as wide: seen from the median it lies apart, with the anomalies beyond."""
    rng = np.random.default_rng(1)
    ordinary = np.append(rng.gamma(9.0, size=700), 5 * rng.gamma(9.0, size=250))
    scores = np.append(ordinary, rng.uniform(220, 300, 50))
    assert beyond_tail(scores).sum() > 1000 * MOST
    small, large = groups_apart(scores)
    assert np.array_equal(np.flatnonzero(small), 950 + np.arange(50))
    assert large == pytest.approx(0.25, abs=0.02)
    assert not groups_apart(ordinary)[0].any()


def test_a_group_apart_on_one_scale_is_one() -> None:
    rng = np.random.default_rng(2)
    plain = rng.gamma(9.0, size=1000)
    far = np.where(np.arange(1000) < 40, plain + 60, plain)
    assert groups_apart(plain, far)[0].sum() == groups_apart(far)[0].sum() == 40
    elsewhere = np.where(np.arange(1000) >= 960, plain + 60, plain)
    small, large = groups_apart(far, elsewhere)  # 8 % together: more than may be anomalies
    assert not small.any()
    assert large == pytest.approx(0.08)


@pytest.mark.parametrize("draw", ["normal", "lognormal", "exponential", "pareto"])
def test_no_ordinary_tail_has_a_group_apart(draw: str) -> None:
    rng = np.random.default_rng(0)
    parameters = {"lognormal": (0.0, 2.0), "pareto": (1.0,)}.get(draw, ())
    for n in (50, 300, 5000):
        values = np.abs(getattr(rng, draw)(*parameters, size=n))
        assert not beyond_tail(values).any()


def test_a_group_apart_is_found_by_its_gap_and_kept_where_it_is_large() -> None:
    ordinary = np.random.default_rng(1).lognormal(size=1000)
    for count in (20, 50, 75):
        far = ordinary.max() * np.exp(np.random.default_rng(2).uniform(1.5, 3, count))
        assert np.array_equal(np.flatnonzero(beyond_tail(np.append(ordinary, far))), 1000 + np.arange(count))
        assert (~trusted(np.append(ordinary, far))).sum() == count
    many = np.append(ordinary, np.linspace(1, 2, round(1000 * MOST * 1.2)) * 20 * ordinary.max())
    assert beyond_tail(many).any()
    assert trusted(many).all()


def test_ties_and_zeros_are_no_group_apart() -> None:
    few = np.repeat([0.0, 1.0, 2.0, 90.0], [500, 300, 150, 50])
    assert not beyond_tail(few).any()
    assert not beyond_tail(np.append(np.zeros(900), np.linspace(1, 9, 100))).any()
    assert not beyond_tail(np.zeros(0)).any()


def test_columns_get_the_quantiles_of_a_normal_distribution() -> None:
    rows = np.exp(np.random.default_rng(0).normal(size=(4001, 1)))
    scale = NormalScale.fit(rows)
    above = scale(rows)[rows > np.median(rows)]
    assert np.quantile(above, [0.5, 0.8]) == pytest.approx([0.6744897501960817, 1.2815515655446004], rel=1e-3)
    assert np.array_equal(np.argsort(scale(rows)[:, 0]), np.argsort(rows[:, 0]))
    assert scale.bent
    plain = np.random.default_rng(1).normal(5, 3, (4001, 2))
    assert not NormalScale.fit(plain).bent
    assert np.abs(NormalScale.fit(plain)(plain) - (plain - 5) / 3).max() < 0.35
    same = NormalScale.fit(np.full((30, 1), 7.0))
    assert same(np.array([[7.0], [9.0]])).tolist() == [[0.0], [2 * 0.6744897501960817]]


def test_the_scale_follows_the_unit_of_a_column() -> None:
    rows = np.random.default_rng(0).standard_t(2, (500, 2))
    assert np.allclose(NormalScale.fit(rows)(rows), NormalScale.fit(9 * rows - 4)(9 * rows - 4))


def test_the_rule_names_the_rate_if_what_was_left_out_is_ordinary(tmp_path: Path) -> None:
    """One row in twenty is ten times as wide: nothing tells such rows from anomalies, so the report says so."""
    draw = np.random.default_rng(3)
    wide = np.repeat([1.0, 10.0], [950, 50])[draw.permutation(1000), None]
    rows, fresh = wide * draw.normal(size=(1000, 6)), wide * draw.normal(size=(1000, 6))
    fitted = nw.AnomalyDetector(fpr=0.01, epochs=2, random_state=0).fit(rows)
    flagged = float((fitted.predict(fresh) == -1).mean())
    assert flagged > 0.03
    [rule] = [note for note in fitted.evaluate(Rows(rows), Rows(fresh)).notes if note.startswith("Flagged")]
    likely = float(rule.rpartition("about ")[2].rstrip("."))
    assert likely == pytest.approx(flagged, abs=0.025)
    loaded = nw.load(fitted.save(tmp_path / "run"))
    assert (loaded.n_apart_, loaded.share_apart_) == (fitted.n_apart_, fitted.share_apart_)
    assert loaded.n_apart_ + len(loaded.calibration_) == 200


def test_more_than_may_be_anomalies_counts_as_ordinary_and_is_told() -> None:
    draw = np.random.default_rng(4)
    wide = np.repeat([1.0, 10.0], [850, 150])[draw.permutation(1000), None]
    fitted = nw.AnomalyDetector(epochs=1, random_state=0).fit(wide * draw.normal(size=(1000, 6)))
    assert fitted.n_apart_ == 0
    notes = fitted.evaluate(Rows(draw.normal(size=(300, 6))), Rows(draw.normal(size=(50, 6)))).notes
    assert any("lie apart from all others: more than 7.5%" in note for note in notes)
