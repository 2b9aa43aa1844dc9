"""Malformed pictures: every format, cut, changed, and with headers that lie. All are drawn from a seed."""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from corpus_binary import damaged, zlib_zeros
from PIL import Image

from narrows.data.images.uint16 import write_deep

Named = Iterator[tuple[str, bytes]]
FORMATS = {"png": "PNG", "jpg": "JPEG", "tif": "TIFF", "bmp": "BMP", "ppm": "PPM", "gif": "GIF"}


def picture(kind: str, rng: np.random.Generator) -> bytes:
    Image.fromarray(rng.integers(0, 256, (24, 20, 3), np.uint8)).save(file := io.BytesIO(), kind)
    return file.getvalue()


def deep(kind: str, pixels: np.ndarray) -> bytes:
    write_deep(pixels, kind, file := io.BytesIO())
    return file.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, depth: int, colour: int, *more: bytes, data: bytes = b"") -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def flat(width: int, height: int, depth: int, colour: int) -> bytes:
    """Return a PNG of zeros: small on disk, and large when it is unfolded."""
    row = 1 + width * depth * {0: 1, 2: 3, 6: 4}[colour] // 8
    return png(width, height, depth, colour, data=zlib_zeros(height * row))


def tiff(tags: list[tuple[int, int, int, int]], data: bytes = b"", following: int = 0, order: str = "<") -> bytes:
    """Return a TIFF file of (tag, type, count, value); its values are only what fits into four bytes."""
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    entries = b"".join(struct.pack(f"{order}HHII", *tag) for tag in tags)
    return head + struct.pack(f"{order}H", len(tags)) + entries + struct.pack(f"{order}I", following) + data


def tiff_of(width: int, height: int, bits: int, samples: int = 1, following: int = 0) -> bytes:
    at = 8 + 2 + 12 * 9 + 4
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, bits), (259, 3, 1, 1), (262, 3, 1, 1)]
    tags += [(273, 4, 1, at), (277, 3, 1, samples), (278, 4, 1, height), (279, 4, 1, min(2**31, width * height))]
    return tiff(tags, bytes(5000), following)


def pictures(rng: np.random.Generator) -> Iterator[tuple[str, str, bytes]]:
    """Yield what a picture is called, its ending, and its bytes."""
    for ending, kind in FORMATS.items():
        for name, data in damaged(picture(kind, rng), rng, 6):
            yield name, ending, data
        yield "empty", ending, b""
        yield "zeros", ending, bytes(3000)
        yield "as another", ending, picture("GIF" if kind != "GIF" else "PNG", rng)
    for kind, ending in (("PNG", "png"), ("TIFF", "tif"), ("PPM", "ppm")):
        small = deep(kind, rng.integers(0, 65536, (3, 24, 20)).astype(np.uint16))
        for name, data in damaged(small, rng, 3):
            yield f"deep-{name}", ending, data
    yield from ((name, "png", data) for name, data in pngs())
    yield from ((name, "tif", data) for name, data in tiffs())
    yield from others(rng)


def pngs() -> Named:
    yield "bomb of 16 bit", flat(9000, 9000, 16, 2)
    yield "bomb of 8 bit", flat(9400, 9400, 8, 2)
    yield "bomb of alpha", flat(9400, 9400, 8, 6)
    yield "bomb of grey", flat(9400, 9400, 8, 0)
    yield "flat, but read", flat(4000, 4000, 8, 2)
    yield "declared huge", png(2**31 - 1, 2**31 - 1, 16, 2, data=zlib.compress(bytes(100)))
    yield "declared wide", png(89_000_000, 1, 16, 6, data=zlib.compress(bytes(100)))
    yield "declared large", png(9000, 9000, 16, 6, data=zlib.compress(bytes(100)))
    yield "no size", png(0, 0, 8, 2)
    yield "no data", png(20, 20, 8, 2)
    yield "no palette", png(20, 20, 8, 3, data=zlib.compress(bytes(21 * 20)))
    yield "odd depth", png(20, 20, 7, 2, data=zlib.compress(bytes(1300)))
    text = zlib_zeros(200_000_000)
    yield "bomb of text", png(20, 20, 8, 0, chunk(b"zTXt", b"a\0\0" + text), data=zlib.compress(bytes(420)))
    yield "bomb of colours", png(20, 20, 8, 0, chunk(b"iCCP", b"a\0\0" + text), data=zlib.compress(bytes(420)))
    exif = chunk(b"eXIf", b"II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x03\0\xff\xff\xff\xff\0\0\0\0" * 9)
    yield "odd orientation", png(20, 20, 8, 0, exif, data=zlib.compress(bytes(420)))


def tiffs() -> Named:
    yield "circle", tiff_of(50, 50, 8, following=8)
    yield "beyond", tiff_of(50, 50, 8, following=2**31)
    yield "declared huge", tiff_of(2**31, 2**31, 8)
    yield "declared large", tiff_of(9000, 9000, 8)
    yield "declared deep", tiff_of(9000, 9000, 16, 3)
    yield "many bands", tiff_of(3000, 3000, 16, 200)
    yield "many tags", b"II*\0\x08\0\0\0\xff\xff" + bytes(100)
    yield "many values", tiff([(256, 4, 2**31, 8), (257, 4, 2**31, 8), (258, 3, 2**31, 8)], bytes(500))
    yield "no tags", tiff([])
    yield "big", b"II+\0\x08\0\0\0" + struct.pack("<Q", 16) + struct.pack("<Q", 2**60) + bytes(100)


def others(rng: np.random.Generator) -> Iterator[tuple[str, str, bytes]]:
    yield "declared huge", "pgm", b"P5 60000 60000 255\n" + bytes(100)
    yield "declared large", "pgm", b"P5 9000 9000 65535\n" + bytes(100)
    yield "declared deep", "ppm", b"P6 9000 9000 65535\n" + bytes(100)
    yield "plain", "pgm", b"P2 3 3 255\n1 2 three 4"
    yield "plain, deep", "ppm", b"P3 2 1 1000\n1 2 3 4 5 -6"
    yield "plain, too much", "ppm", b"P3 2 1 1000\n1 2 3 4 5 99999999999999999999999"
    yield "no top", "pgm", b"P5 3 3 0\n" + bytes(9)
    yield "high top", "pgm", b"P5 3 3 70000\n" + bytes(18)
    yield "negative", "pgm", b"P5 -3 -3 255\n" + bytes(9)
    yield "long number", "pgm", b"P5 " + b"9" * 5000 + b" 3 255\n"
    for name, side in (("declared huge", 2**30), ("declared large", 9000)):
        yield name, "bmp", b"BM" + struct.pack("<IHHIIiiHHIIiiII", 100, 0, 0, 54, 40, side, side, 1, 24, *[0] * 6)
    size = struct.pack("<HH", 65535, 65535)
    yield "declared huge", "gif", b"GIF89a" + size + b"\0\0\0,\0\0\0\0" + size + b"\0\x02\0;"
    frames = [Image.new("P", (20, 20), i % 4) for i in range(300)]
    frames[0].save(file := io.BytesIO(), "GIF", save_all=True, append_images=frames[1:])
    yield "many frames", "gif", file.getvalue()
    yield "many frames, cut", "gif", file.getvalue()[:-300]
    whole = picture("JPEG", rng)
    at = whole.index(b"\xff\xc0") + 5
    yield "declared huge", "jpg", whole[:at] + struct.pack(">HH", 65500, 65500) + whole[at + 4 :]
    yield "declared large", "jpg", whole[:at] + struct.pack(">HH", 9000, 9000) + whole[at + 4 :]
    yield "no width", "jpg", whole[:at] + struct.pack(">HH", 0, 0) + whole[at + 4 :]
