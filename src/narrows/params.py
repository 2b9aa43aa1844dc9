"""Declare a parameter once; validation, flags, forms, help and files all read the declaration."""

import dataclasses
import math
import operator
import re
import sys
import types
import typing
from collections.abc import Callable
from dataclasses import MISSING, Field, field, fields
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, Union

from narrows.errors import ParameterError

__all__ = [
    "FAMILIES",
    "MOST_EPOCHS",
    "OF_TASK",
    "TASKS",
    "check_params",
    "declared",
    "fits",
    "kebab",
    "param",
    "places",
    "register",
    "words",
]

FAMILIES: dict[str, type[Any]] = {}
TASKS: dict[str, type[Any]] = {}
OF_TASK = "task:"  # begins the names of a task's own arrays among saved weights

UNIONS = (Union, types.UnionType)

LARGEST = 2**32 - 1  # whole number that a parameter may be, as a seed
MOST_EPOCHS = 1_000_000

_RULES: dict[str, tuple[Callable[[Any, Any], bool], str]] = {
    "ge": (operator.ge, "at least {}"),
    "gt": (operator.gt, "greater than {}"),
    "le": (operator.le, "at most {}"),
    "lt": (operator.lt, "less than {}"),
}
_TYPE_NAMES = {int: "an integer", float: "a finite number", bool: "True or False", str: "a text"}


def param(
    default: Any,
    help: str,
    *,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    kind: str | None = None,
    several: bool | None = None,
) -> Any:
    """Return a dataclass field that also says what it means and which values it takes.

    Bounds hold for every number in a tuple. ``kind`` names the registry ("likelihood", "corruption", ...) whose grammar
    a text value follows. ``several``: the flag may come again, and its texts are joined by commas.

    Examples
    --------
    >>> @dataclasses.dataclass
    ... class Noise:
    ...     rate: float = param(0.5, "share of the values that are hidden", ge=0, le=1)
    >>> check_params(Noise(1.5))
    Traceback (most recent call last):
    narrows.errors.ParameterError: The 'rate' parameter of Noise must be at most 1. Got 1.5.
    """
    rules = {"ge": ge, "gt": gt, "le": le, "lt": lt, "kind": kind, "several": several}
    metadata = {"help": help, **{name: rule for name, rule in rules.items() if rule is not None}}
    return field(default=default, metadata=metadata)


def check_params(obj: Any) -> None:
    """Raise ``InputError`` naming the first field of ``obj`` whose value breaks its declaration."""
    for spec in fields(obj):
        value = getattr(obj, spec.name)
        if spec.default is not MISSING and value is spec.default:
            continue
        wanted = _wanted(spec, declared(type(obj), spec), value)
        if wanted:
            raise ParameterError(type(obj), spec.name, wanted, value)


def places(cls: type[Any]) -> tuple[str, ...]:
    """Return the fields that name a file or a folder: those whose type takes a ``Path``.

    Examples
    --------
    >>> @dataclasses.dataclass
    ... class Fit:
    ...     folder: str | Path | None = param(None, "where to")
    ...     rate: float = param(0.5, "how fast")
    >>> places(Fit)
    ('folder',)
    """
    return tuple(spec.name for spec in fields(cls) if Path in typing.get_args(declared(cls, spec)))


def _wanted(spec: "Field[Any]", kind: Any, value: Any) -> str:
    """Return in words what ``value`` should have been; nothing when it is fine."""
    if not fits(value, kind):
        later = "kind" in spec.metadata and value is not None and not isinstance(value, Real)
        return "" if later else words(kind)  # parts of a kind are read, and judged, where they are used
    numbers = [
        number for number in (value if isinstance(value, (tuple, list)) else (value,)) if isinstance(number, Real)
    ]
    if any(isinstance(number, Integral) and abs(int(number)) > LARGEST for number in numbers):
        return f"at most {LARGEST}"
    for rule, (holds, text) in _RULES.items():
        bound = spec.metadata.get(rule)
        if bound is not None and not all(holds(number, bound) for number in numbers):
            return text.format(bound)
    return ""


def declared(cls: type[Any], spec: "Field[Any]") -> Any:
    """Return the declared type of a field, also where ``from __future__ import annotations`` made it a text."""
    return typing.get_type_hints(cls)[spec.name] if isinstance(spec.type, str) else spec.type


def fits(value: Any, kind: Any) -> bool:
    """Return whether ``value`` is of a declared type; numbers must be finite, and True is no number.

    Examples
    --------
    >>> fits((8, 4), tuple[int, ...] | None), fits(True, int), fits(float("nan"), float)
    (True, False, False)
    """
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return any(fits(value, type(option)) and value == option for option in inner)
    if origin in UNIONS:
        return any(fits(value, member) for member in inner)
    if origin is tuple:
        return isinstance(value, (tuple, list)) and all(fits(entry, inner[0]) for entry in value)
    if kind is None:
        return value is None
    if kind is bool and getattr(value, "ndim", None) == 0 and value.dtype.kind == "b":  # numpy's, as from a grid
        return True
    if kind is int:
        return isinstance(value, Integral) and not isinstance(value, bool)
    if kind is float:
        if isinstance(value, Integral):
            return not isinstance(value, bool) and abs(int(value)) <= sys.float_info.max
        return isinstance(value, Real) and math.isfinite(value)
    return kind is Any or not isinstance(kind, type) or isinstance(value, kind)


def words(kind: Any) -> str:
    """Return a declared type in words.

    Examples
    --------
    >>> words(tuple[int, ...] | None)
    'a tuple of integers or None'
    """
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return " or ".join(map(repr, inner))
    if origin in UNIONS:
        return " or ".join(words(member) for member in inner)
    if origin is tuple:
        return f"a tuple of {words(inner[0]).partition(' ')[2] or words(inner[0])}s"
    if kind is None or kind is types.NoneType:
        return "None"
    return _TYPE_NAMES.get(kind, f"a {getattr(kind, '__name__', kind)}")


def register(table: dict[str, type[Any]], cls: type[Any], name: str) -> None:
    """Make ``cls`` a keyword-only dataclass under ``name``; refuse to extend a finished one or to take its name."""
    finished = [base.__name__ for base in cls.__mro__[1:] if base in table.values()]
    if finished:
        raise TypeError(
            f"{cls.__name__} extends {finished[0]}, which is finished. "
            f"Subclass its base class, or set a parameter of {finished[0]}."
        )
    dataclasses.dataclass(cls, kw_only=True, eq=False, repr=False)
    claim(table, cls, name)


def claim(table: dict[str, Any], cls: Any, name: str) -> None:
    """Enter ``cls`` under ``name``, which nothing of another module may hold; the same one may be defined again."""
    holder = table.get(name)
    if holder is not None and holder.__module__ != cls.__module__:
        raise TypeError(f"The name {name!r} of {cls.__name__} is taken by {holder.__module__}.{holder.__qualname__}.")
    table[name] = cls


def kebab(name: str) -> str:
    """Return the command-line name of a class.

    Examples
    --------
    >>> kebab("ConditionalVAE")
    'conditional-vae'
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()
