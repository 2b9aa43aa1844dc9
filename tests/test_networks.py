import math
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

import narrows as nw
from narrows.bottlenecks import Free, Variational
from narrows.data.pairs import Batch
from narrows.errors import InputError
from narrows.likelihood import Bernoulli, Gaussian
from narrows.model import Model
from narrows.networks import Conv, Dense, Linear, Sizes
from narrows.networks.blocks import ACTIVATIONS, Activation, groups
from narrows.networks.initialize import unit_variance_start
from narrows.networks.pyramid import Up, halves

UPS = get_args(Up)
LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


# ---- sizes -----------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(
    side=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    channels=st.integers(1, 4),
    out=st.integers(1, 4),
    widths=st.lists(st.integers(1, 9), max_size=3).map(tuple),
    up=st.sampled_from(UPS),
    kernel=st.sampled_from([1, 3, 5]),
    flat=st.booleans(),
    norm=st.sampled_from(["none", "group", "batch"]),
    depth=st.integers(1, 2),
    n_cond=st.integers(0, 2),
)
def test_images_of_every_size_come_back_in_their_size(
    side, channels, out, widths, up, kernel, flat, norm, depth, n_cond
):
    spec = Conv(widths, up=up, kernel=kernel, flat=flat, norm=norm, depth=depth)
    sizes = Sizes((channels, *side), (channels, *side), 3, 2, out, n_cond)
    encoder, decoder = spec.build(sizes)
    encoder.eval(), decoder.eval()
    *positions, h = encoder(torch.rand(2, channels + n_cond, *side))
    assert h.shape == ((2, 3) if flat else (2, 3, *halves(side, len(widths))[-1]))
    z = torch.rand(2, 2 + n_cond, *h.shape[2:])
    assert decoder(z).shape == decoder(z, tuple(positions)).shape == (2, out, *side)


@settings(deadline=None, max_examples=30)
@given(dilation=st.integers(1, 3), side=st.tuples(st.integers(1, 20), st.integers(1, 20)), up=st.sampled_from(UPS))
def test_dilated_filters_keep_the_size(dilation, side, up):
    encoder, decoder = Conv((4, 5), up=up, dilation=dilation, depth=2).build(Sizes((2, *side), (2, *side), 3, 3, 2))
    encoder.eval(), decoder.eval()
    assert decoder(encoder(torch.rand(2, 2, *side))[-1]).shape == (2, 2, *side)


@settings(deadline=None, max_examples=40)
@given(
    shape=st.lists(st.integers(1, 7), min_size=1, max_size=3).map(tuple),
    out=st.integers(1, 4),
    spec=st.sampled_from([Linear(), Dense(), Dense(()), Dense((8,)), Dense((8, 4), (5,))]),
    n_cond=st.integers(0, 2),
)
def test_rows_of_every_shape_come_back_in_their_shape(shape, out, spec, n_cond):
    encoder, decoder = spec.build(Sizes(shape, shape, 3, 2, out, n_cond))
    x = torch.rand(4, shape[0] + n_cond, *shape[1:])
    assert encoder(x)[0].shape == (4, 3)
    assert decoder(torch.rand(4, 2 + n_cond)).shape == (4, out, *shape[1:])


def test_a_target_of_another_size_than_the_input():
    sizes = Sizes((3, 10, 12), (1, 21, 17), 4, 4, 1)
    for spec in (Conv((4, 8)), Dense((8,)), Linear()):
        encoder, decoder = spec.build(sizes)
        assert decoder(encoder(torch.rand(2, 3, 10, 12))[0]).shape == (2, 1, 21, 17)


def test_wrong_uses_are_told():
    with pytest.raises(InputError, match=r"cannot read rows of shape \(64,\).*image_shape"):
        Conv().build(Sizes((64,), (64,), 3, 3, 64))
    with pytest.raises(InputError, match="kernel=4 is even"):
        Conv(kernel=4).build(Sizes((1, 8, 8), (1, 8, 8), 3, 3, 1))


def test_every_activation_has_a_layer():
    assert set(get_args(Activation)) == set(ACTIVATIONS)
    for name in get_args(Activation):
        encoder, decoder = Dense((4,), activation=name, output=name, code=name).build(Sizes((5,), (5,), 2, 2, 5))
        x = torch.randn(3, 5)
        layers = [layer for layer in encoder.modules() if isinstance(layer, nn.Linear)]
        act = ACTIVATIONS[name]()
        assert_close(encoder(x)[0], act(layers[1](act(layers[0](x)))))
        assert decoder(encoder(x)[0]).shape == (3, 5)


@settings(deadline=None)
@given(st.integers(1, 200))
def test_groups_divide_the_channels(channels):
    n = groups(channels)
    assert channels % n == 0
    assert n == 1 or channels // n >= 4


def test_a_group_norm_keeps_maps_of_one_value_alive():
    encoder, _ = Conv((4, 4, 4)).build(Sizes((1, 8, 8), (1, 8, 8), 3, 3, 1))
    codes = encoder(torch.rand(64, 1, 8, 8))[0]
    assert codes.std(0).min() > 1e-3


# ---- the start -------------------------------------------------------------------------------------------------------

STARTS = {
    "dense": (Dense((32, 16), activation="tanh"), (12,)),
    "linear": (Linear(), (12,)),
    "conv": (Conv((8, 16), norm="none"), (1, 13, 10)),
    "conv transpose": (Conv((8, 16), norm="none", up="transpose"), (2, 13, 10)),
    "conv of maps": (Conv((8, 16), norm="none", flat=False), (1, 13, 10)),
}


def started(name, n=3000, code=4, likelihood=None):
    spec, shape = STARTS[name]
    likelihood = likelihood or Gaussian()
    n = n if len(shape) == 1 else n // 10
    x = 40 + 300 * torch.rand(n, *shape) ** 2
    if isinstance(likelihood, Bernoulli):
        x = (torch.rand(n, *shape) < 0.2).float()
    encoder, decoder = spec.build(Sizes(shape, shape, code, code, likelihood.n_out(shape)))
    model = Model(encoder, Free(code), decoder, likelihood)
    unit_variance_start(encoder, decoder, lambda: model.reconstruct(x), likelihood.constant_params(x))
    return model, x


@pytest.mark.parametrize("name", STARTS)
def test_every_layer_starts_with_mean_0_and_variance_1(name):
    model, x = started(name)
    seen = []
    layers = [layer for layer in model.modules() if isinstance(layer, LAYERS)]
    for layer in layers:
        layer.register_forward_hook(lambda module, inputs, output: seen.append((module, output)))
    with torch.no_grad():
        model.reconstruct(x)
    assert [module for module, _ in seen] == layers
    for _, output in seen[:-1]:
        means = output.transpose(0, 1).flatten(1).mean(1)
        assert means.abs().max() < 1e-3
        assert output.var(correction=0).item() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("likelihood", [Gaussian(), Bernoulli()], ids=["gaussian", "bernoulli"])
@pytest.mark.parametrize("name", STARTS)
def test_the_decoder_starts_around_the_centre(name, likelihood):
    model, x = started(name, likelihood=likelihood)
    centre = likelihood.constant_params(x)
    with torch.no_grad():
        params = model.decode(model.encode(x)[0].z)
    axes = [0, *range(2, params.ndim)]
    if "conv" in name:
        assert_close(params.mean(axes), centre.flatten(1).mean(1), atol=1e-3, rtol=1e-4)
    else:
        assert_close(params.mean(0), centre, atol=1e-3, rtol=1e-4)
    spread = params - params.mean(axes, keepdim=True)
    assert spread.std().item() == pytest.approx(0.1, rel=0.02)


def test_the_code_layer_of_a_variational_bottleneck_is_left_alone():
    encoder, decoder = Dense((8,)).build(Sizes((5,), (5,), 4, 2, 5))
    model = Model(encoder, Variational(2), decoder, Gaussian())
    x = torch.randn(100, 5)
    last = [layer for layer in encoder.modules() if isinstance(layer, nn.Linear)][-1]
    before = last.weight.clone()
    unit_variance_start(encoder, decoder, lambda: model.reconstruct(x), x.mean(0), code=False)
    assert torch.equal(last.weight, before)


@pytest.mark.parametrize("x", [torch.zeros(50, 5), torch.full((50, 5), 3.0), torch.randn(1, 5)])
def test_rows_without_variance_start_with_moderate_weights(x):
    encoder, decoder = Dense((8,)).build(Sizes((5,), (5,), 2, 2, 5))
    model = Model(encoder, Free(2), decoder, Gaussian())
    unit_variance_start(encoder, decoder, lambda: model.reconstruct(x), x.mean(0))
    assert max(weight.abs().max().item() for weight in model.parameters()) < 20
    assert_close(model.reconstruct(x), x, atol=1e-4, rtol=1e-4)


def test_normalised_layers_keep_their_weights():
    encoder, decoder = Conv((8, 16)).build(Sizes((1, 8, 8), (1, 8, 8), 2, 2, 1))
    convolutions = [layer for layer in encoder.modules() if isinstance(layer, nn.Conv2d)]
    before = [layer.weight.clone() for layer in convolutions]
    model = Model(encoder, Free(2), decoder, Gaussian())
    x = torch.rand(20, 1, 8, 8)
    unit_variance_start(encoder, decoder, lambda: model(Batch(x, x)), x.mean(0))
    assert all(torch.equal(layer.weight, old) for layer, old in zip(convolutions, before, strict=True))


def test_resizing_decoders_double_and_crop():
    assert halves((13, 10), 3) == [(13, 10), (7, 5), (4, 3), (2, 2)]
    assert halves((1, 1), 4)[-1] == (1, 1)
    assert math.prod(halves((5, 7), 0)[0]) == 35


@pytest.mark.parametrize("scale", [0.003, 0.03, 1.0, 30.0])
def test_what_is_learnt_does_not_depend_on_the_units_of_the_rows(scale: float) -> None:
    draw = np.random.default_rng(0)
    X = draw.normal(size=(400, 3)) @ draw.normal(size=(3, 12)) + 0.2 * draw.normal(size=(400, 12))
    X = scale * (X - X.mean(0)) / X.std(0)
    model = nw.VAE(latent_dim=3, epochs=150, random_state=0).fit(X)
    assert np.square(model.reconstruct(X) - X).mean() < 0.05 * scale**2


def test_units_in_which_nothing_is_learnt_are_told() -> None:
    X = np.random.default_rng(0).normal(size=(50, 3))
    for scale in (1e-5, 1e5):
        with pytest.warns(UserWarning, match=r"deviate by .*e[+-]0\d around.*nw\.Table"):
            nw.VAE(latent_dim=1, epochs=1, random_state=0).fit(scale * X)
