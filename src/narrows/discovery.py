"""The one rule by which things are added: a module that lies in a package belongs to it; nobody keeps a list."""

from collections.abc import Iterable
from importlib import import_module
from pkgutil import iter_modules

__all__ = ["PARTS_PACKAGES", "discovered", "import_uses"]

PARTS_PACKAGES = ("bottlenecks", "corruption", "likelihood", "networks", "penalties")
_USES_PACKAGES = ("families", "tasks", "workflows")  # what registers itself and is found under its name


def discovered(package: str, path: Iterable[str]) -> dict[str, type]:
    """Import every module of a package and return the classes that these define and name in ``__all__``.

    Examples
    --------
    >>> import narrows.penalties
    >>> discovered("narrows.penalties", narrows.penalties.__path__)["L1"] is narrows.penalties.L1
    True
    """
    classes: dict[str, type] = {}
    for module_info in iter_modules(path):
        module = import_module(f"{package}.{module_info.name}")
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if isinstance(value, type) and f"{value.__module__}.".startswith(f"{module.__name__}."):
                if name in classes:
                    raise TypeError(f"{package} has two classes {name}: in {classes[name].__module__} and {module}")
                classes[name] = value
    return classes


def import_uses() -> None:
    """Import every family, task and workflow, so that each is found under its name."""
    for package in _USES_PACKAGES:
        import_module(f"narrows.{package}")
