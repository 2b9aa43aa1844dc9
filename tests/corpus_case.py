"""What a corpus is made of: one call of the command line each."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

CANARY = "canary"  # a file that only code from an input could make, in the folder that a case runs in


class Case(NamedTuple):
    """One call: what is tried, the words after ``narrows``, where, and what is added to the environment."""

    name: str
    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = {}
