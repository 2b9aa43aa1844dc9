"""The data door: rows from anywhere, named and typed; numbers for a model; and the way back."""

from . import named
from .check import Finding, check
from .read import read
from .schema import Schema, schema_from_json
from .source import Source

__all__ = ["Finding", "Schema", "Source", "check", "named", "read", "schema_from_json"]
