"""The recipes on images, each as a miniature: shapes, restored fits, and numbers against other ways to compute them."""

import json

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics.pairwise import euclidean_distances

import narrows as nw
from narrows.cli import main
from narrows.data import datasets
from narrows.recipes.run import enlarged

DIGITS = datasets.load("digits")
IMAGES = enlarged(DIGITS.values[:, 0])
TRAIN, TEST = IMAGES[:1200], IMAGES[1200:] / np.float32(255)
MEAN_IMAGE = float(np.mean((TEST - TRAIN.mean(0) / 255) ** 2))
RECONSTRUCT = ("dense-mnist", "deep-fashion", "conv-mnist", "sparse-mnist", "contractive-mnist")
NAMES = (*RECONSTRUCT, "conv-denoise", "denoise-mnist", "stacked-mnist")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder and the report of a recipe, run once."""
    home, done = tmp_path_factory.mktemp("recipes"), {}

    def run(name):
        if name not in done:
            assert main(["recipe", name, "--quick", "-o", str(home / name)]) == 0
            done[name] = home / name, json.loads((home / name / "report.json").read_text())
        return done[name]

    return run


def table(report, title):
    return next(each["rows"] for each in report["tables"] if each["title"] == title)


def value(report, key):
    return report["metrics"][key]["value"]


def pca_error(k):
    train = TRAIN.reshape(len(TRAIN), -1) / 255
    pca, rows = PCA(k).fit(train), TEST.reshape(len(TEST), -1)
    return np.mean((pca.inverse_transform(pca.transform(rows)) - rows) ** 2)


@pytest.mark.parametrize("name", NAMES)
def test_a_report_is_whole(made, name):
    folder, report = made(name)
    numbers = [each["value"] for each in report["metrics"].values()]
    numbers += [number for each in report["baselines"].values() for number in each.values()]
    assert len(numbers) > 1
    assert np.isfinite(numbers).all()
    assert report["verdict"]["text"].endswith(".")
    assert {row[1] for row in table(report, "Fits")} == {"started afresh"}
    assert [each["file"] for each in report["figures"] if not (folder / each["file"]).is_file()] == []


@pytest.mark.parametrize("name", RECONSTRUCT)
def test_the_saved_model_has_the_error_of_the_report_and_beats_the_mean_image(made, name):
    folder, report = made(name)
    error = np.mean((nw.load(folder).reconstruct(IMAGES[1200:]) - TEST) ** 2)
    assert value(report, "mse") == pytest.approx(error, rel=1e-4)
    assert error < 0.7 * MEAN_IMAGE


@pytest.mark.parametrize(("name", "k"), [("deep-fashion", 3), ("sparse-mnist", 25)])
def test_pca_is_that_of_scikit_learn(made, name, k):
    rival = next(each["mse"] for label, each in made(name)[1]["baselines"].items() if label.startswith("PCA"))
    assert rival == pytest.approx(pca_error(k), rel=1e-4)


@pytest.mark.parametrize(
    ("name", "widths"),
    [
        ("dense-mnist", [(784, 784), (784, 64), (64, 784)]),
        ("deep-fashion", [(784, 128), (128, 64), (64, 12), (12, 3), (3, 12), (12, 64), (64, 128), (128, 784)]),
    ],
)
def test_dense_layers_are_those_of_the_documents(made, name, widths):
    weights = nw.load(made(name)[0]).estimator_.model_.state_dict()
    assert [tuple(w.shape[::-1]) for w in weights.values() if w.ndim == 2] == widths


def test_events_hold_the_history_and_the_best_epoch_is_kept(made):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder, report = made("dense-mnist")
    events = EventAccumulator(str(folder / "tensorboard")).Reload().Scalars("loss/valid")
    losses = np.loadtxt(folder / "models/dense/history.csv", delimiter=",", skiprows=1, usecols=2)
    np.testing.assert_allclose([each.value for each in events], losses, rtol=1e-6)
    assert f"epoch {losses.argmin() + 1}," in dict(table(report, "Callbacks"))["checkpoint"]
    error = 2 * (losses.min() - 784 * np.log(2 * np.pi) / 2) / 784  # half the squared error, and a constant
    assert value(report, "mse") == pytest.approx(error, rel=1e-4)


def test_the_strip_ends_with_what_the_model_makes(made):
    folder, _ = made("deep-fashion")
    with np.load(folder / "models/deep/trace.npz") as seen:
        assert sorted(map(int, seen.files)) == list(range(1, 31))
        last, first = seen["30"], seen["1"]
    np.testing.assert_allclose(last, nw.load(folder).reconstruct(TRAIN[:5]), atol=1e-6)
    assert np.mean((last - TRAIN[:5] / 255) ** 2) < 0.7 * np.mean((first - TRAIN[:5] / 255) ** 2)


SAME, HALF, QUARTER = "28 x 28", "14 x 14", "7 x 7"
CONV = [
    *[("conv", f"{c} x {SAME}") for c in (16, 32, 64)],
    *[("pool", f"64 x {HALF}"), ("conv", f"128 x {HALF}"), ("pool", f"128 x {QUARTER}"), ("conv", f"256 x {QUARTER}")],
    *[("transpose", f"{c} x {HALF}") for c in (128, 64, 16)],
    ("transpose", f"1 x {SAME}"),
]
DENOISE = [
    *[("conv", f"128 x {SAME}"), ("pool", f"128 x {HALF}"), ("conv", f"64 x {HALF}"), ("pool", f"64 x {QUARTER}")],
    *[("conv", f"16 x {QUARTER}"), ("pool", "16 x 4 x 4"), ("conv", "16 x 4 x 4"), ("pool", "16 x 2 x 2")],
    *[("conv", "16 x 2 x 2"), ("up", "16 x 4 x 4"), ("conv", "16 x 4 x 4"), ("up", "16 x 8 x 8")],
    *[("conv", "64 x 8 x 8"), ("up", "64 x 16 x 16"), ("conv", f"128 x {HALF}"), ("up", f"128 x {SAME}")],
    ("conv", f"1 x {SAME}"),
]
KINDS = {"Conv2d": "conv", "ConvTranspose2d": "transpose", "MaxPool": "pool", "Enlarge": "up"}


@pytest.mark.parametrize(("name", "batch", "shapes"), [("conv-mnist", 256, CONV), ("conv-denoise", 128, DENOISE)])
def test_convolutional_layers_are_those_of_the_documents(made, name, batch, shapes):
    rows = [(layer.partition("(")[0], shape) for layer, shape in table(made(name)[1], "Layers")]
    assert rows[0] == ("input", f"{batch} x 1 x {SAME}")
    assert [(KINDS[layer], shape.partition(" x ")[2]) for layer, shape in rows if layer in KINDS] == shapes


def test_relu_stands_before_the_norm_and_the_code_and_the_output_have_none(made):
    layers = [layer.partition("(")[0] for layer, _ in table(made("conv-mnist")[1], "Layers")][1:]
    dressed = ["ReLU", "BatchNorm2d"]
    down = [*3 * ["Conv2d", *dressed], "MaxPool", "Conv2d", *dressed, "MaxPool", "Conv2d", "ReLU"]
    assert layers == [*down, *3 * ["ConvTranspose2d", *dressed], "ConvTranspose2d", "ReLU"]


def test_a_second_run_restores_the_model(made):
    folder, report = made("conv-mnist")
    assert main(["recipe", "conv-mnist", "--quick", "-o", str(folder)]) == 0
    again = json.loads((folder / "report.json").read_text())
    assert [row[1] for row in table(again, "Fits")] == ["restored"]
    assert again["metrics"] == report["metrics"]
    assert again["verdict"] == report["verdict"]


@pytest.mark.parametrize("codes", ["codes.npy", "codes.csv"])
def test_encoder_and_decoder_work_apart(made, tmp_path, codes):
    folder, _ = made("conv-mnist")
    source, rows = folder / codes, IMAGES[1200:1205]
    if codes == "codes.csv":
        np.save(tmp_path / "rows.npy", rows)
        assert main(["apply", str(folder), str(tmp_path / "rows.npy"), "-o", str(tmp_path / "coded")]) == 0
        source = tmp_path / "coded" / codes
    assert main(["apply", str(folder), str(source), "--decode", "-o", str(tmp_path / "out")]) == 0
    decoded = np.load(tmp_path / "out" / "decoded.npy").reshape(5, 28, 28)
    whole = nw.load(folder).reconstruct(rows)
    scale = 255 if decoded.dtype == np.uint8 else 1
    np.testing.assert_allclose(decoded, (whole * scale).clip(0, scale), atol=0.51 if scale == 255 else 1e-5)


def test_the_halves_loaded_apart_make_the_numbers_of_the_whole_model(made):
    folder, report = made("conv-mnist")
    codes, rows = np.load(folder / "codes.npy"), table(report, "Encoder and decoder apart")
    assert [row[:3] for row in rows] == [
        ["encoder", "5 x 28 x 28", "5 x 12544"],
        ["decoder", "5 x 12544", "5 x 28 x 28"],
    ]
    trained = nw.load(folder / "models" / "conv")
    gaps = [np.abs(codes - trained.transform(IMAGES[1200:1205])).max()]
    gaps.append(np.abs(trained.inverse_transform(codes) - trained.reconstruct(IMAGES[1200:1205])).max())
    assert max(*gaps, *(row[3] for row in rows)) < 1e-5
    assert codes.std() > 0.01


@pytest.mark.parametrize(("name", "std"), [("conv-denoise", 0.5), ("denoise-mnist", 0.1)])
def test_noise_has_its_size_and_most_of_it_goes(made, name, std):
    report = made(name)[1]
    noisy = report["baselines"]["the noisy input"]
    assert noisy["mse"] == pytest.approx(std**2, rel=0.02)
    assert noisy["psnr"] == pytest.approx(-10 * np.log10(noisy["mse"]))
    assert value(report, "psnr") == pytest.approx(-10 * np.log10(value(report, "mse")))
    assert value(report, "mse") < 0.6 * noisy["mse"]
    assert "the best linear denoiser" in report["baselines"]
    assert report["params"]["noise"] == f"gaussian:{std}"


def test_denoising_uses_the_network_of_conv_mnist(made):
    assert made("denoise-mnist")[1]["model"]["network"] == made("conv-mnist")[1]["model"]["network"]


def test_filters_are_learnt_from_one_start(made):
    folder, _ = made("denoise-mnist")
    learnt = [nw.load(folder / "models" / stem).model_ for stem in ("dense", "dense-0.1", "dense-0.5")]
    start = nw.AutoEncoder(latent_dim=144, network=nw.Dense((), (), code="sigmoid"), start="random", random_state=0)
    first = start.set_params(epochs=0).fit(TRAIN[:5]).model_.encoder.layers[0].weight.detach()
    for model in learnt:
        moved = model.encoder.layers[0].weight.detach()
        likeness = np.corrcoef(first.ravel(), moved.ravel())[0, 1]
        assert 0.1 < likeness < 0.95


def test_pre_training_helps_when_labels_are_few(made):
    report = made("stacked-mnist")[1]
    none = report["baselines"]["no pre-training"]
    for n in (50, 200, 1200):
        assert value(report, f"error_{n}") < 0.8 * none[f"error_{n}"]
    nearest = euclidean_distances(TEST.reshape(597, -1), TRAIN[:50].reshape(50, -1) / 255).argmin(1)
    error = np.mean(DIGITS.labels[nearest] != DIGITS.labels[1200:])
    assert report["baselines"]["nearest labelled image"]["error_50"] == pytest.approx(error, abs=2 / 597)
    assert 0.5 < value(report, "variants") < 1


def test_noise_makes_the_difference_between_the_stacks(made):
    folder, _ = made("stacked-mnist")
    models = {kind: nw.load(folder / "models" / kind) for kind in ("sae", "sdae")}
    assert {kind: model.noise for kind, model in models.items()} == {"sae": None, "sdae": "mask:0.25"}
    codes = models["sdae"].transform(IMAGES[1200:1300])
    assert 0 < codes.min() < codes.max() < 1


def test_few_units_work_for_an_image(made):
    folder, report = made("sparse-mnist")
    codes = nw.load(folder).transform(IMAGES[1200:])
    assert (codes > 0).sum(1).max() <= 25
    assert value(report, "active") == pytest.approx(np.mean(codes > 0.1))
    shares = {name: each["active"] for name, each in report["baselines"].items() if "active" in each}
    assert set(shares) == {"L1", "KL", "no sparsity"}
    assert max(value(report, "active"), shares["L1"], shares["KL"]) < 0.7 * shares["no sparsity"]


def test_the_jacobian_of_one_layer_is_the_closed_form(made):
    folder, report = made("contractive-mnist")
    layer = nw.load(folder).estimator_.model_.encoder.layers[0]
    weight, bias = (each.detach().double().numpy() for each in (layer.weight, layer.bias))
    h = np.tanh(TEST[:200].reshape(200, -1) @ weight.T + bias)
    norms = (1 - h**2) ** 2 @ (weight**2).sum(1)  # Rifai et al. 2011, section 3, for tanh
    assert value(report, "jacobian") == pytest.approx(norms.mean(), rel=1e-4)
    assert value(report, "gap") < 1e-4


def test_contraction_and_noise_lower_the_jacobian(made):
    report = made("contractive-mnist")[1]
    norms = {name: each["jacobian"] for name, each in report["baselines"].items()}
    assert value(report, "jacobian") < 0.5 * norms["plain"]
    assert max(norms["SCAE"], norms["DAE"]) < 0.8 * norms["plain"]
    assert norms["CAE, two layers"] < 0.8 * norms["plain, two layers"]
    rows = {(row[0], row[1]): row for row in table(report, "The penalty against autograd")}
    for name in [("CAE, two layers", "probe"), ("SCAE", "noise, std 0.01")]:
        difference, error = (float(text.removesuffix(" %")) for text in rows[name][5:])
        assert abs(difference) < 4 * error + 0.1


def test_an_interrupted_fit_ends_the_recipe(tmp_path, monkeypatch, capsys):
    def stop(trace, model, entry):
        raise KeyboardInterrupt

    monkeypatch.setattr("narrows.recipes.trace.Trace.__call__", stop)
    assert main(["recipe", "deep-fashion", "--quick", "-o", str(tmp_path / "run")]) == 1
    assert "interrupted" in capsys.readouterr().err
    assert not (tmp_path / "run" / "report.html").exists()
    assert (tmp_path / "run" / "models" / "deep" / "resume.pt").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [(["dilated", "--data", "."], "reads no --data"), (["unet-camvid", "--data", "nowhere"], "is no folder")],
)
def test_data_that_a_recipe_does_not_read_is_refused(words, said, tmp_path, capsys):
    assert main(["recipe", *words, "-o", str(tmp_path / "run")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
