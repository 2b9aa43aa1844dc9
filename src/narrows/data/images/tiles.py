"""A network over a picture of any size: overlapping tiles, blended without seams."""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows.errors import InputError

__all__ = ["bands", "joined", "network_bands", "pad", "ramp", "reach", "starts", "tiled", "tiled_network"]

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
    return joined(bands(function, image, size, multiple, overlap, reach), image)


def bands(
    function: Callable[[Array], Array],
    image: Array,
    size: int | tuple[int, int] = 512,
    multiple: int = 1,
    overlap: int | None = None,
    reach: int | None = None,
) -> Iterator[Array]:
    """Yield the rows of what ``tiled`` returns, from the first to the last, so that few of a large picture are held.

    Examples
    --------
    >>> image = np.arange(35.0).reshape(1, 5, 7)
    >>> [band.shape for band in bands(lambda x: 2 * x, image, size=4, multiple=2, overlap=2)]
    [(1, 2, 7), (1, 3, 7)]
    """
    tile = (size, size) if isinstance(size, int) else size
    overlap = min(tile) // 8 if overlap is None else overlap
    if not 0 <= overlap < min(tile) or multiple < 1:
        raise InputError(f"Tiles of {size} with overlap {overlap} and multiple {multiple}", "0 <= overlap < size")
    height, width = image.shape[1:]
    tall, wide = (_up(side, multiple) for side in tile)
    padded = pad(image, _up(height, multiple), _up(width, multiple))
    if padded.shape[1] <= tall and padded.shape[2] <= wide:
        outputs = iter([np.asarray(function(padded[None]), np.float32)[0]])
    else:
        outputs = _blended(function, padded, (tall, wide), multiple, overlap, reach)
    yield from cut(outputs, padded.shape[2], (height, width))


def cut(outputs: Iterator[Array], width: int, size: tuple[int, int]) -> Iterator[Array]:
    """Yield bands of what became of a padded picture of this width, up to the size that the picture had.

    Examples
    --------
    >>> [band.shape for band in cut(iter([np.zeros((1, 4, 6))] * 3), 6, (6, 5))]
    [(1, 4, 5), (1, 2, 5)]
    """
    top = 0
    for output in outputs:
        ratio = output.shape[2] // width
        band = output[:, : max(0, ratio * size[0] - top), : ratio * size[1]]
        top += output.shape[1]
        if band.shape[1]:
            yield band


def joined(parts: Iterator[Array], image: Array) -> Array:
    """Return bands (K, h, r W) of what became of a picture (C, H, W) as one array (K, r H, r W).

    Examples
    --------
    >>> joined(iter([np.zeros((2, 4, 6)), np.ones((2, 2, 6))]), np.zeros((1, 3, 3))).shape
    (2, 6, 6)
    """
    first = next(parts)
    ratio, top = first.shape[2] // image.shape[2], first.shape[1]
    if top == ratio * image.shape[1]:
        return first
    whole = np.empty((len(first), ratio * image.shape[1], first.shape[2]), first.dtype)
    whole[:, :top] = first
    for part in parts:
        whole[:, top : top + part.shape[1]] = part
        top += part.shape[1]
    return whole


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
    return joined(network_bands(function, image, size, multiple), image)


def network_bands(
    function: Callable[[Array], Array], image: Array, size: tuple[int, int], multiple: int
) -> Iterator[Array]:
    """Yield the rows of what ``tiled_network`` returns, from the first to the last.

    Examples
    --------
    >>> image = np.arange(135.0).reshape(1, 9, 15)
    >>> parts = network_bands(lambda x: 2 * x, image, (6, 6), 1)
    >>> bool((joined(parts, image) == tiled_network(lambda x: 2 * x, image, (6, 6), 1)).all())
    True
    """
    widest = min(size) // 3
    if image.shape[1] <= size[0] and image.shape[2] <= size[1]:
        return bands(function, image, size, multiple)
    side = min(_up(widest + 2 * multiple + 2, multiple), min(size) // multiple * multiple)
    distance = reach(function, len(image), side, multiple)
    return bands(function, image, size, multiple, widest if distance is None else min(2 * distance, widest), distance)


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
) -> Iterator[Array]:
    """Yield the weighted mean of the tiles, the rows that no later tile reaches at a time."""
    whole = image.shape[1:]
    sides = [min(pair) for pair in zip(tile, whole, strict=True)]
    places = [starts(length, side, multiple, overlap) for length, side in zip(whole, tile, strict=True)]
    total, weight, ratio = np.zeros((0, 0, 0)), np.zeros((0, 0)), 0
    for top, below in pairwise([*places[0], whole[0]]):
        for left in places[1]:
            window = image[None, :, top : top + sides[0], left : left + sides[1]]
            output = np.asarray(function(window), np.float32)[0]
            if not ratio:
                ratio = output.shape[1] // sides[0]
                total = np.zeros((len(output), ratio * sides[0], ratio * whole[1]))
                weight = np.zeros(total.shape[1:])
            lines = [_weights(*axis, reach, ratio) for axis in zip((top, left), sides, whole, places, strict=True)]
            columns = slice(ratio * left, ratio * (left + sides[1]))
            total[:, :, columns] += output * np.outer(*lines)
            weight[:, columns] += np.outer(*lines)
        done = ratio * (below - top)
        yield (total[:, :done] / weight[:done]).astype(np.float32)
        total = np.concatenate([total[:, done:], np.zeros_like(total[:, :done])], axis=1)
        weight = np.concatenate([weight[done:], np.zeros_like(weight[:done])])


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
