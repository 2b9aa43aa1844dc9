"""Packages that only some files need: where one is missing, what to install is said in one message."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from narrows.errors import InputError

__all__ = ["required"]


def required(package: str, extra: str, what: str) -> Any:
    """Return an installed package that ``what`` is read with.

    Raises InputError, which names the extra that brings it, where it is missing.

    Examples
    --------
    >>> required("json", "json", "JSON").dumps([1])
    '[1]'
    >>> required("no_such_package", "some", "'a.some'")
    Traceback (most recent call last):
    narrows.errors.InputError: 'a.some' is read with no_such_package, which is not installed. Try: pip install ...
    """
    try:
        return import_module(package)
    except ImportError:
        came = f"{what} is read with {package}, which is not installed"
        raise InputError(came, "", f"pip install 'narrows[{extra}]'") from None
