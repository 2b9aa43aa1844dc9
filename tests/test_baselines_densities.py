"""Simple densities: against scikit-learn, SciPy and sums that must be 1."""

import itertools

import numpy as np
import pytest
import scipy.stats as st
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity as SklearnKernels

from narrows.tasks.density.baselines import density_baselines
from narrows.tasks.density.kernels import KernelDensity
from narrows.tasks.density.mixed_rows import Cells, Columns
from narrows.tasks.density.mixture import MixtureDensity

DRAW = np.random.default_rng(0)


def numbers(X: np.ndarray, scale: float = 1.0) -> Cells:
    return Columns([("gaussian", 1, 0.0, scale)] * X.shape[1], X).read(X)


def test_one_part_is_the_gaussian_in_original_units() -> None:
    X = DRAW.normal(size=(400, 3)) @ DRAW.normal(size=(3, 3))
    expected = st.multivariate_normal(X.mean(0), np.cov(X.T, bias=True)).logpdf(X)
    assert MixtureDensity(1).fit(numbers(X)).log_prob(numbers(X)) == pytest.approx(expected, abs=2e-3)
    wide = MixtureDensity(1).fit(numbers(X, 10.0)).log_prob(numbers(X, 10.0))
    assert wide == pytest.approx(expected - 3 * np.log(10), abs=2e-3)


def test_a_mixture_equals_that_of_scikit_learn() -> None:
    X = np.concatenate([DRAW.normal(m, 0.5, (300, 2)) for m in (-3, 0, 4)])
    ours = MixtureDensity(3).fit(numbers(X)).log_prob(numbers(X))
    theirs = GaussianMixture(3, random_state=0, n_init=3, tol=1e-6).fit(X).score_samples(X)
    assert ours.mean() == pytest.approx(theirs.mean(), abs=2e-3)


def test_missing_numbers_are_integrated_out() -> None:
    X = DRAW.normal(size=(500, 2)) @ np.array([[1.0, 0.8], [0.0, 0.6]])
    fitted = MixtureDensity(2).fit(numbers(X))
    half = X[:5].copy()
    half[:, 1] = np.nan
    grid = np.linspace(-8, 8, 4001)
    for row, found in zip(half, fitted.log_prob(numbers(half)), strict=True):
        line = np.stack([np.full_like(grid, row[0]), grid], 1)
        total = np.trapezoid(np.exp(fitted.log_prob(numbers(line))), grid)
        assert found == pytest.approx(np.log(total), abs=1e-6)
    kernels = KernelDensity(0.3).fit(numbers(X))
    for row, found in zip(half, kernels.log_prob(numbers(half)), strict=True):
        line = np.stack([np.full_like(grid, row[0]), grid], 1)
        assert found == pytest.approx(np.log(np.trapezoid(np.exp(kernels.log_prob(numbers(line))), grid)), abs=1e-6)


def test_kernels_equal_those_of_scikit_learn() -> None:
    X, new = DRAW.normal(size=(200, 3)), DRAW.normal(size=(50, 3))
    X = (X - X.mean(0)) / X.std(0)
    theirs = SklearnKernels(bandwidth=0.4).fit(X).score_samples(new)
    assert KernelDensity(0.4).fit(numbers(X)).log_prob(numbers(new)) == pytest.approx(theirs)


MIXED = [("bernoulli", 1, 0.0, 1.0), ("categorical", 3, 0.0, 1.0), ("poisson", 1, 0.0, 1.0)]


@pytest.mark.parametrize("model", [MixtureDensity(1), MixtureDensity(3), KernelDensity(1.0, 1.5)])
def test_the_probabilities_of_all_tables_add_up_to_one(model: MixtureDensity | KernelDensity) -> None:
    X = np.hstack([DRAW.integers(0, 2, (90, 1)), np.eye(3)[DRAW.integers(0, 3, 90)], DRAW.integers(0, 4, (90, 1))])
    columns = Columns(MIXED, X.astype(float))
    cells = columns.read(X.astype(float))
    assert cells.sizes == (3, 4, 5)
    every = np.array(list(itertools.product(*map(range, cells.sizes))))
    both = cells._replace(numbers=np.zeros((len(every), 0)), codes=every)
    assert np.exp(model.fit(cells).log_prob(both)).sum() == pytest.approx(1)
    unseen = X[:1].astype(float)
    unseen[:, 1:4], unseen[:, 4] = 0, np.nan
    assert columns.read(unseen).codes.tolist() == [[int(X[0, 0]), 3, -1]]
    assert np.isfinite(model.log_prob(columns.read(unseen))).all()


def test_whole_numbers_of_many_values_have_probabilities() -> None:
    values = DRAW.integers(0, 64, (4000, 1)).astype(float)
    found = density_baselines([("rounded", 1, 3.0, 8.0)], (values[:3000] - 3) / 8, (values[3000:] - 3) / 8)
    for name, log_p in found.items():
        assert log_p.mean() <= -np.log(64) + 0.01, name  # no better than the truth
        assert log_p.mean() > -np.log(64) - 0.3, name


def test_rivals_choose_their_settings_by_the_training_rows() -> None:
    X = np.concatenate([DRAW.normal(m, 0.1, (400, 2)) for m in (-3, 0, 1, 2)])
    DRAW.shuffle(X)
    gaussian, mixture, kernels = density_baselines([("gaussian", 1, 0.0, 1.0)] * 2, X[:1200], X[1200:]).values()
    truth = st.norm.logpdf(X[1200:, None], np.array([-3, 0, 1, 2])[:, None], 0.1).sum(2)
    best = np.logaddexp.reduce(truth - np.log(4), axis=1).mean()
    assert gaussian.mean() < best - 1
    assert best - 0.1 < mixture.mean() < best + 0.02
    assert best - 0.3 < kernels.mean() < best + 0.02


def gappy(n: int, share: float, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return n rows of correlated numbers, whole and with that share missing."""
    draw = np.random.default_rng(seed)
    X = draw.normal(size=(n, 3)) @ np.array([[1.0, 0.9, 0.0], [0.0, 0.4, 0.8], [0.0, 0.0, 0.6]]) + 5
    return X, np.where(draw.random(X.shape) < share, np.nan, X)


@pytest.mark.parametrize("k", [1, 2])
def test_missing_numbers_do_not_pull_a_mixture_to_the_mean(k: int) -> None:
    X, holes = gappy(4000, 0.4)
    new, _ = gappy(1000, 0.0, seed=4)
    best = st.multivariate_normal(X.mean(0), np.cov(X.T)).logpdf(new).mean()
    assert MixtureDensity(k).fit(numbers(holes)).log_prob(numbers(new)).mean() == pytest.approx(best, abs=0.05)


def test_a_diagonal_mixture_expects_its_own_means_of_what_is_missing() -> None:
    draw = np.random.default_rng(0)
    X = np.repeat([-2.0, 2.0], 300)[:, None] + draw.normal(size=(600, 101))
    holes = np.where(draw.random(X.shape) < 0.5, np.nan, X)
    fitted = MixtureDensity(2).fit(numbers(holes))
    assert not fitted.full_
    assert np.sort(fitted.means_.mean(1)) == pytest.approx([-2, 2], abs=0.05)
    assert np.stack(fitted.spreads_).mean() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("model", [MixtureDensity(2), KernelDensity(0.2)])
def test_a_column_that_is_half_missing_has_a_density_without_a_spike(model: MixtureDensity | KernelDensity) -> None:
    values = np.where(np.arange(2000) % 2, DRAW.normal(size=2000), np.nan)[:, None]
    grid = np.linspace(-6, 6, 2001)
    found = np.exp(model.fit(numbers(values)).log_prob(numbers(grid[:, None])))
    assert np.trapezoid(found, grid) == pytest.approx(1, abs=1e-3)
    assert found[1000] == pytest.approx(0.4, abs=0.05)


def test_kernels_over_missing_levels_add_up_to_one() -> None:
    bits = np.where(DRAW.random((400, 2)) < 0.5, np.nan, DRAW.integers(0, 2, (400, 2)))
    cells = Columns([("bernoulli", 1, 0.0, 1.0)] * 2, bits).read(bits)
    every = np.array(list(itertools.product(range(3), repeat=2)))
    both = cells._replace(numbers=np.zeros((len(every), 0)), codes=every)
    assert np.exp(KernelDensity(1.0, 1.5).fit(cells).log_prob(both)).sum() == pytest.approx(1)


def test_a_category_without_a_value_is_missing_and_not_new() -> None:
    block = np.array([[1.0, 0, 0], [np.nan] * 3, [0, 0, 0]])
    assert Columns([("categorical", 3, 0.0, 1.0)], block).read(block).codes.ravel().tolist() == [0, -1, 3]


def test_a_column_that_the_training_rows_lack_is_nothing_to_stop_at() -> None:
    X = DRAW.normal(size=(60, 2))
    holes = np.where([[True, False]] * 60, X, np.nan)
    for name, log_p in density_baselines([("gaussian", 1, 0.0, 1.0)] * 2, holes[:40], X[40:]).items():
        assert np.isfinite(log_p).all(), name


ATOMIC = [("gaussian", 1, 1.0, 2.0, (0.0, 5.0))]


@pytest.mark.parametrize("model", [MixtureDensity(1), MixtureDensity(3), KernelDensity(0.3, 1.5)])
def test_atoms_and_the_density_of_the_others_add_up_to_one(model: MixtureDensity | KernelDensity) -> None:
    draw = np.random.default_rng(0)
    values = np.where(draw.random(600) < 0.3, 0.0, np.where(draw.random(600) < 0.2, 5.0, draw.normal(2, 1.5, 600)))
    columns = Columns(ATOMIC, (values[:, None] - 1) / 2)
    fitted = model.fit(columns.read((values[:, None] - 1) / 2))
    at = np.exp(fitted.log_prob(columns.read((np.array([[0.0], [5.0]]) - 1) / 2)))
    if isinstance(model, MixtureDensity):
        assert at == pytest.approx([np.mean(values == 0), np.mean(values == 5)], abs=0.01)
    grid = np.linspace(-12.0001, 16, 5001)
    density = np.exp(fitted.log_prob(columns.read((grid[:, None] - 1) / 2)))
    assert at.sum() + np.trapezoid(density, grid) == pytest.approx(1, abs=1e-3)


def test_many_patterns_of_missing_numbers_make_diagonal_parts_and_take_no_minutes() -> None:
    draw = np.random.default_rng(0)
    X = draw.normal(size=(400, 12)) + 3 * draw.integers(0, 2, (400, 1))
    holes = np.where(draw.random(X.shape) < 0.3, np.nan, X)
    fitted = MixtureDensity(2).fit(numbers(holes))
    assert not fitted.full_
    for row, found in zip(holes[:20], fitted.log_prob(numbers(holes[:20])), strict=True):
        known = ~np.isnan(row)
        parts = [
            weight + st.norm.logpdf(row[known], mean[known], np.sqrt(variance[known])).sum()
            for weight, mean, variance in zip(fitted.log_weights_, fitted.means_, fitted.spreads_, strict=True)
        ]
        assert found == pytest.approx(np.logaddexp.reduce(parts))
