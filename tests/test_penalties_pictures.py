import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from narrows.bottlenecks import Code, Free
from narrows.errors import InputError
from narrows.likelihood import Bernoulli, Categorical, Gaussian, Laplace
from narrows.model import Model, Step
from narrows.parts import as_part
from narrows.penalties import Dice, Edges

SPATIAL = [(), (7,), (4, 5), (2, 3, 4)]


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def cost_of(penalty, likelihood, params, target):
    model = Model(nn.Identity(), Free(1), nn.Identity(), likelihood)
    z = params.new_zeros(len(params), 1)
    return penalty(model, Step(target, None, Code(z, z[:, 0]), params, target))


def normal(*shape):
    return torch.randn(*shape, dtype=torch.float64)


@pytest.mark.parametrize(("text", "made"), [("dice:0.5", Dice(0.5)), ("dice", Dice()), ("edges:0.1", Edges(0.1))])
def test_they_are_typed(text, made):
    assert as_part("penalty", text) == made
    assert made.build((3, 4, 4), (1, 4, 4)) is made


# ---- Dice ------------------------------------------------------------------------------------------------------------


def dice_by_hand(p, t):
    """One minus the smoothed Dice of (classes, pixels), one pixel at a time."""
    overlaps = []
    for mine, true in zip(p, t, strict=True):
        both = sum(a * b for a, b in zip(mine, true, strict=True))
        sizes = sum(a * a for a in mine) + sum(b * b for b in true)
        overlaps.append((2 * both + 1) / (sizes + 1))
    return 1 - sum(overlaps) / len(overlaps)


@pytest.mark.parametrize("spatial", SPATIAL)
def test_dice_of_bits(spatial):
    logits, target = normal(4, 3, *spatial), torch.randint(2, (4, 3, *spatial)).double()
    p, t = logits.sigmoid().reshape(4, 3, -1).tolist(), target.reshape(4, 3, -1).tolist()
    by_hand = [0.7 * dice_by_hand(p[i], t[i]) for i in range(4)]
    assert cost_of(Dice(0.7), Bernoulli(), logits, target).tolist() == pytest.approx(by_hand)


@pytest.mark.parametrize("dtype", [torch.int64, torch.float64])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("spatial", SPATIAL)
def test_dice_of_labels(spatial, channels, dtype):
    logits, target = normal(4, channels * 3, *spatial), torch.randint(3, (4, channels, *spatial)).to(dtype)
    p = logits.unflatten(1, (channels, 3)).softmax(2).reshape(4, channels * 3, -1).tolist()
    t = [
        [[float(label == k) for label in row[c].flatten().tolist()] for c in range(channels) for k in range(3)]
        for row in target
    ]
    by_hand = [0.7 * dice_by_hand(p[i], t[i]) for i in range(4)]
    assert cost_of(Dice(0.7), Categorical(3), logits, target).tolist() == pytest.approx(by_hand)


def test_pixels_that_a_likelihood_leaves_out_count_nowhere():
    likelihood, target = Categorical(3, ignore=0), torch.tensor([[[0, 1, 2, 0, 1]]]).double()
    logits = normal(1, 3, 5)
    other = torch.where(target == 0, normal(1, 3, 5), logits)
    assert_close(likelihood.nll(logits, target), likelihood.nll(other, target))
    assert_close(cost_of(Dice(), likelihood, logits, target), cost_of(Dice(), likelihood, other, target))


@pytest.mark.parametrize("void", [255, -1, 3])
def test_pixels_of_no_class_count_nowhere(void):
    logits, target = normal(1, 3, 10), torch.randint(3, (1, 1, 10)).double()
    shown = torch.arange(10) % 3 > 0
    hidden = torch.where(shown, target, float(void))
    without = cost_of(Dice(), Categorical(3), logits[..., shown], target[..., shown])
    assert_close(cost_of(Dice(), Categorical(3), logits, hidden), without)
    assert not torch.equal(without, cost_of(Dice(), Categorical(3), logits, target))
    assert cost_of(Dice(), Categorical(3), logits, torch.full_like(target, void)).item() == 0


@pytest.mark.parametrize("likelihood", [Bernoulli(), Categorical(2)], ids=str)
def test_dice_of_the_right_mask_is_free_and_of_the_wrong_one_costs_its_weight(likelihood):
    target = torch.randint(2, (3, 1, 6, 6)).double()
    sure = 60 * (2 * target - 1)
    logits = sure if isinstance(likelihood, Bernoulli) else torch.cat([-sure, sure], 1)
    assert cost_of(Dice(2.0), likelihood, logits, target).tolist() == pytest.approx([0] * 3, abs=1e-12)
    assert (cost_of(Dice(2.0), likelihood, -logits, target) > 1.8).all()


def test_dice_of_two_empty_masks_is_free():
    logits = torch.full((2, 1, 4, 4), -60.0, dtype=torch.float64, requires_grad=True)
    cost = cost_of(Dice(), Bernoulli(), logits, torch.zeros(2, 1, 4, 4, dtype=torch.float64))
    cost.sum().backward()
    assert cost.tolist() == pytest.approx([0, 0], abs=1e-12)
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize(("likelihood", "channels"), [(Bernoulli(), 2), (Categorical(3), 6)], ids=str)
def test_dice_has_the_gradient_of_its_value(likelihood, channels):
    target = torch.randint(2, (2, 2, 3)).double()
    logits = normal(2, channels, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda params: cost_of(Dice(2.0), likelihood, params, target), logits)


# ---- edges -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spatial", SPATIAL[1:])
def test_edges_are_the_differences_of_neighbours(spatial):
    made, target = normal(3, 2, *spatial), normal(3, 2, *spatial)
    by_hand = []
    for mine, true in zip(made.numpy(), target.numpy(), strict=True):
        total = 0.0
        for place in np.ndindex(2, *spatial):
            for axis in range(1, len(place)):
                before = tuple(i - (a == axis) for a, i in enumerate(place))
                if place[axis]:
                    total += abs((mine[place] - mine[before]) - (true[place] - true[before]))
        by_hand.append(0.7 * total)
    assert cost_of(Edges(0.7), Laplace(), made, target).tolist() == pytest.approx(by_hand)


def test_edges_read_the_expected_target():
    params, target = normal(3, 2, 4, 4), torch.rand(3, 2, 4, 4, dtype=torch.float64)
    numbers = cost_of(Edges(), Gaussian(), params.sigmoid(), target)
    assert_close(cost_of(Edges(), Bernoulli(), params, target), numbers)
    predicted = Gaussian("predicted").build((2, 4, 4))
    assert_close(cost_of(Edges(), predicted, torch.cat([params.sigmoid(), params], 1), target), numbers)


def test_brightness_is_free_and_the_direction_of_an_edge_counts():
    step = torch.zeros(1, 1, 3, 4, dtype=torch.float64)
    step[..., 2:] = 1.0
    assert cost_of(Edges(), Gaussian(), step + 5, step).item() == 0
    assert cost_of(Edges(), Gaussian(), 0 * step, step).item() == 3
    assert cost_of(Edges(), Gaussian(), -step, step).item() == 6


def test_edges_have_the_gradient_of_their_value():
    target, made = normal(2, 1, 3, 4), normal(2, 1, 3, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda params: cost_of(Edges(2.0), Gaussian(), params, target), made)


def test_rows_have_no_edges():
    with pytest.raises(InputError, match=r"rows of shape \(784,\) have none.*image_shape=\(1, 28, 28\)"):
        Edges().build((784,), (784,))


def test_labels_have_no_edges():
    with pytest.raises(InputError, match=r"gives 3 shares for 1 channels of labels"):
        cost_of(Edges(), Categorical(3), normal(2, 3, 4, 4), torch.zeros(2, 1, 4, 4))


@pytest.mark.parametrize("penalty", [Dice(), Edges()], ids=str)
def test_a_row_costs_the_same_alone(penalty):
    params, target = normal(3, 1, 4, 4), torch.randint(2, (3, 1, 4, 4)).double()
    alone = [cost_of(penalty, Bernoulli(), params[i : i + 1], target[i : i + 1]) for i in range(3)]
    assert_close(cost_of(penalty, Bernoulli(), params, target), torch.cat(alone))
