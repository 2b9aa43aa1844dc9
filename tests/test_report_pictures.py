"""nw.report on tasks whose rows are pictures: the page of the command line, from Python."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

import narrows as nw
from narrows.errors import InputError
from narrows.families.autoencoder import AutoEncoder
from narrows.families.denoising import DenoisingAutoEncoder
from narrows.tasks.images import Examples

RNG = np.random.default_rng(0)
X = [RNG.integers(0, 255, (1, 24 + i, 32), np.uint8) for i in range(8)]
MASKS = [np.where(each[0] > 128, 255, 0) for each in X]
SMALL = AutoEncoder(latent_dim=8, network="unet:4", batch_size=2, validation=0.0)
NOISY = DenoisingAutoEncoder(latent_dim=8, network="unet:4", batch_size=2)


def case(name: str) -> tuple[Any, list[np.ndarray] | None]:
    """A task fitted to some pictures in a second, and what belongs to the pictures."""
    other = [255 - each for each in X]
    tasks: dict[str, tuple[Any, list[np.ndarray] | None]] = {
        "segment": (nw.Segmenter(estimator=SMALL, epochs=2, random_state=0), MASKS),
        "translate": (nw.Translator(estimator=SMALL.set_params(likelihood="laplace"), epochs=2, random_state=0), other),
        "denoise": (nw.Denoiser(estimator=NOISY, epochs=1, random_state=0), None),
        "pairs": (nw.Denoiser(estimator=NOISY, epochs=1, random_state=0), other),
        "upscale": (nw.Upscaler(estimator=SMALL, epochs=1, random_state=0), None),
    }
    task, y = tasks[name]
    return task.fit_pictures(X, y), y


@pytest.mark.parametrize("name", ["segment", "translate", "denoise", "pairs", "upscale"])
def test_pictures_of_any_sizes_are_reported_as_on_the_command_line(name: str, tmp_path: Path) -> None:
    task, y = case(name)
    report = nw.report(task, X, tmp_path / "a" / "report", y)
    halves = [Examples(X[part], None if y is None else y[part]) for part in (slice(4), slice(4, 8))]
    expected = task.evaluate_pictures(*halves)
    assert {key: each["value"] for key, each in report["metrics"].items()} == pytest.approx(
        {key: each.value for key, each in expected.metrics.items()}, nan_ok=True
    )
    assert report["baselines"].keys() == expected.baselines.keys()
    assert [report["data"][key] for key in ("unit", "rows", "used", "held_out")] == ["picture", 8, 4, 4]
    assert "4 pictures)" in report["verdict"]["text"]
    shown = [each["title"] for each in report["figures"]]
    assert shown[: len(expected.pictures)] == [each.title for each in expected.pictures]
    page = (tmp_path / "a" / "report" / "report.html").read_text(encoding="utf-8")
    assert "All on the same pictures." in page
    assert "pictures given to nw.report" in page


def test_what_belongs_to_pictures_is_asked_for_and_must_fit(tmp_path: Path) -> None:
    task, _ = case("segment")
    with pytest.raises(InputError, match="Pictures without masks came"):
        nw.report(task, X, tmp_path, figures=False)
    with pytest.raises(InputError, match="7 masks as y came for 8 pictures"):
        nw.report(task, X, tmp_path, MASKS[:7], figures=False)
    with pytest.raises(InputError, match="one of its height and width"):
        nw.report(task, X, tmp_path, MASKS[::-1], figures=False)
    with pytest.raises(InputError, match="3 pictures came"):
        nw.report(task, X[:3], tmp_path, MASKS[:3], figures=False)


def test_arrays_of_pictures_and_rows_are_told_apart(tmp_path: Path) -> None:
    same = np.stack([each[:, :24] for each in X])
    task, _ = case("upscale")
    assert nw.report(task, same, tmp_path / "up", figures=False)["task"] == "upscale"
    rows = nw.Denoiser(estimator=DenoisingAutoEncoder(latent_dim=4), epochs=1, random_state=0).fit(same / 255.0)
    assert nw.report(rows, same / 255.0, tmp_path / "rows", figures=False)["data"]["name"] == "rows given to nw.report"


def test_a_denoiser_of_pairs_is_measured_on_pairs(tmp_path):
    images = load_digits().images[:200] / 16
    model = nw.Denoiser(epochs=2, random_state=0).fit(images**3, images)
    report = nw.report(model, images**3, tmp_path / "run", images, figures=False)
    noisy = report["baselines"]["the noisy input"]["mse"]
    assert noisy == pytest.approx(np.square(images[100:] ** 3 - images[100:]).mean(), rel=1e-5)
    assert "Gaussian noise" not in (tmp_path / "run" / "report.html").read_text()
    with pytest.raises(nw.InputError, match="without clean ones"):
        nw.report(model, images**3, tmp_path / "other", figures=False)


def test_rows_with_holes_are_reported_by_tasks_that_read_them(tmp_path):
    X = np.random.default_rng(0).normal(size=(80, 4))
    X[::7, 2] = np.nan
    model = nw.DensityEstimator(epochs=1, random_state=0).fit(X)
    assert nw.report(model, X, tmp_path / "run", figures=False)["task"] == "density"
