import pytest
import torch
from torch import nn
from torch.testing import assert_close

from narrows.bottlenecks import Free, Variational
from narrows.data.pairs import Batch
from narrows.likelihood import Gaussian
from narrows.model import Model, Step
from narrows.networks import Conv, Dense, Sizes
from narrows.penalties import L1, Contractive, Penalty

NETWORKS = {
    "one layer": Dense((), code="sigmoid"),
    "deep": Dense((9, 7), activation="tanh"),
    "conv": Conv((4, 6)),
    "conv with batch norm": Conv((4, 6), norm="batch"),
}


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def built(name, code=3, n_cond=0):
    shape = (1, 5, 6) if name.startswith("conv") else (6,)
    encoder, decoder = NETWORKS[name].build(Sizes(shape, shape, code, code, shape[0], n_cond))
    model = Model(encoder, Free(code), decoder, Gaussian()).double()
    return model, torch.randn(4, *shape, dtype=torch.float64)


def step_of(model, x, cond=None):
    code, skips = model.encode(x, cond)
    return Step(x, cond, code, model.decode(code.z, skips, cond), x)


def jacobian_norms(model, x, cond=None):
    norms = []
    for i in range(len(x)):
        c = None if cond is None else cond[i : i + 1]
        jacobian = torch.autograd.functional.jacobian(lambda row, c=c: model.features(row, c), x[i : i + 1])
        norms.append(jacobian.square().sum())
    return torch.stack(norms)


@pytest.mark.parametrize("name", ["one layer", "deep", "conv"])
def test_exact_contraction_is_the_squared_norm_of_the_jacobian(name):
    model, x = built(name)
    cost = Contractive(0.7, "exact")(model, step_of(model, x))
    assert_close(cost, 0.7 * jacobian_norms(model, x))


def test_exact_contraction_of_one_sigmoid_layer_is_the_closed_form_of_rifai():
    model, x = built("one layer")
    (layer,) = [layer for layer in model.encoder.modules() if isinstance(layer, nn.Linear)]
    h = torch.sigmoid(layer(x))
    closed = ((h * (1 - h)).square() * layer.weight.square().sum(1)).sum(1)
    assert_close(Contractive(1.0, "exact")(model, step_of(model, x)), closed)


@pytest.mark.parametrize("name", ["one layer", "deep", "conv"])
def test_the_probe_is_unbiased(name):
    model, x = built(name)
    exact = Contractive(1.0, "exact")(model, step_of(model, x))
    rows = x[:1].expand(4000, *x.shape[1:])
    with torch.no_grad():
        probed = Contractive(1.0, "probe")(model, step_of(model, rows)).mean()
    assert probed.item() == pytest.approx(exact[0].item(), rel=0.03)


def test_the_condition_is_not_part_of_the_jacobian():
    model, x = built("deep", n_cond=2)
    encoder, decoder = NETWORKS["deep"].build(Sizes((6,), (6,), 3, 3, 6, 2))
    model = Model(encoder, Free(3), decoder, Gaussian()).double()
    cond = torch.eye(2, dtype=torch.float64).repeat(2, 1)
    cost = Contractive(1.0, "exact")(model, step_of(model, x, cond))
    assert_close(cost, jacobian_norms(model, x, cond))
    assert Contractive(1.0)(model, step_of(model, x, cond)).shape == (4,)


@pytest.mark.parametrize("method", ["probe", "exact"])
@pytest.mark.parametrize("name", NETWORKS)
def test_contraction_reaches_every_weight_of_the_encoder(name, method):
    model, x = built(name)
    Contractive(1.0, method)(model, step_of(model, x)).sum().backward()
    for key, weight in model.encoder.named_parameters():
        if not (key.endswith("head.1.bias") or (name != "one layer" and key == "layers.4.bias")):
            assert weight.grad is not None, key
    total = sum(weight.grad.abs().sum() for weight in model.encoder.parameters() if weight.grad is not None)
    assert total > 0


@pytest.mark.parametrize("method", ["probe", "exact"])
def test_contraction_is_measured_without_gradients_too(method):
    model, x = built("deep")
    with torch.no_grad():
        cost = Contractive(1.0, method)(model, step_of(model, x))
    assert cost.shape == (4,)
    assert (cost > 0).all()


def test_contraction_by_gradient_descent_shrinks_the_jacobian():
    model, x = built("deep")
    before = jacobian_norms(model, x).mean()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(100):
        optimizer.zero_grad()
        Contractive(1.0)(model, step_of(model, x)).mean().backward()
        optimizer.step()
    assert jacobian_norms(model, x).mean() < 0.1 * before


def test_l1_is_the_weighted_sum_of_absolute_codes():
    model, x = built("conv")
    step = step_of(model, x)
    assert_close(L1(0.25)(model, step), 0.25 * step.code.z.abs().sum(1))


def test_l1_reads_what_the_decoder_reads():
    encoder, decoder = Dense((5,)).build(Sizes((6,), (6,), 4, 2, 6))
    model = Model(encoder, Variational(2), decoder, Gaussian(), penalties=[L1(1.0)]).eval()
    x = torch.randn(3, 6)
    terms = model(Batch(x, x))
    assert_close(terms["l1"], model.encode(x)[0].z.abs().sum(1))


def test_the_base_class_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        Penalty()
