"""The templates of the pages: what is filled in is escaped, whatever it is."""

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from narrows.reporting.formatting import words
from narrows.templates import templates

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

__all__ = ["fill"]


def fill(template: str, **values: Any) -> str:
    r"""Return a template of this package with values in its places; one that lacks a value raises ``UndefinedError``.

    Examples
    --------
    >>> '>{"title":"\\u003cb>"}<' in fill("map.html", facts='{"title":"<b>"}')
    True
    """
    return _environment().get_template(template).render(values)


@cache
def _environment() -> "Environment":
    environment = templates(__package__)
    environment.filters |= {"text": _text, "foldable": _foldable, "inert": _inert}
    return environment


def _text(value: object) -> str:
    r"""Return any value as a person would write it, with numbers that do not break over lines.

    Examples
    --------
    >>> _text(12345), _text("57 % of <a>")
    ('12\xa0345', '57\xa0% of <a>')
    """
    return re.sub(r"(?<=\d) (?=\d{3}(?!\d)|%)", "\xa0", words(value))


def _foldable(name: str) -> "Markup":
    """Return a name, escaped, that may break inside CamelCase.

    Examples
    --------
    >>> str(_foldable("<AutoEncoder>"))
    '&lt;Auto<wbr>Encoder&gt;'
    """
    from markupsafe import Markup

    return Markup("<wbr>").join(re.split("(?<=[a-z])(?=[A-Z])", _text(name)))


def _inert(json: str) -> "Markup":
    """Return JSON that can stand in a script element: no text in it ends the element or begins another."""
    from markupsafe import Markup

    return Markup(json.replace("<", "\\u003c"))
