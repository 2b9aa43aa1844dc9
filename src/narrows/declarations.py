"""Writes what follows from the declarations: ``cli/fields.json``, and the ``.pyi`` files that list the public names.

``python -m narrows.declarations`` writes them again after something was added; tests hold them to the code.
"""

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from narrows.cli.fields import written
from narrows.discovery import PARTS_PACKAGES, discovered, import_uses
from narrows.params import FAMILIES, TASKS
from narrows.parts import PARTS
from narrows.reporting import figures
from narrows.reporting.figures.base import FIGURES

__all__ = ["declarations"]

ROOT = Path(__file__).parent
CORE = {  # what is public beside families, tasks and parts
    "data": ("Pairs", "check", "describe", "read"),
    "data.tables.transformer": ("Table",),
    "data.disk.stored": ("stored",),
    "errors": ("ArtefactError", "InputError"),
    "estimator.base": ("Estimator",),
    "estimator.problem": ("Problem",),
    "model": ("Model",),
    "training": ("train",),
}
UNLISTED = {"layer"}  # kinds of parts that are written as text only
NOTE = '"""Written by `python -m narrows.declarations`: what type checkers see."""\n\n'
TYPING = "import collections.abc\nimport pathlib\nimport typing\n\nfrom ._version import __version__ as __version__\n"
FUNCTIONS = """
def load(folder: str | pathlib.Path, parts: collections.abc.Sequence[type] = ()) -> typing.Any: ...
def report(
    fitted: typing.Any,
    X: typing.Any,
    folder: str | pathlib.Path,
    y: typing.Any = None,
    train: typing.Any = None,
    *,
    figures: bool = True,
) -> dict[str, typing.Any]: ...
"""


def declarations() -> dict[Path, str]:
    """Return every file that is written from the declarations, and its text."""
    import_uses()
    files = {ROOT / "cli" / "fields.json": written(), ROOT / "__init__.pyi": _public()}
    for package in PARTS_PACKAGES:
        module = import_module(f"narrows.{package}")
        classes = discovered(module.__name__, module.__path__)
        lines = _imports((cls.__module__, name) for name, cls in classes.items())
        files[ROOT / package / "__init__.pyi"] = NOTE + lines + _names(classes)
    drawing = (*FIGURES.values(), figures.save)
    lines = _imports((draw.__module__, draw.__name__) for draw in drawing)
    files[ROOT / "reporting" / "figures" / "__init__.pyi"] = NOTE + lines + _names(draw.__name__ for draw in drawing)
    return files


def _public() -> str:
    """Return the stub of the package itself, which ``lazy_loader`` reads too: its imports are relative."""
    kinds = [known for kind, known in PARTS.items() if kind not in UNLISTED]
    classes = [cls for known in (FAMILIES, TASKS, *kinds) for cls in known.values()]
    public = [(cls.__module__, cls.__name__) for cls in classes if cls.__module__.startswith("narrows.")]
    public += [(f"narrows.{place}", name) for place, names in CORE.items() for name in names]
    lines = _imports((module.removeprefix("narrows"), name) for module, name in public)
    names = [name for _, name in public]
    return NOTE + TYPING + lines + _names([*names, "__version__", "load", "report"]) + FUNCTIONS


def _imports(places: Iterable[tuple[str, str]]) -> str:
    return "".join(f"from {module} import {name} as {name}\n" for module, name in sorted(set(places)))


def _names(names: Iterable[str]) -> str:
    return "\n__all__ = [\n" + "".join(f'    "{name}",\n' for name in sorted(set(names))) + "]\n"


if __name__ == "__main__":
    for path, text in declarations().items():
        path.write_text(text, encoding="utf-8")
