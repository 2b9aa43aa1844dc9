"""Which function draws which figure: said beside the function, so that nobody keeps a list."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from narrows.params import claim

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FIGURES", "draws"]

_Draw = TypeVar("_Draw", bound="Callable[..., Figure]")

FIGURES: "dict[str, Callable[..., Figure]]" = {}


def draws(name: str = "") -> Callable[[_Draw], _Draw]:
    """Let tasks ask for a function by ``name``, or by its own: the ``data`` of their pictures are its arguments.

    Examples
    --------
    >>> FIGURES["map"].__name__, FIGURES["bars"].__name__
    ('code_map', 'bars')
    """

    def enter(draw: _Draw) -> _Draw:
        claim(FIGURES, draw, name or draw.__name__)
        return draw

    return enter
