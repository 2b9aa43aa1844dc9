"""What would flatter a verdict: rows that are measured on and were learnt from all the same."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import scipy.sparse as sp

__all__ = ["copied", "copies"]


def copied(learnt: Iterable[Any], held: Iterable[Any], what: str = "row") -> list[str]:
    """Say how many held-out rows or pictures equal one that was learnt from; nothing where none does.

    Examples
    --------
    >>> copied(np.array([[1.0], [2.0]]), np.array([[2.0], [3.0]]))[0][:53]
    '1 of 2 held-out rows is a copy of one learnt from: th'
    """
    rows = list(held)
    found = copies(learnt, rows)
    if not found:
        return []
    are = "is a copy" if found == 1 else "are copies"
    said = f"{found} of {len(rows)} held-out {what}s {are} of one learnt from: the verdict also measures memory"
    return [f"{said}. Remove copies, or measure on data of their own with --valid."]


def copies(learnt: Iterable[Any], held: Iterable[Any]) -> int:
    """Return how many of the held arrays equal one that was learnt.

    Examples
    --------
    >>> copies([np.zeros(2), np.ones(2)], [np.ones(2), np.ones(3)])
    1
    """
    seen = {_key(each) for each in learnt}
    return sum(_key(each) in seen for each in held)


def _key(row: Any) -> tuple[Any, ...]:
    if sp.issparse(row):
        return row.indices.tobytes(), row.data.tobytes()
    return row.shape, hash(np.ascontiguousarray(row).tobytes())
