import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from narrows.bottlenecks import Free, Variational
from narrows.corruption import GaussianNoise, Mask
from narrows.data.pairs import Batch
from narrows.likelihood import Bernoulli, Categorical, Gaussian, Laplace, Multinomial
from narrows.model import Model, attach
from narrows.networks import Conv, Dense, Sizes
from narrows.penalties import L1, Contractive, Penalty
from narrows.schedule import Ramp

LIKELIHOODS = [
    Gaussian(),
    Gaussian("learnt"),
    Gaussian("predicted"),
    Laplace(),
    Bernoulli(),
    Categorical(3),
    Multinomial(),
]
BOTTLENECKS = [
    lambda: Free(4),
    lambda: Variational(4, beta=2.0),
    lambda: Variational(4, beta=Ramp(0, 1, 0.5), free_bits=0.2),
]
PENALTIES = [(), (L1(0.3),), (L1(0.1), L1(0.2)), (Contractive(0.1),), (Contractive(0.1, "exact"), L1(0.1))]


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def build(likelihood, bottleneck, penalties=(), corruption=None, shape=(6,), n_cond=0):
    priced = likelihood.build(shape)
    network = Dense((8,)) if len(shape) == 1 else Conv((4,))
    sizes = Sizes(shape, shape, bottleneck.n_in, bottleneck.n_out, priced.n_out(shape), n_cond)
    encoder, decoder = network.build(sizes)
    return Model(encoder, bottleneck, decoder, priced, corruption=corruption, penalties=penalties)


def rows(shape=(6,), n=5, n_cond=0):
    x = torch.randint(3, (n, *shape)).float() / 2
    cond = torch.rand(n, n_cond) if n_cond else None
    return Batch(x, (2 * x).round(), cond)


@settings(deadline=None)
@given(
    likelihood=st.sampled_from(LIKELIHOODS),
    bottleneck=st.sampled_from(BOTTLENECKS),
    penalties=st.sampled_from(PENALTIES),
    shape=st.sampled_from([(6,), (2, 5, 4)]),
    n_cond=st.sampled_from([0, 2]),
    progress=st.floats(0, 1),
    training=st.booleans(),
)
def test_the_terms_add_up_to_the_loss(likelihood, bottleneck, penalties, shape, n_cond, progress, training):
    if isinstance(likelihood, Multinomial):
        shape = (6,)
    code = bottleneck()
    model = build(likelihood, code, penalties, shape=shape, n_cond=n_cond).double().train(training)
    batch = Batch(*(None if part is None else part.double() for part in rows(shape, n_cond=n_cond)))
    if isinstance(likelihood, Bernoulli):
        batch = batch._replace(target=batch.target.clamp(0, 1))
    with torch.random.fork_rng():
        torch.manual_seed(1)
        terms = model(batch, progress)
        torch.manual_seed(1)
        made, skips = model.encode(batch.x, batch.cond, progress)
        params = model.decode(made.z, skips, batch.cond)
        loss = model.likelihood.nll(params, batch.target) + made.cost
        for penalty in penalties:
            step = type("Step", (), {"x": batch.x, "cond": batch.cond, "code": made})
            loss = loss + penalty(model, step)
    assert all(term.shape == (5,) for term in terms.values())
    assert_close(torch.stack(list(terms.values())).sum(0), loss)
    expected = {"reconstruction", *({"kl"} if isinstance(code, Variational) else ()), *(p.name for p in penalties)}
    assert set(terms) == expected


def test_gradients_reach_every_slot():
    model = build(Gaussian("learnt"), Variational(4), (L1(0.1),))
    sum(term.sum() for term in model(rows()).values()).backward()
    assert all(weight.grad is not None for weight in model.parameters())


def test_two_penalties_of_one_name_both_count():
    once, twice = build(Gaussian(), Free(3), (L1(0.3),)), None
    twice = Model(once.encoder, once.bottleneck, once.decoder, once.likelihood, penalties=(L1(0.1), L1(0.2)))
    batch = rows()
    assert_close(once(batch)["l1"], twice(batch)["l1"])


def test_a_plain_function_may_be_a_penalty_or_a_corruption():
    def length(model, step):
        return step.code.z.square().sum(1)

    model = build(Gaussian(), Free(3), (length,), corruption=lambda x: 0 * x)
    batch = rows()
    terms = model(batch)
    z = model.encode(0 * batch.x)[0].z
    assert_close(terms["length"], z.square().sum(1))
    assert model.comparable_loss({"reconstruction": 1.0, "length": 2.0}) == 3.0


def test_what_does_not_settle_is_left_out_of_the_stopping_criterion():
    class Moving(Penalty):
        name, comparable = "moving", False

        def __call__(self, model, step):
            return step.code.z.sum(1)

    class Restless(Free):
        term, comparable = "restless", False

    terms = {"reconstruction": 1.0, "moving": 2.0, "restless": 4.0}
    assert build(Gaussian(), Free(3), (Moving(),)).comparable_loss(terms) == 5.0
    assert build(Gaussian(), Restless(3), (Moving(),)).comparable_loss(terms) == 1.0
    model = build(Gaussian(), Variational(3), (L1(),))
    assert model.comparable_loss({"reconstruction": 1.0, "kl": 2.0, "l1": 4.0}) == 7.0


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=str)
def test_nats_are_deterministic_in_eval_and_the_loss_without_noise_and_penalties(likelihood):
    model = build(likelihood, Variational(4, beta=Ramp(0, 3, 1.0)), (L1(5.0),), Mask(0.5)).eval()
    batch = rows()
    if isinstance(likelihood, Bernoulli):
        batch = batch._replace(target=batch.target.clamp(0, 1))
    first = model.nll(batch)
    assert torch.equal(first, model.nll(batch))
    code, _ = model.encode(batch.x)
    expected = model.likelihood.nll(model.decode(code.z), batch.target) + code.cost
    assert_close(first, expected)
    assert torch.equal(model.reconstruct(batch.x), model.reconstruct(batch.x))


def test_rows_do_not_depend_on_the_other_rows_in_eval():
    model = build(Gaussian(), Variational(4, free_bits=1.0)).double().eval()
    batch = Batch(torch.rand(8, 6, dtype=torch.float64), torch.rand(8, 6, dtype=torch.float64))
    alone = torch.cat([model.nll(Batch(batch.x[i : i + 1], batch.target[i : i + 1])) for i in range(8)])
    assert_close(model.nll(batch), alone)


def test_the_input_is_corrupted_and_the_target_is_not():
    seen = []
    model = build(Gaussian(), Free(3), corruption=GaussianNoise(0.5))
    model.encoder.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    x = torch.zeros(2000, 6)
    terms = model(Batch(x, x))
    assert seen[0].std().item() == pytest.approx(0.5, rel=0.03)
    params = model.decode(model.features(seen[0]))
    assert_close(terms["reconstruction"], Gaussian().nll(params, x))


def test_weights_hide_values_from_the_loss():
    model = build(Gaussian(), Free(3)).eval()
    batch = rows()
    hidden = batch._replace(weight=torch.zeros(5, 6))
    assert_close(model.nll(hidden), torch.zeros(5))
    assert_close(model.nll(batch._replace(weight=torch.ones(5, 6))), model.nll(batch))


def test_the_condition_is_appended_to_every_position():
    x, cond = torch.rand(2, 3, 4, 5), torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    joined = attach(x, cond)
    assert joined.shape == (2, 5, 4, 5)
    assert torch.equal(joined[:, :3], x)
    assert torch.equal(joined[1, 4], torch.full((4, 5), 4.0))
    assert attach(x, None) is x


def test_the_condition_changes_code_and_reconstruction():
    model = build(Gaussian(), Free(3), n_cond=2).eval()
    x = torch.rand(1, 6)
    one, two = (model.reconstruct(x, torch.tensor([cond])) for cond in ([1.0, 0.0], [0.0, 1.0]))
    assert not torch.allclose(one, two)


def test_the_model_is_saved_whole():
    model, other = (build(Gaussian("learnt"), Variational(3)) for _ in range(2))
    model.likelihood.start(torch.rand(10, 6))
    other.load_state_dict(model.state_dict())
    x = torch.rand(4, 6)
    assert torch.equal(model.eval().reconstruct(x), other.eval().reconstruct(x))
    assert "likelihood.raw" in model.state_dict()


def test_skips_go_from_encoder_to_decoder():
    class Pass(nn.Module):
        def forward(self, x, skips=None):
            return (x, 2 * x, x[:, :2]) if skips is None else sum(skips) + z_to(x, 6)

    def z_to(z, size):
        return torch.zeros(len(z), size)

    model = Model(Pass(), Free(2), Pass(), Gaussian())
    x = torch.rand(3, 6)
    assert_close(model.reconstruct(x), 3 * x)


@pytest.mark.parametrize("likelihood", [Gaussian(), Gaussian("predicted"), Laplace(), Bernoulli(), Categorical(3)])
@pytest.mark.parametrize("bottleneck", BOTTLENECKS)
def test_terms_are_summed_in_single_precision_under_autocast(likelihood, bottleneck):
    model = build(likelihood, bottleneck(), (L1(0.3),), shape=(300,)).eval()
    batch = rows((300,))
    seen = {}
    model.decoder.register_forward_hook(lambda _, __, out: seen.update(params=out.detach()))
    model.encoder.register_forward_hook(lambda _, __, out: seen.update(h=out[-1].detach()))
    with torch.autocast("cpu", torch.bfloat16):
        terms = model(batch)
    assert seen["h"].dtype == seen["params"].dtype == torch.bfloat16
    code = model.bottleneck(seen["h"].double())
    exact = {"reconstruction": model.likelihood.nll(seen["params"].double(), batch.target.double())}
    exact |= {"kl": code.cost, "l1": 0.3 * code.z.abs().sum(1)}
    for name, term in terms.items():
        assert term.dtype == torch.float32
        assert_close(term.double(), exact[name], rtol=1e-5, atol=1e-6)
