"""Numbers as a person would write them; without a library of arrays."""

import math

__all__ = ["number", "percent", "several", "together"]


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
