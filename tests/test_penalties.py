import pytest
import torch
from torch import nn
from torch.testing import assert_close

from narrows.bottlenecks import Free, Variational
from narrows.data.pairs import Batch
from narrows.likelihood import Bernoulli, Gaussian
from narrows.model import Model, Step
from narrows.networks import Conv, Dense, Sizes
from narrows.parts import as_part
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


def built(name, code=3, n_cond=0, bottleneck=Free, likelihood=None):
    shape = (1, 5, 6) if name.startswith("conv") else (6,)
    middle = bottleneck(code)
    encoder, decoder = NETWORKS[name].build(Sizes(shape, shape, middle.n_in, middle.n_out, shape[0], n_cond))
    model = Model(encoder, middle, decoder, likelihood or Gaussian()).double()
    return model, torch.randn(4, *shape, dtype=torch.float64)


def step_of(model, x, cond=None):
    code, skips = model.encode(x, cond)
    return Step(x, cond, code, model.decode(code.z, skips, cond), x)


def jacobian_norms(model, x, cond=None, of=None):
    norms = []
    for i in range(len(x)):
        c = None if cond is None else cond[i : i + 1]
        jacobian = torch.autograd.functional.jacobian(lambda row, c=c: (of or model.features)(row, c), x[i : i + 1])
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


@pytest.mark.parametrize("of", ["code", "reconstruction"])
def test_noise_is_the_squared_move_over_the_squared_step(of):
    model, x = built("deep")
    torch.manual_seed(1)
    moved = x + 0.3 * torch.randn_like(x)
    torch.manual_seed(1)
    cost = Contractive(0.7, "noise", 0.3, of)(model, step_of(model, x))
    function = model.features if of == "code" else model.reconstruct
    assert_close(cost, 0.7 * (function(moved) - function(x)).square().sum(1) / 0.3**2)
    assert not torch.equal(cost, Contractive(0.7, "noise", 0.3, of)(model, step_of(model, x)))


@pytest.mark.parametrize("of", ["code", "reconstruction"])
@pytest.mark.parametrize("name", ["one layer", "deep", "conv"])
def test_small_noise_is_the_squared_norm_of_the_jacobian_on_average(name, of):
    model, x = built(name)
    exact = Contractive(1.0, "exact", of=of)(model, step_of(model, x))
    rows = x[:1].expand(4000, *x.shape[1:])
    with torch.no_grad():
        noisy = Contractive(1.0, "noise", 1e-4, of)(model, step_of(model, rows)).mean()
    assert noisy.item() == pytest.approx(exact[0].item(), rel=0.05)


@pytest.mark.parametrize("bottleneck", [Free, Variational])
@pytest.mark.parametrize("name", ["one layer", "deep", "conv"])
def test_the_jacobian_of_the_reconstruction_is_that_of_the_expected_target(name, bottleneck):
    model, x = built(name, bottleneck=bottleneck, likelihood=Bernoulli())
    cost = Contractive(0.7, "exact", of="reconstruction")(model, step_of(model, x))
    assert model.training
    assert model.bottleneck.training
    model.eval()
    assert_close(cost, 0.7 * jacobian_norms(model, x, of=model.reconstruct))


def test_the_probe_of_the_reconstruction_is_unbiased():
    model, x = built("deep", likelihood=Bernoulli())
    exact = jacobian_norms(model, x[:1], of=model.reconstruct)
    with torch.no_grad():
        probed = Contractive(1.0, of="reconstruction")(model, step_of(model, x[:1].expand(4000, -1))).mean()
    assert probed.item() == pytest.approx(exact.item(), rel=0.05)


@pytest.mark.parametrize("method", ["exact", "noise"])
def test_a_smaller_code_and_a_larger_decoder_do_not_dodge_the_reconstruction(method):
    model, x = built("deep")
    codes, whole = Contractive(1.0, method), Contractive(1.0, method, of="reconstruction")

    def costs():
        torch.manual_seed(1)
        code = codes(model, step_of(model, x))
        torch.manual_seed(1)
        return code, whole(model, step_of(model, x))

    before = costs()
    with torch.no_grad():
        for parameter in model.encoder.layers[-1].parameters():
            parameter.mul_(0.1)
        model.decoder.layers[0].weight.mul_(10)
    after = costs()
    assert_close(after[0], 0.01 * before[0])
    assert_close(after[1], before[1])


@pytest.mark.parametrize("method", ["probe", "exact", "noise"])
def test_contracting_the_reconstruction_reaches_the_decoder(method):
    model, x = built("conv", bottleneck=Variational)
    Contractive(1.0, method, of="reconstruction")(model, step_of(model, x)).sum().backward()
    for half in (model.encoder, model.decoder):
        assert sum(weight.grad.abs().sum() for weight in half.parameters() if weight.grad is not None) > 0


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("contractive:0.1,noise,std=0.2", Contractive(0.1, "noise", 0.2)),
        ("contractive:0.1,noise,0.2,reconstruction", Contractive(0.1, "noise", 0.2, "reconstruction")),
        ("contractive:exact,of=reconstruction", Contractive(method="exact", of="reconstruction")),
    ],
)
def test_contraction_is_typed(text, made):
    assert as_part("penalty", text) == made


def test_the_condition_is_not_part_of_the_jacobian():
    model, x = built("deep", n_cond=2)
    encoder, decoder = NETWORKS["deep"].build(Sizes((6,), (6,), 3, 3, 6, 2))
    model = Model(encoder, Free(3), decoder, Gaussian()).double()
    cond = torch.eye(2, dtype=torch.float64).repeat(2, 1)
    cost = Contractive(1.0, "exact")(model, step_of(model, x, cond))
    assert_close(cost, jacobian_norms(model, x, cond))
    assert Contractive(1.0)(model, step_of(model, x, cond)).shape == (4,)


@pytest.mark.parametrize("method", ["probe", "exact", "noise"])
@pytest.mark.parametrize("name", NETWORKS)
def test_contraction_reaches_every_weight_of_the_encoder(name, method):
    model, x = built(name)
    Contractive(1.0, method)(model, step_of(model, x)).sum().backward()
    for key, weight in model.encoder.named_parameters():
        if not (key.endswith("head.1.bias") or (name != "one layer" and key == "layers.4.bias")):
            assert weight.grad is not None, key
    total = sum(weight.grad.abs().sum() for weight in model.encoder.parameters() if weight.grad is not None)
    assert total > 0


@pytest.mark.parametrize("of", ["code", "reconstruction"])
@pytest.mark.parametrize("method", ["probe", "exact", "noise"])
def test_contraction_is_measured_without_gradients_too(method, of):
    model, x = built("deep")
    with torch.no_grad():
        cost = Contractive(1.0, method, of=of)(model, step_of(model, x))
    assert cost.shape == (4,)
    assert (cost > 0).all()


@pytest.mark.parametrize("method", ["probe", "noise"])
def test_contraction_by_gradient_descent_shrinks_the_jacobian(method):
    model, x = built("deep")
    before = jacobian_norms(model, x).mean()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(100):
        optimizer.zero_grad()
        Contractive(1.0, method)(model, step_of(model, x)).mean().backward()
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
