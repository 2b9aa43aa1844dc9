"""Numbers and other values as a person would write them; without a library of arrays."""

import math
from collections.abc import Mapping

__all__ = ["number", "percent", "several", "size", "together", "words"]


def number(value: float, digits: int = 3, *, whole: bool = True) -> str:
    """Format a number with so many significant digits (whole numbers as they are), large ones in groups of three.

    Examples
    --------
    >>> number(0.0037712), number(12345.6), number(999.7), number(float("nan")), number(0.0)
    ('0.00377', '12 346', '1 000', 'not a number', '0')
    """
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinity" if value > 0 else "-infinity"
    size = abs(float(f"{value:.{digits}g}"))
    if size < 1e15 and ((whole and value == int(value)) or size >= 10**digits):
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:#.{digits}g}".replace(".e", "e").rstrip(".")


def percent(share: float) -> str:
    """Share in percent, with as many digits as it takes that no more than none is 0 and no less than all is 100.

    Examples
    --------
    >>> percent(0.976), percent(0.9996), percent(0.0004), percent(1.0)
    ('98 %', '99.96 %', '0.04 %', '100 %')
    """
    text = f"{100 * share:.0f}"
    for digits in range(1, 7):
        if float(text) not in (0, 100) or share in (0, 1):
            break
        text = f"{100 * share:.{digits}f}"
    return f"{text} %"


def together(value: float, other: float) -> tuple[str, str]:
    """Two numbers with as many digits as tell them apart, three at least.

    Examples
    --------
    >>> together(0.0038, 0.0088), together(0.123456, 0.123459), together(0.875, 0.875)
    (('0.00380', '0.00880'), ('0.123456', '0.123459'), ('0.875', '0.875'))
    """
    whole = value == int(value) and other == int(other)
    for digits in (3,) if value == other else range(3, 7):
        pair = number(value, digits, whole=whole), number(other, digits, whole=whole)
        if pair[0] != pair[1]:
            break
    return pair


def several(unit: str) -> str:
    """Return a unit in the plural.

    Examples
    --------
    >>> several("row"), several("patch")
    ('rows', 'patches')
    """
    return f"{unit}es" if unit.endswith("ch") else f"{unit}s"


def size(count: float) -> str:
    """Bytes in units that fit.

    Examples
    --------
    >>> size(47_040_000), size(512)
    ('47.0 MB', '512 B')
    """
    power = next((power for power in range(4) if abs(count) < 1000 ** (power + 1)), 4)
    return f"{number(count / 1000**power)} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"


def words(value: object) -> str:
    """Return any value as a person would write it.

    Examples
    --------
    >>> words(12345), words(None), words(True), words(["a", 0.5]), words({"k": 2})
    ('12 345', 'none', 'yes', 'a, 0.500', 'k 2')
    """
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {words(entry)}" for key, entry in value.items()) or "none"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(map(words, value)) or "none"
    return str(value)
