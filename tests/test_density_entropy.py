"""No cross-entropy lies below the entropy: every likelihood on every kind of column, ours and the competitors'."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest
import scipy.stats as st

import narrows as nw
from narrows.cli import main
from narrows.errors import InputError
from narrows.tasks.base import Rows

N, HELD, COLUMNS = 200, 400, 2


class Law(NamedTuple):
    """Draws of a column, and -log p of each, of which the mean is the entropy."""

    draw: Callable[[np.random.Generator, int], np.ndarray]
    surprise: Callable[[np.ndarray], np.ndarray]


def of(law: Any) -> Law:
    price = law.logpdf if isinstance(law.dist, st.rv_continuous) else law.logpmf
    return Law(lambda draw, n: law.rvs(n, random_state=draw), lambda x: -price(x))


def rounded(law: Any, step: float) -> Law:
    def surprise(x: np.ndarray) -> np.ndarray:
        middle = np.rint(x / step)
        return -np.log(law.cdf((middle + 0.5) * step) - law.cdf((middle - 0.5) * step))

    return Law(lambda draw, n: np.rint(law.rvs(n, random_state=draw) / step) * step, surprise)


def with_atoms(atoms: dict[float, float], law: Any) -> Law:
    shares, rest = list(atoms.values()), 1 - sum(atoms.values())

    def draw(rng: np.random.Generator, n: int) -> np.ndarray:
        values = np.stack([*(np.full(n, atom) for atom in atoms), law.rvs(n, random_state=rng)])
        return values[rng.choice(len(values), n, p=[*shares, rest]), np.arange(n)]

    def surprise(x: np.ndarray) -> np.ndarray:
        out = -law.logpdf(x) - math.log(rest)
        for atom, share in atoms.items():
            out[x == atom] = -math.log(share)
        return out

    return Law(draw, surprise)


LAWS = {
    "real": of(st.norm(3, 2)),
    "real, tiny units": of(st.norm(0, 1e-4)),
    "real, skewed": of(st.lognorm(1.0, scale=2.0)),
    "real, heavy tails": of(st.t(3)),
    "fractions": of(st.beta(2, 5)),
    "tenths": rounded(st.norm(5, 0.7), 0.1),
    "cents": rounded(st.gamma(2, scale=3.0), 0.01),
    "sixteenths": Law(lambda draw, n: draw.integers(0, 17, n) / 16, lambda x: np.full(len(x), math.log(17))),
    "whole": rounded(st.norm(0, 15), 1.0),
    "counts": of(st.poisson(3)),
    "bits": of(st.bernoulli(0.2)),
    "few levels": of(st.randint(0, 5)),
    "levels": Law(lambda draw, n: draw.integers(0, 256, n, np.uint8), lambda x: np.full(len(x), math.log(256))),
    "half zeros": with_atoms({0.0: 0.5}, st.lognorm(1.0)),
    "few zeros": with_atoms({0.0: 0.05}, st.norm(2, 1)),
    "clipped": with_atoms({0.0: 0.2, 1.0: 0.3}, st.beta(2, 2)),
    "roots": Law(lambda draw, n: np.sqrt(draw.integers(2, 9, n)), lambda x: np.full(len(x), math.log(7))),
    "constant": Law(lambda draw, n: np.full(n, 0.3), lambda x: np.zeros(len(x))),
}
LIKELIHOODS = [
    *("mixed", "mixed:spread=learnt", "gaussian", "gaussian:learnt", "gaussian:predicted", "laplace"),
    *("bernoulli", "continuous-bernoulli", "poisson", "categorical:5", "categorical:5,ignore=0", "multinomial"),
]
TAKEN = {  # what is not refused, besides mixed ones
    "gaussian": {"real", "real, tiny units", "real, skewed", "real, heavy tails", "fractions"},
    "laplace": {"real", "real, tiny units", "real, skewed", "real, heavy tails", "fractions"},
    "continuous-bernoulli": {"fractions"},
    "bernoulli": {"bits"},
    "poisson": {"bits", "counts", "few levels"},
    "categorical": {"bits", "few levels"},
}


@pytest.fixture(autouse=True)
def few_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let mixtures choose between fewer numbers of parts, for the time it takes."""
    monkeypatch.setattr("narrows.tasks.density.baselines._PARTS", (1, 4))


def rows_of(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows to learn from, rows to measure on, and -log p of the latter."""
    draw = np.random.default_rng(sum(map(ord, name)))
    law = LAWS[name]
    X = np.stack([law.draw(draw, N + HELD) for _ in range(COLUMNS)], 1)
    return X[:N], X[N:], sum(law.surprise(column) for column in X[N:].T)


@pytest.mark.filterwarnings("ignore:The values deviate by")
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("name", LAWS)
def test_no_cross_entropy_lies_below_the_entropy(name: str, likelihood: str) -> None:
    train, held, surprise = rows_of(name)
    family = likelihood if "ignore" in likelihood else likelihood.partition(":")[0]  # a void label costs nothing
    model = nw.DensityEstimator(estimator=nw.VAE(likelihood=likelihood), latent_dim=1, samples=20)
    model.set_params(epochs=5, random_state=0)
    if family != "mixed" and name not in TAKEN.get(family, set()):
        with pytest.raises(InputError, match="likelihood"):
            model.fit(train)
        assert not hasattr(model, "estimator_")
        return
    found = model.fit(train).evaluate(Rows(train), Rows(held))
    error = surprise.std() / math.sqrt(HELD) + found.metrics["error"].value
    nats = {"ours": found.metrics["nats"].value} | {other: each["nats"] for other, each in found.baselines.items()}
    assert len(nats) == 4
    assert found.rows == HELD  # none is left out
    for what, value in nats.items():
        assert value > surprise.mean() - 2 * error, what
    if likelihood == "mixed" and "skewed" not in name:  # and it is near, where a Gaussian is not far
        assert nats["ours"] < surprise.mean() + 1.2


# ---- through the command line ----------------------------------------------------------------------------------------


def fitted(folder: Path, frame: pl.DataFrame, *words: str) -> dict[str, Any]:
    """Return the report of a short run on a table."""
    frame.write_csv(folder / "table.csv")
    run = [
        "fit",
        "density",
        str(folder / "table.csv"),
        "-o",
        str(folder / "run"),
        "--overwrite",
        "--quiet",
        "--no-figures",
    ]
    assert main([*run, "--epochs", "8", "--samples", "20", "--latent-dim", "1", "--random-state", "0", *words]) == 0
    report: dict[str, Any] = json.loads((folder / "run" / "report.json").read_text())
    return report


def nats_of(report: dict[str, Any]) -> list[float]:
    assert len(report["baselines"]) == 3
    return [report["metrics"]["nats"]["value"], *(each["nats"] for each in report["baselines"].values())]


@pytest.mark.parametrize("likelihood", ["mixed", "gaussian:learnt"])
def test_a_table_of_real_numbers_is_priced_in_its_own_units(likelihood: str, tmp_path: Path) -> None:
    draw, scales = np.random.default_rng(1), (1e-3, 1.0, 500.0)
    frame = pl.DataFrame({f"x{i}": draw.normal(7 * scale, scale, 800) for i, scale in enumerate(scales)})
    report = fitted(tmp_path, frame, "--likelihood", likelihood)
    entropy = sum(st.norm(0, scale).entropy() for scale in scales)
    error = math.sqrt(3 * 0.5 / report["data"]["held_out"])
    assert all(entropy - 2 * error < value < entropy + 0.6 for value in nats_of(report))
    logs = pl.read_csv(tmp_path / "run" / "logp.csv")["log_p"]
    assert -logs.mean() == pytest.approx(report["metrics"]["nats"]["value"], abs=0.2)


@pytest.mark.parametrize("likelihood", ["gaussian:learnt", "laplace", "multinomial"])
def test_a_mixed_table_refuses_another_measure_in_one_message(
    likelihood: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw = np.random.default_rng(0)
    frame = pl.DataFrame({"x": draw.normal(size=90), "town": draw.choice(["a", "b"], 90), "n": draw.poisson(3, 90)})
    frame.write_csv(tmp_path / "table.csv")
    words = ["fit", "density", str(tmp_path / "table.csv"), "-o", str(tmp_path / "run"), "--no-figures"]
    assert main([*words, "--likelihood", likelihood]) == 2
    said = capsys.readouterr().err
    assert said.count("narrows:") == 1
    assert "Traceback" not in said
    assert not (tmp_path / "run" / "model.json").exists()


def test_a_mixed_table_with_zeros_tenths_and_rare_levels_has_no_less_than_its_entropy(tmp_path: Path) -> None:
    draw, n = np.random.default_rng(3), 1500
    shares = 1 / np.arange(1, 301)
    shares /= shares.sum()  # of 300 levels, of which some are only in the rows put aside
    paid, tenths = LAWS["half zeros"], LAWS["tenths"]
    columns = {"paid": paid.draw(draw, n), "tenths": np.round(tenths.draw(draw, n), 1)}
    frame = pl.DataFrame({**columns, "level": [f"v{i}" for i in draw.choice(300, n, p=shares)]})
    report = fitted(tmp_path, frame)
    assert "gaussian@0.0*1/rounded*1/categorical" in report["params"]["likelihood"]
    surprise = paid.surprise(columns["paid"]) + tenths.surprise(columns["tenths"])
    entropy = surprise.mean() - (shares * np.log(shares)).sum()
    error = math.sqrt((surprise.var() + (shares * np.log(shares) ** 2).sum()) / report["data"]["held_out"])
    assert all(value > entropy - 2 * error for value in nats_of(report))
    assert not any("left out" in said for said in report["warnings"])


def test_the_first_line_says_who_wins_and_who_loses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw = np.random.default_rng(0)
    axes = draw.normal(size=(2, 20))
    counts = draw.poisson(np.exp(1 + 0.7 * np.tanh(draw.normal(size=(1000, 2)) @ axes)))
    groups = np.concatenate([draw.normal(m, 0.1, (200, 2)) for m in (-3, 0, 3)])
    for rows, words, outcome, said in (
        (counts, ("--epochs", "30", "--latent-dim", "2"), "wins", "The autoencoder beats"),
        (groups, ("--epochs", "1"), "loses", "The autoencoder loses to"),
    ):
        report = fitted(tmp_path, pl.DataFrame(rows, [f"c{i}" for i in range(rows.shape[1])]), *words)
        best = min(each["nats"] for each in report["baselines"].values())
        assert report["verdict"]["outcome"] == outcome
        assert (report["metrics"]["nats"]["value"] < best) == (outcome == "wins")
        assert capsys.readouterr().out.startswith(said)
        assert report["verdict"]["text"].startswith(said)
