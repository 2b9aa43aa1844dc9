"""One page that opens offline, and the same facts as JSON."""

import json
from pathlib import Path

from narrows.files import write_text
from narrows.reporting.html import sections
from narrows.reporting.html.environment import fill
from narrows.reporting.report import Report, jsonable

__all__ = ["render", "write_report"]


def render(report: Report, run: Path | str) -> str:
    """Return the page of a report: one string of HTML that needs nothing else.

    ``run`` is the folder of its figures; those that are not there are left out. Raises ``ArtefactError`` where one is
    no picture, or lies elsewhere.

    Examples
    --------
    >>> page = render(Report(verdict={"text": "It beats PCA.", "outcome": "wins"}), "none")
    >>> "<h1>It beats PCA.</h1>" in page, "<script" in page
    (True, False)
    """
    return fill(
        "report.html",
        crumbs=sections.crumbs(report),
        verdict=report.verdict,
        warnings=report.warnings,
        facts=sections.facts(report),
        compared_on=sections.measured_on(report),
        races=sections.races(report),
        measures=sections.measures(report),
        tables=[table for table in report.tables if table["rows"]],
        figures=sections.images(report, Path(run)),
        received=sections.received(report),
        notes=report.data.get("notes", []),
        settings=sections.settings(report),
        changed=set(report.changed) & set(report.params),
    )


def write_report(report: Report, folder: Path | str, run: Path | str | None = None) -> None:
    """Write ``report.json`` and ``report.html`` into a folder, each whole or not at all.

    Parameters
    ----------
    report : Report
        Numbers that are not finite become null.
    folder : Path or str
        Where; made if missing.
    run : Path or str, optional
        The folder of its figures; ``folder`` by default.

    Examples
    --------
    >>> import tempfile
    >>> report = Report(verdict={"text": "It wins.", "outcome": "wins"}, metrics={"mse": {"value": float("nan")}})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_report(report, folder)
    ...     json.loads((Path(folder) / "report.json").read_text(encoding="utf-8"))["metrics"]
    {'mse': {'value': None}}
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    entries = jsonable(report.to_json())
    text = json.dumps(entries, indent=2, ensure_ascii=False, allow_nan=False)
    page = render(Report.from_json(entries), run or folder)  # may fail, and then both files stay as they are
    write_text(folder / "report.json", f"{text}\n")
    write_text(folder / "report.html", page)
