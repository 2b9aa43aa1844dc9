"""Small drawn pictures with known answers, for miniatures of the recipes whose data cannot be fetched."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["cells", "facades", "streets"]

Array = NDArray[Any]
Number = float | np.integer[Any]
SIDE = 64
_ROWS, _COLUMNS = np.mgrid[:SIDE, :SIDE]

# The classes of CamVid in its order, each with a colour; the last is void.
_STREET = (
    (0.70, 0.78, 0.86),  # sky
    (0.55, 0.45, 0.40),  # building
    (0.60, 0.60, 0.62),  # pole
    (0.40, 0.38, 0.42),  # road
    (0.52, 0.48, 0.52),  # pavement
    (0.34, 0.42, 0.26),  # tree
    (0.72, 0.66, 0.40),  # sign
    (0.46, 0.42, 0.34),  # fence
    (0.36, 0.34, 0.52),  # car
    (0.52, 0.34, 0.34),  # pedestrian
    (0.44, 0.40, 0.30),  # bicyclist
    (0.45, 0.45, 0.45),  # void
)
# The parts of a facade, each with the colour that the labels have.
_FACADE = {"ground": (0, 0, 220), "wall": (0, 50, 255), "roof": (255, 80, 0), "window": (0, 125, 250)}
_FACADE |= {"sill": (110, 250, 140), "door": (200, 250, 60)}


def cells(n: int, seed: int = 0) -> tuple[Array, Array]:
    """Return grey pictures of cells, uint8 (n, 1, 64, 64), and their classes (n, 64, 64): 0 membrane, 1 inside.

    Membranes are the borders of Voronoi cells; inside lie blobs as dark as they are.

    Examples
    --------
    >>> pictures, classes = cells(2)
    >>> pictures.shape, classes.shape, np.unique(classes).tolist()
    ((2, 1, 64, 64), (2, 64, 64), [0, 1])
    """
    return _several(_cells, n, seed)


def streets(n: int, seed: int = 0) -> tuple[Array, Array]:
    """Return street scenes, uint8 (n, 3, 64, 64), and their classes (n, 64, 64): 0 to 10 as CamVid's, 11 void.

    Examples
    --------
    >>> pictures, classes = streets(2)
    >>> pictures.shape, classes.shape, int(classes.max())
    ((2, 3, 64, 64), (2, 64, 64), 11)
    """
    return _several(_street, n, seed)


def facades(n: int, seed: int = 0) -> tuple[Array, Array]:
    """Return label maps of facades and photographs of them, uint8 (n, 3, 64, 64) both.

    A label map has one colour for each part; in the photograph walls have bricks, windows frames and reflections.

    Examples
    --------
    >>> labels, photographs = facades(2)
    >>> labels.shape, photographs.shape, len(np.unique(labels[0].reshape(3, -1), axis=1).T)
    ((2, 3, 64, 64), (2, 3, 64, 64), 6)
    """
    return _several(_facade, n, seed)


def _several(draw: Callable[[np.random.Generator], tuple[Array, Array]], n: int, seed: int) -> tuple[Array, Array]:
    """Draw n pictures with their answers."""
    rng = np.random.default_rng(seed)
    pictures, answers = zip(*(draw(rng) for _ in range(n)), strict=True)
    return np.stack(pictures), np.stack(answers)


def _bytes(picture: Array) -> Array:
    """Turn values in [0, 1], channels last, into bytes, channels first."""
    pixels: Array = np.moveaxis((picture.clip(0, 1) * 255).round().astype(np.uint8), -1, 0)
    return pixels


def _box(top: Number, left: Number, high: Number, wide: Number) -> Array:
    """Mark the pixels of a rectangle."""
    inside: Array = (top <= _ROWS) & (top + high > _ROWS) & (left <= _COLUMNS) & (left + wide > _COLUMNS)
    return inside


def _cells(rng: np.random.Generator) -> tuple[Array, Array]:
    from scipy.ndimage import gaussian_filter

    places = np.moveaxis(np.mgrid[-6:SIDE:16, -6:SIDE:16], 0, -1).reshape(-1, 2) + rng.uniform(0, 13, (25, 2))
    squares = (_ROWS[..., None] - places[:, 0]) ** 2 + (_COLUMNS[..., None] - places[:, 1]) ** 2
    first, second = np.moveaxis(squares.argsort(axis=-1)[..., :2], -1, 0)
    gap = np.diff(np.sort(squares, axis=-1)[..., :2])[..., 0]
    membrane = gap / (2 * np.linalg.norm(places[first] - places[second], axis=-1)) < 1.3
    grey = 0.7 + rng.normal(0, 0.04, 25)[first]
    for row, column in rng.uniform(0, SIDE, (14, 2)):
        grey[np.hypot(_ROWS - row, _COLUMNS - column) < rng.uniform(1.5, 5)] = rng.uniform(0.3, 0.45)
    faint = gaussian_filter(rng.normal(0, 1, (SIDE, SIDE)), 6)
    grey[membrane] = 0.42 + faint[membrane].clip(-0.06, 0.08) * 2
    picture = gaussian_filter(grey, 0.8) + rng.normal(0, 0.05, (SIDE, SIDE))
    return _bytes(picture[..., None]), (~membrane).astype(np.int16)


def _street(rng: np.random.Generator) -> tuple[Array, Array]:
    classes = np.zeros((SIDE, SIDE), np.int16)
    horizon, middle = rng.integers(26, 36), rng.uniform(26, 38)
    for side in (0, 1):
        wide, top = rng.uniform(8, 26), rng.uniform(2, 20)
        classes[_box(top, side * (SIDE - wide), SIDE, wide)] = 1
    for row, column in zip(rng.uniform(horizon - 12, horizon - 4, 3), rng.uniform(0, SIDE, 3), strict=True):
        classes[np.hypot(_ROWS - row, _COLUMNS - column) < rng.uniform(4, 9)] = 5
    classes[_box(horizon - 5, rng.uniform(-10, 40), 5, rng.uniform(15, 40))] = 7
    classes[horizon <= _ROWS] = 4
    down = _ROWS - horizon
    classes[(down >= 0) & (np.abs(_COLUMNS - middle) < 5 + 0.8 * down)] = 3
    for kind, high, wide in ((8, 9, 14), (8, 7, 11), (10, 9, 4)):
        classes[_box(rng.uniform(horizon - 2, SIDE - 16), middle + rng.uniform(-14, 8), high, wide)] = kind
    for left in (rng.uniform(0, 14), rng.uniform(48, 58)):
        classes[_box(rng.uniform(horizon - 6, horizon + 8), left, 11, 4)] = 9
    left, top = rng.uniform(4, 58), rng.uniform(4, 14)
    classes[_box(top, left, horizon + 8 - top, 2)] = 2
    classes[_box(top, left - 2, 6, 6)] = 6
    classes[:, : rng.integers(1, 3)] = 11
    colours = np.array(_STREET) * rng.uniform(0.8, 1.15) + rng.normal(0, 0.03, (len(_STREET), 3))
    picture = colours[classes] + 0.08 * ((classes == 1) & (_ROWS % 6 < 3) & (_COLUMNS % 5 < 2))[..., None]
    leaves = rng.normal(0, 1, (SIDE, SIDE, 1)) * np.where(classes == 5, 0.1, 0.04)[..., None]
    return _bytes(picture + leaves), classes


def _facade(rng: np.random.Generator) -> tuple[Array, Array]:
    labels = np.empty((SIDE, SIDE, 3))
    labels[:] = _FACADE["ground"]
    photo = np.repeat(0.85 - 0.3 * (_ROWS / SIDE)[..., None], 3, axis=2) * (0.9, 0.95, 1.0)
    top, left, light = rng.integers(8, 16), rng.integers(2, 8), rng.uniform(0.9, 1.1)

    def add(part: str, where: Array, colour: Array) -> None:
        labels[where], photo[where] = _FACADE[part], colour[where]

    def paint(colour: tuple[float, float, float], shade: Array) -> Array:
        return np.asarray(light * shade[..., None] * np.array(colour))

    plain = np.ones((SIDE, SIDE))
    across, down = _COLUMNS - left, _ROWS - top
    bricks = 1 - 0.25 * ((down % 4 == 0) | ((across + 4 * (down // 4 % 2)) % 8 == 0))
    add("wall", _box(top, left, SIDE, SIDE - 2 * left), paint((0.72, 0.48, 0.38), bricks))
    tiles = 1 - 0.3 * (_COLUMNS % 4 == 0)
    add("roof", _box(top - 6, left - 2, 6, SIDE - 2 * left + 4), paint((0.38, 0.30, 0.30), tiles))
    wide, high, step = rng.integers(7, 10), rng.integers(8, 12), rng.integers(12, 15)
    for row in range(top + 3, SIDE - 24, high + 6):
        for column in range(left + 3, SIDE - left - wide - 1, step):
            window = _box(row, column, high, wide)
            glass = _box(row + 1, column + 1, high - 2, wide - 2) & (column + wide // 2 != _COLUMNS)
            reflection = paint((0.3, 0.4, 0.5), 0.4 + 1.6 * (_ROWS - row) / high)
            add("window", window, np.where(glass[..., None], reflection, 0.9))
            add("sill", _box(row + high, column - 1, 2, wide + 2), paint((0.85, 0.82, 0.75), plain))
    planks = 1 - 0.5 * (_COLUMNS % 3 == 0)
    add("door", _box(SIDE - 16, rng.integers(14, 40), 16, 9), paint((0.45, 0.26, 0.12), planks))
    return _bytes(labels / 255), _bytes(photo + rng.normal(0, 0.02, photo.shape))
