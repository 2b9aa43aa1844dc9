"""Colour of 16 bit in PNG, TIFF and PPM files, which Pillow reads as 8 bit and does not write."""

from __future__ import annotations

import re
import struct
import sys
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from narrows.data.disk.memory import require_room

__all__ = ["is_deep", "read_deep", "upright", "write_deep"]

Array = NDArray[Any]
_PNG = b"\x89PNG\r\n\x1a\n"
_BITS_TAG, _ORIENTATION_TAG, _PLANES_TAG, _EXTRA_TAG = 258, 274, 284, 338  # tags of TIFF and EXIF


def is_deep(image: Image.Image) -> bool:
    """Return whether an opened file holds colour of 16 bit, whatever Pillow makes of it.

    Examples
    --------
    >>> is_deep(Image.new("RGB", (5, 3)))
    False
    """
    tiles: list[Any] = getattr(image, "tile", [])
    if image.mode not in ("RGB", "RGBA", "LA") or not tiles:
        return False
    if image.format == "TIFF":
        return int(max(getattr(image, "tag_v2", {}).get(_BITS_TAG, (8,)))) == 16
    args = tiles[0].args
    if image.format == "PPM":
        return isinstance(args, tuple) and args[1] > 255
    return image.format == "PNG" and ";16" in args


def read_deep(path: Path, page: int = 0) -> Array:
    """Return the pixels of a page of which ``is_deep`` holds, uint16, (3, H, W) or with alpha (4, H, W), upright.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = (path := Path(folder, "one.ppm")).write_bytes(b"P3 1 1 1000 0 500 1000")
    ...     read_deep(path).ravel().tolist()
    [0, 32768, 65535]
    """
    with Image.open(path) as image:
        image.seek(page)
        if image.format == "TIFF":
            return _tiff(path, image, page)
        samples = _ppm(path, image) if image.format == "PPM" else _png(path, str(image.tile[0].args))
        turn = image.getexif().get(_ORIENTATION_TAG, 1)
    return upright(np.moveaxis(samples, 2, 0), turn)


def write_deep(pixels: Array, kind: str, file: IO[bytes]) -> None:
    """Write pixels, uint16, (3, H, W) or (4, H, W) with alpha, as ``kind``: PNG, TIFF or, without alpha, PPM.

    Examples
    --------
    >>> from io import BytesIO
    >>> write_deep(np.zeros((3, 4, 5), np.uint16), "PNG", file := BytesIO())
    >>> Image.open(file).size
    (5, 4)
    """
    rows = np.ascontiguousarray(np.moveaxis(pixels, 0, 2))
    height, width, channels = rows.shape
    if kind == "TIFF":
        from tifffile import imwrite

        extra = ["unassalpha"] if channels == 4 else []
        imwrite(file, rows, photometric="rgb", planarconfig="contig", extrasamples=extra, metadata=None, software=False)
    elif kind == "PPM":
        file.write(b"P6\n%d %d\n65535\n" % (width, height) + rows.astype(">u2").tobytes())
    else:
        head = struct.pack(">IIBBBBB", width, height, 16, 6 if channels == 4 else 2, 0, 0, 0)
        lines = rows.astype(">u2").reshape(height, -1).view(np.uint8)
        delta = np.diff(lines, axis=0, prepend=np.zeros_like(lines[:1]))  # filter 2: what differs from the line above
        data = zlib.compress(np.insert(delta, 0, 2, axis=1).tobytes())
        file.write(_PNG + _chunk(b"IHDR", head) + _chunk(b"IDAT", data) + _chunk(b"IEND", b""))


def upright(picture: Array, orientation: int) -> Array:
    """Return a picture (C, H, W) turned as the number of an EXIF orientation says.

    Examples
    --------
    >>> upright(np.array([[[1, 2, 3]]]), 6).tolist()
    [[[1], [2], [3]]]
    """
    if orientation in (5, 6, 7, 8):
        picture = picture.swapaxes(1, 2)
    rows = slice(None, None, -1 if orientation in (3, 4, 7, 8) else 1)
    columns = slice(None, None, -1 if orientation in (2, 3, 6, 7) else 1)
    return np.ascontiguousarray(picture[:, rows, columns])


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _png(path: Path, raw: str) -> Array:
    """Return the samples of a PNG file, (H, W, C); Pillow undoes the filters and gives one byte of each at a time."""
    if raw == "LA;16B":  # as many bytes as four channels of 8 bit
        high, low, alpha, below = np.moveaxis(_samples(path, "RGBA").astype(np.uint16), 2, 0)
        grey = high << 8 | low
        return np.stack([grey, grey, grey, alpha << 8 | below], axis=2)
    return _joined(path, raw.replace(";16L", ";16B"), raw.replace(";16B", ";16L"))


def _joined(path: Path, high: str, low: str, page: int = 0) -> Array:
    """Return samples from two raw modes of Pillow, one of which takes their high bytes, the other one the low ones."""
    return _samples(path, high, page).astype(np.uint16) << 8 | _samples(path, low, page)


def _samples(path: Path, raw: str, page: int = 0) -> Array:
    """Return what Pillow reads, (H, W, C), when it takes the samples for such of the raw mode."""
    with Image.open(path) as image:
        image.seek(page)
        modes = (tile.args for tile in image.tile)  # the raw mode, or it and more
        args = [(raw, *mode[1:]) if isinstance(mode, tuple) else raw for mode in modes]
        image.tile = [tile._replace(args=mode) for tile, mode in zip(image.tile, args, strict=True)]
        samples: Array = np.asarray(image)
    return samples


def _tiff(path: Path, image: Any, number: int) -> Array:
    """Return the pixels of a page, (C, H, W), upright: by tifffile, or by Pillow where it knows the packing."""
    from tifffile import TiffFile

    raw, turn = str(image.tile[0].args[0]), image.tag_v2.get(_ORIENTATION_TAG, 1)
    try:
        with TiffFile(path) as file:
            page: Any = file.pages[number]
            require_room(path.name, 4 * page.nbytes, path.stat().st_size, "save it with fewer pixels")
            pixels = page.asarray()
            pixels = upright(pixels if page.planarconfig == 2 else np.moveaxis(pixels, 2, 0), turn)
    except ValueError as error:  # a packing that tifffile wants another package for, as LZW
        if image.tag_v2.get(_PLANES_TAG, 1) == 2:
            packing = image.info.get("compression")
            raise OSError(f"planes of 16 bit packed by {packing}: save them without packing") from error
        first, second = ("L", "B") if sys.byteorder == "little" else ("B", "L")  # Pillow gives the machine's order
        plain = raw.replace("RGBa", "RGBA")[:-1]
        pixels = np.moveaxis(_joined(path, plain + first, plain + second, number), 2, 0)  # already upright
    if image.tag_v2.get(_EXTRA_TAG, ())[:1] == (1,):  # colours that are multiplied by the alpha
        pixels = _divided(pixels[:4])
    return pixels[: 4 if image.mode == "RGBA" else 3].astype(np.uint16)


def _divided(picture: Array) -> Array:
    """Return colours that were multiplied by their alpha as they were before."""
    alpha = picture[3:].astype(np.float64)
    colours = np.rint(picture[:3] * (65535 / np.maximum(alpha, 1))).clip(0, 65535)
    return np.concatenate([colours * (alpha > 0), alpha]).astype(np.uint16)


def _ppm(path: Path, image: Any) -> Array:
    """Return the samples of a PPM file, (H, W, 3), on the scale of 16 bit."""
    codec, _, offset, (_, top) = image.tile[0]
    data, (width, height) = path.read_bytes()[offset:], image.size
    count = 3 * width * height
    if codec == "ppm_plain":
        samples = np.fromstring(re.sub(rb"#[^\r\n]*", b" ", data).decode("ascii"), np.int64, count, sep=" ")
    else:
        samples = np.frombuffer(data[: 2 * count], ">u2")
    if len(samples) < count or samples.min() < 0 or samples.max() > top:
        raise OSError("truncated" if len(samples) < count else f"a sample of {samples.max()} where {top} is the most")
    pixels: Array = np.rint(samples * (65535 / top)).astype(np.uint16).reshape(height, width, 3)
    return pixels
