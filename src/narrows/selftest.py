"""Closed forms that this machine must reproduce: what ``narrows selftest`` measures."""

import itertools
import math
import tempfile
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from scipy import stats
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from torch import Tensor, nn

from narrows import metrics
from narrows.artefact import load, save
from narrows.bottlenecks import Free, Variational
from narrows.data.pairs import Pairs
from narrows.estimator.log_likelihood import LogLikelihood, log_likelihood
from narrows.families.linear import LinearAutoEncoder
from narrows.families.vae import VAE
from narrows.likelihood import Bernoulli, Gaussian, Laplace, Likelihood
from narrows.model import Model, Step
from narrows.networks import Dense, Linear, Sizes
from narrows.networks.resample import MaxPool, average_unpool, max_unpool
from narrows.penalties import Contractive
from narrows.training.random import fork_rng

__all__ = ["CHECKS", "Check", "selftest"]

CHECKS: list[Callable[[], "Check"]] = []

_MAX_STANDARD_ERRORS = 5.0  # standard errors that an estimate may be off


class Check(NamedTuple):
    """What was compared, how far it is off, and how far it may be."""

    what: str
    measured: float
    tolerance: float

    @property
    def holds(self) -> bool:
        """Whether the error is small enough; one that is not a number never is."""
        return self.measured <= self.tolerance


def selftest() -> Iterator[Check]:
    """Yield the outcome of every check; random numbers are the same in every run, and global ones stay as they are.

    Examples
    --------
    >>> next(selftest()).holds
    True
    """
    for outcome in CHECKS:
        with fork_rng(0):
            result = outcome()
        yield result


def check(what: str, tolerance: float) -> Callable[[Callable[[], Iterator[float]]], Callable[[], Check]]:
    """Enter a function that yields errors as a check of the largest; one that breaks does not hold."""

    def enter(measure: Callable[[], Iterator[float]]) -> Callable[[], Check]:
        def outcome() -> Check:
            try:
                return Check(what, float(np.max(list(measure()))), tolerance)
            except Exception as error:  # noqa: BLE001 - the other checks still tell something
                return Check(f"{what}: {type(error).__name__}: {error}", math.nan, tolerance)

        CHECKS.append(outcome)
        return outcome

    return enter


@check("linear autoencoder against scikit-learn's PCA, digits", 1e-5)
def _pca() -> Iterator[float]:
    X = _digits()
    pca = PCA(10).fit(X)
    yield _gap(LinearAutoEncoder(latent_dim=10).fit(X).reconstruct(X), pca.inverse_transform(pca.transform(X)))


@check("KL of a Gaussian code against its draws, in standard errors", _MAX_STANDARD_ERRORS)
def _kl() -> Iterator[float]:
    code = Variational(3)
    for h in _random(4, 6):
        drawn = code(h.expand(100_000, -1))
        mean, log_var = h.chunk(2)
        ratio = stats.norm(mean, torch.exp(0.5 * log_var)).logpdf(drawn.z) - stats.norm.logpdf(drawn.z)
        yield _sigmas(torch.from_numpy(ratio.sum(1)), drawn.cost[0])


@check("log-likelihood under the exact posterior against the marginal, in nats", 1e-9)
def _exact_posterior() -> Iterator[float]:
    estimate, exact = _factor_model(1.0, samples=5)
    yield _gap(estimate.value, exact)


@check("importance-weighted log-likelihood against the marginal, in standard errors", _MAX_STANDARD_ERRORS)
def _importance() -> Iterator[float]:
    estimate, exact = _factor_model(1.5, samples=2000)
    yield float(abs((estimate.value - exact).sum()) / np.sqrt((estimate.error**2).sum()))


@check("contractive penalty against the Jacobian, relative", 1e-10)
def _contraction() -> Iterator[float]:
    model, step, exact = _tanh_model()
    yield _gap(Contractive(1.0, "exact")(model, step).detach() / exact, 1.0)


@check("contractive penalty by probes against the Jacobian, in standard errors", _MAX_STANDARD_ERRORS)
def _probes() -> Iterator[float]:
    model, step, exact = _tanh_model()
    many = step._replace(x=step.x[:1].expand(20_000, -1))
    yield _sigmas(Contractive(1.0, "probe")(model, many).detach(), exact[0])


@check("transposed convolution as the adjoint of convolution, relative", 1e-12)
def _adjoint() -> Iterator[float]:
    for stride, padding, dilation in itertools.product((1, 2, 3), (0, 1, 2), (1, 2)):
        x, weight = _random(2, 3, 11, 12), _random(4, 3, 3, 3)
        ax = F.conv2d(x, weight, None, stride, padding, dilation)
        y = torch.randn_like(ax)
        left = [(side + 2 * padding - 2 * dilation - 1) % stride for side in x.shape[2:]]
        aty = F.conv_transpose2d(y, weight, None, stride, padding, left, 1, dilation)
        yield float(((ax * y).sum() - (x * aty).sum()).abs() / (ax.norm() * y.norm()))


@check("unpooling against what was pooled, maximum and average", 1e-12)
def _unpooling() -> Iterator[float]:
    pool = MaxPool(2)
    for side in ((8, 6), (7, 9)):
        x = _random(2, 3, *side).exp()
        values, positions = pool(x)
        back = max_unpool(values, positions, side)
        yield _gap(pool(back)[0], values)
        yield _gap(back, torch.where(back > 0, x, 0.0))
        yield _gap(F.avg_pool2d(average_unpool(values), 2), values)


@check("Gaussian, Laplace and Bernoulli nats against SciPy", 1e-10)
def _densities() -> Iterator[float]:
    for likelihood, law, log_density in _laws(params := _random(4, 12)):
        target = law.rvs(params.shape, random_state=0).astype(np.float64)
        yield _gap(likelihood.nll(params, torch.from_numpy(target)), -log_density(target).sum(1))


@check("Gaussian, Laplace and Bernoulli draws against their entropy, in standard errors", _MAX_STANDARD_ERRORS)
def _draws() -> Iterator[float]:
    for likelihood, law, log_density in _laws(params := _random(4, 12)):
        draws = torch.stack([likelihood.sample(params) for _ in range(2000)]).numpy()
        yield _sigmas(torch.from_numpy(log_density(draws).sum((1, 2))), -law.entropy().sum())


@check("PSNR and SSIM against their formulas", 1e-9)
def _pictures() -> Iterator[float]:
    a, b = _random(2, 7, 7).sigmoid().numpy()  # one window
    (va, cov), (_, vb) = np.cov(a.flat, b.flat)
    ma, mb, c, d = a.mean(), b.mean(), 0.01**2, 0.03**2
    ssim = (2 * ma * mb + c) * (2 * cov + d) / ((ma**2 + mb**2 + c) * (va + vb + d))
    psnr = -10 * math.log10(sum((float(x) - float(y)) ** 2 for x, y in zip(a.flat, b.flat, strict=True)) / 49)
    yield from (abs(metrics.psnr(a, b) - psnr), abs(metrics.ssim(a[None], b[None]) - ssim))


@check("neighbours' vote and trustworthiness against loops over pairs of rows", 1e-12)
def _neighbours() -> Iterator[float]:
    rows, codes = _random(40, 5).numpy(), _random(40, 2).numpy()
    labels = (rows[:, 0] > 0).astype(int)
    votes = [labels[np.argsort(((codes[:30] - code) ** 2).sum(1))[:5]].sum() > 2 for code in codes[30:]]
    accuracy = metrics.knn_accuracy(codes[:30], labels[:30], codes[30:], labels[30:])
    lost = 0
    for i in range(40):
        by_row, by_code = (np.argsort(((points - points[i]) ** 2).sum(1)).tolist() for points in (rows, codes))
        lost += sum(max(0, by_row.index(j) - 5) for j in by_code[1:6])
    trust = 1 - 2 * lost / (40 * 5 * (2 * 40 - 3 * 5 - 1))
    yield abs(accuracy - float(np.mean(votes == labels[30:])))
    yield abs(metrics.trustworthiness(rows, codes) - trust)


@check("two fits with the same seed, to the bit", 0.0)
def _seed() -> Iterator[float]:
    X = _digits()
    first, second = (VAE(latent_dim=4, epochs=2, random_state=0).fit(X).transform(X) for _ in range(2))
    yield _gap(first, second)


@check("a model saved and loaded, to the bit", 0.0)
def _saved() -> Iterator[float]:
    X = _digits()
    model = VAE(latent_dim=4, epochs=1, random_state=0).fit(X)
    with tempfile.TemporaryDirectory() as folder:
        again = load(save(model, folder))
    yield from (_gap(model.transform(X), again.transform(X)), _gap(model.sample(9, 0), again.sample(9, 0)))


def _digits() -> Any:
    return (load_digits().data / 16).astype(np.float32)


def _random(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


def _gap(ours: Any, theirs: Any) -> float:
    return float(np.abs(np.asarray(ours, np.float64) - np.asarray(theirs, np.float64)).max())


def _sigmas(draws: Tensor, exact: Any) -> float:
    """Return how far the mean of independent draws is from the exact value, in standard errors."""
    return float((draws.mean() - exact).abs() / draws.std() * math.sqrt(len(draws)))


def _factor_model(widen: float, samples: int) -> tuple[LogLikelihood, Any]:
    """Return estimated and exact log p(x) of rows drawn from probabilistic PCA (Tipping & Bishop 1999).

    Its axes are orthogonal, so that the exact posterior is a diagonal Gaussian; here it is ``widen`` times as wide.
    """
    scale, axes, offset = 0.5, torch.linalg.qr(_random(6, 2)).Q * torch.tensor([2.0, 0.7]), _random(6)
    precision = axes.square().sum(0) / scale**2 + 1
    encoder, decoder = Linear().build(Sizes((6,), (6,), 4, 2, 6))
    both: Any = encoder.matrix, decoder.matrix
    down = torch.cat([axes.T / scale**2 / precision[:, None], torch.zeros(2, 6)])
    biases = torch.cat([-down[:2] @ offset, 2 * math.log(widen) - precision.log()])
    for matrix, weight, bias in zip(both, (down, axes), (biases, offset), strict=True):
        matrix.weight, matrix.bias = nn.Parameter(weight), nn.Parameter(bias)
    exact = stats.multivariate_normal(offset.numpy(), (axes @ axes.T + scale**2 * torch.eye(6)).numpy())
    rows = exact.rvs(200, random_state=0)
    model = Model(encoder, Variational(2), decoder, Gaussian(scale))
    return log_likelihood(model, Pairs(rows, dtype=torch.float64), samples), exact.logpdf(rows)


def _tanh_model() -> tuple[Model, Step, Tensor]:
    """Return a deep encoder, one forward pass of it, and the squared norms of its Jacobians by torch.func."""
    encoder, decoder = Dense((9, 7), activation="tanh").build(Sizes((6,), (6,), 3, 3, 6))
    model, x = Model(encoder, Free(3), decoder, Gaussian()).double(), _random(4, 6)
    code, _ = model.encode(x)
    jacobians = torch.func.vmap(torch.func.jacrev(lambda row: model.features(row[None])[0]))(x)
    return model, Step(x, None, code, model.decode(code.z), x), jacobians.detach().square().sum((1, 2))


def _laws(params: Tensor) -> list[tuple[Likelihood, Any, Callable[[Any], Any]]]:
    """Return likelihoods with the same distributions by SciPy."""
    a, b, c = stats.norm(params, 0.7), stats.laplace(params, 0.7), stats.bernoulli(params.sigmoid())
    return [(Gaussian(0.7), a, a.logpdf), (Laplace(0.7), b, b.logpdf), (Bernoulli(), c, c.logpmf)]
