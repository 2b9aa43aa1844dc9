"""The scale of values: levels of grey are read as 0 to 1, and what comes on another scale is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from narrows.data.disk.stored import DiskArray
from narrows.errors import InputError

__all__ = ["Scale", "is_levels", "refuse_scale", "top", "unit", "unit_pictures"]

Array = NDArray[Any]

_TOPS = {"uint8": 255, "uint16": 65535}
_RESAMPLING_MARGIN = 0.1  # how far beyond 0 and 1 resampling may take a picture
_SCALE_MARGIN = 3.0  # farther than this beyond is another scale
_NOISY_RANGE = (-20.0, 21.0)  # between these lie noisy pictures, whatever the noise
_ACCEPTED = "uint8, uint16, or numbers from 0 to 1"


def top(values: Any) -> int:
    """Return what is read as 1: 255 of uint8, 65535 of uint16, 1 of all others; a dtype, or anything that has one.

    Numbers in sparse rows are counts, whatever their type.

    Examples
    --------
    >>> top(np.zeros(2, np.uint8)), top(np.dtype("uint16")), top(np.zeros(2)), top(torch.zeros(2, dtype=torch.uint8))
    (255, 65535, 1, 255)
    """
    if sp.issparse(values):
        return 1
    return _TOPS.get(str(getattr(values, "dtype", values)).removeprefix("torch."), 1)


def is_levels(values: Any) -> bool:
    """Return whether values are levels of grey, which are read as 0 to 1.

    Examples
    --------
    >>> is_levels(np.zeros(2, np.uint8)), is_levels(np.zeros(2, np.int64))
    (True, False)
    """
    return top(values) > 1


def unit(X: Any) -> Array:
    """Return rows as floats, uint8 and uint16 in [0, 1], sparse rows dense.

    Examples
    --------
    >>> unit(np.array([[0, 255]], dtype=np.uint8)).tolist()
    [[0.0, 1.0]]
    """
    rows = X.toarray() if hasattr(X, "toarray") else np.asarray(X)
    if is_levels(rows):
        return np.asarray(rows / np.float32(top(rows)), np.float32)
    return np.asarray(rows, np.result_type(rows, np.float32))


class Scale(NamedTuple):
    """The scale of the values that a model was fitted on: from ``low`` to ``high`` as they are read.

    Examples
    --------
    >>> Scale.of(np.array([[3, 9]], np.uint8)).levels, Scale.of(np.array([[3.0, 9.0]]))
    (True, Scale(low=3.0, high=9.0, levels=False, noise=0.0))
    """

    low: float
    high: float
    levels: bool  # they were levels of grey
    noise: float = 0.0  # how far a corruption took them beyond

    @classmethod
    def of(cls, values: Any) -> Self:
        """Return the scale of rows in any form, or of a list of pictures."""
        if is_levels(values):
            return cls(0.0, 1.0, True)
        if isinstance(values, (list, tuple)):
            parts = [cls.of(picture) for picture in values] or [cls(0.0, 1.0, True)]
            return cls(min(p.low for p in parts), max(p.high for p in parts), all(p.levels for p in parts))
        return cls(*_limits(values), False)

    @classmethod
    def kept(cls, fitted: Sequence[Any] | None, values: Any) -> Self:
        """Return the scale that a fit kept, or that of ``values`` where an older one kept none."""
        return cls.of(values) if fitted is None else cls(*fitted)

    def noised(self, values: Any) -> Self:
        """Return the scale with what a corruption made of some rows, as they are read."""
        low, high = _limits(values)
        return self._replace(noise=max(0.0, self.low - low, high - self.high))

    @property
    def grey(self) -> bool:
        """Whether the values lie from 0 to 1, as levels of grey do, but for what resampling does."""
        return self.levels or (self.low >= -_RESAMPLING_MARGIN and self.high <= 1 + _RESAMPLING_MARGIN)

    @property
    def ends(self) -> tuple[float, float]:
        """Between what pictures on this scale lie: 0 and 1, and as much further as those of the fit did."""
        return min(0.0, self.low), max(1.0, self.high)

    @property
    def peak(self) -> float:
        """The largest value minus the smallest that pictures on this scale have."""
        return 1.0 if self.grey else (self.high - self.low) or 1.0

    def require_unit(self, *, noisy: bool = False) -> None:
        """Refuse values that do not lie from 0 to 1; ``noisy`` ones may go as far beyond as noise takes them.

        Raises InputError for such values.
        """
        if not (_within(self, _NOISY_RANGE) if noisy else self.grey):
            raise InputError(f"{_words(self).capitalize()} came", _ACCEPTED, _hint(self))

    def refuse(self, X: Any) -> None:
        """Refuse rows of another scale than those of the fit, where the two can be told apart.

        Raises InputError for such rows.

        Levels of grey are refused where the fit went far beyond 0 to 1; numbers far beyond 0 to 1 where it had levels,
        or pictures from 0 to 1. Tables of numbers may hold values that the fit did not see.
        """
        if is_levels(X):
            if (self.low >= 0 and self.high > 1 + _SCALE_MARGIN) or not _within(self, _NOISY_RANGE):
                kind = str(X.dtype).removeprefix("torch.")
                came = f"Rows of type {kind}, which are levels of grey from 0 to 1"
                came += f", came to a model fitted on {_words(self)}"
                raise InputError(came, "numbers on the scale of the fit", "X.astype(float)")
        elif self.levels or (self.grey and X.ndim > 2):
            scale, margin = type(self).of(X), _SCALE_MARGIN * (1 + self.noise)
            if not _within(scale, (self.ends[0] - margin, self.ends[1] + margin)):
                fitted = "levels of grey, which are read as 0 to 1" if self.levels else "pictures from 0 to 1"
                came = f"{_words(scale).capitalize()} came to a model fitted on {fitted}"
                raise InputError(came, _ACCEPTED, _hint(scale))


def refuse_scale(fitted: Sequence[Any] | None, X: Any) -> None:
    """Refuse rows on another scale than ``fitted``, what a fit kept of its own; an older one kept none.

    Examples
    --------
    >>> refuse_scale(Scale.of(np.zeros((1, 2), np.uint8)), np.array([[0, 255]]))
    Traceback (most recent call last):
    narrows.errors.InputError: Values from 0 to 255 came to a model fitted on levels of grey, which are read as 0 to...
    """
    if fitted is not None:
        Scale(*fitted).refuse(X)


def unit_pictures(pictures: Any, *, noisy: bool = False) -> Any:
    """Return a list of pictures, or images as one array, on the scale 0 to 1; others are refused, as results end at 1.

    ``noisy`` ones may lie as far beyond as noise takes them.

    Examples
    --------
    >>> unit_pictures([np.array([[[0.0, 128.0]]])])
    Traceback (most recent call last):
    narrows.errors.InputError: Values from 0 to 128 came. Accepted: uint8, uint16, or numbers from 0 to 1. Try: X / 255.
    """
    Scale.of(pictures).require_unit(noisy=noisy)
    return pictures


def _within(scale: Scale, ends: tuple[float, float]) -> bool:
    return scale.low >= ends[0] and scale.high <= ends[1]


def _words(scale: Scale) -> str:
    return f"values from {scale.low:.4g} to {scale.high:.4g}"


def _hint(scale: Scale) -> str:
    """Return how values come to the scale 0 to 1, as far as their range says."""
    if scale.low < 0:
        return f"(X - {scale.low:.4g}) / {scale.high - scale.low:.4g}".replace("- -", "+ ")
    return f"X / {next((peak for peak in _TOPS.values() if 1 + _SCALE_MARGIN < scale.high <= peak), scale.high):.6g}"


def _limits(values: Any) -> tuple[float, float]:
    """Return the smallest and the largest value; zeros of sparse rows count."""
    if isinstance(values, DiskArray):
        return values.limits()
    if isinstance(values, torch.Tensor):
        values = (values.float() if values.is_floating_point() else values).detach().cpu().numpy()
    if sp.issparse(values):
        values = np.append(values.data, 0)
    return float(np.min(values)), float(np.max(values))
