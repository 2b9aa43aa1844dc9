import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

import narrows
from narrows.bottlenecks import Code, Free, Variational
from narrows.data.pairs import Batch
from narrows.errors import InputError
from narrows.estimator.problem import Problem
from narrows.likelihood import Bernoulli, Categorical, Gaussian
from narrows.model import Model, Step
from narrows.networks import Conv
from narrows.parts import as_part
from narrows.penalties import Critic, PatchCritic

SHAPE, TARGET = (1, 9, 10), (2, 9, 10)


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def built(weight=0.7, likelihood=None, bottleneck=Free):
    problem = Problem(SHAPE, TARGET, 0, likelihood or Gaussian(), penalties=(Critic(weight, (4, 6)),))
    return problem.model(Conv((4, 6)), bottleneck(3)).double()


def rows(n=5):
    return torch.randn(n, *SHAPE, dtype=torch.float64), torch.rand(n, *TARGET, dtype=torch.float64)


def step_of(model, x, target):
    code, skips = model.encode(x)
    return Step(x, None, code, model.decode(code.z, skips), target)


def patches(critic, x, image):
    return critic.layers(torch.cat([x, image], 1)).flatten(1)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("critic", Critic()),
        ("critic:0.1", Critic(0.1)),
        ("critic:0.1,64,128", Critic(0.1, (64, 128))),
        ("critic:widths=16/32,weight=2", Critic(2.0, (16, 32))),
    ],
)
def test_it_is_typed(text, made):
    assert as_part("penalty", text) == made


def test_the_spec_stays_a_frozen_setting():
    spec = Critic(0.5, (4,))
    one, two = spec.build(SHAPE, TARGET), spec.build(SHAPE, TARGET)
    assert hash(spec) == hash(Critic(0.5, (4,)))
    assert isinstance(one, PatchCritic)
    assert not torch.equal(one.layers[0].weight, two.layers[0].weight)
    with pytest.raises(TypeError, match="call build"):
        spec(None, None)


def test_the_cost_is_what_fools_the_critic_and_what_it_gets_wrong():
    model, (x, target) = built(likelihood=Bernoulli()), rows()
    (critic,) = model.penalties
    step = step_of(model, x, target)
    fake, real = patches(critic, x, step.params.sigmoid()).sigmoid(), patches(critic, x, target).sigmoid()
    by_hand = -0.7 * fake.log() - real.log() - (1 - fake).log()
    assert_close(critic(model, step), by_hand.mean(1))


@pytest.mark.parametrize("bottleneck", [Free, Variational])
@pytest.mark.parametrize("weight", [0.0, 0.7])
def test_one_pass_back_is_the_two_step_update(weight, bottleneck):
    model, (x, target) = built(weight, bottleneck=bottleneck).eval(), rows()
    (critic,) = model.penalties
    model(Batch(x, target))["critic"].mean().backward()
    got = {name: weight.grad for name, weight in model.named_parameters()}

    model.zero_grad()
    made = model.reconstruct(x)
    (weight * F.softplus(-patches(critic, x, made)).mean(1)).mean().backward()
    generator = {name: weight.grad for name, weight in model.named_parameters() if not name.startswith("critics.")}
    model.zero_grad()
    right = F.softplus(-patches(critic, x, target)) + F.softplus(patches(critic, x, made.detach()))
    right.mean(1).mean().backward()
    judge = {name: weight.grad for name, weight in model.named_parameters() if name.startswith("critics.")}

    assert len(judge) == len(list(critic.parameters())) > 0
    assert all(weight.abs().sum() > 0 for weight in judge.values())
    assert set(got) == {*generator, *judge}
    for name, expected in {**generator, **judge}.items():
        assert (got[name] is None) == (expected is None), name
        if expected is not None:
            assert_close(got[name], expected)


def test_the_model_owns_trains_and_saves_the_critic_and_does_not_wait_for_it():
    model = built()
    assert {name.partition(".")[0] for name in model.state_dict()} == {"encoder", "decoder", "critics"}
    terms = model(Batch(*rows()))
    assert set(terms) == {"reconstruction", "critic"}
    assert terms["critic"].shape == (5,)
    assert model.comparable_loss({"reconstruction": 1.0, "critic": 2.0}) == 1.0
    other = built()
    other.load_state_dict(model.state_dict())
    batch = Batch(*rows())
    assert torch.equal(model(batch)["critic"], other(batch)["critic"])


@pytest.mark.parametrize(
    ("side", "layers", "out"),
    [((1, 1), 0, (1, 1)), ((1, 7), 0, (1, 7)), ((2, 3), 1, (1, 1)), ((5, 4), 2, (1, 1)), ((31, 40), 3, (3, 5))],
)
def test_small_images_have_as_many_halvings_as_fit(side, layers, out):
    critic = Critic(1.0, (4, 8, 8)).build((3, *side), (1, *side))
    assert sum(isinstance(layer, nn.Conv2d) and layer.stride == (2, 2) for layer in critic.layers) == layers
    assert critic.layers(torch.randn(2, 4, *side)).shape == (2, 1, *out)
    model = Model(nn.Identity(), Free(1), nn.Identity(), Gaussian())
    z = torch.zeros(2, 1)
    picture = torch.randn(2, 1, *side)
    cost = critic(model, Step(torch.randn(2, 3, *side), None, Code(z, z[:, 0]), picture, picture))
    assert cost.shape == (2,)
    assert torch.isfinite(cost).all()


def test_a_patch_sees_its_neighbourhood():
    critic = Critic(1.0, (6,)).build((1, 32, 32), (1, 32, 32))
    pair = torch.randn(1, 2, 32, 32, requires_grad=True)
    critic.layers(pair)[0, 0, 8, 8].backward()
    seen = np.flatnonzero(pair.grad.abs().sum((0, 1, 2)).numpy())
    assert seen.tolist() == list(range(13, 21))


def test_a_row_costs_the_same_alone():
    model, (x, target) = built(), rows()
    (critic,) = model.penalties
    together = critic(model, step_of(model, x, target))
    alone = [critic(model, step_of(model, x[i : i + 1], target[i : i + 1])) for i in range(5)]
    assert_close(together, torch.cat(alone))


@pytest.mark.parametrize(("shape", "target"), [((6,), (6,)), ((1, 8, 8), (1, 16, 16)), ((8, 8), (8, 8))])
def test_what_does_not_lie_on_top_of_each_other_is_refused(shape, target):
    with pytest.raises(InputError, match="of the same height and width"):
        Critic().build(shape, target)


def test_labels_are_refused():
    problem = Problem((1, 8, 8), (1, 8, 8), 0, Categorical(3), penalties=(Critic(1.0, (4,)),))
    model = problem.model(Conv((4,)), Free(3))
    with pytest.raises(InputError, match="3 shares for 1 channels of labels"):
        model(Batch(torch.rand(2, 1, 8, 8), torch.zeros(2, 1, 8, 8)))


def test_the_critic_learns_to_tell_a_fixed_reconstruction_from_the_target():
    model = built()
    (critic,) = model.penalties
    x, target = rows(16)
    optimizer = torch.optim.Adam(critic.parameters(), 0.01)
    for _ in range(30):
        optimizer.zero_grad()
        critic(model, step_of(model, x, target)).mean().backward()
        optimizer.step()
    with torch.no_grad():
        real, fake = patches(critic, x, target), patches(critic, x, model.reconstruct(x))
    assert (real > 0).double().mean() > 0.95
    assert (fake < 0).double().mean() > 0.95


def test_an_estimator_trains_with_a_critic_and_saves_it(tmp_path):
    X = np.random.RandomState(0).rand(40, 64).astype(np.float32)
    model = narrows.AutoEncoder(
        latent_dim=2,
        network="conv:4,4",
        image_shape=(1, 8, 8),
        penalties="critic:0.1,4,6",
        corruption="mask:0.3",
        epochs=2,
        random_state=0,
        device="cpu",
    ).fit(X)
    assert all(np.isfinite(epoch["train"]["critic"]) for epoch in model.history_)
    model.save(tmp_path / "run")
    assert np.array_equal(narrows.load(tmp_path / "run").reconstruct(X), model.reconstruct(X))
