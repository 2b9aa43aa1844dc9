"""``narrows rethreshold``: another rate of false alarms for a fitted anomaly detector, without training."""

import csv
import io
import json
import math
import sys
from pathlib import Path
from typing import Annotated, Any

from narrows import conformal
from narrows.cli.claim import opened
from narrows.cli.flags import Options
from narrows.cli.replacement import drafted
from narrows.errors import ArtefactError, InputError
from narrows.files import content, whole, write_text
from narrows.lock import locked
from narrows.model_card import CARD, LONGEST, digest, plain, read_card
from narrows.typed_json import Natural, Numbers, typed

__all__ = ["rethreshold"]


def rethreshold(options: Options) -> int:
    """Write the threshold into RUN's model.json, the flags into its scores.csv, and both into its report.

    Raises ArtefactError where the run holds no threshold.
    """
    run, fpr = Path(options.run), _share(options.fpr)
    opened(run)
    with locked(run), drafted(run) as draft:
        card = read_card(run)
        task: dict[str, Any] = card["task"] or {}
        if task.get("name") != "anomaly" or not task["fitted"].get("calibration_"):
            raise ArtefactError(f"{run} holds no threshold", "a run of `narrows fit anomaly`")
        where = f"{run / CARD}: task.fitted"
        calibration = typed(task["fitted"]["calibration_"], Annotated[Any, Numbers(-1)], f"{where}.calibration_")
        apart = typed(task["fitted"].get("n_apart_", 0), Natural, f"{where}.n_apart_")
        limit = conformal.threshold(calibration, fpr)
        task["params"] |= {"fpr": fpr, "contamination": None}
        card = plain(card)
        card["digest"] = digest(card)
        from narrows.report.report import read_report
        from narrows.report.rethreshold import follow

        saved = read_report(run) if (run / "report.json").exists() else None
        tables = [run / name for name in ("scores.csv", "series_scores.csv") if (run / name).exists()]
        counted = _flag(tables[0], limit, draft) if tables else None
        write_text(draft / CARD, json.dumps(card, indent=1, allow_nan=False, ensure_ascii=False) + "\n")
        report_follows = saved is not None and follow(saved, run, fpr, len(calibration), draft, apart)
    unit = "row" if saved is None or saved.flags is None else saved.flags["unit"]
    _say(run, f"{'at most' if task['params'].get('clean') else 'about'} {fpr:g}", limit, calibration, counted, unit)
    if not report_follows and (run / "report.html").exists():
        sys.stdout.write("The report still tells of the threshold of the fit: it does not hold what is needed.\n")
    if (run / "heatmaps").exists():
        sys.stdout.write("The heat maps are still painted for the threshold of the fit.\n")
    return 0


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


def _say(
    run: Path, share: str, limit: float, calibration: list[float], counted: tuple[int, int] | None, unit: str
) -> None:
    if math.isinf(limit):
        fine = conformal.rounded_up(conformal.finest(calibration))
        sys.stderr.write(f"{len(calibration)} {unit}s were put aside: nothing can be flagged below --fpr {fine}.\n")
    flagged = "" if counted is None else f"; {counted[0]} of the {counted[1]} rows are flagged"
    sys.stdout.write(f"{run}: {share} of ordinary {unit}s are flagged from now on{flagged}.\n")
