"""JSON read as a declared type: what does not fit is refused with the entry that it stands in."""

import dataclasses
import json
import math
import re
import typing
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import MISSING, dataclass
from numbers import Real
from typing import Annotated, Any, TypedDict

from narrows.errors import ArtefactError
from narrows.params import UNIONS, fits, words

__all__ = [
    "Distinct",
    "Labels",
    "Matching",
    "Natural",
    "Nothing",
    "Numbers",
    "Range",
    "Rule",
    "Scalar",
    "Sizes",
    "typed",
]

_MAX_SHOWN_LETTERS = 60  # letters of a wrong value
_MAX_NESTED_LEVELS = 64  # lists and mappings in each other

Sizes = Mapping[str, tuple[int, ...]]  # what the names of axes stand for


class Rule(ABC):
    """What ``Annotated`` adds to a type: which of its values are fine."""

    @abstractmethod
    def wanted(self, value: Any, sizes: Sizes) -> str:
        """Return in words what ``value`` should have been; nothing when it is fine."""


@dataclass(frozen=True)
class Range(Rule):
    """A number from ``least`` to ``most``."""

    least: float
    most: float

    def wanted(self, value: Any, sizes: Sizes) -> str:
        """Return the range where the number lies outside."""
        return "" if self.least <= value <= self.most else f"a number from {self.least:g} to {self.most:g}"


@dataclass(frozen=True)
class Distinct(Rule):
    """A list in which nothing stands twice."""

    def wanted(self, value: Any, sizes: Sizes) -> str:
        """Say so where something does."""
        return "" if len(set(value)) == len(value) else "a list in which nothing stands twice"


@dataclass(frozen=True)
class Matching(Rule):
    """A text that a pattern matches as a whole; ``like`` is what it is called."""

    pattern: str
    like: str

    def wanted(self, value: Any, sizes: Sizes) -> str:
        """Return what it should have been."""
        return "" if re.fullmatch(self.pattern, value) else self.like


class Numbers(Rule):
    """Finite numbers in nested lists: ``axes`` are lengths, names of lengths that the reader knows, or -1 for any.

    Examples
    --------
    >>> typed([[1, 2]], Annotated[Any, Numbers(-1, "row")], "card.json: means", {"row": (3,)})
    Traceback (most recent call last):
    narrows.errors.ArtefactError: card.json: means is [[1, 2]]. Accepted: finite numbers in lists of any x 3.
    """

    def __init__(self, *axes: int | str, finite: bool = True):
        self.axes, self.finite = axes, finite

    def shape(self, sizes: Sizes) -> tuple[int, ...]:
        """Return the lengths, -1 for any."""
        return tuple(n for axis in self.axes for n in (sizes[axis] if isinstance(axis, str) else (axis,)))

    def wanted(self, value: Any, sizes: Sizes) -> str:
        """Return the shape where it is another one, or where a value is no number."""
        shape = self.shape(sizes)
        if self._holds(value, shape):
            return ""
        number = "finite number" if self.finite else "number"
        lists = f"s in lists of {' x '.join('any' if n < 0 else str(n) for n in shape)}" if shape else ""
        return f"{number}{lists}" if lists else f"a {number}"

    def _holds(self, value: Any, shape: tuple[int, ...]) -> bool:
        if not shape:
            return fits(value, float) if self.finite else isinstance(value, Real) and not isinstance(value, bool)
        inside = shape[1:]
        return (
            isinstance(value, (list, tuple))
            and shape[0] in (-1, len(value))
            and all(self._holds(entry, inside) for entry in value)
        )


Labels = list[str] | list[int] | list[float] | list[bool]
Natural = Annotated[int, Range(0, 2**62)]
Scalar = Annotated[Any, Numbers(finite=False)]


class Nothing(TypedDict):
    """No entry."""


def parsed(text: bytes) -> Any:
    """Return JSON as Python has it; ValueError where it is none, or lists and mappings stand in each other too deep.

    Whole numbers of 20 digits or more become floats.

    Examples
    --------
    >>> parsed(b'{"a": [1, 100000000000000000000]}')
    {'a': [1, 1e+20]}
    """
    try:
        value = json.loads(text.decode(), parse_int=lambda digits: int(digits) if len(digits) < 20 else float(digits))
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    _require_flat(value, _MAX_NESTED_LEVELS)
    return value


def _require_flat(value: Any, levels: int) -> None:
    if isinstance(value, (dict, list)):
        if not levels:
            raise ValueError("it is nested too deep")
        for entry in value.values() if isinstance(value, dict) else value:
            _require_flat(entry, levels - 1)


@dataclass(frozen=True)
class _Reading:
    """How a value is read: what the names of axes stand for, and whether unknown keys are refused."""

    sizes: Sizes
    closed: bool

    def read(self, value: Any, kind: Any, where: str) -> Any:
        """Return the value as the type."""
        origin, inner = typing.get_origin(kind), typing.get_args(kind)
        if origin is Annotated:
            converted = self.read(value, inner[0], where)
            for rule in inner[1:]:
                if wanted := rule.wanted(converted, self.sizes):
                    raise _wrong(value, wanted, where)
            return converted
        if origin in UNIONS:
            return self._either(value, inner, where)
        if origin in (list, tuple):
            return self._several(value, origin, inner, where)
        if origin is dict:
            if not isinstance(value, dict):
                raise _wrong(value, "a mapping", where)
            keys, values = inner
            return {
                self.read(k, keys, f"{where}: a key"): self.read(v, values, f"{where}.{k}") for k, v in value.items()
            }
        if typing.is_typeddict(kind):
            return self._entries(value, _hints(kind), kind.__required_keys__, where)
        if isinstance(kind, type) and dataclasses.is_dataclass(kind):
            specs = dataclasses.fields(kind)
            needed = [field.name for field in specs if field.default is MISSING and field.default_factory is MISSING]
            return kind(**self._entries(value, {f.name: _hints(kind)[f.name] for f in specs}, needed, where))
        if isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields"):
            names = kind._fields
            listed = isinstance(value, (list, tuple)) and len(value) == len(names)
            named = dict(zip(names, value, strict=True)) if listed else value
            return kind(**self._entries(named, _hints(kind), names, where))
        if not fits(value, kind):
            raise _wrong(value, words(kind), where)
        return value

    def _entries(self, value: Any, kinds: dict[str, Any], needed: Collection[str], where: str) -> Any:
        """Return a mapping with the values of its keys as declared; one without those needed is refused."""
        if not isinstance(value, dict):
            raise _wrong(value, f"a mapping of {', '.join(kinds)}", where)
        unknown = value.keys() - kinds.keys() if self.closed else set()
        for what, names in (("holds no", set(needed) - value.keys()), ("holds the unknown", unknown)):
            if names:
                raise ArtefactError(f"{where} {what} {_short(', '.join(sorted(map(repr, names))))}", ", ".join(kinds))
        return {key: self.read(entry, kinds.get(key, Any), f"{where}.{key}") for key, entry in value.items()}

    def _several(self, value: Any, origin: Any, inner: tuple[Any, ...], where: str) -> Any:
        """Return a list, or a tuple of any length or of a type for each place."""
        if origin is tuple and isinstance(value, (list, tuple)):
            inner = _spread(inner, len(value))
        placed = origin is tuple and inner[-1] is not Ellipsis
        if not isinstance(value, (list, tuple)) or (placed and len(value) != len(inner)):
            raise _wrong(value, f"a list of {len(inner)}" if placed else "a list", where)
        kinds = inner if placed else (inner[0],) * len(value)
        return origin(self.read(v, k, f"{where}[{i}]") for i, (v, k) in enumerate(zip(value, kinds, strict=True)))

    def _either(self, value: Any, kinds: tuple[Any, ...], where: str) -> Any:
        """Return the value as the first type that takes it; else the refusal that looked deepest into it."""
        refusals = []
        for kind in kinds:
            try:
                return self.read(value, kind, where)
            except ArtefactError as error:
                refusals.append(error)
        deepest = max(refusals, key=lambda error: math.inf if error.where is None else len(error.where))
        if deepest.where == where:
            raise _wrong(value, " or ".join(dict.fromkeys(error.accepted for error in refusals)), where)
        raise deepest


def typed(value: Any, kind: Any, where: str, sizes: Sizes | None = None, *, closed: bool = True) -> Any:
    """Return a JSON value as the declared type ``kind``; anything else raises ArtefactError naming the entry ``where``.

    A TypedDict is a mapping with its keys, and when ``closed`` with no others; a dataclass or a NamedTuple is made from
    such a mapping, a NamedTuple also from a list. ``Annotated[kind, rule]`` says more of the values, and ``sizes`` of
    what rules name.

    Examples
    --------
    >>> typed([1, 2], tuple[int, ...], "card.json: shape")
    (1, 2)
    >>> typed([1, 2, 3], tuple[int, *tuple[int, ...]], "card.json: shape"), typed([1], tuple[int, *tuple[int, ...]], "")
    ((1, 2, 3), (1,))
    >>> typed({"a": [1, "x"]}, dict[str, list[int]], "card.json: sizes")
    Traceback (most recent call last):
    narrows.errors.ArtefactError: card.json: sizes.a[1] is 'x'. Accepted: an integer.
    """
    return _Reading(sizes or {}, closed).read(value, kind, where)


def _spread(kinds: tuple[Any, ...], n: int) -> tuple[Any, ...]:
    """Return the types of n places of a tuple, where the last is ``*tuple[kind, ...]``: any number of these."""
    last = kinds[-1]
    if typing.get_origin(last) is typing.Unpack:  # what reading the hints of a class makes of it
        last = typing.get_args(last)[0]
    elif not getattr(last, "__unpacked__", False):
        return kinds
    return (*kinds[:-1], *[typing.get_args(last)[0]] * (n - len(kinds) + 1))


def _hints(kind: Any) -> dict[str, Any]:
    """Return the types of the fields of a class, without what says only that a key may be missing."""
    hints = typing.get_type_hints(kind, include_extras=True)
    optional = (typing.NotRequired, typing.Required)
    return {k: typing.get_args(v)[0] if typing.get_origin(v) in optional else v for k, v in hints.items()}


def _wrong(value: Any, wanted: str, where: str) -> ArtefactError:
    error = ArtefactError(f"{where} is {_short(repr(value))}", wanted)
    error.where = where
    return error


def _short(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN_LETTERS else f"{text[:_MAX_SHOWN_LETTERS]}..."
