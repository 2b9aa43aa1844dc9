"""One picture of any kind: an image, an array, or a TIFF file of many bands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import UnidentifiedImageError

from narrows.errors import InputError

from .memory import require_room
from .npy import DAMAGED, load_npy
from .pixels import Header, Item, header, pixels

__all__ = ["ARRAYS", "picture_size", "read_picture"]

Array = NDArray[Any]
ARRAYS = (".npy",)


def read_picture(item: Item) -> tuple[Header | None, Array]:
    """Return what an image file says of itself, None for others, and its pixels, (C, H, W), as they are.

    Examples
    --------
    >>> from PIL import Image
    >>> head, array = read_picture(Image.new("RGB", (5, 3)))
    >>> head.channels, array.shape
    (3, (3, 3, 5))
    """
    if isinstance(item, Path) and item.suffix.lower() in ARRAYS:
        return None, _channels_first(load_npy(item))
    try:
        head = header(item)
    except UnidentifiedImageError:
        bands = _bands(item) if isinstance(item, Path) and item.suffix.lower() in (".tif", ".tiff") else None
        if bands is None:
            raise
        return None, bands
    return head, pixels(item, head.channels, head.depth, (head.height, head.width))


def picture_size(item: Item) -> int:
    """Return the bytes of a picture's pixels, as its file says; those of a file that Pillow does not know.

    Examples
    --------
    >>> from PIL import Image
    >>> picture_size(Image.new("RGB", (5, 3)))
    45
    """
    try:
        if isinstance(item, Path) and item.suffix.lower() in ARRAYS:
            return item.stat().st_size
        head = header(item)
    except UnidentifiedImageError:
        return item.stat().st_size if isinstance(item, Path) else 0
    return head.height * head.width * head.channels * head.depth // 8


def _bands(path: Path) -> Array | None:
    """Read a TIFF file of more bands than Pillow knows; None where it is none."""
    from tifffile import TiffFile

    try:
        with TiffFile(path) as file:
            series = file.series[0]
            require_room(path.name, 4 * series.nbytes, path.stat().st_size, "save it with fewer pixels")
            return _channels_first(series.asarray())
    except InputError:
        raise
    except DAMAGED:  # the first message stands
        return None


def _channels_first(array: Array) -> Array:
    """Return an array (H, W), (C, H, W) or (H, W, C) as (C, H, W); C is the shorter one of the outer axes."""
    if array.ndim == 3 and array.shape[2] < array.shape[0]:
        array = np.moveaxis(array, 2, 0)
    if array.ndim not in (2, 3) or not array.size:
        raise OSError(f"an array of shape {array.shape}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise OSError("missing or infinite values")
    if array.dtype.kind != "f" and array.dtype not in (np.uint8, np.uint16):
        raise OSError(f"values of type {array.dtype}: uint8, uint16 and floats are read")
    array = array.astype(np.float32) if array.dtype.kind == "f" else array
    return np.ascontiguousarray(array if array.ndim == 3 else array[None])
