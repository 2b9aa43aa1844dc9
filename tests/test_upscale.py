"""Enlarging pictures: through the command line on miniatures, and the parts against what they should be."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import narrows as nw
from narrows.cli import main
from narrows.metrics import psnr, ssim
from narrows.resize import luminance, resize
from narrows.tasks.images import Examples
from narrows.tasks.restore import plan

QUICK = ["--network", "residual:16,1,1,2", "--latent-dim", "16", "--epochs", "80", "--no-figures", "--lr", "5e-3"]
QUICK += ["--batch-size", "2"]
NAMES = "abcdefghijklmnop"


def sharp(seed, height=40, width=44, channels=1):
    """Slanted stripes with hard edges, (C, H, W) in [0, 1]: what bicubic enlargement blurs."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    wave = np.sin((x * draw.uniform(0.3, 0.6) + y * draw.uniform(0.3, 0.6)) + draw.random())
    return np.stack([np.where(wave > 0, *draw.uniform([0.6, 0.1], [0.9, 0.4])) for _ in range(channels)])


def write(path, picture, depth=8):
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.rint(picture * (2**depth - 1)).astype(np.uint8 if depth == 8 else np.uint16)
    Image.fromarray(array[0] if len(array) == 1 else np.moveaxis(array, 0, 2)).save(path)


def seen(path):
    with Image.open(path) as image:
        return np.array(image), image.mode, image.format


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    root = tmp_path_factory.mktemp("sharp")
    for i in range(14):
        write(root / "in" / f"{NAMES[i]}.png", sharp(i, 40 + i % 3, 44, 3 if i % 2 else 1))
    held = ["--held-out", "0.43"]  # six: of two pictures little can be said
    assert main(["fit", "upscale", str(root / "in"), "-o", str(root / "run"), *QUICK, "--figures", *held]) == 0
    return root


def test_the_network_beats_bicubic_and_lanczos(fitted):
    report = json.loads((fitted / "run" / "report.json").read_text())
    assert "beats" in report["verdict"]["text"]
    assert set(report["baselines"]) == {"bicubic enlargement", "Lanczos enlargement"}
    ours, bicubic = report["metrics"], report["baselines"]["bicubic enlargement"]
    assert ours["psnr"]["value"] > bicubic["psnr"] + 1
    assert ours["ssim"]["value"] > bicubic["ssim"]
    assert "luminance" in ours["psnr"]["label"]
    assert "without a rim of 2 pixels" in " ".join(report["warnings"])
    assert {"figures/closeups.png", "figures/psnr.png"} <= {each["file"] for each in report["figures"]}


@pytest.mark.parametrize(
    ("name", "picture", "depth"),
    [
        ("odd.png", sharp(50, 37, 29), 8),
        ("tiny.png", sharp(51, 1, 1), 8),
        ("thin.png", sharp(52, 3, 90), 8),
        ("deep.png", sharp(54, 33, 31), 16),
        ("colour.jpg", sharp(56, 20, 31, 3), 8),
        ("alpha.png", sharp(57, 21, 30, 4), 8),
        ("below/same.bmp", sharp(58, 21, 30), 8),
    ],
)
def test_any_picture_comes_back_twice_as_large(fitted, tmp_path, name, picture, depth, capsys):
    write(tmp_path / "in" / name, picture, depth)
    assert main(["apply", str(fitted / "run"), str(tmp_path / "in"), "-o", str(tmp_path / "out")]) == 0
    assert "become grey" not in "".join(capsys.readouterr())  # colours are enlarged beside the luminance
    before, after = (seen(path) for path in (tmp_path / "in" / name, tmp_path / "out" / "enlarged" / name))
    assert after[0].shape[:2] == (2 * before[0].shape[0], 2 * before[0].shape[1])
    assert after[1:] == before[1:]
    if len(picture) == 4:
        alpha = resize(torch.from_numpy(before[0][..., 3]).double(), after[0].shape[:2]).clamp(0, 255)
        assert np.abs(after[0][..., 3] - alpha.numpy()).max() <= 0.51


@pytest.mark.parametrize("scale", [3, 4])
def test_the_other_scales(tmp_path, scale):
    for i in range(4):
        write(tmp_path / "in" / f"{NAMES[i]}.png", sharp(i, 41, 38))
    for i in range(4, 8):
        write(tmp_path / "in" / f"{NAMES[i]}.png", sharp(i, i - 3, 9))  # smaller than the scale
    words = ["--scale", str(scale), "--network", f"residual:4,1,1,{scale}", "--latent-dim", "4", "--epochs", "1"]
    assert main(["fit", "upscale", str(tmp_path / "in"), "-o", str(tmp_path / "run"), "--no-figures", *words]) == 0
    assert main(["apply", str(tmp_path / "run"), str(tmp_path / "in"), "-o", str(tmp_path / "out")]) == 0
    assert seen(tmp_path / "out" / "enlarged" / "a.png")[0].shape == (41 * scale, 38 * scale)


def test_a_network_that_learnt_nothing_is_bicubic_and_level_with_it(tmp_path):
    for i in range(6):
        write(tmp_path / "in" / f"{NAMES[i]}.png", sharp(i))
    words = [*QUICK[:4], "--epochs", "0", "--no-figures"]
    assert main(["fit", "upscale", "--no-figures", str(tmp_path / "in"), "-o", str(tmp_path / "run"), *words]) == 0
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert "beats" not in report["verdict"]["text"]
    assert report["metrics"]["psnr"]["value"] == pytest.approx(report["baselines"]["bicubic enlargement"]["psnr"])


def test_other_scales_and_tables_are_refused(tmp_path, capsys):
    write(tmp_path / "in" / "a.png", sharp(0))
    assert main(["fit", "upscale", str(tmp_path / "in"), "-o", str(tmp_path / "run"), "--scale", "5"]) == 2
    assert "--scale" in capsys.readouterr().err
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    assert main(["fit", "upscale", str(tmp_path / "table.csv"), "-o", str(tmp_path / "run")]) == 2
    assert "sharp pictures" in capsys.readouterr().err


# ---- in Python -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model():
    return nw.Upscaler(epochs=1, random_state=0).fit([sharp(i).astype(np.float32) for i in range(3)])


def test_arrays_and_lists_come_back_as_they_came(model):
    X = np.stack([sharp(i, 8, 9) for i in range(3)])
    assert model.upscale(X).shape == (3, 1, 16, 18)
    assert model.upscale(X[:, 0]).shape == (3, 16, 18)
    assert [each.shape for each in model.upscale([X[0], sharp(0, 5, 5, 3)])] == [(1, 16, 18), (3, 10, 10)]


def test_the_correction_is_that_of_the_luminance_in_every_colour(model):
    small = sharp(7, 20, 22, 3).astype(np.float32) * 0.5 + 0.25
    large = resize(torch.from_numpy(small), (40, 44))
    change = torch.from_numpy(model.upscale([small])[0]) - large
    grey = torch.from_numpy(model.upscale([luminance(torch.from_numpy(small)).numpy()])[0]) - luminance(large)
    assert torch.allclose(change[0], change[1], atol=1e-5)
    assert torch.allclose(luminance(change), grey, atol=1e-5)


def test_tiles_leave_no_seams(model):
    small = sharp(3, 300, 250).astype(np.float32)
    parts = model.upscale([small[:, :150], small])
    assert np.abs(parts[0][:, :250] - parts[1][:, :250]).max() < 1e-3


def test_ssim_with_a_gaussian_window_is_wangs():
    from scipy.ndimage import gaussian_filter

    a = sharp(0, 40, 37)[0]
    b = a + 0.1 * np.random.default_rng(0).normal(size=a.shape)

    def smooth(values):
        return gaussian_filter(values, 1.5, truncate=3.5)

    mean_a, mean_b = smooth(a), smooth(b)
    var_a, var_b, both = smooth(a * a) - mean_a**2, smooth(b * b) - mean_b**2, smooth(a * b) - mean_a * mean_b
    one, two = 0.01**2, 0.03**2
    each = (2 * mean_a * mean_b + one) * (2 * both + two) / ((mean_a**2 + mean_b**2 + one) * (var_a + var_b + two))
    assert ssim(a[None], b[None], gaussian=True) == pytest.approx(each[5:-5, 5:-5].mean(), abs=1e-10)


def test_of_large_pictures_the_middle_is_learnt_from(monkeypatch):
    monkeypatch.setattr("narrows.tasks.upscale._PIXELS", 40 * 44)
    fitted = nw.Upscaler(epochs=0, random_state=0).fit([sharp(i).astype(np.float32) for i in range(4)])
    assert fitted.estimator_.shapes_[0] == (1, 20, 22)
    assert any("50 % of each side" in remark for remark in fitted.remarks_)


def test_saved_and_loaded_it_gives_the_same(model, tmp_path):
    model.save(tmp_path)
    picture = [sharp(9, 20, 20).astype(np.float32)]
    assert np.array_equal(nw.load(tmp_path).upscale(picture)[0], model.upscale(picture)[0])
    assert psnr(model.upscale(picture)[0], nw.load(tmp_path).upscale(picture)[0]) == np.inf


@pytest.mark.parametrize("count", [2, 9])
def test_a_short_fit_to_few_pictures_is_no_worse_than_bicubic(count):
    pictures = [sharp(i, 64, 64) for i in range(count)]
    fitted = nw.Upscaler(scale=2, epochs=1, random_state=0).fit(pictures)
    done = fitted.evaluate_pictures(*[Examples(pictures)] * 2)
    assert done.metrics["mse"].value < 1.01 * done.baselines["bicubic enlargement"]["mse"]
    assert done.unit == "picture"
    assert any("too few to put some aside" in note for note in done.notes) == (count == 2)


@pytest.mark.parametrize(
    ("crops", "pixels", "epochs"),
    [(2, 10**7, 2000), (16, 10**6, 2000), (64, 10**6, 500), (64, 250_000, 250), (96, 120_000, 150)],
)
def test_a_fit_of_few_crops_takes_no_more_steps_than_one_of_many(crops, pixels, epochs):
    model = nw.AutoEncoder(batch_size=16, device="cpu")
    assert plan(model, crops, pixels)["epochs"] == epochs
