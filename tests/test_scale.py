"""The scale of pictures: levels of grey are read as 0 to 1; other scales are refused, or measured as what they are."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.datasets import load_digits

import narrows as nw
from narrows import metrics
from narrows.data.disk.stored import stored
from narrows.data.images.sets import alike
from narrows.data.pairs import Pairs
from narrows.data.scale import Scale, unit_pictures
from narrows.errors import InputError
from narrows.tasks.anomaly.evaluate import evaluation
from narrows.tasks.anomaly.images import planted
from narrows.tasks.base import Rows

LEVELS = np.rint(load_digits().images[:120] * 255 / 16).astype(np.uint8)
FLOATS = LEVELS / np.float32(255)
NUMBERS = {"float64": LEVELS.astype(np.float64), "float32": LEVELS.astype(np.float32), "int64": LEVELS.astype(np.int64)}
QUICK: dict[str, Any] = {"epochs": 1, "random_state": 0}


def small(task: Any) -> Any:
    return task(estimator=nw.AutoEncoder(network="residual:4,1,levels=1", **QUICK))


FITS: dict[str, Callable[[Any], Any]] = {
    "AutoEncoder": lambda X: nw.AutoEncoder(latent_dim=2, **QUICK).fit(X).transform,
    "VAE": lambda X: nw.VAE(latent_dim=2, likelihood="bernoulli", **QUICK).fit(X).score_samples,
    "LinearAutoEncoder": lambda X: nw.LinearAutoEncoder(latent_dim=2).fit(X).reconstruct,
    "DenoisingAutoEncoder": lambda X: nw.DenoisingAutoEncoder(latent_dim=2, **QUICK).fit(X).reconstruct,
    "Reducer": lambda X: nw.Reducer(latent_dim=2, **QUICK).fit(X).transform,
    "AnomalyDetector": lambda X: nw.AnomalyDetector(latent_dim=2, **QUICK).fit(X).score_samples,
    "CodeClassifier": lambda X: nw.CodeClassifier(tune_epochs=1, **QUICK).fit(X, np.arange(len(X)) % 2).predict,
    "Denoiser": lambda X: nw.Denoiser(**QUICK).fit(X).denoise,
    "Denoiser of pictures": lambda X: (
        nw.Denoiser(estimator=nw.DenoisingAutoEncoder(network="residual:4,1,levels=1", **QUICK))
        .fit_pictures(list(X[:, None]))
        .predict_pictures
    ),
    "Upscaler": lambda X: (
        nw.Upscaler(estimator=nw.AutoEncoder(network="residual:4,1,levels=1,fold=2", **QUICK)).fit(X).upscale
    ),
    "Translator": lambda X: nw.Translator(estimator=nw.AutoEncoder(network="unet:4,8", **QUICK)).fit(X, X).predict,
    "Segmenter": lambda X: (
        nw.Segmenter(estimator=nw.AutoEncoder(network="unet:4,8", likelihood="bernoulli", **QUICK))
        .fit(X, (X.mean() < X).astype(int))
        .predict
    ),
}


def pictures(name: str, X: Any) -> Any:
    return list(X[:, None]) if name == "Denoiser of pictures" else X


@pytest.mark.parametrize("name", FITS)
def test_a_model_of_levels_says_when_the_same_pictures_come_as_numbers(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few rows, few epochs
        use = FITS[name](LEVELS)
    right = use(pictures(name, LEVELS))
    assert np.allclose(right, use(pictures(name, FLOATS)), atol=1e-5)
    for kind, numbers in NUMBERS.items():
        with pytest.raises(
            InputError, match=r"alues from 0 to 2\d\d came.*Accepted: uint8, uint16, or numbers.*X / 255"
        ) as told:
            use(pictures(name, numbers))
        assert str(told.value).count("Accepted") == 1, kind


@pytest.mark.parametrize("flat", [False, True])
def test_levels_are_refused_where_the_fit_was_on_other_numbers(flat: bool) -> None:
    shape = (120, 64) if flat else (120, 8, 8)
    model = nw.AutoEncoder(latent_dim=2, **QUICK).fit(NUMBERS["int64"].reshape(shape))
    with pytest.raises(
        InputError, match=r"type uint8, which are levels.*fitted on values from 0 to 255.*astype\(float\)"
    ):
        model.transform(LEVELS.reshape(shape))
    assert model.transform(NUMBERS["float32"].reshape(shape)).shape == (120, 2)


def test_pictures_from_zero_to_one_have_that_scale_and_tables_have_any() -> None:
    model = nw.AutoEncoder(latent_dim=2, **QUICK).fit(FLOATS)
    assert np.allclose(model.transform(LEVELS), model.transform(FLOATS), atol=1e-5)
    with pytest.raises(InputError, match="pictures from 0 to 1"):
        model.transform(NUMBERS["float64"])
    table = nw.AutoEncoder(latent_dim=2, **QUICK).fit(FLOATS.reshape(120, 64))
    assert np.isfinite(table.transform(NUMBERS["float64"].reshape(120, 64))).all()  # rows may be new
    shifted = (FLOATS - FLOATS.mean()) / FLOATS.std()
    standard = nw.AutoEncoder(latent_dim=2, **QUICK).fit(shifted)
    assert np.isfinite(standard.transform(10 * shifted)).all()


def test_validation_rows_have_the_scale_of_the_fit_at_hand() -> None:
    model = nw.AutoEncoder(latent_dim=2, **QUICK).fit(NUMBERS["float64"])
    model.fit(LEVELS, valid=LEVELS)  # what was fitted before does not count
    with pytest.raises(InputError, match="Values from 0 to 255"):
        model.fit(LEVELS, valid=NUMBERS["float64"])


def test_strong_noise_is_no_other_scale() -> None:
    model = nw.Denoiser(noise="gaussian:2", **QUICK).fit(LEVELS)
    assert model.denoise(model.corrupted(LEVELS, seed=1)).shape == LEVELS.shape
    noisy = FLOATS + np.random.default_rng(0).normal(size=FLOATS.shape).astype(np.float32)
    paired = nw.Denoiser(**QUICK).fit(noisy, FLOATS)
    assert np.isfinite(paired.denoise(noisy)).all()
    with pytest.raises(InputError, match="Values from 0 to 255"):
        paired.denoise(NUMBERS["float32"])


def test_a_loaded_model_knows_the_scale(tmp_path: Any) -> None:
    for name, model in (
        ("family", nw.AutoEncoder(latent_dim=2, **QUICK).fit(LEVELS)),
        ("task", nw.AnomalyDetector(latent_dim=2, **QUICK).fit(LEVELS)),
    ):
        model.save(tmp_path / name)
        with pytest.raises(InputError, match="Values from 0 to 255"):
            nw.load(tmp_path / name).score_samples(NUMBERS["float32"])


def test_pairs_and_files_have_a_scale(tmp_path: Any) -> None:
    model = nw.AutoEncoder(latent_dim=2, **QUICK).fit_pairs(Pairs(LEVELS[:, None]))
    with pytest.raises(InputError, match="Values from 0 to 255"):
        model.transform(NUMBERS["float32"])
    np.save(tmp_path / "levels.npy", LEVELS)
    np.save(tmp_path / "numbers.npy", NUMBERS["float32"])
    model = nw.AutoEncoder(latent_dim=2, **QUICK).fit(stored(tmp_path / "levels.npy"))
    with pytest.raises(InputError, match="Values from 0 to 255"):
        model.transform(stored(tmp_path / "numbers.npy"))


def test_planted_anomalies_keep_to_the_scale_of_the_pictures() -> None:
    """On 0 to 255 they were cut to 1: black pictures, and an area of 1."""
    areas = []
    for scale in (1.0, 255.0):
        X = FLOATS * np.float32(scale)
        detector = nw.AnomalyDetector(latent_dim=4, epochs=5, random_state=0).fit(X[:80])
        areas.append(evaluation(detector, Rows(X[:80]), Rows(X[80:])).metrics["auroc"].value)
    assert areas[0] == pytest.approx(areas[1], abs=0.1)
    assert areas[1] < 0.99


@pytest.mark.parametrize("kind", ["uint8", "uint16", "unit", "255", "standard"])
def test_a_piece_that_is_planted_is_off_by_a_share_of_the_range(kind: str) -> None:
    draw = np.random.default_rng(0)
    X = {
        "uint8": LEVELS[:, None],
        "uint16": LEVELS[:, None].astype(np.uint16) * 257,
        "unit": FLOATS[:, None],
        "255": 255 * FLOATS[:, None],
        "standard": (FLOATS[:, None] - 0.3) / 0.37,
    }[kind]
    scale = Scale.of(list(X))
    grey = np.full((1, 8, 8), draw.choice([0.5]) * (scale.ends[0] + scale.ends[1]) * (255 if kind == "uint8" else 1))
    grey = grey.astype(X.dtype) if kind != "uint16" else np.full((1, 8, 8), 32768, np.uint16)
    made, mask = planted(grey, grey, scale, 0)
    full = {"uint8": 255, "uint16": 65535}.get(kind, 1)
    assert abs(made[0][mask].astype(float) - grey[0][mask])[0] / full == pytest.approx(0.15 * scale.peak, rel=0.02)
    assert np.array_equal(made[0][~mask], grey[0][~mask])


@pytest.mark.parametrize("X", [NUMBERS["float64"], 2 * FLOATS - 1, (FLOATS - 0.3) / 0.37, FLOATS * 65535])
def test_restoring_tasks_need_pictures_from_zero_to_one(X: np.ndarray) -> None:
    for task in (nw.Denoiser(**QUICK), nw.Upscaler(**QUICK)):
        with pytest.raises(InputError, match="Accepted: uint8, uint16, or numbers from 0 to 1"):
            task.fit(X)
    with pytest.raises(InputError, match="Accepted: uint8, uint16, or numbers from 0 to 1"):
        nw.Denoiser(**QUICK).fit(FLOATS, X)
    with pytest.raises(InputError, match="Accepted: uint8, uint16, or numbers from 0 to 1"):
        nw.Denoiser(**QUICK).fit_pictures(list(X[:, None]))


def test_the_hint_brings_values_to_the_scale() -> None:
    for X in (NUMBERS["float64"], 2 * FLOATS - 1, (FLOATS - 0.3) / 0.37, FLOATS * 65535, FLOATS * 2):
        with pytest.raises(InputError) as told:
            unit_pictures(X)
        unit_pictures(eval(told.value.hint, {"X": X}))


def test_noise_that_cuts_refuses_what_it_would_cut_away() -> None:
    for corruption in ("jpeg:50", "gaussian:0.1,clip=True"):
        with pytest.raises(InputError, match="Values from 0 to 255"):
            nw.AutoEncoder(latent_dim=2, corruption=corruption, **QUICK).fit(NUMBERS["float32"])
        nw.AutoEncoder(latent_dim=2, corruption=corruption, **QUICK).fit(LEVELS)


def test_floats_among_levels_are_on_their_scale() -> None:
    assert alike([LEVELS[:1], FLOATS[:1]])[0].max() == pytest.approx(alike([FLOATS[:1]])[0].max())
    for arrays, dtype in (([LEVELS[:1], NUMBERS["float32"][:1]], None), ([NUMBERS["float32"][:1]], np.uint8)):
        with pytest.raises(InputError, match="Values from 0 to 239"):
            alike(arrays, dtype=dtype)


def test_the_peak_of_a_translation_is_that_of_its_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = []
    for scale in (1.0, 255.0):
        B = FLOATS * np.float32(scale)
        off = [(each + scale / 10).astype(np.float32) for each in B[20:26, None]]
        task = nw.Translator(estimator=nw.AutoEncoder(network="unet:4,8", **QUICK)).fit(FLOATS[:20], B[:20])
        monkeypatch.setattr(task, "predict_pictures", lambda x, off=off: off)
        numbers.append(task.evaluate(Rows(FLOATS[:20], B[:20]), Rows(FLOATS[20:26], B[20:26])).metrics)
    assert numbers[0]["psnr"].value == pytest.approx(numbers[1]["psnr"].value, abs=1e-3) == pytest.approx(20, abs=1e-3)
    assert numbers[0]["ssim"].value == pytest.approx(numbers[1]["ssim"].value, abs=1e-4)
    assert numbers[1]["l1"].value == pytest.approx(25.5, rel=1e-4)
    assert numbers[1]["l1"].unit == "in the units of B"
    assert numbers[1]["psnr"].label.endswith("on a range of 0 to 255")


def test_measures_of_pictures_know_levels_and_refuse_what_they_cannot_know() -> None:
    other = np.clip(LEVELS.astype(int) + 5, 0, 255).astype(np.uint8)
    for measure in (metrics.psnr, metrics.ssim):
        right = measure(LEVELS, other, 255)
        assert measure(LEVELS, other) == pytest.approx(right, rel=1e-5)
        assert measure(LEVELS, other / 255) == pytest.approx(right, rel=1e-5)  # what a model of levels gives back
        assert measure(FLOATS, other / 255) == pytest.approx(right, rel=1e-5)
        for truth, result in ((NUMBERS["float64"], other), (LEVELS, other.astype(float)), (2 * FLOATS - 1, FLOATS)):
            with pytest.raises(InputError, match="data_range"):
                measure(truth, result)


def test_scales_of_all_forms_of_rows() -> None:
    assert Scale.of(torch.tensor([[1.0, -2.0]]))[:3] == (-2.0, 1.0, False)
    assert Scale.of(torch.zeros(1, 2, dtype=torch.bool))[:3] == (0.0, 0.0, False)
    assert Scale.of(torch.zeros(1, 2, dtype=torch.uint16)).levels
    assert Scale.of(sp.csr_matrix([[0, 3]], dtype=np.uint8))[:3] == (0.0, 3.0, False)  # counts
    assert Scale.of([LEVELS, FLOATS * 3])[:3] == (0.0, 3.0, False)
