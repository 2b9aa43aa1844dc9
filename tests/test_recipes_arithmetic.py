import json
import math
from itertools import product

import numpy as np
import pytest
import torch
from scipy.special import xlog1py, xlogy
from scipy.stats import laplace, norm
from skimage.measure import block_reduce

import narrows as nw
from narrows.cli import main
from narrows.data import datasets
from narrows.errors import InputError
from narrows.networks.layers import Transpose
from narrows.recipes.checkerboard import peak, stride_energy
from narrows.recipes.run import enlarged
from narrows.recipes.transposed_conv import layer_output, steps
from narrows.recipes.unpool import ways

TRAINED = ["unpool", "checkerboard", "mle"]
DIGITS = enlarged(datasets.load("digits").values[1200:, 0]) / 255.0
UINT8 = (DIGITS * 255).round().astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("recipes")

    def folder_of(name):
        if not (root / name).exists():
            assert main(["recipe", name, "--quick", "-o", str(root / name)]) == 0
        return root / name

    return folder_of


@pytest.fixture
def report(folder):
    return lambda name: json.loads((folder(name) / "report.json").read_text(encoding="utf-8"))


def metric(report, key):
    return report["metrics"][key]["value"]


def rows(report, title):
    return next(table["rows"] for table in report["tables"] if table["title"] == title)


def model(folder, recipe, name):
    return nw.load(folder(recipe) / "models" / name)


def scattered(x, kernel, strides, paddings, extra, dilations):
    """Transposed convolution, value by value: each spreads its kernel over the output, and the rim is cut off."""
    taps = kernel.shape
    reach = [(n - 1) * s + d * (k - 1) + 1 for n, s, d, k in zip(x.shape, strides, dilations, taps, strict=True)]
    out = np.zeros([n + e for n, e in zip(reach, extra, strict=True)])
    for (i, j), value in np.ndenumerate(x):
        for (a, b), weight in np.ndenumerate(kernel):
            out[i * strides[0] + a * dilations[0], j * strides[1] + b * dilations[1]] += value * weight
    ends = [reach_ + e - p for reach_, e, p in zip(reach, extra, paddings, strict=True)]
    return out[paddings[0] : ends[0], paddings[1] : ends[1]]


# ---- transposed-conv -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stride", "padding", "extra"), list(product((1, 2), (0, 1), (0, 1))))
def test_the_layer_and_its_other_view_spread_every_value(stride, padding, extra):
    rng = np.random.default_rng(stride)
    x, kernel = rng.normal(size=(3, 4)), rng.normal(size=(3, 3))
    spec = Transpose(1, 3, stride, padding, extra)
    if extra >= stride:
        with pytest.raises(InputError, match="output padding must be smaller"):
            layer_output(spec, x, kernel)
        return
    expected = scattered(x, kernel, (stride,) * 2, (padding,) * 2, (extra,) * 2, (1, 1))
    np.testing.assert_allclose(layer_output(spec, x, kernel), expected, atol=1e-12)
    np.testing.assert_allclose(steps(spec, x, kernel)[-1][1], expected, atol=1e-12)


def test_the_size_formula_is_the_size(report):
    shown = rows(report("transposed-conv"), "Sizes")
    for *settings, formula, real in shown:
        kernel, stride, padding, extra, dilation = ([int(n) for n in each.split(", ")] * 2 for each in settings)
        size = scattered(np.ones((3, 5)), np.ones(kernel[:2]), stride[:2], padding[:2], extra[:2], dilation[:2]).shape
        assert formula == real == f"{size[0]} x {size[1]}"
    assert len(shown) == 9
    assert metric(report("transposed-conv"), "wrong_sizes") == 0
    assert metric(report("transposed-conv"), "doubled") == 32


def test_the_illegal_combinations_are_refused_with_a_message(report):
    refused = rows(report("transposed-conv"), "Refused")
    assert [name for name, _ in refused] == [f"stride 1, padding {p}, output padding 1" for p in (0, 1)]
    assert all("output padding must be smaller" in message for _, message in refused)
    assert metric(report("transposed-conv"), "legal") == 6


def test_paddings_and_bias_at_the_rim(report):
    found = report("transposed-conv")
    for padding in (0, 1):
        out = scattered(np.ones((3, 3)), np.ones((3, 3)), (2, 2), (padding,) * 2, (1, 1), (1, 1))
        border = out.sum() - out[:-1, :-1].sum()
        assert metric(found, f"border_{padding}") == border
    assert (metric(found, "border_0"), metric(found, "border_1")) == (0, 15)
    assert (metric(found, "rim"), metric(found, "given_back")) == (0, 0)
    assert metric(found, "gap") < 1e-12
    assert metric(found, "bias_least") == metric(found, "bias_most") == 0.5
    assert rows(found, "Groups") == [[g, 9 * 16 // g, 16 // g, 16] for g in (1, 2, 4)]


# ---- dilated ---------------------------------------------------------------------------------------------------------


def test_fields_are_the_sums_of_the_taps(report):
    found = report("dilated")
    for dilations, _, weights, size, formula, measured, pixels in rows(found, "Receptive fields"):
        reached = {0}
        for dilation in map(int, dilations.split(", ")):
            reached = {at + tap * dilation for at in reached for tap in (-1, 0, 1)}
        side = max(reached) - min(reached) + 1
        assert formula == measured == f"{side} x {side}"
        assert pixels == f"{len(reached) ** 2} of {side**2}"
        assert (size, weights) == ("28 x 28", 9 * len(dilations.split(", ")))
    assert metric(found, "wrong_fields") == metric(found, "changed_sizes") == metric(found, "gap") == 0
    assert found["verdict"]["text"].startswith("Three layers of dilation 1, 2 and 3 see 13 x 13 pixels")


def test_a_dilated_convolution_is_no_up_sampling(report):
    sizes = {row[0]: row[2:] for row in rows(report("dilated"), "Not an up-sampling")}
    assert sizes["dilated by 3"] == ["28 x 28", "stays", "7 x 7"]
    assert sizes["dilated by 2, no padding"] == ["24 x 24", "shrinks", "5 x 5"]
    assert sizes["transposed convolution"][:2] == sizes["up-sampling"][:2] == ["56 x 56", "grows"]
    assert sizes["convolution, average-pool, convolution"] == ["14 x 14", "shrinks", "8 x 8"]


# ---- unpool ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [(6, 8), (5, 7)])
def test_values_land_where_they_came_from_at_the_top_left_or_everywhere(side):
    x = np.random.default_rng(0).permutation(side[0] * side[1]).reshape(1, *side) + 1.0  # no two alike
    pooled, _, (known, corner, average) = ways(x)
    np.testing.assert_array_equal(pooled[0], block_reduce(x[0], 2, np.max))
    whole = np.repeat(np.repeat(pooled[0], 2, 0), 2, 1)[: side[0], : side[1]]
    np.testing.assert_array_equal(known[0], np.where(x[0] == whole, x[0], 0))
    even = np.indices(side) % 2
    np.testing.assert_array_equal(corner[0], np.where(even.sum(0) == 0, whole, 0))
    counts = block_reduce(np.ones(side), 2, np.sum)
    means = block_reduce(x[0], 2, np.sum) / counts
    np.testing.assert_allclose(average[0], np.repeat(np.repeat(means, 2, 0), 2, 1)[: side[0], : side[1]])


def test_the_shares_in_place_are_those_of_five_digits(report):
    found, five = report("unpool"), DIGITS[:5]
    maxima = block_reduce(five, (1, 2, 2), np.max)
    first = (five[:, ::2, ::2] == maxima) & (maxima > 0)
    assert metric(found, "in_place") == 1
    assert metric(found, "in_place_top_left") == pytest.approx(first.sum() / (maxima > 0).sum())
    means = block_reduce(five, (1, 2, 2), np.mean)
    error = np.square(np.kron(means, np.ones((1, 2, 2))) - five).mean()
    assert rows(found, "Digits")[2][2] == pytest.approx(error, rel=1e-4)
    assert metric(found, "average_gap") == 0


def test_a_code_alone_is_decoded_at_the_top_left(report, folder):
    found, unpooling = report("unpool"), model(folder, "unpool", "max-unpooling").model_.eval()
    x = torch.from_numpy(DIGITS).float()[:, None]
    with torch.no_grad():
        *positions, code = unpooling.encoder(x)
        corners = [
            2 * (torch.arange(p.shape[2])[:, None] * 2 * p.shape[3] + torch.arange(p.shape[3])) for p in positions
        ]
        corners = [each.expand_as(p) for each, p in zip(corners, positions, strict=True)]
        with_positions, alone = (unpooling.decoder(code, tuple(each)) for each in (positions, corners))
    assert metric(found, "mse") == pytest.approx(float((with_positions - x).square().mean()), rel=1e-4)
    assert metric(found, "mse_alone") == pytest.approx(float((alone - x).square().mean()), rel=1e-4)
    assert metric(found, "mse_alone") > 1.5 * metric(found, "mse")
    assert rows(found, "With and without the encoder")[0][1:3] == [4 * 7 * 7, 8 * (14 * 14 + 7 * 7)]


# ---- checkerboard ----------------------------------------------------------------------------------------------------


def repeated(images, stride=2):
    """Share of the energy that repeats with the stride, from the means of its phases, without a Fourier transform."""
    n, high, wide = images.shape
    phases = images.reshape(n, high // stride, stride, wide // stride, stride).mean((1, 3))
    return phases.var((1, 2)) / np.square(images).mean((1, 2))


@pytest.mark.parametrize(("down", "across"), [(1, 0), (0, 1), (1, 1)])
def test_a_pattern_of_amplitude_a_has_its_share(down, across):
    rows_, columns = np.indices((12, 10))
    images = np.stack([2 + a * (-1.0) ** (down * rows_ + across * columns) for a in (0, 0.5, 3)])
    np.testing.assert_allclose(stride_energy(images), [a**2 / (4 + a**2) for a in (0, 0.5, 3)], atol=1e-15)
    noisy = images + np.random.default_rng(0).normal(size=images.shape)
    np.testing.assert_allclose(stride_energy(noisy), repeated(noisy))
    tall = np.concatenate([noisy, noisy], 2)  # 12 x 20
    np.testing.assert_allclose(stride_energy(tall, 4), repeated(tall, 4))


def test_the_peak_counts_the_pattern_against_its_neighbours():
    noise = np.random.default_rng(0).normal(size=(2000, 8, 8))
    board = (-1.0) ** np.indices((8, 8)).sum(0)
    assert peak(noise) == pytest.approx(1, rel=0.05)
    assert peak(noise + 0.5 * board) == pytest.approx(1 + 64 * 0.25 / 3, rel=0.05)
    coarse = np.kron(
        np.random.default_rng(0).normal(size=(50, 3, 3)), np.ones((1, 4, 4))
    )  # blocks: nothing of period 2
    assert peak(coarse) < 1e-20


def test_the_artefact_is_the_saved_models_own(report, folder):
    found = report("checkerboard")
    table = {row[0]: row[1:] for row in rows(found, "Measured")}
    assert table["the images themselves"][2] == pytest.approx(float(repeated(DIGITS).mean()), rel=1e-4)
    names = {"transposed convolution": "transpose", "nearest, convolution": "resize", "pixel shuffle": "shuffle"}
    for name, stem in names.items():
        made_of = model(folder, "checkerboard", stem).reconstruct(UINT8).astype(np.float64)
        assert table[name][3] == pytest.approx(float(repeated(made_of).mean()), rel=1e-3)
        assert table[name][1] == pytest.approx(float(np.square(made_of - DIGITS).mean()), rel=1e-3)
    start = {name: row[2] for name, row in table.items()}
    assert start["transposed convolution"] > 100 * start["nearest, convolution"]
    assert start["pixel shuffle"] > 100 * start["bilinear, convolution"]


def test_only_transposed_convolution_and_shuffle_pattern_a_flat_map(report):
    flat = {
        stem: metric(report("checkerboard"), f"flat_{stem}") for stem in ("transpose", "resize", "bilinear", "shuffle")
    }
    assert flat["resize"] == 0
    assert flat["bilinear"] < 1e-9
    assert min(flat["transpose"], flat["shuffle"]) > 1e-5


# ---- mle -------------------------------------------------------------------------------------------------------------


def scale_of(model):
    return model.model_.likelihood.log_scale.exp().item()


def test_the_constants_are_the_closed_forms(report, folder):
    found = report("mle")
    scale = scale_of(model(folder, "mle", "gaussian-learnt"))
    half = 0.5 * math.log(2 * math.pi)
    constants = {"gaussian": half, "bernoulli": 0, "laplace": math.log(2), "learnt": half + math.log(scale)}
    for stem, constant in constants.items():
        assert metric(found, f"constant_{stem}") == pytest.approx(784 * constant, rel=1e-5)
        assert metric(found, f"gap_{stem}") < 1e-9
    assert rows(found, "Losses are likelihoods")[3][2] == pytest.approx(0.5 / scale**2, rel=1e-5)
    assert metric(found, "set_gap") < 1e-12


def nats(kind, mean, model):
    if kind == "bernoulli":
        return -(xlogy(DIGITS, mean) + xlog1py(1 - DIGITS, -mean))
    if kind == "laplace":
        return -laplace.logpdf(DIGITS, mean, 1)
    return -norm.logpdf(DIGITS, mean, scale_of(model) if "learnt" in kind else 1)


@pytest.mark.parametrize(
    ("name", "kind", "deviation"),
    [
        ("Gaussian, fixed", "gaussian", 1),
        ("Gaussian, learnt", "gaussian-learnt", None),
        ("Bernoulli", "bernoulli", None),
        ("Laplace", "laplace", math.sqrt(2)),
    ],
)
def test_nats_are_those_of_scipy_and_draws_have_their_deviation(report, folder, name, kind, deviation):
    fitted = model(folder, "mle", kind)
    mean = fitted.reconstruct(UINT8).astype(np.float64)
    total = nats(kind, mean, fitted).sum()
    _, rows_, whole, summed, _ = next(
        row for row in rows(report("mle"), "The loss of a set is the sum over its rows") if row[0] == name
    )
    assert rows_ == len(DIGITS)
    assert whole == pytest.approx(total, rel=1e-4)
    assert summed == pytest.approx(total, rel=1e-4)
    numbers, mse, mae, per_row, stated, drawn = next(
        row[1:] for row in rows(report("mle"), "What was learnt") if row[0] == name
    )
    assert (numbers, per_row) == (1, pytest.approx(total / len(DIGITS), rel=1e-4))
    assert mse == pytest.approx(np.square(mean - DIGITS).mean(), rel=1e-3)
    assert mae == pytest.approx(np.abs(mean - DIGITS).mean(), rel=1e-3)
    assert drawn == pytest.approx(stated, rel=0.02)
    assert deviation is None or stated == pytest.approx(deviation)


def test_a_predicted_deviation_is_priced_by_its_own_gaussian(report, folder):
    fitted = model(folder, "mle", "gaussian-predicted")
    with torch.no_grad():
        mean, log_scale = fitted.model_.decode(torch.from_numpy(fitted.transform(UINT8))).double().chunk(2, 1)
    total = -norm.logpdf(DIGITS, mean[:, 0], log_scale[:, 0].clamp(-7, 7).exp()).sum()
    row = rows(report("mle"), "The loss of a set is the sum over its rows")[2]
    assert row[2] == pytest.approx(total, rel=1e-3)
    assert rows(report("mle"), "What was learnt")[2][1] == 2


# ---- all -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TRAINED)
def test_the_second_run_is_restored_and_says_the_same(name, folder, report, capsys):
    first, fits = report(name), len(rows(report(name), "Fits"))
    capsys.readouterr()
    assert main(["recipe", name, "--quick", "-o", str(folder(name))]) == 0
    assert capsys.readouterr().out.count(": restored") == fits
    second = json.loads((folder(name) / "report.json").read_text(encoding="utf-8"))
    assert second["verdict"] == first["verdict"]
    assert second["metrics"] == first["metrics"]
    assert [t for t in second["tables"] if t["title"] != "Fits"] == [t for t in first["tables"] if t["title"] != "Fits"]


@pytest.mark.parametrize("name", ["transposed-conv", "dilated", *TRAINED])
def test_every_figure_is_on_the_page(name, folder, report):
    drawn = report(name)["figures"]
    assert len(drawn) >= 4
    assert all((folder(name) / each["file"]).stat().st_size > 1000 for each in drawn)
    page = (folder(name) / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png") == len(drawn)
