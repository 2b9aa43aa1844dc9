"""Textures of scikit-image with drawn defects of five kinds, in many sizes and contrasts."""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage import data

SIDE = 128  # pixels of a picture
TEXTURES = ("brick", "grass", "gravel")


class Textures(NamedTuple):
    """Pictures (1, H, W), uint8, of one texture: two lists without defects, one with, and the masks of these."""

    learn: list[np.ndarray]
    good: list[np.ndarray]
    bad: list[np.ndarray]
    masks: list[np.ndarray]


def textures(name: str, seed: int, n_learn: int, n_test: int) -> Textures:
    """Return windows of a texture: to learn from its upper part, to measure on its lower one, by kind in turn."""
    rng = np.random.default_rng(seed)
    whole = getattr(data, name)().astype(np.float32) / 255
    upper, lower = whole[:320], whole[320:]
    learn = [_window(upper, rng) for _ in range(n_learn)]
    good = [_window(lower, rng) for _ in range(n_test)]
    spoilt = [KINDS[i % len(KINDS)](_window(lower, rng), rng) for i in range(n_test)]
    return Textures(*([_levels(picture) for picture in part] for part in (learn, good)), *map(list, _split(spoilt)))


def _split(spoilt: list[tuple[np.ndarray, np.ndarray]]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    return [_levels(picture) for picture, _ in spoilt], [mask for _, mask in spoilt]


def _window(texture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a window in another light: a tenth brighter or darker, with a slope."""
    y, x = (int(rng.integers(0, length - SIDE + 1)) for length in texture.shape)
    slope = np.linspace(-1, 1, SIDE) * rng.uniform(-0.05, 0.05)
    light: np.ndarray = texture[y : y + SIDE, x : x + SIDE] * rng.uniform(0.9, 1.1) + slope
    return light


def _levels(picture: np.ndarray) -> np.ndarray:
    levels: np.ndarray = np.rint(255 * picture.clip(0, 1)).astype(np.uint8)[None]
    return levels


def _ellipse(rng: np.random.Generator, low: float, high: float) -> np.ndarray:
    """Return a turned ellipse within the picture, its half axes ``low`` to ``high`` pixels."""
    (a, b), turn = rng.uniform(low, high, 2), rng.uniform(0, np.pi)
    y, x = np.mgrid[:SIDE, :SIDE] - rng.uniform(high, SIDE - high, 2)[:, None, None]
    u, v = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
    inside: np.ndarray = (u / a) ** 2 + (v / b) ** 2 < 1
    return inside


def _sign(rng: np.random.Generator, low: float, high: float) -> float:
    return float(rng.choice([-1, 1]) * rng.uniform(low, high))


def scratch(picture: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw a bent line, 1 to 3 pixels wide and 20 to 80 long, brighter or darker by 0.1 to 0.4."""
    t = np.linspace(-0.5, 0.5, 200)
    length, turn = rng.uniform(20, 80), rng.uniform(0, np.pi)
    along, across = length * t, rng.uniform(-8, 8) * (4 * t**2 - 0.5)
    middle = rng.uniform(32, SIDE - 32, 2)
    y = np.sin(turn) * along + np.cos(turn) * across + middle[0]
    x = np.cos(turn) * along - np.sin(turn) * across + middle[1]
    mask, width = np.zeros((SIDE, SIDE), bool), int(rng.integers(1, 4))
    for i in range(width):
        inside = (y + i > 0) & (y + i < SIDE) & (x > 0) & (x < SIDE)
        mask[(y + i)[inside].astype(int), x[inside].astype(int)] = True
    return picture + mask * _sign(rng, 0.1, 0.4), mask


def stain(picture: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw a stain with soft edges, 10 to 28 pixels wide, brighter or darker by 0.1 to 0.3."""
    mask = _ellipse(rng, 5, 14)
    return picture + gaussian_filter(mask.astype(np.float32), 2) * _sign(rng, 0.1, 0.3), mask


def hole(picture: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw a hole with hard edges, 4 to 16 pixels wide: one level, with little of the texture left."""
    mask, share = _ellipse(rng, 2, 8), rng.uniform(0.6, 0.95)
    return np.where(mask, (1 - share) * picture + share * rng.uniform(0.0, 0.3), picture), mask


def misplaced(picture: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw a piece of the same picture, turned by a quarter and upside down, 12 to 36 pixels wide."""
    mask = _ellipse(rng, 6, 18)
    return np.where(mask, np.rot90(picture)[::-1][:, ::-1], picture), mask


def smear(picture: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Smooth the texture away in a place, 12 to 36 pixels wide."""
    mask = _ellipse(rng, 6, 18)
    return np.where(mask, gaussian_filter(picture, rng.uniform(2, 5)), picture), mask


KINDS = (scratch, stain, hole, misplaced, smear)
