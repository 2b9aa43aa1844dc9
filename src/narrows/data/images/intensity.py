"""The range of intensities that pictures are seen on: that of their type, of all of them, or of each by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from narrows.data.scale import top, unit

__all__ = ["DIM", "Asked", "Intensity", "Shared", "filled"]

Array = NDArray[Any]
Asked = Literal["auto", "type", "set", "each"]
Shared = Literal["auto", "type", "set"]
_PERCENTILES = (0.5, 99.5)  # of the pixels of a picture: a few that are dead or hot do not count
DIM = 0.5  # of the type's range: pictures that fill less are seen on their own
_BEYOND = 3.0  # how far beyond a shared range pixels are kept, in ranges
_UNEVEN_SPANS, _UNEVEN_LEVELS = 2.0, 0.25  # from which pictures differ more from each other than within


class Intensity(NamedTuple):
    """On what range pictures (C, H, W) are seen, 0 to 1 being that of their type.

    Examples
    --------
    >>> dim = [np.full((1, 4, 4), 10, np.uint8) + np.arange(16, dtype=np.uint8).reshape(1, 4, 4)]
    >>> seen = Intensity.of(dim, "auto")
    >>> seen.kind, float(seen(dim[0]).max())
    ('set', 1.0)
    >>> seen.words(dim)
    ['The pictures fill 5.8 % of the range of their type, and are brought to that range.']
    """

    kind: Literal["type", "set", "each"] = "type"
    low: float = 0.0
    high: float = 1.0

    @classmethod
    def of(cls, pictures: Sequence[Array], asked: Asked) -> Self:
        """Return the range that is asked for; ``auto`` goes by how pictures differ from each other and fill the type.

        Pictures of very different brightness or contrast are seen each on its own range, those that all use a small
        part of their type's range on that part.
        """
        if asked == "type":
            return cls()
        low, high = np.array([_range(picture) for picture in pictures]).T
        ends = float(low.min()), float(high.max())
        kind = _suited(low, high) if asked == "auto" else asked
        return cls(kind, *ends) if kind == "set" else cls(kind)

    @classmethod
    def shared(cls, pictures: Sequence[Array], asked: Shared) -> Self:
        """Return a range for all pictures, such that results come back from it; ``auto``: theirs where they are dim.

        Examples
        --------
        >>> deep = [np.array([[[0, 1400, 2800]]], np.uint16)]
        >>> seen = Intensity.shared(deep, "auto")
        >>> seen.ends(deep[0].dtype), seen.scaled(deep[0]).astype(float).round(2).tolist()
        ('14 to 2786', [[[-0.01, 0.5, 1.01]]])
        """
        if asked == "type":
            return cls()
        low, high = np.array([_range(picture) for picture in pictures]).T
        ends = float(low.min()), float(high.max())
        dim = ends[1] - ends[0] > 0 and (asked == "set" or ends[1] - ends[0] < DIM)
        return cls("set", *ends) if dim else cls()

    @property
    def span(self) -> float:
        """Which share of the range of their type this one is; 1 where every picture has its own."""
        return max(self.high - self.low, 1e-12)

    def scaled(self, picture: Array) -> Array:
        """Return a picture on this shared range, floats; what lies beyond stays so, up to three ranges away."""
        values = unit(picture)
        if self.kind == "type":
            return values
        colours, alpha = _colours_and_alpha(values)
        seen = np.asarray((colours - values.dtype.type(self.low)) / values.dtype.type(self.span), values.dtype)
        return np.concatenate([seen.clip(-_BEYOND, 1 + _BEYOND), alpha])

    def restored(self, values: Array) -> Array:
        """Return floats on this shared range as floats on the range of the type, which is 0 to 1."""
        if self.kind == "type":
            return values
        colours, alpha = _colours_and_alpha(values)
        return np.concatenate([colours * values.dtype.type(self.span) + values.dtype.type(self.low), alpha])

    def ends(self, dtype: Any) -> str:
        """Return from where to where the range goes, in the levels of a type of pixels."""
        levels = top(np.dtype(dtype))
        low, high = (end * levels for end in (self.low, self.high))
        return f"{low:.4g} to {high:.4g}" if levels == 1 else f"{low:.0f} to {high:.0f}"

    def alone(self, picture: Array) -> Intensity:
        """Return the range that one picture, and every part of it, is seen on."""
        return Intensity("set", *_range(picture)) if self.kind == "each" else self

    def __call__(self, picture: Array) -> Array:
        """Return a picture on this range, floats from 0 to 1; an alpha stays as it is."""
        if self.kind == "type":
            return picture
        values = np.array(unit(picture), np.float32)
        low, high = (self.low, self.high) if self.kind == "set" else _range(picture)
        colours, _ = _colours_and_alpha(values)
        colours[...] = ((colours - low) / max(high - low, 1e-12)).clip(0, 1)
        return values

    def words(self, pictures: Sequence[Array]) -> list[str]:
        """Say what is done to pictures, where something is."""
        if self.kind == "type":
            return []
        if self.kind == "each":
            return ["Every picture is brought to its own range of intensities: they differ in brightness or contrast."]
        share = f"{100 * filled(pictures):.2g} %"
        return [f"The pictures fill {share} of the range of their type, and are brought to that range."]


def filled(pictures: Sequence[Array]) -> float:
    """Return which share of the range of their type pictures (C, H, W) fill together.

    Examples
    --------
    >>> round(filled([np.array([[[0, 51]]], np.uint8), np.array([[[0, 102]]], np.uint8)]), 3)
    0.397
    """
    low, high = np.array([_range(picture) for picture in pictures]).T
    return float(high.max() - low.min())


def _suited(low: Array, high: Array) -> Literal["type", "set", "each"]:
    spans = np.maximum(high - low, 1e-12)
    few, many = np.quantile(spans, [0.1, 0.9])
    if many > _UNEVEN_SPANS * few or low.std() > _UNEVEN_LEVELS * np.median(spans):
        return "each"
    return "set" if high.max() - low.min() < DIM else "type"


def _colours_and_alpha(picture: Array) -> tuple[Array, Array]:
    """Return views of the colours of a picture (C, H, W) and of its alpha, which has no channel where there is none."""
    colours = 3 if len(picture) == 4 else len(picture)
    return picture[:colours], picture[colours:]


def _range(picture: Array) -> tuple[float, float]:
    """Return between what nearly all pixels of a picture lie, or all of them where these are one value."""
    colours, levels = _colours_and_alpha(picture)[0], top(picture)
    low, high = (float(end) / levels for end in np.percentile(colours, _PERCENTILES))
    return (low, high) if high > low else (float(colours.min()) / levels, float(colours.max()) / levels)
