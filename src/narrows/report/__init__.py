"""The report of a run: figures, a verdict, one self-contained page."""

from narrows.report.page import render, write_report
from narrows.report.verdict import verdict

__all__ = ["render", "verdict", "write_report"]
