"""Files of several frames: every frame is a picture, whatever wrote it, and what comes back is a stack of the same."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from narrows.cli import main
from narrows.data import read
from narrows.data.disk.chunks import ImageChunks
from narrows.data.images.frames import frames
from narrows.data.images.masks import read_masks, write_masks
from narrows.data.images.sets import matched, read_pictures, write_pictures
from narrows.errors import InputError

DRAW = np.random.default_rng(0)


def levels(*shape: int, dtype: type = np.uint8) -> np.ndarray:
    return DRAW.integers(0, np.iinfo(dtype).max + 1, shape, dtype)


def animation(path: Path) -> np.ndarray:
    pixels = levels(4, 1, 9, 7)
    first, *more = (Image.fromarray(frame[0]) for frame in pixels)
    first.save(path, save_all=True, append_images=more)
    return pixels.repeat(3, axis=1)


def stack(array: np.ndarray, wanted: np.ndarray, **settings: object):
    def write(path: Path) -> np.ndarray:
        tifffile.imwrite(path, array, **settings)
        return wanted

    return write


DEEP, SPLIT, PLANES = levels(5, 9, 7, dtype=np.uint16), levels(2, 3, 2, 9, 7), levels(2, 3, 9, 7)
COLOUR, FLOATS = levels(4, 9, 7, 3, dtype=np.uint16), DRAW.random((3, 9, 7)).astype(np.float32)
FILES = {
    "16 bit": ("a.tif", stack(DEEP, DEEP[:, None], photometric="minisblack")),
    "ImageJ, two channels": (
        "a.tif",
        stack(SPLIT, SPLIT.reshape(6, 2, 9, 7), imagej=True, metadata={"axes": "TZCYX"}),
    ),
    "OME, channels first": ("a.ome.tif", stack(PLANES, PLANES.swapaxes(0, 1), ome=True, metadata={"axes": "CZYX"})),
    "colour of 16 bit": ("a.tif", stack(COLOUR, np.moveaxis(COLOUR, 3, 1), photometric="rgb")),
    "floats": ("a.tif", stack(FLOATS, FLOATS[:, None], photometric="minisblack")),
    "animation": ("a.gif", animation),
}


@pytest.mark.parametrize("name", FILES)
def test_every_frame_is_a_picture_and_a_stack_comes_back(name: str, tmp_path: Path) -> None:
    file, write = FILES[name]
    (tmp_path / "in").mkdir()
    wanted = write(tmp_path / "in" / file)
    pictures = read_pictures(tmp_path / "in")
    assert pictures.names == tuple(f"{file}#{i}" for i in range(len(wanted)))
    np.testing.assert_array_equal(np.stack(pictures.arrays), wanted)
    (path,) = write_pictures(pictures.arrays, pictures, tmp_path / "out")
    assert path.name == (file if file.endswith(".tif") else f"{file}.tif")
    again = read_pictures(path)
    np.testing.assert_array_equal(np.stack(again.arrays), wanted)
    assert again.arrays[0].dtype == wanted.dtype


def test_pages_of_several_sizes_are_frames_and_smaller_copies_are_none(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "sizes.tif") as file:
        for side in (5, 6, 7):
            file.write(levels(side, side), photometric="minisblack")
    with tifffile.TiffWriter(tmp_path / "pyramid.tif") as file:
        file.write(levels(8, 8), photometric="minisblack")
        file.write(levels(4, 4), photometric="minisblack", subfiletype=1)
    assert [array.shape for array in read_pictures(tmp_path / "sizes.tif").arrays] == [(1, n, n) for n in (5, 6, 7)]
    assert frames(tmp_path / "pyramid.tif") == []
    pictures = read_pictures(tmp_path / "sizes.tif")
    assert [path.name for path in write_pictures(pictures.arrays, pictures, tmp_path / "out")] == [
        f"sizes.tif#{i}.png" for i in range(3)
    ]


def test_a_stack_of_masks_belongs_to_a_stack_of_pictures(tmp_path: Path) -> None:
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
        pixels = levels(4, 9, 7) // 128 * 255
        tifffile.imwrite(tmp_path / kind / "m.tif", pixels, photometric="minisblack")
    masks, encoding = read_masks(tmp_path / "masks")
    pictures, found, notes = matched(read_pictures(tmp_path / "images"), masks)
    assert (pictures.names, notes) == (found.names, [])
    (path,) = write_masks(found.arrays, encoding, pictures, tmp_path / "out")
    np.testing.assert_array_equal(np.stack(read_masks(path)[0].arrays), np.stack(masks.arrays))


def test_rows_of_frames_and_their_reconstructions(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    tifffile.imwrite(tmp_path / "in" / "m.tif", DEEP, photometric="minisblack")
    assert read(tmp_path / "in").ids.tolist() == [f"m.tif#{i}" for i in range(5)]
    words = f"fit reduce {tmp_path}/in --epochs 1 --latent-dim 2 --network dense:4 --no-figures -o {tmp_path}/run"
    with warnings.catch_warnings():
        assert main(words.split()) == 0
    stacked = read_pictures(tmp_path / "run" / "reconstruction" / "m.tif")
    assert np.stack(stacked.arrays).shape == (5, 1, 9, 7)


def test_frames_are_rows_also_where_a_folder_is_read_from_disk(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "m.tif", DEEP, photometric="minisblack")
    pieces, memory = ImageChunks(tmp_path, None), read(tmp_path)
    assert len(pieces) == 5
    assert pieces.sample().notes == memory.notes
    picked = pieces.pick(np.array([3, 1]), memory.fit_schema())
    assert picked.ids.tolist() == ["m.tif#3", "m.tif#1"]
    np.testing.assert_array_equal(picked.values, DEEP[[3, 1], None])


# ---- masks of two values that were resized ---------------------------------------------------------------------------


def discs(n: int = 3) -> list[np.ndarray]:
    y, x = np.mgrid[:24, :28]
    return [((y - 11 - i) ** 2 + (x - 13) ** 2 < 40) for i in range(n)]


def resized(disc: np.ndarray, values: tuple[int, int] = (0, 255)) -> Image.Image:
    image = Image.fromarray(np.where(disc, values[1], values[0]).astype(np.uint8))
    return image.resize((14, 12), Image.Resampling.NEAREST).resize((28, 24), Image.Resampling.BILINEAR)


@pytest.mark.parametrize("values", [(0, 255), (30, 200)])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_smoothed_edges_are_cut_at_half(values: tuple[int, int], mode: str, tmp_path: Path) -> None:
    for i, disc in enumerate(discs()):
        resized(disc, values).convert(mode).save(tmp_path / f"{i}.png")
    masks, encoding = read_masks(tmp_path)
    grey = 0x010101 if mode == "RGB" else 1
    assert set(np.unique(np.stack(masks.arrays)).tolist()) == {values[0] * grey, values[1] * grey}
    assert any(f"cut at half: {values[1]} above, {values[0]} below" in note for note in masks.notes)
    assert encoding.kind == ("colour" if mode == "RGB" else "grey")
    overlap = [np.mean((mask[0] > values[0] * grey) == disc) for mask, disc in zip(masks.arrays, discs(), strict=True)]
    assert min(overlap) > 0.95


def test_classes_between_two_others_stay(tmp_path: Path) -> None:
    for i, disc in enumerate(discs()):
        levels = np.where(disc, 255, 0).astype(np.uint8)
        levels[2:9, 2:9], levels[2:9, 20:26], levels[16:22, 2:9] = 60, 120, 180  # areas, not edges
        Image.fromarray(levels).save(tmp_path / f"{i}.png")
    masks, _ = read_masks(tmp_path)
    assert set(np.unique(np.stack(masks.arrays)).tolist()) == {0, 60, 120, 180, 255}
    assert masks.notes == ()


# ---- what cannot be read ---------------------------------------------------------------------------------------------


def test_files_that_fail_early_and_late_are_named_in_one_message(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        Image.fromarray(levels(40, 40)).save(tmp_path / f"{name}.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    whole = (tmp_path / "c.png").read_bytes()
    (tmp_path / "c.png").write_bytes(whole[: len(whole) // 2])  # its header is whole, its pixels are not
    for reader in (read_pictures, read, read_masks):
        with pytest.raises(InputError, match=r"2 of 3 images cannot be read: b\.png .*; c\.png"):
            reader(tmp_path)
