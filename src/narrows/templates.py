"""Pages from templates: what is filled in is escaped, whatever it is."""

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

__all__ = ["templates"]


@cache
def templates(package: str) -> "Environment":
    """Return the templates of a package; one that lacks a value raises ``UndefinedError``.

    ``asset(name)`` in a template is a style sheet or script of the package, as it is.

    Examples
    --------
    >>> templates("narrows.workflows").from_string("<b>{{ name }}</b>").render(name="<script>")
    '<b>&lt;script&gt;</b>'
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    def asset(name: str) -> "Markup":
        return Markup((files(package) / name).read_text(encoding="utf-8"))

    environment = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["asset"] = asset
    return environment
