"""Narrows: the autoencoder toolkit. Names, which ``__init__.pyi`` lists, are imported when they are first used."""

import os
import sys
from importlib import import_module
from typing import Any

import lazy_loader

from narrows._version import __version__ as __version__

if "torch" not in sys.modules:
    # Threads that wait by spinning for milliseconds make training ten times slower once another process wants the core;
    # threads that never spin make it twice as slow on a quiet machine. torch reads this when it is loaded.
    os.environ.setdefault("GOMP_SPINCOUNT", "5000")

_get, _dir, _names = lazy_loader.attach_stub(__name__, __file__)
__all__ = sorted({*_names, "load", "report"})


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'narrows' has no attribute {name!r}")
    return _get(name)


def __dir__() -> list[str]:
    return __all__


def load(folder: Any, parts: Any = ()) -> Any:
    """Return the fitted family or task that ``save`` or ``narrows fit`` wrote to ``folder``."""
    import_module("narrows.families")
    import_module("narrows.tasks")
    return import_module("narrows.artefact").load(folder, parts)


def report(fitted: Any, X: Any, folder: Any, y: Any = None, train: Any = None, *, figures: bool = True) -> Any:
    """Write report.html and report.json on how a task fitted to ``train`` does on rows ``X``, and return the report."""
    return import_module("narrows.reporting.build").report(fitted, X, folder, y, train, figures=figures)
