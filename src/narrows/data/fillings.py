"""Missing cells that a schema fills before a model sees them: how many, and with what."""

from collections.abc import Iterable, Mapping

__all__ = ["FILLED", "Fillings", "filled_words", "together"]

FILLED = ", filled with the median"
Fillings = Mapping[str, tuple[int, str]]  # per column: the missing cells, and what stands in for them

_NAMED = 10  # columns that have a line of their own


def filled_words(found: Fillings) -> tuple[str, ...]:
    """Say how many cells of each column were filled and with what; many columns are summed up.

    Examples
    --------
    >>> filled_words({"age": (3, "41.5")})
    ("'age': missing in 3 rows, filled with the median, 41.5",)
    """
    named, others = list(found.items())[:_NAMED], list(found.values())[_NAMED:]
    words = [f"{name!r}: missing in {n} row{'s' * (n != 1)}{FILLED}, {value}" for name, (n, value) in named]
    if others:
        cells, columns = sum(n for n, _ in others), f"{len(others)} further column{'s' * (len(others) != 1)}"
        words.append(f"{columns}: {cells} cell{'s' * (cells != 1)} missing{FILLED}")
    return tuple(words)


def together(parts: Iterable[Fillings]) -> dict[str, tuple[int, str]]:
    """Add up what was filled in parts of the rows.

    Examples
    --------
    >>> together([{"age": (3, "41.5")}, {"age": (1, "41.5"), "size": (2, "7")}])
    {'age': (4, '41.5'), 'size': (2, '7')}
    """
    found: dict[str, tuple[int, str]] = {}
    for part in parts:
        for name, (n, value) in part.items():
            found[name] = (found.get(name, (0, ""))[0] + n, value)
    return found
