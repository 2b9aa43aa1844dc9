"""One grammar types parameters everywhere: ``conv:32,64,up=resize``, ``gaussian:0.5,clip``, ``gaussian:25/255``.

A text is read against declared types, so that a new field needs no new grammar.
"""

import difflib
import re
import types
import typing
from collections.abc import Callable
from dataclasses import Field, fields
from typing import Any, Literal

from narrows.errors import InputError
from narrows.params import UNIONS, declared, fits, words

__all__ = ["read_fields", "read_value", "usage", "write_value"]

_YES = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def read_value(text: str, kind: Any) -> Any:
    """Return the text of a flag as a value of the declared type ``kind``.

    Examples
    --------
    >>> read_value("25/255", float) == 25 / 255, read_value("1x28x28", tuple[int, ...] | None)
    (True, (1, 28, 28))
    """
    for each in _alternatives(kind):
        try:
            value = _read(text.strip(), each)
        except (ValueError, KeyError, ZeroDivisionError):
            continue
        if fits(value, each):
            return value
    raise InputError(f"{text!r} is not understood", words(kind))


def _alternatives(kind: Any) -> list[Any]:
    """Return the types of a union, free text last."""
    each = typing.get_args(kind) if typing.get_origin(kind) in UNIONS else (kind,)
    return sorted(each, key=lambda one: one is str)


def _read(text: str, kind: Any) -> Any:
    """Read one type; a ValueError, KeyError or ZeroDivisionError says that the text is none of it."""
    inner = typing.get_args(kind)
    if typing.get_origin(kind) is Literal:
        return {str(option): option for option in inner}[text]
    if typing.get_origin(kind) is tuple:
        inside = text.strip("()[] ")
        numbers = inner[0] in (int, float)
        words = [word for word in re.split(r"[,/ ]+|(?<=\d)x(?=\d)" if numbers else r"[,/]+", inside) if word]
        if inside and not words:
            raise ValueError(text)
        return tuple(_read(word, inner[0]) if numbers else word for word in words)
    readers: dict[Any, Callable[[str], Any]] = {
        int: _integer,
        float: _number,
        bool: lambda word: _YES[word.lower()],
        types.NoneType: lambda word: {"none": None}[word.lower()],
        str: str,
        Any: str,
    }
    return readers[kind](text)


def _integer(text: str) -> int:
    return int(float(text)) if re.fullmatch(r"\d+e\d+", text) else int(text)


def _number(text: str) -> float:
    over, _, under = text.partition("/")
    return float(over) / float(under or 1)


def write_value(value: Any) -> str:
    """Return the text that ``read_value`` reads back exactly."""
    if isinstance(value, (tuple, list)):
        return "/".join(write_value(each).replace(",", ";") for each in value)
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(float(value))
    return str(value)


def usage(cls: type[Any]) -> str:
    """Return how a part is written: ``gaussian[:std,clip]``."""
    names = [spec.name for spec in fields(cls)]
    return f"{cls.name}[:{','.join(names)}]" if names else str(cls.name)


def read_fields(cls: type[Any], text: str) -> dict[str, Any]:
    """Read ``0.5,clip`` or ``32,64,up=resize`` against the fields of a part.

    A bare word goes to the sequence that is being written, to the switch of that name, or to the first free field that
    can read it; ``name=value`` goes where it says.
    """
    found: dict[str, Any] = {}
    specs = {spec.name: spec for spec in fields(cls)}
    open_sequence: list[Field[Any]] = []
    for token in filter(None, (word.strip() for word in text.split(","))):
        key, equals, value = token.partition("=")
        if equals and key in specs and key not in found:
            spec, read = specs[key], _read_field(cls, specs[key], value, token)
        elif token in specs and token not in found and declared(cls, specs[token]) is bool:
            spec, read = specs[token], True
        else:
            free = [spec for spec in specs.values() if spec.name not in found and declared(cls, spec) is not bool]
            spec, read = _place(cls, [*open_sequence, *free], token)
        found[spec.name] = (*found[spec.name], *read) if spec in open_sequence else read
        open_sequence = [spec] if isinstance(read, tuple) else []
    return found


def _read_field(cls: type[Any], spec: "Field[Any]", value: str, token: str) -> Any:
    try:
        return read_value(value, declared(cls, spec))
    except InputError as error:
        raise InputError(f"{token!r} is not understood", error.accepted, usage(cls)) from None


def _place(cls: type[Any], candidates: "list[Field[Any]]", token: str) -> "tuple[Field[Any], Any]":
    """Return the first of the fields that can read a bare word, and what it reads."""
    for spec in candidates:
        try:
            return spec, read_value(token, declared(cls, spec))
        except InputError:
            continue
    names = [spec.name for spec in fields(cls)]
    near = difflib.get_close_matches(token.partition("=")[0], names, 1)
    raise InputError(f"{token!r} is not understood", usage(cls), repr(f"{near[0]}=...") if near else "")
