import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate
from torch import distributions as D
from torch.testing import assert_close

from narrows.likelihood import (
    Bernoulli,
    Categorical,
    ContinuousBernoulli,
    Gaussian,
    Laplace,
    LearntGaussian,
    Multinomial,
)

SHAPES = [(5,), (3, 4, 6)]
N = 200_000


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(1)


def randn(rng, *shape):
    return torch.randn(*shape, generator=rng, dtype=torch.float64)


def rand(rng, *shape):
    return torch.rand(*shape, generator=rng, dtype=torch.float64)


# ---- log-probabilities -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", [1.0, 0.1, 3.0])
def test_gaussian_equals_torch(rng, shape, scale):
    params, target = randn(rng, 7, *shape), randn(rng, 7, *shape)
    assert_close(Gaussian(scale).log_prob(params, target), D.Normal(params, scale).log_prob(target))


@pytest.mark.parametrize("shape", SHAPES)
def test_predicted_gaussian_equals_torch(rng, shape):
    made = Gaussian("predicted").build(shape)
    mean, log_scale, target = (randn(rng, 7, *shape) for _ in range(3))
    assert made.n_out(shape) == 2 * shape[0]
    params = torch.cat([mean, log_scale], 1)
    assert_close(made.log_prob(params, target), D.Normal(mean, log_scale.exp()).log_prob(target))


def test_learnt_gaussian_equals_torch(rng):
    made = Gaussian("learnt").build((5,))
    made.start(3 * randn(rng, 1000, 5))
    made.double()
    params, target = randn(rng, 7, 5), randn(rng, 7, 5)
    scale = made.log_scale.exp().item()
    assert scale == pytest.approx(3, rel=0.05)
    assert_close(made.log_prob(params, target), D.Normal(params, scale).log_prob(target), check_dtype=False)


@pytest.mark.parametrize("shape", SHAPES)
def test_laplace_equals_torch(rng, shape):
    params, target = randn(rng, 7, *shape), randn(rng, 7, *shape)
    assert_close(Laplace(0.7).log_prob(params, target), D.Laplace(params, 0.7).log_prob(target))


@pytest.mark.parametrize("shape", SHAPES)
def test_bernoulli_equals_torch(rng, shape):
    params, target = randn(rng, 7, *shape), rand(rng, 7, *shape).round()
    assert_close(Bernoulli().log_prob(params, target), D.Bernoulli(logits=params).log_prob(target))


def test_bernoulli_of_grey_levels_is_the_cross_entropy(rng):
    params, target = randn(rng, 7, 5), rand(rng, 7, 5)
    p = torch.sigmoid(params)
    assert_close(Bernoulli().log_prob(params, target), target * p.log() + (1 - target) * (1 - p).log())


@pytest.mark.parametrize("shape", [(1,), (3,), (2, 4, 6)])
def test_categorical_equals_torch(rng, shape):
    made = Categorical(4)
    params = randn(rng, 7, made.n_out(shape), *shape[1:])
    target = torch.randint(4, (7, *shape), generator=rng)
    logits = torch.stack([params[:, 4 * c : 4 * c + 4] for c in range(shape[0])], 1).movedim(2, -1)
    assert_close(made.log_prob(params, target), D.Categorical(logits=logits).log_prob(target))
    assert_close(made.log_prob(params, target.double()), made.log_prob(params, target))
    assert_close(made.mean(params).unflatten(1, (-1, 4)).movedim(2, -1), D.Categorical(logits=logits).probs)


@pytest.mark.parametrize("total", [1, 7, 500])
def test_multinomial_equals_torch_with_its_coefficient(rng, total):
    logits = randn(rng, 6)
    target = D.Multinomial(total, logits=logits).sample((5,)).double()
    expected = D.Multinomial(total, logits=logits).log_prob(target)
    assert_close(-Multinomial().nll(logits.expand(5, -1), target), expected)


def test_multinomial_of_an_empty_row_costs_nothing():
    assert Multinomial().nll(torch.zeros(1, 3), torch.zeros(1, 3)).item() == 0


# ---- the usual losses ------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(values=st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=1, max_size=20))
def test_usual_losses_per_row(values):
    params, target = torch.tensor(values, dtype=torch.float64).T.unsqueeze(1)
    n = params.numel()
    squared = 0.5 * (params - target).square().sum() + 0.5 * n * math.log(2 * math.pi)
    assert Gaussian().nll(params, target).item() == pytest.approx(squared.item())
    absolute = (params - target).abs().sum() + n * math.log(2)
    assert Laplace().nll(params, target).item() == pytest.approx(absolute.item())


def test_weights_hide_and_stress_values(rng):
    params, target = randn(rng, 3, 4), randn(rng, 3, 4)
    weight = torch.tensor([[1.0, 0.0, 2.0, 1.0]], dtype=torch.float64).expand(3, 4)
    single = -D.Normal(params, 1).log_prob(target)
    assert_close(Gaussian().nll(params, target, weight), single[:, 0] + 2 * single[:, 2] + single[:, 3])


# ---- moments ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("made", "params", "mean", "deviation"),
    [
        (Gaussian(0.3), [1.0, -2.0], [1.0, -2.0], [0.3, 0.3]),
        (Gaussian("predicted").build((2,)), [1.0, -2.0, 0.0, math.log(3)], [1.0, -2.0], [1.0, 3.0]),
        (Laplace(0.5), [1.0, -2.0], [1.0, -2.0], [0.5 * math.sqrt(2)] * 2),
        (Bernoulli(), [0.0, math.log(3)], [0.5, 0.75], [0.5, math.sqrt(3) / 4]),
    ],
)
def test_draws_have_the_mean_and_deviation_of_the_distribution(rng, made, params, mean, deviation, dtype):
    params = torch.tensor(params, dtype=dtype).expand(N, -1)
    draws = made.sample(params, rng)
    assert draws.dtype == dtype
    assert_close(made.mean(params)[0], torch.tensor(mean, dtype=dtype))
    for j in range(2):
        assert draws[:, j].mean().item() == pytest.approx(mean[j], abs=4 * deviation[j] / math.sqrt(N))
        assert draws[:, j].std().item() == pytest.approx(deviation[j], rel=0.02)


def test_learnt_gaussian_draws_with_its_scale(rng):
    made = LearntGaussian()
    made.start(torch.tensor([[-2.0], [2.0]]))
    assert made.sample(torch.ones(N, 1), rng).std().item() == pytest.approx(2.0, rel=0.01)
    assert made.mean(torch.ones(1, 1)).item() == 1


def test_laplace_draws_are_finite_at_the_edge_of_the_uniform(monkeypatch):
    monkeypatch.setattr("narrows.likelihood.continuous.uniform", lambda like, generator: torch.zeros_like(like))
    for dtype in (torch.float32, torch.float64):
        assert Laplace().sample(torch.zeros(1, dtype=dtype)).isfinite().all()


def test_labels_and_items_come_at_their_rates(rng):
    shares = torch.tensor([0.1, 0.2, 0.7])
    params = shares.log().expand(N, -1)
    labels = Categorical(3).sample(params, rng)
    assert labels.shape == (N, 1)
    assert_close(labels.flatten().bincount(minlength=3) / N, shares, atol=0.005, rtol=0)
    items = Multinomial().sample(params, rng)
    assert_close(items.sum(1), torch.ones(N))
    assert_close(items.mean(0), shares, atol=0.005, rtol=0)
    assert_close(Multinomial().mean(params)[0], shares)


def test_draws_follow_the_generator():
    params = torch.randn(4, 6)
    for made in (Gaussian(), Laplace(), Bernoulli(), Categorical(3), Multinomial(), Gaussian("learnt").build((6,))):
        first, second = (made.sample(params, torch.Generator().manual_seed(3)) for _ in range(2))
        assert_close(first, second, rtol=0, atol=0)


# ---- centre and start ------------------------------------------------------------------------------------------------


def targets(made, rng):
    if isinstance(made, Bernoulli):
        return (rand(rng, 401, 3, 2) < 0.3).double()
    if isinstance(made, Categorical):
        return torch.randint(3, (401, 3, 2), generator=rng)
    if isinstance(made, Multinomial):
        return torch.randint(4, (401, 6), generator=rng).double()
    return randn(rng, 401, 3, 2) * 2 + 5


@pytest.mark.parametrize(
    "made",
    [
        Gaussian(),
        Gaussian("learnt").build((3, 2)),
        Gaussian("predicted").build((3, 2)),
        Laplace(),
        Bernoulli(),
        Categorical(3),
        Multinomial(),
    ],
    ids=lambda made: type(made).__name__,
)
def test_centre_is_the_optimum_of_a_constant_model(rng, made):
    target = targets(made, rng)
    made.start(target)
    centre = made.constant_params(target).double()
    assert centre.shape == (made.n_out(target.shape[1:]), *target.shape[2:])

    def loss(params):
        return made.nll(params.expand(len(target), *params.shape), target).mean().item()

    best = loss(centre)
    for size in (1e-3, 1e-2, 0.1):
        for _ in range(20):
            assert loss(centre + size * randn(rng, *centre.shape)) >= best - 1e-12


@pytest.mark.parametrize("deviation", [0.05, 1.0, 20.0])
def test_a_learnt_scale_reaches_the_deviation_of_the_data(rng, deviation):
    made = LearntGaussian()
    target = deviation * torch.randn(200, 4, generator=rng)
    optimizer = torch.optim.Adam(made.parameters(), 0.01)
    for _ in range(1500):
        optimizer.zero_grad()
        made.nll(torch.zeros(200, 4), target).mean().backward()
        optimizer.step()
    found = made.log_scale.exp().item()
    assert found == pytest.approx(target.square().mean().sqrt().item(), rel=1e-3)


def test_a_learnt_scale_starts_at_the_optimum_for_the_mean_row(rng):
    target = torch.tensor([1.0, 3.0]) * torch.randn(5000, 2, generator=rng) + 100
    made = LearntGaussian()
    made.start(target)
    expected = (target - target.mean(0)).square().mean().sqrt()
    assert_close(made.log_scale.exp(), expected, check_dtype=False)
    made.nll(made.constant_params(target).expand(5000, 2), target).mean().backward()
    assert made.raw.grad.item() == pytest.approx(0, abs=1e-3)


def test_constant_targets_start_finite():
    made = LearntGaussian()
    made.start(torch.ones(10, 3))
    assert made.log_scale.exp().item() == pytest.approx(1e-3)
    for other in (Gaussian("predicted").build((3,)), Bernoulli(), Categorical(2), Multinomial()):
        assert other.constant_params(torch.ones(10, 3)).isfinite().all()
        assert other.constant_params(torch.zeros(10, 3)).isfinite().all()


def test_an_unbuilt_learnt_scale_says_so():
    with pytest.raises(TypeError, match="call build"):
        Gaussian("learnt").log_prob(torch.zeros(1, 1), torch.zeros(1, 1))


# ---- fractions -------------------------------------------------------------------------------------------------------

LOGITS = [0.0, 1e-6, 0.05, 0.0999, 0.1001, -0.3, 1.0, -3.0, 10.0, -40.0, 90.0]


@pytest.mark.parametrize("logit", LOGITS)
def test_the_continuous_bernoulli_is_a_density_with_its_mean(logit):
    made, params = ContinuousBernoulli(), torch.full((1, 1), logit, dtype=torch.float64)

    def density(x, power=0):
        return x**power * made.log_prob(params, torch.tensor([[x]], dtype=torch.float64)).exp().item()

    assert integrate.quad(density, 0, 1, limit=200, epsabs=1e-12)[0] == pytest.approx(1, abs=1e-10)
    mean, square = (integrate.quad(density, 0, 1, args=(k,), limit=200, epsabs=1e-12)[0] for k in (1, 2))
    assert made.mean(params).item() == pytest.approx(mean, abs=1e-10)
    draws = made.sample(params.expand(N, 1), torch.Generator().manual_seed(0))
    assert ((draws >= 0) & (draws <= 1)).all()
    spread = math.sqrt(square - mean**2)
    assert draws.mean().item() == pytest.approx(mean, abs=5 * spread / math.sqrt(N))
    assert draws.std().item() == pytest.approx(spread, rel=0.02)


def test_the_continuous_bernoulli_equals_torch_in_both_precisions(rng):
    params, target = 3 * randn(rng, 7, 5), rand(rng, 7, 5)
    theirs = D.ContinuousBernoulli(logits=params)
    assert_close(ContinuousBernoulli().log_prob(params, target), theirs.log_prob(target), rtol=1e-6, atol=1e-6)
    single = ContinuousBernoulli().log_prob(params.float(), target.float())
    assert_close(single, theirs.log_prob(target).float(), rtol=1e-5, atol=1e-5)
    params.requires_grad_()
    slope = torch.autograd.grad(ContinuousBernoulli().log_prob(params, target).sum(), params)[0]
    assert_close(slope, target - ContinuousBernoulli().mean(params).detach())  # of an exponential family


def test_the_continuous_bernoulli_starts_at_the_mean_row(rng):
    target = rand(rng, 500, 3) ** torch.tensor([0.1, 1.0, 8.0])
    centre = ContinuousBernoulli().constant_params(target)
    assert_close(ContinuousBernoulli().mean(centre), target.mean(0))


def test_bernoulli_on_fractions_is_no_density_and_the_continuous_one_is():
    x = torch.linspace(0, 1, 10_001, dtype=torch.float64)[:, None]
    params = torch.zeros_like(x)
    both = [made.log_prob(params, x).exp()[:, 0] for made in (Bernoulli(), ContinuousBernoulli())]
    mass = [torch.trapezoid(density, x[:, 0]).item() for density in both]
    assert mass == pytest.approx([0.5, 1.0])
