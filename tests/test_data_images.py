"""Images: files of all kinds to pixels, one size, and files again."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tifffile import imwrite

from narrows.data import read, schema_from_json
from narrows.data.disk.chunks import pieces_of
from narrows.data.images.masks import read_masks
from narrows.errors import InputError

RNG = np.random.default_rng(0)


def noise(*shape: int, dtype: type = np.uint8) -> np.ndarray:
    return RNG.integers(0, np.iinfo(dtype).max, shape, dtype)


def save(path: Path, pixels: np.ndarray, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.mark.parametrize("ending", ["png", "tif", "tiff", "bmp", "pgm", "PNG", "gif"])
def test_grey_formats_are_exact(ending: str, tmp_path: Path) -> None:
    images = noise(3, 9, 7)
    for i, pixels in enumerate(images):
        save(tmp_path / f"{i}.{ending}", pixels)
    source = read(tmp_path)
    assert source.id_name == "file"
    assert source.ids.tolist() == [f"{i}.{ending}" for i in range(3)]
    if ending == "gif":
        assert source.values.shape == (3, 3, 9, 7)
    np.testing.assert_array_equal(source.values[:, 0], images)


@pytest.mark.parametrize("ending", ["png", "tif", "bmp", "ppm"])
def test_colour_formats_are_exact(ending: str, tmp_path: Path) -> None:
    images = noise(2, 8, 5, 3)
    for i, pixels in enumerate(images):
        save(tmp_path / f"{i}.{ending}", pixels)
    np.testing.assert_array_equal(read(tmp_path).values, np.moveaxis(images, 3, 1))


@pytest.mark.parametrize("ending", ["png", "tif", "pgm"])
def test_sixteen_bits_are_exact_there_and_back(ending: str, tmp_path: Path) -> None:
    images = noise(2, 8, 5, dtype=np.uint16)
    for i, pixels in enumerate(images):
        save(tmp_path / "in" / f"{i}.{ending}", pixels)
    source = read(tmp_path / "in")
    schema = source.fit_schema()
    encoded = schema.encode(source)
    assert encoded.dtype == np.uint16
    np.testing.assert_array_equal(encoded[:, 0], images)
    schema.write(encoded / 65535.0, tmp_path, "out", source.ids, source.id_name)
    np.testing.assert_array_equal(read(tmp_path / "out").values, encoded)


def test_write_gives_the_same_names_and_pixels(tmp_path: Path) -> None:
    for name in ("a/1.png", "a/2.bmp", "b/1.tif"):
        save(tmp_path / "in" / name, noise(6, 6, 3))
    source = read(tmp_path / "in")
    schema = schema_from_json(source.fit_schema().to_json())
    paths = schema.write(schema.encode(source) / 255.0, tmp_path, "out", source.ids, source.id_name)
    assert [path.relative_to(tmp_path / "out").as_posix() for path in paths] == ["a/1.png", "a/2.bmp", "b/1.tif"]
    assert [path.read_bytes()[:2] for path in paths] == [b"\x89P", b"BM", b"II"]
    np.testing.assert_array_equal(read(tmp_path / "out").values, source.values)
    assert read(tmp_path / "out").fingerprint() == source.fingerprint()


def test_palette_alpha_and_mixed_channels(tmp_path: Path) -> None:
    grey = noise(4, 4)
    save(tmp_path / "1.png", grey)
    Image.fromarray(noise(4, 4, 3)).quantize(8).save(tmp_path / "2.png")
    save(tmp_path / "3.png", noise(4, 4, 4))
    source = read(tmp_path)
    assert source.values.shape == (3, 4, 4, 4)
    np.testing.assert_array_equal(source.values[0, :3], np.stack([grey] * 3))
    assert (source.values[:2, 3] == 255).all()
    note = f"'{tmp_path.name}' holds 1 grey, 1 colour, 1 colour with alpha images: all become colour with alpha"
    assert any(said.startswith(note) for said in source.notes)


def test_mixed_depths_become_sixteen_bits(tmp_path: Path) -> None:
    save(tmp_path / "1.png", np.full((4, 4), 255, np.uint8))
    save(tmp_path / "2.png", np.full((4, 4), 1000, np.uint16))
    assert read(tmp_path).values[:, 0, 0, 0].tolist() == [65535, 1000]


def test_images_opened_before_are_reduced_with_a_note(tmp_path: Path) -> None:
    pixels = noise(4, 6, 3, dtype=np.uint16)
    (tmp_path / "a.ppm").write_bytes(b"P6\n# made by hand\n6 4\n65535\n" + pixels.astype(">u2").tobytes())
    with Image.open(tmp_path / "a.ppm") as image:
        source = read([image])
    assert source.values.dtype == np.uint8
    np.testing.assert_allclose(source.values[0], np.moveaxis(pixels, 2, 0) / 257.0, atol=1)
    assert source.notes == ("'images': 1 images of 16 bit in inks, or opened before: read as 8 bit",)


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    pixels = noise(4, 8, 3)
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path / "1.png", pixels, exif=exif)
    source = read(tmp_path)
    np.testing.assert_array_equal(source.values[0], np.moveaxis(np.rot90(pixels, -1), 2, 0))
    assert source.notes == (f"'{tmp_path.name}': 1 images turned upright, as their EXIF orientation says",)


@pytest.mark.parametrize("turn", [1, 3, 6, 8])
def test_plain_tiff_files_are_turned_too(turn: int, tmp_path: Path) -> None:
    """Pillow maps such files into memory when it opens them by their path."""
    for mode, pixels in (("grey", noise(5, 9)), ("alpha", noise(5, 9, 4)), ("deep", noise(5, 9, dtype=np.uint16))):
        save(tmp_path / mode / "0.tif", pixels, tiffinfo={274: turn})
        wanted = np.rot90(pixels, {1: 0, 3: 2, 6: -1, 8: 1}[turn]).reshape(*(9, 5) if turn > 5 else (5, 9), -1)
        np.testing.assert_array_equal(read(tmp_path / mode).values[0], np.moveaxis(wanted, 2, 0))
    masks, _ = read_masks(tmp_path / "deep")
    np.testing.assert_array_equal(masks.arrays[0], wanted[None, :, :, 0])


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(8, 6)] * 3, (8, 6)),
        ([(128, 100)] * 2, (128, 100)),
        ([(200, 100)] * 2, (64, 32)),
        ([(10, 20), (12, 24), (14, 28)], (12, 24)),
        ([(100, 50), (200, 100), (400, 200)], (64, 32)),
    ],
)
def test_sizes(sizes: list[tuple[int, int]], expected: tuple[int, int], tmp_path: Path) -> None:
    for i, size in enumerate(sizes):
        save(tmp_path / f"{i}.png", np.full(size, 77, np.uint8))
    source = read(tmp_path)
    assert source.values.shape == (len(sizes), 1, *expected)
    assert (source.values == 77).all()
    changed = sum(size != expected for size in sizes)
    said = [note for note in source.notes if f"{changed} of {len(sizes)} images are resized" in note]
    assert len(said) == (changed > 0)
    assert source.fit_schema().notes == source.notes


@pytest.mark.parametrize("odd", [(120, 100), (50, 60), (300, 200)])
def test_a_few_of_another_size_are_named_and_leave_the_others_as_they_are(odd: tuple[int, int], tmp_path: Path) -> None:
    made = [noise(100, 120) for _ in range(5)]
    for i, pixels in enumerate(made):
        save(tmp_path / f"{i}.png", pixels)
    save(tmp_path / "odd.png", noise(*odd))
    source = read(tmp_path)
    np.testing.assert_array_equal(source.values[:5, 0], np.stack(made))
    size = f"{odd[0]} x {odd[1]}"
    (note,) = source.notes
    assert note.endswith(
        f"1 of 6 images are resized to 100 x 120 (height x width), the size of the others: odd.png {size}"
    )
    schema = source.fit_schema()
    assert schema.warnings(source) == ()  # it is said
    assert schema.shape == (1, 100, 120)
    assert (schema.encode(read(tmp_path, like=schema)) == source.values).all()


def test_a_picture_on_its_side_by_exif_is_none_of_another_size(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for i in range(4):
        save(tmp_path / f"{i}.png", noise(80, 60))
    save(tmp_path / "turned.png", noise(60, 80), exif=exif)
    source = read(tmp_path)
    assert source.values.shape == (5, 1, 80, 60)
    assert not any("resized" in note for note in source.notes)


def test_large_pictures_are_brought_to_the_proportions_of_most(tmp_path: Path) -> None:
    for i in range(9):
        save(tmp_path / f"{i}.png", noise(300, 400))
    save(tmp_path / "odd.png", noise(400, 300))
    source = read(tmp_path)
    assert source.values.shape == (10, 1, 48, 64)
    assert "10 of 10 images are resized" in source.notes[0]
    assert "; others than most, 300 x 400: odd.png 400 x 300" in source.notes[0]


def test_image_size_and_apply_at_the_size_of_the_fit(tmp_path: Path) -> None:
    save(tmp_path / "fit" / "1.png", noise(20, 10))
    save(tmp_path / "fit" / "2.png", noise(20, 10))
    save(tmp_path / "new" / "1.jpg", noise(40, 40, 3))
    source = read(tmp_path / "fit", image_size=(16, 8))
    schema = source.fit_schema()
    apply = read(tmp_path / "new", like=schema)
    assert schema.encode(apply).shape == (1, 1, 16, 8)
    assert schema.warnings(apply) == ("'new': 1 of 1 images are resized to 16 x 8, the size of the fit",)
    assert read(tmp_path / "new" / "1.jpg", like=schema).ids.tolist() == ["1.jpg"]
    assert schema.encode(read(tmp_path / "new")).shape == (1, 1, 16, 8)


def test_resizing_does_not_alias() -> None:
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 255
    small = read([Image.fromarray(stripes)] * 2, image_size=(16, 16)).values
    assert np.abs(small.astype(float)[:, :, 2:-2, 2:-2] - 127.5).max() <= 6


def test_classes_and_notes_on_other_files(tmp_path: Path) -> None:
    for name in ("cat/1.png", "cat/2.png", "dog/1.png"):
        save(tmp_path / name, noise(5, 5))
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / ".DS_Store").write_text("x")
    source = read(tmp_path)
    assert source.labels is not None
    assert source.labels.tolist() == [0, 0, 1]
    assert source.class_names == ("cat", "dog")
    assert f"'{tmp_path.name}': 1 files are not images and are not read (1 .txt)" in source.notes
    assert f"'{tmp_path.name}': 1 hidden files are not read" in source.notes
    taken = source.take(np.array([2]))
    assert (taken.ids.tolist(), taken.labels.tolist()) == (["dog/1.png"], [1])  # type: ignore[union-attr]


def test_more_classes_than_are_named_are_counted(tmp_path: Path) -> None:
    for name in "abcdefg":
        save(tmp_path / name / "1.png", noise(5, 5))
    said = f"'{tmp_path.name}': its 7 subfolders are read as classes (a, b, c, d, e and 2 more)"
    assert said in read(tmp_path).notes


def test_names_cannot_leave_the_folder(tmp_path: Path) -> None:
    schema = read([Image.new("L", (4, 4))] * 2).fit_schema()
    paths = schema.write(np.zeros((2, 1, 4, 4)), tmp_path, "out", np.array(["../../x.png", "/etc/y"]), "file")
    assert all(path.is_relative_to(tmp_path / "out") for path in paths)


def test_a_wrong_image_size_is_refused() -> None:
    with pytest.raises(InputError, match="image_size"):
        read([Image.new("L", (4, 4))] * 2, image_size=(0, 4))


def test_tiff_files_in_which_nought_is_white_are_turned_to_light(tmp_path: Path) -> None:
    for dtype in (np.uint8, np.uint16):
        pixels = noise(5, 9, dtype=dtype)
        (tmp_path / dtype.__name__).mkdir()
        imwrite(tmp_path / dtype.__name__ / "0.tif", pixels, photometric="miniswhite")
        np.testing.assert_array_equal(read(tmp_path / dtype.__name__).values[0, 0], np.iinfo(dtype).max - pixels)


def test_what_was_turned_is_said_of_a_stream_too(tmp_path: Path) -> None:
    save(tmp_path / "0.tif", noise(5, 5), tiffinfo={274: 6})
    said = pieces_of(str(tmp_path)).sample().notes
    assert said == (f"{tmp_path.name!r}: 1 images turned upright, as their EXIF orientation says",)
