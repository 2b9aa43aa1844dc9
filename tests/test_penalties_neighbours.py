"""The penalty that keeps neighbours together, against scikit-learn's t-SNE."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist, squareform
from sklearn.datasets import load_digits
from sklearn.manifold import _t_sne
from torch.testing import assert_close

import narrows as nw
from narrows.bottlenecks import Code
from narrows.bottlenecks.matched import squared_distances
from narrows.metrics import trustworthiness
from narrows.model import Step
from narrows.parts import as_part
from narrows.penalties import Neighbours
from narrows.penalties.neighbours import affinities

X = load_digits().data / 16


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def cost_of(z: torch.Tensor, rows: torch.Tensor, penalty: Neighbours) -> torch.Tensor:
    return penalty(None, Step(rows, None, Code(z, z.new_zeros(len(z))), rows, rows))  # type: ignore[arg-type]


@pytest.mark.parametrize("perplexity", [3.0, 10.0, 30.0])
def test_affinities_are_those_of_t_sne(perplexity: float) -> None:
    rows = X[:60]
    want = squareform(_t_sne._joint_probabilities(squareform(pdist(rows, "sqeuclidean")), perplexity, 0))
    ours = affinities(torch.from_numpy(rows), perplexity)
    assert_close(ours, torch.from_numpy(want), atol=1e-6, rtol=2e-3)
    assert ours.sum().item() == pytest.approx(1)
    assert torch.equal(ours, ours.T)


def test_the_mean_cost_is_the_divergence_of_t_sne_and_so_is_its_gradient() -> None:
    rows, z = normal(40, 5), normal(40, 2).requires_grad_()
    cost = cost_of(z, rows, Neighbours(0.7, 5.0))
    p = squareform(affinities(rows, 5.0).numpy(), checks=False)
    divergence, gradient = _t_sne._kl_divergence(z.detach().numpy().ravel(), p, 1, 40, 2, False)
    assert cost.shape == (40,)
    assert cost.mean().item() == pytest.approx(0.7 * divergence, rel=1e-6)
    cost.mean().backward()
    assert_close(z.grad, torch.from_numpy(0.7 * gradient.reshape(40, 2)), rtol=1e-5, atol=1e-9)


def test_codes_as_near_as_their_rows_cost_less() -> None:
    rows = torch.cat([normal(20, 3), 30 + normal(20, 3)])
    apart, mixed = rows[:, :2], rows[torch.randperm(40, generator=torch.Generator().manual_seed(1)), :2]
    costs = [cost_of(z, rows, Neighbours()).mean().item() for z in (apart, mixed)]
    assert 0 <= costs[0] < 0.5 * costs[1]


def test_few_and_equal_rows_and_far_ones_are_finite() -> None:
    for rows in (
        normal(2, 3),
        torch.ones(6, 3).double(),
        1e6 + normal(6, 3),
        torch.cat([normal(5, 3), 1e5 * normal(1, 3)]),
    ):
        z = normal(len(rows), 2).requires_grad_()
        cost = cost_of(z, rows, Neighbours())
        cost.sum().backward()
        assert torch.isfinite(cost).all()
        assert torch.isfinite(z.grad).all()


def test_distances_keep_their_precision_far_from_zero_and_in_half_precision() -> None:
    rows = normal(8, 4).float()
    want = torch.cdist(rows.double(), rows.double()).square().float()
    with torch.autocast("cpu", torch.bfloat16):
        assert_close(squared_distances(rows + 100, rows + 100), want, atol=1e-3, rtol=1e-3)


def test_a_map_learnt_with_it_is_more_trustworthy() -> None:
    found = []
    for penalties in ((), "neighbours:5,30"):
        own = {"latent_dim": 2, "epochs": 60, "batch_size": 200, "validation": 0, "random_state": 0, "lr": 5e-3}
        model = nw.AutoEncoder(network="dense:128,64", penalties=penalties, **own).fit(X[:400])
        found.append(trustworthiness(X[:400], model.transform(X[:400])))
    assert found[1] > found[0] + 0.004
    assert set(model.history_[-1]["train"]) == {"reconstruction", "neighbours"}


def test_it_is_typed() -> None:
    assert as_part("penalty", "neighbours:5,perplexity=30") == Neighbours(5.0, 30.0)
    assert np.isclose(Neighbours().perplexity, 10)
