import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from narrows.corruption import Corruption, GaussianNoise, Mask, SaltPepper, Swap

ALL = [GaussianNoise(0.3), GaussianNoise(0.3, clip=True), Mask(0.4), SaltPepper(0.3), Swap(0.5)]


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
