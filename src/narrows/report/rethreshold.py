"""The report of a run after another threshold: its numbers, notes and page, from the counts that it keeps."""

from pathlib import Path
from typing import Any

from narrows.conformal import Threshold, told
from narrows.report.html.page import write_report
from narrows.report.report_json import Saved

__all__ = ["follow"]

_STALE_NOTE = " It was drawn at the fit and shows the threshold of then."


def follow(saved: Saved, threshold: Threshold, out: Path) -> bool:
    """Write a run's report.json and report.html for another threshold to ``out``; False if they cannot tell.

    Nothing is scored: the report keeps how many rows are flagged at any rate of false alarms. Figures stay, and their
    captions say so.
    """
    report, flags, fpr = saved.facts, saved.facts.get("flags"), threshold.rate
    figures = report.get("figures", [])
    if not flags or len(saved.figures) < len(figures):
        return False
    _count(report, flags, fpr)
    sentence = threshold.rule()
    report["warnings"] = [sentence if note == flags["said"] else note for note in report.get("warnings", [])]
    params = report.get("params", {}).items()
    report["params"] = {name: value for name, value in params if name != "contamination"} | {"fpr": fpr}
    report["changed"] = sorted({*report.get("changed", []), "fpr"} - {"contamination"})
    flags["said"] = sentence
    for entry in figures:
        if entry["file"] in flags["drawn"]:
            entry["caption"] = entry["caption"].removesuffix(_STALE_NOTE) + (_STALE_NOTE if fpr != flags["fpr"] else "")
    captions = [entry["caption"] for entry in figures]
    drawn = [(title, caption, path) for (title, _, path), caption in zip(saved.figures, captions, strict=True)]
    write_report(report, drawn, out)
    return True


def _count(report: dict[str, Any], flags: dict[str, Any], fpr: float) -> None:
    """Write the measures of the flag, of the detector and of its competitors."""
    metrics, baselines = report.get("metrics", {}), report.get("baselines", {})
    for name, counts in flags["counts"].items():
        for measure, value in told(counts, fpr).items():
            place = baselines.get(name) or {}
            if measure in place:
                place[measure] = value
            elif name == "" and isinstance(metrics.get(measure), dict):
                metrics[measure]["value"] = value
