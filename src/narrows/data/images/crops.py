"""Pictures of different sizes to crops of one size, as rows to learn from."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from narrows.data.images.sets import alike
from narrows.data.images.tiles import pad, starts
from narrows.data.pairs import Batch, Pairs
from narrows.errors import InputError

__all__ = ["Place", "crops", "grid", "scattered"]

Array = NDArray[Any]


class Place(NamedTuple):
    """Where a crop lies: which picture, and its upper left corner."""

    picture: int
    top: int
    left: int


def crops(
    x: Sequence[Array],
    target: Sequence[Array] | None = None,
    size: tuple[int, int] = (128, 128),
    *,
    where: Literal["grid", "random"] = "grid",
    count: int | None = None,
    memory: float = 2.0**30,
    seed: int = 0,
    augment: Callable[[Batch], Batch] | None = None,
    labels: bool = False,
) -> tuple[Pairs, list[str]]:
    """Return crops of one size of pictures, with the same crops of their targets, and notes on what was left out.

    Raises InputError where pictures and targets differ in size, or there are none.

    Parameters
    ----------
    x, target : sequences of ndarray
        Pictures (C, H, W) of any sizes, uint8, uint16 or floats, and targets of the same sizes; a picture smaller than
        a crop is continued by reflection. Pictures of equal size and crops of that size are the pictures themselves.
    size : (height, width)
        Of a crop.
    where : "grid" or "random"
        Crops that cover every pixel, overlapping as little as they can; or crops at random places, each picture being
        drawn from in proportion to its area.
    count : int, optional
        Crops at random places; none: as many as a grid has.
    memory : float
        Bytes that all crops may take: of more, so many are kept, drawn at random.
    seed : int
        Of the random places.
    augment, labels
        As of ``Pairs``: flips and the like while training; targets that are labels.

    Examples
    --------
    >>> x = [np.zeros((1, 6, 9), np.uint8), np.ones((1, 3, 4), np.uint8)]
    >>> pairs, notes = crops(x, None, (4, 4))
    >>> len(pairs), pairs.shapes[0], notes
    (7, (1, 4, 4), [])
    """
    if not len(x) or (target is not None and [a.shape[1:] for a in x] != [b.shape[1:] for b in target]):
        raise InputError("Pictures and targets of different sizes, or none", "targets of their pictures' sizes")
    columns = [alike(x)] + ([] if target is None else [alike(target)])
    sizes = [array.shape[1:] for array in x]
    places = grid(sizes, size) if where == "grid" else scattered(sizes, size, count, seed)
    crop_bytes = sum(len(column[0]) * column[0].dtype.itemsize for column in columns) * math.prod(size)
    max_count, notes = max(1, int(memory // crop_bytes)), []
    if len(places) > max_count:
        chosen = np.sort(np.random.default_rng(seed).permutation(len(places))[:max_count])
        excess = f"{len(places):,} crops of {size[0]} x {size[1]} take {len(places) * crop_bytes / 2**30:.1f} GiB"
        notes.append(f"{excess}: {max_count:,} of them, drawn at random, are learnt from")
        places = [places[i] for i in chosen]
    cuts = [_cut(column, places, size) for column in columns]
    return Pairs(cuts[0], cuts[1] if len(cuts) > 1 else None, augment=augment, labels=labels), notes


def grid(sizes: Sequence[tuple[int, ...]], size: tuple[int, int]) -> list[Place]:
    """Return places of crops that cover every pixel of pictures of these sizes.

    Examples
    --------
    >>> grid([(4, 7)], (4, 4))
    [Place(picture=0, top=0, left=0), Place(picture=0, top=0, left=3)]
    """
    return [
        Place(i, top, left)
        for i, sides in enumerate(sizes)
        for top in starts(sides[0], size[0], 1, 0)
        for left in starts(sides[1], size[1], 1, 0)
    ]


def scattered(sizes: Sequence[tuple[int, ...]], size: tuple[int, int], count: int | None, seed: int) -> list[Place]:
    """Return random places of crops, each picture being drawn from in proportion to its area.

    Examples
    --------
    >>> len(scattered([(40, 70), (8, 8)], (4, 4), 5, seed=0))
    5
    """
    rng = np.random.default_rng(seed)
    areas = np.array([math.prod(sides) for sides in sizes], float)
    chosen = np.sort(rng.choice(len(sizes), len(grid(sizes, size)) if count is None else count, p=areas / areas.sum()))
    room = np.maximum(np.array(sizes) - size, 0)[chosen]
    corners = rng.integers(0, room + 1)
    return [Place(int(i), int(top), int(left)) for i, (top, left) in zip(chosen, corners, strict=True)]


def _cut(arrays: list[Array], places: Sequence[Place], size: tuple[int, int]) -> Array:
    """Return the crops as one array, (n, C, *size)."""
    whole = [pad(array, *np.maximum(array.shape[1:], size).tolist()) for array in arrays]
    windows = np.empty((len(places), len(whole[0]), *size), whole[0].dtype)
    for crop, (i, top, left) in zip(windows, places, strict=True):
        crop[:] = whole[i][:, top : top + size[0], left : left + size[1]]
    return windows
