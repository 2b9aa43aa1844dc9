"""Weights of rows: as good as repeating them."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone

import narrows as nw
from narrows.data.pairs import Batch, Pairs
from narrows.errors import InputError
from narrows.params import FAMILIES
from narrows.training import train

rng = np.random.default_rng(0)
X = (rng.normal(size=(60, 3)) @ rng.normal(size=(3, 8)) + 0.3 * rng.normal(size=(60, 8))).astype(np.float32)
TIMES = rng.integers(0, 4, 60)
REPEATED = np.repeat(X, TIMES, axis=0)


@pytest.mark.parametrize("size", [(60, 8), (6, 8)])
def test_the_closed_form_takes_weights_for_repetitions(size: tuple[int, int]) -> None:
    rows, times = X[: size[0]], np.array([1, 3, 0, 2, 1, 1]) if size[0] == 6 else TIMES
    weighted = nw.LinearAutoEncoder(latent_dim=2).fit(rows, sample_weight=times)
    repeated = nw.LinearAutoEncoder(latent_dim=2).fit(np.repeat(rows, times, axis=0))
    assert np.allclose(weighted.transform(rows), repeated.transform(rows), atol=1e-4)
    assert not np.allclose(
        weighted.transform(rows), nw.LinearAutoEncoder(latent_dim=2).fit(rows).transform(rows), atol=1e-2
    )


FULL = {"epochs": 5, "validation": 0, "batch_size": 1000, "start": "random", "random_state": 0, "schedule": "constant"}


@pytest.mark.parametrize("name", ["autoencoder", "sparse"])
def test_a_step_over_all_rows_is_the_step_over_the_repeated_rows(name: str) -> None:
    fits = [FAMILIES[name](latent_dim=3, **FULL) for _ in range(3)]
    weighted, repeated, plain = (
        fits[0].fit(X, sample_weight=TIMES),
        fits[1].fit(REPEATED),
        fits[2].fit(X),
    )
    for ours, theirs in zip(weighted.history_, repeated.history_, strict=True):
        assert ours["train"] == pytest.approx(theirs["train"], rel=1e-4)
    assert np.allclose(weighted.transform(X), repeated.transform(X), atol=1e-3)
    assert not np.allclose(weighted.transform(X), plain.transform(X), atol=1e-3)


def test_every_term_of_a_row_counts_with_its_weight() -> None:
    model = nw.VAE(latent_dim=2, epochs=1, random_state=0).fit(X).model_.eval()
    rows = torch.from_numpy(X)
    plain = model(Batch(rows, rows))
    weight = torch.linspace(0, 2, 60)
    for name, term in model(Batch(rows, rows, None, weight)).items():
        assert torch.allclose(term, plain[name] * weight)
    assert torch.allclose(model.nats(Batch(rows, rows, None, weight)), model.nats(Batch(rows, rows)) * weight)


def test_the_loss_of_weighted_rows_is_that_of_the_repeated_rows() -> None:
    weighted, repeated = Pairs(X).weighted(TIMES).balanced(), Pairs(REPEATED)
    made = nw.AutoEncoder(latent_dim=2, epochs=1, random_state=0).fit(X)
    losses = [
        next(iter(train(made.model_, each, epochs=1, lr=1e-9, batch_size=10_000))).train["reconstruction"]
        for each in (weighted, repeated)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_validation_rows_keep_their_weights() -> None:
    heavy = np.where(np.arange(60) < 30, 1.0, 9.0)
    made = nw.AutoEncoder(latent_dim=2, epochs=2, validation=0.5, random_state=0).fit(X, sample_weight=heavy)
    assert np.isfinite(made.history_[0]["valid"]["reconstruction"])
    same = nw.AutoEncoder(latent_dim=2, epochs=2, validation=0.5, random_state=0).fit(X, sample_weight=np.full(60, 7.0))
    none = nw.AutoEncoder(latent_dim=2, epochs=2, validation=0.5, random_state=0).fit(X)
    assert np.allclose(same.transform(X), none.transform(X), atol=1e-5)


def test_a_denoiser_leaves_out_pairs_of_no_weight_and_takes_weights_for_clean_rows() -> None:
    wrong = np.arange(60) % 2 == 1
    clean, weight = np.where(wrong[:, None], X + 5, X), (~wrong).astype(float)
    make = nw.Denoiser(estimator=nw.AutoEncoder(latent_dim=4, epochs=40, batch_size=16), random_state=0)
    errors = [np.mean((clone(make).fit(X, clean, each).denoise(X) - X) ** 2) for each in (weight, None)]
    assert errors[0] < 0.2 * errors[1]
    ours = clone(make).fit(X, sample_weight=TIMES)
    inside = clone(make.resolve()).set_params(corruption="gaussian:0.1").fit(X, sample_weight=TIMES)
    assert np.array_equal(ours.denoise(X), inside.reconstruct(X))
    with pytest.raises(ValueError, match="sample_weight"):
        clone(make).fit(X, clean, np.ones(59))


def test_flips_leave_weights_of_rows_alone() -> None:
    from narrows.data.augment import Flip

    images = torch.rand(20, 1, 4, 4)
    weight = torch.arange(20.0)
    assert torch.equal(Flip()(Batch(images, images, None, weight)).weight, weight)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("weight", "said"),
    [(np.ones(59), "sample_weight"), (np.ones((60, 2)), "1D"), (-np.ones(60), "egative"), (np.zeros(60), "zero")],
)
def test_wrong_weights_are_refused(weight: np.ndarray, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        nw.AutoEncoder(epochs=1).fit(X, sample_weight=weight)
    with pytest.raises((InputError, ValueError), match=said):
        nw.Reducer(epochs=1).fit(X, sample_weight=weight)


@pytest.mark.parametrize("sparse", [False, True])
def test_a_recommender_in_closed_form_counts_rows_as_often_as_they_weigh(sparse: bool) -> None:
    draw = np.random.default_rng(0)
    rows, times = (draw.random((50, 8)) < 0.3) * 1.0, draw.integers(0, 4, 50)
    repeated = nw.LinearRecommender(l2=5.0, dropout=0.2).fit(np.repeat(rows, times, axis=0))
    mean = times[times > 0].mean()  # weights count with a mean of 1, and so do penalties
    given = sp.csr_matrix(rows) if sparse else rows
    weighted = nw.LinearRecommender(l2=5.0 / mean, dropout=0.2).fit(given, sample_weight=times)
    assert weighted.reconstruct(np.eye(8)) == pytest.approx(repeated.reconstruct(np.eye(8)), abs=1e-5)
    plain = nw.LinearRecommender(l2=5.0 / mean, dropout=0.2).fit(rows)
    assert abs(plain.reconstruct(np.eye(8)) - weighted.reconstruct(np.eye(8))).max() > 0.01


def test_a_codebook_and_its_prior_follow_the_weights() -> None:
    draw = np.random.default_rng(0)
    rows = np.concatenate([draw.normal(0, 0.1, (300, 2)), draw.normal(5, 0.1, (300, 2))])
    often = np.repeat([19.0, 1.0], 300)
    own = {"latent_dim": 2, "codes": 4, "epochs": 60, "batch_size": 32, "random_state": 0}
    for prior_epochs in (0, 20):
        models = [nw.VQVAE(prior_epochs=prior_epochs, **own).fit(rows, sample_weight=each) for each in (often, None)]
        weighted, plain = [(each.sample(4000, random_state=0)[:, 0] > 2.5).mean() for each in models]
        assert weighted == pytest.approx(0.05, abs=0.04)
        assert plain == pytest.approx(0.5, abs=0.1)
