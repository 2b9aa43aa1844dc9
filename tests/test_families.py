"""Each family against what is known of it."""

import copy
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

import narrows.families  # noqa: F401 - registers them
from narrows.errors import InputError
from narrows.families.conditional_vae import ConditionalVAE
from narrows.families.linear import LinearAutoEncoder
from narrows.families.vae import VAE
from narrows.params import FAMILIES

DIGITS = load_digits().data
RNG = np.random.default_rng(0)
ROWS = {
    "more rows": DIGITS[:500] / 16,
    "float32": (DIGITS[:500] / 16).astype(np.float32),
    "more columns": RNG.normal(size=(30, 200)) * np.linspace(3, 0.1, 200),
    "bytes": (DIGITS[:300] * 15.9).astype(np.uint8),
    "sparse": sp.csr_matrix(DIGITS[:300] / 16),
    "shifted": DIGITS[:300] / 16 + 100,
}


@pytest.mark.parametrize("name", ROWS)
def test_linear_is_principal_component_analysis(name: str) -> None:
    rows = ROWS[name]
    dense = rows.toarray() if sp.issparse(rows) else rows
    dense = dense / 255.0 if dense.dtype == np.uint8 else dense.astype(np.float64)
    pca = PCA(10, svd_solver="full").fit(dense)
    ours = LinearAutoEncoder(latent_dim=10, device="cpu").fit(rows)
    size = np.abs(dense).max()
    assert np.abs(ours.reconstruct(rows) - pca.inverse_transform(pca.transform(dense))).max() < 1e-5 * max(1, size)
    assert np.abs(ours.transform(rows) - pca.transform(dense)).max() < 1e-5 * max(1, 10 * size)


def test_linear_with_more_numbers_than_columns_copies() -> None:
    rows = ROWS["more rows"]
    model = LinearAutoEncoder(latent_dim=80).fit(rows)
    assert model.transform(rows).shape == (500, 80)
    assert np.abs(model.reconstruct(rows) - rows).max() < 1e-5


def test_linear_learns_the_rest_where_there_is_no_closed_form() -> None:
    rows = ROWS["float32"]
    for own in ({"likelihood": "bernoulli"}, {"likelihood": "gaussian:predicted"}, {"start": "random", "epochs": 0}):
        if own.get("start") == "random":
            with pytest.raises(InputError, match="closed form"):
                LinearAutoEncoder(**own).fit(rows)  # type: ignore[arg-type]
            continue
        with pytest.raises(InputError, match="closed form"):
            LinearAutoEncoder(latent_dim=4, **own).fit(rows)  # type: ignore[arg-type]
        model = LinearAutoEncoder(latent_dim=4, epochs=5, random_state=0, **own).fit(rows)  # type: ignore[arg-type]
        assert np.isfinite(model.score(rows))
    with pytest.raises(InputError, match="not linear"):
        LinearAutoEncoder(network="dense").fit(rows)


def test_linear_with_a_learnt_scale_is_probabilistic() -> None:
    rows = ROWS["more rows"]
    model = LinearAutoEncoder(latent_dim=10, likelihood="gaussian:learnt").fit(rows)
    residual = np.mean((rows - model.reconstruct(rows)) ** 2)
    expected = -0.5 * 64 * (np.log(2 * np.pi * residual) + 1)
    assert model.score(rows) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("family", [VAE, ConditionalVAE])
def test_the_price_of_the_code_may_be_a_numpy_number_but_not_negative(family: Any) -> None:
    rows, own = ROWS["more rows"][:20], {"latent_dim": 2, "epochs": 1, "random_state": 0}
    plain, numpy = (family(beta=beta, **own).fit(rows).score(rows) for beta in (4, np.int64(4)))
    assert plain == numpy
    with pytest.raises(InputError, match=r"'beta' parameter of .* must be at least 0. Got -3"):
        family(beta=-3, **own).fit(rows)


def test_the_score_of_a_vae_is_minus_its_loss() -> None:
    rows = ROWS["more rows"]
    model = VAE(latent_dim=4, epochs=3, beta=2.0, random_state=0).fit(rows)
    x, double = torch.tensor(rows), copy.deepcopy(model.model_).double()
    with torch.no_grad():
        h = double.features(x)
        mean, log_var = h.chunk(2, 1)
        kl = 0.5 * (mean**2 + log_var.exp() - 1 - log_var).sum(1)
        scale = double.likelihood.log_scale.exp()
        nats = -torch.distributions.Normal(double.decode(mean), scale).log_prob(x).sum(1)
    assert np.allclose(model.score_samples(rows), -(nats + 2 * kl).numpy(), rtol=1e-9, atol=1e-9)
    assert model.score(rows) == pytest.approx(float(model.score_samples(rows).mean()))
    assert model.sample(5, random_state=0).shape == (5, 64)


@pytest.mark.parametrize("family", [pytest.param(family, id=name) for name, family in sorted(FAMILIES.items())])
def test_one_batch_can_be_learnt_by_heart(family: Any) -> None:
    rows = (DIGITS[:32] / 16).astype(np.float32)
    weak = {"noise": "gaussian:0.05", "contraction": 1e-3, "adversary": 0.01, "k": 16}
    own = {name: value for name, value in weak.items() if name in family.__dataclass_fields__}
    base = {
        "latent_dim": 32,
        "validation": 0.0,
        "lr": 3e-3,
        "random_state": 0,
        "start": "random",
        "device": "cpu",
        **own,
    }
    untrained = np.mean((rows - rows.mean(0)) ** 2)
    model = family(epochs=700 if family.has_prior else 350, schedule="constant", **base).fit(rows)
    assert np.mean((rows - model.reconstruct(rows)) ** 2) < 0.1 * untrained
    assert model.history_[-1]["train"]["reconstruction"] < model.history_[0]["train"]["reconstruction"]
