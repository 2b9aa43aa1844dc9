"""The report of a run: figures, a verdict, one page; ``narrows.report(fitted, X, folder)`` writes one."""

import sys
from types import ModuleType
from typing import Any

from narrows.report.html.page import render, write_report
from narrows.report.verdict import verdict

__all__ = ["render", "verdict", "write_report"]


class _Report(ModuleType):
    """A package that is also the function it is named after: importing it must not hide ``narrows.report``."""

    def __call__(self, fitted: Any, X: Any, folder: Any, y: Any = None, train: Any = None) -> Any:
        """Write report.html and report.json on how a task fitted to ``train`` does on rows ``X``, and return it."""
        from narrows.report.build import report

        return report(fitted, X, folder, y, train)


sys.modules[__name__].__class__ = _Report
