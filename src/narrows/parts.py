"""Parts: the likelihoods, corruptions, penalties, networks and schedules that users pass, as text and as JSON."""

import re
import types
import typing
from collections.abc import Callable
from dataclasses import Field, dataclass, fields
from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar, Literal, TypeVar, cast, dataclass_transform

from narrows.errors import ArtefactError, InputError, nearest
from narrows.old_addresses import OLD_ADDRESSES
from narrows.params import UNIONS, check_params, claim, declared, fits, words

__all__ = [
    "PARTS",
    "Part",
    "as_part",
    "as_parts",
    "part",
    "part_from_json",
    "part_json",
    "read_fields",
    "read_value",
    "usage",
    "write_value",
]

_SWITCHES = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def read_value(text: str, kind: Any) -> Any:
    """Return the text of a flag as a value of the declared type ``kind``.

    Raises ``InputError`` where the text is none of it.

    Examples
    --------
    >>> read_value("25/255", float) == 25 / 255, read_value("1x28x28", tuple[int, ...] | None)
    (True, (1, 28, 28))
    """
    for alternative in _alternatives(kind):
        try:
            value = _read(text.strip(), alternative)
        except (ValueError, KeyError, ZeroDivisionError):
            continue
        if fits(value, alternative):
            return value
    raise InputError(f"{text!r} is not understood", words(kind))


def _alternatives(kind: Any) -> list[Any]:
    """Return the types of a union, free text last."""
    members = typing.get_args(kind) if typing.get_origin(kind) in UNIONS else (kind,)
    return sorted(members, key=lambda member: member is str)


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
        bool: lambda word: _SWITCHES[word.lower()],
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
        return "/".join(write_value(entry).replace(",", ";") for entry in value)
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
    can read it; ``name=value`` goes where it says. Raises ``InputError`` for a word that fits nowhere.
    """
    values: dict[str, Any] = {}
    specs = {spec.name: spec for spec in fields(cls)}
    open_sequence: list[Field[Any]] = []
    for token in filter(None, (word.strip() for word in text.split(","))):
        key, equals, value = token.partition("=")
        if equals and key in specs and key not in values:
            spec, read = specs[key], _read_field(cls, specs[key], value, token)
        elif token in specs and token not in values and declared(cls, specs[token]) is bool:
            spec, read = specs[token], True
        else:
            free = [spec for spec in specs.values() if spec.name not in values and declared(cls, spec) is not bool]
            spec, read = _place(cls, [*open_sequence, *free], token)
        values[spec.name] = (*values[spec.name], *read) if spec in open_sequence else read
        open_sequence = [spec] if isinstance(read, tuple) else []
    return values


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
    near = nearest(token.partition("=")[0], names)
    raise InputError(f"{token!r} is not understood", usage(cls), repr(f"{near}=...") if near else "")


GROUP = "narrows.parts"  # the entry-point group of parts from outside the package

PARTS: dict[str, dict[str, type["Part"]]] = {}

_T = TypeVar("_T")


@dataclass(frozen=True)
class Part:
    """A frozen, hashable setting with a name: what users pass and files carry; checked when it is made."""

    kind: ClassVar[str] = ""
    name: ClassVar[str] = ""
    plain: ClassVar[bool] = False  # True: a plain function will do for a part of this kind
    example: ClassVar[str] = ""  # a text of it, where its grammar does not speak for itself

    def __post_init__(self) -> None:
        """Keep lists as tuples, so that a part can be hashed, and check every field."""
        for spec in fields(self):
            value = getattr(self, spec.name)
            if isinstance(value, list):
                object.__setattr__(self, spec.name, tuple(value))
        check_params(self)

    @property
    def short(self) -> str:
        """What reports show."""
        return str(self)

    def __str__(self) -> str:
        """Return the text that reads back as this part."""
        changed = [(f.name, getattr(self, f.name)) for f in fields(self) if getattr(self, f.name) != f.default]
        texts = [name if value is True else f"{name}={write_value(value)}" for name, value in changed]
        return self.name + (":" + ",".join(texts) if texts else "")


@dataclass_transform(frozen_default=True)
def part(name: str) -> Callable[[type[_T]], type[_T]]:
    """Make a class a frozen dataclass and register it under ``name`` in its base's kind.

    Nothing else is needed for a part of one's own, which then also has a text and goes into saved models::

        @part("negative")
        class Negative(Corruption):
            top: float = param(1.0, "what black becomes", gt=0)

            def __call__(self, x):
                return self.top - x
    """

    def enter(cls: type[_T]) -> type[_T]:
        frozen: Any = dataclass(frozen=True)(cls)
        frozen.name = name
        claim(PARTS.setdefault(frozen.kind, {}), frozen, name)
        return cast("type[_T]", frozen)

    return enter


def as_part(kind: str, value: Any) -> Any:
    """Return a part of ``kind`` from a part, a text in the grammar, or None; a plain function where one will do.

    Raises ``InputError`` for anything else.

    Examples
    --------
    >>> import narrows.corruption
    >>> as_part("corruption", "gaussian:0.5,clip")
    GaussianNoise(std=0.5, clip=True, to=None)
    """
    if value is None or (isinstance(value, Part) and value.kind == kind):
        return value
    known = PARTS.get(kind, {})
    accepted = ", ".join(usage(cls) for _, cls in sorted(known.items()))
    if isinstance(value, str):
        name, _, text = value.strip().partition(":")
        cls = known.get(name) or _installed(kind, lambda entry: entry.name == name)
        if cls is None:
            near = nearest(name, known)
            hint = repr(known[near].example or near) if near else ""
            raise InputError(f"There is no {kind} {name!r}", accepted, hint)
        return cls(**read_fields(cls, text))
    if isinstance(value, type) and issubclass(value, Part):
        raise InputError(f"{value.__name__} is a class, not yet a {kind}", accepted, f"{value.__name__}()")
    if callable(value) and not isinstance(value, (type, Part)) and any(cls.plain for cls in known.values()):
        return value
    raise InputError(f"{value!r} is no {kind}", accepted)


def as_parts(kind: str, value: Any) -> tuple[Any, ...]:
    """Return several parts: from a tuple, one part, or texts joined by ``+``.

    Examples
    --------
    >>> import narrows.penalties
    >>> as_parts("penalty", "l1:1e-3+contractive:0.1,exact")
    (L1(weight=0.001), Contractive(weight=0.1, method='exact', std=0.1, of='code'))
    """
    if isinstance(value, str):
        value = [text for text in re.split(r"\+(?=\s*[A-Za-z])", value) if text.strip()]
    several = value if isinstance(value, (tuple, list)) else (value,)
    return tuple(as_part(kind, entry) for entry in several if entry is not None)


def part_json(value: Any) -> Any:
    """Return the JSON form of a parameter: parts say their kind and name, tuples become lists.

    Raises ``InputError`` for a value that is no number, text, tuple or part.
    """
    if isinstance(value, Part):
        values = {spec.name: part_json(getattr(value, spec.name)) for spec in fields(value)}
        return {"kind": value.kind, "part": value.name, "fields": values}
    if isinstance(value, (tuple, list)):
        return [part_json(entry) for entry in value]
    if getattr(value, "ndim", None) == 0:  # a numpy scalar
        value = value.item()
    if value is None or isinstance(value, (bool, str, int, float)):
        return value
    raise InputError(f"A {type(value).__name__} cannot be written to a file", "numbers, texts, tuples and parts")


def part_from_json(value: Any) -> Any:
    """Return the parameter that ``part_json`` wrote; parts must be imported already, or installed as entry points.

    Raises ``ArtefactError`` for a part that is neither, or has other fields or values that it refuses.
    """
    if isinstance(value, list):
        return tuple(part_from_json(entry) for entry in value)
    if not isinstance(value, dict):
        return value
    kind, name, values = str(value.get("kind")), str(value.get("part")), value.get("fields")
    cls = _saved(kind, name)
    known = [spec.name for spec in fields(cls)]
    if not isinstance(values, dict) or set(value) != {"part", "kind", "fields"} or not set(values) <= set(known):
        raise ArtefactError(f"The {kind} {name!r} has other fields here ({values!r})", ", ".join(known) or "no fields")
    try:
        return cls(**{name: part_from_json(entry) for name, entry in values.items()})
    except ArtefactError:
        raise
    except InputError as error:
        raise ArtefactError(error.came, error.accepted, error.hint) from None


def _saved(kind: str, name: str) -> type[Part]:
    """Return the part of a saved model if it is registered, or installed under the entry-point group.

    Format 1 names it by ``module:Class``.
    """
    registered = PARTS.get(kind, {})
    module, _, of_format_1 = name.partition(":")
    if of_format_1:
        matching = (cls for cls in registered.values() if f"{cls.__module__}:{cls.__qualname__}" == name)
        cls = registered.get(OLD_ADDRESSES.get(name, "")) or next(matching, None)
        cls = cls or _installed(kind, lambda entry: entry.value == name)
    else:
        cls = registered.get(name) or _installed(kind, lambda entry: entry.name == name)
    if cls is None:
        raise ArtefactError(
            f"This model uses the {kind} {name!r}, which is not imported",
            f"parts that are imported, or installed under the entry-point group {GROUP!r}",
            f"import {module}" if of_format_1 else "import the module that defines it",
        )
    return cls


def _installed(kind: str, wanted: Callable[[EntryPoint], bool]) -> type[Part] | None:
    """Return the part of ``kind`` that an installed package offers; nothing else is imported."""
    for entry in filter(wanted, entry_points(group=GROUP)):
        try:
            cls = entry.load()
        except (ImportError, AttributeError) as error:
            raise InputError(f"The installed part {entry.value!r} cannot be imported ({error})") from error
        if isinstance(cls, type) and issubclass(cls, Part) and cls.kind == kind:
            return cls
    return None
