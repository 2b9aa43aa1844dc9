"""What the estimators do with rows, images, pairs, earlier weights."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.datasets import load_digits

import narrows.families  # noqa: F401 - registers them
from narrows.data.pairs import Pairs
from narrows.errors import InputError
from narrows.families.autoencoder import AutoEncoder
from narrows.families.denoising import DenoisingAutoEncoder
from narrows.families.vae import VAE
from narrows.likelihood import Bernoulli
from narrows.params import FAMILIES

IMAGES = (load_digits().images[:120] / 16 * 255).astype(np.uint8)
X = (load_digits().data / 16)[:120].astype(np.float32)
ALL = [pytest.param(family, id=name) for name, family in sorted(FAMILIES.items())]


def make(family: Any = AutoEncoder, **own: Any) -> Any:
    return family(**{"latent_dim": 3, "epochs": 1, "random_state": 0, "device": "cpu", **own})


@pytest.mark.parametrize("family", ALL)
def test_images_come_back_in_their_shape(family: Any) -> None:
    for rows in (IMAGES, IMAGES[:, None], IMAGES.astype(np.float32) / 255, np.repeat(IMAGES[:, None], 3, 1)):
        model = make(family).fit(rows)
        codes = model.transform(rows)
        assert codes.shape == (120, np.prod(model.code_shape_))
        assert model.code_shape_[0] == 3
        assert model.reconstruct(rows).shape == rows.shape
        assert model.inverse_transform(codes).shape == rows.shape
        assert np.allclose(model.inverse_transform(codes), model.reconstruct(rows), atol=1e-5)
        assert model.n_features_in_ == rows[0].size


@pytest.mark.parametrize("network", [None, "conv:4,8", "dense:16"])
def test_flat_rows_may_be_images(network: str | None) -> None:
    flat = make(network=network, image_shape=(1, 8, 8)).fit(IMAGES.reshape(120, 64))
    assert flat.model_.encoder is not None
    codes = flat.transform(IMAGES.reshape(120, 64))
    assert flat.reconstruct(IMAGES.reshape(120, 64)).shape == (120, 64)
    assert flat.inverse_transform(codes).shape == (120, 64)
    assert np.array_equal(flat.transform(IMAGES), codes)  # the images themselves will do
    assert np.array_equal(flat.transform(IMAGES[:, None]), codes)
    assert flat.reconstruct(IMAGES).shape == IMAGES.shape
    sparse = make(network=network, image_shape=(1, 8, 8)).fit(sp.csr_matrix(X))
    assert sparse.reconstruct(sp.csr_matrix(X)).shape == (120, 64)


def test_uint8_and_uint16_are_shares_of_full_scale() -> None:
    model = make(epochs=3).fit(IMAGES)
    small = model.reconstruct(IMAGES)
    assert small.dtype == np.float32
    wide = IMAGES.astype(np.uint16) * 257
    assert np.allclose(model.reconstruct(wide), small, atol=1e-5)
    assert np.allclose(model.reconstruct(IMAGES / 255), small, atol=1e-5)
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(IMAGES.reshape(120, 64))
    assert np.array_equal(
        make().fit(frame).transform(frame), make().fit(IMAGES.reshape(120, 64)).transform(IMAGES.reshape(120, 64))
    )


def test_wrong_shapes_are_said() -> None:
    model = make().fit(IMAGES)
    for rows, said in (
        (IMAGES[:, :5], r"Rows of shape \(5, 8\) came to a model fitted on rows of 64 values"),
        (IMAGES.reshape(120, 4, 16), r"\(1, 4, 16\) came to a model fitted on rows of shape \(1, 8, 8\)"),
        (np.zeros((3, 20, 20, 3)), "channels last"),
        (np.zeros((3, 16, 16, 3)), "channels last"),
        (np.zeros((3, 8, 6, 1)), "channels last"),
    ):
        with pytest.raises(ValueError, match=said):
            (make().fit if rows.ndim == 4 else model.transform)(rows)
    with pytest.raises(InputError, match="do not fit image_shape"):
        make(image_shape=(1, 9, 9)).fit(X)
    for codes in (np.zeros((2, 4)), np.zeros(3), np.zeros((0, 3))):
        with pytest.raises(InputError, match="Codes of shape"):
            model.inverse_transform(codes)


def test_channels_before_narrow_maps_are_read_where_they_are_named() -> None:
    strips = np.random.default_rng(0).random((20, 5, 6, 3)).astype(np.float32)
    with pytest.raises(InputError, match=r"image_shape=\(5, 6, 3\)"):
        make().fit(strips)
    model = make(image_shape=(5, 6, 3)).fit(strips)
    assert model.shapes_[0] == (5, 6, 3)
    assert model.reconstruct(strips).shape == strips.shape
    assert make().fit(strips[:, :, :3]).shapes_[0] == (5, 3, 3)


@pytest.mark.parametrize("family", ALL)
def test_no_epochs_work(family: Any) -> None:
    model = make(family, epochs=0).fit(X)
    assert model.n_epochs_ == 0
    assert model.history_ == []
    assert model.finished_
    assert np.isfinite(model.score(X))


@pytest.mark.parametrize("rows", [X[:1], np.zeros((5, 4)), np.ones((7, 1)), X[:3]])
@pytest.mark.parametrize("family", ALL)
def test_few_or_equal_rows_work(family: Any, rows: np.ndarray) -> None:
    model = make(family, epochs=2, latent_dim=8).fit(rows)  # a code longer than a row is legal
    assert np.isfinite(model.reconstruct(rows)).all()


@pytest.mark.parametrize("family", [each for each in ALL if each.id != "linear-recommender"])  # which has no bias
def test_equal_rows_come_back_as_they_are(family: Any) -> None:
    rows = np.tile([5.0, -3.0, 1e4], (60, 1))
    for epochs in (0, 10):
        model = make(family, epochs=epochs, latent_dim=1).fit(rows)
        assert np.allclose(model.reconstruct(rows), rows, atol=0.05)


def test_pairs_of_different_shapes() -> None:
    images = X.reshape(-1, 1, 8, 8)
    quarters = Pairs(images, images[:, :, :4, :4])
    for network in ("dense:32", "conv:8,16"):
        model = make(network=network, epochs=3).fit_pairs(quarters)
        assert model.shapes_ == ((1, 8, 8), (1, 4, 4), 0)
        assert model.reconstruct(images).shape == (120, 1, 4, 4)
        assert model.transform(images).shape == (120, 3)
    labels = (images > 0.5).astype(np.float32)
    model = make(epochs=2).fit_pairs(Pairs(images, labels), Bernoulli())
    assert 0 <= model.reconstruct(images).min() < model.reconstruct(images).max() <= 1
    assert model.likelihood_ == Bernoulli()
    with pytest.raises(InputError, match="closed form"):
        make(FAMILIES["linear"], epochs=0).fit_pairs(quarters)


def test_warm_start_goes_on_with_new_settings() -> None:
    model = make(VAE, epochs=3, warm_start=True, beta=1.0, start="random").fit(X)
    before = [value.clone() for value in model.model_.state_dict().values()]
    first = model.history_[0]["train"]["reconstruction"]
    model.set_params(beta=0.5).fit(X)
    assert model.history_[0]["train"]["reconstruction"] < first
    assert model.model_.bottleneck.beta == 0.5
    model.set_params(epochs=0).fit(X)
    after = model.model_.state_dict().values()
    assert not all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    model.set_params(latent_dim=5, epochs=1).fit(X)  # another model: it starts anew
    assert model.transform(X).shape == (120, 5)
    cold = make(VAE, epochs=3, start="random").fit(X)
    assert all(torch.equal(a, b) for a, b in zip(before, cold.model_.state_dict().values(), strict=True))


def test_what_cannot_be_done_is_absent_and_says_why() -> None:
    assert not hasattr(make(), "sample")
    with pytest.raises(AttributeError) as caught:
        make().sample(3)
    assert "no prior to sample from: use VAE" in str(caught.value.__cause__)
    assert hasattr(make(VAE), "sample")
    assert hasattr(make(network="no-such-network"), "inverse_transform")  # fit says what is wrong
    with pytest.raises(TypeError, match="finished"):
        type("Mine", (AutoEncoder,), {})


@pytest.mark.parametrize("n", [0, -1])
def test_fewer_rows_than_one_cannot_be_drawn(n: int) -> None:
    with pytest.raises(InputError, match=f"{n} rows are asked for. Accepted: at least 1"):
        make(VAE, epochs=0).fit(X).sample(n)


def test_the_noise_is_on_the_input_only() -> None:
    model = make(DenoisingAutoEncoder, noise="mask:1", epochs=60, lr=0.01, latent_dim=4, validation=0.0).fit(X)
    zeros = model.reconstruct(np.zeros((1, 64), np.float32))
    assert np.abs(zeros - X.mean(0)).max() < 0.1  # all is hidden: the best answer is the mean row
