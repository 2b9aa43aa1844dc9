"""``narrows rethreshold``: another rate of false alarms for a fitted anomaly detector, without training."""

import csv
import io
import json
import math
import sys
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from narrows import conformal
from narrows.cli.claim import opened
from narrows.cli.flags import Options
from narrows.cli.replacement import drafted
from narrows.conformal import Threshold
from narrows.errors import ArtefactError, InputError
from narrows.files import content, whole, write_text
from narrows.lock import locked
from narrows.model_card import CARD, LONGEST, digest, json_values, read_card
from narrows.typed_json import typed

__all__ = ["rethreshold"]


class SeriesSettings(TypedDict):
    """What a run of a series tells of its intervals, among its other settings."""

    window: int
    by: NotRequired[str | None]


def rethreshold(options: Options) -> int:
    """Write the threshold into RUN's model.json, the flags into its scores.csv, and both into its report.

    Raises ArtefactError where the run holds no threshold.
    """
    run, fpr = Path(options.run), _share(options.fpr)
    opened(run)
    with locked(run), drafted(run) as draft:
        card = read_card(run)
        threshold = _threshold(card, run).asked(fpr, None)
        card["task"]["params"] |= {"fpr": fpr, "contamination": None}
        card = json_values(card)
        card["digest"] = digest(card)
        from narrows.reporting.report import read_report
        from narrows.reporting.rethreshold import follow

        saved = read_report(run) if (run / "report.json").exists() else None
        tables = [run / name for name in ("scores.csv", "series_scores.csv") if (run / name).exists()]
        counted = _flag(tables[0], threshold.limit, draft) if tables else None
        of_series = (run / "intervals.csv").exists() and (draft / "series_scores.csv").exists()
        changed = [_intervals(card, draft)] if of_series else []
        write_text(draft / CARD, json.dumps(card, indent=1, allow_nan=False, ensure_ascii=False) + "\n")
        report_follows = saved is not None and follow(saved, run, threshold, draft, changed)
    _say(run, "at most" if card["task"]["params"].get("clean") else "about", threshold, counted)
    if not report_follows and (run / "report.html").exists():
        sys.stdout.write("The report still tells of the threshold of the fit: it does not hold what is needed.\n")
    if (run / "heatmaps").exists():
        sys.stdout.write("The heat maps are still painted for the threshold of the fit.\n")
    return 0


def _threshold(card: dict[str, Any], run: Path) -> Threshold:
    """Return the threshold of a run: the workflow's own, or that of the detector's rows."""
    match card:
        case {"task": {"name": "anomaly"}, "journey": {"card": {"threshold": kept}}}:
            where = "journey.card.threshold"
        case {"task": {"name": "anomaly", "fitted": {"calibration_": [_, *_] as calibration, **fitted}}}:
            where = "task.fitted"
            kept = {"unit": "row", "calibration": calibration, "n_apart": fitted.get("n_apart_", 0)}
        case _:
            raise ArtefactError(f"{run} holds no threshold", "a run of `narrows fit anomaly`")
    threshold: Threshold = typed(kept, Threshold, f"{run / CARD}: {where}")
    return threshold


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < 1:
        raise InputError(f"--fpr {text!r} came", "a share between 0 and 1", "--fpr 0.001")
    return value


def _flag(path: Path, limit: float, out: Path) -> tuple[int, int]:
    """Write a table with new flags to ``out`` and return how many rows have one, and how many there are."""
    as_written = "the file as it was written"
    try:
        head, *rows = csv.reader(io.StringIO(content(path, LONGEST).decode(), newline=""))
        score, flag = head.index("score"), head.index("flag")
        for row in rows:
            row[flag] = str(int(float(row[score]) > limit)) if row[score] else ""
    except InputError:
        raise
    except (ValueError, IndexError, csv.Error):
        raise ArtefactError(f"{path} has no columns score and flag with numbers", as_written) from None
    with whole(out / path.name) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *rows])
    return sum(row[flag] == "1" for row in rows), len(rows)


def _intervals(card: dict[str, Any], folder: Path) -> Any:
    """Write the intervals of the new flags beside them, and return the table of a report."""
    import polars as pl

    from narrows.data.tables.formatting import save_csv, unguarded, unguarded_name
    from narrows.data.tables.intervals import intervals, strangest
    from narrows.data.tables.timeline import split_names

    settings: SeriesSettings = typed(card["journey"].get("fields"), SeriesSettings, "journey.fields", closed=False)
    path = folder / "series_scores.csv"
    try:
        frame = unguarded(pl.read_csv(path, infer_schema=False)).rename(unguarded_name)
        table = intervals(frame, len(split_names(settings.get("by"))), settings["window"])
    except pl.exceptions.PolarsError:
        raise ArtefactError(f"{path.name} does not hold the scores of channels", "the file as it was written") from None
    save_csv(table, folder / "intervals.csv")
    return strangest(table)


def _say(run: Path, share: str, threshold: Threshold, counted: tuple[int, int] | None) -> None:
    unit = threshold.unit
    if math.isinf(threshold.limit):
        fine = conformal.rounded_up(conformal.finest(threshold.calibration))
        n = len(threshold.calibration)
        sys.stderr.write(f"{n} {unit}s were put aside: nothing can be flagged below --fpr {fine}.\n")
    flagged = "" if counted is None else f"; {counted[0]} of the {counted[1]} rows are flagged"
    sys.stdout.write(f"{run}: {share} {threshold.rate:g} of ordinary {unit}s are flagged from now on{flagged}.\n")
