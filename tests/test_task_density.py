"""Density estimation: against exact densities, on mixed tables, and from end to end."""

import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import scipy.stats as st
import torch
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

import narrows as nw
from narrows.cli import main
from narrows.errors import InputError
from narrows.tasks.base import Rows

DRAW = np.random.default_rng(0)


@parametrize_with_checks([nw.DensityEstimator(estimator=nw.VAE(latent_dim=2, epochs=2, likelihood="mixed"), samples=5)])
def test_scikit_learn(estimator: nw.DensityEstimator, check: object) -> None:
    check(estimator)  # type: ignore[operator]


def test_a_linear_decoder_has_the_density_of_factor_analysis() -> None:
    X = DRAW.normal(size=(1500, 2)) @ DRAW.normal(size=(2, 5)) + 0.5 * DRAW.normal(size=(1500, 5))
    X = X * [1, 1000, 1, 0.01, 1] + 300  # units differ
    made = nw.DensityEstimator(estimator=nw.VAE(network="linear", likelihood="mixed:spread=learnt"), latent_dim=2)
    made.samples = 2000
    fitted = clone(made).set_params(epochs=60, random_state=0).fit(X)
    found = fitted.estimate(X[:50])
    model = fitted.estimator_.model_.double()
    with torch.no_grad():
        offset = model.decode(torch.zeros(1, 2, dtype=torch.float64))[0].numpy()
        axes = model.decode(torch.eye(2, dtype=torch.float64)).numpy() - offset
        noise = model.likelihood.log_scale(torch.zeros(1, 5, dtype=torch.float64)).exp().numpy() ** 2
    unit = np.log(X.std(0)).sum()  # log p is that of the original values
    exact = st.multivariate_normal(offset, axes.T @ axes + np.diag(noise)).logpdf(fitted.coded(X[:50])) - unit
    assert np.abs(found.value - exact).max() < 5 * found.error.max() + 1e-3
    assert found.error.max() < 0.2


def test_known_gaussian_data_has_its_own_density() -> None:
    root = np.array([[1.0, 0.0], [0.8, 0.6]])
    X = DRAW.normal(size=(3000, 2)) @ root.T
    truth = st.multivariate_normal(np.zeros(2), root @ root.T).logpdf(X[2000:])
    fitted = nw.DensityEstimator(latent_dim=1, epochs=150, random_state=0).fit(X[:2000])
    found = fitted.score_samples(X[2000:])
    assert found.mean() == pytest.approx(truth.mean(), abs=0.03)  # -2.33: above is impossible, but for chance
    assert np.corrcoef(found, truth)[0, 1] > 0.97


def test_independent_discrete_columns_reach_their_entropy() -> None:
    n = 4000
    X = np.stack([DRAW.random(n) < 0.2, DRAW.poisson(2.0, n), DRAW.integers(10, 14, n)], 1).astype(float)
    fitted = nw.DensityEstimator(latent_dim=1, epochs=40, random_state=0).fit(X[:3000])
    assert [kind for kind, *_ in fitted.estimator_.likelihood_.measures] == ["bernoulli", "poisson", "rounded"]
    bits, counts = st.bernoulli(0.2).entropy(), st.poisson(2.0).entropy()
    found = -fitted.score_samples(X[3000:]).mean()
    best = bits + counts + math.log(4)
    assert best - 0.05 < found < best + 0.2  # a rounded Gaussian is not uniform over four values


def test_missing_values_cost_nothing_and_rows_do_not_depend_on_others() -> None:
    X = DRAW.normal(size=(600, 3))
    X[DRAW.random(X.shape) < 0.2] = np.nan
    fitted = nw.DensityEstimator(latent_dim=1, epochs=20, random_state=0).fit(X)
    found = fitted.score_samples(X)
    counts = np.isfinite(X).sum(1)
    means = [-found[counts == k].mean() for k in (1, 2, 3)]
    assert np.allclose(means, np.arange(1, 4) * 0.5 * math.log(2 * math.pi * math.e), atol=0.25)
    assert found[counts == 0] == pytest.approx(0, abs=0.02)
    order = DRAW.permutation(len(X))
    assert np.allclose(fitted.score_samples(X[order][:100]), found[order][:100], atol=1e-9)


def test_levels_of_images_have_probabilities() -> None:
    X = DRAW.integers(0, 256, (500, 4, 4)).astype(np.uint8)
    fitted = nw.DensityEstimator(latent_dim=1, epochs=30, random_state=0).fit(X)
    bits = -fitted.score(X) / 16 / math.log(2)
    assert 8 < bits < 8.4  # uniform levels have 8; the Gaussian over them a third of a bit more


def test_a_family_without_a_posterior_is_refused_before_training() -> None:
    for family in (nw.AutoEncoder(), nw.WassersteinAutoEncoder(epochs=10**9)):
        with pytest.raises(InputError, match="no posterior"):
            nw.DensityEstimator(estimator=family).fit(DRAW.normal(size=(20, 2)))


def mixed(n: int = 300) -> pl.DataFrame:
    group = DRAW.integers(0, 3, n)
    paid = pl.Series(np.exp(0.4 * group + DRAW.normal(0, 0.3, n)))
    return pl.DataFrame(
        {
            "customer_id": np.arange(n) * 7 + 1000,
            "weight": 60 + 15 * group + DRAW.normal(0, 5, n),
            "visits": DRAW.poisson(1.0 + 3 * group),
            "smoker": DRAW.random(n) < 0.2 + 0.3 * group,
            "town": np.array(["Aa", "Bo", "Ce"])[group],
            "paid": paid.set(pl.Series(DRAW.random(n) < 0.1), None),
            "same": ["x"] * n,
            "fraud": (DRAW.random(n) < 0.2).astype(int),
        }
    )


def test_a_mixed_table_from_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, run, out = tmp_path / "t.csv", tmp_path / "run", tmp_path / "out"
    frame = mixed()
    frame.write_csv(table)
    words = ["--label", "fraud", "--epochs", "10", "--samples", "50", "-o", str(run)]
    assert main(["fit", "density", "--no-figures", str(table), *words]) == 0
    report = json.loads((run / "report.json").read_text())
    assert set(report["metrics"]) == {"nats", "bits", "error", "effective", "auroc"}
    assert [name.partition(" (")[0] for name in report["baselines"]] == [
        *("Gaussian", "Gaussian mixture", "kernel density")
    ]
    assert all({"nats", "bits", "auroc"} == set(each) for each in report["baselines"].values())
    assert report["params"]["likelihood"] == "mixed:gaussian*1/poisson*1/bernoulli*1/categorical*3/gaussian*1"
    assert report["metrics"]["bits"]["value"] == pytest.approx(report["metrics"]["nats"]["value"] / 5 / math.log(2))
    found = pl.read_csv(run / "logp.csv")
    named = ["log_p", "standard_error", "effective_sample_size", "bits_per_dimension"]
    assert found.columns == ["customer_id", *named]
    assert found["customer_id"].to_list() == frame["customer_id"].to_list()
    assert found["effective_sample_size"].is_between(1, 50).all()
    new = frame.head(20).with_columns(town=pl.when(pl.col("visits") > 3).then(pl.lit("Xx")).otherwise("town"))
    new.drop("fraud").write_csv(tmp_path / "new.csv")
    capsys.readouterr()
    assert main(["apply", str(run), str(tmp_path / "new.csv"), "-o", str(out)]) == 0
    assert "not seen in the rows learnt from" in capsys.readouterr().err
    again = pl.read_csv(out / "logp.csv")
    odd = (new["town"] == "Xx").to_numpy()
    assert again["log_p"].is_finite().all()  # no row is left out of a mean
    assert (again["log_p"] - found["log_p"].head(20)).to_numpy()[odd].max() < -5
    same = found["log_p"].head(20).to_numpy()
    assert again["log_p"].to_numpy()[~odd] == pytest.approx(same[~odd], abs=1e-4)


def test_units_do_not_matter_to_the_model_but_to_log_p(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": DRAW.normal(size=120), "b": DRAW.normal(size=120)})
    scores = []
    for factor in (1.0, 1000.0):
        frame.with_columns(pl.col("a") * factor).write_csv(tmp_path / "t.csv")
        run = tmp_path / f"run{factor:g}"
        assert main(["fit", "density", str(tmp_path / "t.csv"), "--epochs", "3", "--no-figures", "-o", str(run)]) == 0
        scores.append(pl.read_csv(run / "logp.csv")["log_p"].to_numpy())
    assert scores[1] == pytest.approx(scores[0] - math.log(1000), abs=1e-3)


def test_arrays_few_rows_and_other_families(tmp_path: Path) -> None:
    for name, rows in (("flat", DRAW.normal(size=(30, 3))), ("few", DRAW.integers(0, 2, (8, 3)))):
        np.save(tmp_path / f"{name}.npy", rows)
        run = tmp_path / name
        words = ["--epochs", "2", "--no-figures", "-o", str(run)]
        assert main(["fit", "density", "--no-figures", str(tmp_path / f"{name}.npy"), *words]) == 0
        assert len(pl.read_csv(run / "logp.csv")) == len(rows)
    words = ["--epochs", "1", "--samples", "5", "--no-figures", "-o", str(tmp_path / "digits")]
    assert main(["fit", "density", "--no-figures", "digits", *words]) == 0
    report = json.loads((tmp_path / "digits" / "report.json").read_text())
    assert any("No AUROC" in said for said in report["warnings"])
    assert main(["fit", "density", "digits", "--family", "autoencoder", "-o", str(tmp_path / "no")]) == 2


def test_a_row_far_from_all_others_is_as_unlikely_as_to_the_columns_alone_and_densities_add_up() -> None:
    draw = np.random.default_rng(0)
    X = np.concatenate([draw.normal(-2, 0.1, (200, 1)), draw.normal(2, 0.1, (200, 1))])
    found = nw.DensityEstimator(latent_dim=1, epochs=60, random_state=0).fit(X)
    grid = np.linspace(-12, 12, 1501)
    density = np.exp(found.score_samples(grid[:, None]))
    assert np.trapezoid(density, grid) == pytest.approx(1, abs=0.03)
    alone = st.norm.logpdf(grid, X.mean(), X.std()) + np.log(0.01)
    assert (found.score_samples(grid[:, None]) >= alone - 1e-3).all()
    assert found.score_samples([[9.0]])[0] == pytest.approx(
        st.norm.logpdf(9, X.mean(), X.std()) + np.log(0.01), abs=0.05
    )


def test_the_columns_alone_have_their_own_laws() -> None:
    draw = np.random.default_rng(0)
    X = np.column_stack([draw.normal(5, 3, 500), draw.integers(0, 2, 500), draw.poisson(4, 500)])
    found = nw.DensityEstimator(latent_dim=1, epochs=3, random_state=0).fit(X)
    params = torch.from_numpy(found.background_)[None]
    target = torch.from_numpy(found.coded(X[:5])).float()
    ours = found.estimator_.model_.likelihood.log_prob(params.expand(5, -1), target).detach().numpy()
    wanted = [
        st.norm.logpdf(X[:5, 0], X[:, 0].mean(), X[:, 0].std()),
        st.bernoulli.logpmf(X[:5, 1], X[:, 1].mean()),
        st.poisson.logpmf(X[:5, 2], X[:, 2].mean()),
    ]
    assert ours == pytest.approx(np.stack(wanted, 1), abs=1e-3)


def test_rows_far_from_zero_have_the_same_density_in_reports_and_outputs(tmp_path: Path) -> None:
    X = 1e8 + np.random.default_rng(0).normal(size=(300, 3))
    model = nw.DensityEstimator(latent_dim=1, epochs=5, random_state=0).fit(X)
    assert model.outputs(X, fresh=True)["logp"]["log_p"].mean() == pytest.approx(model.score(X), abs=0.05)
    nats = nw.report(model, X, tmp_path, figures=False)["metrics"]["nats"]["value"]
    assert -nats == pytest.approx(model.score(X[150:]), abs=0.05)


def test_a_value_without_a_probability_is_impossible_and_named() -> None:
    X = DRAW.integers(0, 2, (200, 3)).astype(float)
    model = nw.DensityEstimator(estimator=nw.VAE(likelihood="bernoulli"), latent_dim=1, epochs=2, random_state=0).fit(X)
    held = X[:40].copy()
    held[0, 0], held[1, 1], held[2, 2] = 0.5, 2.0, np.nan
    assert np.isinf(model.score_samples(held)).tolist() == [True, True] + [False] * 38
    found = model.evaluate(Rows(X), Rows(held))
    assert (found.rows, any("2 held-out rows hold a value without" in said for said in found.notes)) == (38, True)


def test_many_rows_of_the_fit_are_scored_with_fewer_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    X = np.random.default_rng(0).normal(size=(400, 3))
    task = nw.DensityEstimator(epochs=2, samples=200, random_state=0).fit(X[:300])
    monkeypatch.setattr("narrows.tasks.density.estimator._SCORED_VALUES", 400 * 3 * 20)
    own, new = (task.outputs(X, fresh=fresh)["logp"] for fresh in (False, True))
    assert own["effective_sample_size"].max() <= 20 < new["effective_sample_size"].max() <= 200
    assert own["log_p"].mean() == pytest.approx(new["log_p"].mean(), abs=0.2)
    notes = task.evaluate(Rows(X[:300]), Rows(X[300:])).notes
    assert any("from 20 importance samples each" in note for note in notes)
