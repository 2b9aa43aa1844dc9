"""Masked arrays of numpy: what is masked is missing."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["unmasked"]


def unmasked(values: Any) -> Any:
    """Return a masked array with NaN where it is masked (numbers as floats, texts as objects); others as they are.

    Examples
    --------
    >>> unmasked(np.ma.array([1, 2], mask=[False, True])).tolist(), unmasked([1, 2])
    ([1.0, nan], [1, 2])
    """
    if not isinstance(values, np.ma.MaskedArray):
        return values
    if not np.ma.getmaskarray(values).any():
        return values.data
    number = values.dtype.kind in "iubf"
    kind: Any = object if not number else values.dtype if values.dtype.kind == "f" else np.float64
    return np.ma.filled(values.astype(kind), np.nan if number else None)
