import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import affine_transform, gaussian_filter
from torch.testing import assert_close

from narrows.corruption import (
    Blur,
    Corruption,
    Downscale,
    GaussianNoise,
    Grey,
    Jpeg,
    Mask,
    Patches,
    PoissonNoise,
    SaltPepper,
    Swap,
    Warp,
)
from narrows.errors import InputError
from narrows.parts import as_part

ALL = [
    *(GaussianNoise(0.3), GaussianNoise(0.3, clip=True), GaussianNoise(0, to=0.2), PoissonNoise(30), Mask(0.4)),
    *(PoissonNoise(5, to=50), SaltPepper(0.3), SaltPepper(0.1, to=0.3), Mask(0.1, to=0.9), Swap(0.5)),
]
PICTURES = [Blur(1.5), Blur(0.5, to=2.0), Jpeg(20), Jpeg(10, to=90), Downscale(2), Downscale(3), Patches(3, 2)]
PICTURES += [Grey(), Warp(), Warp(180, 0.5, 1, 0.5)]


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@settings(deadline=None)
@given(
    shape=st.lists(st.integers(1, 7), min_size=2, max_size=4).map(tuple),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    corruption=st.sampled_from(ALL),
)
def test_shape_and_dtype_are_kept_and_the_input_is_untouched(shape, dtype, corruption):
    x = torch.rand(shape, dtype=dtype)
    before = x.clone()
    corrupted = corruption(x)
    assert corrupted.shape == shape
    assert corrupted.dtype == dtype
    assert torch.equal(x, before)


@pytest.mark.parametrize("std", [0.1, 1.0, 25 / 255])
def test_gaussian_noise_has_the_asked_deviation_and_is_not_clipped(std):
    noise = GaussianNoise(std)(torch.full((1000, 400), 0.5)) - 0.5
    assert noise.std().item() == pytest.approx(std, rel=0.01)
    assert noise.mean().item() == pytest.approx(0, abs=5 * std / 632)
    assert noise.abs().max() > 4 * std


def test_clipping_cuts_to_the_unit_interval():
    noisy = GaussianNoise(0.5, clip=True)(torch.rand(1000, 100))
    assert noisy.min() == 0
    assert noisy.max() == 1


@pytest.mark.parametrize("rate", [0.0, 0.25, 1.0])
def test_rates(rate):
    x = torch.full((1000, 400), 0.3)
    assert (Mask(rate)(x) == 0).float().mean().item() == pytest.approx(rate, abs=0.004)
    spotted = SaltPepper(rate, -1, 2)(x)
    assert (spotted == -1).float().mean().item() == pytest.approx(rate / 2, abs=0.004)
    assert (spotted == 2).float().mean().item() == pytest.approx(rate / 2, abs=0.004)
    assert (spotted == 0.3).float().mean().item() == pytest.approx(1 - rate, abs=0.004)


@pytest.mark.parametrize("rate", [0.15, 0.5, 1.0])
def test_swap_takes_values_from_the_same_column_at_the_asked_rate(rate):
    rows, columns = 4000, 50
    x = torch.arange(rows * columns, dtype=torch.float64).reshape(rows, columns)
    swapped = Swap(rate)(x)
    assert torch.equal(swapped % columns, x % columns)
    assert (swapped != x).double().mean().item() == pytest.approx(rate, abs=0.01)
    assert_close(swapped.mean(0), x.mean(0), rtol=0.03, atol=0)
    assert_close(swapped.std(0), x.std(0), rtol=0.03, atol=0)


def test_a_full_swap_keeps_the_marginals_exactly():
    x = torch.randn(100, 3, 4, 4)
    assert torch.equal(Swap(1.0)(x).sort(0).values, x.sort(0).values)


def test_draws_are_fresh_and_follow_the_global_generator():
    x = torch.rand(50, 20)
    for corruption in ALL:
        assert not torch.equal(corruption(x), corruption(x))
        with torch.random.fork_rng():
            torch.manual_seed(4)
            first = corruption(x)
            torch.manual_seed(4)
            assert torch.equal(first, corruption(x))


def test_the_base_class_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        Corruption()


# ---- ranges, counts, pictures ----------------------------------------------------------------------------------------


@settings(deadline=None)
@given(
    shape=st.tuples(st.integers(1, 3), st.sampled_from([1, 2, 3, 4]), st.integers(1, 9), st.integers(1, 9)),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    corruption=st.sampled_from(PICTURES),
)
def test_pictures_keep_shape_and_dtype(shape, dtype, corruption):
    x = torch.rand(shape, dtype=dtype)
    before = x.clone()
    corrupted = corruption(x)
    assert (corrupted.shape, corrupted.dtype) == (shape, dtype)
    assert torch.equal(x, before)
    assert torch.isfinite(corrupted).all()


@pytest.mark.parametrize("corruption", PICTURES)
def test_pictures_only(corruption):
    with pytest.raises(InputError, match=r"for rows of shape \(5,\).*image_shape"):
        corruption(torch.rand(2, 5))


@pytest.mark.parametrize("text", ["gaussian:0,0.2", "gaussian:0,to=0.2", "gaussian:std=0,to=51/255"])
def test_a_blind_range_draws_a_level_per_row(text):
    noise = as_part("corruption", text)
    found = noise(torch.zeros(2000, 500)).std(1)
    assert noise == GaussianNoise(0, to=0.2)
    assert as_part("corruption", str(noise)) == noise
    assert found.mean().item() == pytest.approx(0.1, abs=0.005)
    assert found.min() < 0.005
    assert found.max() > 0.19
    assert np.histogram(found, 4, (0, 0.2))[0] == pytest.approx([500] * 4, abs=90)


def test_words_give_both_scales():
    assert GaussianNoise(25 / 255).words() == "Gaussian noise of standard deviation 0.09804 (25 of 255)"
    assert "0 to 0.2 (0 to 51 of 255)" in GaussianNoise(0, to=0.2).words()
    assert "30 counts at the value 1 (deviation 0.183 (46.6 of 255)" in PoissonNoise(30).words()
    for corruption in [*ALL, *PICTURES]:
        assert len(corruption.words()) > 8


@pytest.mark.parametrize("value", [0.1, 0.5, 1.0])
def test_poisson_noise_has_the_mean_and_the_variance_of_counts(value):
    noisy = PoissonNoise(30)(torch.full((500, 500), value))
    assert noisy.mean().item() == pytest.approx(value, rel=0.01)
    assert noisy.var().item() == pytest.approx(value / 30, rel=0.02)
    assert_close(noisy * 30, (noisy * 30).round(), atol=1e-4, rtol=0)


def test_poisson_noise_takes_what_is_below_zero_as_zero():
    assert (PoissonNoise(30)(torch.full((3, 4), -0.5)) == 0).all()


def test_blur_is_scipys():
    x = torch.rand(2, 3, 20, 17, dtype=torch.float64)
    assert_close(Blur(2)(x), torch.from_numpy(gaussian_filter(x.numpy(), (0, 0, 2, 2))))
    rows = [Blur(0.5, to=3)(x)[0] for _ in range(2)]
    assert not torch.equal(*rows)


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_is_pillows(channels):
    smooth = torch.nn.functional.interpolate(torch.rand(1, channels, 4, 4), (32, 40), mode="bicubic").clamp(0, 1)
    shown = (smooth[0] * 255).round().byte().movedim(0, 2).squeeze(2).numpy()
    file = io.BytesIO()
    Image.fromarray(shown).save(file, "JPEG", quality=20)
    wanted = torch.from_numpy(np.array(Image.open(file))).reshape(32, 40, channels).movedim(2, 0)
    assert_close(Jpeg(20)(smooth)[0] * 255, wanted.float())


def test_worse_quality_is_worse():
    x = torch.rand(2, 1, 32, 32)
    worse, better = ((Jpeg(q)(x) - x).square().mean() for q in (5, 90))
    assert worse > 2 * better


def test_downscaling_keeps_slow_waves_and_drops_fast_ones():
    place = torch.arange(64, dtype=torch.float64)
    slow, fast = (torch.cos(2 * torch.pi * f * (place + 0.5) / 64).expand(1, 1, 64, 64) for f in (2, 28))
    assert (Downscale(4)(slow) - slow).abs().max() < 0.02
    assert Downscale(4)(fast).abs().max() < 0.15


def test_patches_hide_so_many_squares():
    x = torch.rand(50, 3, 20, 30) + 0.1
    hidden = Patches(5, 1)(x) == 0
    assert (hidden.flatten(1).sum(1) == 3 * 25).all()
    rows, columns = hidden[:, 0].any(2), hidden[:, 0].any(1)
    assert (rows.sum(1) == 5).all()
    assert (columns.sum(1) == 5).all()
    assert len(rows.unique(dim=0)) > 5
    assert (Patches(40, 1)(x) == 0).all()


def test_grey_is_pillows():
    colours = np.random.default_rng(0).integers(0, 256, (16, 18, 3), dtype=np.uint8)
    grey = Grey()(torch.from_numpy(colours).movedim(2, 0)[None] / 255)
    wanted = np.asarray(Image.fromarray(colours).convert("L"), np.float32) / 255
    for channel in grey[0]:
        np.testing.assert_allclose(channel.numpy(), wanted, atol=0.51 / 255)


def test_warping_is_scipys_affine_map():
    x = torch.rand(4, 2, 11, 16, dtype=torch.float64)
    warp = Warp(40, 0.3, 0.4, 0.2)
    with torch.random.fork_rng():
        made = warp(x)
    maps = warp._maps(x).numpy()
    half = np.array([11, 16]) / 2
    for picture, (first, second), result in zip(x.numpy(), maps, made.numpy(), strict=True):
        # The map takes places of the result, (width, height) from -1 to 1, to places of the picture.
        matrix = np.array([[second[1], second[0] / half[1] * half[0]], [first[1] / half[0] * half[1], first[0]]])
        offset = half * [second[2], first[2]] + (half - 0.5) - matrix @ (half - 0.5)
        for plane, found in zip(picture, result, strict=True):
            wide = np.pad(plane, 1)  # scipy fades to nothing only between samples
            shifted = offset + 1 - matrix @ np.ones(2)
            wanted = affine_transform(wide, matrix, shifted, wide.shape, order=1, mode="constant")[1:-1, 1:-1]
            assert_close(found, wanted, rtol=0, atol=1e-9)


def test_a_turn_keeps_lengths_and_angles_of_oblong_pictures():
    maps = Warp(60, 0, 0, 0)._maps(torch.zeros(50, 1, 10, 30, dtype=torch.float64))[:, :, :2]
    pixels = torch.tensor([15.0, 5.0], dtype=torch.float64)
    turns = maps * pixels[:, None] / pixels
    assert_close(turns @ turns.mT, torch.eye(2, dtype=torch.float64).expand(50, 2, 2))
    angles = torch.rad2deg(torch.atan2(turns[:, 1, 0], turns[:, 0, 0])).abs()
    assert 40 < angles.max() <= 60


def test_a_warp_of_nothing_is_the_identity():
    x = torch.rand(2, 3, 7, 9)
    assert_close(Warp(0, 0, 0, 0)(x), x)
