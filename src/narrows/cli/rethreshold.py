"""``narrows rethreshold``: another rate of false alarms for a fitted anomaly detector, without training."""

import csv
import json
import math
import sys
from pathlib import Path
from typing import Any

from narrows.artefact import CARD, digest, plain, read_card
from narrows.cli.flags import Options
from narrows.errors import ArtefactError, InputError
from narrows.files import whole, write_text
from narrows.fitted import conformal

__all__ = ["rethreshold"]


def rethreshold(options: Options) -> int:
    """Write the threshold into RUN's model.json, the flags into its scores.csv, and both into its report."""
    run, fpr = Path(options.run), _share(options.fpr)
    card = read_card(run)
    task: dict[str, Any] = card["task"] or {}
    fitted = task.get("fitted", {})
    calibration = fitted.get("calibration_")
    if not calibration:
        raise ArtefactError(f"{run} holds no threshold", "a run of `narrows fit anomaly`")
    limit = conformal.threshold(calibration, fpr)
    task["params"] |= {"fpr": fpr, "contamination": None}
    card = plain(card)
    card["digest"] = digest(card)
    tables = [run / name for name in ("scores.csv", "series_scores.csv") if (run / name).exists()]
    counted = _flag(tables[0], limit) if tables else None
    write_text(run / CARD, json.dumps(card, indent=1, allow_nan=False, ensure_ascii=False) + "\n")
    from narrows.report.rethreshold import follow

    told = follow(run, fpr, len(calibration), fitted.get("n_apart_", 0))
    _say(run, f"{'at most' if task['params'].get('clean') else 'about'} {fpr:g}", limit, calibration, counted)
    if not told and (run / "report.html").exists():
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


def _flag(path: Path, limit: float) -> tuple[int, int]:
    """Write flags anew and return how many rows have one, and how many there are."""
    with path.open(encoding="utf-8", newline="") as file:
        head, *rows = list(csv.reader(file))
    if not {"score", "flag"} <= set(head):
        raise ArtefactError(f"{path} has no columns score and flag", "the file as it was written")
    score, flag = head.index("score"), head.index("flag")
    for row in rows:
        row[flag] = str(int(float(row[score]) > limit)) if row[score] else ""
    with whole(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *rows])
    return sum(row[flag] == "1" for row in rows), len(rows)


def _say(run: Path, share: str, limit: float, calibration: list[float], counted: tuple[int, int] | None) -> None:
    if math.isinf(limit):
        fine = conformal.rounded_up(conformal.finest(calibration))
        sys.stderr.write(f"{len(calibration)} rows were put aside: nothing can be flagged below --fpr {fine}.\n")
    flagged = "" if counted is None else f"; {counted[0]} of the {counted[1]} rows are flagged"
    sys.stdout.write(f"{run}: {share} of ordinary rows are flagged from now on{flagged}.\n")
