"""What the sections of the page show, each from its part of the report."""

import base64
import math
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from narrows.reporting.formatting import number, size, together, words
from narrows.reporting.report import STALE, Metric, Number, Report, pictures

__all__ = ["crumbs", "facts", "images", "measured_on", "measures", "races", "received", "settings"]

Pairs = Sequence[tuple[str, Any]]


class Runner(NamedTuple):
    """One line of a comparison."""

    name: str
    classes: str
    width: float | None  # of the bar, in percent of the longest; None: no bar
    value: str


class Race(NamedTuple):
    """One metric of the model and its competitors, best first."""

    label: str
    remark: str
    runners: list[Runner]


class Image(NamedTuple):
    """A figure as the page holds it."""

    title: str
    caption: str
    width: int
    base64: str


class Card(NamedTuple):
    """Names and values below each other, the changed ones in bold."""

    title: str
    pairs: Pairs
    changed: Sequence[str] = ()


def crumbs(report: Report) -> list[str]:
    """Return what the page is about: task, data, family."""
    name = " / ".join(str(part) for part in (report.task, report.data.get("name"), report.family) if part)
    return [crumb for crumb in name.split(" / ") if crumb]


def facts(report: Report) -> Pairs:
    """Return the few numbers that everybody asks for."""
    unit = report.data.get("unit", "row")
    known = {
        f"{unit}s learnt from": report.data.get("used"),
        f"{unit}s held out": report.data.get("held_out"),
        "numbers per row": _arrow(report, "numbers"),
        "size": _arrow(report, "bytes"),
        "weights": report.model.get("parameters"),
        "seconds to fit": report.seconds.get("fit"),
    }
    return [(name, value) for name, value in known.items() if value is not None]


def _arrow(report: Report, what: str) -> str | None:
    """Numbers or bytes before and after, if the report has both."""
    before, after = (report.compression.get(f"{what}_{when}") for when in ("before", "after"))
    if before is None or after is None:
        return None
    write = size if what == "bytes" else words
    return f"{write(before)} → {write(after)}"


def measured_on(report: Report) -> str:
    """Return what all were measured on; empty where nothing competes."""
    unit, held_out, sample = (report.data.get(name) for name in ("unit", "held_out", "measured"))
    if not report.baselines:
        return ""
    count = words(held_out) if sample is None else f"{words(sample)} of {words(held_out)}"
    return f"{count} held-out rows" if held_out and unit is None else f"{unit or 'row'}s"


def races(report: Report) -> list[Race]:
    """Return the metrics that a competitor has as well."""
    theirs = {
        key: {name: _value(values[key]) for name, values in report.baselines.items() if key in values}
        for key in report.metrics
    }
    called = report.called or report.family or "model"
    return [_race(key, report.metrics[key], called, baselines) for key, baselines in theirs.items() if baselines]


def measures(report: Report) -> Pairs:
    """Return the metrics that the model alone has."""
    shared = {key for values in report.baselines.values() for key in values}
    return [
        (", ".join(filter(None, (_label(key, metric), metric.get("unit")))), metric["value"])
        for key, metric in report.metrics.items()
        if key not in shared
    ]


def _label(key: str, metric: Metric) -> str:
    return metric.get("label") or key


def _race(key: str, metric: Metric, called: str, baselines: dict[str, float]) -> Race:
    """Return one metric: a bar and a number for the model and for each competitor, best first."""
    lower = metric.get("better", "lower") == "lower"
    model = {called: _value(metric["value"])}
    values = model | {f"{name} (simple)" if name in model else name: value for name, value in baselines.items()}
    order = sorted(values, key=lambda name: _rank(values[name], lower))
    finite = [value for value in values.values() if math.isfinite(value)]
    longest = max(map(abs, finite), default=0.0) or 1.0
    bars = min(finite, default=0.0) >= 0
    digits, whole = _digits(finite), all(value == int(value) for value in finite)
    runners = []
    for name in order:
        value = values[name]
        classes = {"model": name in model, "best": value == values[order[0]]}
        width = 100 * value / longest if bars and math.isfinite(value) else None
        applying = " ".join(label for label, applies in classes.items() if applies)
        runners.append(Runner(name, applying, width, number(value, digits, whole=whole)))
    remark = "; ".join(filter(None, (metric.get("unit"), f"{'lower' if lower else 'higher'} is better")))
    return Race(_label(key, metric), remark, runners)


def _rank(value: float, lower: bool) -> float:
    """Sorting key: best first, unknown last."""
    return math.inf if not math.isfinite(value) else value if lower else -value


def _digits(values: Iterable[float]) -> int:
    """Digits that tell neighbours apart."""
    known = sorted(set(values))
    shown = [together(a, b)[0] for a, b in pairwise(known)]
    return max([3, *(len(re.sub(r"^[-0.]*|[. ]", "", text)) for text in shown)])


def _value(score: Number) -> float:
    return math.nan if score is None else float(score)


def images(report: Report, run: Path) -> list[Image]:
    """Return the figures that lie in a run, each with its title and what it shows."""
    shown = []
    for figure, picture in pictures(report, run):
        width = int.from_bytes(picture[16:20], "big") * 2 // 3  # drawn with 150 dots per inch, shown with 100
        caption = f"{figure['caption']} {STALE}" if figure.get("stale") else figure["caption"]
        shown.append(Image(figure["title"], caption, width, base64.b64encode(picture).decode("ascii")))
    return shown


def received(report: Report) -> Pairs:
    """Return what came in and what was used."""
    unit = report.data.get("unit", "row")
    phrases = {"rows": "that came in", "used": "learnt from", "held_out": "held out", "measured": "measured on"}
    names = {"name": "data", **{key: f"{unit}s {phrase}" for key, phrase in phrases.items()}}
    data: dict[str, Any] = {key: value for key, value in report.data.items() if key not in ("notes", "unit")}
    return [(names.get(key, key), data[key]) for key in (*names, *sorted(set(data) - set(names))) if key in data]


def settings(report: Report) -> list[Card]:
    """Return the model, its parameters with the changed ones first and bold, the seconds and the versions."""
    params, changed = report.params, report.changed
    order = sorted(params, key=lambda name: (name not in changed, name))
    packed = [
        (key.replace("_", " "), size(value) if key.startswith("bytes") and value is not None else value)
        for key, value in report.compression.items()
    ]
    return [
        Card("Model", [(key.replace("_", " "), value) for key, value in report.model.items()]),
        Card("Compression", packed),
        Card("Seconds", list(report.seconds.items())),
        Card("Versions", list(report.versions.items())),
        Card(f"Parameters of {report.family or 'the model'}", [(name, params[name]) for name in order], changed),
    ]
