"""The data door: rows from anywhere, named and typed; numbers for a model; and the way back."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from narrows.data import datasets
from narrows.data.base import Schema, Source, schema_from_json
from narrows.data.check import Finding, check
from narrows.data.read import read
from narrows.data.tables.describe import describe

if TYPE_CHECKING:
    from narrows.data.pairs import Batch, Pairs

__all__ = ["Batch", "Finding", "Pairs", "Schema", "Source", "check", "datasets", "describe", "read", "schema_from_json"]


def __getattr__(name: str) -> Any:
    if name in ("Batch", "Pairs"):  # they need torch; reading and checking data does not
        return getattr(import_module("narrows.data.pairs"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
