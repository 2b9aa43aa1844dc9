"""Colours of items by a column: one for each of its frequent values, or shades for the eighths of its numbers."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from narrows.reporting.figures.style import CLASSES, GREY, SEQUENTIAL, Array, colormap, number

__all__ = ["Colouring", "by_class", "by_column"]

_MAX_SHADES = 8  # groups of a column of numbers


class Colouring(NamedTuple):
    """Groups of items, each with a name and a colour."""

    name: str  # of the column
    groups: Array  # (n,), int: the place of the item's group
    names: list[str]
    colours: list[str]
    ordered: bool = False  # whether later groups hold larger values


def by_class(name: str, labels: Array, class_names: Sequence[str] | None = None) -> Colouring:
    """Return a colour for each of the twelve most frequent labels, and grey for the others.

    Labels are values (n,), or numbers from 0 on with ``class_names``, where -1 is no label.

    Examples
    --------
    >>> colours = by_class("animal", np.array([0, 1, 1, -1]), ["cat", "dog"])
    >>> colours.names, colours.groups.tolist()
    (['no label', 'cat', 'dog'], [1, 2, 2, 0])
    """
    values, index = np.unique(np.asarray(labels), return_inverse=True)
    names = [number(value) if isinstance(value, float) else str(value) for value in values.tolist()]
    known = range(-1, len(class_names or ()))
    if class_names is not None and values.dtype.kind in "iub" and set(map(int, values)) <= set(known):
        names = [str((*class_names, "no label")[int(value)]) for value in values]
    common = np.sort(np.argsort(-np.bincount(index), kind="stable")[: len(CLASSES)])
    place = np.full(len(values), len(common))
    place[common] = np.arange(len(common))
    kept, colours = [names[i] for i in common], list(CLASSES[: len(common)])
    if len(values) > len(common):
        kept, colours = [*kept, f"{len(values) - len(common)} others"], [*colours, GREY]
    return Colouring(name, place[index], kept, colours)


def by_column(name: str, values: Array) -> Colouring:
    """Return the colours of a column (n,): shades for numbers and dates, which may be missing, classes for texts.

    A value that an eighth of the items has is a group of its own.

    Examples
    --------
    >>> colours = by_column("pay", np.append(np.repeat([0.0, 7.0, 9.0], [70, 20, 5]), [1.5, 20, 30, 40, 50, np.nan]))
    >>> colours.names, colours.groups[[0, 70, -1]].tolist()
    (['0', '1.50', '7', '9', '20', '30', '40', '50', 'missing'], [0, 2, 8])
    >>> by_column("price", np.append(np.zeros(50), np.arange(1.0, 31))).names
    ['0', '1 to 10', '11 to 20', '21 to 30']
    """
    if values.dtype.kind not in "fM":
        return by_class(name, values)
    numbers = _seconds(values) if values.dtype.kind == "M" else values
    known = np.isfinite(numbers)
    bounds = np.unique(numbers[known])[:-1]
    if len(bounds) >= _MAX_SHADES:
        bounds = np.quantile(numbers[known], np.linspace(0, 1, _MAX_SHADES + 1)[1:-1])
    used, groups = np.unique(np.searchsorted(bounds, numbers[known]), return_inverse=True)
    names = [_range(values[known][groups == place]) for place in range(len(used))]
    scale = colormap(SEQUENTIAL)
    colours = [_hex(scale(place / max(1, len(used) - 1))) for place in range(len(used))]
    if known.all():
        return Colouring(name, groups, names, colours, ordered=True)
    place = np.full(len(values), len(used))
    place[known] = groups
    return Colouring(name, place, [*names, "missing"], [*colours, GREY], ordered=True)


def _seconds(dates: Array) -> Array:
    seconds = dates.astype("datetime64[s]").astype(np.float64)
    return np.where(np.isnat(dates), np.nan, seconds)


def _range(values: Array) -> str:
    low, high = values.min(), values.max()
    write = _date if values.dtype.kind == "M" else number
    return write(low) if low == high else f"{write(low)} to {write(high)}"


def _date(date: np.datetime64) -> str:
    return str(date.astype("datetime64[m]")).removesuffix("T00:00").replace("T", " ")


def _hex(colour: Sequence[float]) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in colour[:3])
