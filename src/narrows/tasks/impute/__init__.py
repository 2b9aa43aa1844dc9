"""Filling the empty cells of a table."""

from narrows.tasks.impute.imputer import Imputer

__all__ = ["Imputer"]
