"""Tiles of networks: the picture in one piece where they share what the network looks around, bounded elsewhere."""

from collections.abc import Callable
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate

import narrows as nw
from narrows.data.images.tiles import bands, ramp, reach, starts, tiled, tiled_network
from narrows.data.pairs import Pairs
from narrows.families.autoencoder import AutoEncoder
from narrows.tasks.images import averaged, averaged_bands, through, through_bands
from narrows.tasks.restore import corrected
from narrows.workflows.segment import INK, paint

RNG = np.random.default_rng(0)
REACH = {"unet:4": 10, "unet:4,8": 26, "unet:4,skip=none": 10, "conv:4,8,flat=no,norm=batch": 8}


def fitted(network: str, side: int = 64) -> AutoEncoder:
    X = RNG.random((4, 1, side, side), np.float32)
    model = AutoEncoder(network=network, latent_dim=4, epochs=2, batch_size=2, random_state=0)
    return model.fit_pairs(Pairs(X, 1 - X))


def mean_of(model: AutoEncoder) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: model.model_.reconstruct(torch.as_tensor(x)).detach().numpy()


@pytest.mark.parametrize("network", REACH)
def test_the_reach_is_that_of_the_layers(network: str) -> None:
    # unet:4 looks 2 pixels around in two convolutions, 4 in two of half the size, 1 growing, 2 and 1 in the last three
    model = fitted(network)
    multiple, mean = model.chosen_network((1, 64, 64)).multiple, mean_of(model)
    assert reach(mean, 1, 64, multiple) == REACH[network]
    image = RNG.random((1, 1, 96, 96), np.float32)
    changed = image.copy()
    changed[:, :, 48 : 48 + multiple, 48 : 48 + multiple] += 100
    rows = np.flatnonzero((mean(image) != mean(changed)).any(axis=(0, 1, 3)))
    assert 48 - REACH[network] <= rows.min() <= rows.max() < 48 + multiple + REACH[network]


def test_what_looks_at_the_whole_picture_has_no_reach() -> None:
    assert reach(mean_of(fitted("conv:4,8,flat=no")), 1, 64, 4) is None  # norms of groups are of all pixels
    assert reach(lambda x: x * 0 + 1 if not np.isnan(x).any() else np.ones_like(x), 1, 16, 1) is None
    larger = reach(lambda x: correlate(x, np.ones((1, 1, 7, 7)), mode="constant").repeat(2, 2).repeat(2, 3), 1, 20, 1)
    assert larger == 3


@pytest.mark.parametrize("network", ["unet:4", "unet:4,skip=none", "conv:4,8,flat=no,norm=batch"])
@pytest.mark.parametrize("size", [(64, 64), (64, 96)])
def test_tiles_that_share_twice_the_reach_are_the_whole_picture(network: str, size: tuple[int, int]) -> None:
    model = fitted(network)
    multiple, mean = model.chosen_network((1, 64, 64)).multiple, mean_of(model)
    image = RNG.random((1, 168, 200), np.float32)
    whole = mean(image[None])[0]
    np.testing.assert_allclose(tiled_network(mean, image, size, multiple), whole, rtol=0, atol=1e-5)
    exact = tiled(mean, image, size, multiple, 2 * REACH[network], REACH[network])
    np.testing.assert_allclose(exact, whole, rtol=0, atol=1e-5)
    blind = tiled(mean, image, size, multiple, 2 * REACH[network] // 3, 0)
    assert np.abs(blind - whole).max() > 1e-3  # tiles alone are not the picture


@pytest.mark.parametrize("overlap", [8, 12, 18])
def test_tiles_that_share_less_are_exact_inside_and_no_worse_than_a_tile_elsewhere(overlap: int) -> None:
    mean, side, radius = mean_of(fitted("unet:4")), 64, REACH["unet:4"]
    image = RNG.random((1, 150, 130), np.float32)
    whole = mean(image[None])[0, 0]
    error = np.abs(tiled(mean, image, side, 2, overlap, radius)[0] - whole)
    inside, worst = np.ones(whole.shape, bool), np.zeros(whole.shape)
    for y, x in product(*(starts(length, side, 2, overlap) for length in whole.shape)):
        part = (slice(y, y + side), slice(x, x + side))
        far = [
            np.minimum(line if at else side, line[::-1] if at + side < length else side)
            for at, length in zip((y, x), whole.shape, strict=True)
            for line in [np.arange(side)]
        ]
        depth = np.minimum.outer(*far)  # pixels to the nearest rim that is none of the picture
        alone = np.abs(mean(image[None, :, *part])[0, 0] - whole[part])
        assert alone[depth >= radius].max() < 1e-5
        inside[part] &= depth >= radius
        worst[part] = np.maximum(worst[part], np.where(depth >= 3 * overlap // 8, alone, 0))
    assert 0.3 < inside.mean() < 1
    assert error[inside].max() < 1e-5
    assert (error <= worst + 1e-5).all()


def test_pictures_larger_than_those_of_the_fit_are_seamless() -> None:
    model = fitted("unet:4")
    image = RNG.random((1, 150, 170), np.float32)
    whole = mean_of(model)(image[None])[0]
    np.testing.assert_allclose(through(model, image), whole, rtol=0, atol=1e-5)
    large = RNG.random((1, 400, 500), np.float32)
    np.testing.assert_allclose(corrected(model, large), mean_of(model)(large[None])[0], rtol=0, atol=1e-5)
    bytes_ = (image * 255).astype(np.uint8)
    np.testing.assert_allclose(through(model, bytes_), through(model, bytes_ / np.float32(255)), rtol=0, atol=1e-5)


def test_bands_are_the_blended_tiles_of_the_whole_picture_at_once() -> None:
    """The weighted mean of all tiles, summed up as one array."""
    image, tile, overlap = RNG.random((2, 41, 30)), 16, 6
    places = [starts(length, tile, 2, overlap) for length in (42, 30)]
    padded = np.pad(image, ((0, 0), (0, 1), (0, 0)), mode="reflect")
    total, weight = np.zeros((2, 84, 60)), np.zeros((84, 60))

    def twice(x: np.ndarray) -> np.ndarray:
        return np.asarray(x.repeat(2, axis=2).repeat(2, axis=3) * (1 + np.arange(2 * x.shape[3])), np.float32)

    for top, left in product(*places):
        lines = []
        for start, length, along in zip((top, left), (42, 30), places, strict=True):
            shared = tile - max(b - a for a, b in pairwise(along))
            rise, ones = ramp(2 * tile, 2 * shared, 2 * (3 * shared // 8)), np.ones(2 * tile)
            lines.append(np.minimum(rise if start else ones, rise[::-1] if start + tile < length else ones))
        part = (slice(2 * top, 2 * (top + tile)), slice(2 * left, 2 * (left + tile)))
        total[:, *part] += twice(padded[None, :, top : top + tile, left : left + tile])[0] * np.outer(*lines)
        weight[part] += np.outer(*lines)
    parts = list(bands(twice, image, tile, 2, overlap))
    assert len(parts) > 2
    np.testing.assert_allclose(np.concatenate(parts, axis=1), (total / weight)[:, :82, :60], rtol=1e-6)


@pytest.mark.parametrize("flips", ["none", "horizontal", "all"])
def test_bands_over_flips_are_the_mean_over_flips(flips: str) -> None:
    model, picture = fitted("unet:4", 32), RNG.random((1, 101, 75), np.float32)

    def apply(seen: np.ndarray) -> np.ndarray:
        return through(model, seen)

    parts = averaged_bands(lambda seen: through_bands(model, seen), picture, flips)
    np.testing.assert_allclose(np.concatenate(list(parts), axis=1), averaged(apply, picture, flips), atol=1e-6)


def test_a_picture_in_the_type_of_its_file_is_the_result_rounded() -> None:
    pictures = [RNG.integers(0, 256, (channels, 90, 70), np.uint8) for channels in (1, 3, 4)]
    estimator = nw.DenoisingAutoEncoder(network="residual:4,1,1,2", latent_dim=4)
    model = nw.Denoiser(estimator=estimator, epochs=1, random_state=0).fit_pictures(pictures[:1] * 3)
    for picture in pictures:
        expected = np.rint(model.predict_pictures([picture])[0] * 255)
        np.testing.assert_array_equal(model.predict_as(picture, np.uint8), expected.astype(np.uint8))


def test_a_painted_picture_is_the_mean_of_picture_and_colours() -> None:
    picture, mask = RNG.integers(0, 256, (1, 300, 20), np.uint8), RNG.integers(0, 3, (300, 20))
    seen = paint(picture, mask, [0, 1, 2])
    expected = 0.6 * picture + 0.4 * np.moveaxis(np.array(INK)[mask], 2, 0)
    np.testing.assert_allclose(seen, expected, atol=0.51)
    two = paint(picture, np.where(mask == 1, 9, 4), [4, 9])
    np.testing.assert_array_equal(two[:, mask != 1], np.broadcast_to(picture, two.shape)[:, mask != 1])
    expected = 0.6 * picture + 0.4 * np.array(INK[0])[:, None, None]
    np.testing.assert_allclose(two[:, mask == 1], expected[:, mask == 1], atol=0.51)
