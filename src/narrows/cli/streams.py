"""Standard output and error: closed ones, those of another encoding, and readers that have gone."""

import contextlib
import io
import os
import sys
from typing import TextIO

from narrows.errors import InputError

__all__ = ["opened", "silence"]


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


def silence(stream: TextIO) -> None:
    """Send what a stream still holds, and what comes, nowhere: its reader has gone, or its disk is full."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
