import numpy as np
import pytest
from numpy.testing import assert_allclose

from narrows import metrics
from narrows.baselines import LinearDenoiser, MedianFilter, NoisyInput, PCABaseline
from narrows.errors import InputError


def test_pca_equals_the_truncated_singular_value_decomposition():
    rows = np.random.default_rng(0).normal(size=(40, 4, 5)) * np.arange(1, 6)
    flat = rows.reshape(40, 20)
    centred = flat - flat.mean(axis=0)
    u, s, vt = np.linalg.svd(centred, full_matrices=False)
    expected = (u[:, :3] * s[:3]) @ vt[:3] + flat.mean(axis=0)
    pca = PCABaseline(3).fit(rows)
    assert_allclose(pca.reconstruct(rows), expected.reshape(rows.shape), atol=1e-10)
    assert_allclose(np.abs(pca.transform(rows)), np.abs(u[:, :3] * s[:3]), atol=1e-10)
    assert_allclose(metrics.mse(rows, pca.reconstruct(rows)), (s[3:] ** 2).sum() / flat.size)


def test_pca_scales_bytes_and_keeps_more_than_there_is():
    pixels = np.random.default_rng(0).integers(256, size=(6, 3, 3), dtype=np.uint8)
    result = PCABaseline(50).fit(pixels).reconstruct(pixels)
    assert result.dtype == np.float32
    assert_allclose(result, pixels / 255, atol=1e-6)
    assert PCABaseline(50).name == "PCA(50)"


def test_pca_of_very_wide_rows_is_exact_up_to_rounding():
    rows = np.random.default_rng(0).normal(size=(12, 2100))
    assert_allclose(PCABaseline(11).fit(rows).reconstruct(rows), rows, atol=1e-4)


def test_linear_denoiser_equals_least_squares():
    rng = np.random.default_rng(1)
    clean = 5 * rng.normal(size=(80, 6))
    noisy = clean @ rng.normal(size=(6, 6)) + rng.normal(size=clean.shape)
    design = np.hstack([noisy, np.ones((80, 1))])
    expected = design @ np.linalg.lstsq(design, clean, rcond=None)[0]
    assert_allclose(LinearDenoiser(ridge=0).fit(noisy, clean).denoise(noisy), expected, atol=1e-9)


def test_linear_denoiser_reaches_the_wiener_solution():
    rng = np.random.default_rng(2)
    factor = rng.normal(size=(5, 5))
    clean = rng.normal(size=(200_000, 5)) @ factor.T + 3
    noisy = clean + 0.7 * rng.normal(size=clean.shape)
    covariance = factor @ factor.T
    wiener = covariance @ np.linalg.inv(covariance + 0.49 * np.eye(5))
    denoiser = LinearDenoiser(ridge=0).fit(noisy, clean)
    assert_allclose(denoiser.weights_.T, wiener, atol=0.02)
    assert_allclose(denoiser.intercept_, 3 - wiener @ np.full(5, 3.0), atol=0.05)
    error = np.trace(covariance - wiener @ covariance) / 5
    assert_allclose(metrics.mse(clean, denoiser.denoise(noisy)), error, rtol=0.01)


def test_ridge_is_a_share_of_the_mean_variance():
    noisy = np.array([[-10.0], [10.0]])
    assert_allclose(LinearDenoiser(ridge=1.0).fit(noisy, noisy).denoise(noisy), noisy / 2)


def test_linear_denoiser_survives_constant_values_and_keeps_images_in_range():
    rng = np.random.default_rng(0)
    clean = np.zeros((30, 4, 4))
    clean[:, 1:3, 1:3] = rng.integers(2, size=(30, 2, 2))
    noisy = clean + 0.4 * rng.normal(size=clean.shape) * (clean.max(axis=0) > 0)
    result = LinearDenoiser().fit(noisy, clean).denoise(2 * noisy)
    assert result.shape == clean.shape
    assert (result.min(), result.max()) == (0.0, 1.0)
    assert metrics.mse(clean, LinearDenoiser().fit(noisy, clean).denoise(noisy)) < metrics.mse(clean, noisy)


@pytest.mark.parametrize("shape", [(6, 70, 66), (6, 3, 45, 50)])
def test_wide_images_are_denoised_patch_by_patch(shape):
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[: shape[-2], : shape[-1]]
    phase = rng.random((shape[0],) + (1,) * (len(shape) - 1)) * 6
    clean = np.broadcast_to(0.5 + 0.3 * np.sin(rows / 5 + columns / 7 + phase), shape)
    noisy = clean + 0.2 * rng.normal(size=shape)
    denoiser = LinearDenoiser().fit(noisy[:5], clean[:5])
    assert denoiser.patch_ == 16
    assert metrics.mse(clean[5:], denoiser.denoise(noisy[5:])) < 0.05 * metrics.mse(clean[5:], noisy[5:])


def test_what_the_linear_denoiser_cannot_do_is_refused():
    with pytest.raises(InputError, match="5000 values per row"):
        LinearDenoiser().fit(np.zeros((3, 5000)), np.zeros((3, 5000)))
    with pytest.raises(InputError, match="as many of both"):
        LinearDenoiser().fit(np.zeros((3, 5)), np.zeros((2, 5)))


def test_median_filter_equals_medians_by_hand_and_keeps_channels_apart():
    images = np.random.default_rng(0).random((2, 3, 6, 7))
    result = MedianFilter(3).denoise(images)
    assert result[1, 2, 3, 4] == np.median(images[1, 2, 2:5, 3:6])
    assert_allclose(result[:, 1], MedianFilter(3).denoise(images[:, 1]))
    with pytest.raises(InputError, match="images"):
        MedianFilter().denoise(np.zeros((4, 9)))


def test_median_filter_takes_the_better_size():
    rng = np.random.default_rng(0)
    flat = np.full((10, 20, 20), 0.5)
    noisy = flat + rng.normal(size=flat.shape)
    lines = np.zeros((10, 20, 20))
    lines[:, :, 9:11] = 1
    assert MedianFilter().fit(noisy, flat).name == "median filter 5 x 5"
    assert MedianFilter().fit(lines, lines).name == "median filter 3 x 3"
    assert MedianFilter(3).fit(noisy, flat).size_ == 3


def test_noisy_input_is_the_input():
    noisy = np.array([[0, 65535]], np.uint16)
    assert_allclose(NoisyInput().fit(noisy, noisy).denoise(noisy), [[0, 1]])
