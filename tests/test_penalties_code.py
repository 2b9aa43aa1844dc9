import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli, kl_divergence
from torch.testing import assert_close

from narrows.bottlenecks import Code, Free, Variational
from narrows.errors import InputError
from narrows.likelihood import Gaussian
from narrows.model import Model, Step
from narrows.networks import Conv, Dense, Linear, Sizes
from narrows.parts import as_part
from narrows.penalties import KLSparsity, Orthogonal

SHAPES = [(7, 3), (5, 3, 2, 4)]


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def step_of(z):
    return Step(z, None, Code(z, z.new_zeros(len(z))), z, z)


def samples(z):
    return np.moveaxis(z.numpy(), 1, -1).reshape(-1, z.shape[1])


def model_of(network, shape=(6,), code=3):
    encoder, decoder = network.build(Sizes(shape, shape, code, code, shape[0]))
    return Model(encoder, Free(code), decoder, Gaussian()).double()


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("kl_sparsity", KLSparsity(1.0, 0.05)),
        ("kl_sparsity:3,0.01", KLSparsity(3.0, 0.01)),
        ("kl_sparsity:target=0.1", KLSparsity(target=0.1)),
        ("orthogonal:0.1", Orthogonal(0.1, "weights")),
        ("orthogonal:0.1,codes", Orthogonal(0.1, "codes")),
        ("orthogonal:codes", Orthogonal(of="codes")),
    ],
)
def test_they_are_typed(text, made):
    assert as_part("penalty", text) == made


# ---- sparsity --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_sparsity_is_the_divergence_from_the_target_activity(shape):
    z = torch.rand(shape, dtype=torch.float64)
    cost = KLSparsity(0.7, 0.1)(None, step_of(z))
    active = torch.from_numpy(samples(z).mean(0))
    divergence = kl_divergence(Bernoulli(torch.full_like(active, 0.1)), Bernoulli(active)).sum()
    assert_close(cost, (0.7 * divergence).repeat(len(z)))


def test_sparsity_is_free_at_the_target_and_only_there():
    z = torch.tensor([[0.1, 0.0], [0.0, 0.1]], dtype=torch.float64)
    assert KLSparsity(1.0, 0.05)(None, step_of(z)).tolist() == pytest.approx([0, 0], abs=1e-12)
    assert (KLSparsity(1.0, 0.06)(None, step_of(z)) > 1e-4).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_sparsity_has_the_gradient_of_its_value(shape):
    z = torch.rand(shape, dtype=torch.float64).mul(0.8).add(0.1).requires_grad_()
    assert torch.autograd.gradcheck(lambda code: KLSparsity(2.0)(None, step_of(code)), z)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_sparsity_stays_finite_where_units_are_dead_or_always_on(value, dtype):
    z = torch.full((4, 2), value, dtype=dtype, requires_grad=True)
    cost = KLSparsity()(None, step_of(z))
    cost.sum().backward()
    assert torch.isfinite(cost).all()
    assert (cost > 0.05).all()
    assert torch.isfinite(z.grad).all()


@pytest.mark.parametrize("low", [-0.1, 0.2])
def test_sparsity_refuses_a_code_that_is_no_activity(low):
    z = torch.tensor([[low, 0.5], [0.3, 1.0 if low < 0 else 1.1]])
    with pytest.raises(InputError, match=r"codes in \[0, 1\].*network='dense:code=sigmoid'"):
        KLSparsity()(None, step_of(z))


def test_sparsity_by_gradient_descent_reaches_the_target():
    model, x = model_of(Dense((8,), code="sigmoid")), torch.randn(64, 6, dtype=torch.float64)
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(300):
        optimizer.zero_grad()
        KLSparsity(1.0, 0.05)(model, step_of(model.features(x))).mean().backward()
        optimizer.step()
    assert model.features(x).mean(0).tolist() == pytest.approx([0.05] * 3, abs=0.01)


# ---- orthogonality ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "shape", "last"),
    [
        (Linear(), (6,), lambda encoder: encoder.matrix),
        (Dense((8, 4)), (6,), lambda encoder: encoder.layers[-1]),
        (Dense((8, 4), code="sigmoid"), (6,), lambda encoder: encoder.layers[-2]),
        (Conv((4, 6)), (1, 5, 6), lambda encoder: encoder.head[-1]),
        (Conv((4, 6), flat=False, code="tanh"), (1, 5, 6), lambda encoder: encoder.head[0]),
    ],
    ids=lambda value: "last" if callable(value) and not hasattr(value, "kind") else str(value),
)
def test_weights_are_compared_with_the_identity(network, shape, last):
    model = model_of(network, shape)
    W = last(model.encoder).weight
    rows = W.detach().numpy().reshape(3, -1)
    cost = Orthogonal(0.7)(model, step_of(torch.zeros(5, 3)))
    assert_close(cost, torch.full((5,), 0.7 * np.linalg.norm(rows @ rows.T - np.eye(3)) ** 2, dtype=torch.float64))
    cost.mean().backward()
    closed = 0.7 * 4 * (rows @ rows.T - np.eye(3)) @ rows
    assert_close(W.grad.flatten(1), torch.from_numpy(closed))
    nn.init.orthogonal_(W)
    assert Orthogonal(0.7)(model, step_of(torch.zeros(5, 3))).tolist() == pytest.approx([0] * 5, abs=1e-12)


def test_filters_are_flattened():
    encoder = nn.Sequential(nn.Conv2d(2, 3, 3), nn.GroupNorm(1, 3))
    model = Model(encoder, Free(3), nn.Identity(), Gaussian())
    rows = encoder[0].weight.detach().numpy().reshape(3, 18)
    cost = Orthogonal(1.0)(model, step_of(torch.zeros(1, 3, 2, 2)))
    assert cost.item() == pytest.approx(np.linalg.norm(rows @ rows.T - np.eye(3)) ** 2, rel=1e-5)


def test_an_encoder_without_a_matrix_is_refused():
    model = Model(nn.Identity(), Free(3), nn.Identity(), Gaussian())
    with pytest.raises(InputError, match=r"no weight matrix.*orthogonal:of=codes"):
        Orthogonal()(model, step_of(torch.zeros(1, 3)))


@pytest.mark.parametrize("shape", SHAPES)
def test_codes_are_charged_for_their_correlations(shape):
    z = torch.randn(shape, dtype=torch.float64) * 3 + 5
    z[:, 1] += 2 * z[:, 0]
    correlation = np.corrcoef(samples(z), rowvar=False)
    cost = Orthogonal(0.7, "codes")(None, step_of(z))
    assert_close(cost, torch.full((shape[0],), 0.7 * np.linalg.norm(correlation - np.eye(3)) ** 2, dtype=z.dtype))
    assert_close(Orthogonal(0.7, "codes")(None, step_of(10 * z - 1)), cost)


@pytest.mark.parametrize("shape", SHAPES)
def test_correlations_have_the_gradient_of_their_value(shape):
    z = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda code: Orthogonal(1.0, "codes")(None, step_of(code)), z)


def test_constant_units_and_single_rows_correlate_with_nothing():
    z = torch.randn(50, 4)
    z[:, 2:] = torch.tensor([0.1, 123.4])
    z.requires_grad_()
    cost = Orthogonal(1.0, "codes")(None, step_of(z))
    cost.sum().backward()
    alone = np.corrcoef(z.detach().numpy()[:, :2], rowvar=False)[0, 1]
    assert cost[0].item() == pytest.approx(2 * alone**2, rel=1e-4)
    assert torch.isfinite(z.grad).all()
    assert not z.grad[:, 2:].any()
    assert Orthogonal(1.0, "codes")(None, step_of(torch.randn(1, 4))).item() == 0


def test_the_code_of_a_vae_is_what_the_decoder_reads():
    encoder, decoder = Dense((5,)).build(Sizes((6,), (6,), 4, 2, 6))
    model = Model(encoder, Variational(2), decoder, Gaussian()).eval()
    x = torch.randn(9, 6)
    code, _ = model.encode(x)
    cost = Orthogonal(1.0, "codes")(model, Step(x, None, code, x, x))
    r = np.corrcoef(code.z.detach().numpy(), rowvar=False)[0, 1]
    assert cost[0].item() == pytest.approx(2 * r**2, rel=1e-3)
