"""A network over a picture of any size: overlapping tiles, blended without seams."""

import math
from collections.abc import Callable
from itertools import pairwise, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows.errors import InputError

__all__ = ["pad", "ramp", "reach", "starts", "tiled", "tiled_network"]

Array = NDArray[Any]


def tiled(
    function: Callable[[Array], Array],
    image: Array,
    size: int | tuple[int, int] = 512,
    multiple: int = 1,
    overlap: int | None = None,
    reach: int | None = None,
) -> Array:
    """Return what ``function`` makes of a picture, tile by tile where the picture is large.

    The picture is padded by reflection until its sides divide by ``multiple``; results are cut back. What is no larger
    than ``size`` goes through at once. Beyond, tiles of that size lie at multiples of ``multiple``, so that a network
    that halves its maps sees the same grid in every tile. Where tiles overlap, their results are averaged with weights
    that rise smoothly from a tile's rim inwards and add up to 1 at every pixel. Nearer to the rim than ``reach``, where
    a tile lacks what lies around it, they are 0: with an overlap of twice the reach the result is that of the picture
    in one piece. With less, or an unknown reach, they are 0 in three eighths of the overlap.

    Raises InputError where the overlap is not smaller than a tile.

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
    reach : int, optional
        How many pixels around a pixel its result depends on.

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
        output = np.asarray(function(padded[None]), np.float32)[0]
    else:
        output = _blended(function, padded, (tall, wide), multiple, overlap, reach)
    ratio = output.shape[1] // padded.shape[1]
    cut: Array = output[:, : ratio * height, : ratio * width]
    return cut


def tiled_network(function: Callable[[Array], Array], image: Array, size: tuple[int, int], multiple: int) -> Array:
    """Return what a network makes of a picture, in tiles that share as much as it looks around: at most a third.

    Parameters
    ----------
    function : callable
        As of ``tiled``; it must hand missing values on, as convolutions do.
    image : ndarray, shape (C, H, W)
        Handed on in its own type.
    size : (height, width)
        Of a tile, in pixels.
    multiple : int
        What the sides of all that ``function`` sees divide by.

    Returns
    -------
    ndarray of float32, shape (K, r H, r W)

    Examples
    --------
    >>> image = np.arange(135.0).reshape(1, 9, 15)
    >>> mean = lambda x: np.stack([x, np.roll(x, 1, 3)]).mean(axis=0)  # looks at one neighbour
    >>> bool(np.allclose(tiled_network(mean, image, (6, 6), 1)[:, :, 1:], mean(image[None])[0, :, :, 1:]))
    True
    """
    widest = min(size) // 3
    if image.shape[1] <= size[0] and image.shape[2] <= size[1]:
        return tiled(function, image, size, multiple)
    side = min(_up(widest + 2 * multiple + 2, multiple), min(size) // multiple * multiple)
    distance = reach(function, len(image), side, multiple)
    return tiled(function, image, size, multiple, widest if distance is None else min(2 * distance, widest), distance)


def reach(function: Callable[[Array], Array], channels: int, side: int, multiple: int) -> int | None:
    """Return how far the result of ``function`` depends on the pixels around; None where that is beyond ``side`` / 2.

    One window of ``multiple`` pixels of a square picture is missing (NaN), and so is all that depends on it.

    Examples
    --------
    >>> from scipy.ndimage import correlate
    >>> reach(lambda x: correlate(x, np.ones((1, 1, 5, 5)), mode="constant"), 1, 20, 1)
    2
    """
    image, first = np.zeros((1, channels, side, side), np.float32), side // multiple // 2 * multiple
    image[:, :, first : first + multiple, first : first + multiple] = np.nan
    output = function(image)
    missing, ratio = np.argwhere(np.isnan(output).any(axis=(0, 1))), output.shape[2] // side
    low, high = missing.min(initial=ratio * side), missing.max(initial=0)
    if low == 0 or high == ratio * side - 1 or not len(missing):
        return None
    beyond = max(ratio * first - low, high - ratio * (first + multiple) + 1)
    return int(-(-beyond // ratio))


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
    function: Callable[[Array], Array],
    image: Array,
    tile: tuple[int, int],
    multiple: int,
    overlap: int,
    reach: int | None,
) -> Array:
    """Return the weighted mean of the tiles."""
    total = weight = None
    ratio, whole = 1, image.shape[1:]
    sides = [min(pair) for pair in zip(tile, whole, strict=True)]
    places = [starts(length, side, multiple, overlap) for length, side in zip(whole, tile, strict=True)]
    for corner in product(*places):
        parts = [slice(start, start + side) for start, side in zip(corner, sides, strict=True)]
        output = np.asarray(function(image[None, :, parts[0], parts[1]]), np.float32)[0]
        if total is None or weight is None:
            ratio = output.shape[1] // sides[0]
            total = np.zeros((len(output), *(ratio * length for length in whole)))
            weight = np.zeros(total.shape[1:])
        lines = [_weights(*axis, reach, ratio) for axis in zip(corner, sides, whole, places, strict=True)]
        window = np.outer(*lines)
        rows, columns = (slice(ratio * part.start, ratio * part.stop) for part in parts)
        total[:, rows, columns] += output * window
        weight[rows, columns] += window
    if total is None or weight is None:
        raise InputError(f"A picture of shape {image.shape}", "a picture with pixels")
    blended: Array = (total / weight).astype(np.float32)
    return blended


def _weights(start: int, side: int, length: int, places: list[int], reach: int | None, ratio: int) -> Array:
    """Return the weights of a tile along one axis: 1 at the picture's own ends, rising where tiles overlap."""
    shared = side - max((b - a for a, b in pairwise(places)), default=side)
    dead = 3 * shared // 8 if reach is None or 2 * reach > shared else reach
    rising = ramp(ratio * side, ratio * shared, ratio * dead)
    left = rising if start else 1.0
    weights: Array = np.broadcast_to(np.minimum(left, rising[::-1] if start + side < length else 1.0), ratio * side)
    return weights


def ramp(length: int, overlap: int, dead: int = 0) -> Array:
    """Return weights that rise along one side: 0, then a squared sine, in the overlap, 1 behind it.

    Examples
    --------
    >>> ramp(4, 1).round(2).tolist(), ramp(6, 5, 2).round(2).tolist()
    ([0.5, 1.0, 1.0, 1.0], [0.0, 0.0, 0.5, 1.0, 1.0, 1.0])
    """
    rise = (np.arange(1, length + 1) - dead) / (overlap - 2 * dead + 1)
    ramp: Array = np.sin(np.pi / 2 * rise.clip(0, 1)) ** 2
    return ramp


def _up(length: int, multiple: int) -> int:
    """Return the next multiple that is no smaller."""
    return -(-length // multiple) * multiple
