"""What goes wrong through the user's input, said in one message."""

import difflib
from collections.abc import Callable, Iterable, Sequence
from numbers import Real
from typing import Any, Self

__all__ = [
    "ArtefactError",
    "InputError",
    "Interrupted",
    "ParameterError",
    "Sentence",
    "Setting",
    "listed",
    "nearest",
    "unknown",
]

_MAX_LISTED_NAMES = 5  # names in a message


class Setting(str):
    """A parameter with a value, as text the way that Python has it; who writes for others reads ``name`` and ``value``.

    Examples
    --------
    >>> print(Setting("lr", 0.001), Setting("network", "dense"))
    lr=0.001 network='dense'
    """

    name: str
    value: Any

    def __new__(cls, name: str, value: Any) -> Self:
        """Make the text of a parameter and its value."""
        setting = super().__new__(cls, f"{name}={value if isinstance(value, Real) else repr(value)}")
        setting.name, setting.value = name, value
        return setting

    def __getnewargs__(self) -> tuple[Any, ...]:
        """Return what a copy is made of."""
        return self.name, self.value


class Sentence(str):
    """Texts one after the other, of which some are settings.

    Examples
    --------
    >>> sentence = Sentence("try ", Setting("lr", 0.001), " or ", Setting("clip", 1.0))
    >>> print(sentence, "|", sentence.spelled(lambda setting: f"--{setting.name} {setting.value}"))
    try lr=0.001 or clip=1.0 | try --lr 0.001 or --clip 1.0
    """

    parts: tuple[str, ...]

    def __new__(cls, *parts: str) -> Self:
        """Join texts, settings and sentences."""
        sentence = super().__new__(cls, "".join(parts))
        sentence.parts = tuple(
            inner for part in parts for inner in (part.parts if isinstance(part, Sentence) else (part,))
        )
        return sentence

    def __getnewargs__(self) -> tuple[str, ...]:  # type: ignore[override]
        """Return what a copy is made of."""
        return self.parts

    def spelled(self, spell: Callable[[Setting], str]) -> str:
        """Return the text with its settings as ``spell`` writes them."""
        return "".join(spell(part) if isinstance(part, Setting) else part for part in self.parts)


class InputError(ValueError):
    """The user's input is wrong: what came, what is accepted, what to type.

    Parameters
    ----------
    came : str
        What was found, with names and numbers; a `Setting` or a `Sentence` where parameters are named.
    accepted : str
        What would be accepted instead.
    hint : str
        What to type or to change.

    Examples
    --------
    >>> print(InputError("'x.csv' is empty (0 bytes)", "a table with a header and rows", "check the path"))
    'x.csv' is empty (0 bytes). Accepted: a table with a header and rows. Try: check the path.
    """

    def __init__(self, came: str, accepted: str = "", hint: str = ""):
        self.came, self.accepted, self.hint = came, accepted, hint
        parts = [came, f"Accepted: {accepted}" if accepted else "", f"Try: {hint}" if hint else ""]
        super().__init__(" ".join(f"{part.rstrip('.')}." for part in parts if part))


class ParameterError(InputError):
    """A parameter has a value that its declaration does not allow.

    Examples
    --------
    >>> print(ParameterError(int, "size", "at least 1", 0))
    The 'size' parameter of int must be at least 1. Got 0.
    """

    def __init__(self, owner: type[Any], name: str, requirement: str, value: Any):
        self.owner, self.name, self.requirement, self.value = owner, name, requirement, value
        super().__init__(f"The {name!r} parameter of {owner.__name__} must be {requirement}. Got {value!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Arrive in another process as it is."""
        return type(self), (self.owner, self.name, self.requirement, self.value)


class ArtefactError(InputError):
    """A saved model is missing, foreign, newer, truncated or altered.

    Examples
    --------
    >>> print(ArtefactError("'run' holds no model.json", "a folder that .save() wrote"))
    'run' holds no model.json. Accepted: a folder that .save() wrote.
    """

    where: str | None = None  # the entry that is of another type than declared, where that is what is wrong


def listed(names: Sequence[str], between: str = ", ") -> str:
    """Return the first of some names in words, and how many more there are.

    Examples
    --------
    >>> listed(["a", "b"]), listed(list("abcdefg"))
    ('a, b', 'a, b, c, d, e and 2 more')
    """
    return between.join(names[:_MAX_LISTED_NAMES]) + (
        f" and {len(names) - _MAX_LISTED_NAMES} more" if len(names) > _MAX_LISTED_NAMES else ""
    )


def nearest(word: str, known: Iterable[str], alike: float = 0.6) -> str:
    """Return which of some known words a mistyped one may have been; empty where none is ``alike`` enough.

    Capitals, and the difference between ``_`` and ``-``, count for nothing.

    Examples
    --------
    >>> nearest("latent_dims", ["latent-dim", "lr"]), nearest("AGE", ["age", "wage"]), nearest("x", ["age"])
    ('latent-dim', 'age', '')
    """
    words = {_folded(name): name for name in reversed(list(known))}
    near = difflib.get_close_matches(_folded(word), words, 1, alike)
    return words[near[0]] if near else ""


def _folded(word: str) -> str:
    return word.casefold().replace("_", "-")


def unknown(came: str, word: str, known: Iterable[str], hint: Callable[[str], str] = str) -> InputError:
    """Return the error that ``word`` is none of the known words, with the nearest in what to type.

    Examples
    --------
    >>> print(unknown("There is no flag --lrr", "--lrr", ["--lr", "--epochs"]))
    There is no flag --lrr. Accepted: --lr, --epochs. Try: --lr.
    """
    names = list(known)
    near = nearest(word, names)
    return InputError(came, listed(names), hint(near) if near else "")


class Interrupted(Exception):
    """A fit was interrupted by its user; what it goes on from is on disk."""
