"""Explicit layers, unpooling, U-Net and residual networks against what they are defined to be."""

import re
from dataclasses import fields

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

import narrows as nw
from narrows.errors import InputError
from narrows.networks import Conv, ResNet, Sizes, Stack, UNet
from narrows.networks.blocks import norm
from narrows.networks.layers import ConvLayer, LinearLayer, Pool, Reshape, Shuffle, Transpose, Upsample
from narrows.networks.resample import MaxPool, average_unpool, max_unpool
from narrows.parts import as_part


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def sizes(channels=1, side=(28, 28), code=256, out=1):
    return Sizes((channels, *side), (channels, *side), code, code, out)


# ---- unpooling -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [(8, 6), (7, 9), (5, 5)])
@pytest.mark.parametrize("ceil", [True, False])
def test_max_unpooling_is_pytorchs(side, ceil):
    x = torch.randn(2, 3, *side)
    values, positions = MaxPool(2, ceil)(x)
    wanted, indices = F.max_pool2d(x, 2, ceil_mode=ceil, return_indices=True)
    assert torch.equal(values, wanted)
    assert_close(max_unpool(values, positions, side), F.max_unpool2d(wanted, indices, 2, output_size=side))
    again = F.max_pool2d(max_unpool(values.relu() + 1, positions, side), 2, ceil_mode=ceil)
    assert_close(again, values.relu() + 1)


def test_without_positions_values_go_to_the_top_left():
    h = torch.arange(1.0, 7.0).reshape(1, 1, 2, 3)
    made = max_unpool(h, None, (4, 5))
    assert torch.equal(made[0, 0, ::2, ::2], h[0, 0])
    assert made.sum() == h.sum()


def test_the_average_of_a_window_gives_the_value_back():
    h = torch.randn(2, 3, 4, 5)
    assert_close(F.avg_pool2d(average_unpool(h, 3), 3), h)


# ---- explicit layers -------------------------------------------------------------------------------------------------


def test_the_convolutional_autoencoder_of_the_documents():
    def conv(channels, norm="batch"):
        return ConvLayer(channels, activation="relu", norm=norm, norm_last=True)

    down = (conv(16), conv(32), conv(64), Pool(), conv(128), Pool(), conv(256, "none"))
    same = {"stride": 1, "output_padding": 0, "activation": "relu", "norm": "batch", "norm_last": True}
    twice = {"activation": "relu", "norm_last": True}
    up = (Transpose(128, norm="batch", **twice), Transpose(64, **same), Transpose(16, **same), Transpose(1, **twice))
    encoder, decoder = Stack(down, up).build(sizes())
    (z,) = encoder(torch.rand(2, 1, 28, 28))
    assert z.shape == (2, 256, 7, 7)
    assert decoder(z).shape == (2, 1, 28, 28)
    assert [type(layer).__name__ for layer in encoder.layers[0]] == ["Conv2d", "ReLU", "BatchNorm2d"]
    count = sum(p.numel() for net in (encoder, decoder) for p in net.parameters() if p.ndim == 4)
    chain = [(1, 16), (16, 32), (32, 64), (64, 128), (128, 256), (256, 128), (128, 64), (64, 16), (16, 1)]
    assert count == sum(9 * a * b for a, b in chain)


def test_pools_round_up_and_a_convolution_without_padding_shrinks():
    down = ("conv:8,relu", "pool:ceil", "conv:4,relu", "pool:ceil", "conv:4,relu", "pool:ceil", "conv", "pool:ceil")
    up = ("conv:4", "upsample", "conv:4", "upsample", "conv:8", "upsample", "conv:8,padding=0", "upsample", "conv:1")
    encoder, decoder = Stack(down, up).build(sizes(code=16))
    (z,) = encoder(torch.rand(3, 1, 28, 28))
    assert z.shape == (3, 16, 2, 2)  # 28 - 14 - 7 - 4 - 2
    assert decoder(z).shape == (3, 1, 28, 28)  # 2 - 4 - 8 - 16 - 14 - 28


def test_layers_are_pytorchs():
    x = torch.randn(2, 4, 9, 7)
    pairs = [
        (ConvLayer(5, kernel=3, stride=2, padding=2, dilation=2), nn.Conv2d(4, 5, 3, 2, 2, 2)),
        (Transpose(5, kernel=4, stride=3, padding=1, output_padding=2), nn.ConvTranspose2d(4, 5, 4, 3, 1, 2)),
        (LinearLayer(6), nn.Sequential(nn.Flatten(), nn.Linear(4 * 63, 6))),
        (Shuffle(2), nn.PixelShuffle(2)),
        (Upsample(3, "bilinear"), nn.Upsample(scale_factor=3, mode="bilinear")),
        (Pool(3, "average"), nn.AvgPool2d(3)),
    ]
    for spec, theirs in pairs:
        ours = spec.build(tuple(x.shape[1:]))
        weights = list(theirs.state_dict().values())
        ours.load_state_dict(dict(zip(ours.state_dict(), weights, strict=True)))
        assert_close(ours(x), theirs(x))
    assert Reshape(2, 3, 3).build((18,))(torch.arange(36.0).reshape(2, 18)).shape == (2, 2, 3, 3)


def test_the_example_of_a_stack_is_one_and_stands_where_it_is_needed():
    example = as_part("network", Stack.example)
    encoder, decoder = example.build(Sizes((1, 28, 28), (1, 28, 28), code_in=4, code_out=4, out=1))
    assert decoder(encoder(torch.rand(2, 1, 28, 28))[-1]).shape == (2, 1, 28, 28)
    assert Stack.example in {spec.name: spec.metadata["help"] for spec in fields(nw.AutoEncoder)}["network"]
    texts = ("stak:encoder=conv", "stack:encode=conv", "stack:encoder=conv,stride=2", "stack:encoder=conv:8;strid=2")
    for text in texts:
        with pytest.raises(InputError, match=re.escape(f"{Stack.example!r}.")):
            as_part("network", text)


def test_a_stack_reads_back_from_its_text():
    spec = as_part("network", "stack:encoder=conv:8;relu/pool/linear,decoder=linear:98/reshape:2;7;7/transpose:3/conv")
    assert spec.encoder == (ConvLayer(8, activation="relu"), Pool(), LinearLayer())
    assert as_part("network", str(spec)) == spec
    encoder, decoder = spec.build(Sizes((1, 14, 14), (1, 14, 14), 5, 5, 1))
    assert decoder(encoder(torch.rand(2, 1, 14, 14))[-1]).shape == (2, 1, 14, 14)


@pytest.mark.parametrize(
    ("encoder", "decoder", "code", "said"),
    [
        (("conv:8",), ("conv",), 4, "ends with 8 channels, but the code reads 4. Accepted: as many. Try: latent_dim=8"),
        (("conv", "pool"), ("conv",), 4, "The decoder ends with"),
        (("conv",), ("unpool", "conv"), 4, "1 unpools for 0 max-pools"),
        (("conv:8", "pool", "conv"), ("unpool",), 4, "An unpool cannot follow a shape of"),
        (("pool:9",), ("conv",), 1, "The layer pool:size=9 cannot follow a shape of"),
        (("linear",), ("conv",), 4, "cannot follow a shape of"),
        (("conv", "transpose:output_padding=2"), ("conv",), 1, "output padding must be smaller"),
        (("convolve",), ("conv",), 1, "There is no layer 'convolve'"),
    ],
)
def test_layers_that_do_not_fit_are_refused(encoder, decoder, code, said):
    with pytest.raises(InputError, match=said):
        Stack(encoder, decoder).build(sizes(side=(8, 8), code=code))


def test_unpools_use_the_positions_of_their_own_pools():
    spec = Stack(("pool", "pool"), ("unpool", "unpool"))
    encoder, decoder = spec.build(sizes(side=(8, 8), code=1))
    x = torch.rand(2, 1, 8, 8)
    *positions, z = encoder(x)
    made = decoder(z, tuple(positions))
    assert torch.equal(made[made > 0], x[made > 0])  # every survivor is back where it came from
    assert (made > 0).sum() == 2 * 4
    assert not torch.equal(decoder(z), made)


# ---- growing ---------------------------------------------------------------------------------------------------------


def test_an_unpooling_network_learns_with_positions_and_decodes_without():
    encoder, decoder = Conv((4, 8), up="unpool").build(sizes(side=(9, 7), code=5))
    *positions, z = encoder(torch.rand(2, 1, 9, 7))
    assert [tuple(where.shape[1:]) for where in positions] == [(4, 5, 4), (8, 3, 2)]
    assert not torch.equal(decoder(z, tuple(positions)), decoder(z))


def test_residual_blocks_start_as_the_identity():
    deep, shallow = ResNet((4, 8), depth=3), ResNet((4, 8), depth=1)
    big, small = (spec.build(sizes(side=(8, 8), code=3))[0] for spec in (deep, shallow))
    state = big.state_dict()
    small.load_state_dict({name: state[name] for name in small.state_dict()})
    x = torch.rand(2, 1, 8, 8)
    assert_close(big(x)[-1], small(x)[-1])


# ---- U-Net -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("skip", ["concat", "add", "none"])
@pytest.mark.parametrize("side", [(16, 16), (17, 13)])
def test_a_unet_gives_maps_of_every_resolution_and_the_size_back(skip, side):
    spec = UNet((4, 8), skip=skip)
    encoder, decoder = spec.build(sizes(3, side, code=16, out=5))
    maps = encoder(torch.rand(2, 3, *side))
    assert [m.shape[1] for m in maps] == ([4, 8, 16] if spec.skips else [16])
    assert decoder(maps[-1], tuple(maps[:-1])).shape == (2, 5, *side)


def test_a_unet_joins_as_it_says():
    x = torch.rand(2, 1, 8, 8)
    for skip, depends in (("concat", True), ("add", True), ("none", False)):
        encoder, decoder = UNet((4,), skip=skip, norm="none").build(sizes(side=(8, 8), code=6))
        maps = encoder(x)
        if depends:
            moved = decoder(maps[-1], (maps[0] + 1,))
            assert not torch.allclose(moved, decoder(maps[-1], (maps[0],)))
        assert len(maps) == 1 + depends
    added = UNet((4,), skip="add", norm="none").build(sizes(side=(8, 8), code=6))[1]
    z, zero = torch.rand(2, 6, 4, 4), torch.zeros(2, 4, 8, 8)
    bare = UNet((4,), skip="none", norm="none").build(sizes(side=(8, 8), code=6))[1]
    bare.load_state_dict(added.state_dict())
    assert_close(added(z, (zero,)), bare(z))  # adding nothing is no skip


def test_the_unet_of_the_documents():
    encoder, _ = UNet((16, 32, 64, 128), second=False).build(sizes(side=(32, 32), out=2))
    first = encoder.blocks[0]
    assert [type(layer).__name__ for layer in first] == ["Conv2d", "BatchNorm2d", "LeakyReLU", "Conv2d", "BatchNorm2d"]
    assert first[2].negative_slope == 0.2
    assert [block[0].in_channels for block in encoder.blocks] == [1, 16, 32, 64, 128]
    assert encoder.blocks[-1][0].out_channels == 256


def test_a_unet_refuses_what_it_cannot_read():
    with pytest.raises(InputError, match="cannot read rows of shape"):
        UNet().build(Sizes((4,), (4,), 2, 2, 1))
    with pytest.raises(InputError, match="up='unpool'"):
        UNet(up="unpool").build(sizes())
    with pytest.raises(InputError, match="as large as the inputs"):
        UNet().build(Sizes((1, 8, 8), (1, 16, 16), 2, 2, 1))


@pytest.mark.parametrize("skip", ["concat", "add", "none"])
@pytest.mark.parametrize("side", [(16, 16), (12, 20), (30, 22)])
def test_a_unet_for_large_pictures_takes_tiles(skip, side):
    encoder, decoder = UNet((4, 4, 4), skip=skip).build(sizes(side=(30, 22), code=8))
    *skips, bridge = encoder(torch.rand(2, 1, *side))
    made = decoder(bridge, tuple(skips))
    assert made.shape == (2, 1, *side) if skip != "none" or side == (16, 16) else made.ndim == 4


def test_layers_without_weights_may_end_a_decoder():
    rows = torch.rand(40, 1, 8, 8).numpy()
    for decoder in (("linear:64", "reshape:4;4;4", "shuffle"), ("linear:16", "reshape:1;4;4", "upsample")):
        network = Stack(("linear",), decoder)
        model = nw.AutoEncoder(latent_dim=3, network=network, epochs=2, random_state=0).fit(rows)
        assert model.reconstruct(rows).shape == rows.shape


# ---- batch normalisation ---------------------------------------------------------------------------------------------


def test_running_averages_are_means_of_the_first_batches_and_then_pytorchs():
    (layer,), plain = norm("batch", 3), nn.BatchNorm2d(3)
    batches = [torch.randn(4, 3, 5, 5) * 3 + 7 for _ in range(14)]
    for x in batches[:10]:
        layer(x)
    assert_close(layer.running_mean, torch.stack([x.mean((0, 2, 3)) for x in batches[:10]]).mean(0))
    assert_close(layer.running_var, torch.stack([x.var((0, 2, 3)) for x in batches[:10]]).mean(0))
    plain.load_state_dict(layer.state_dict())
    for x in batches[10:]:
        assert_close(layer(x), plain(x))
    assert_close(layer.state_dict(), plain.state_dict())
