"""Colour of 16 bit: read exactly from files made by hand, written, and given back by the tasks in its depth."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tifffile import imread, imwrite

from narrows.cli import main
from narrows.data import read
from narrows.data.images.sets import read_pictures, write_pictures
from narrows.errors import InputError

RNG = np.random.default_rng(0)
PASSES = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]  # Adam7


def deep(height: int, width: int, channels: int = 3) -> np.ndarray:
    """Smooth colours with noise in their low bytes: filters leave something to undo."""
    y, x = np.mgrid[:height, :width]
    planes = [900.0 * (x + i) + 700 * y * (i + 1) for i in range(channels)]
    return (np.stack(planes, 2) + RNG.integers(0, 500, (height, width, channels))).astype(np.uint16)


def paeth(a: int, b: int, c: int) -> int:
    p = a + b - c
    return min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]


def filtered(lines: np.ndarray, kinds: list[int], step: int) -> bytes:
    """The lines of a PNG file, byte by byte as its specification has it; kinds of filter in turn."""
    out = bytearray()
    for i, line in enumerate(lines.tolist()):
        above, kind = lines[i - 1].tolist() if i else [0] * len(line), kinds[i % len(kinds)]
        out.append(kind)
        for j, value in enumerate(line):
            a, c = (line[j - step], above[j - step]) if j >= step else (0, 0)
            guess = [0, a, above[j], (a + above[j]) // 2, paeth(a, above[j], c)][kind]
            out.append((value - guess) % 256)
    return bytes(out)


def png(pixels: np.ndarray, colour: int, kinds: list[int], interlaced: bool = False) -> bytes:
    """A PNG file by hand."""
    height, width, channels = pixels.shape
    parts = [pixels[y::dy, x::dx] for y, x, dy, dx in PASSES] if interlaced else [pixels]
    lines = [part.astype(">u2").view(np.uint8).reshape(len(part), -1) for part in parts if part.size]
    data = b"".join(filtered(part, kinds, 2 * channels) for part in lines)
    head = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, int(interlaced))
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    made = [struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(made)


@pytest.mark.parametrize("kinds", [[0], [1], [2], [3], [4], [4, 2, 0, 3, 1]])
@pytest.mark.parametrize(("colour", "channels"), [(2, 3), (6, 4), (4, 2)])
@pytest.mark.parametrize("interlaced", [False, True])
def test_png_of_every_filter_is_exact(
    kinds: list[int], colour: int, channels: int, interlaced: bool, tmp_path: Path
) -> None:
    pixels = deep(11, 13, channels)
    (tmp_path / "a.png").write_bytes(png(pixels, colour, kinds, interlaced))
    expected = pixels[..., [0, 0, 0, 1]] if channels == 2 else pixels
    pictures = read_pictures(tmp_path)
    assert pictures.arrays[0].dtype == np.uint16
    assert pictures.notes == ()
    np.testing.assert_array_equal(pictures.arrays[0], np.moveaxis(expected, 2, 0))
    np.testing.assert_array_equal(read(tmp_path).values[0], np.moveaxis(expected, 2, 0))


def lzw(path: Path, pixels: np.ndarray, orientation: int = 1) -> None:
    """A TIFF file packed by LZW: Pillow packs the bytes as colours of 8 bit, and the tags are changed to 16 bit."""
    height, width, _ = pixels.shape
    tags = {274: orientation}
    flat = pixels.astype("<u2").view(np.uint8).reshape(height, 2 * width, 3)
    Image.fromarray(flat).save(path, compression="tiff_lzw", tiffinfo=tags)
    data = bytearray(path.read_bytes())
    assert data[:2] == b"II"
    start = struct.unpack_from("<I", data, 4)[0]
    for i in range(struct.unpack_from("<H", data, start)[0]):
        tag, _, _, value = struct.unpack_from("<HHII", data, at := start + 2 + 12 * i)
        if tag == 256:
            struct.pack_into("<HHII", data, at, 256, 3, 1, width)
        if tag == 258:
            struct.pack_into("<HHH", data, value, 16, 16, 16)
    path.write_bytes(data)


@pytest.mark.parametrize("packing", ["none", "deflate", "lzw", "planes", "tiles", "big-endian"])
def test_tiff_of_every_packing_is_exact(packing: str, tmp_path: Path) -> None:
    pixels, path = deep(33, 35), tmp_path / "a.tif"
    if packing == "lzw":
        lzw(path, pixels)
    elif packing == "planes":
        imwrite(path, np.moveaxis(pixels, 2, 0), photometric="rgb", planarconfig="separate")
    else:
        ways = {"deflate": {"compression": "zlib", "predictor": True}, "tiles": {"tile": (16, 16)}}
        order = ">" if packing == "big-endian" else "<"
        imwrite(path, pixels, photometric="rgb", byteorder=order, **ways.get(packing, {}))
    np.testing.assert_array_equal(read_pictures(path).arrays[0], np.moveaxis(pixels, 2, 0))


def test_alpha_of_tiff_files(tmp_path: Path) -> None:
    pixels = deep(6, 5, 4)
    pixels[0, 0, 3], pixels[0, 1, 3] = 0, 65535
    for name, kind in (("1.tif", "unassalpha"), ("2.tif", "assocalpha"), ("3.tif", "unspecified")):
        imwrite(tmp_path / name, pixels, photometric="rgb", extrasamples=[kind])
    plain, divided, other = read_pictures(tmp_path).arrays
    np.testing.assert_array_equal(plain, np.moveaxis(pixels, 2, 0))
    np.testing.assert_array_equal(other, np.moveaxis(pixels, 2, 0)[:3])
    np.testing.assert_array_equal(divided[:, 0, 1], pixels[0, 1])
    assert divided[:, 0, 0].tolist() == [0, 0, 0, 0]
    seen = pixels[2, 3].astype(float)
    np.testing.assert_allclose(divided[:3, 2, 3], np.minimum(seen[:3] / seen[3], 1) * 65535, atol=0.5)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("packing", ["plain", "lzw"])
def test_orientations_are_those_of_pillow(orientation: int, packing: str, tmp_path: Path) -> None:
    pixels, tag = deep(4, 7), [(274, "H", 1, orientation, True)]
    if packing == "lzw":
        lzw(tmp_path / "deep.tif", pixels, orientation)
    else:
        imwrite(tmp_path / "deep.tif", pixels, photometric="rgb", extratags=tag)
    imwrite(tmp_path / "flat.tif", (pixels >> 8).astype(np.uint8), photometric="rgb", extratags=tag)
    big, small = read_pictures(tmp_path).arrays
    assert big.shape == small.shape == ((3, 7, 4) if orientation > 4 else (3, 4, 7))
    np.testing.assert_array_equal(big >> 8, small)


def test_ppm_on_any_scale(tmp_path: Path) -> None:
    pixels = deep(4, 6)
    (tmp_path / "1.ppm").write_bytes(b"P6\n# by hand\n6 4\n65535\n" + pixels.astype(">u2").tobytes())
    (tmp_path / "2.ppm").write_bytes(b"P3 2 1 1023 # words\n0 1 2 # more\n 1021 1022 1023")
    first, second = read_pictures(tmp_path).arrays
    np.testing.assert_array_equal(first, np.moveaxis(pixels, 2, 0))
    assert second[:, 0].T.ravel().tolist() == [round(v * 65535 / 1023) for v in (0, 1, 2, 1021, 1022, 1023)]


@pytest.mark.parametrize("name", ["a.png", "a.ppm", "a.tif"])
def test_damage_is_named(name: str, tmp_path: Path) -> None:
    pixels = deep(40, 60)
    whole = {
        "a.png": png(pixels, 2, [0]),
        "a.ppm": b"P6 60 40 65535\n" + pixels.astype(">u2").tobytes(),
    }
    imwrite(tmp_path / "a.tif", pixels, photometric="rgb")
    data = whole.get(name) or (tmp_path / "a.tif").read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=f"1 of 1 images cannot be read: {name}"):
        read_pictures(tmp_path / name)


def test_files_come_back_bit_for_bit_and_others_read_them(tmp_path: Path) -> None:
    made = {
        "b.png": deep(9, 7),
        "c.tif": deep(5, 12),
        "d.ppm": deep(6, 4),
        "e.png": deep(8, 8, 4),
        "f.tiff": deep(3, 9, 4),
    }
    (tmp_path / "in").mkdir()
    for name, pixels in made.items():
        if name.endswith("png"):
            (tmp_path / "in" / name).write_bytes(png(pixels, 2 * pixels.shape[2] - 4 + (pixels.shape[2] == 4) * 2, [4]))
        elif name.endswith("ppm"):
            (tmp_path / "in" / name).write_bytes(b"P6 4 6 65535\n" + pixels.astype(">u2").tobytes())
        else:
            extra = ["unassalpha"] if pixels.shape[2] == 4 else []
            imwrite(tmp_path / "in" / name, pixels, photometric="rgb", extrasamples=extra)
    pictures = read_pictures(tmp_path / "in")
    floats = [array / np.float32(65535) for array in pictures.arrays]
    for i, values in enumerate((pictures.arrays, floats)):
        out = tmp_path / f"out{i}"
        assert [path.name for path in write_pictures(values, pictures, out)] == list(made)
        for array, again in zip(pictures.arrays, read_pictures(out).arrays, strict=True):
            np.testing.assert_array_equal(array, again)
        np.testing.assert_array_equal(imread(out / "f.tiff"), made["f.tiff"])
        with Image.open(out / "e.png") as image:
            np.testing.assert_array_equal(np.asarray(image), made["e.png"] >> 8)
        with Image.open(out / "b.png") as image:
            image.verify()
    source = read(tmp_path / "in", image_size=(8, 8))
    paths = source.fit_schema().write(source.values / 65535, tmp_path, "schema", source.ids, "file")
    back = read(tmp_path / "schema", image_size=(8, 8)).values
    assert back.dtype == np.uint16
    np.testing.assert_array_equal(back, source.values)
    assert len(paths) == 5


def test_inks_of_sixteen_bits_are_read_as_eight_with_a_note(tmp_path: Path) -> None:
    imwrite(tmp_path / "a.tif", deep(4, 6, 4), photometric="separated")
    pictures = read_pictures(tmp_path)
    assert pictures.arrays[0].dtype == np.uint8
    assert pictures.notes == (f"'{tmp_path.name}': 1 images of 16 bit in inks, or opened before: read as 8 bit",)


@pytest.mark.parametrize("task", ["denoise", "upscale", "translate"])
def test_tasks_give_deep_colour_back_deep(task: str, tmp_path: Path) -> None:
    places = ("A", "B") if task == "translate" else ("in",)
    for place in places:
        (tmp_path / place).mkdir()
        for i in range(4):
            (tmp_path / place / f"{i * i}.png").write_bytes(png(deep(32, 40), 2, [1]))
    run, out = tmp_path / "run", tmp_path / "out"
    words = [str(tmp_path / place) for place in places]
    quick = ["--network", "unet:4,8"] if task == "translate" else []
    assert main(["fit", task, *words, *quick, "--epochs", "1", "--no-figures", "-o", str(run)]) == 0
    assert main(["apply", str(run), words[0], "-o", str(out)]) == 0
    results = read_pictures(next(path for path in out.iterdir() if path.is_dir()))
    scale = 2 if task == "upscale" else 1
    assert [array.shape for array in results.arrays] == [(3, 32 * scale, 40 * scale)] * 4
    assert all(array.dtype == np.uint16 and len(np.unique(array)) > 300 for array in results.arrays)
    assert results.names == tuple(f"{i * i}.png" for i in range(4))
