import numpy as np
import pytest
from numpy.testing import assert_allclose

from narrows import metrics
from narrows.errors import InputError


@pytest.fixture
def pair():
    rng = np.random.default_rng(3)
    truth = rng.random((5, 2, 9, 8))
    return truth, truth + 0.1 * rng.normal(size=truth.shape)


def test_errors_equal_loops_over_values(pair):
    truth, result = pair
    gaps = [float(b) - float(a) for a, b in zip(truth.ravel(), result.ravel(), strict=True)]
    assert_allclose(metrics.mse(truth, result), sum(g * g for g in gaps) / len(gaps))
    assert_allclose(metrics.mae(truth, result), sum(abs(g) for g in gaps) / len(gaps))
    assert_allclose(metrics.psnr(truth, result, 2.0), 10 * np.log10(4 / (sum(g * g for g in gaps) / len(gaps))))


def test_chunks_do_not_change_the_sums(pair, monkeypatch):
    whole = metrics.mse(*pair)
    monkeypatch.setattr(metrics.rows, "_CHUNK", 300)
    assert_allclose(metrics.mse(*pair), whole)


def test_small_integers_do_not_wrap_and_single_precision_sums_in_double():
    assert metrics.mse(np.array([[0, 255]], np.uint8), np.array([[255, 0]], np.uint8)) == 255.0**2
    large = np.full((4000, 1000), 0.1, np.float32)
    assert_allclose(metrics.mse(np.zeros_like(large), large), float(np.float32(0.1)) ** 2, rtol=1e-9)


def test_psnr_of_equal_arrays_is_infinite():
    assert metrics.psnr(np.ones((2, 3)), np.ones((2, 3))) == np.inf


def test_ssim_equals_the_formula_on_one_window():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 7, 7))
    covariance = np.cov(a.ravel(), b.ravel())
    means = a.mean(), b.mean()
    top = (2 * means[0] * means[1] + 0.01**2) * (2 * covariance[0, 1] + 0.03**2)
    below = (means[0] ** 2 + means[1] ** 2 + 0.01**2) * (covariance[0, 0] + covariance[1, 1] + 0.03**2)
    assert_allclose(metrics.ssim(a[None], b[None]), top / below)


def test_ssim_averages_images_and_channels(pair):
    truth, result = pair
    each = [metrics.ssim(truth[i : i + 1, c], result[i : i + 1, c]) for i in range(5) for c in range(2)]
    assert_allclose(metrics.ssim(truth, result), np.mean(each))


def test_r2_of_columns_equals_scikit_learn():
    from sklearn.decomposition import PCA
    from sklearn.metrics import r2_score

    rows = np.random.default_rng(1).normal(size=(60, 6)) * np.arange(1, 7)
    pca = PCA(2).fit(rows)
    result = pca.inverse_transform(pca.transform(rows))
    assert_allclose(metrics.r2_columns(rows, result), r2_score(rows, result, multioutput="raw_values"))


def test_r2_of_constant_columns_is_not_a_number():
    rows = np.array([[0.1, 1.0], [0.1, 2.0], [0.1, 3.0]])
    assert_allclose(metrics.r2_columns(rows, rows + 0.1), [np.nan, 1 - 0.03 / 2])


def test_knn_accuracy_equals_a_vote_by_hand():
    rng = np.random.default_rng(2)
    codes, new = rng.normal(size=(40, 3)), rng.normal(size=(15, 3))
    labels, new_labels = rng.integers(2, size=40), rng.integers(2, size=15)
    votes = [labels[np.argsort(((codes - row) ** 2).sum(axis=1))[:5]].mean() > 0.5 for row in new]
    assert metrics.knn_accuracy(codes, labels, new, new_labels) == np.mean(np.array(votes) == new_labels)
    assert metrics.knn_accuracy(codes[:3], np.array([1, 1, 1]), new, np.ones(15)) == 1.0


def test_trustworthiness_falls_when_neighbours_are_shuffled():
    rows = np.random.default_rng(0).random((50, 4))
    shuffled = np.random.default_rng(1).permutation(rows)
    assert metrics.trustworthiness(rows, rows * 3) == 1.0
    assert metrics.trustworthiness(rows, shuffled) < 0.7


@pytest.mark.parametrize("shapes", [((2, 3), (2, 4)), ((0, 3), (0, 3))])
def test_shapes_that_cannot_be_compared_are_refused(shapes):
    with pytest.raises(InputError, match="one shape"):
        metrics.mse(np.zeros(shapes[0]), np.zeros(shapes[1]))
    with pytest.raises(InputError, match="images"):
        metrics.ssim(np.zeros((2, 9)), np.zeros((2, 9)))


def test_a_range_that_is_a_byte_does_not_overflow():
    a, b = np.zeros((1, 8, 8), np.uint8), np.full((1, 8, 8), 3, np.uint8)
    assert metrics.psnr(a, b, data_range=np.uint8(255)) == metrics.psnr(a, b, data_range=255)
