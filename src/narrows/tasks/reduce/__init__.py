"""Dimensionality reduction."""

from narrows.tasks.reduce.reducer import Reducer

__all__ = ["Reducer"]
