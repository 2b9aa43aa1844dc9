"""The first line of `narrows fit classify` and its report.json say who names more classes rightly."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from narrows.cli import main

WIN = ["--family", "linear", "--latent-dim", "1", "--tune-epochs", "40"]
LOSE = ["--epochs", "1", "--tune-epochs", "5", "--tune-lr", "1e-6"]


def two_groups(folder: Path, labels: int, columns: int = 200, rows: int = 600) -> Path:
    """Two groups, as far apart as two of a hundred columns say: no label is needed to see them, to name them one is."""
    draw = np.random.default_rng(0)
    side = draw.permutation(np.arange(2 * rows) % 2)
    way = draw.normal(size=columns)
    X = draw.normal(size=(2 * rows, columns)) + np.outer(4 * side - 2, way / np.linalg.norm(way))
    names = [f"x{place}" for place in range(columns)]
    kinds = np.array(["down", "up"])[side].tolist()
    few = [kind if place < labels else None for place, kind in enumerate(kinds[:rows])]
    pl.DataFrame(X[:rows].round(4), schema=names).with_columns(kind=pl.Series(few)).write_csv(folder / "t.csv")
    valid = pl.DataFrame(X[rows:].round(4), schema=names).with_columns(kind=pl.Series(kinds[rows:]))
    valid.write_csv(folder / "valid.csv")
    return folder / "t.csv"


def first_line(capsys: pytest.CaptureFixture[str], run: Path, *words: str | Path) -> tuple[str, dict[str, Any]]:
    """Run ``narrows fit classify`` and return its first line and report.json."""
    assert main(["fit", "classify", *map(str, words), "--quiet", "--no-figures", "-o", str(run)]) == 0
    report: dict[str, Any] = json.loads((run / "report.json").read_text(encoding="utf-8"))
    line = capsys.readouterr().out.splitlines()[0]
    assert line == report["verdict"]["text"]
    return line, report


def gap(report: dict[str, Any]) -> float:
    """The accuracy less that of the best competitor."""
    theirs = max(values["accuracy"] for values in report["baselines"].values())
    return float(report["metrics"]["accuracy"]["value"] - theirs)


def test_it_wins_where_the_rows_without_a_label_show_the_classes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = two_groups(tmp_path, labels=20)
    words = (table, "--label", "kind", "--valid", tmp_path / "valid.csv", *WIN)
    line, report = first_line(capsys, tmp_path / "run", *words)
    assert gap(report) > 0.05
    assert report["verdict"]["outcome"] == "wins"
    assert line.startswith("The autoencoder beats ")
    assert "validation accuracy" in line


def test_it_loses_where_it_does_not_learn_the_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = two_groups(tmp_path, labels=40, columns=8, rows=300)
    words = (table, "--label", "kind", "--valid", tmp_path / "valid.csv", *LOSE)
    line, report = first_line(capsys, tmp_path / "run", *words)
    assert gap(report) < -0.1
    assert report["verdict"]["outcome"] == "loses"
    assert line.startswith("The autoencoder loses to ")


def test_it_loses_by_cross_validation_of_few_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = two_groups(tmp_path, labels=60, columns=8, rows=150)
    line, report = first_line(capsys, tmp_path / "run", table, "--label", "kind", *LOSE)
    assert gap(report) < -0.1
    assert report["verdict"]["outcome"] == "loses"
    assert line.startswith("The autoencoder loses to ")
    assert "cross-validated accuracy" in line
    assert "60 rows" in line
    assert report["data"]["labels learnt from"] == 60  # none is put aside
    assert 0 < report["metrics"]["accuracy_error"]["value"] < 0.2
    folds = next(table for table in report["tables"] if table["title"] == "Cross-validation")
    assert folds["rows"][0][1] == f"{report['metrics']['accuracy']['value']:.3f} ± " + (
        f"{report['metrics']['accuracy_error']['value']:.3f}"
    )
    gaps = {row[0]: float(row[2].split(" ± ")[0]) for row in folds["rows"][1:]}
    assert min(gaps[name] for name in report["baselines"]) == pytest.approx(gap(report), abs=6e-4)


def test_a_column_that_determines_the_label_stands_in_the_first_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = two_groups(tmp_path, labels=60, columns=8, rows=100)
    pl.read_csv(table).with_columns(alive=pl.col("kind").replace({"up": "yes", "down": "no"})).write_csv(table)
    words = ("--label", "kind", "--epochs", "1", "--tune-epochs", "5", "--tune-lr", "0.01")
    line, _ = first_line(capsys, tmp_path / "run", table, *words)
    assert "'alive' determines 'kind' in every labelled row" in line
    assert "--drop alive" in line
    line, report = first_line(capsys, tmp_path / "dropped", table, *words, "--drop", "alive")
    assert "determines" not in line
    assert report["metrics"]["accuracy"]["value"] < 1
    assert "'alive' left out: --drop" in report["data"]["notes"]
    out = tmp_path / "out"
    assert main(["apply", str(tmp_path / "dropped"), str(table), "-o", str(out)]) == 0
    assert capsys.readouterr().out.count("alive") == 0
    assert (out / "predictions.csv").read_bytes() == (tmp_path / "dropped" / "predictions.csv").read_bytes()
