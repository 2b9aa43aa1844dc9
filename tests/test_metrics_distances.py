"""Distances of sets of rows: against closed forms."""

import numpy as np
import pytest
import scipy.linalg

from narrows.metrics import compare_kernel_distances, frechet_distance, kernel_distance, kernel_rows
from narrows.tasks.generate.baselines import PCASampler
from narrows.tasks.generate.features import Features
from narrows.tasks.generate.mixture import CodeMixture

DRAW = np.random.default_rng(0)


def test_frechet_of_gaussians_is_the_closed_form() -> None:
    A, B = DRAW.normal(size=(300, 4)) @ DRAW.normal(size=(4, 4)), DRAW.normal(size=(200, 4)) + 1
    one, two = np.cov(A.T), np.cov(B.T)
    root = scipy.linalg.sqrtm(one @ two).real
    expected = np.square(A.mean(0) - B.mean(0)).sum() + np.trace(one + two - 2 * root)
    assert frechet_distance(A, B) == pytest.approx(expected)
    assert frechet_distance(B, A) == pytest.approx(expected)
    assert frechet_distance(A, A) == pytest.approx(0, abs=1e-9)


def test_kernel_distance_is_the_unbiased_sum_over_pairs() -> None:
    A, B = DRAW.normal(size=(7, 3)), DRAW.normal(size=(5, 3))

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.exp(-np.square(a - b).sum() / (2 * 0.7**2)))

    own = np.mean([k(A[i], A[j]) for i in range(7) for j in range(7) if i != j])
    other = np.mean([k(B[i], B[j]) for i in range(5) for j in range(5) if i != j])
    cross = np.mean([k(a, b) for a in A for b in B])
    assert kernel_distance(A, B, 0.7) == pytest.approx(own + other - 2 * cross)
    assert kernel_rows(A, B, 0.7).shape == (5,)


def test_kernel_distance_of_gaussians_is_the_closed_form() -> None:
    s, w, m = 1.3, 0.9, 1.0  # E k(a, b) = w / sqrt(w² + 2 s²) exp(-m² / 2 (w² + 2 s²)) in one dimension
    total = w**2 + 2 * s**2
    expected = 2 * w / np.sqrt(total) * (1 - np.exp(-(m**2) / (2 * total)))
    found = [kernel_distance(s * DRAW.normal(size=(500, 1)), m + s * DRAW.normal(size=(500, 1)), w) for _ in range(20)]
    assert np.mean(found) == pytest.approx(expected, abs=3 * np.std(found) / np.sqrt(20))


def test_pairs_of_rows_are_the_noise_of_equal_samplers() -> None:
    draw = np.random.default_rng(0)
    sets = ([draw.normal(size=(n, 2)) for n in (9, 12, 15)] for _ in range(1500))
    compared = [compare_kernel_distances(*rows, 1.2) for rows in sets]
    twice = np.mean([each.counted_twice for each in compared])
    single = np.mean([sum(part.var(ddof=1) / len(part) for part in each.samples) for each in compared])
    noise = np.var([each.gap for each in compared])  # known to 1 / sqrt(750): 3.7 %
    assert twice == pytest.approx(noise, rel=0.11)
    assert single == pytest.approx(2 * noise, rel=0.11)


def test_rows_are_the_noise_of_samplers_that_are_off() -> None:
    draw = np.random.default_rng(1)
    places = ((-1.0, 60), (1.0, 80), (0.0, 50))
    compared = [compare_kernel_distances(*(draw.normal(m, size=(n, 2)) for m, n in places), 1.2) for _ in range(600)]
    noise = np.var([each.gap for each in compared])
    assert np.mean([(each.margin / 2.02) ** 2 for each in compared]) == pytest.approx(noise, rel=0.17)
    assert np.mean([each.outcome.value in ("wins", "loses") for each in compared]) <= 0.045 + 3 * 0.0085


def test_features_tell_pictures_and_rows_apart() -> None:
    images = DRAW.random((60, 3, 12, 10))
    shapes = [Features().fit(rows)(rows).shape for rows in (images, images[:, 0], images.reshape(60, -1)[:, :5])]
    assert shapes == [(60, 32), (60, 32), (60, 5)]
    upright = np.zeros((40, 8, 8))
    upright[:, :, 3:5] = 1
    upright += 0.05 * DRAW.random(upright.shape)
    features = Features().fit(upright[:20])
    same, turned = features(upright[20:]), features(upright[20:].transpose(0, 2, 1))
    assert frechet_distance(features(upright[:20]), turned) > 10 * frechet_distance(features(upright[:20]), same)


def test_a_mixture_over_codes_finds_its_parts_and_draws_from_them() -> None:
    centres = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0], [6.0, 6.0]])
    codes = centres[DRAW.integers(0, 4, 2000)] + DRAW.normal(size=(2000, 2)) @ np.array([[1.0, 0.9], [0.0, 0.4]])
    mixture = CodeMixture.of(codes)
    assert len(mixture.weights) == 4
    drawn = CodeMixture(**mixture._asdict()).sample(4000, np.random.default_rng(1))
    assert kernel_distance(drawn[:2000], codes, 2.0) < 0.002 < kernel_distance(codes + 0.5, codes, 2.0)
    assert len(CodeMixture.of(codes[:3]).weights) == 1
    assert CodeMixture.of(codes[:1]).sample(3, np.random.default_rng(0)).shape == (3, 2)


def test_a_gaussian_on_pca_codes_has_the_moments_of_the_rows() -> None:
    X = DRAW.normal(size=(3000, 4)) @ DRAW.normal(size=(4, 4)) + 1
    made = PCASampler(1).fit(X).sample(20_000, np.random.default_rng(1))
    assert made.mean(0) == pytest.approx(X.mean(0), abs=0.1)
    assert np.cov(made.T) == pytest.approx(np.cov(X.T), abs=0.3)
    flags = (X > 1) * 1.0
    measures = [("bernoulli", 1, 0.0, 1.0)] * 4
    drawn = PCASampler(None, measures).fit(flags).sample(2000, np.random.default_rng(1))
    assert set(drawn.ravel()) == {0.0, 1.0}
    assert drawn.mean(0) == pytest.approx(flags.mean(0), abs=0.1)
