"""What goes wrong through the user's input, said in one message."""

from collections.abc import Sequence

__all__ = ["ArtefactError", "InputError", "Interrupted", "listed"]

_MAX_LISTED_NAMES = 5  # names in a message


class InputError(ValueError):
    """The user's input is wrong: what came, what is accepted, what to type.

    Parameters
    ----------
    came : str
        What was found, with names and numbers.
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


class ArtefactError(InputError):
    """A saved model is missing, foreign, newer, truncated or altered.

    Examples
    --------
    >>> print(ArtefactError("'run' holds no model.json", "a folder that .save() wrote"))
    'run' holds no model.json. Accepted: a folder that .save() wrote.
    """


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


class Interrupted(Exception):
    """A fit was interrupted by its user; what it goes on from is on disk."""
