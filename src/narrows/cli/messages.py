"""What the library says of parameters, said again in flags."""

import types
import typing
from collections.abc import Collection
from typing import Any

from narrows.errors import InputError, ParameterError, Sentence, Setting
from narrows.params import UNIONS, words
from narrows.parts import Part

__all__ = ["accepted", "flag", "translated"]


def flag(name: str) -> str:
    """Return the flag of a field.

    Examples
    --------
    >>> flag("latent_dim")
    '--latent-dim'
    """
    return "--" + name.replace("_", "-")


def accepted(kind: Any) -> str:
    """Return in words what the flag of a field of a declared type takes.

    Examples
    --------
    >>> accepted(bool), accepted(tuple[int, ...] | None)
    ('yes or no', 'a tuple of integers, or none')
    """
    members = typing.get_args(kind) if typing.get_origin(kind) in UNIONS else (kind,)
    texts = ["yes or no" if member is bool else words(member) for member in members if member is not types.NoneType]
    return " or ".join(texts) + ", or none" * (types.NoneType in members)


def translated(error: InputError, names: Collection[str]) -> InputError:
    """Return the error with the fields ``names`` written as they are typed on a command line.

    Examples
    --------
    >>> hint = Sentence(Setting("lr", 0.001), ", or ", Setting("image_shape", (1, 8, 8)), "; not ", Setting("n", 2))
    >>> print(translated(InputError("The loss is not finite", "", hint), ["lr", "image_shape"]))
    The loss is not finite. Try: --lr 0.001, or --image-shape 1,8,8; not n=2.
    >>> print(translated(InputError("It is cut", "", Setting("clip", False)), ["clip"]))
    It is cut. Try: --no-clip.
    """

    def spell(setting: Setting) -> str:
        if setting.name not in names:
            return setting
        if isinstance(setting.value, bool):
            return flag(setting.name if setting.value else f"no_{setting.name}")
        several = isinstance(setting.value, (tuple, list))
        value = ",".join(map(str, setting.value)) if several else setting.value
        return f"{flag(setting.name)} {value}"

    if isinstance(error, ParameterError) and error.name in names and not issubclass(error.owner, Part):
        return InputError(f"{flag(error.name)} must be {error.requirement}. Got {error.value!r}")
    came, wanted, hint = (Sentence(text).spelled(spell) for text in (error.came, error.accepted, error.hint))
    return InputError(came, wanted, hint)
