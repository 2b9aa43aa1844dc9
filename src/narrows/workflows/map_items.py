"""What the map of the codes shows: rows with their codes, their cells, and the columns that may colour it."""

import shlex
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from narrows.data import Source
from narrows.errors import unknown
from narrows.tasks.base import spaced
from narrows.workflows.base import Items

__all__ = ["Shown", "items_of", "require_colour"]

_MAX_ITEMS, _MAX_PICTURES = 50_000, 10_000


class Shown(NamedTuple):
    """Rows for the map, and which of them were held out."""

    source: Source
    held: np.ndarray  # (n,), bool


def items_of(
    sets: Sequence[Shown], codes: Callable[[Source], np.ndarray], label: str | None, colour: str | None
) -> Items:
    """Return the rows of one or two sets for the map: all, or evenly spaced ones where there are many.

    They are coloured by the column ``colour``, or else by their labels, which are those of the column ``label``.
    """
    total = sum(len(rows.source) for rows in sets)
    items = [_items(rows, codes, total) for rows in sets]
    first, last = items[0], items[-1]
    cells = {name: [cell for part in items for cell in part.cells[name]] for name in first.cells if name in last.cells}
    names = [name for name in first.columns if name in last.columns]
    columns = {name: np.concatenate([part.columns[name] for part in items]) for name in names}
    whole = first._replace(
        codes=np.concatenate([part.codes for part in items]),
        ids=np.concatenate([part.ids for part in items]),
        labels=_joined([part.labels for part in items]),
        by=label or "class",
        cells=cells,
        columns=columns,
        pictures=_joined([part.pictures for part in items]),
        held=_joined([part.held for part in items]),
    )
    if colour is None or colour not in columns:  # rows to measure on may lack it
        return whole
    return whole._replace(labels=columns[colour], class_names=None, by=colour)


def require_colour(source: Source, colour: str) -> None:
    """Raise InputError where rows have no such column, or one of texts of which most are different."""
    names = list(source.take(_index(source, len(source))).columns())
    if colour not in names:
        came = f"{source.name!r} has no column {colour!r} that could colour a map"
        raise unknown(came, colour, names, lambda name: f"--colour {shlex.quote(name)}")


def _index(source: Source, total: int) -> np.ndarray:
    """Return which rows of a set are shown, where all sets together have ``total`` rows."""
    most = _MAX_ITEMS if source.take(np.arange(1)).pictures() is None else _MAX_PICTURES
    return spaced(len(source), max(1, most * len(source) // max(total, most)))


def _items(rows: Shown, codes: Callable[[Source], np.ndarray], total: int) -> Items:
    index = _index(rows.source, total)
    source = rows.source.take(index)
    return Items(
        codes(source),
        source.ids,
        source.id_name,
        source.labels,
        source.class_names,
        cells=source.cells(),
        columns=source.columns(),
        pictures=source.pictures(),
        held=rows.held[index],
        total=total,
    )


def _joined(parts: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """Return arrays as one; None where one is missing."""
    arrays = [part for part in parts if part is not None]
    return np.concatenate(arrays) if len(arrays) == len(parts) else None
