"""What a recipe is, and the settings that the classic tutorials train with."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from narrows.recipes.run import Run

__all__ = ["PLAIN", "RECIPES", "Recipe", "recipe"]

# Plain Adam at a constant rate from a random start, all rows, last weights.
PLAIN: dict[str, Any] = {
    "schedule": "constant",
    "warm_up": 0.0,
    "validation": 0.0,
    "start": "random",
}


class Recipe(NamedTuple):
    """One system of the classic tutorials."""

    name: str
    summary: str
    source: str  # the documents that describe it
    run: "Callable[[Run], None]"
    folder: str  # what --data is to hold, where the program cannot fetch it


RECIPES: dict[str, Recipe] = {}


def recipe(name: str, summary: str, *, source: str, folder: str = "") -> "Callable[[Callable[[Run], None]], Recipe]":
    """Enter a function that fills a run into the table of recipes."""

    def enter(function: "Callable[[Run], None]") -> Recipe:
        RECIPES[name] = Recipe(name, summary, source, function, folder)
        return RECIPES[name]

    return enter
