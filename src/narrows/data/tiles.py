"""A network over a picture of any size: overlapping tiles, blended without seams."""

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows.errors import InputError

__all__ = ["tiled"]

Array = NDArray[Any]


def tiled(
    function: Callable[[Array], Array],
    image: Array,
    size: int | tuple[int, int] = 512,
    multiple: int = 1,
    overlap: int | None = None,
) -> Array:
    """Return what ``function`` makes of a picture, tile by tile where the picture is large.

    The picture is padded by reflection until its sides divide by ``multiple``; results are cut back. What is no larger
    than ``size`` goes through at once. Beyond, tiles of that size lie at multiples of ``multiple``, so that a network
    that halves its maps sees the same grid in every tile. Where tiles overlap, their results are averaged with weights
    that rise smoothly from a tile's rim inwards and add up to 1 at every pixel.

    Parameters
    ----------
    function : callable
        From (1, C, h, w) to (1, K, r h, r w), with one whole number r.
    image : ndarray, shape (C, H, W)
        Handed on in its own type.
    size : int or (height, width)
        Of a tile, in pixels; rounded up to multiples of ``multiple``.
    multiple : int
        What the sides of all that ``function`` sees divide by.
    overlap : int, optional
        Pixels that neighbouring tiles share, at least; none: an eighth of the smaller side.

    Returns
    -------
    ndarray of float32, shape (K, r H, r W)

    Examples
    --------
    >>> image = np.arange(35.0).reshape(1, 5, 7)
    >>> bool(np.allclose(tiled(lambda x: 2 * x, image, size=4, multiple=2, overlap=2), 2 * image))
    True
    """
    tile = (size, size) if isinstance(size, int) else size
    overlap = min(tile) // 8 if overlap is None else overlap
    if not 0 <= overlap < min(tile) or multiple < 1:
        raise InputError(f"Tiles of {size} with overlap {overlap} and multiple {multiple}", "0 <= overlap < size")
    height, width = image.shape[1:]
    tall, wide = (_up(side, multiple) for side in tile)
    padded = pad(image, _up(height, multiple), _up(width, multiple))
    if padded.shape[1] <= tall and padded.shape[2] <= wide:
        made = np.asarray(function(padded[None]), np.float32)[0]
    else:
        made = _blended(function, padded, (tall, wide), multiple, overlap)
    ratio = made.shape[1] // padded.shape[1]
    cut: Array = made[:, : ratio * height, : ratio * width]
    return cut


def pad(image: Array, height: int, width: int) -> Array:
    """Return a picture continued by reflection, below and to the right, to a size that is no smaller.

    Examples
    --------
    >>> pad(np.array([[[1, 2, 3]]]), 1, 6).ravel().tolist()
    [1, 2, 3, 2, 1, 2]
    """
    more = (height - image.shape[-2], width - image.shape[-1])
    if not any(more):
        return image
    return np.pad(image, [(0, 0)] * (image.ndim - 2) + [(0, more[0]), (0, more[1])], mode="reflect")


def starts(length: int, side: int, multiple: int, overlap: int) -> list[int]:
    """Return where tiles begin so that they cover a length, share enough, and start at multiples.

    Examples
    --------
    >>> starts(20, 8, 2, 3), starts(6, 8, 2, 3)
    ([0, 4, 8, 12], [0])
    """
    if length <= side:
        return [0]
    step = max(multiple, (side - overlap) // multiple * multiple)
    count = 1 + math.ceil((length - side) / step)
    last = (length - side) // multiple
    return [multiple * round(place) for place in np.linspace(0, last, count)]


def _blended(
    function: Callable[[Array], Array], image: Array, tile: tuple[int, int], multiple: int, overlap: int
) -> Array:
    """Return the weighted mean of the tiles."""
    total = weight = None
    ratio = 1
    tall, wide = (min(pair) for pair in zip(tile, image.shape[1:], strict=True))
    places = (starts(*pair, multiple, overlap) for pair in zip(image.shape[1:], tile, strict=True))
    for top, left in product(*places):
        made = np.asarray(function(image[None, :, top : top + tall, left : left + wide]), np.float32)[0]
        if total is None or weight is None:
            ratio = made.shape[1] // tall
            total = np.zeros((len(made), *(ratio * length for length in image.shape[1:])))
            weight = np.zeros(total.shape[1:])
            window = np.outer(_ramp(ratio * tall, ratio * overlap), _ramp(ratio * wide, ratio * overlap))
        rows, columns = slice(ratio * top, ratio * (top + tall)), slice(ratio * left, ratio * (left + wide))
        total[:, rows, columns] += made * window
        weight[rows, columns] += window
    if total is None or weight is None:
        raise InputError(f"A picture of shape {image.shape}", "a picture with pixels")
    blended: Array = (total / weight).astype(np.float32)
    return blended


def _ramp(length: int, overlap: int) -> Array:
    """Return weights along one side: a squared sine over the overlap at both ends, 1 between."""
    rise = np.arange(1, length + 1) / (overlap + 1)
    rise = np.minimum(1.0, np.minimum(rise, rise[::-1]))
    ramp: Array = np.sin(np.pi / 2 * rise) ** 2
    return ramp


def _up(length: int, multiple: int) -> int:
    """Return the next multiple that is no smaller."""
    return -(-length // multiple) * multiple
