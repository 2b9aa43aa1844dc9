"""One image file to pixels and back."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from narrows.data.disk.memory import require_memory, require_room
from narrows.data.images.dicom import DICOM, READ_AS, dicom_image
from narrows.data.images.frames import Frame, tiff_array
from narrows.data.images.uint16 import is_deep, read_deep, write_deep

__all__ = [
    "FORMATS",
    "Header",
    "encode_image",
    "header",
    "opened",
    "pixels",
    "placed",
    "resize",
    "room",
    "suffix_for",
    "to_depth",
    "widen",
]

FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".pgm": "PPM",
    ".ppm": "PPM",
    ".pnm": "PPM",
    ".gif": "GIF",
    ".webp": "WEBP",
    ".avif": "AVIF",
    ".heic": "HEIF",
    ".heif": "HEIF",
    ".dcm": "DICOM",
    ".dicom": "DICOM",
}
_BYTES_PER_RESIZED_PIXEL = 9  # while a picture is resampled: two planes of float32, and what comes out
CHANNELS = {"1": 1, "L": 1, "I;16": 1, "I;16B": 1, "I;16L": 1, "I": 1, "RGB": 3, "YCbCr": 3, "CMYK": 3, "LAB": 3}
CHANNELS |= {"HSV": 3, "LA": 4, "RGBA": 4, "PA": 4, "La": 4, "RGBa": 4, "RGBX": 3}
KEPT = {1: ("PNG", "JPEG", "TIFF", "BMP", "PPM", "GIF"), 3: ("PNG", "JPEG", "TIFF", "BMP", "PPM"), 4: ("PNG", "TIFF")}
KEPT16 = ("PNG", "TIFF", "PPM")
Item = Path | Frame | Image.Image
_HEIF = (".heic", ".heif")
_BYTES_PER_PIXEL = 15  # bytes of a pixel while it is read; of 16 bit three times as many


@dataclass(frozen=True)
class Header:
    """What an image says of itself before its pixels are read."""

    height: int
    width: int
    channels: int
    depth: int
    oriented: bool
    reduced: bool
    read_as: tuple[str, ...] = ()  # what else was changed on reading, in words


class OtherPixels(OSError):
    """Raised for a picture that Pillow opens, and whose pixels are neither of 8 nor of 16 bit."""


@contextmanager
def opened(item: Item) -> Iterator[Image.Image]:
    """Open a file while it is read, and not by its path: Pillow maps some into memory then, and turns them wrongly.

    An image that unfolds to more than its file, or the free memory, can hold raises InputError.

    Examples
    --------
    >>> with opened(Image.new("L", (5, 3))) as image:
    ...     image.size
    (5, 3)
    """
    if isinstance(item, Image.Image):
        yield item
        return
    path, page = (item.path, item.pages[0]) if isinstance(item, Frame) else (item, 0)
    if path.suffix.lower() in DICOM:
        yield dicom_image(path, page)
        return
    if path.suffix.lower() in _HEIF:
        _register_heif()
    with path.open("rb") as file, Image.open(file) as image:
        image.seek(page)
        need = room(image.height, image.width, 16 if is_deep(image) else 8)
        require_room(path.name, need, path.stat().st_size, "save it with fewer pixels")
        yield image


def _register_heif() -> None:
    """Let Pillow read the pictures of telephones; raises OSError where the package for it is missing."""
    try:
        import_module("pillow_heif").register_heif_opener()
    except ImportError:
        raise OSError("HEIC is read where pillow-heif is installed: pip install pillow-heif") from None


def room(height: int, width: int, depth: int) -> int:
    """Return about how many bytes an image takes while it is read."""
    return height * width * _BYTES_PER_PIXEL * (3 if depth == 16 else 1)


def header(item: Item) -> Header:
    """Read size (after its EXIF orientation), channels and bit depth of one image.

    Examples
    --------
    >>> head = header(Image.new("LA", (5, 3)))
    >>> head.height, head.width, head.channels, head.depth
    (3, 5, 4, 8)
    """
    if isinstance(item, Frame) and not item.known:
        channels, height, width = (array := _channel_pages(item)).shape
        return Header(height, width, channels, 8 * array.dtype.itemsize, oriented=False, reduced=False)
    with opened(item) as image:
        written_deep = is_deep(image)  # before anything is loaded
        deep = written_deep and not isinstance(item, Image.Image)
        orientation = image.getexif().get(0x0112, 1)
        width, height = _written_size(image)[:: -1 if orientation in (5, 6, 7, 8) else 1]
        mode = image.mode
        if mode == "P":
            mode = "RGBA" if "transparency" in image.info else "RGB"
        if mode not in CHANNELS:
            kept = "save it as 16 bit, or all of them in one .npy file" if mode == "F" else "save it as RGB"
            raise OtherPixels(f"pixels of mode {mode!r}: 8 and 16 bit images are read; {kept}")
        depth = 16 if deep or mode.startswith("I") else 8
        reduced = written_deep != deep or _deep_inks(image)
        words = tuple(image.info.get(READ_AS, ()))
        return Header(height, width, CHANNELS[mode], depth, orientation not in (0, 1), reduced, words)


def pixels(item: Item, channels: int, depth: int, size: tuple[int, int]) -> NDArray[Any]:
    """Read one image as uint8 or uint16, shape ``(channels, *size)``; grey is repeated, sizes are resampled.

    Examples
    --------
    >>> pixels(Image.new("L", (5, 3), 7), 3, 8, (3, 5)).sum(axis=(1, 2)).tolist()
    [105, 105, 105]
    """
    if isinstance(item, Frame) and not item.known:
        return resize(widen(_at_least(_channel_pages(item), depth), channels), size)
    with opened(item) as image:
        if is_deep(image) and not isinstance(item, Image.Image):
            array = read_deep(item) if isinstance(item, Path) else read_deep(item.path, item.pages[0])
        else:
            turned = image.getexif().get(0x0112, 1) != 1
            array = _array(ImageOps.exif_transpose(image) if turned else image, getattr(image, "tag_v2", {}))
        return resize(widen(_at_least(array, depth), channels), size)


def to_depth(array: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """Give pixels, uint8 or uint16, another bit depth; those that have it pass as they are.

    Examples
    --------
    >>> deep = to_depth(np.array([1, 255], np.uint8), np.uint16)
    >>> deep.tolist(), to_depth(deep, np.uint8).tolist()
    ([257, 65535], [1, 255])
    """
    if array.dtype == dtype:
        return array
    if array.dtype == np.uint8:
        return array.astype(np.uint16) * np.uint16(257)
    return np.rint(array / 257).astype(np.uint8)


def _at_least(array: NDArray[Any], depth: int) -> NDArray[Any]:
    return to_depth(array, np.uint16) if depth == 16 else array


def _channel_pages(frame: Frame) -> NDArray[Any]:
    """Return a frame whose channels are pages of their own, (C, H, W)."""
    array = tiff_array(frame.path, frame.pages)
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3 or len(array) not in (1, 3, 4) or array.dtype not in (np.uint8, np.uint16):
        came = f"{len(array)} channels of type {array.dtype} and shape {array.shape[1:]}"
        raise OtherPixels(f"{came}: 1, 3 or 4 channels of 8 or 16 bit are read")
    return array


def widen(array: NDArray[Any], channels: int) -> NDArray[Any]:
    """Give pixels, shape ``(C, H, W)``, more channels: grey is repeated, and a missing alpha is opaque.

    Examples
    --------
    >>> widen(np.full((1, 1, 1), 9, np.uint8), 4).ravel().tolist()
    [9, 9, 9, 255]
    """
    if array.shape[0] == channels:
        return array
    whole = np.iinfo(array.dtype).max if array.dtype.kind == "u" else None  # floats: 1 is opaque
    if channels == 1:
        grey = np.tensordot(np.array([0.299, 0.587, 0.114]), array[:3].astype(np.float64), 1)
        return (grey if whole is None else np.rint(grey)).astype(array.dtype)[None]
    colour = np.repeat(array[:1], 3, axis=0) if array.shape[0] == 1 else array[:3]
    opaque = np.full_like(array[:1], 1 if whole is None else whole)
    return colour if channels == 3 else np.concatenate([colour, opaque])


def resize(array: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Resample pixels, shape ``(C, H, W)``, to ``size`` = (height, width), without aliasing.

    Examples
    --------
    >>> resize(np.full((3, 8, 8), 50, np.uint8), (2, 4)).shape
    (3, 2, 4)
    """
    if array.shape[1:] == tuple(size):
        return array
    came = f"Pictures of {size[0]:,} x {size[1]:,} pixels are asked for"
    require_memory(_BYTES_PER_RESIZED_PIXEL * len(array) * math.prod(size), came, "a smaller size")
    out = np.empty((array.shape[0], *size), array.dtype)
    top = np.iinfo(array.dtype).max
    for i, plane in enumerate(array):
        small = Image.fromarray(plane.astype(np.float32)).resize((size[1], size[0]), Image.Resampling.LANCZOS)
        out[i] = np.clip(np.rint(np.asarray(small)), 0, top).astype(array.dtype)
    return out


def encode_image(values: NDArray[Any], suffix: str, file: IO[bytes]) -> None:
    """Write pixels, shape ``(C, H, W)``, in the format of ``suffix`` (one of ``suffix_for``).

    Examples
    --------
    >>> from io import BytesIO
    >>> encode_image(np.zeros((3, 4, 4), np.uint8), ".png", file := BytesIO())
    >>> Image.open(file).size
    (4, 4)
    """
    kind = FORMATS[suffix.lower()]
    if values.dtype == np.uint16 and len(values) > 1:
        write_deep(values, kind, file)
        return
    image = Image.fromarray(values[0] if values.shape[0] == 1 else np.ascontiguousarray(np.moveaxis(values, 0, 2)))
    if kind == "JPEG":
        image.save(file, kind, quality=95)
    else:
        image.save(file, kind)


def suffix_for(suffix: str, channels: int, depth: int) -> str:
    """Keep the suffix itself where its format holds such pixels, ``.png`` otherwise.

    Examples
    --------
    >>> suffix_for(".jpg", 3, 8), suffix_for(".jpg", 4, 8), suffix_for("", 1, 8)
    ('.jpg', '.png', '.png')
    """
    kind = FORMATS.get(suffix.lower())
    return suffix if kind in KEPT[channels] and (depth == 8 or kind in KEPT16) else ".png"


def placed(folder: Path, name: str, channels: int, depth: int) -> Path:
    """Return where a result of this name belongs: below ``folder``, with an ending that holds such pixels.

    Examples
    --------
    >>> placed(Path("out"), "../a/1.jpg", 4, 8).as_posix()
    'out/a/1.jpg.png'
    """
    relative = PurePosixPath(name)
    safe = [part for part in relative.parts if part not in ("/", "..", ".")]
    suffix, path = suffix_for(relative.suffix, channels, depth), folder.joinpath(*safe)
    return path if path.suffix == suffix else path.with_name(path.name + suffix)


def _written_size(image: Image.Image) -> tuple[int, int]:
    """Return width and height before the image is turned upright; Pillow turns those of TIFF files early."""
    tags = getattr(image, "tag_v2", {})
    return (int(tags[256]), int(tags[257])) if 256 in tags and 257 in tags else image.size


def _deep_inks(image: Image.Image) -> bool:
    """Find inks of 16 bit in a TIFF file, which Pillow reads as 8 bit."""
    return image.mode == "CMYK" and max(getattr(image, "tag_v2", {}).get(258, (8,))) > 8


def _array(image: Image.Image, tags: Any) -> NDArray[Any]:
    """Pixels as uint8 or uint16, shape ``(C, H, W)``; ``tags`` are those of a TIFF file."""
    if image.mode.startswith("I"):
        deep = np.asarray(image)
        if deep.min() < 0 or deep.max() > 65535:
            raise OSError(f"pixels from {deep.min()} to {deep.max()}: 8 and 16 bit images are read")
        white = tags.get(262) == 0 and image.mode != "I"  # 0 is white, which Pillow turns in 8 bit only
        return ((1 << tags[258][0]) - 1 - deep if white else deep).astype(np.uint16)[None]
    if image.mode in ("P", "PA", "LA", "La", "RGBa"):
        alpha = image.mode != "P" or "transparency" in image.info
        image = image.convert("RGBA" if alpha else "RGB")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode not in ("L", "RGB", "RGBA"):
        image = image.convert("RGB")
    array = np.asarray(image)
    return array[None] if array.ndim == 2 else np.ascontiguousarray(np.moveaxis(array, 2, 0))
