"""The Python surface: what users pass is used, kept, or refused in one message."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn import config_context
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV

import narrows as nw
from narrows.errors import InputError
from narrows.metrics.distances import nearest_rows
from narrows.parts import as_part

IMAGES = load_digits().images[:60] / 16
X = IMAGES.reshape(len(IMAGES), -1)
BRIGHT = list((IMAGES[:6, None] * 255).astype(np.float64))


# ---- pictures on another scale, or not finite ------------------------------------------------------------------------


@pytest.mark.parametrize("pictures", [BRIGHT, [each.astype(np.int64) for each in BRIGHT]], ids=["floats", "ints"])
def test_pictures_beyond_the_unit_scale_are_refused(pictures: list[np.ndarray]) -> None:
    for task in (nw.Upscaler(epochs=1), nw.Denoiser(epochs=1)):
        with pytest.raises(InputError, match=r"Values from 0 to 2\d\d came.*X / 255"):
            task.fit_pictures(pictures)
    fitted = nw.Denoiser(epochs=0, random_state=0).fit_pictures([each / 255 for each in BRIGHT])
    with pytest.raises(InputError, match="X / 255"):
        fitted.predict_pictures(pictures)
    loud = np.random.default_rng(0).normal(0.5, 0.5, (1, 9, 9))  # noise goes beyond 0 and 1, and is no other scale
    assert np.isfinite(fitted.predict_pictures([loud])[0]).all()


@pytest.mark.parametrize("task", [nw.Upscaler, nw.Segmenter, nw.Translator])
def test_pictures_that_are_not_finite_are_refused_before_training(task: Any) -> None:
    holes = IMAGES[:6].copy()
    holes[2, 3, 3] = np.nan
    with pytest.raises(InputError, match="NaN"):
        task(epochs=1).fit(holes, IMAGES[:6] > 0.5)


# ---- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "later"),
    [
        (nw.AutoEncoder(network="dense:16", latent_dim=3), {"network": "dense:16,activation=relu"}),
        (nw.AutoEncoder(latent_dim=2), {"latent_dim": 3}),
        (nw.SparseAutoEncoder(latent_dim=16, k=2), {"k": 5}),
        (nw.VAE(latent_dim=2), {"beta": 10.0}),
        (nw.AutoEncoder(latent_dim=2), {"network": "unet"}),
    ],
    ids=["network", "latent_dim", "k", "beta", "skips"],
)
def test_settings_after_a_fit_wait_for_the_next(model: Any, later: dict[str, Any], tmp_path: Path) -> None:
    model.set_params(epochs=2, random_state=0).fit(X)
    codes, scores, back = model.transform(X), model.score_samples(X), model.inverse_transform(model.transform(X))
    loaded = nw.load(model.set_params(**later).save(tmp_path))
    for each in (model, loaded):
        assert np.array_equal(each.transform(X), codes)
        assert np.array_equal(each.score_samples(X), scores)
        assert np.array_equal(each.inverse_transform(codes), back)


def test_a_decoder_that_needs_positions_does_not_decode_codes_alone() -> None:
    for network in ("conv:4,8,up=unpool", "stack:encoder=conv:4/pool/conv,decoder=conv:4/unpool/conv"):
        model = nw.AutoEncoder(network=network, latent_dim=4, epochs=1, random_state=0).fit(IMAGES)
        assert model.reconstruct(IMAGES).shape == IMAGES.shape
        assert not hasattr(model, "inverse_transform")
        assert not hasattr(model, "interpolate")
    with pytest.raises(InputError, match="cannot draw"):
        nw.Generator(estimator=nw.VAE(network="conv:4,up=unpool"), epochs=1).fit(IMAGES)
    assert hasattr(nw.AutoEncoder(network="conv:4,8,up=unpool-average"), "inverse_transform")


# ---- noise -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "asked", "want"),
    [
        (None, None, "gaussian:0.1"),
        (None, "mask:0.5", "mask:0.5"),
        (nw.DenoisingAutoEncoder(noise="mask:0.5"), None, "mask:0.5"),
        (nw.DenoisingAutoEncoder(corruption="mask:0.5"), None, "mask:0.5"),
        (nw.DenoisingAutoEncoder(corruption="mask:0.5"), "gaussian:0.3", "gaussian:0.3"),
        (nw.AutoEncoder(corruption="mask:0.5"), None, "mask:0.5"),
        (nw.AutoEncoder(corruption="mask:0.5"), "gaussian:0.3", "gaussian:0.3"),
        (nw.AutoEncoder(), None, "gaussian:0.1"),
    ],
)
def test_a_denoiser_learns_from_the_noise_that_it_names(model: Any, asked: Any, want: str, tmp_path: Path) -> None:
    task = nw.Denoiser(estimator=model, noise=asked, epochs=1, random_state=0).fit(X)
    assert task.estimator_.model_.corruption == task.noise_ == as_part("corruption", want)
    assert nw.load(task.save(tmp_path)).noise_ == task.noise_
    shares = (task.corrupted(np.ones((50, 64))) == 0).mean()
    assert (0.4 < shares < 0.6) == want.startswith("mask")


def test_noise_that_is_drawn_once_is_drawn_once() -> None:
    model = nw.DenoisingAutoEncoder(corruption="mask:0.5", fresh=False, epochs=1, random_state=0).fit(X)
    assert model.model_.corruption is None


def test_sparse_clean_rows_are_the_target() -> None:
    noisy = X + np.random.default_rng(0).normal(0, 0.3, X.shape)
    dense, sparse = (nw.Denoiser(epochs=2, random_state=0).fit(noisy, y) for y in (X, sp.csr_matrix(X)))
    assert sparse.paired_
    assert np.array_equal(dense.denoise(noisy), sparse.denoise(noisy))


# ---- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (nw.Pairs(np.full((5, 3), np.nan, np.float32)), "NaN or infinite"),
        (nw.Pairs(np.ones((5, 3), np.float32), np.full((5, 2), np.inf, np.float32)), "NaN or infinite"),
        (nw.Pairs(np.ones((0, 3), np.float32)), r"0 rows of shape \(3,\)"),
        (nw.Pairs(np.ones(5, np.float32)), r"5 rows of shape \(\)"),
    ],
    ids=["input", "target", "no rows", "no axis"],
)
def test_broken_pairs_are_refused_before_training(pairs: nw.Pairs, said: str) -> None:
    with pytest.raises(InputError, match=said):
        nw.AutoEncoder(latent_dim=2, epochs=1).fit_pairs(pairs)


def test_rows_on_disk_are_refused_where_all_are_needed(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    for task in (nw.AnomalyDetector, nw.DensityEstimator, nw.Generator, nw.FeatureDictionary, nw.Recommender):
        with pytest.raises(InputError, match=r"Rows on disk.*X\[:\]"):
            task(epochs=1).fit(nw.stored(tmp_path / "x.npy"))


def test_users_by_items_by_days_are_refused() -> None:
    with pytest.raises(InputError, match="one column per item"):
        nw.Recommender().fit(np.ones((4, 3, 2)))


@pytest.mark.parametrize("scale", [1e-300, 1e-46, 1e40])
def test_weights_of_any_size_are_the_same_weights(scale: float) -> None:
    weight = np.linspace(1, 2, 60)
    ours, theirs = (
        nw.AutoEncoder(latent_dim=2, epochs=2, random_state=0).fit(X, sample_weight=each)
        for each in (weight * scale, weight)
    )
    assert np.allclose(ours.transform(X), theirs.transform(X), atol=1e-5)


def test_folders_may_be_paths_and_switches_numpys(tmp_path: Path) -> None:
    first = nw.AutoEncoder(latent_dim=2, epochs=1, random_state=0, checkpoint=tmp_path / "state").fit(X)
    folder = first.save(tmp_path / "saved")
    again = nw.AutoEncoder(latent_dim=2, epochs=1, weights=folder, warm_start=np.True_, lr=1e-12).fit(X)
    assert np.allclose(again.transform(X), first.transform(X), atol=1e-5)


def test_sizes_with_a_letter_too_many_are_refused() -> None:
    assert (
        nw.AutoEncoder(network="dense:8x4").fit_pairs(nw.Pairs(X.astype(np.float32))).settings_["network"]
        == "dense:8x4"
    )
    with pytest.raises(InputError, match="8x"):
        nw.AutoEncoder(network="dense:8,8,8x", epochs=1).fit(X)


def test_an_anomaly_detector_leaves_counts_counts() -> None:
    counts = np.random.default_rng(0).poisson(4, (100, 5)).astype(float)
    task = nw.AnomalyDetector(estimator=nw.AutoEncoder(likelihood="poisson", latent_dim=2), epochs=2, random_state=0)
    assert task.fit(counts).score_samples(np.full((1, 5), 90.0))[0] < task.score_samples(counts).min()


def test_a_reducer_is_chosen_by_the_variance_that_it_keeps() -> None:
    search = GridSearchCV(nw.Reducer(estimator=nw.LinearAutoEncoder()), {"latent_dim": [1, 8]}, cv=2).fit(X)
    assert search.best_params_ == {"latent_dim": 8}
    pca = PCA(8).fit(X)
    want = 1 - np.square(X - pca.inverse_transform(pca.transform(X))).sum() / np.square(X - X.mean(0)).sum()
    assert search.score(X) == pytest.approx(want, abs=1e-3)


def test_labels_keep_their_type_when_saved(tmp_path: Path) -> None:
    y = (np.arange(60) % 2).astype(np.uint8)
    model = nw.CodeClassifier(epochs=1, tune_epochs=1, random_state=0).fit(X, y)
    assert model.predict(X).dtype == nw.load(model.save(tmp_path)).predict(X).dtype == np.int64


def test_the_nearest_row_far_from_zero() -> None:
    rows = np.array([[10000.3]], np.float32)
    others = np.array([[10000.0], [10000.25], [10000.5]], np.float32)
    assert nearest_rows(rows, [others]).item() == 10000.25


# ---- fits, before and again ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", [nw.Reducer, nw.Denoiser, nw.AnomalyDetector, nw.FeatureDictionary, nw.Generator])
def test_a_task_that_is_not_fitted_says_so(task: Any) -> None:
    use = {nw.AnomalyDetector: "predict", nw.Generator: "sample", nw.Denoiser: "denoise"}.get(task, "transform")
    with pytest.raises(NotFittedError):
        getattr(task(), use)(X)


def test_a_fit_to_other_pairs_forgets_the_rows_before() -> None:
    frame = pd.DataFrame(X[:, :4], columns=list("abcd"))
    model = nw.AutoEncoder(latent_dim=2, epochs=1, random_state=0).fit(frame)
    model.fit_pairs(nw.Pairs(X.astype(np.float32)))
    assert model.transform(X).shape == (60, 2)
    assert not hasattr(model, "feature_names_in_")
    images = nw.AutoEncoder(latent_dim=2, epochs=1, random_state=0).fit(IMAGES)
    assert images.inverse_transform(images.transform(IMAGES)).shape == (60, 8, 8)
    images.fit_pairs(nw.Pairs(IMAGES[:, None].astype(np.float32)))
    assert images.inverse_transform(images.transform(IMAGES)).shape == (60, 1, 8, 8)


@pytest.mark.filterwarnings("ignore:The values deviate")
def test_tasks_work_where_scikit_learn_gives_frames(tmp_path: Path) -> None:
    rows, y = X[:, 10:20], np.arange(60) % 2
    tasks = (nw.Reducer(), nw.Generator(), nw.FeatureDictionary(latent_dim=8, k=2), nw.CodeClassifier(tune_epochs=1))
    with config_context(transform_output="pandas"):
        for task in tasks:
            task.set_params(epochs=1, random_state=0).fit(rows, y)
            assert nw.report(task, rows, tmp_path / task.name, y)["verdict"]["text"]
            assert task.outputs(rows, fresh=True)


def test_a_classifier_resumes_where_some_rows_have_no_label(tmp_path: Path) -> None:
    y = (np.arange(60) % 3).astype(object)
    y[::7] = None
    own = {"epochs": 1, "tune_epochs": 2, "random_state": 0}
    plain = nw.CodeClassifier(**own).fit(X, y)
    kept = nw.CodeClassifier(tune_checkpoint=str(tmp_path), **own).fit(X, y)
    assert np.array_equal(plain.predict_proba(X), kept.predict_proba(X))
    again = nw.CodeClassifier(tune_checkpoint=str(tmp_path), **own).fit(X, y)
    assert np.array_equal(again.predict_proba(X), kept.predict_proba(X))
