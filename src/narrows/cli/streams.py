"""Standard output and error: closed ones, those of another encoding, and readers that have gone."""

import contextlib
import io
import os
import re
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast

from narrows.errors import InputError

__all__ = ["escaped", "lasting", "opened"]

_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def opened() -> None:
    """Make standard output and error able to take any text; a closed output is refused.

    What their encoding does not have is written as an escape. A closed error stream is replaced by one that goes
    nowhere, so that no file that is opened later takes its place.
    """
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # open as long as the process
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        raise InputError("Standard output is closed", "an open one", ">/dev/null")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def escaped(text: str) -> str:
    r"""Return a text in which characters that steer a terminal are escapes: names from a file may hold them.

    Examples
    --------
    >>> print(escaped("a \x1b[31mred name"))
    a \x1b[31mred name
    """
    return _STEERING.sub(lambda match: ascii(match[0])[1:-1], text)


class Lasting:
    """A text stream that nothing stops: where its reader has gone or its disk is full, what comes goes nowhere.

    A command does not end for that, as its files are what counts: `narrows fit ... | head -1` makes the whole run.
    """

    def __init__(self, stream: TextIO):
        self.stream, self.lost = stream, ""  # why something was not written that somebody waits for

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write a text, or nothing where it cannot be taken."""
        with self._going_on():
            self.stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Hand on what was written, or nothing where it cannot be taken."""
        with self._going_on():
            self.stream.flush()

    @contextlib.contextmanager
    def _going_on(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                self.lost = error.strerror or str(error)
            with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), self.stream.fileno())


class Words(Lasting):
    """A lasting stream that steers no terminal."""

    def write(self, text: str) -> int:
        """Write a text with escapes for what steers."""
        return super().write(escaped(text))


@contextlib.contextmanager
def lasting() -> Iterator[Lasting]:
    """Make standard output and error last as long as the block, and give the output."""
    out, err = Words(sys.stdout), Lasting(sys.stderr)  # bars of progress steer the terminal
    with contextlib.redirect_stdout(cast("TextIO", out)), contextlib.redirect_stderr(cast("TextIO", err)):
        yield out
