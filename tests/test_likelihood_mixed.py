"""Counts, and one law per column of a table: against torch.distributions, and through a schema and back."""

import json
import math

import numpy as np
import polars as pl
import pytest
import torch
from torch import distributions as D
from torch.testing import assert_close

import narrows as nw
from narrows.cli import main
from narrows.data import read, schema_from_json
from narrows.data.tables.kinds import measures_of
from narrows.errors import InputError
from narrows.likelihood import Mixed, Poisson
from narrows.likelihood.mixed_columns import _log_cell
from narrows.parts import as_part, part_from_json, part_json
from narrows.tasks.base import Rows

N = 100_000
WORDS = ("gaussian*2", "categorical*3", "bernoulli", "poisson*2", "rounded", "categorical*3", "categorical*2")
CENTRE = (5.0, 0.0, 0.0, 0.0, 0.0, 0.5, 3.0, 2.0, 7.0, 0.0, 0.0, 0.0, 0.0, 0.0)
SCALE = (2.0, 0.1, 1.0, 1.0, 1.0, 0.5, 1.5, 2.0, 4.0, 1.0, 1.0, 1.0, 1.0, 1.0)


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(1)


def built(dtype=torch.float64):
    made = Mixed(WORDS, CENTRE, SCALE, "learnt").build((14,)).to(dtype)
    with torch.no_grad():
        made.raw.copy_(torch.tensor([0.3, 1.2, 0.8]).log() / 10)
    return made


def rows(n, rng):
    """Values in original units, and the same encoded."""
    values = torch.zeros(n, 14, dtype=torch.float64)
    values[:, :2] = torch.randn(n, 2, generator=rng, dtype=torch.float64) * torch.tensor([2.0, 0.1]) + 1
    for start, width in ((2, 3), (9, 3), (12, 2)):
        level = torch.randint(width, (n,), generator=rng)
        values[:, start : start + width] = torch.nn.functional.one_hot(level, width).double()
    values[:, 5] = torch.randint(2, (n,), generator=rng).double()
    values[:, 6:8] = torch.randint(6, (n, 2), generator=rng).double()
    values[:, 8] = torch.randint(0, 15, (n,), generator=rng).double()
    centre, scale = (torch.tensor(each, dtype=torch.float64) for each in (CENTRE, SCALE))
    return values, (values - centre) / scale


def test_poisson_equals_torch(rng):
    params = torch.randn(7, 3, generator=rng, dtype=torch.float64)
    target = torch.randint(9, (7, 3), generator=rng).double()
    assert_close(Poisson().log_prob(params, target), D.Poisson(params.exp()).log_prob(target))
    assert_close(Poisson().mean(params), params.exp())
    assert Poisson().log_prob(params[:1], -torch.ones(1, 3)).tolist() == [[-math.inf] * 3]
    draws = Poisson().sample(torch.full((N, 1), math.log(3.0)), rng)
    assert (draws == draws.round()).all()
    assert draws.mean().item() == pytest.approx(3, abs=0.03)
    assert draws.var().item() == pytest.approx(3, rel=0.03)


def test_poisson_centre_is_the_optimum_of_a_constant_model(rng):
    target = torch.randint(4, (300, 5), generator=rng).double()
    centre = Poisson().constant_params(target)
    assert_close(centre.exp(), target.mean(0))


def test_mixed_is_the_sum_of_the_laws_of_its_columns(rng):
    made = built()
    params = torch.randn(9, 14, generator=rng, dtype=torch.float64)
    values, encoded = rows(9, rng)
    mean = params * torch.tensor(SCALE) + torch.tensor(CENTRE)
    deviation = torch.tensor([0.3 * 2.0, 1.2 * 0.1])
    expected = D.Normal(mean[:, :2], deviation).log_prob(values[:, :2]).sum(1)
    for start, width in ((2, 3), (9, 3), (12, 2)):
        block = slice(start, start + width)
        expected += D.Categorical(logits=params[:, block]).log_prob(values[:, block].argmax(1))
    expected += D.Bernoulli(logits=params[:, 5]).log_prob(values[:, 5])
    expected += D.Poisson(params[:, 6:8].exp()).log_prob(values[:, 6:8]).sum(1)
    whole = D.Normal(mean[:, 8], 0.8 * 4.0)
    expected += (whole.cdf(values[:, 8] + 0.5) - whole.cdf(values[:, 8] - 0.5)).log()
    assert_close(made.nll(params, encoded), -expected, rtol=1e-6, atol=1e-6)
    assert_close(built(torch.float32).nll(params.float(), encoded.float()).double(), -expected, rtol=1e-4, atol=1e-4)


def test_predicted_scales_are_further_channels(rng):
    learnt, made = built(), Mixed(WORDS, CENTRE, SCALE).build((14,)).double()
    assert (learnt.n_out((14,)), made.n_out((14,)), len(next(iter(made.parameters())))) == (14, 17, 3)
    params = torch.randn(9, 14, generator=rng, dtype=torch.float64)
    _, encoded = rows(9, rng)
    scales = torch.tensor([0.3, 1.2, 0.8], dtype=torch.float64).log().expand(9, 3)
    both = torch.cat([params, scales], 1)
    assert_close(made.log_prob(both, encoded), learnt.log_prob(params, encoded), rtol=1e-6, atol=1e-6)
    assert_close(made.mean(both), learnt.mean(params))
    draws = [each.sample(p, torch.Generator().manual_seed(1)) for each, p in ((made, both), (learnt, params))]
    assert_close(*draws, rtol=1e-6, atol=1e-6)
    _, many = rows(3000, rng)
    learnt.start(many), made.start(many)
    prices = [each.nll(each.constant_params(many).expand(3000, -1), many).mean() for each in (made, learnt)]
    assert_close(*prices, rtol=1e-6, atol=1e-6)
    learnt_spread = Mixed(spread="learnt").for_columns([("gaussian", 1, 0.0, 2.0)])
    assert learnt_spread == Mixed(("gaussian*1",), (0.0,), (2.0,), "learnt")


@pytest.mark.parametrize("deviation", [0.05, 0.4, 3.0, 60.0, 900.0])
def test_the_probabilities_of_rounded_numbers_add_up_to_one(deviation):
    made = Mixed(("rounded",), (0.3,), (1.0,), "learnt").build((1,))
    with torch.no_grad():
        made.raw.fill_(math.log(deviation) / 10)
    reach = int(8 * deviation) + 3
    values = (torch.arange(-reach, reach + 1) - 0.3)[:, None]
    for params in (torch.zeros(1, 1), torch.full((1, 1), 0.45)):
        total = made.log_prob(params.expand(len(values), 1), values).exp().sum().item()
        assert total == pytest.approx(1, abs=1e-3)


def test_a_rounded_number_far_off_has_a_finite_price_and_gradient():
    draws = torch.Generator().manual_seed(0)
    gap = torch.rand(100_000, generator=draws) * 10 ** (8 * torch.rand(100_000, generator=draws))
    step = 10 ** (5 * torch.rand(100_000, generator=draws) - 1.5)
    gap.requires_grad_(), step.requires_grad_()
    price = _log_cell(gap, step)
    price.sum().backward()
    assert all(torch.isfinite(values).all() for values in (price, gap.grad, step.grad))
    exact = _log_cell(gap.detach().double(), step.detach().double())
    near = gap.detach() < 30
    upper = (0.5 * step.detach() - gap.detach())[near].double()
    top = torch.special.log_ndtr(upper)
    share = torch.special.log_ndtr(upper - step.detach()[near].double()) - top
    assert_close(exact[near], top + torch.log(-torch.expm1(share)), rtol=1e-3, atol=1e-3)
    assert_close(price.detach().double(), exact, rtol=1e-4, atol=1e-4)


def test_a_rounded_number_that_is_nearly_always_the_same_has_no_boundless_price():
    made = Mixed(("rounded",), (0.0,), (0.02,), "learnt").build((1,))
    with torch.no_grad():
        made.raw.fill_(-0.7)  # a deviation of a thousandth of the column's, which is of a fiftieth of a step
    prices = -made.log_prob(torch.zeros(2, 1), torch.tensor([[0.0], [50 * 255.0]]))
    assert prices[0].item() < 1e-5  # the usual value
    assert prices[1].item() == pytest.approx(0.5 * (254.5 / 0.1) ** 2, rel=0.01)


def test_a_missing_value_costs_nothing_and_an_impossible_one_everything(rng):
    made = built()
    params = torch.randn(3, 14, generator=rng, dtype=torch.float64)
    _, encoded = rows(3, rng)
    weight = torch.ones(3, 14, dtype=torch.float64)
    weight[:, 0] = weight[:, 6] = 0
    single = made.log_prob(params, encoded)
    odd = encoded.clone()
    odd[:, 6] = -50  # a negative count
    assert_close(made.nll(params, odd, weight), -(single.sum(1) - single[:, 0] - single[:, 6]))
    assert made.nll(params, odd).tolist() == [math.inf] * 3
    for place, value in ((slice(2, 5), 0.0), (slice(5, 6), 3.0)):  # a level never seen, a bit that is neither
        unseen = encoded.clone()
        unseen[:, place] = value
        assert made.nll(params, unseen).tolist() == [math.inf] * 3


def test_draws_are_of_the_kinds_and_means_of_the_columns(rng):
    made = built()
    params = torch.randn(1, 14, generator=rng, dtype=torch.float64).expand(N, 14)
    draws = made.sample(params, rng)
    assert_close(draws.mean(0), made.mean(params)[0], atol=0.03, rtol=0.02)
    values = draws * torch.tensor(SCALE) + torch.tensor(CENTRE)
    assert set(values[:, 5].round(decimals=9).tolist()) == {0.0, 1.0}
    assert_close(values[:, 6:9], values[:, 6:9].round(), atol=1e-9, rtol=0)
    assert (draws[:, 2:5].sum(1) == 1).all()
    assert ((draws[:, 2:5] == 0) | (draws[:, 2:5] == 1)).all()
    assert draws[:, 0].std().item() == pytest.approx(0.3, rel=0.02)
    again = made.sample(params[:5], torch.Generator().manual_seed(3))
    assert_close(made.sample(params[:5], torch.Generator().manual_seed(3)), again, rtol=0, atol=0)


def test_a_constant_model_starts_at_the_entropy_of_independent_columns(rng):
    _, encoded = rows(20_000, rng)
    made = Mixed(WORDS, CENTRE, SCALE, "learnt").build((14,)).double()
    made.start(encoded)
    found = made.nll(made.constant_params(encoded).expand(len(encoded), 14), encoded).mean().item()
    gaussian = sum(0.5 * math.log(2 * math.pi * math.e * deviation**2) for deviation in (2.0, 0.1))
    levels = 2 * math.log(3) + 2 * math.log(2)
    poisson = -2 * D.Poisson(torch.tensor(2.5)).log_prob(torch.arange(6.0)).mean().item()
    deviation = math.sqrt((15**2 - 1) / 12)
    rounded = 0.5 * math.log(2 * math.pi * math.e * deviation**2)
    assert found == pytest.approx(gaussian + levels + poisson + rounded, abs=0.05)


def test_a_spec_is_a_text_and_json(rng):
    spec = Mixed.of([("gaussian", 1, 5.0, 2.0), ("gaussian", 1, 0.0, 0.1), ("categorical", 3, 0.0, 1.0)])
    assert spec.short == "mixed:gaussian*2/categorical*3"
    assert as_part("likelihood", str(spec)) == spec
    assert as_part("likelihood", "mixed:gaussian*2/categorical*3") == Mixed(("gaussian*2", "categorical*3"))
    assert part_from_json(json.loads(json.dumps(part_json(spec)))) == spec
    assert hash(spec) == hash(Mixed(("gaussian*2", "categorical*3"), spec.shift, spec.scale))
    for wrong, shape in ((Mixed(), (3,)), (spec, (4,)), (spec, (5, 2, 2)), (Mixed(("gauss*3",)), (3,))):
        with pytest.raises(InputError):
            wrong.build(shape)


# ---- the kinds of a table's columns ----------------------------------------------------------------------------------

DRAW = np.random.default_rng(0)


def table(n=400):
    return pl.DataFrame(
        {
            "weight": DRAW.normal(70, 9, n),
            "flag": DRAW.random(n) < 0.3,
            "dose": DRAW.choice([5, 10], n),
            "visits": DRAW.poisson(2.0, n),
            "age": DRAW.normal(45, 4, n).round().astype(int),
            "paid": pl.Series(DRAW.poisson(1.0, n).astype(float)).set(pl.Series(np.arange(n) % 5 == 0), None),
            "town": DRAW.choice(["Aa", "Bo", "Ce"], n),
            "day": pl.Series(DRAW.integers(18000, 19000, n)).cast(pl.Int32).cast(pl.Date),
            "same": ["x"] * n,
        }
    )


def test_a_schema_says_what_its_columns_are_in_their_own_units():
    source = read(table())
    schema = schema_from_json(json.loads(json.dumps(source.fit_schema().to_json())))
    kinds = [(measure.kind, measure.width) for measure in schema.measures]
    assert kinds == [
        *[("gaussian", 1), ("bernoulli", 1), ("bernoulli", 1), ("poisson", 1), ("rounded", 1), ("poisson", 1)],
        *[("categorical", 3), ("rounded", 1)],
    ]
    values = schema.encode(source)
    spec = Mixed.of(schema.measures)
    raw = values * spec.scale + spec.shift
    frame = source.frame
    assert raw[:, 0] == pytest.approx(frame["weight"].to_numpy())
    assert raw[:, 1] == pytest.approx(frame["flag"].to_numpy().astype(float))
    assert raw[:, 2] == pytest.approx((frame["dose"].to_numpy() == 10).astype(float))
    assert raw[:, 3] == pytest.approx(frame["visits"].to_numpy())
    gaps = raw[:, [4, 9]] - raw[0, [4, 9]]
    assert gaps == pytest.approx(gaps.round(), abs=1e-9)
    known = schema.known(source)
    assert known.sum(0).tolist() == [400] * 5 + [320] + [400] * 4
    assert np.array_equal(known[:, 5], frame["paid"].is_not_null().to_numpy())


def test_draws_come_back_in_the_types_of_the_table():
    source = read(table())
    schema = source.fit_schema()
    made = Mixed.of(schema.measures).build(schema.shape)
    encoded = torch.from_numpy(schema.encode(source)).float()
    made.start(encoded)
    params = made.constant_params(encoded).expand(2000, -1)
    back = schema.decode(made.sample(params, torch.Generator().manual_seed(0)).detach().numpy())
    assert back.schema == source.frame.schema
    assert set(back["town"]) == {"Aa", "Bo", "Ce"}
    assert set(back["dose"]) == {5, 10}
    assert set(back["flag"]) == {True, False}
    assert back["visits"].min() == 0
    assert back["visits"].mean() == pytest.approx(source.frame["visits"].mean(), rel=0.1)
    assert back["age"].std() == pytest.approx(source.frame["age"].std(), rel=0.1)
    assert ((back["paid"] - back["paid"].round()).abs() < 1e-6).all()
    assert back["weight"].mean() == pytest.approx(source.frame["weight"].mean(), rel=0.02)


def test_columns_of_an_array_are_told_apart():
    X = np.array([[0.0, 0.5, 0, 40, np.nan], [1, 0.7, 1, 41, 2], [1, 0.1, 4, 43, 2], [0, 0.2, 0, 44, 3]])
    assert [each.kind for each in measures_of(X)] == ["bernoulli", "gaussian", "poisson", "rounded", "bernoulli"]
    levels = np.array([[0, 7, 0], [255, 9, 0], [0, 80, 0]], np.uint8)
    found = measures_of(levels)
    assert [each.kind for each in found] == ["bernoulli", "rounded", "rounded"]
    assert found[0].centre + found[0].scale * 1.0 == 1.0  # white is 1 in [0, 1] already
    assert found[1].scale == 255


def test_any_task_takes_the_likelihood_and_gives_back_the_types(tmp_path):
    table().write_csv(tmp_path / "t.csv")
    words = ["--likelihood", "mixed", "--latent-dim", "6", "--epochs", "60", "-o", str(tmp_path / "run")]
    assert main(["fit", "reduce", "--no-figures", str(tmp_path / "t.csv"), *words]) == 0
    back, real = (pl.read_csv(tmp_path / name, try_parse_dates=True) for name in ("run/reconstruction.csv", "t.csv"))
    assert [back[name].dtype for name in real.columns] == [real[name].dtype for name in real.columns]
    assert set(back["town"]) <= {"Aa", "Bo", "Ce"}
    assert (back["town"] == real["town"]).mean() > 0.45  # a third by chance
    assert main(["fit", "reduce", "digits", *words[:-1], str(tmp_path / "no")]) == 2


def test_ages_and_percentages_are_measured_and_clicks_are_counted():
    draw = np.random.default_rng(0)
    columns = {
        "rounded": [draw.integers(18, 91, 600), draw.integers(0, 101, 600), np.rint(draw.normal(500, 150, 600))],
        "poisson": [draw.poisson(4, 600), draw.poisson(60, 600)],
        "negative-binomial": [draw.negative_binomial(1, 0.2, 600), draw.negative_binomial(4, 0.2, 600)],
    }
    for kind, each in columns.items():
        assert [found.kind for found in measures_of(np.stack(each, 1))] == [kind] * len(each)


@pytest.mark.parametrize("value", [0.5, -3.25, 1e-9])
def test_a_constant_real_column_costs_nothing(value: float):
    X = np.column_stack([np.random.default_rng(0).normal(size=(200, 2)), np.full(200, value)])
    whole, alone = (nw.DensityEstimator(latent_dim=1, epochs=20, random_state=0).fit(each) for each in (X, X[:, :2]))
    assert measures_of(X)[2].kind == "rounded"
    assert whole.score(X) == pytest.approx(alone.score(X[:, :2]), abs=0.15)
    found = whole.evaluate(Rows(X[:150]), Rows(X[150:]))
    assert max(abs(found.metrics["nats"].value - each["nats"]) for each in found.baselines.values()) < 1


# ---- numbers that recur ----------------------------------------------------------------------------------------------

ATOMS = Mixed(("gaussian@0.0", "gaussian", "gaussian@-1.0@4.0"), (1.0, 0.0, 2.0), (2.0, 1.0, 0.5))


def test_atoms_and_the_density_of_the_others_add_up_to_one(rng):
    made = ATOMS.build((3,)).double()
    params = torch.randn(1, made.n_out((3,)), generator=rng, dtype=torch.float64)
    assert made.n_out((3,)) == 3 + 3 + 3  # means, scales, logits of the atoms
    grid = torch.linspace(-400, 400, 200_001, dtype=torch.float64)
    for column, (atoms, logits) in {0: ((0.0,), params[0, 6:7]), 2: ((-1.0, 4.0), params[0, 7:9])}.items():
        centre, scale = ATOMS.shift[column], ATOMS.scale[column]
        shares = torch.cat([logits, torch.zeros(1)]).softmax(0)
        values = torch.tensor([*atoms, 1.234], dtype=torch.float64)
        rows = torch.zeros(len(values), 3, dtype=torch.float64)
        rows[:, column] = (values - centre) / scale
        found = made.log_prob(params.expand(len(rows), -1), rows)[:, column].exp()
        assert_close(found[:-1], shares[:-1])
        mean, deviation = params[0, column] * scale + centre, params[0, 3 + column].exp() * scale
        assert_close(found[-1], shares[-1] * D.Normal(mean, deviation).log_prob(values[-1]).exp())
        rows = torch.zeros(len(grid), 3, dtype=torch.float64)
        rows[:, column] = grid
        density = made.log_prob(params.expand(len(rows), -1), rows)[:, column].exp()
        density[(grid == 0) | (density > 10)] = 0
        mass = torch.trapezoid(density, grid * scale).item()
        assert mass + shares[:-1].sum().item() == pytest.approx(1, abs=1e-2)
        draws = made.sample(params.expand(N, -1), rng)[:, column] * scale + centre
        for atom, share in zip(atoms, shares, strict=False):
            same = (draws - atom).abs() < 1e-9
            assert same.double().mean().item() == pytest.approx(share.item(), abs=0.01)
        expected = made.mean(params)[0, column] * scale + centre
        assert draws.mean().item() == pytest.approx(expected.item(), abs=5 * draws.std().item() / N**0.5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_columns_alone_start_at_the_shares_of_atoms_and_the_moments_of_the_others(dtype, rng):
    rest = torch.randn(4000, 3, generator=rng, dtype=torch.float64) * 2 + 3
    rest[:1000, 0] = 0.0
    rest[1000:1800, 2], rest[1800:2000, 2] = -1.0, 4.0
    encoded = ((rest - torch.tensor(ATOMS.shift)) / torch.tensor(ATOMS.scale)).to(dtype)
    made = ATOMS.build((3,)).to(dtype)
    made.start(encoded)
    found = made.marginal(encoded).double()
    mean = found[:3] * torch.tensor(ATOMS.scale) + torch.tensor(ATOMS.shift)
    others = rest[1000:, 0], rest[:, 1], torch.cat([rest[:1000, 2], rest[2000:, 2]])
    assert_close(mean, torch.stack([each.mean() for each in others]), rtol=1e-4, atol=0)
    shares = torch.cat([found[7:9], torch.zeros(1)]).softmax(0)
    assert_close(shares, torch.tensor([0.2, 0.05, 0.75], dtype=torch.float64), rtol=1e-4, atol=0)
    deviation = made.log_scale(found[None].to(dtype))[0].exp().double() * torch.tensor(ATOMS.scale)
    assert_close(deviation, torch.stack([each.std(correction=0) for each in others]), rtol=1e-4, atol=0)


def test_words_of_atoms_read_back_and_wrong_ones_are_refused():
    measures = measures_of(np.append(np.zeros(40), np.random.default_rng(0).normal(size=40))[:, None])
    assert [measure.atoms for measure in measures] == [(0.0,)]
    spec = Mixed.of(measures)
    assert spec.columns == ("gaussian@0.0*1",)
    assert part_from_json(json.loads(json.dumps(part_json(spec)))) == spec
    assert as_part("likelihood", str(spec)).measures == spec.measures == list(measures)
    for word in ("rounded@0", "gaussian@x", "gaussian@0*0"):
        with pytest.raises(InputError, match="no column of a mixed likelihood"):
            Mixed((word,)).build((1,))


def test_what_was_never_seen_has_a_thousandth_of_the_columns_alone(rng):
    made = built()
    params = torch.randn(3, 14, generator=rng, dtype=torch.float64)
    _, encoded = rows(3, rng)
    known = made.background(params, encoded)
    assert_close(known, made.nll(params, encoded) - 6 * math.log1p(-1e-3))  # of six discrete columns
    unseen = encoded.clone()
    unseen[:, 2:5], unseen[:, 5], unseen[:, 6] = 0.0, 3.0, -50.0
    assert torch.isfinite(made.background(params, unseen)).all()
    single = made.log_prob(params, encoded)
    seen = single[:, 2:7].sum(1) + 3 * math.log1p(-1e-3)
    assert_close(made.background(params, unseen), known + seen - 3 * math.log(1e-3))
