"""How likely rows are under a model with a posterior: log p(x) by importance sampling."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from narrows.data.pairs import Batch, Pairs
from narrows.errors import InputError, Sentence, Setting
from narrows.estimator.inference import run
from narrows.model import Maps, Model, attach
from narrows.training.random import derive_seed, fork_rng

__all__ = ["LogLikelihood", "bits_per_dimension", "log_likelihood", "with_background"]

_VALUES = 1 << 18  # numbers that the decoder gives at a time: they stay in the processor's cache


class LogLikelihood(NamedTuple):
    """Estimates of log p(x), one for every row."""

    value: NDArray[np.float64]  # (n,) in nats; too small on average, by about error² / 2
    error: NDArray[np.float64]  # (n,) standard error in nats; NaN for a single sample
    effective: NDArray[np.float64]  # (n,) samples of equal weight that would tell as much, 1 to ``samples``


def log_likelihood(
    model: Model,
    pairs: Pairs,
    samples: int = 1000,
    *,
    seed: int = 0,
    keys: Sequence[int] | None = None,
    where: torch.device | None = None,
) -> LogLikelihood:
    """Return log p(target) of every row, log 1/K sum_k p(target | z_k) p(z_k) / q(z_k | x) with z_k from q(z | x).

    Burda et al. 2016, equation 8, with K = ``samples`` and the prior N(0, I). On average it grows with K towards the
    truth; with K = 1 its mean over rows is an unbiased estimate of the evidence lower bound. The standard error is that
    of the delta method, for a weight of finite variance: with few effective samples, trust neither.

    A row's draws depend on ``seed`` and its place in ``pairs`` alone, or on its key where there are ``keys``, so that
    its numbers are the same, up to rounding, whatever rows come after it and on every device. Rows with a condition are
    priced given the condition, and without the values that a weight hides; how often a row counts changes nothing. An
    impossible row has the value -inf, and no error.

    Raises ``InputError`` for a model whose code has no posterior, or whose decoder also reads the encoder's maps.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from narrows.families.vae import VAE
    >>> X = (load_digits().data[:200] / 16).astype("float32")
    >>> vae = VAE(latent_dim=4, epochs=5, random_state=0).fit(X)
    >>> found = log_likelihood(vae.model_, Pairs(X), samples=100)
    >>> found.value.shape, bool((found.error < 1).all()), bool((found.effective <= 100).all())
    ((200,), True, True)
    """
    if samples < 1:
        raise InputError(Setting("samples", samples), "at least 1", Setting("samples", 1000))
    if not hasattr(model.bottleneck, "posterior"):
        came = f"A code of the kind {type(model.bottleneck).__name__} has no posterior, so its rows have no density"
        raise InputError(came, "a variational code", "family vae")
    started = 0

    def sums(model: Model, batch: Batch) -> Tensor:
        nonlocal started
        rows = range(started, started + len(batch.x))
        started += len(batch.x)
        return _sums(model, batch, samples, [derive_seed(seed, row if keys is None else keys[row]) for row in rows])

    with fork_rng(seed):  # for targets that are drawn anew
        first, second = run(model, pairs, sums, where).T
    with np.errstate(invalid="ignore"):
        effective = np.exp(2 * first - second)
    spread = np.maximum(samples / effective - 1, 0)
    error = np.sqrt(spread / (samples - 1)) if samples > 1 else np.full_like(first, np.nan)
    return LogLikelihood(first - math.log(samples), error, effective)


def with_background(
    found: LogLikelihood, model: Model, pairs: Pairs, params: NDArray[np.float32], share: float
) -> LogLikelihood:
    """Return log((1 - share) p(target) + share b(target)): b is the density under the same parameters for every row.

    A mixture of two densities is one (a defensive mixture: Hesterberg 1995). No row is less likely than ``share`` b, so
    that few rows far from all others do not decide the mean.

    Examples
    --------
    >>> from narrows.families.vae import VAE
    >>> X = np.random.default_rng(0).normal(size=(100, 2)).astype("float32")
    >>> vae = VAE(latent_dim=1, likelihood="gaussian", epochs=2, random_state=0).fit(X)
    >>> far = Pairs(np.float32([[40.0, 0.0]]))
    >>> found = with_background(log_likelihood(vae.model_, far), vae.model_, far, np.float32([39.0, 0.0]), 0.01)
    >>> round(float(found.value[0]), 2)  # log 0.01 - log(2 pi) - 1 / 2
    -6.94
    """

    def alone(model: Model, batch: Batch) -> Tensor:
        shared = torch.from_numpy(params).to(batch.target).expand(len(batch.target), *params.shape)
        return -model.likelihood.background(shared, batch.target, batch.values)

    ours, background = found.value + math.log1p(-share), run(model, pairs, alone).astype(np.float64) + math.log(share)
    value = np.logaddexp(ours, background)
    with np.errstate(invalid="ignore"):
        error = np.where(np.isfinite(ours), np.exp(ours - value) * found.error, np.where(np.isfinite(value), 0, np.nan))
    return LogLikelihood(value, error, found.effective)


def bits_per_dimension(nats: ArrayLike, shape: tuple[int, ...], step: float = 1.0) -> NDArray[np.float64]:
    """Return -log p of rows of ``shape`` in bits per value.

    ``step`` turns the density of real numbers into the probability of a level: 1 / 255 for 8-bit images in [0, 1].

    Examples
    --------
    >>> float(bits_per_dimension(4 * math.log(2), (2, 2)))
    1.0
    """
    return (np.asarray(nats, np.float64) / math.prod(shape) - math.log(step)) / math.log(2)


def _sums(model: Model, batch: Batch, samples: int, seeds: list[int]) -> Tensor:
    """Return the logarithms of the sums of the weights and of their squares, (B, 2), in float64."""
    *skips, h = model.encoder(attach(batch.x, batch.cond))
    if skips:
        came = "The decoder also reads the encoder's maps, so its rows have no density"
        raise InputError(
            came, "a network without skips", Sentence(Setting("network", "conv"), " or ", Setting("network", "dense"))
        )
    posterior: Maps = model.bottleneck.posterior(h)  # type: ignore[operator]
    mean, log_var = (tensor.cpu().double() for tensor in posterior)
    width = model.likelihood.n_out(tuple(batch.target.shape[1:])) * math.prod(batch.target.shape[2:])
    draws = max(1, min(samples, _VALUES // width))
    at_once = max(1, _VALUES // (width * draws))
    parts = []
    for first in range(0, len(h), at_once):
        rows = slice(first, first + at_once)
        chunk = Batch(*(None if column is None else column[rows] for column in batch))  # type: ignore[arg-type]
        streams = [np.random.default_rng(seed) for seed in seeds[rows]]
        total = mean.new_full((2, len(streams)), -torch.inf)
        for start in range(0, samples, draws):
            weights = _weights(model, chunk, mean[rows], log_var[rows], min(draws, samples - start), streams)
            total = torch.logaddexp(total, torch.stack([weights, 2 * weights]).logsumexp(2))
        parts.append(total.T)
    return torch.cat(parts)


def _weights(
    model: Model, batch: Batch, mean: Tensor, log_var: Tensor, draws: int, streams: list[np.random.Generator]
) -> Tensor:
    """Return log p(target | z) p(z) / q(z | x) of every row and draw, (B, draws), in float64."""
    noise = torch.from_numpy(np.stack([stream.standard_normal((draws, *mean.shape[1:])) for stream in streams]))
    z = mean[:, None] + torch.exp(0.5 * log_var)[:, None] * noise
    ratio = 0.5 * (noise.square() - z.square()).flatten(2).sum(2) + 0.5 * log_var.flatten(1).sum(1, keepdim=True)
    columns = (batch.target, batch.cond, batch.values)  # how often a row counts is not its density
    target, cond, values = (None if column is None else _repeated(column, draws) for column in columns)
    params = model.decode(z.flatten(0, 1).to(batch.x), (), cond)
    nats = model.likelihood.nll(params, target, values)  # type: ignore[arg-type]
    return ratio - nats.cpu().double().reshape(ratio.shape)


def _repeated(rows: Tensor, draws: int) -> Tensor:
    """Return every row so many times, without a copy where there is but one row."""
    return rows[:, None].expand(-1, draws, *rows.shape[1:]).flatten(0, 1)
