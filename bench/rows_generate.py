"""The quality row about drawn rows: Adult and ten more public tables."""

import contextlib
import io
import json
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from common import Measured, folder
from numpy.typing import NDArray
from rows_impute import TABLES, cells

from narrows.base_measure import Measure
from narrows.cli import main
from narrows.tasks.generate.levels import Levels, Table
from narrows.tasks.generate.realism import Judge, Realism
from narrows.tasks.generate.rivals import RIVALS

Floats = NDArray[np.float64]

_ADULT = (
    *("age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship"),
    *("race", "sex", "capital-gain", "capital-loss", "hours", "country", "income"),
)
_LEARNT, _HELD = 8000, 2000  # rows of Adult; of another table a quarter is held out


class Result(NamedTuple):
    """What came of one table."""

    ours: Realism
    rivals: dict[str, Realism]
    real: Judge
    seconds: float


def generate(seed: int, quick: bool) -> Measured:
    """Draw rows of eleven tables; the median of ten areas of a classifier that tells them from rows held out.

    Competitors are a Gaussian copula, a tree of columns (Chow & Liu 1968) and columns drawn by themselves, on the same
    levels. Rows are drawn by ``narrows fit generate`` and ``narrows apply``, and read from ``samples.csv``.
    """
    tables = {"adult": _adult()} | {name: cells(name) for name in TABLES[: 1 if quick else None]}
    results = {}
    for name, table in tables.items():
        results[name] = _measured(table, seed, quick)
        print(f"  {_line(name, results[name])}", flush=True)
    adult, others = results["adult"], [results[name] for name in tables if name != "adult"]
    area = float(np.median([one.ours.area for one in others]))
    ours, everyone = [one.ours for one in others], list(results.values())
    also = {
        "adult": adult.ours.area,
        "adult, points lost": adult.ours.loss,
        "points lost": float(np.median([one.loss for one in ours])),
        "rows outside": float(sum(one.ours.outside for one in everyone)),
        "copies": float(sum(one.ours.copies for one in everyone)),
        "copies among held-out rows": float(sum(one.real.copies for one in everyone)),
        "distance": float(np.nanmedian([one.distance for one in ours])),
        "adult, seconds": adult.seconds,
    }
    for rival in RIVALS:
        also[rival.name] = float(np.median([one.rivals[rival.name].area for one in others]))
        also[f"adult, {rival.name}"] = adult.rivals[rival.name].area
    words = f"seed {seed}: median {area:.3f}, Adult {adult.ours.area:.3f}"
    return Measured(area, sum(one.seconds for one in everyone), words, also)


def _adult() -> pl.DataFrame:
    """Return the rows of Adult that are used, in a fixed order."""
    frame = pl.read_csv(folder("tables") / "adult-train.csv", has_header=False, new_columns=list(_ADULT))
    frame = frame.sample(_LEARNT + _HELD, seed=0, shuffle=True)
    text = pl.col(pl.String).str.strip_chars()
    return frame.with_columns(pl.when(text != "?").then(text).name.keep()).select(
        pl.col(name).cast(pl.Float64, strict=False) if _is_number(frame[name]) else pl.col(name) for name in _ADULT
    )


def _is_number(series: pl.Series) -> bool:
    return series.dtype.is_numeric() or series.str.strip_chars().cast(pl.Float64, strict=False).null_count() == 0


def _measured(table: pl.DataFrame, seed: int, quick: bool) -> Result:
    order = np.random.default_rng(seed).permutation(len(table))
    held = min(_HELD, len(table) // 4)
    real, train = table[order[:held]], table[order[held:]]
    levels = {c: table[c].drop_nulls().unique().sort().to_list() for c in table.columns if table[c].dtype == pl.String}
    learnt = _values(train, levels)
    judge = Judge([c in levels for c in table.columns]).fit(learnt, _values(real, levels))
    drawn, seconds = _drawn(train, judge.wanted, seed, quick)
    rng, rivals = np.random.default_rng(seed), {}
    whole = [bool((np.nan_to_num(column) == np.rint(np.nan_to_num(column))).all()) for column in learnt.T]
    cards = [Levels.of(column, ordered=c not in levels) for c, column in zip(table.columns, learnt.T, strict=True)]
    grid = Table([Measure("rounded" if one else "gaussian") for one in whole], cards)
    for rival in RIVALS:
        index = rival().fit(grid, grid.index(learnt), rng).sample(judge.wanted, rng)
        rivals[rival.name] = judge(grid.rows(index, rng))
    return Result(judge(_values(drawn, levels)), rivals, judge, seconds)


def _drawn(train: pl.DataFrame, n: int, seed: int, quick: bool) -> tuple[pl.DataFrame, float]:
    """Return the rows of ``samples.csv``, and the seconds of the fit and of drawing them."""
    with tempfile.TemporaryDirectory() as home, contextlib.redirect_stdout(io.StringIO()):
        data, run, out = (Path(home) / name for name in ("table.csv", "run", "out"))
        train.write_csv(data)
        fit = ["fit", "generate", str(data), "-o", str(run), "--quiet", "--random-state", str(seed)]
        apply = ["apply", str(run), "-o", str(out), "-n", str(n), "--random-state", str(seed)]
        started = time.perf_counter()
        for words in ([*fit, *(["--epochs", "2"] if quick else [])], apply):
            if main(words):
                raise RuntimeError(json.dumps(words))
        seconds = time.perf_counter() - started
        drawn = pl.read_csv(out / "samples.csv", schema_overrides=dict(train.schema), infer_schema_length=None)
    missing = [pl.lit(None, train.schema[c]).alias(c) for c in train.columns if c not in drawn.columns]
    return drawn.with_columns(missing).select(train.columns), seconds


def _values(frame: pl.DataFrame, levels: dict[str, list[str]]) -> Floats:
    """Return the cells as numbers, of a text the place of its level, NaN where they are missing."""
    columns = []
    for series in frame:
        if series.name in levels:
            places = {level: float(place) for place, level in enumerate(levels[series.name])}
            columns.append(np.array([places.get(cell, np.nan) for cell in series.to_list()]))
        else:
            columns.append(series.cast(pl.Float64).to_numpy())
    return np.stack(columns, 1)


def _line(name: str, result: Result) -> str:
    ours, n = result.ours, len(result.real.real)
    rivals = ", ".join(f"{rival} {one.area:.3f} (lost {one.loss:.1f})" for rival, one in result.rivals.items())
    words = f"{name}: area {ours.area:.3f}, lost {ours.loss:.1f}, outside {ours.outside}, copies {ours.copies} of {n}"
    return f"{words} (held out {result.real.copies}), distance {ours.distance:.2f}, {result.seconds:.0f} s; {rivals}"
