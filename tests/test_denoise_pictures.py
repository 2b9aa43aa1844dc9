"""Denoising folders of pictures: every workflow through the command line, on miniatures drawn here."""

import json

import numpy as np
import pytest
from PIL import Image

import narrows as nw
from narrows.baselines import LinearDenoiser, NonLocalMeans, TotalVariation
from narrows.cli import main
from narrows.errors import InputError
from narrows.estimator.inference import run
from narrows.metrics import psnr
from narrows.tasks.images import Examples
from narrows.tasks.restore import corrected

QUICK = ["--network", "residual:8,1,2,1", "--latent-dim", "16", "--epochs", "45", "--no-figures"]
QUICK += ["--lr", "4e-3", "--batch-size", "2"]
NOISE = ["--noise", "gaussian:0.15"]


def drawn(seed, height=40, width=44, channels=1):
    """Discs on slow waves: (C, H, W) in [0, 1]."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / 40
    made = []
    for _ in range(channels):
        made.append(0.5 + 0.2 * np.sin(5 * x + draw.random()) * np.cos(4 * y + draw.random()))
    made = np.stack(made)
    for _ in range(4):
        disc = (x - draw.random()) ** 2 + (y - draw.random()) ** 2 < 0.03
        made[:, disc] = draw.random((channels, 1))
    return made


def write(path, picture, depth=8):
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.rint(picture.clip(0, 1) * (2**depth - 1)).astype(np.uint8 if depth == 8 else np.uint16)
    Image.fromarray(array[0] if len(array) == 1 else np.moveaxis(array, 0, 2)).save(path)


def folder(path, count=10, **how):
    for i in range(count):
        write(path / f"{'abcdefghijklmnop'[i]}.png", drawn(i, **how))
    return path


def seen(path):
    """The pixels, the mode and the format of a file."""
    with Image.open(path) as image:
        return np.array(image), image.mode, image.format


def report_of(run):
    return json.loads((run / "report.json").read_text())


@pytest.fixture(scope="module")
def grey(tmp_path_factory):
    """A fitted run on ten grey pictures, through the command line."""
    root = tmp_path_factory.mktemp("grey")
    assert (
        main(["fit", "denoise", str(folder(root / "clean")), "-o", str(root / "run"), *NOISE, *QUICK, "--figures"]) == 0
    )
    return root


def test_the_network_beats_the_classical_ones_and_says_so(grey):
    report = report_of(grey / "run")
    assert report["metrics"]["psnr"]["value"] > 22
    assert {"the noisy input", "a median filter", "total variation", "non-local means"} < set(report["baselines"])
    assert "the best linear denoiser" in report["baselines"]
    for each in report["baselines"].values():
        assert set(each) == {"mse", "psnr", "ssim"}
    assert report["baselines"]["the noisy input"]["psnr"] == pytest.approx(16.5, abs=0.5)  # 0.15 of 1
    assert report["baselines"]["total variation"]["psnr"] > 20
    assert report["baselines"]["non-local means"]["psnr"] > 20
    assert "0.15 (38.25 of 255)" in " ".join(report["warnings"])
    assert {figure["file"] for figure in report["figures"]} >= {"figures/closeups.png", "figures/psnr.png"}


@pytest.mark.parametrize(
    ("name", "picture", "depth"),
    [
        ("odd.png", drawn(50, 37, 29), 8),
        ("tiny.png", drawn(51, 1, 1), 8),
        ("thin.png", drawn(52, 3, 90), 8),
        ("large.png", drawn(53, 410, 70), 8),
        ("deep.png", drawn(54, 33, 31), 16),
        ("deep.tif", drawn(55, 33, 31), 16),
        ("colour.jpg", drawn(56, 20, 31, 3), 8),
        ("alpha.png", drawn(57, 21, 30, 4), 8),
        ("below/same.bmp", drawn(58, 21, 30), 8),
    ],
)
def test_any_picture_comes_back_with_its_name_size_channels_and_depth(grey, tmp_path, name, picture, depth):
    write(tmp_path / "in" / name, picture, depth)
    assert main(["apply", str(grey / "run"), str(tmp_path / "in"), "-o", str(tmp_path / "out")]) == 0
    before, after = (seen(path) for path in (tmp_path / "in" / name, tmp_path / "out" / "cleaned" / name))
    assert after[0].shape == before[0].shape
    assert after[1:] == before[1:]
    if len(picture) == 4:
        assert np.array_equal(after[0][..., 3], before[0][..., 3])


def test_noise_is_taken_out_at_every_depth(grey, tmp_path):
    clean = drawn(60, 61, 47)
    noisy = clean + 0.15 * np.random.default_rng(0).normal(size=clean.shape)
    for depth, ending in ((8, "a.png"), (16, "b.png")):
        write(tmp_path / "in" / ending, noisy, depth)
    assert main(["apply", str(grey / "run"), str(tmp_path / "in"), "-o", str(tmp_path / "out")]) == 0
    for depth, ending in ((8, "a.png"), (16, "b.png")):
        made = seen(tmp_path / "out" / "cleaned" / ending)[0] / (2**depth - 1)
        assert psnr(clean, made[None]) > psnr(clean, noisy.clip(0, 1)) + 4


def test_noisy_and_clean_folders_are_matched_and_the_rest_is_listed(tmp_path):
    draw = np.random.default_rng(1)
    for i in range(9):
        clean = drawn(i, 36, 36 + i)
        write(tmp_path / "clean" / f"p{i}x.png", clean)
        write(tmp_path / "noisy" / f"p{i}x.bmp", clean + 0.2 * draw.normal(size=clean.shape))
    write(tmp_path / "noisy" / "alone.png", drawn(20))
    write(tmp_path / "clean" / "lonely.png", drawn(20))
    write(tmp_path / "noisy" / "other.png", drawn(20, 30, 30))
    write(tmp_path / "clean" / "other.png", drawn(20, 30, 31))
    for data in ([str(tmp_path)], [str(tmp_path / "noisy"), str(tmp_path / "clean")]):
        run = tmp_path / f"run{len(data)}"
        assert main(["fit", "denoise", *data, "-o", str(run), *QUICK]) == 0
        report = report_of(run)
        notes = " ".join(report["data"]["notes"])
        assert report["data"]["rows"] == 9
        for name in ("alone.png", "lonely.png", "other.png"):
            assert name in notes
        written = {path.name for path in (run / "cleaned").iterdir()}
        assert written == {f"p{i}x.bmp" for i in range(9)}
    assert report_of(tmp_path / "run1")["metrics"]["psnr"] == report_of(tmp_path / "run2")["metrics"]["psnr"]
    truth, noisy, made = (
        seen(path)[0] / 255
        for path in (tmp_path / "clean/p0x.png", tmp_path / "noisy/p0x.bmp", run / "cleaned/p0x.bmp")
    )
    assert psnr(truth, made) > psnr(truth, noisy) + 3


def test_pictures_beside_those_that_are_read_are_counted_and_named(tmp_path):
    for i in range(4):
        write(tmp_path / "clean" / f"{i * i}.png", drawn(i, 20, 20))
    for i in range(6):
        write(tmp_path / "raw" / f"r{i}.png", drawn(i, 20, 20))
    write(tmp_path / "top.png", drawn(9, 20, 20))
    out = tmp_path.parent / f"{tmp_path.name}-run"
    assert main(["fit", "denoise", str(tmp_path), "-o", str(out), *QUICK, "--figures", "--epochs", "1"]) == 0
    data = report_of(out)["data"]
    assert [data[name] for name in ("rows", "used", "held_out", "left out")] == [11, 2, 2, 7]
    lost = "7 pictures lie outside clean/ and are left out (raw/r0.png, raw/r1.png, raw/r2.png, raw/r3.png, raw/r4.png"
    assert f"{tmp_path.name!r}: {lost} and 2 more)" in data["notes"]
    title = next(each["caption"] for each in report_of(out)["figures"] if each["title"] == "Loss terms per epoch")
    assert title.startswith("Nats per crop, and the error per value; ")
    assert " rows" not in title


@pytest.mark.parametrize(
    ("noise", "said"),
    [
        ("gaussian:0,0.2", "deviation 0 to 0.2 (0 to 51 of 255)"),
        ("gaussian:25/255", "(25 of 255)"),
        ("poisson:30", "30 counts"),
        ("saltpepper:0.1", "rate of 0.1"),
        ("mask:0.5", "set to 0 at a rate of 0.5"),
        ("blur:2", "2 pixels"),
        ("jpeg:20", "quality 20"),
        ("jpeg:10,to=50", "quality 10 to 50"),
    ],
)
def test_every_kind_of_noise(tmp_path, noise, said):
    few = ["--network", "residual:4,1,1,2", "--latent-dim", "4", "--epochs", "1", "--no-figures"]
    source = folder(tmp_path / "in", 4, channels=3 if noise == "jpeg:20" else 1)
    assert main(["fit", "denoise", str(source), "-o", str(tmp_path / "run"), "--noise", noise, *few]) == 0
    assert said in " ".join(report_of(tmp_path / "run")["warnings"])


def test_a_classical_filter_that_wins_is_named(tmp_path):
    barely = ["--network", "residual:4,1,1,2", "--latent-dim", "4", "--epochs", "1", "--no-figures", "--lr", "1e-9"]
    source = folder(tmp_path / "in")  # of whose two held-out pictures little could be said
    words = ["fit", "denoise", str(source), "-o", str(tmp_path / "run"), "--held-out", "0.4", *NOISE, *barely]
    assert main(words) == 0
    assert "loses to" in report_of(tmp_path / "run")["verdict"]["text"]


def test_mixed_channels_and_depths_one_picture_and_all_of_one_value(tmp_path):
    few = ["--network", "residual:4,1,1,2", "--latent-dim", "4", "--epochs", "1", "--no-figures"]
    write(tmp_path / "mixed" / "x.png", drawn(0, 30, 20, 3))
    write(tmp_path / "mixed" / "y.png", drawn(1, 25, 45), 16)
    write(tmp_path / "mixed" / "z.png", drawn(1, 25, 45, 4))
    write(tmp_path / "mixed" / "w.png", np.zeros((1, 12, 12)))
    write(tmp_path / "mixed" / "v.png", drawn(1, 2, 2))
    write(tmp_path / "one" / "x.png", drawn(0))
    for name in ("mixed", "one"):
        assert main(["fit", "denoise", str(tmp_path / name), "-o", str(tmp_path / f"r-{name}"), *NOISE, *few]) == 0
    notes = " ".join(report_of(tmp_path / "r-mixed")["data"]["notes"])
    assert "'mixed': 3 grey and 2 in colour: every channel is cleaned by itself" in notes
    assert "is repeated" not in notes
    assert "too few to put some aside" in " ".join(report_of(tmp_path / "r-one")["data"]["notes"])


def test_a_users_mistakes_are_named(tmp_path, capsys):
    write(tmp_path / "noisy" / "a.png", drawn(0))
    assert main(["fit", "denoise", str(tmp_path), "-o", str(tmp_path / "run"), *QUICK]) == 2
    assert "noisy/ and no clean/" in capsys.readouterr().err
    write(tmp_path / "clean" / "b.png", drawn(0))
    assert main(["fit", "denoise", str(tmp_path), "-o", str(tmp_path / "run"), *QUICK]) == 2
    assert "the same names in both folders" in capsys.readouterr().err
    (tmp_path / "clean" / "b.png").rename(tmp_path / "clean" / "a.png")
    write(tmp_path / "clean" / "a.png", drawn(0, 9, 9))
    assert main(["fit", "denoise", str(tmp_path), "-o", str(tmp_path / "run"), *QUICK]) == 2
    assert "pairs of one size" in capsys.readouterr().err


def test_images_brought_to_one_size_are_rows_still(tmp_path):
    source = folder(tmp_path / "in", 6)
    words = ["--image-size", "8x8", "--epochs", "1", "--no-figures"]
    assert main(["fit", "denoise", "--no-figures", str(source), "-o", str(tmp_path / "run"), *NOISE, *words]) == 0
    assert report_of(tmp_path / "run")["data"]["values per row"] == "1 x 8 x 8"


def test_grey_pictures_in_a_run_of_colours_are_mentioned(tmp_path, capsys):
    few = ["--network", "residual:4,1,1,2", "--latent-dim", "4", "--epochs", "0", "--no-figures"]
    source = folder(tmp_path / "in", 4, channels=3)
    assert main(["fit", "denoise", str(source), "-o", str(tmp_path / "run"), *NOISE, *few]) == 0
    write(tmp_path / "grey" / "a.png", drawn(0))
    assert main(["apply", str(tmp_path / "run"), str(tmp_path / "grey"), "-o", str(tmp_path / "out")]) == 0
    assert "1 pictures are grey" in capsys.readouterr().err
    assert seen(tmp_path / "out" / "cleaned" / "a.png")[1] == "L"


def test_a_validation_folder_of_ones_own(tmp_path, capsys):
    few = ["--network", "residual:4,1,1,2", "--latent-dim", "4", "--epochs", "0", "--no-figures"]
    source, valid = folder(tmp_path / "in", 4), folder(tmp_path / "valid" / "clean", 3)
    words = ["--valid", str(tmp_path / "valid"), *few]
    assert main(["fit", "denoise", "--no-figures", str(source), "-o", str(tmp_path / "run"), *NOISE, *words]) == 0
    assert report_of(tmp_path / "run")["data"]["held_out"] == 3
    folder(tmp_path / "noisy", 4)
    words = [str(tmp_path / "noisy"), str(source), "-o", str(tmp_path / "pairs"), *words]
    assert main(["fit", "denoise", *words]) == 2
    assert "without noisy ones" in capsys.readouterr().err
    assert valid.is_dir()


def test_any_network_serves_pictures(tmp_path):
    source = folder(tmp_path / "in", 4)
    for network in ("unet:4,8", "dense:16"):
        run = tmp_path / network.partition(":")[0]
        words = ["--network", network, "--latent-dim", "8", "--epochs", "1", "--no-figures"]
        assert main(["fit", "denoise", "--no-figures", str(source), "-o", str(run), *NOISE, *words]) == 0
        assert main(["apply", str(run), str(source), "-o", str(tmp_path / f"o{run.name}")]) == 0


# ---- in Python, and the parts ----------------------------------------------------------------------------------------


def test_lists_of_pictures_in_python_and_what_a_seed_gives():
    pictures = [drawn(i, 30 + i, 40).astype(np.float32) for i in range(5)]
    how = {"noise": "gaussian:0.1", "epochs": 2, "random_state": 0}
    first, second = (nw.Denoiser(**how).fit_pictures(pictures).predict_pictures(pictures) for _ in range(2))
    assert [each.shape for each in first] == [each.shape for each in pictures]
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_grey_picture_in_a_model_of_colours_stays_grey():
    colours = [drawn(i, 24, 24, 3).astype(np.float32) for i in range(4)]
    model = nw.Denoiser(epochs=1, random_state=0).fit_pictures(colours)
    assert model.estimator_.shapes_[0][0] == 3
    assert [each.shape for each in model.predict_pictures([drawn(9, 20, 30).astype(np.float32)])] == [(1, 20, 30)]


def test_tiles_leave_no_seams():
    model = nw.Denoiser(epochs=1, random_state=0, noise="gaussian:0.1").fit_pictures([drawn(0).astype(np.float32)])
    picture = drawn(3, 500, 420).astype(np.float32)
    tiles = corrected(model.estimator_, picture)
    whole = run(model.estimator_.model_, nw.Pairs(picture[None]), lambda m, batch: m.reconstruct(batch.x))[0]
    assert np.abs(tiles - whole).max() < 0.02 * np.abs(whole - picture).max() + 1e-5


@pytest.mark.parametrize("channels", [1, 3])
def test_classical_denoisers_are_scikit_images(channels):
    from skimage.restoration import denoise_nl_means, denoise_tv_chambolle

    clean = np.stack([drawn(i, 32, 30, channels) for i in range(3)])
    noisy = clean + 0.1 * np.random.default_rng(0).normal(size=clean.shape)
    last = np.moveaxis(noisy[0], 0, 2).squeeze()
    axis = 2 if channels == 3 else None
    wanted = denoise_tv_chambolle(last, 0.1, channel_axis=axis).reshape(32, 30, -1)
    np.testing.assert_allclose(TotalVariation(0.1).denoise(noisy)[0], np.moveaxis(wanted, 2, 0), atol=1e-6)
    wanted = denoise_nl_means(last, 5, 6, 0.06, sigma=0.1, channel_axis=axis).reshape(32, 30, -1)
    np.testing.assert_allclose(NonLocalMeans(0.6, 0.1).denoise(noisy)[0], np.moveaxis(wanted, 2, 0), atol=1e-6)
    for denoiser in (TotalVariation(), NonLocalMeans()):
        chosen = np.mean((denoiser.fit(noisy, clean).denoise(noisy) - clean) ** 2)
        assert chosen < 0.5 * np.mean((noisy - clean) ** 2)
    assert NonLocalMeans().fit(noisy, clean).sigma_ == pytest.approx(0.1, rel=0.05)


def test_the_chosen_weight_is_the_best_of_all():
    clean = np.stack([drawn(i, 32, 30) for i in range(3)])
    noisy = clean + 0.1 * np.random.default_rng(0).normal(size=clean.shape)
    errors = {w: np.mean((TotalVariation(w).denoise(noisy) - clean) ** 2) for w in (0.02, 0.04, 0.07, 0.1, 0.15, 0.3)}
    assert TotalVariation().fit(noisy, clean).weight_ == min(errors, key=errors.get)


def test_a_linear_denoiser_in_patches_takes_any_size():
    draw = np.random.default_rng(0)
    clean = np.stack([drawn(i, 32, 32) for i in range(20)])
    noisy = clean + 0.2 * draw.normal(size=clean.shape)
    linear = LinearDenoiser(patch=8).fit(noisy, clean)
    other = drawn(30, 41, 19)
    seen = other + 0.2 * draw.normal(size=other.shape)
    made = linear.denoise(seen[None])[0]
    assert made.shape == other.shape
    assert psnr(other, made) > psnr(other, seen) + 4


def test_pairs_of_other_sizes_are_refused_in_python():
    with pytest.raises(InputError, match="sizes"):
        nw.Denoiser(epochs=1).fit_pictures([drawn(0)], [drawn(0, 9, 9)])


def test_a_loaded_denoiser_judges_pictures_as_the_fitted_one(tmp_path):
    pictures = [np.random.default_rng(i).integers(0, 256, (1, 24, 20), np.uint8) for i in range(5)]
    model = nw.Denoiser(estimator=nw.DenoisingAutoEncoder(network="residual:4,1,1,2", latent_dim=4), epochs=1)
    model.set_params(random_state=0).fit_pictures(pictures)
    loaded = nw.load(model.save(tmp_path / "model"))
    examples = Examples(pictures, None, tuple("abcde"))
    ours, theirs = (each.evaluate_pictures(examples, examples) for each in (model, loaded))
    assert ours.metrics == theirs.metrics
    assert ours.notes == theirs.notes


def test_grey_among_pictures_of_colour_that_are_measured_on(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(4):
        write(tmp_path / "in" / f"{i * i}.png", rng.random((3, 20, 24)))
    for i, channels in enumerate((1, 3, 3)):
        write(tmp_path / "new" / f"{i * i}.png", rng.random((channels, 20, 24)))
    words = f"fit denoise {tmp_path}/in --valid {tmp_path}/new -o {tmp_path}/run --epochs 1 --latent-dim 4 --no-figures"
    assert main([*words.split(), "--network", "residual:4,1,1,2", *NOISE]) == 0
    assert set(report_of(tmp_path / "run")["baselines"]) >= {"the best linear denoiser", "non-local means"}
