"""Held-out rows and pictures that equal one learnt from."""

from collections.abc import Iterable
from typing import Any

from narrows.data.base import row_key

__all__ = ["copied", "copies"]


def copied(learnt: Iterable[Any], held: Iterable[Any], what: str = "row") -> list[str]:
    """Say how many held-out rows or pictures equal one that was learnt from; nothing where none does.

    Examples
    --------
    >>> import numpy as np
    >>> copied(np.array([[1.0], [2.0]]), np.array([[2.0], [3.0]]))[0][:53]
    '1 of 2 held-out rows is a copy of one learnt from: th'
    """
    rows = list(held)
    count = copies(learnt, rows)
    if not count:
        return []
    are = "is a copy" if count == 1 else "are copies"
    sentence = f"{count} of {len(rows)} held-out {what}s {are} of one learnt from: the verdict also measures memory"
    return [f"{sentence}. Remove the copies, or measure on other data (--valid)."]


def copies(learnt: Iterable[Any], held: Iterable[Any]) -> int:
    """Return how many of the held arrays equal one that was learnt.

    Examples
    --------
    >>> import numpy as np
    >>> copies([np.zeros(2), np.ones(2)], [np.ones(2), np.ones(3)])
    1
    """
    learnt_keys = {row_key(row) for row in learnt}
    return sum(row_key(row) in learnt_keys for row in held)
