"""One page that opens offline, and the same facts as JSON."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from narrows.files import write_text
from narrows.report.html import sections
from narrows.report.html.sections import tables_part
from narrows.report.html.stylesheet import CSS

__all__ = ["render", "write_report"]

Figures = Sequence[tuple[str, str, Path | str]]


def render(report: Mapping[str, Any], figures: Figures = ()) -> str:
    """Write the page of a report: one string of HTML that needs nothing else.

    Parameters
    ----------
    report : mapping
        ``task``, ``verdict``, ``metrics``, ``baselines``, ``data``, ``family``, ``params``, ``changed``, ``seconds``,
        ``versions``, ``warnings``, ``model``, ``compression``, ``tables``, ``called`` (what the model is called beside
        its competitors); what is missing is left out.
    figures : sequence of tuple
        Title, caption and PNG file of each figure.

    Examples
    --------
    >>> page = render({"verdict": {"text": "It beats PCA.", "outcome": "wins"}})
    >>> "<h1>It beats PCA.</h1>" in page, "<script" in page
    (True, False)
    """
    data = report.get("data") or {}
    name = " / ".join(str(part) for part in (report.get("task"), data.get("name"), report.get("family")) if part)
    crumbs = "".join(f"<span>{sections.esc(crumb)}</span>" for crumb in name.split(" / ") if crumb)
    body = (
        sections.verdict_part(report),
        sections.warnings_part(report),
        sections.facts_part(report),
        sections.metrics_part(report),
        tables_part(report),
        sections.figures_part(figures),
        _data(data),
        _settings(report),
    )
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>Narrows report: {sections.esc(name or "run")}</title><style>{CSS}</style></head>
<body><header><b>Narrows</b>{crumbs}</header>
<main>{"".join(body)}</main>
<footer>Written by Narrows. The same facts, for programs, are in report.json beside this page.</footer></body>
</html>
"""


def write_report(report: Mapping[str, Any], figures: Figures, folder: Path | str) -> None:
    """Write ``report.json`` and ``report.html`` into a folder, each whole or not at all.

    Parameters
    ----------
    report : mapping
        As for `render`. Numbers that are not finite become null.
    figures : sequence of tuple
        Title, caption and PNG file of each figure.
    folder : Path or str
        Where; made if missing.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_report({"task": "reduce", "metrics": {"mse": {"value": float("nan")}}}, [], folder)
    ...     json.loads((Path(folder) / "report.json").read_text(encoding="utf-8"))["metrics"]
    {'mse': {'value': None}}
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    facts = jsonable(report)
    text = json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False)
    page = render(facts, figures)  # may fail, and then both files stay as they are
    write_text(folder / "report.json", f"{text}\n")
    write_text(folder / "report.html", page)


def jsonable(value: Any) -> Any:
    """Plain JSON of dicts, sequences, numpy values and paths; numbers that are not finite become None.

    Examples
    --------
    >>> jsonable({"a": (1, float("inf")), "b": Path("x")})
    {'a': [1, None], 'b': 'x'}
    """
    if isinstance(value, Mapping):
        return {str(key): jsonable(entry) for key, entry in value.items()}
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return jsonable(value.tolist())
    if isinstance(value, list | tuple):
        return [jsonable(entry) for entry in value]
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _data(data: Mapping[str, Any]) -> str:
    """Write what came in, what was used, and what was left out and why."""
    counted = f"{data.get('unit', 'row')}s"
    phrases = {"rows": "that came in", "used": "learnt from", "held_out": "held out"}
    names = {"name": "data", **{key: f"{counted} {words}" for key, words in phrases.items()}}
    others = sorted(set(data) - {*names, "notes", "unit"})
    known = [(names.get(key, key), data[key]) for key in (*names, *others) if key in data]
    notes = "".join(f"<li>{sections.esc(note)}</li>" for note in data.get("notes") or [])
    cards = [
        sections.card("Counts", sections.listing(known)),
        sections.card("Notes", f"<ul>{notes}</ul>" if notes else ""),
    ]
    return sections.section("Data", "What came in, what was used, and what was left out.", cards)


def _settings(report: Mapping[str, Any]) -> str:
    """Write the model, its parameters with the changed ones first and bold, the seconds and the versions."""
    params, changed = report.get("params") or {}, list(report.get("changed") or [])
    order = sorted(params, key=lambda name: (name not in changed, name))
    model = [(key.replace("_", " "), value) for key, value in (report.get("model") or {}).items()]
    packed = [
        (key.replace("_", " "), sections.size(value) if key.startswith("bytes") and value is not None else value)
        for key, value in (report.get("compression") or {}).items()
    ]
    cards = [
        sections.card("Model", sections.listing(model)),
        sections.card("Compression", sections.listing(packed)),
        sections.card("Seconds", sections.listing((report.get("seconds") or {}).items())),
        sections.card("Versions", sections.listing((report.get("versions") or {}).items())),
        sections.card(
            f"Parameters of {report.get('family') or 'the model'}",
            sections.listing([(n, params[n]) for n in order], changed),
        ),
    ]
    lead = "Bold parameters differ from their defaults." if set(changed) & set(params) else ""
    return sections.section("Settings", lead, cards)
