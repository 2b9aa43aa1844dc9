"""On what range pictures are seen: chosen by how they differ, kept with the model, and said."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import narrows as nw
from narrows.artefact import save
from narrows.data.check import check
from narrows.data.images.intensity import Intensity
from narrows.metrics import psnr
from narrows.reporting.figures import closeups
from narrows.tasks.images import Examples

DRAW = np.random.default_rng(0)


def discs(n: int = 8, side: int = 24) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:side, :side]
    places = DRAW.integers(6, side - 6, (n, 2))
    masks = np.stack([(y - a) ** 2 + (x - b) ** 2 < 20 for a, b in places])
    return (0.2 + 0.6 * masks + 0.02 * DRAW.normal(size=masks.shape))[:, None], masks * 255


PICTURES, MASKS = discs()


def segmenter(intensity: Any, epochs: int) -> nw.Segmenter:
    estimator = nw.AutoEncoder(network="unet:4,8", latent_dim=16, batch_size=2, validation=0.0)
    return nw.Segmenter(estimator=estimator, intensity=intensity, epochs=epochs, random_state=0)


@pytest.mark.parametrize(
    ("pictures", "kind"),
    [
        (list(PICTURES), "type"),
        (list(PICTURES / 5), "set"),
        ([picture / (1 if i % 2 else 6) for i, picture in enumerate(PICTURES)], "each"),
        ([picture * 0.3 + (0 if i % 2 else 0.6) for i, picture in enumerate(PICTURES)], "each"),
        ([np.full((1, 4, 4), 7, np.uint8)] * 3, "set"),
    ],
)
def test_the_range_that_suits(pictures: list[np.ndarray], kind: str) -> None:
    assert Intensity.of(pictures, "auto").kind == kind


def test_a_set_is_seen_from_its_lowest_to_its_highest_pixels_and_an_alpha_stays() -> None:
    dim = (PICTURES / 5 * 255).astype(np.uint8)
    seen = Intensity.of(list(dim), "set")
    assert (seen.low, seen.high) == pytest.approx((dim.min() / 255, dim.max() / 255), abs=0.02)
    together = np.stack([seen(picture) for picture in dim])
    assert (together.min(), together.max()) == (0, 1)
    inner = (dim / 255 > seen.low) & (dim / 255 < seen.high)
    np.testing.assert_allclose(together[inner], (dim[inner] / 255 - seen.low) / (seen.high - seen.low), rtol=1e-4)
    clear = np.concatenate([dim[0].repeat(3, axis=0), np.full((1, 24, 24), 77, np.uint8)])
    assert set(np.unique(seen(clear)[3])) == {np.float32(77 / 255)}
    np.testing.assert_array_equal(Intensity()(dim[0]), dim[0])


def test_masks_do_not_depend_on_the_brightness_of_a_picture_seen_by_itself(tmp_path: Path) -> None:
    model = segmenter("each", epochs=3).fit(PICTURES, MASKS)
    shares = model.predict_proba(PICTURES)
    np.testing.assert_allclose(model.predict_proba(PICTURES * 0.1 + 0.3), shares, atol=1e-3)
    save(model, tmp_path / "run")
    np.testing.assert_array_equal(nw.load(tmp_path / "run").predict_proba(PICTURES), shares)


def test_a_segmenter_of_an_older_run_sees_the_range_of_the_type() -> None:
    model = segmenter("auto", epochs=1).fit(PICTURES, MASKS)
    assert model.intensity_.kind == "type"
    shares = model.predict_proba(PICTURES)
    state = {name: value for name, value in model.fitted_state().items() if name != "intensity_"}
    del model.intensity_
    np.testing.assert_array_equal(model.adopt_state(state).predict_proba(PICTURES), shares)


def test_details_of_dim_pictures_are_drawn_on_their_own_range() -> None:
    bright = closeups({"noisy": list(PICTURES + 0.05), "clean": list(PICTURES)})
    dim = closeups({"noisy": list(PICTURES / 20 + 0.0025), "clean": list(PICTURES / 20)})
    shown = [figure.axes[1].images[0].get_array() for figure in (bright, dim)]
    assert "drawn from" not in bright.get_suptitle()
    low, high = (float(np.percentile(PICTURES[:4] / 20, share)) for share in (0.5, 99.5))
    assert f"drawn from {low:.2g} to {high:.2g}" in " ".join(dim.get_suptitle().split())
    assert np.ptp(shown[0]) < 0.8 < np.ptp(shown[1])


# ---- a range that results come back from ---------------------------------------------------------------------------

DEEP = [np.rint(picture * 2800).astype(np.uint16) for picture in PICTURES.clip(0, 1)]
SEEN = [(np.rint(picture * 2800) / 2800).astype(np.float32) for picture in PICTURES.clip(0, 1)]
QUICK = {"network": "residual:4,1,1,2", "latent_dim": 4, "batch_size": 2}


def denoiser(intensity: Any = "auto", **more: Any) -> nw.Denoiser:
    estimator = nw.DenoisingAutoEncoder(noise="gaussian:0.1", **QUICK)
    return nw.Denoiser(estimator=estimator, epochs=2, random_state=0, intensity=intensity, **more)


def test_a_shared_range_is_undone_and_bright_spots_stay() -> None:
    picture = DEEP[0].copy()
    picture[0, 0, 0] = 5000
    seen = Intensity.shared([*DEEP, picture], "auto")
    low, high = (seen.low * 65535, seen.high * 65535)
    np.testing.assert_allclose(seen.scaled(picture), (picture - low) / (high - low), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(np.rint(seen.restored(seen.scaled(picture)) * 65535), picture)
    clear = np.concatenate([picture.repeat(3, axis=0), np.full((1, 24, 24), 777, np.uint16)])
    assert set(np.unique(seen.scaled(clear)[3] * 65535).round()) == {777}
    np.testing.assert_array_equal(np.rint(seen.restored(seen.scaled(clear)) * 65535), clear)
    assert Intensity.shared(DEEP, "type").kind == Intensity.shared([np.zeros((1, 2, 2))], "set").kind == "type"


def test_a_denoiser_of_dim_pictures_is_that_of_the_same_pictures_on_their_range(tmp_path: Path) -> None:
    dim = denoiser().fit_pictures(DEEP)
    seen = dim.intensity_
    bright = denoiser("type").fit_pictures([seen.scaled(picture) for picture in DEEP])
    noisy = [np.rint((picture + 0.1 * DRAW.normal(size=picture.shape)).clip(0, 9) * 2800) for picture in SEEN]
    noisy = [picture.astype(np.uint16) for picture in noisy]
    ours = dim.predict_pictures(noisy)
    for result, picture in zip(ours, noisy, strict=True):
        expected = seen.restored(bright._cleaned(seen.scaled(picture))).clip(0, 1)
        np.testing.assert_allclose(result, expected, atol=1e-6)
        assert 0 <= result.min() <= result.max() < 4000 / 65535
    save(dim, tmp_path / "run")
    np.testing.assert_array_equal(nw.load(tmp_path / "run").predict_pictures(noisy)[0], ours[0])
    state = {name: value for name, value in dim.fitted_state().items() if name != "intensity_"}
    del dim.intensity_
    assert dim.adopt_state(state).intensity_ == Intensity()  # an older run saw the range of the type


def test_errors_of_dim_pictures_are_on_their_range_and_name_it() -> None:
    examples = Examples(DEEP)
    dim = denoiser().fit_pictures(DEEP)
    measured = dim.evaluate_pictures(examples, examples)
    span = dim.intensity_.ends(np.uint16)
    assert measured.metrics["psnr"].label == f"peak signal-to-noise ratio on a range of {span}"
    assert measured.metrics["mse"].unit == f"where {span} is 0 to 1"
    assert measured.baselines["the noisy input"]["psnr"] == pytest.approx(20, abs=0.3)  # 0.1 of the range
    assert any(f"their own range of {span} of 0 to 65535" in note for note in measured.notes)
    assert not any("times what they span" in note for note in measured.notes)
    typed = denoiser("type").fit_pictures(DEEP).evaluate_pictures(examples, examples)
    assert typed.metrics["psnr"].label.endswith("on a range of 0 to 65535")
    assert any("times what they span" in note for note in typed.notes)


def test_enlarged_dim_pictures_are_those_of_the_range_and_bicubic_is_as_good_on_either() -> None:
    fits = {"dim": DEEP, "bright": SEEN}
    models, measured = {}, {}
    for name, pictures in fits.items():
        estimator = nw.AutoEncoder(**QUICK)
        model = nw.Upscaler(estimator=estimator, epochs=2, random_state=0, intensity="set").fit_pictures(pictures)
        models[name], measured[name] = model, model.evaluate_pictures(Examples(pictures), Examples(pictures))
    dim, bright = models["dim"].predict_pictures(DEEP[:1])[0], models["bright"].predict_pictures(SEEN[:1])[0]
    np.testing.assert_allclose(dim * 65535 / 2800, bright, atol=2e-3)
    bicubic = [done.baselines["bicubic enlargement"]["psnr"] for done in measured.values()]
    assert bicubic[0] == pytest.approx(bicubic[1], abs=0.02)
    assert "on a range of" in measured["dim"].metrics["ssim"].label


def test_translated_dim_pictures_come_back_on_their_range() -> None:
    estimator = nw.AutoEncoder(network="unet:4,8", latent_dim=16, batch_size=2, validation=0.0, likelihood="laplace")
    model = nw.Translator(estimator=estimator, epochs=40, random_state=0).fit_pictures(DEEP, [2800 - d for d in DEEP])
    assert (model.intensity_.kind, model.target_intensity_.kind) == ("set", "set")
    targets = [2800 - picture for picture in DEEP]
    results = model.predict_pictures(DEEP)
    assert psnr(np.stack(targets), np.stack(results) * 65535, 2800) > 20
    measured = model.evaluate_pictures(Examples(DEEP, targets), Examples(DEEP, targets))
    seen = model.target_intensity_
    error = np.mean([np.abs(r * 65535 - t).mean() for r, t in zip(results, targets, strict=True)])
    assert measured.metrics["l1"].value == pytest.approx(error / 65535 / seen.span, rel=1e-3)
    assert measured.metrics["psnr"].label.endswith(f"range of {seen.ends(np.uint16)}")


def test_check_says_what_range_a_folder_of_dim_pictures_fills(tmp_path: Path) -> None:
    from PIL import Image

    for i, picture in enumerate(DEEP):
        Image.fromarray(picture[0]).save(tmp_path / f"{i}.png")
    notes = [finding.what for finding in check(tmp_path)]
    assert any("pixels go from" in note and "of 0 to 65535" in note for note in notes)
