"""Pictures of any sizes: read and written as they are, matched by name, cut into crops, run in tiles."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import uniform_filter
from tifffile import imwrite

from narrows.data.images.augment import Flip
from narrows.data.images.crops import crops
from narrows.data.images.sets import Pictures, matched, read_pictures, write_pictures
from narrows.data.images.tiles import tiled
from narrows.data.pairs import Pairs
from narrows.errors import InputError
from narrows.families.autoencoder import AutoEncoder
from narrows.holdout import PICTURES
from narrows.tasks.images import through

RNG = np.random.default_rng(0)


def noise(*shape: int, dtype: type = np.uint8) -> np.ndarray:
    return RNG.integers(0, np.iinfo(dtype).max, shape, dtype)


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def test_pictures_come_back_with_their_names_sizes_channels_and_depth(tmp_path: Path) -> None:
    made = {"10.png": noise(9, 7), "2.png": noise(5, 12, 3), "b/deep.tif": noise(6, 4, dtype=np.uint16)}
    made |= {"b/clear.png": noise(8, 8, 4)}
    for name, pixels in made.items():
        save(tmp_path / "in" / name, pixels)
    (tmp_path / "in" / "read.me").write_text("")
    pictures = read_pictures(tmp_path / "in")
    assert pictures.names == ("2.png", "10.png", "b/clear.png", "b/deep.tif")
    assert pictures.notes == ("'in': 1 files are not images and are not read (1 .me)",)
    for values in (pictures.arrays, [a / np.iinfo(a.dtype).max for a in pictures.arrays]):
        write_pictures(values, pictures, tmp_path / "out")
        for name, pixels in made.items():
            back = np.asarray(Image.open(tmp_path / "out" / name))
            assert back.dtype == pixels.dtype
            np.testing.assert_array_equal(back, pixels)


def test_results_of_other_sizes_and_channels_keep_name_and_depth(tmp_path: Path) -> None:
    save(tmp_path / "in" / "a.jpg", noise(8, 8))
    pictures = read_pictures(tmp_path / "in")
    (path,) = write_pictures([np.full((4, 16, 10), 0.5)], pictures, tmp_path / "out")
    assert path.name == "a.jpg.png"
    assert np.asarray(Image.open(path)).shape == (16, 10, 4)


def test_arrays_and_tiff_files_of_many_bands_are_pictures_too(tmp_path: Path) -> None:
    bands, floats = noise(9, 7, 5), RNG.random((6, 8), np.float32)
    imwrite(tmp_path / "in.tif", bands, photometric="minisblack", planarconfig="contig")
    np.save(tmp_path / "in.npy", floats)
    np.save(tmp_path / "nan.npy", np.full((2, 2), np.nan))
    for path, array in ((tmp_path / "in.tif", np.moveaxis(bands, 2, 0)), (tmp_path / "in.npy", floats[None])):
        pictures = read_pictures(path)
        np.testing.assert_array_equal(pictures.arrays[0], array)
        (made,) = write_pictures(pictures.arrays, pictures, tmp_path / "out")
        assert made.name == path.name
        np.testing.assert_array_equal(read_pictures(made).arrays[0], array)
    with pytest.raises(InputError, match=r"nan\.npy \(missing or infinite values\)"):
        read_pictures(tmp_path / "nan.npy")


def test_exif_is_turned_and_said(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise(4, 9)).save(tmp_path / "a.png", exif=exif)
    pictures = read_pictures(tmp_path)
    assert pictures.arrays[0].shape == (1, 9, 4)
    assert "turned upright" in pictures.notes[0]


def test_an_unreadable_picture_is_named(tmp_path: Path) -> None:
    save(tmp_path / "a.png", noise(4, 4))
    (tmp_path / "b.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"1 of 2 images cannot be read: b\.png \(not an image\)"):
        read_pictures(tmp_path)


def blank(name: str, *names: str) -> Pictures:
    return Pictures(name, names, [np.full((1, 2, 2), i, np.uint8) for i in range(len(names))])


def test_unmatched_pictures_are_counted_and_named() -> None:
    A, B, notes = matched(blank("A", "1.png", "2.png", "c/3.png"), blank("B", "c/3.jpg", "4.jpg", "1.bmp"))
    assert (A.names, B.names) == (("1.png", "c/3.png"), ("1.bmp", "c/3.jpg"))
    assert [int(a.max()) for a in (*A.arrays, *B.arrays)] == [0, 2, 2, 0]
    assert notes == [
        "'A': 1 of 3 pictures have no partner in 'B' and are left out (2.png)",
        "'B': 1 of 3 pictures have no partner in 'A' and are left out (4.jpg)",
    ]


def test_nothing_that_matches_is_refused_with_examples_of_both() -> None:
    with pytest.raises(InputError, match=r"'A' \(a\.png\) is named as one in 'B' \(b\.png\)"):
        matched(blank("A", "a.png"), blank("B", "b.png"))
    with pytest.raises(InputError, match="several pictures of the stem 'a'"):
        matched(blank("A", "a.png", "a.jpg"), blank("B", "a.png"))


def test_crops_of_a_grid_cover_every_pixel_and_stay_with_their_targets() -> None:
    x = [np.arange(h * w, dtype=np.uint16).reshape(1, h, w) for h, w in ((9, 14), (4, 4), (3, 30))]
    pairs, notes = crops(x, [a + 1 for a in x], (4, 5))
    inputs, targets = (column.numpy() for column in pairs.columns[:2])
    assert inputs.dtype == np.uint16
    np.testing.assert_array_equal(targets, inputs + 1)
    assert set(np.unique(inputs)) == set(range(9 * 14))
    assert notes == []
    batch = next(pairs.batches(len(pairs)))
    assert batch.x.max() == pytest.approx(125 / 65535)


def test_small_pictures_are_reflected_and_equal_ones_pass_whole() -> None:
    pairs, _ = crops([np.array([[[1, 2, 3]]], np.uint8)], None, (2, 5))
    assert pairs.columns[0].tolist() == [[[[1, 2, 3, 2, 1], [1, 2, 3, 2, 1]]]]
    same = [noise(3, 6, 8) for _ in range(4)]
    np.testing.assert_array_equal(crops(same, None, (6, 8))[0].columns[0], np.stack(same))


def test_random_crops_follow_area_and_seed_and_memory_is_bounded() -> None:
    x = [np.zeros((1, 40, 40), np.uint8), np.full((1, 20, 20), 9, np.uint8)]
    pairs, _ = crops(x, None, (8, 8), where="random", count=2000, seed=3)
    assert (pairs.columns[0][:, 0, 0, 0] == 9).float().mean() == pytest.approx(0.2, abs=0.03)
    again, _ = crops(x, None, (8, 8), where="random", count=2000, seed=3)
    assert torch.equal(pairs.columns[0], again.columns[0])
    few, notes = crops(x, None, (8, 8), memory=64 * 7)
    assert len(few) == 7
    assert "7 of them, drawn at random, are learnt from" in notes[0]


def test_crops_are_flipped_with_their_targets() -> None:
    x = [noise(1, 8, 8)]
    pairs, _ = crops(x, x, (8, 8), augment=Flip(vertical=True))
    batch = next(pairs.batches(1, torch.Generator().manual_seed(0)))
    assert torch.equal(batch.x, batch.target)


@pytest.mark.parametrize("shape", [(1, 37, 53), (3, 64, 20), (2, 5, 90)])
@pytest.mark.parametrize("multiple", [1, 8])
def test_tiles_of_the_identity_and_of_a_constant_are_exact(shape: tuple[int, ...], multiple: int) -> None:
    image = RNG.random(shape)
    seen: list[tuple[int, ...]] = []

    def same(x: np.ndarray) -> np.ndarray:
        seen.append(x.shape)
        return x

    made = tiled(same, image, size=16, multiple=multiple, overlap=6)
    assert made.shape == shape
    np.testing.assert_allclose(made, image, rtol=0, atol=1e-6)
    assert all(s[2] % multiple == 0 and s[3] % multiple == 0 and max(s[2:]) <= max(16, multiple) for s in seen)
    np.testing.assert_allclose(
        tiled(lambda x: np.full((1, 2, *x.shape[2:]), 3.0), image, 16, multiple, 6), 3, atol=1e-6
    )


def test_tiles_of_a_local_filter_are_those_of_the_whole_picture_without_seams() -> None:
    image = RNG.random((1, 70, 45))

    def blur(x: np.ndarray) -> np.ndarray:  # reaches 2 pixels
        return uniform_filter(x, (1, 1, 5, 5), mode="mirror")

    whole = blur(image[None])[0]
    inner = tiled(blur, image, size=24, overlap=20)
    assert np.abs(inner - whole).max() < 0.02  # a tile's rim has little weight
    jump = np.abs(np.diff(inner - whole, axis=1)).max()
    hard = tiled(blur, image, size=24, overlap=0)
    assert jump < 0.2 * np.abs(np.diff(hard - whole, axis=1)).max()


def test_tiles_may_grow_and_small_pictures_go_through_at_once() -> None:
    image = RNG.random((1, 33, 21))
    made = tiled(lambda x: x.repeat(2, axis=2).repeat(2, axis=3), image, size=16, multiple=4, overlap=8)
    np.testing.assert_allclose(made, image.repeat(2, axis=1).repeat(2, axis=2), atol=1e-6)
    calls: list[int] = []
    tiled(lambda x: (calls.append(1), x)[1], image, size=64, multiple=16)
    assert len(calls) == 1


@pytest.mark.parametrize("network", ["unet:4,8", "unet:4,8,up=bilinear", "conv:4,8,flat=no", "conv:4,8"])
@pytest.mark.parametrize("size", [(24, 40), (20, 33)])
def test_a_network_takes_pictures_of_any_size(network: str, size: tuple[int, int]) -> None:
    X = RNG.random((6, 2, *size), np.float32)
    model = AutoEncoder(network=network, latent_dim=8, epochs=1, batch_size=2, random_state=0)
    model.fit_pairs(Pairs(X, 1 - X[:, :1]))
    np.testing.assert_allclose(through(model, X[0])[None], model.reconstruct(X[:1]), atol=1e-5)
    for height, width in ((3, 5), (24, 32), (61, 19), (50, 90)):
        assert through(model, RNG.random((2, height, width))).shape == (1, height, width)
    with pytest.raises(InputError, match="1 channels where 2 are wanted"):
        through(model, X[0, :1])


def test_consecutive_slices_are_never_split_at_random() -> None:
    learn, held, split, why = PICTURES.pictures([f"{i}.png" for i in range(30)], 0)
    assert (learn.tolist(), held.tolist(), split) == (list(range(24)), list(range(24, 30)), "held-out")
    assert "numbered evenly" in why
    learn, held, split, why = PICTURES.pictures([f"cell{i * i}.png" for i in range(30)], 0)
    assert held.tolist() != list(range(24, 30))
    assert sorted([*learn, *held]) == list(range(30))
    assert len(held) == 6
    learn, held, split, why = PICTURES.pictures(["a.png", "b.png"], 0)
    assert (learn.tolist(), held.tolist(), split, why) == ([0, 1], [0, 1], "training", "")
