"""Declare a parameter once; validation, flags, forms, help and files all read the declaration.

Parts (likelihoods, corruptions, penalties, networks, schedules) are frozen dataclasses under a name. One grammar types them
everywhere: ``conv:32,64,up=resize``, ``gaussian:0.5,clip``, ``l1:1e-3+contractive:0.1``.
"""

import dataclasses
import difflib
import re
import types
import typing
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, TypeVar, dataclass_transform

from narrows.errors import ArtefactError, InputError

__all__ = ["FAMILIES", "TASKS", "Part", "as_part", "as_parts", "check_params", "param", "part", "part_from_json", "part_json"]

FAMILIES: dict[str, type[Any]] = {}
TASKS: dict[str, type[Any]] = {}
PARTS: dict[str, dict[str, type["Part"]]] = {}

_T = TypeVar("_T")

_RULES: dict[str, tuple[Callable[[Any, Any], bool], str]] = {
    "ge": (lambda value, bound: value >= bound, "at least {}"),
    "gt": (lambda value, bound: value > bound, "greater than {}"),
    "le": (lambda value, bound: value <= bound, "at most {}"),
    "lt": (lambda value, bound: value < bound, "less than {}"),
    "options": (lambda value, bound: value in bound, "one of {}"),
}


def param(
    default: Any,
    help: str,
    *,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    options: tuple[str, ...] | None = None,
    kind: str | None = None,
) -> Any:
    """Return a dataclass field that also says what it means and which values it takes.

    ``kind`` names the registry ("likelihood", "corruption", ...) whose grammar a text value follows.
    """
    rules = {"ge": ge, "gt": gt, "le": le, "lt": lt, "options": options, "kind": kind}
    metadata = {"help": help, **{name: rule for name, rule in rules.items() if rule is not None}}
    return field(default=default, metadata=metadata)


def check_params(obj: Any) -> None:
    """Raise ``InputError`` naming the first field of ``obj`` whose value breaks its declaration."""
    for spec in fields(obj):
        value = getattr(obj, spec.name)
        if spec.default is not MISSING and value is spec.default:
            continue
        complaint = _complaint(spec, value)
        if complaint:
            raise InputError(f"The {spec.name!r} parameter of {type(obj).__name__} must be {complaint}. Got {value!r}")


def _complaint(spec: "Field[Any]", value: Any) -> str:
    """What is wrong with ``value``, in words; empty when nothing is."""
    if not _fits(value, spec.type) and "kind" not in spec.metadata:
        return _words(spec.type)
    if isinstance(value, (int, float, str)):
        for rule, (holds, words) in _RULES.items():
            bound = spec.metadata.get(rule)
            if bound is not None and not isinstance(value, str) | isinstance(bound, tuple) and not holds(value, bound):
                return words.format(bound)
            if isinstance(bound, tuple) and isinstance(value, str) and value not in bound:
                return words.format(", ".join(map(repr, bound)))
    return ""


def _fits(value: Any, kind: Any) -> bool:
    if kind is Any or typing.get_origin(kind) is typing.Literal:
        return kind is Any or value in typing.get_args(kind)
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return any(_fits(value, each) for each in typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        inner = typing.get_args(kind)[0]
        return isinstance(value, (tuple, list)) and all(_fits(each, inner) for each in value)
    if kind is None or kind is type(None):
        return value is None
    if kind in (int, float):
        number = typing.cast("type[Any]", _number(kind))
        return isinstance(value, number) and not isinstance(value, bool)
    return isinstance(value, kind) if isinstance(kind, type) else True


def _number(kind: type[Any]) -> type[Any]:
    from numbers import Integral, Real

    return Integral if kind is int else Real


def _words(kind: Any) -> str:
    if kind is type(None) or kind is None:
        return "None"
    if typing.get_origin(kind) is typing.Literal:
        return " or ".join(map(repr, typing.get_args(kind)))
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return " or ".join(_words(each) for each in typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        return f"a tuple of {_words(typing.get_args(kind)[0])}"
    names = {int: "an integer", float: "a number", bool: "True or False", str: "a text"}
    return names.get(kind, getattr(kind, "__name__", str(kind)))


class Part:
    """A frozen, hashable setting with a name: what users pass and files carry."""

    kind: typing.ClassVar[str] = ""
    name: typing.ClassVar[str] = ""

    def __str__(self) -> str:
        """Return the text that reads back as this part."""
        changed = [(f, getattr(self, f.name)) for f in fields(self) if getattr(self, f.name) != f.default]  # type: ignore[arg-type]
        words = [f.name if value is True else f"{f.name}={_text(value)}" for f, value in changed]
        return self.name + (":" + ",".join(words) if words else "")


@dataclass_transform(frozen_default=True, field_specifiers=(param,))
def part(name: str) -> Callable[[type[_T]], type[_T]]:
    """Make a class a frozen dataclass and register it under ``name`` in its base's kind."""

    def register(cls: type[_T]) -> type[_T]:
        made: Any = dataclass(frozen=True, repr=True)(cls)
        made.name = name
        PARTS.setdefault(made.kind, {})[name] = made
        return typing.cast("type[_T]", made)

    return register


def as_part(kind: str, value: Any) -> Any:
    """Return a part of ``kind`` from a part, a text in the grammar, or None.

    Examples
    --------
    >>> import narrows.corruption
    >>> as_part("corruption", "gaussian:0.5,clip")
    GaussianNoise(std=0.5, clip=True)
    """
    if value is None or (isinstance(value, Part) and value.kind == kind):
        return value
    if not isinstance(value, str):
        if callable(value) and not isinstance(value, (type, Part)):
            return value
        raise InputError(f"{value!r} is no {kind}", _known(kind))
    name, _, text = value.strip().partition(":")
    cls = PARTS.get(kind, {}).get(name)
    if cls is None:
        near = difflib.get_close_matches(name, PARTS.get(kind, {}), 1)
        raise InputError(f"There is no {kind} {name!r}", _known(kind), f"{near[0]!r}" if near else "")
    made = cls(**_arguments(cls, text, value))
    check_params(made)
    return made


def as_parts(kind: str, value: Any) -> tuple[Any, ...]:
    """Return several parts: a tuple, one part, or texts joined by ``+``."""
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        value = re.split(r"\+(?=[a-z])", value)
    if isinstance(value, Part) or callable(value):
        value = (value,)
    return tuple(as_part(kind, each) for each in value)


def _known(kind: str) -> str:
    return ", ".join(f"{name}{_usage(cls)}" for name, cls in sorted(PARTS.get(kind, {}).items()))


def _usage(cls: type[Part]) -> str:
    names = [f.name for f in fields(cls)]  # type: ignore[arg-type]
    return f"[:{','.join(names)}]" if names else ""


def _arguments(cls: type[Part], text: str, whole: str) -> dict[str, Any]:
    """Read ``0.5,clip`` or ``32,64,up=resize`` against the part's own fields."""
    known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]
    free, found = list(known.values()), {}
    for token in filter(None, (word.strip() for word in text.split(","))):
        key, equals, value = token.partition("=")
        if equals and key in known:
            found[key] = _read(value, known[key].type)
        elif token in known and known[token].type is bool:
            found[token] = True
        else:
            target = next((f for f in free if f.type is not bool and _accepts(f, found, token)), None)
            if target is None:
                raise InputError(f"{token!r} in {whole!r} is not understood", f"{cls.name}{_usage(cls)}")
            read = _read(token, target.type)
            found[target.name] = (*found.get(target.name, ()), *read) if isinstance(read, tuple) else read
    return found


def _accepts(spec: "Field[Any]", found: dict[str, Any], token: str) -> bool:
    sequence = _sequence(spec.type)
    if spec.name in found and not sequence:
        return False
    try:
        return _fits(_read(token, spec.type), spec.type)
    except InputError:
        return False


def _sequence(kind: Any) -> bool:
    return typing.get_origin(kind) is tuple or any(typing.get_origin(each) is tuple for each in typing.get_args(kind))


def _read(text: str, kind: Any) -> Any:
    """Turn one word of text into a value of a declared type."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        for each in sorted(typing.get_args(kind), key=lambda each: each is str):
            try:
                value = _read(text, each)
            except InputError:
                continue
            if _fits(value, each):
                return value
        raise InputError(f"{text!r} is not understood", _words(kind))
    if typing.get_origin(kind) is tuple:
        return tuple(_read(word, typing.get_args(kind)[0]) for word in re.split(r"[,/x ]+", text.strip("()[] ")) if word)
    if kind is bool or kind is type(None):
        return _read_word(text, kind)
    if typing.get_origin(kind) is typing.Literal:
        if text in typing.get_args(kind):
            return text
        raise InputError(f"{text!r} is not understood", _words(kind))
    if kind in (int, float):
        try:
            return kind(text) if kind is float or not re.fullmatch(r"\d+e\d+", text) else int(float(text))
        except ValueError:
            raise InputError(f"{text!r} is not understood", _words(kind)) from None
    return text


def _read_word(text: str, kind: Any) -> Any:
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    if kind is type(None):
        words = {"none": None}  # type: ignore[dict-item]
    if text.lower() not in words:
        raise InputError(f"{text!r} is not understood", _words(kind))
    return words[text.lower()]


def read_value(text: str, kind: Any) -> Any:
    """Read the text of a flag as a value of the field's declared type."""
    return _read(text, kind)


def _text(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return "/".join(map(_text, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def part_json(value: Any) -> Any:
    """Return the JSON form of a parameter: parts name their class, tuples become lists."""
    if isinstance(value, Part):
        where = f"{type(value).__module__}:{type(value).__qualname__}"
        own = {f.name: part_json(getattr(value, f.name)) for f in fields(value)}  # type: ignore[arg-type]
        return {"part": where, "kind": value.kind, "fields": own}
    if isinstance(value, (tuple, list)):
        return [part_json(each) for each in value]
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, float)):
        return value
    if hasattr(value, "item"):
        return value.item()
    raise InputError(f"A {type(value).__name__} cannot be written to a file", "numbers, texts, tuples and parts")


def part_from_json(value: Any) -> Any:
    """Return the parameter that ``part_json`` wrote; parts must be imported already."""
    if isinstance(value, list):
        return tuple(part_from_json(each) for each in value)
    if not isinstance(value, dict):
        return value
    known = {f"{cls.__module__}:{cls.__qualname__}": cls for cls in PARTS.get(value.get("kind", ""), {}).values()}
    cls = known.get(value.get("part", ""))
    if cls is None:
        module = str(value.get("part", "?")).partition(":")[0]
        raise ArtefactError(
            f"This model uses the part {value.get('part')!r}, which is not imported",
            "parts that are imported, or installed under the entry-point group 'narrows.parts'",
            f"import {module}",
        )
    return cls(**{name: part_from_json(each) for name, each in value["fields"].items()})


def register(table: dict[str, type[Any]], cls: type[Any], name: str) -> None:
    """Make ``cls`` a keyword-only dataclass under ``name``; refuse to extend a finished one."""
    finished = [base.__name__ for base in cls.__mro__[1:] if base in table.values()]
    if finished:
        raise TypeError(
            f"{cls.__name__} extends {finished[0]}, which is finished. Subclass its base class, or set a parameter of {finished[0]}."
        )
    dataclasses.dataclass(cls, kw_only=True, eq=False, repr=False)
    table[name] = cls


def kebab(name: str) -> str:
    """Return the command-line name of a class: ``ConditionalVAE`` is ``conditional-vae``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()
