"""The sections of the page, each from its part of the report, each empty when that part is missing."""

import base64
import html
import math
import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from narrows.report.formatting import number, together

__all__ = ["tables_part"]

Report = Mapping[str, Any]
BOLD = ' class="changed"'

MARKS = {
    "wins": ("It wins", '<path d="M3 9.5l4 4 8-9"/>'),
    "loses": ("It loses", '<path d="M4 4l10 10M14 4L4 14"/>'),
    "even": ("It is level", '<path d="M3 6.5h12M3 11.5h12"/>'),
    "unclear": ("It cannot be told", '<path d="M6 6.5a3 3 0 1 1 3 3.6v1.4M9 14.4v.4"/>'),
    "shown": ("What it shows", '<path d="M3 9.5l4 4 8-9"/>'),
    "none": ("No comparison", '<path d="M4 9h10"/>'),
}


def esc(value: object) -> str:
    r"""Text of any value, escaped, with numbers that do not break over lines.

    Examples
    --------
    >>> esc("<b>"), esc(12345), esc(None), esc(True), esc(["a", 0.5])
    ('&lt;b&gt;', '12\xa0345', 'none', 'yes', 'a, 0.500')
    """
    return re.sub(r"(?<=\d) (?=\d{3}(?!\d)|%)", "\xa0", html.escape(words(value)))


def words(value: object) -> str:
    """Any value as a person would write it."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {words(entry)}" for key, entry in value.items()) or "none"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(map(words, value)) or "none"
    return str(value)


def verdict_part(report: Report) -> str:
    """Write the first and biggest line."""
    verdict = report.get("verdict") or {}
    outcome = verdict.get("outcome") if verdict.get("outcome") in MARKS else "none"
    label, path = MARKS[str(outcome)]
    mark = (
        f'<svg viewBox="0 0 18 18" fill="none" stroke="currentColor" stroke-width="2.6" aria-hidden="true">{path}</svg>'
    )
    text = esc(verdict.get("text") or "This run was not compared with a simple competitor.")
    return f'<section class="verdict {outcome}"><p>{mark}{label}</p><h1>{text}</h1></section>'


def warnings_part(report: Report) -> str:
    """Write what the user should know before believing the numbers."""
    items = "".join(f"<li>{esc(warning)}</li>" for warning in report.get("warnings") or [])
    return f'<section class="warn"><b>Please note</b><ul>{items}</ul></section>' if items else ""


def facts_part(report: Report) -> str:
    """Write the few numbers that everybody asks for."""
    data, model, packed = (report.get(key) or {} for key in ("data", "model", "compression"))
    seconds, counted = report.get("seconds") or {}, f"{data.get('unit', 'row')}s"
    facts = {
        f"{counted} learnt from": data.get("used"),
        f"{counted} held out": data.get("held_out"),
        "numbers per row": _arrow(packed, "numbers"),
        "size": _arrow(packed, "bytes"),
        "weights": model.get("parameters"),
        "seconds to fit": seconds.get("fit"),
    }
    tiles = "".join(
        f"<div><dt>{esc(name)}</dt><dd>{esc(fact)}</dd></div>" for name, fact in facts.items() if fact is not None
    )
    return f'<dl class="facts">{tiles}</dl>' if tiles else ""


def _arrow(packed: Report, what: str) -> str | None:
    """Numbers or bytes before and after, if the report has both."""
    before, after = packed.get(f"{what}_before"), packed.get(f"{what}_after")
    if before is None or after is None:
        return None
    show = size if what == "bytes" else words
    return f"{show(before)} → {show(after)}"


def size(count: float) -> str:
    """Bytes in units that fit.

    Examples
    --------
    >>> size(47_040_000), size(512)
    ('47.0 MB', '512 B')
    """
    power = next((power for power in range(4) if abs(count) < 1000 ** (power + 1)), 4)
    return f"{number(count / 1000**power)} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"


def metrics_part(report: Report) -> str:
    """Write each metric beside that of every competitor, and the metrics that have none."""
    metrics, baselines = report.get("metrics") or {}, report.get("baselines") or {}
    cards, alone = [], []
    for key, spec in metrics.items():
        spec = spec if isinstance(spec, Mapping) else {"value": spec}
        rivals = {name: _value(scores.get(key)) for name, scores in baselines.items() if key in (scores or {})}
        label = spec.get("label") or key
        if rivals:
            cards.append(_race(label, spec, {_called(report): _value(spec.get("value"))}, rivals))
        else:
            alone.append((f"{label}{_unit(spec, ', ')}", spec.get("value")))
    if alone:
        cards.append(card("Other measures" if cards else "Measures", listing(alone)))
    data = report.get("data") or {}
    held = None if "unit" in data else data.get("held_out")
    counted = f"{words(held)} held-out rows" if held else f"{data.get('unit', 'row')}s"
    rows = f"All on the same {counted}. "
    if not baselines:
        return section("Measures", "", cards)
    return section("Against the simple competitors", f"{rows}Bold is best.", cards)


def _called(report: Report) -> str:
    """Name of the model beside its competitors: its own, or that of its family."""
    return str(report.get("called") or report.get("family") or "model")


def _race(label: str, spec: Report, model: dict[str, float], rivals: dict[str, float]) -> str:
    """One metric: a bar and a number for the model and for each competitor, best first."""
    lower = spec.get("better", "lower") != "higher"
    runners = model | {name if name not in model else f"{name} (simple)": value for name, value in rivals.items()}
    order = sorted(runners, key=lambda name: _rank(runners[name], lower))
    finite = [value for value in runners.values() if math.isfinite(value)]
    longest = max(map(abs, finite), default=0.0) or 1.0
    bars = min(finite, default=0.0) >= 0
    digits, whole = _digits(finite), all(value == int(value) for value in finite)
    rows = ""
    for name in order:
        value = runners[name]
        kinds = " ".join(k for k, on in (("model", name in model), ("best", value == runners[order[0]])) if on)
        bar = f'<i style="width:{100 * value / longest:.1f}%"></i>' if bars and math.isfinite(value) else ""
        cells = (
            f'<th scope="row">{_foldable(name)}</th><td>{bar}</td><td>{esc(number(value, digits, whole=whole))}</td>'
        )
        rows += f'<tr class="{kinds}">{cells}</tr>'
    note = f"<p>{esc(_unit(spec))}{'lower' if lower else 'higher'} is better</p>"
    return f'<div class="card"><h3>{esc(label)}</h3>{note}<table class="race">{rows}</table></div>'


def _foldable(name: str) -> str:
    """Text of a name that may break inside CamelCase."""
    return re.sub("(?<=[a-z])(?=[A-Z])", "<wbr>", esc(name))


def _rank(value: float, lower: bool) -> float:
    """Sorting key: best first, unknown last."""
    return math.inf if not math.isfinite(value) else value if lower else -value


def _digits(values: Iterable[float]) -> int:
    """Digits that tell neighbours apart."""
    known = sorted(set(values))
    shown = [together(a, b)[0] for a, b in pairwise(known)]
    return max([3, *(len(re.sub(r"^[-0.]*|[. ]", "", text)) for text in shown)])


def _value(score: Any) -> float:
    """Read the number of a score, given bare or with its unit."""
    score = score.get("value") if isinstance(score, Mapping) else score
    return float("nan") if score is None else float(score)


def _unit(spec: Report, before: str = "") -> str:
    """Write the unit of a metric with what stands between it and its neighbour."""
    unit = spec.get("unit")
    return "" if not unit else f"{before}{unit}" if before else f"{unit}; "


def figures_part(figures: Iterable[tuple[str, str, Path | str]]) -> str:
    """Write the figures, each with its title and what it shows."""
    shown = ""
    for title, caption, path in figures:
        picture = Path(path).read_bytes()
        width = int.from_bytes(picture[16:20], "big") * 2 // 3  # drawn with 150 dots per inch, shown with 100
        source = f"data:image/png;base64,{base64.b64encode(picture).decode('ascii')}"
        image = f'<img width="{width}" alt="{esc(title)}: {esc(caption)}" src="{source}">'
        text = f"<figcaption><h3>{esc(title)}</h3><p>{esc(caption)}</p></figcaption>"
        shown += f'<figure class="card"><div>{image}</div>{text}</figure>'
    return f'<section><h2>Figures</h2><div class="figures">{shown}</div></section>' if shown else ""


def section(title: str, lead: str, cards: Iterable[str]) -> str:
    """Headline, a line, cards side by side; nothing without cards."""
    inside = "".join(cards)
    below = f"<p>{esc(lead)}</p>" if lead else ""
    return f'<section><h2>{esc(title)}</h2>{below}<div class="cards">{inside}</div></section>' if inside else ""


def card(title: str, inside: str) -> str:
    """Box with a title; nothing without content."""
    return f'<div class="card"><h3>{esc(title)}</h3>{inside}</div>' if inside else ""


def listing(pairs: Iterable[tuple[str, object]], changed: Iterable[str] = ()) -> str:
    """Names and values below each other, the changed ones in bold."""
    bold = set(changed)
    rows = "".join(
        f'<tr{BOLD if name in bold else ""}><th scope="row">{esc(name)}</th><td>{esc(value)}</td></tr>'
        for name, value in pairs
    )
    return f'<table class="list">{rows}</table>' if rows else ""


def tables_part(report: Mapping[str, Any]) -> str:
    """Write each of the report's tables: ``{"title", "lead", "columns", "rows"}``.

    Examples
    --------
    >>> "<td>3</td>" in tables_part({"tables": [{"title": "Sizes", "lead": "", "columns": ["side"], "rows": [[3]]}]})
    True
    """
    return "".join(_table(table) for table in report.get("tables") or [] if table["rows"])


def _table(table: Mapping[str, Any]) -> str:
    head = "".join(f'<th scope="col">{esc(name)}</th>' for name in table["columns"])
    body = "".join(f"<tr>{''.join(f'<td>{esc(value)}</td>' for value in row)}</tr>" for row in table["rows"])
    lead = f"<p>{esc(table['lead'])}</p>" if table["lead"] else ""
    inside = f'<div class="card"><table class="grid"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    return f"<section><h2>{esc(table['title'])}</h2>{lead}{inside}</section>"
