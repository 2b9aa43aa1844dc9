"""Counts: the negative binomial law against SciPy's, as a likelihood, as a column, and where it is chosen."""

import numpy as np
import polars as pl
import pytest
import torch
from scipy.stats import nbinom
from torch.testing import assert_close

import narrows as nw
from narrows.data.tables.count_laws import count_law
from narrows.data.tables.kinds import measures_of
from narrows.likelihood import Mixed
from narrows.likelihood.negative_binomial import draw, log_dispersion, log_prob

DRAW = np.random.default_rng(0)
MEANS, DISPERSIONS = torch.tensor([0.3, 4.0, 250.0]).double(), torch.tensor([0.02, 1.5, 0.4]).double()


def of_scipy(mean: np.ndarray, dispersion: np.ndarray):
    size = 1 / dispersion
    return nbinom(size, size / (size + mean))


def test_probabilities_are_those_of_scipy() -> None:
    counts = torch.arange(0, 900, 7).double()[:, None]
    price = log_prob(MEANS.log(), DISPERSIONS.log(), counts)
    expected = torch.from_numpy(of_scipy(MEANS.numpy(), DISPERSIONS.numpy()).logpmf(counts.numpy()))
    assert_close(price, expected, rtol=1e-9, atol=1e-9)
    single = log_prob(MEANS.log().float(), DISPERSIONS.log().float(), counts.float())
    assert_close(single.double(), expected, rtol=1e-4, atol=1e-4)
    assert log_prob(MEANS.log(), DISPERSIONS.log(), -torch.ones(1, 3)).tolist() == [[-np.inf] * 3]


def test_without_dispersion_they_are_those_of_poisson() -> None:
    counts = torch.arange(40).double()[:, None]
    least = torch.full((1,), -7.0, dtype=torch.float64)
    poisson = torch.distributions.Poisson(torch.tensor([3.0]).double()).log_prob(counts)
    assert_close(log_prob(torch.tensor([3.0]).double().log(), least, counts)[:9], poisson[:9], rtol=0, atol=0.02)


def test_gradients_are_those_of_finite_differences() -> None:
    counts = torch.tensor([[0.0, 3.0, 240.0], [1.0, 0.0, 900.0]]).double()
    parameters = (MEANS.log().requires_grad_(), DISPERSIONS.log().requires_grad_())
    assert torch.autograd.gradcheck(lambda m, a: log_prob(m, a, counts), parameters)


def test_draws_have_mean_and_variance() -> None:
    rng = torch.Generator().manual_seed(0)
    counts = draw(MEANS.log().expand(200_000, 3), DISPERSIONS.log().expand(200_000, 3), rng)
    assert bool((counts == counts.round()).all())
    assert_close(counts.mean(0), MEANS, rtol=0.02, atol=0)
    assert_close(counts.var(0), MEANS + DISPERSIONS * MEANS.square(), rtol=0.03, atol=0)
    assert_close(log_dispersion(counts).exp(), DISPERSIONS, rtol=0.2, atol=0.01)


@pytest.mark.parametrize("dispersion", ["learnt", "predicted"])
def test_an_autoencoder_of_counts_finds_means_and_dispersion(dispersion: str) -> None:
    code = DRAW.normal(size=(1500, 1))
    means = np.exp(1 + 0.5 * code * np.sign(DRAW.normal(size=30)))
    counts = DRAW.negative_binomial(2, 2 / (2 + means)).astype(np.float32)  # a dispersion of 1 / 2
    law = f"negative-binomial:dispersion={dispersion}"
    model = nw.AutoEncoder(latent_dim=1, likelihood=law, epochs=40, lr=1e-2, random_state=0).fit(counts)
    rebuilt = model.reconstruct(counts)
    assert np.corrcoef(np.log(rebuilt).ravel(), np.log(means).ravel())[0, 1] > 0.85
    truth = of_scipy(means, np.array(0.5)).logpmf(counts).sum(1).mean()
    assert model.score_samples(counts).mean() == pytest.approx(truth, rel=0.04)


def test_a_column_of_a_table_is_one() -> None:
    spec = Mixed(("gaussian", "negative-binomial*2", "poisson"), (0.0, 3.0, 2.0, 1.0), (1.0, 4.0, 2.0, 1.0), "learnt")
    module = spec.build((4,)).double()
    target = torch.tensor([[0.5, 5.0, 0.0, 2.0], [0.1, 0.0, 9.0, 0.0]]).double()
    encoded = (target - torch.tensor(spec.shift)) / torch.tensor(spec.scale)
    with torch.no_grad():
        module.raw.copy_(torch.tensor([0.0, np.log(0.5), np.log(2.0)]) / 10)
    params = torch.tensor([[0.0, 1.0, 0.5, 0.3]]).double().expand(2, 4)
    law = of_scipy(np.exp([1.0, 0.5]), np.array([0.5, 2.0]))
    assert_close(
        module.log_prob(params, encoded).detach()[:, 1:3], torch.from_numpy(law.logpmf(target[:, 1:3].numpy()))
    )
    many = module.sample(params[:1].expand(100_000, 4), torch.Generator().manual_seed(0)) * 1.0
    counts = many[:, 1:3] * torch.tensor(spec.scale)[1:3] + torch.tensor(spec.shift)[1:3]
    assert_close(counts.mean(0), torch.from_numpy(law.mean()), rtol=0.03, atol=0)
    assert_close(counts.var(0), torch.from_numpy(law.var()), rtol=0.06, atol=0)
    module.start(encoded.expand(2, 4))
    assert_close(module.raw.detach()[1:] * 10, log_dispersion(target[:, 1:3]), rtol=1e-6, atol=1e-6)
    predicted = Mixed(spec.columns, spec.shift, spec.scale, "predicted").build((4,)).double()
    assert predicted.n_out((4,)) == 4 + 3
    marginal = predicted.marginal(encoded)
    assert marginal is not None
    assert_close(predicted.mean(marginal[None]), encoded.mean(0)[None], rtol=1e-6, atol=1e-6)


def count_table(n: int) -> pl.DataFrame:
    """Counts by what the other columns tell of them: of events, of uneven events, and hardly any chance."""
    rng = np.random.default_rng(0)
    z, w = rng.normal(size=(2, n))
    rate = np.exp(1 + 0.6 * z)
    columns = {"z": z, "w": w, "events": rng.poisson(rate), "uneven": rng.poisson(rate * rng.gamma(1.5, 1 / 1.5, n))}
    return pl.DataFrame({**columns, "sure": np.rint(6 + 2.4 * w + 0.3 * rng.normal(size=n)).clip(0).astype(int)})


def test_the_law_is_what_the_other_columns_leave() -> None:
    frame = count_table(1500)
    expected = ["gaussian", "gaussian", "poisson", "negative-binomial", "rounded"]
    schema = nw.read(frame).fit_schema()
    assert [measure.kind for measure in schema.measures] == expected
    assert [measure.kind for measure in measures_of(frame.to_numpy())] == expected
    assert [column.holding() for column in schema.columns][2:4] == ["count", "count"]
    whole = ["events", "uneven", "sure"]
    assert schema.decode(schema.encode(nw.read(frame))).select(whole).equals(frame.select(whole))


def test_few_rows_change_nothing() -> None:
    counts = DRAW.negative_binomial(1, 0.1, 59).astype(float)
    assert count_law(counts, np.zeros((59, 0))) == "poisson"
    assert count_law(np.append(counts, np.full(400, np.nan)), np.zeros((459, 2))) == "poisson"


def test_learnt_with_the_law_of_the_table_rows_are_likelier() -> None:
    frame = count_table(1200).select("z", "w", "sure")
    learn, held = frame[:800], frame[800:]
    chosen = nw.DensityEstimator(random_state=0).fit(learn)
    schema = nw.read(learn).linear().fit_schema()
    poisson = schema.columns[2].with_law("poisson", learn["sure"], linear=True)
    assert [measure.kind for measure in (schema.measures[2], poisson.measure())] == ["rounded", "poisson"]
    law = Mixed.of([*schema.measures[:2], poisson.measure()])
    forced = nw.DensityEstimator(estimator=nw.VAE(latent_dim=1, likelihood=law), random_state=0).fit(learn)
    assert chosen.score(held) > forced.score(held) + 0.3
