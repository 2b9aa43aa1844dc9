"""No cross-entropy lies below the entropy: every likelihood on every kind of column, ours and the competitors'."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.stats as st

import narrows as nw
from narrows.errors import InputError
from narrows.tasks.base import Rows

N, HELD, COLUMNS = 200, 400, 2


class Law(NamedTuple):
    """Draws of a column, and -log p of each, of which the mean is the entropy."""

    draw: Callable[[np.random.Generator, int], np.ndarray]
    surprise: Callable[[np.ndarray], np.ndarray]


def of(law: Any) -> Law:
    price = law.logpdf if isinstance(law.dist, st.rv_continuous) else law.logpmf
    return Law(lambda draw, n: law.rvs(n, random_state=draw), lambda x: -price(x))


def rounded(law: Any, step: float) -> Law:
    def surprise(x: np.ndarray) -> np.ndarray:
        middle = np.rint(x / step)
        return -np.log(law.cdf((middle + 0.5) * step) - law.cdf((middle - 0.5) * step))

    return Law(lambda draw, n: np.rint(law.rvs(n, random_state=draw) / step) * step, surprise)


def with_atoms(atoms: dict[float, float], law: Any) -> Law:
    shares, rest = list(atoms.values()), 1 - sum(atoms.values())

    def draw(rng: np.random.Generator, n: int) -> np.ndarray:
        values = np.stack([*(np.full(n, atom) for atom in atoms), law.rvs(n, random_state=rng)])
        return values[rng.choice(len(values), n, p=[*shares, rest]), np.arange(n)]

    def surprise(x: np.ndarray) -> np.ndarray:
        out = -law.logpdf(x) - math.log(rest)
        for atom, share in atoms.items():
            out[x == atom] = -math.log(share)
        return out

    return Law(draw, surprise)


LAWS = {
    "real": of(st.norm(3, 2)),
    "real, tiny units": of(st.norm(0, 1e-4)),
    "real, skewed": of(st.lognorm(1.0, scale=2.0)),
    "real, heavy tails": of(st.t(3)),
    "fractions": of(st.beta(2, 5)),
    "tenths": rounded(st.norm(5, 0.7), 0.1),
    "cents": rounded(st.gamma(2, scale=3.0), 0.01),
    "sixteenths": Law(lambda draw, n: draw.integers(0, 17, n) / 16, lambda x: np.full(len(x), math.log(17))),
    "whole": rounded(st.norm(0, 15), 1.0),
    "counts": of(st.poisson(3)),
    "bits": of(st.bernoulli(0.2)),
    "few levels": of(st.randint(0, 5)),
    "levels": Law(lambda draw, n: draw.integers(0, 256, n, np.uint8), lambda x: np.full(len(x), math.log(256))),
    "half zeros": with_atoms({0.0: 0.5}, st.lognorm(1.0)),
    "few zeros": with_atoms({0.0: 0.05}, st.norm(2, 1)),
    "clipped": with_atoms({0.0: 0.2, 1.0: 0.3}, st.beta(2, 2)),
    "roots": Law(lambda draw, n: np.sqrt(draw.integers(2, 9, n)), lambda x: np.full(len(x), math.log(7))),
    "constant": Law(lambda draw, n: np.full(n, 0.3), lambda x: np.zeros(len(x))),
}
LIKELIHOODS = [
    *("mixed", "mixed:spread=learnt", "gaussian", "gaussian:learnt", "gaussian:predicted", "laplace"),
    *("bernoulli", "continuous-bernoulli", "poisson", "categorical:5", "multinomial"),
]
TAKEN = {  # what is not refused, besides mixed ones
    "gaussian": {"real", "real, tiny units", "real, skewed", "real, heavy tails", "fractions"},
    "laplace": {"real", "real, tiny units", "real, skewed", "real, heavy tails", "fractions"},
    "continuous-bernoulli": {"fractions"},
    "bernoulli": {"bits"},
    "poisson": {"bits", "counts", "few levels"},
    "categorical": {"bits", "few levels"},
}


@pytest.fixture(autouse=True)
def few_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let mixtures choose between fewer numbers of parts, for the time it takes."""
    monkeypatch.setattr("narrows.baselines.rivals._PARTS", (1, 4))


def rows_of(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows to learn from, rows to measure on, and -log p of the latter."""
    draw = np.random.default_rng(sum(map(ord, name)))
    law = LAWS[name]
    X = np.stack([law.draw(draw, N + HELD) for _ in range(COLUMNS)], 1)
    return X[:N], X[N:], sum(law.surprise(column) for column in X[N:].T)


@pytest.mark.filterwarnings("ignore:The values deviate by")
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("name", LAWS)
def test_no_cross_entropy_lies_below_the_entropy(name: str, likelihood: str) -> None:
    train, held, surprise = rows_of(name)
    family = likelihood.partition(":")[0]
    model = nw.DensityEstimator(estimator=nw.VAE(likelihood=likelihood), latent_dim=1, samples=20)
    model.set_params(epochs=5, random_state=0)
    if family != "mixed" and name not in TAKEN.get(family, set()):
        with pytest.raises(InputError, match="likelihood"):
            model.fit(train)
        assert not hasattr(model, "estimator_")
        return
    found = model.fit(train).evaluate(Rows(train), Rows(held))
    error = surprise.std() / math.sqrt(HELD) + found.metrics["error"].value
    nats = {"ours": found.metrics["nats"].value} | {other: each["nats"] for other, each in found.baselines.items()}
    assert len(nats) == 4
    assert found.rows == HELD  # none is left out
    for what, value in nats.items():
        assert value > surprise.mean() - 2 * error, what
    if likelihood == "mixed" and "skewed" not in name:  # and it is near, where a Gaussian is not far
        assert nats["ours"] < surprise.mean() + 1.2
