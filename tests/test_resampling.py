"""Cross-validation of few labels: folds, the standard error of folds that share rows, and equal methods."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from narrows.metrics import resampled_spread, stratified_folds

BENCH = Path(__file__).parent.parent / "bench"


@pytest.mark.parametrize("counts", [(30, 30), (31, 8, 2), (3, 3), (2, 2, 2, 2, 1, 1)])
def test_folds_hold_every_row_once_and_every_class_evenly(counts: tuple[int, ...]) -> None:
    y = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    folds = stratified_folds(y, folds=5, repeats=3, seed=1)
    assert folds.shape == (3, len(y))
    for own in folds:
        assert np.array_equal(own < 0, np.array(counts)[y] == 1)  # the only one of its class is never left out
        assert set(np.unique(own[own >= 0])) == set(range(5))
        assert np.ptp(np.bincount(own[own >= 0])) <= 1
        for kind in np.unique(y):
            inside = own[(y == kind) & (own >= 0)]
            assert not len(inside) or np.ptp(np.bincount(inside, minlength=5)) <= 1
        for fold in range(5):
            assert set(y[own != fold]) == set(y)  # every class is learnt in every fold
    assert not np.array_equal(folds[0], folds[1])
    assert np.array_equal(folds, stratified_folds(y, folds=5, repeats=3, seed=1))


def test_fewer_rows_than_folds_are_left_out_one_by_one() -> None:
    assert sorted(stratified_folds([0, 0, 1, 1], folds=5, repeats=1)[0]) == [0, 1, 2, 3]


def test_the_spread_is_that_of_nadeau_and_bengio() -> None:
    draw = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [21, 21, 1])
    folds = stratified_folds(y, folds=5, repeats=4)
    values = draw.normal(size=folds.shape)
    means, ratios = [], []
    for repeat in range(4):
        for fold in range(5):
            test = np.flatnonzero(folds[repeat] == fold)
            means.append(values[repeat, test].mean())
            ratios.append(len(test) / (43 - len(test)))
    found = resampled_spread(values, folds)
    assert found.error == pytest.approx(np.sqrt((1 / 20 + np.mean(ratios)) * np.var(means, ddof=1)))
    assert found.mean == pytest.approx(values[folds >= 0].mean())
    assert found.freedom == 4


@pytest.mark.parametrize(("labels", "learner"), [(20, "stump"), (60, "centroid")])
def test_equal_methods_have_no_winner(labels: int, learner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCH)
    bench = import_module("equal_labels")
    assert max(bench.named(labels, 40, learner, (1, 3))) <= 0.06


def test_a_better_method_is_named() -> None:
    folds = stratified_folds(np.arange(60) % 2)
    draw = np.random.default_rng(0)
    better, worse = draw.random(60) < 0.95, draw.random(60) < 0.5
    spread = resampled_spread(np.tile(better.astype(float) - worse, (4, 1)), folds)
    assert spread.mean > stats.t.ppf(0.97725, spread.freedom) * spread.error
