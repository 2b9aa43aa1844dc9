"""The figures of ``bench/results``, latest per row, as tables in ``docs/benchmarks.md``.

``python bench/table.py [--results FOLDER] [--out FILE]``; needs nothing but Python.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
Line = dict[str, Any]

HEAD = """# Benchmarks

Written by `python bench/table.py` from `bench/results/`; do not edit. What each row is: `bench/README.md`.
"""
QUALITY = """
## Quality

Lower is better, but for the rows with an arrow (↑). *Floor* is a closed-form or trivial method; *goal* is the best
published method of that kind. Seconds are fit and predict, the mean over the seeds.

| row | value | floor | goal | met | seconds | seeds | machine | date |
|---|---|---|---|---|---|---|---|---|
"""
SPEED = """
## Speed

Side by side in one run, in turn, with the classic tutorials' own loop in plain PyTorch: medians. The start of the
command is in seconds, beside an empty Python.

| row | ours | the other | ratio | goal | met | images | machine | date |
|---|---|---|---|---|---|---|---|---|
"""
VERDICTS = """
## Verdicts

`python bench/verdicts.py`: how often one of two equal methods is named better, in per cent of the draws, by the number
of units. Two standard errors of many units allow 4.6 %; none may be above 6 %.

"""
RATES = """
## Stated rates

`python bench/rates.py`: rows that `AnomalyDetector` flags among fresh ordinary ones, beside the rate that was asked,
and the share of fresh anomalies that it flags. Without anomalies in the fit at most 1.3 times the rate is the goal. The
oracle has the same scores, and a threshold set by the ordinary rows among those put aside: what it finds more is what
not knowing them costs.

| law of the rows | asked | flagged | deviation | ratio | anomalies found | by the oracle | rows | draws | date |
|---|---|---|---|---|---|---|---|---|---|
"""


def latest(path: Path) -> list[Line]:
    """Return the last line of every row, quick runs left out, in the order of their first appearance."""
    rows: dict[str, Line] = {}
    for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        line = json.loads(text)
        if not line["quick"]:
            rows[line["row"]] = line
    return list(rows.values())


def missed(value: float, goal: float, better: str = "lower") -> str:
    """Say whether a value reaches its goal, or by how much it is missed.

    Examples
    --------
    >>> missed(2.9, 3), missed(3.3, 3), missed(0.9, 1, "higher")
    ('yes', 'no: 10 % above', 'no: 10 % below')
    >>> missed(96.53, 96.96, "higher")
    'no: 0.44 % below'
    >>> missed(0.02, 0.0)
    'no: 0.02 above'
    """
    if value == goal or (value > goal) == (better == "higher"):
        return "yes"
    by = f"{100 * abs(1 - value / goal):.2g} %" if goal else f"{abs(value):.2g}"
    return f"no: {by} {'below' if better == 'higher' else 'above'}"


def short(value: float | None) -> str:
    """Return a number with four digits.

    Examples
    --------
    >>> short(0.0123456), short(None), short(2e-9)
    ('0.01235', '', '2e-09')
    """
    return "" if value is None else f"{value:.4g}"


def quality_row(line: Line) -> list[str]:
    """Return the cells of a quality row."""
    better = line.get("better", "lower")
    others, goals = line.get("also", {}), line.get("also_goals", {})
    also = "".join(f" ({name} {short(value)})" for name, value in others.items())
    wanted = "".join(f" ({name} {short(goal)})" for name, goal in goals.items())
    name = line["row"] + " ↑" * (better == "higher")
    cells = [name, short(line["value"]) + also, short(line["floor"]), short(line["goal"]) + wanted]
    met = missed(line["value"], line["goal"], better)
    met += "".join(f" ({name} {missed(others[name], goal, 'higher')})" for name, goal in goals.items())
    return [*cells, met, f"{line['seconds']:.1f}", str(line["seeds"]), *scoring_device(line)]


def speed_row(line: Line) -> list[str]:
    """Return the cells of a speed row: a ratio to reach, or seconds to stay under."""
    cells = [line["row"], f"{line['ours']:.3g} s", f"{line['theirs']:.3g} s"]
    if "images" not in line:
        return [*cells, "", f"under {line['goal']:g} s", missed(line["ours"], line["goal"]), "", *scoring_device(line)]
    ratio, goal = line["ratio"], line["goal"]
    met = "yes" if line["met"] else f"no: {100 * (1 - ratio / goal):.0f} % short"
    return [*cells, f"{ratio:.2f}x", f"{goal:g}x", met, str(line["images"]), *scoring_device(line)]


def verdict_rows(lines: list[Line]) -> list[list[str]]:
    """Return the head and the cells of the table of winners that are named among equals."""
    sizes = list(lines[0]["shares"])
    head = ["measure", "tasks", "units", *sizes, "draws", "date"]
    rows = []
    for line in lines:
        shares = (f"{100 * share:.1f}" for share in line["shares"].values())
        rows.append([line["row"], line["tasks"], line["unit"], *shares, str(line["draws"]), line["date"][:10]])
    return [head, ["---"] * len(head), *rows]


def rate_row(line: Line) -> list[str]:
    """Return the cells of a law: a mean over draws, and the deviation between them."""
    cells = [line["row"].rpartition(",")[0], f"{line['asked']:g}", f"{line['flagged']:.4f}", f"{line['spread']:.4f}"]
    cells += [f"{line['ratio']:.2f}", f"{line['found']:.2f}", f"{line['oracle']:.2f}"]
    return [*cells, str(line["rows"]), str(line["draws"]), line["date"][:10]]


def scoring_device(line: Line) -> list[str]:
    return [line["machine"], line["date"][:10]]


def page(results: Path) -> str:
    """Return the page, or end with one message when there are no figures."""
    quality, speed = (latest(results / name) for name in ("quality.jsonl", "speed.jsonl"))
    if not quality and not speed:
        print(f"{results} holds no figures. Try: python bench/speed.py start", file=sys.stderr)
        sys.exit(2)
    verdicts, rates = (latest(results / name) for name in ("verdicts.jsonl", "rates.jsonl"))
    tables = (
        (QUALITY, [quality_row(line) for line in quality]),
        (SPEED, [speed_row(line) for line in speed]),
        (VERDICTS, verdict_rows(verdicts) if verdicts else []),
        (RATES, [rate_row(line) for line in rates]),
    )
    return HEAD + "".join(head + _lines(rows) for head, rows in tables if rows)


def _lines(rows: list[list[str]]) -> str:
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "benchmarks.md")
    asked = parser.parse_args()
    text = page(asked.results)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(text, encoding="utf-8")
    print(f"{asked.out} written")


if __name__ == "__main__":
    main()
