import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import distributions as D
from torch.testing import assert_close

from narrows.bottlenecks import FSQ, Bottleneck, Free, TopK, Variational, VectorQuantizer
from narrows.bottlenecks.variational import gaussian_kl
from narrows.schedule import Ramp


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def params(rows, size, *spatial):
    return torch.randn(rows, 2 * size, *spatial, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def kl_of(h):
    """KL to the prior by torch, (B, n_out, *spatial)."""
    mean, log_var = h.chunk(2, 1)
    return D.kl_divergence(D.Normal(mean, torch.exp(0.5 * log_var)), D.Normal(torch.zeros_like(mean), 1.0))


@settings(deadline=None)
@given(mean=st.floats(-9, 9), log_var=st.floats(-20, 9))
def test_kl_equals_torch_and_is_never_negative(mean, log_var):
    mean, log_var = (torch.tensor([value], dtype=torch.float64) for value in (mean, log_var))
    kl = gaussian_kl(mean, log_var)
    assert_close(kl, kl_of(torch.cat([mean, log_var]).unsqueeze(0)).flatten())
    assert kl >= 0


def test_kl_keeps_its_precision_near_the_prior():
    small = torch.tensor([1e-3], dtype=torch.float32)
    assert gaussian_kl(torch.zeros(1), small).item() == pytest.approx(2.5e-7, rel=1e-2)


@pytest.mark.parametrize(("mean", "log_var"), [(0.0, 0.0), (1.5, -2.0), (-0.5, 1.0)])
def test_kl_equals_a_monte_carlo_estimate(mean, log_var):
    q = D.Normal(torch.tensor(mean, dtype=torch.float64), torch.tensor(log_var / 2, dtype=torch.float64).exp())
    z = q.sample((400_000,))
    ratio = q.log_prob(z) - D.Normal(0, 1).log_prob(z)
    kl = gaussian_kl(torch.tensor(mean), torch.tensor(log_var)).item()
    assert kl == pytest.approx(ratio.mean().item(), abs=5 * ratio.std().item() / 632 + 1e-6)


@pytest.mark.parametrize("train", [True, False])
def test_the_kl_is_summed_in_single_precision_under_autocast(train):
    h = params(4, 2000).bfloat16()  # as a layer gives it under autocast
    with torch.autocast("cpu", torch.bfloat16):
        code = Variational(2000).train(train)(h)
    assert code.cost.dtype == code.z.dtype == torch.float32
    assert_close(code.cost.double(), kl_of(h.double()).flatten(1).sum(1), rtol=1e-6, atol=0)


@pytest.mark.parametrize("spatial", [(), (3, 2)])
@pytest.mark.parametrize("beta", [1.0, 4.0, 0.0])
def test_the_cost_is_beta_times_the_kl_of_every_row(spatial, beta):
    h = params(5, 3, *spatial)
    for mode in (True, False):
        code = Variational(3, beta).train(mode)(h)
        assert_close(code.cost, beta * kl_of(h).flatten(1).sum(1))
        assert code.z.shape == (5, 3, *spatial)


def test_the_noise_has_the_deviation_of_the_posterior():
    h = torch.tensor([[2.0, -1.0, 0.0, 2.0]]).expand(200_000, 4)
    z = Variational(2)(h).z
    noise = (z - h[:, :2]) / torch.exp(0.5 * h[:, 2:])
    assert noise.mean(0).abs().max() < 0.01
    assert_close(noise.std(0), torch.ones(2), atol=0.01, rtol=0)
    assert abs(torch.corrcoef(noise.T)[0, 1]) < 0.01


def test_eval_gives_the_posterior_mean():
    h = params(5, 3)
    code = Variational(3).eval()(h)
    assert torch.equal(code.z, h[:, :3])


def test_gradients_flow_through_the_draw():
    h = params(5, 3).requires_grad_()
    code = Variational(3, beta=0.0)(h)
    (grad,) = torch.autograd.grad(code.z.sum(), h)
    mean, log_var = h.detach().chunk(2, 1)
    assert_close(grad[:, :3], torch.ones(5, 3, dtype=torch.float64))
    assert_close(grad[:, 3:], 0.5 * (code.z.detach() - mean))
    assert log_var.shape == (5, 3)


@pytest.mark.parametrize("free_bits", [0.05, 0.5, 1.0, 100.0])
def test_free_bits_is_the_sum_of_maxima_and_has_its_gradient(free_bits):
    ours, theirs = params(6, 4).requires_grad_(), params(6, 4).requires_grad_()
    cost = Variational(4, beta=2.0, free_bits=free_bits)(ours, 0.5).cost.mean()
    kl = kl_of(theirs).mean(0)
    expected = 2.0 * torch.maximum(kl, torch.full_like(kl, free_bits)).sum()
    assert_close(cost, expected)
    cost.backward()
    expected.backward()
    assert_close(torch.zeros_like(ours) if ours.grad is None else ours.grad, theirs.grad)


def test_free_bits_cost_in_full_in_eval_mode_and_in_a_validation_loss():
    h = params(6, 4)
    assert_close(Variational(4, free_bits=100.0).eval()(h).cost, kl_of(h).sum(1))
    assert_close(Variational(4, free_bits=100.0)(h, 1.0).cost, kl_of(h).sum(1))


def test_beta_follows_its_schedule():
    h = params(6, 4)
    code = Variational(4, Ramp(0, 4, until=0.5))
    for progress, beta in [(0.0, 0.0), (0.25, 2.0), (0.5, 4.0), (1.0, 4.0)]:
        assert_close(code(h, progress).cost, beta * kl_of(h).sum(1))


def test_extreme_posteriors_stay_finite():
    h = torch.tensor([[0.0, 1e4], [0.0, -1e4]])
    code = Variational(1)(h)
    assert code.z.isfinite().all()
    assert code.cost.isfinite().all()


def test_prior_draws_are_standard_normal():
    z = Variational(3).sample((100_000, 3), torch.Generator().manual_seed(1))
    assert z.mean(0).abs().max() < 0.02
    assert_close(z.std(0), torch.ones(3), atol=0.01, rtol=0)
    assert torch.equal(z, Variational(3).sample((100_000, 3), torch.Generator().manual_seed(1)))


def test_a_free_code_is_the_features_and_costs_nothing():
    h = torch.randn(5, 3, 2, 2)
    for mode in (True, False):
        code = Free(3).train(mode)(h)
        assert torch.equal(code.z, h)
        assert torch.equal(code.cost, torch.zeros(5))
    with pytest.raises(TypeError, match="no prior"):
        Free(3).sample((1, 3))


@pytest.mark.parametrize(
    ("bottleneck", "places", "numbers", "bits"),
    [
        (Free(16), 1, 16, 512),
        (Variational(3), 4, 12, 384),
        (VectorQuantizer(8, codes=512, groups=2), 3, 6, 54),  # 9 bits for each of six entries
        (VectorQuantizer(8, codes=513), 1, 1, 10),
        (FSQ((8, 5, 5, 5), groups=2), 1, 2, 20),  # 1000 different vectors
        (TopK(64, k=4), 1, 8, 4 * (32 + 6)),
    ],
)
def test_what_it_takes_to_write_down_a_code(bottleneck: Bottleneck, places: int, numbers: int, bits: int) -> None:
    assert bottleneck.length(places) == (numbers, bits)
