"""What is said of the missing cells of a table: filled, and with what, or read as missing."""

from collections.abc import Sequence

from narrows.data import Schema, Source
from narrows.data.fillings import FILLED, filled_words
from narrows.tasks.base import Task

__all__ = ["as_treated", "between_neighbours", "counted", "gaps"]


def as_treated(task: Task, notes: Sequence[str]) -> list[str]:
    """Return notes once each; a missing value is not filled for a task that reads it as missing."""
    found = list(dict.fromkeys(notes))
    if not task.reads_missing:
        return found
    return [f"{note.partition(FILLED)[0]}: of no price there" if FILLED in note else note for note in found]


def between_neighbours(notes: Sequence[str]) -> list[str]:
    """Return notes of a series, whose missing values are filled between their neighbours in time."""
    return [
        f"{note.partition(FILLED)[0]}, filled between neighbours in time" if FILLED in note else note for note in notes
    ]


def gaps(schema: Schema, source: Source) -> tuple[str, ...]:
    """Say how many missing cells of a table are filled, and with what."""
    return filled_words(schema.fillings(source))


def counted(schema: Schema, source: Source) -> dict[str, dict[str, int]]:
    """Return the count of filled cells by column as a fact of the data, where there are some."""
    found = {name: n for name, (n, _) in schema.fillings(source).items()}
    return {"cells filled": found} if found else {}
