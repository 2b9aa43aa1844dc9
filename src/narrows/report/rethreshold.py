"""The report of a run after another threshold: its numbers, notes and page, from the counts that it keeps."""

import json
from pathlib import Path
from typing import Any

from narrows.fitted.conformal import rule
from narrows.fitted.flagged import told
from narrows.report.page import write_report

__all__ = ["follow"]

_OLD = " It was drawn at the fit and shows the threshold of then."


def follow(folder: Path, fpr: float, put_aside: int, apart: int = 0) -> bool:
    """Write report.json and report.html of a run anew for another rate of false alarms; False where they cannot tell.

    ``put_aside`` rows set the threshold, without those left ``apart``. Nothing is scored: the report keeps how many
    rows are flagged at any rate. Figures stay, and their captions say so.
    """
    path = folder / "report.json"
    report = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    flags = report.get("flags")
    if not flags:
        return False
    figures = report["figures"]
    if not all((folder / each["file"]).exists() for each in figures):
        return False
    _count(report, flags, fpr)
    said = rule(put_aside, fpr, flags["unit"], apart)
    report["warnings"] = [said if note == flags["said"] else note for note in report["warnings"]]
    report["params"] = {k: v for k, v in report["params"].items() if k != "contamination"} | {"fpr": fpr}
    report["changed"] = sorted({*report["changed"], "fpr"} - {"contamination"})
    flags["said"] = said
    for each in figures:
        if each["file"] in flags["drawn"]:
            each["caption"] = each["caption"].removesuffix(_OLD) + (_OLD if fpr != flags["fpr"] else "")
    write_report(report, [(each["title"], each["caption"], folder / each["file"]) for each in figures], folder)
    return True


def _count(report: dict[str, Any], flags: dict[str, Any], fpr: float) -> None:
    """Write the measures of the flag, of the detector and of its competitors."""
    for name, counts in flags["counts"].items():
        for measure, value in told(counts, fpr).items():
            place = report["baselines"].get(name, {})
            if measure in place:
                place[measure] = value
            elif name == "" and measure in report["metrics"]:
                report["metrics"][measure]["value"] = value
