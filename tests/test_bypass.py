"""The linear path beside a dense network starts as PCA, and training never ends below it on the held-out rows."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

import narrows as nw

X = load_digits().data[:600] / 16


def pca_mse(k: int) -> float:
    pca = PCA(k, svd_solver="full").fit(X)
    return float(np.mean((pca.inverse_transform(pca.transform(X)) - X) ** 2))


@pytest.mark.parametrize("k", [1, 5, 20])
def test_the_start_is_pca(k: int) -> None:
    model = nw.AutoEncoder(latent_dim=k, network="dense:bypass", epochs=0, random_state=0).fit(X)
    pca = PCA(k, svd_solver="full").fit(X)
    assert np.abs(model.reconstruct(X) - pca.inverse_transform(pca.transform(X))).max() < 1e-4
    assert np.allclose(model.transform(X).std(0), 1, atol=1e-3)  # whitened codes


@pytest.mark.parametrize("k", [5, 10, 20, 28])
@pytest.mark.parametrize("n", [46, 30])
def test_rows_of_few_directions_start_and_train_safely(n: int, k: int) -> None:
    """46 or 30 rows of 40 columns and rank 10, a third of the columns constant; in new rows these have moved."""
    rng = np.random.default_rng(0)
    axes, level = rng.normal(size=(10, 40)), np.full(40, 5.0)
    axes[:, ::3], level[1::3], level[2::3] = 0, 0, 0
    rows, alike = rng.normal(size=(n, 10)) @ axes + level, rng.normal(size=(200, 10)) @ axes + level
    moved = alike + (np.arange(40) % 3 == 0)
    pca = PCA(k, svd_solver="full").fit(rows)
    for new, slack in ((alike, 1e-3), (moved, 0.2)):
        wanted = np.mean((pca.inverse_transform(pca.transform(new)) - new) ** 2)
        for epochs in (0, 30):
            model = nw.AutoEncoder(latent_dim=k, network="dense:bypass", epochs=epochs, random_state=0).fit(rows)
            made = model.reconstruct(new)
            assert np.isfinite(made).all()
            assert np.mean((made - new) ** 2) < 1.1 * wanted + slack, (epochs, wanted)
            assert np.abs(model.transform(new)).max() < 20


def test_training_goes_on_from_there() -> None:
    model = nw.AutoEncoder(latent_dim=5, network="dense:bypass", epochs=30, random_state=0).fit(X)
    assert np.mean((model.reconstruct(X) - X) ** 2) < 0.8 * pca_mse(5)


def test_a_start_that_training_makes_worse_is_kept() -> None:
    model = nw.AutoEncoder(latent_dim=5, network="dense:bypass", lr=5.0, clip=None, epochs=2, random_state=0).fit(X)
    assert model.best_epoch_ == 0
    assert np.mean((model.reconstruct(X) - X) ** 2) < 1.1 * pca_mse(5)


def test_a_bernoulli_start_is_around_the_mean_row() -> None:
    model = nw.AutoEncoder(latent_dim=3, network="dense:bypass", likelihood="bernoulli", epochs=0).fit(X)
    with torch.no_grad():
        params = model.model_.decode(torch.zeros(1, 3))
    assert np.allclose(params.sigmoid().numpy()[0], X.mean(0).clip(0.01, 0.99), atol=1e-4)


def test_the_last_activation_is_that_of_the_sum() -> None:
    network = "dense:bypass,code=relu,output=sigmoid"
    model = nw.AutoEncoder(latent_dim=6, network=network, epochs=3, random_state=0).fit(X)
    made = model.reconstruct(X)
    assert model.transform(X).min() >= 0
    assert made.min() >= 0
    assert made.max() <= 1
    flat = nw.AutoEncoder(latent_dim=6, network="dense:bypass,output=sigmoid", epochs=0, random_state=0).fit(X)
    assert np.mean((flat.reconstruct(X) - X) ** 2) < 0.25  # it does not start at PCA behind a sigmoid
