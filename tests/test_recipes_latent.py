"""The generative recipes as tiny miniatures: every number of their reports against another way to compute it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import xlog1py, xlogy

import narrows as nw
from narrows.data import datasets
from narrows.estimator.traversal import effects, traversed
from narrows.recipes import RECIPES, Run
from narrows.recipes.run import enlarged

DIGITS = datasets.load("digits")
HELD = enlarged(DIGITS.values[1200:, 0])
LABELS = DIGITS.labels[1200:]
NAMES = ("vae-mnist", "cvae-mnist", "aae-mnist")
GREYS = "Bernoulli reads grey levels as probabilities, which is no normalised density"


class Tiny(Run):
    """A miniature of a miniature."""

    def epochs(self, many, few=2):
        return 4

    def images(self, name="mnist", few=400):
        return super().images(name, few)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder and the report of a recipe, run once."""
    home, done = tmp_path_factory.mktemp("latent"), {}

    def run(name):
        if name not in done:
            tiny = Tiny(name, home / name, quick=True, data=None, say=lambda text: None)
            tiny.folder.mkdir()
            RECIPES[name].run(tiny)
            tiny.write()
            done[name] = tiny.folder, json.loads((tiny.folder / "report.json").read_text())
        return done[name]

    return run


def table(report, title):
    return next(each["rows"] for each in report["tables"] if each["title"] == title)


def drawn(report):
    return {Path(each["file"]).stem for each in report["figures"]}


def model(made, recipe, name):
    return nw.load(made(recipe)[0] / "models" / name)


@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("vae-mnist", {"lattice-2", *(f"{what}-{n}" for what in ("samples", "numbers", "ways") for n in (2, 20))}),
        (
            "cvae-mnist",
            {
                *(
                    "lattice-unknown",
                    "lattice-class-0",
                    "lattice-class-1",
                    "lattice-class-7",
                    "classes-2",
                    "classes-20",
                ),
                *(f"{what}-{n}" for what in ("samples", "numbers", "ways") for n in (2, 20)),
            },
        ),
        (
            "aae-mnist",
            {
                "lattice-adversarial-2",
                *(
                    f"{what}-{kind}"
                    for what in ("samples", "numbers", "ways")
                    for kind in ("adversarial-2", "adversarial-20", "wasserstein-20")
                ),
            },
        ),
    ],
)
def test_samples_plane_ways_and_numbers_are_drawn(made, name, figures):
    folder, report = made(name)
    assert figures <= drawn(report)
    assert all((folder / each["file"]).stat().st_size > 1000 for each in report["figures"])


@pytest.mark.parametrize(
    ("recipe", "name", "stem"),
    [
        ("vae-mnist", "2 numbers", "code-2"),
        ("vae-mnist", "20 numbers", "code-20"),
        ("cvae-mnist", "20 numbers, class unknown", "told-20"),
        ("aae-mnist", "adversarial, 20 numbers", "adversarial-20"),
    ],
)
def test_the_number_of_a_dimension_is_the_mean_change_per_unit_of_z(made, recipe, name, stem):
    fitted = model(made, recipe, stem)
    said = dict(table(made(recipe)[1], "What each number of the code changes"))[name].split(", ")
    codes = torch.from_numpy(fitted.transform(HELD[:200]))
    net = fitted.model_
    cond = None if recipe != "cvae-mnist" else torch.zeros(200, 10)
    expected = []
    for j in range(codes.shape[1]):
        shift = 0.5 * torch.eye(codes.shape[1])[j]
        with torch.no_grad():
            up, down = (net.likelihood.mean(net.decode(codes + s * shift, (), cond)) for s in (1, -1))
        expected.append(float((up - down).abs().mean()))
    order = np.argsort(-np.array(expected), kind="stable")
    assert len(said) == len(expected)
    sizes = [float(each.partition(": ")[2]) for each in said]
    np.testing.assert_allclose(sizes, np.array(expected)[order], rtol=0.01)
    assert said[0].startswith(f"z {order[0] + 1}:")


def test_active_units_are_those_whose_posterior_mean_varies(made):
    rows = {name: row for name, *row in table(made("cvae-mnist")[1], "Use of the code")}
    assert set(rows) == {f"{n} numbers, {kind}" for n in (2, 20) for kind in ("told the class", "not told")}
    told = model(made, "cvae-mnist", "told-20")
    with torch.no_grad():
        cond = torch.eye(10)[torch.from_numpy(LABELS)]
        mean, log_var = told.model_.features(torch.from_numpy(HELD)[:, None] / 255, cond).chunk(2, 1)
    kl = 0.5 * (mean**2 + log_var.exp() - 1 - log_var).mean(0)
    active, total, busiest = rows["20 numbers, told the class"]
    assert active == f"{int((mean.var(0, correction=0) > 0.01).sum())} of 20"
    assert float(total) == pytest.approx(float(kl.sum()), abs=0.006)
    assert float(busiest) == pytest.approx(float(kl.max()), abs=0.006)


@pytest.mark.parametrize("pixels", ["greys", "drawn as 0 or 1"])
def test_the_bound_of_drawn_pixels_stands_beside_that_of_greys(made, pixels):
    _, report = made("vae-mnist")
    row = next(row for row in table(report, "Evidence lower bound") if row[:2] == ["20 numbers", pixels])
    reconstruction, kl, total, bits = map(float, row[2:])
    assert total == pytest.approx(reconstruction + kl, abs=0.011)
    assert bits == pytest.approx(total / np.log(2) / 784, abs=1e-4)
    net, target = model(made, "vae-mnist", "code-20").model_, HELD / np.float32(255)
    if pixels != "greys":
        target = (np.random.default_rng(0).random((597, 1, 28, 28), np.float32)[:, 0] < target).astype(np.float32)
    torch.manual_seed(5)
    with torch.no_grad():
        mean, log_var = net.features(torch.from_numpy(target)[:, None]).chunk(2, 1)
        z = mean + (log_var / 2).exp() * torch.randn(mean.shape)
        p = net.likelihood.mean(net.decode(z)).double().numpy()[:, 0]
    nats = -(xlogy(target, p) + xlog1py(1 - target, -p)).sum((1, 2))
    assert reconstruction == pytest.approx(nats.mean(), rel=0.01)
    assert kl == pytest.approx(float(0.5 * (mean**2 + log_var.exp() - 1 - log_var).sum(1).mean()), abs=0.006)


@pytest.mark.parametrize("name", ["vae-mnist", "cvae-mnist"])
def test_reports_say_what_nats_of_greys_are_worth(made, name):
    report = made(name)[1]
    assert sum(note.startswith(GREYS) for note in report["warnings"]) == 1
    assert "of greys" in report["metrics"]["nats"]["label"]
    kinds = [row[1] for row in table(report, "Evidence lower bound")]
    assert kinds == ["greys", "drawn as 0 or 1"] * (len(kinds) // 2)


def test_the_adversarial_code_is_judged_without_a_bound(made):
    _, report = made("aae-mnist")
    rows = {row[0]: row for row in table(report, "Are the codes like the prior?")}
    codes = model(made, "aae-mnist", "wasserstein-20").transform(HELD)
    assert rows["Wasserstein, 20 numbers"][5] == f"{int((codes.var(0) > 0.01).sum())} of 20"
    assert [title for title in (each["title"] for each in report["tables"]) if "bound" in title] == []
    assert any("no evidence lower bound" in note for note in report["warnings"])


def test_per_unit_and_per_deviation_differ_by_the_deviation():
    rng = np.random.default_rng(0)
    weights, codes = rng.normal(size=(3, 5)), rng.normal(size=(400, 3)) * [0.5, 2.0, 0.0] + [0, 1, 3]

    def decode(z):
        return z @ weights

    per_unit = effects(decode, codes)
    np.testing.assert_allclose(per_unit, np.abs(weights).mean(1))
    np.testing.assert_allclose(traversed(decode, codes).effects, per_unit * codes.std(0))


def test_only_the_dimensions_asked_for_are_moved_each_by_its_own_step():
    codes = np.linspace(-1, 1, 5)[:, None] * np.ones((1, 3))
    found = effects(lambda z: z**3, codes, np.array([0.5, 1.0, 2.0]), [2, 0])
    expected = [np.mean(np.abs((codes[:, 0] + s) ** 3 - (codes[:, 0] - s) ** 3)) / (2 * s) / 3 for s in (2.0, 0.5)]
    np.testing.assert_allclose(found, expected)
