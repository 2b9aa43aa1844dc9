"""The law of counts: the one under which held-out rows are likeliest, given the other columns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, log_ndtr

__all__ = ["count_law", "count_laws", "looked_at"]

Floats = NDArray[np.float64]
Price = Callable[[Floats, Floats], Floats]  # log-probabilities of counts of known means

_ENOUGH_ROWS, _MAX_OTHERS = 4000, 200  # of a table, rows and columns that laws are chosen by
_ROWS, _FEWEST = 2000, 60  # rows that are looked at, and with fewer known ones nothing is chosen
_REGRESSORS = 12  # columns that the mean depends on, and their squares
_PENALTY = 1e-2  # of the regression, in standardised columns
_LEAST_MEAN, _LEAST_DEVIATION = 0.02, 1e-3
_DISPERSIONS = 10.0 ** np.linspace(-3, 1, 17)
_POWERS = (0.0, 0.5, 1.0)  # of the mean, which a deviation may go with
_LOWEST = -30.0  # nats that one row may cost: it is not the law that is wrong there
_CLEAR = 2.0  # standard errors by which a law must be better to be taken instead of another


def looked_at(rows: int, columns: int) -> tuple[NDArray[np.int64], list[int]]:
    """Return which rows and columns of a table laws are chosen by, drawn where there are many.

    Examples
    --------
    >>> [len(part) for part in looked_at(10_000, 300)]
    [4000, 200]
    """
    draw = np.random.default_rng(0)
    return draw.permutation(rows)[:_ENOUGH_ROWS], draw.permutation(columns)[:_MAX_OTHERS].tolist()


def count_laws(
    counts: Mapping[int, Floats], laws: Mapping[int, str], blocks: Mapping[int, Floats], events: Collection[int] = ()
) -> dict[int, str]:
    """Return the law of every column of ``counts``, (n,) each by its place, given the ``blocks`` of the others.

    ``laws`` are those of the columns by themselves, ``events`` the places of known counts; see ``count_law``.

    Examples
    --------
    >>> z = np.random.default_rng(0).normal(size=800)
    >>> y = np.rint(9 + 3 * z).clip(0)
    >>> count_laws({1: y}, {1: "poisson"}, {0: z[:, None], 1: y[:, None]})
    {1: 'rounded'}
    """
    chosen = {}
    for place, values in counts.items():
        others = [block for other, block in blocks.items() if other != place]
        encoded = np.concatenate([np.zeros((len(values), 0)), *others], axis=1)
        chosen[place] = count_law(values, encoded, laws[place], events=place in events)
    return chosen


def count_law(counts: Floats, others: Floats, law: str = "poisson", *, events: bool = False) -> str:
    """Return ``poisson``, ``negative-binomial`` or ``rounded``, the law of counts (n,) given ``others`` (n, d).

    The variance of a column says nothing of that around what other columns tell. Half of the rows tell means and
    dispersions for the other half: means by ridge regression of the square roots on the columns that go with them best
    and their squares. Another law than ``law`` is taken where it is clearly better, the simpler one first. NaN is a
    missing count; ``others`` are standardised and complete. ``events``: they are known to be counts of events.

    Examples
    --------
    >>> draw = np.random.default_rng(0)
    >>> z = draw.normal(size=(800, 1))
    >>> count_law(draw.poisson(np.exp(1 + z[:, 0])).astype(float), z)
    'poisson'
    >>> count_law(draw.poisson(np.exp(1 + z[:, 0]) * draw.gamma(2, 0.5, 800)).astype(float), z)
    'negative-binomial'
    >>> count_law(np.rint(9 + 3 * z[:, 0] + 0.5 * draw.normal(size=800)).clip(0), z)
    'rounded'
    """
    known = np.flatnonzero(~np.isnan(counts))
    if len(known) < _FEWEST:
        return law
    known = np.random.default_rng(0).permutation(known)[:_ROWS]
    y, x = counts[known], others[known]
    half = len(known) // 2
    folds = (slice(0, half), slice(half, None)), (slice(half, None), slice(0, half))
    means = [_means(y[learn], x[learn], x[held]) for learn, held in folds]
    prices: dict[str, Floats] = {}
    laws = {name: fitted for name, fitted in _LAWS.items() if name != "rounded" or not events}
    for name, fitted in laws.items():
        parts = [
            fitted(means[1 - i], y[learn])(means[i], y[held]).clip(_LOWEST) for i, (learn, held) in enumerate(folds)
        ]
        prices[name] = np.concatenate(parts)
    for name in laws:
        if name != law and _clearly(prices[name] - prices[law]):
            law = name
    return law


def _clearly(gain: Floats) -> bool:
    return bool(gain.mean() > _CLEAR * gain.std(ddof=1) / np.sqrt(len(gain)))


def _means(y: Floats, x: Floats, new: Floats) -> Floats:
    """Return the means that rows of ``new`` have, as rows of ``x`` with counts ``y`` tell."""
    root = np.sqrt(y + 3 / 8)
    centred = x - x.mean(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = np.abs(centred.T @ (root - root.mean())) / np.sqrt(np.square(centred).sum(0))
    best = np.argsort(-np.nan_to_num(slopes))[:_REGRESSORS]
    design, asked = (_features(rows[:, best], x[:, best]) for rows in (x, new))
    gram = design.T @ design / len(y) + _PENALTY * np.eye(design.shape[1])
    gram[0, 0] -= _PENALTY  # the constant is free
    weights = np.linalg.solve(gram, design.T @ root / len(y))
    squares = [np.square((rows @ weights).clip(root.min(), root.max())) for rows in (design, asked)]
    level = y.mean() / squares[0].mean()
    means: Floats = (squares[1] * level).clip(_LEAST_MEAN)
    return means


def _features(rows: Floats, learnt: Floats) -> Floats:
    """Return a constant, columns and squares, standardised by the rows that are learnt from, far ones bent."""
    spread = learnt.std(0)
    columns = ((rows - learnt.mean(0)) / np.where(spread > 0, spread, 1)).clip(-4, 4)
    return np.concatenate([np.ones((len(rows), 1)), columns, np.square(columns) - 1], axis=1)


def _poisson(mean: Floats, y: Floats) -> Price:
    return lambda mean, y: np.asarray(y * np.log(mean) - mean - gammaln(y + 1))


def _negative_binomial(mean: Floats, y: Floats) -> Price:
    """Return the price with the dispersion that makes known counts likeliest."""

    def price(dispersion: float, mean: Floats, y: Floats) -> Floats:
        size, ratio = 1 / dispersion, dispersion * mean
        ways = gammaln(y + size) - gammaln(size) - gammaln(y + 1)
        log_p: Floats = ways - size * np.log1p(ratio) - y * np.log1p(1 / ratio)
        return log_p

    best = max(_DISPERSIONS, key=lambda dispersion: float(price(dispersion, mean, y).mean()))
    return lambda mean, y: price(best, mean, y)


def _rounded(mean: Floats, y: Floats) -> Price:
    """Return the price of Gaussian values rounded, with the deviation, by mean, that makes known counts likeliest."""

    def price(power: float, mean: Floats, y: Floats) -> Floats:
        deviation = scales[power] * mean**power
        gap, cell = np.abs(y - mean) / deviation, 1 / deviation
        upper = log_ndtr(0.5 * cell - gap)  # mirrored below zero, where the tails are exact
        with np.errstate(divide="ignore"):
            log_p: Floats = upper + np.log(-np.expm1(log_ndtr(-0.5 * cell - gap) - upper))
        return log_p

    squares = {power: float(np.mean(np.square(y - mean) / mean ** (2 * power))) for power in _POWERS}
    scales = {power: max(square**0.5, _LEAST_DEVIATION) for power, square in squares.items()}
    best = max(_POWERS, key=lambda power: float(price(power, mean, y).clip(_LOWEST).mean()))
    return lambda mean, y: price(best, mean, y)


_LAWS: dict[str, Callable[[Floats, Floats], Price]] = {
    "poisson": _poisson,
    "negative-binomial": _negative_binomial,
    "rounded": _rounded,
}
