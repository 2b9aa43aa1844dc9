from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.testing import assert_close

from narrows.bottlenecks import Adversarial, Matched, TopK
from narrows.bottlenecks.matched import squared_mmd
from narrows.errors import InputError


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


# ---- the k largest ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spatial", [(), (3,), (2, 5)])
def test_only_the_largest_positive_numbers_of_a_vector_are_kept(spatial):
    h = torch.randn(6, 8, *spatial)
    code = TopK(8, 3)(h)
    rows, kept = (each.movedim(1, -1).reshape(-1, 8) for each in (h, code.z))
    for row, z in zip(rows.tolist(), kept.tolist(), strict=True):
        best = sorted(row)[-3:]
        assert z == [value if value in best and value > 0 else 0 for value in row]
    assert torch.equal(code.cost, torch.zeros(6))
    assert torch.equal(TopK(8, 3).eval()(h).z, code.z)


def test_only_what_is_kept_has_a_gradient():
    h = torch.tensor([[3.0, 1.0, 2.0, -4.0], [-1.0, -2.0, 5.0, -3.0]], requires_grad=True)
    TopK(4, 2)(h).z.sum().backward()
    assert h.grad.tolist() == [[1, 0, 1, 0], [0, 0, 1, 0]]


def test_units_that_no_row_uses_are_idle():
    h = torch.tensor([[3.0, 1.0, 2.0, -4.0], [4.0, 1.0, 2.0, -4.0]])
    for k, rows, idle in (
        (2, h, [0, 1, 0, 1]),
        (3, h, [0, 0, 0, 1]),
        (4, h.unsqueeze(2).expand(2, 4, 3), [0, 0, 0, 1]),
    ):
        bottleneck = TopK(4, k)
        bottleneck(rows)
        assert bottleneck.idle.tolist() == idle
        bottleneck.eval()(rows)
        assert bottleneck.idle.tolist() == idle


@pytest.mark.parametrize("k", [0, 5, -1])
def test_k_must_fit(k):
    with pytest.raises(InputError, match="1 to 4"):
        TopK(4, k)


# ---- the critic ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spatial", [(), (2, 3)])
@pytest.mark.parametrize("weight", [1.0, 0.3])
def test_one_sum_has_the_gradients_of_the_two_steps(spatial, weight):
    layer, x = nn.Linear(5, 4).double(), torch.randn(6, *spatial, 5, dtype=torch.float64)
    bottleneck = Adversarial(4, weight, widths=(7, 6)).double()
    encode = lambda: layer(x).movedim(-1, 1)  # noqa: E731
    torch.manual_seed(5)
    bottleneck(encode()).cost.mean().backward()
    ours = [p.grad.clone() for p in (*layer.parameters(), *bottleneck.parameters())]

    critic, positions = bottleneck.critic, max(1, x[0].numel() // 5)

    def crossed(z, label):
        logit = critic(z)
        return positions * binary_cross_entropy_with_logits(logit, torch.full_like(logit, label))

    torch.manual_seed(5)
    z = layer(x)
    draws = torch.randn_like(z)
    critic_step = torch.autograd.grad(crossed(draws, 1.0) + crossed(z.detach(), 0.0), list(critic.parameters()))
    encoder_step = torch.autograd.grad(weight * crossed(layer(x), 1.0), list(layer.parameters()))
    for mine, theirs in zip(ours, (*encoder_step, *critic_step), strict=True):
        assert_close(mine, theirs)


def test_in_eval_mode_a_row_costs_what_the_critic_thinks_of_it_alone():
    h, bottleneck = torch.randn(9, 3), Adversarial(3, 0.5).eval()
    expected = -0.5 * torch.sigmoid(bottleneck.critic(h)).squeeze(1).log()
    code = bottleneck(h)
    assert torch.equal(code.z, h)
    assert_close(code.cost, expected)
    assert torch.equal(bottleneck(h).cost, code.cost)
    assert_close(bottleneck(h[4:5]).cost, code.cost[4:5])
    maps = h.T.reshape(1, 3, 9)
    assert_close(bottleneck(maps).cost, code.cost.sum().view(1))


def test_in_training_mode_the_prior_is_drawn_anew():
    h, bottleneck = torch.randn(9, 3), Adversarial(3)
    assert not torch.equal(bottleneck(h).cost, bottleneck(h).cost)


def learnt(bottleneck):
    """Codes of a linear encoder of normal data that starts off the prior."""
    layer = nn.Linear(2, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.3, 0.0], [0.2, 0.2]]))
        layer.bias.fill_(1.0)
    optimizer = torch.optim.Adam([*layer.parameters(), *bottleneck.parameters()], 0.01, betas=(0.5, 0.9))
    for _ in range(250):
        cost = bottleneck(layer(torch.randn(100, 2))).cost.mean()
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
    return layer(torch.randn(4000, 2)).detach()


@pytest.mark.parametrize("bottleneck", [partial(Adversarial, widths=(32, 32)), Matched])
def test_codes_come_to_follow_the_prior(bottleneck):
    codes = learnt(bottleneck(2))
    assert codes.mean(0).abs().max() < 0.3
    assert_close(torch.cov(codes.T), torch.eye(2), rtol=0, atol=0.35)


@pytest.mark.parametrize("bottleneck", [Adversarial, Matched])
def test_the_prior_is_standard_normal(bottleneck):
    z = bottleneck(3).sample((20_000, 3, 2), torch.Generator().manual_seed(1))
    assert torch.equal(z, torch.randn((20_000, 3, 2), generator=torch.Generator().manual_seed(1)))


@pytest.mark.parametrize("make", [lambda: Adversarial(4), lambda: Matched(4), lambda: TopK(4, 2)])
@pytest.mark.parametrize("spatial", [(), (2, 3)])
def test_half_precision_costs_the_same_and_both_sides_learn(make, spatial):
    bottleneck = make()
    h = torch.randn(6, 4, *spatial).bfloat16().requires_grad_()
    bottleneck.eval()
    with torch.autocast("cpu", torch.bfloat16):
        code = bottleneck(h)
    assert_close(code.cost.float(), bottleneck(h.float()).cost)
    assert torch.equal(code.z.float(), bottleneck(h.float()).z)
    bottleneck.train()
    with torch.autocast("cpu", torch.bfloat16):
        code = bottleneck(h)
    (code.cost.sum() + code.z.sum()).backward()
    assert h.grad.isfinite().all()
    assert all(p.grad.abs().sum() > 0 for p in bottleneck.parameters())


def test_a_critic_survives_its_state_dict():
    h, one, other = torch.randn(5, 3), Adversarial(3).eval(), Adversarial(3).eval()
    assert not torch.equal(one(h).cost, other(h).cost)
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(h).cost, other(h).cost)
    assert Matched(3).state_dict() == {}


# ---- the maximum mean discrepancy ------------------------------------------------------------------------------------


def by_pairs(a, b):
    """The estimator of Tolstikhin et al. 2018, algorithm 2, pair by pair."""

    def kernel(u, v):
        gap = sum((p - q) ** 2 for p, q in zip(u, v, strict=True))
        return sum(2 * len(u) * s / (2 * len(u) * s + gap) for s in (0.1, 0.2, 0.5, 1, 2, 5, 10))

    def within(rows):
        pairs = [kernel(u, v) for i, u in enumerate(rows) for j, v in enumerate(rows) if i != j]
        return sum(pairs) / (len(rows) * (len(rows) - 1))

    between = [kernel(u, v) for u in a for v in b]
    return within(a) + within(b) - 2 * sum(between) / len(between)


@pytest.mark.parametrize(("n", "m", "d"), [(2, 2, 1), (6, 6, 3), (5, 9, 4)])
def test_the_mmd_is_that_of_all_pairs(n, m, d):
    a, b = torch.randn(n, d, dtype=torch.float64), 1 + torch.randn(m, d, dtype=torch.float64)
    assert squared_mmd(a, b).item() == pytest.approx(by_pairs(a.tolist(), b.tolist()), rel=1e-9)
    assert squared_mmd(a.float(), b.float()).item() == pytest.approx(by_pairs(a.tolist(), b.tolist()), rel=1e-4)


def test_the_mmd_of_two_normal_samples_is_zero_on_average_and_of_others_large():
    values = torch.stack([squared_mmd(torch.randn(60, 3), torch.randn(60, 3)) for _ in range(300)])
    assert abs(values.mean()) < 4 * values.std() / 300**0.5
    assert values.min() < 0
    for other in (torch.randn(60, 3) + 2, 3 * torch.randn(60, 3), 0.1 * torch.randn(60, 3)):
        assert squared_mmd(other, torch.randn(60, 3)) > 8 * values.std()


def test_codes_far_away_leave_the_mmd_finite_and_its_gradient_alive():
    a = (10_000 + torch.randn(20, 2)).requires_grad_()
    b = torch.randn(20, 2)
    mmd = squared_mmd(a, b)
    assert mmd.item() == pytest.approx(squared_mmd(a.double(), b.double()).item(), rel=1e-4)
    mmd.backward()
    assert a.grad.isfinite().all()
    together = torch.zeros(20, 2, requires_grad=True)
    squared_mmd(together, torch.randn(20, 2)).backward()
    assert together.grad.isfinite().all()


@pytest.mark.parametrize("spatial", [(), (2, 3)])
def test_every_row_is_given_the_mmd_of_the_batch(spatial):
    h, bottleneck = torch.randn(8, 4, *spatial), Matched(4, weight=3.0)
    torch.manual_seed(7)
    code = bottleneck(h)
    torch.manual_seed(7)
    expected = 3 * squared_mmd(h.flatten(1), torch.randn_like(h.flatten(1)))
    assert torch.equal(code.z, h)
    assert_close(code.cost, expected.expand(8))
    assert not torch.equal(bottleneck(h).cost, code.cost)
    assert torch.equal(bottleneck.eval()(h).cost, torch.zeros(8))  # a row alone has no distribution


def test_a_single_row_costs_nothing():
    for mode in (True, False):
        h = torch.randn(1, 4, requires_grad=True)
        code = Matched(4).train(mode)(h)
        assert code.cost.tolist() == [0.0]
        code.z.sum().backward()
        assert h.grad.isfinite().all()
