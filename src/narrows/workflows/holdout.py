"""Which pictures are put aside for the verdict."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from narrows.data.base import row_key

__all__ = ["copied", "copies", "series", "set_aside"]

_MIN_SPLIT_PICTURES = 4  # fewer pictures are not split: everything is measured on those that were learnt


def set_aside(names: Sequence[str], share: float, seed: int) -> tuple[list[int], list[int], str]:
    """Return which pictures to learn from, which to measure on, and how they were chosen.

    Names that are numbered evenly are slices or frames: neighbours look alike, so that the last ones of every series
    are put aside together. Others are drawn at random. Of fewer than 4 none are put aside, and nothing is said.

    Examples
    --------
    >>> set_aside(["s1.png", "s2.png", "s3.png", "s4.png", "s5.png"], 0.2, 0)[:2]
    ([0, 1, 2], [3, 4])
    """
    n, everything = len(names), list(range(len(names)))
    if n < _MIN_SPLIT_PICTURES:
        return everything, everything, ""
    held = min(n - 2, max(2, round(share * n)))  # two at least: of one nothing can be said
    rows = series(names)
    if len(rows) == 1:
        block = f"the names are numbered evenly, as of slices or frames, and neighbours look alike: the last {held}"
        return everything[: n - held], everything[n - held :], f"{block} of {n} pictures are put aside for the verdict"
    if rows:
        last = sorted(i for row in rows for i in row[len(row) - max(1, round(share * len(row))) :])
        block = (
            f"the names are {len(rows)} series numbered evenly, and neighbours look alike: the last pictures of each"
        )
        return sorted({*everything} - {*last}), last, f"{block}, {len(last)} of {n}, are put aside for the verdict"
    order = np.random.default_rng(seed).permutation(n).tolist()
    words = f"{held} of {n} pictures, drawn at random, are put aside for the verdict"
    return sorted(order[held:]), sorted(order[:held]), words


def series(names: Sequence[str]) -> list[list[int]]:
    """Return the places of names that end in evenly spaced numbers, by the words before them; nothing of other names.

    Examples
    --------
    >>> series(["a5.png", "a10.png"]), series(["a1.png", "a2.png", "a7.png"]), series(["a.png", "b.png"])
    ([[0, 1]], [], [])
    """
    matches = [re.fullmatch(r"(.*?)(\d+)(\.\w+)?", name) for name in names]
    rows: dict[str, list[int]] = {}
    for i, match in enumerate(matches):
        if match is None:
            return []
        rows.setdefault(match[1], []).append(i)
    numbers = {prefix: [int(matches[i][2]) for i in row] for prefix, row in rows.items()}  # type: ignore[index]
    even = all(len(row) > 1 and len(set(np.diff(row))) == 1 and row[1] > row[0] for row in numbers.values())
    return list(rows.values()) if even and 4 * len(rows) <= len(names) + 3 else []


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
