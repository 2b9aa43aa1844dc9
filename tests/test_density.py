import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.stats import multivariate_normal
from torch import distributions as D

from narrows.bottlenecks import Free, Variational
from narrows.data.pairs import Pairs
from narrows.errors import InputError
from narrows.estimator.log_likelihood import bits_per_dimension, log_likelihood
from narrows.likelihood import Bernoulli, Gaussian
from narrows.model import Model
from narrows.networks import Conv, Dense, Linear, Sizes
from narrows.training.random import derive_seed

SCALE = 0.5


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def built(network, shape, size, likelihood=None, n_cond=0):
    likelihood = likelihood or Gaussian(SCALE)
    sizes = Sizes(shape, shape, 2 * size, size, likelihood.n_out(shape), n_cond)
    encoder, decoder = network.build(sizes)
    return Model(encoder, Variational(size), decoder, likelihood).double()


def factor_model(widen=1.0):
    """Probabilistic PCA with orthogonal axes, so that its exact posterior is a diagonal Gaussian; and log p(x)."""
    model = built(Linear(), (6,), 2)
    axes = torch.linalg.qr(torch.randn(6, 2, dtype=torch.float64)).Q * torch.tensor([2.0, 0.7])
    offset = torch.randn(6, dtype=torch.float64)
    precision = axes.square().sum(0) / SCALE**2 + 1
    down, up = model.encoder.matrix, model.decoder.matrix
    with torch.no_grad():
        up.weight.copy_(axes), up.bias.copy_(offset)
        down.weight.zero_(), down.bias.zero_()
        down.weight[:2] = axes.T / SCALE**2 / precision[:, None]
        down.bias[:2] = -down.weight[:2] @ offset
        down.bias[2:] = -precision.log() + 2 * math.log(widen)
    covariance = (axes @ axes.T + SCALE**2 * torch.eye(6)).numpy()
    exact = multivariate_normal(offset.numpy(), covariance)
    return model, exact


def rows_of(exact, n=60):
    return Pairs(exact.rvs(n, random_state=1), dtype=torch.float64)


def weights_by_hand(model, x, samples, seed, cond=None):
    """The logarithms of the importance weights of every row, (n, samples), from torch's own densities."""
    logs = []
    for row in range(len(x)):
        given = None if cond is None else cond[row : row + 1]
        mean, log_var = model.bottleneck.posterior(model.features(x[row : row + 1], given))
        stream = np.random.default_rng(derive_seed(seed, row))
        noise = torch.from_numpy(stream.standard_normal((samples, *mean.shape[1:])))
        q = D.Normal(mean, torch.exp(0.5 * log_var))
        z = mean + q.scale * noise
        params = model.decode(z, (), None if given is None else given.expand(samples, -1))
        priced = model.likelihood.log_prob(params, x[row].expand(samples, *x[row].shape))
        ratio = D.Normal(0.0, 1.0).log_prob(z) - q.log_prob(z)
        logs.append(priced.flatten(1).sum(1) + ratio.flatten(1).sum(1))
    return torch.stack(logs).detach().numpy()


def test_with_the_exact_posterior_every_sample_says_the_exact_marginal():
    model, exact = factor_model()
    pairs = rows_of(exact)
    found = log_likelihood(model, pairs, samples=7)
    assert_allclose(found.value, exact.logpdf(pairs.columns[0]), rtol=1e-12)
    assert_allclose(found.effective, 7, rtol=1e-9)
    assert_allclose(found.error, 0, atol=1e-6)


@pytest.mark.parametrize("widen", [1.6, 1.2, 0.9])
def test_another_posterior_gives_the_exact_marginal_within_its_standard_error(widen):
    model, exact = factor_model(widen)
    pairs = rows_of(exact)
    found = log_likelihood(model, pairs, samples=4000)
    gap = found.value - exact.logpdf(pairs.columns[0])
    assert np.abs(gap / found.error).max() < 4.5
    assert abs(gap.sum()) < 4 * np.sqrt((found.error**2).sum())
    assert found.error.max() < 0.05
    assert (found.effective < 3990).all()


def test_the_standard_error_is_the_spread_between_seeds():
    model, exact = factor_model(1.5)
    pairs = rows_of(exact, 40)
    found = [log_likelihood(model, pairs, samples=500, seed=seed) for seed in range(40)]
    spread = np.std([each.value for each in found], axis=0, ddof=1)
    claimed = np.mean([each.error for each in found], axis=0)
    assert np.mean(spread**2) == pytest.approx(np.mean(claimed**2), rel=0.15)


def test_one_sample_estimates_the_evidence_lower_bound_and_more_come_closer_to_the_truth():
    model, exact = factor_model(1.5)
    x = exact.rvs(3000, random_state=2)
    pairs, truth = Pairs(x, dtype=torch.float64), exact.logpdf(x)
    found = log_likelihood(model, pairs, samples=1)
    gap = 2 * (0.5 * (1.5**2 - 1) - math.log(1.5))  # KL(q || the exact posterior) of two code values
    off = found.value - (truth - gap)
    assert abs(off.mean()) < 4 * off.std() / math.sqrt(len(x))
    assert np.isnan(found.error).all()
    assert_allclose(found.effective, 1)
    means = [found.value.mean(), *(log_likelihood(model, pairs, samples=k).value.mean() for k in (5, 50))]
    assert means == sorted(means)
    assert means[2] == pytest.approx(truth.mean(), abs=0.02)


@pytest.mark.parametrize("samples", [1, 2, 30])
def test_value_error_and_effective_size_equal_the_weights_by_hand(samples):
    model = built(Dense((7,)), (5,), 3)
    x = torch.randn(4, 5, dtype=torch.float64)
    found = log_likelihood(model, Pairs(x, dtype=torch.float64), samples, seed=3)
    logs = weights_by_hand(model, x, samples, 3)
    weights = np.exp(logs)
    assert_allclose(found.value, np.log(weights.mean(axis=1)), rtol=1e-10)
    assert_allclose(found.effective, weights.sum(axis=1) ** 2 / (weights**2).sum(axis=1), rtol=1e-10)
    if samples > 1:
        assert_allclose(found.error, weights.std(axis=1, ddof=1) / weights.mean(axis=1) / samples**0.5, rtol=1e-8)


@pytest.mark.parametrize("cond", [None, torch.eye(2, dtype=torch.float64).repeat(2, 1)])
def test_images_with_codes_of_maps_and_conditions(cond):
    model = built(Conv((4,), flat=False), (1, 6, 5), 2, Bernoulli(), 0 if cond is None else 2)
    x = torch.rand(4, 1, 6, 5, dtype=torch.float64).round()
    found = log_likelihood(model, Pairs(x, cond=cond, dtype=torch.float64), 6)
    by_hand = torch.from_numpy(weights_by_hand(model, x, 6, 0, cond)).logsumexp(1) - math.log(6)
    assert_allclose(found.value, by_hand, rtol=1e-10)


def test_hidden_values_are_left_out():
    model, exact = factor_model()
    x = rows_of(exact).columns[0]
    weight = torch.ones_like(x)
    weight[:, 3:] = 0
    other = torch.where(weight > 0, x, 99.0)
    found = [log_likelihood(model, Pairs(x, each, None, weight, dtype=torch.float64), 20) for each in (x, other)]
    assert_allclose(found[0].value, found[1].value)
    seen = multivariate_normal(exact.mean[:3], exact.cov_object.covariance[:3, :3])
    many = log_likelihood(model, Pairs(x, x, None, weight, dtype=torch.float64), 4000)
    gap = many.value - seen.logpdf(x[:, :3])
    assert abs(gap).max() < 5 * many.error.max() + 0.05


def test_how_often_a_row_counts_does_not_change_its_density():
    model, x = built(Dense((5,)), (4,), 2), torch.rand(6, 4, dtype=torch.float64)
    weight = torch.tensor([0.5, 3, 1, 1, 2, 0.1], dtype=torch.float64)
    plain, counted = (log_likelihood(model, Pairs(x, weight=w, dtype=torch.float64), 20) for w in (None, weight))
    assert_allclose(counted.value, plain.value, rtol=1e-12)


def test_chunks_and_batches_do_not_change_the_numbers(monkeypatch):
    model, exact = factor_model(1.5)
    pairs = rows_of(exact)
    whole = log_likelihood(model, pairs, 50)
    some = log_likelihood(model, pairs.take(np.arange(7)), 50)
    assert_allclose(some.value, whole.value[:7], rtol=1e-12)
    for values, rows in ((6 * 17, 9), (1, 60)):
        monkeypatch.setattr("narrows.estimator.log_likelihood._VALUES", values)
        monkeypatch.setattr("narrows.data.pairs._ROWS", rows)
        for ours, theirs in zip(log_likelihood(model, pairs, 50), whole, strict=True):
            assert_allclose(ours, theirs, rtol=1e-9)


def test_single_precision_and_other_seeds_agree():
    model, exact = factor_model(1.5)
    x = rows_of(exact).columns[0]
    double = log_likelihood(model, Pairs(x, dtype=torch.float64), 50)
    single = log_likelihood(model.float(), Pairs(x), 50)
    assert_allclose(single.value, double.value, atol=1e-3)
    other = log_likelihood(model, Pairs(x), 50, seed=1)
    assert np.abs(other.value - single.value).min() > 0


def test_rows_drawn_anew_follow_from_the_seed_and_global_random_numbers_stay():
    model = built(Dense((7,)), (5,), 3, Bernoulli()).float()
    pairs = Pairs(np.full((9, 5), 0.5, np.float32), transform=torch.bernoulli)
    before = torch.get_rng_state()
    one, two, three = (log_likelihood(model, pairs, 3, seed=seed).value for seed in (0, 0, 1))
    assert_allclose(one, two, rtol=0)
    assert (one != three).any()
    assert torch.equal(torch.get_rng_state(), before)


def test_the_model_stays_as_it_was():
    model = built(Dense((7,)), (5,), 3).float().train()
    log_likelihood(model.eval(), Pairs(np.zeros((2, 5))), 3)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert all(weight.grad is None for weight in model.parameters())


def test_models_without_a_density_are_refused():
    encoder, decoder = Dense((7,)).build(Sizes((5,), (5,), 3, 3, 5))
    pairs = Pairs(np.zeros((2, 5), np.float32))
    with pytest.raises(InputError, match="Free has no posterior"):
        log_likelihood(Model(encoder, Free(3), decoder, Gaussian()), pairs)
    with pytest.raises(InputError, match="at least 1"):
        log_likelihood(built(Dense((7,)), (5,), 3), pairs, 0)


def test_a_decoder_that_reads_the_rows_is_refused():
    model = built(Dense((7,)), (5,), 3).float()
    inner = model.encoder.forward
    model.encoder.forward = lambda x: (x, *inner(x))
    with pytest.raises(InputError, match="encoder's maps"):
        log_likelihood(model, Pairs(np.zeros((2, 5), np.float32)), 3)


def test_bits_per_dimension_of_uniform_levels():
    assert_allclose(bits_per_dimension(np.zeros(3), (4, 2), step=1 / 256), [8, 8, 8])
    assert_allclose(bits_per_dimension(12 * math.log(2), (3, 2, 2)), 1)
