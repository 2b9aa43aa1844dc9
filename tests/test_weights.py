"""Weights of rows: as good as repeating them."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone

import narrows as nw
import narrows.families
from narrows import moments
from narrows.data.pairs import Batch, Pairs
from narrows.errors import InputError
from narrows.params import FAMILIES
from narrows.parts import as_part
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


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("autoencoder", {}),
        ("autoencoder", {"penalties": "orthogonal:5,codes"}),
        ("autoencoder", {"network": "dense:code=sigmoid", "penalties": "kl_sparsity:5,0.1"}),
        ("sparse", {}),
    ],
)
def test_a_step_over_all_rows_is_the_step_over_the_repeated_rows(name: str, own: dict[str, str]) -> None:
    fits = [FAMILIES[name](latent_dim=3, **FULL, **own) for _ in range(3)]
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
    assert torch.allclose(model.nll(Batch(rows, rows, None, weight)), model.nll(Batch(rows, rows)) * weight)


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
    from narrows.data.images.augment import Flip

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
    given = sp.csr_matrix(rows) if sparse else rows
    weighted = nw.LinearRecommender(l2=5.0, dropout=0.2).fit(given, sample_weight=times)
    assert weighted.reconstruct(np.eye(8)) == pytest.approx(repeated.reconstruct(np.eye(8)), abs=1e-5)
    plain = nw.LinearRecommender(l2=5.0, dropout=0.2).fit(rows)
    assert abs(plain.reconstruct(np.eye(8)) - weighted.reconstruct(np.eye(8))).max() > 0.01


def test_a_codebook_and_its_prior_follow_the_weights() -> None:
    draw = np.random.default_rng(0)
    rows = np.concatenate([draw.normal(0, 0.1, (300, 2)), draw.normal(5, 0.1, (300, 2))])
    often = np.repeat([19.0, 1.0], 300)
    own = {"latent_dim": 2, "codes": 4, "epochs": 20, "batch_size": 32, "random_state": 0}
    for prior_epochs in (0, 20):
        models = [nw.VQVAE(prior_epochs=prior_epochs, **own).fit(rows, sample_weight=each) for each in (often, None)]
        weighted, plain = [(each.sample(4000, random_state=0)[:, 0] > 2.5).mean() for each in models]
        assert weighted == pytest.approx(0.05, abs=0.04)
        assert plain == pytest.approx(0.5, abs=0.1)


NOISY = {"adversarial", "conditional-vae", "vae", "wasserstein"}  # draw something for every row at the start


@pytest.mark.parametrize("width", [8, 100])
@pytest.mark.parametrize("name", sorted({*FAMILIES} - {"vqvae"}))  # whose codebook starts from rows that are drawn
def test_rows_with_weights_give_the_start_of_repeated_rows(name: str, width: int) -> None:
    draw = np.random.default_rng(1)
    rows = draw.normal(size=(60, width)) @ draw.normal(size=(width, width)) / np.sqrt(width) + 2
    own = {} if name == "linear-recommender" else {"latent_dim": 4, "epochs": 0, "random_state": 0}
    own |= {"greedy_epochs": 0} if name == "stacked" else {}
    weighted, repeated, plain = (FAMILIES[name](**own) for _ in range(3))
    weighted.fit(rows, sample_weight=TIMES), repeated.fit(np.repeat(rows, TIMES, axis=0)), plain.fit(rows)
    results = [
        (each.transform(rows), *([] if name in NOISY else [each.reconstruct(rows)]))
        for each in (weighted, repeated, plain)
    ]
    for ours, theirs, others in zip(*results, strict=True):
        assert np.allclose(ours, theirs, atol=2e-4)
        assert not np.allclose(ours, others, atol=1e-2)


@pytest.mark.parametrize(
    "law", ["gaussian", "gaussian:learnt", "gaussian:predicted", "laplace", "bernoulli", "poisson"]
)
def test_a_law_starts_from_weights_as_from_repetitions(law: str) -> None:
    rows = torch.from_numpy(rng.integers(0, 2, (60, 3)) if law in ("bernoulli", "poisson") else X[:, :3] * 5).float()
    twice, weight = rows.repeat_interleave(torch.from_numpy(TIMES), 0), torch.from_numpy(TIMES)
    made = [as_part("likelihood", law).build((3,)) for _ in range(2)]
    made[0].start(rows, weight), made[1].start(twice)
    for name, value in getattr(made[0], "state_dict", dict)().items():
        assert torch.allclose(value, made[1].state_dict()[name], rtol=1e-6)
    assert torch.allclose(made[0].constant_params(rows, weight), made[1].constant_params(twice), rtol=1e-5)
    assert made[0].params_spread(rows, weight) == pytest.approx(made[1].params_spread(twice), rel=1e-6)
    assert not torch.allclose(made[0].constant_params(rows, weight), made[0].constant_params(rows))


def test_the_laws_of_a_table_and_of_labels_and_items_start_from_weights() -> None:
    draw = np.random.default_rng(2)
    table = np.c_[draw.normal(size=60), draw.integers(0, 2, 60), np.eye(3)[draw.integers(0, 3, 60)]]
    laws = {
        "mixed:gaussian/bernoulli/categorical*3": table,
        "categorical:4": draw.integers(0, 4, (60, 2)),
        "multinomial": draw.integers(0, 5, (60, 4)),
    }
    for law, values in laws.items():
        rows, weight = torch.from_numpy(values).float(), torch.from_numpy(TIMES)
        priced, twice = as_part("likelihood", law).build(tuple(rows.shape[1:])), rows[np.repeat(np.arange(60), TIMES)]
        assert torch.allclose(priced.constant_params(rows, weight), priced.constant_params(twice), atol=1e-5)
        assert not torch.allclose(priced.constant_params(rows, weight), priced.constant_params(rows), atol=1e-3)


def test_the_median_of_weighted_rows_is_that_of_the_repeated_rows() -> None:
    for times in (TIMES, np.ones(60, int), np.eye(60, dtype=int)[7], np.repeat([1, 59], [59, 1])):
        rows, twice = torch.from_numpy(X), torch.from_numpy(np.repeat(X, times, axis=0))
        assert torch.equal(moments.median(rows, torch.from_numpy(times)), moments.median(twice))
        shares = torch.from_numpy(times / times.mean()).float()
        assert torch.equal(moments.median(rows, shares), moments.median(twice))


def test_a_row_of_no_weight_is_no_row() -> None:
    y = np.where(np.arange(60) == 3, "rare", "usual")
    weight = (y == "usual") * 2.0
    made = nw.ConditionalVAE(latent_dim=2, epochs=1, random_state=0).fit(X, y, sample_weight=weight)
    assert made.classes_.tolist() == ["usual"]
    odd = np.where(weight[:, None] > 0, X, 1e6)  # nothing of it reaches the start or the first loss
    fits = [nw.AutoEncoder(latent_dim=2, epochs=1, random_state=0).fit(each, sample_weight=weight) for each in (X, odd)]
    assert np.array_equal(fits[0].transform(X), fits[1].transform(X))


def test_weights_of_any_size_fit() -> None:
    fits = [nw.AutoEncoder(latent_dim=2, epochs=2, random_state=0).fit(X, sample_weight=TIMES * s) for s in (1, 1e60)]
    assert np.allclose(fits[0].transform(X), fits[1].transform(X), atol=1e-4)


def test_the_length_of_a_code_is_found_on_rows_as_often_as_they_weigh() -> None:
    draw = np.random.default_rng(0)
    rows = np.zeros((400, 12))
    rows[:200, :2], rows[200:] = draw.normal(size=(200, 2)), draw.normal(size=(200, 12))
    few, many = (nw.Reducer(latent_dim="auto", estimator=nw.LinearAutoEncoder()) for _ in range(2))
    assert few.fit(rows, sample_weight=np.repeat([1.0, 0.0], 200)).code_size_["chosen"] == 2
    assert many.fit(rows, sample_weight=np.repeat([0.0, 1.0], 200)).code_size_["chosen"] == 8
