"""The report of a run after another threshold: its numbers, notes and page, from the counts that it keeps."""

from collections.abc import Sequence
from pathlib import Path

from narrows.conformal import Threshold, flag_measures
from narrows.reporting.html.page import write_report
from narrows.reporting.report import Flags, Report, Table, pictures

__all__ = ["follow"]


def follow(report: Report, run: Path, threshold: Threshold, out: Path, tables: Sequence[Table] = ()) -> bool:
    """Write a run's report.json and report.html for another threshold to ``out``; False if they cannot tell.

    Nothing is scored: the report keeps how many rows are flagged at any rate of false alarms. ``tables`` take the place
    of those of their name. Figures stay, and those that show another threshold are marked as stale.
    """
    flags, fpr = report.flags, threshold.rate
    if flags is None or len(pictures(report, run)) < len(report.figures):
        return False
    _count(report, flags, fpr)
    sentence = threshold.rule()
    report.warnings = [sentence if warning == flags["said"] else warning for warning in report.warnings]
    report.params = {name: value for name, value in report.params.items() if name != "contamination"} | {"fpr": fpr}
    report.changed = sorted({*report.changed, "fpr"} - {"contamination"})
    flags["said"] = sentence
    named = {table.get("name"): table for table in tables}
    report.tables = [named.get(table.get("name"), table) for table in report.tables]
    for figure in report.figures:
        figure.pop("stale", None)
        if figure["file"] in flags["drawn"] and fpr != flags["fpr"]:
            figure["stale"] = True
    write_report(report, out, run)
    return True


def _count(report: Report, flags: Flags, fpr: float) -> None:
    """Write the measures of the flag, of the detector and of its competitors."""
    for name, counts in flags["counts"].items():
        for measure, value in flag_measures(counts, fpr).items():
            if name == "" and measure in report.metrics:
                report.metrics[measure]["value"] = value
            elif measure in report.baselines.get(name, {}):
                report.baselines[name][measure] = value
