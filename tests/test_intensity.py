"""On what range pictures are seen: chosen by how they differ, kept with the model, and said."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import narrows as nw
from narrows.artefact import save
from narrows.data.images.intensity import Intensity
from narrows.reporting.figures import closeups

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
