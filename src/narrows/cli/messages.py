"""What the library says of parameters, said again in flags."""

import re
from collections.abc import Sequence

from narrows.errors import InputError

__all__ = ["flag", "spoken"]


def flag(name: str) -> str:
    """Return the flag of a field.

    Examples
    --------
    >>> flag("latent_dim")
    '--latent-dim'
    """
    return "--" + name.replace("_", "-")


def spoken(error: InputError, names: Sequence[str]) -> InputError:
    """Return the error with the fields ``names`` written as they are typed on a command line.

    Examples
    --------
    >>> error = InputError("The 'lr' parameter of VAE must be greater than 0", "", "lr=0.001, or image_shape=(1, 8, 8)")
    >>> print(spoken(error, ["lr", "image_shape"]))
    --lr must be greater than 0. Try: --lr 0.001, or --image-shape 1,8,8.
    """
    came, accepted, hint = (_flags(text, names) for text in (error.came, error.accepted, error.hint))
    return type(error)(came, accepted, hint)


def _flags(text: str, names: Sequence[str]) -> str:
    known = "|".join(sorted(map(re.escape, names), key=len, reverse=True)) or "$^"
    text = re.sub(rf"The '({known})' parameter of \w+", lambda match: flag(match[1]), text)
    value = r"'(?P<text>[^']*)'|\((?P<several>[^)]*)\)|(?P<plain>[^\s,;]+)"

    def typed(match: "re.Match[str]") -> str:
        several = match["several"]
        written = match["text"] if match["text"] is not None else match["plain"]
        return f"{flag(match['name'])} {several.replace(' ', '') if several is not None else written}"

    return re.sub(rf"(?<![\w-])(?P<name>{known})=(?:{value})", typed, text)
