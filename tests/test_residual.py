"""The network whose output is its input plus a correction."""

import pytest
import torch
from torch.testing import assert_close

import narrows as nw
from narrows.errors import InputError
from narrows.networks import Residual, Sizes

SPECS = [Residual(8, 1, 1, 1), Residual(8, 2, 1, 2), Residual(4, 1, 3, 2), Residual(4, 1, 2, 3)]


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def built(spec, channels=1, side=(32, 32), n_cond=0):
    shape = (channels, *side)
    encoder, decoder = spec.build(Sizes(shape, shape, spec.deepest, spec.deepest, channels, n_cond))
    return torch.nn.ModuleList([encoder, decoder]).double()


def through(net, x):
    *skips, code = net[0](x)
    return net[1](code, tuple(skips))


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("side", [(32, 24), (17, 13), (1, 1), (3, 40)])
def test_it_starts_as_the_identity_at_every_size(spec, side):
    x = torch.rand(2, 3, *side, dtype=torch.float64)
    assert torch.equal(through(built(spec, 3), x), x)


@pytest.mark.parametrize("spec", SPECS)
def test_pixels_beyond_its_reach_do_not_matter(spec):
    net, side = built(spec), 8 * (spec.reach // 8) + 64
    torch.nn.init.normal_(net[1].tail.weight)
    x = torch.rand(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    middle = side // 2
    through(net, x)[0, 0, middle, middle].backward()
    felt = x.grad[0, 0].ne(0)
    rows = torch.nonzero(felt.any(1)).flatten()
    assert rows.min() >= middle - spec.reach
    assert rows.max() <= middle + spec.reach
    assert len(rows) > spec.reach / 4


@pytest.mark.parametrize("spec", [Residual(), Residual(48, 8, 1, 2)])
def test_maps_keep_their_size_from_layer_to_layer_at_the_start(spec):
    net, spreads = built(spec), []
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(lambda _, __, out: spreads.append(out.std().item()))
    through(net, torch.randn(2, 1, 64, 64, dtype=torch.float64))
    assert max(spreads) < 4


def test_every_weight_learns():
    net = built(Residual(4, 1, 3, 2))
    torch.nn.init.normal_(net[1].tail.weight)
    through(net, torch.rand(2, 1, 19, 22, dtype=torch.float64)).square().sum().backward()
    assert all(weight.grad.abs().max() > 0 for weight in net.parameters())


def test_the_code_lies_on_its_grid_and_a_condition_is_not_added():
    spec = Residual(4, 1, 3, 2)
    x = torch.rand(1, 1 + 2, 32, 40, dtype=torch.float64)
    picture, *maps, code = built(spec, n_cond=2)[0](x)
    assert torch.equal(picture, x[:, :1])
    assert code.shape == (1, 16, 32 // spec.multiple, 40 // spec.multiple)
    assert [tuple(each.shape[1:]) for each in maps] == [(4, 16, 20), (8, 8, 10)]


def test_a_small_one_beats_its_input():
    place = torch.arange(16) / 16
    phase = torch.rand(64, 1, 1, 1)
    clean = 0.5 + 0.4 * torch.sin(6.3 * (place + phase)) * torch.ones(64, 1, 16, 1)
    model = nw.DenoisingAutoEncoder(noise="gaussian:0.2", network="residual:8,1,2,1", latent_dim=16, epochs=60)
    model.set_params(batch_size=16, random_state=0, lr=4e-3).fit(clean.numpy())
    noisy = clean + 0.2 * torch.randn_like(clean)
    made = torch.from_numpy(model.reconstruct(noisy.numpy()))
    assert_close(((noisy - clean) ** 2).mean().item(), 0.04, atol=0.003, rtol=0)
    assert ((made - clean) ** 2).mean() < 0.01


def test_targets_of_another_kind_and_copies_are_refused():
    with pytest.raises(InputError, match="network='unet'"):
        Residual().build(Sizes((1, 8, 8), (3, 8, 8), 128, 128, 3))
    with pytest.raises(InputError, match="it would only copy"):
        nw.AutoEncoder(network="residual", epochs=1).fit(torch.rand(9, 1, 8, 8).numpy())
