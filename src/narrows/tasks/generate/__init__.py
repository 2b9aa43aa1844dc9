"""Generation of new rows."""

from narrows.tasks.generate.generator import Generator

__all__ = ["Generator"]
