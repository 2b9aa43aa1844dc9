"""The data door: rows from anywhere, named and typed; numbers for a model; and the way back."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import named
from .check import Finding, check
from .read import read
from .schema import Schema, schema_from_json
from .source import Source

if TYPE_CHECKING:
    from .pairs import Batch, Pairs

__all__ = ["Batch", "Finding", "Pairs", "Schema", "Source", "check", "named", "read", "schema_from_json"]


def __getattr__(name: str) -> Any:
    if name in ("Batch", "Pairs"):  # they need torch; reading and checking data does not
        return getattr(import_module("narrows.data.pairs"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
