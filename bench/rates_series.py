"""False alarms of ``fit anomaly --time`` beside the rate that its report states, on stationary series of every kind.

``python bench/rates_series.py [--draws N] [--steps N] [--window N ...] [--kind NAME ...] [--epochs N]`` prints one line
per kind and window: the stated rate, the share of steps flagged in the held-out part and in fresh series, and that of
the phase with the most. A fresh series begins at another phase of the period, with noise of its own. No step is
anomalous.
"""

import argparse
import contextlib
import io
import json
import tempfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from narrows.cli import main as narrows

__all__ = ["rates"]

PHASES = (0.0, 0.125, 0.21, 0.5)  # of a period, at which fresh series begin


class Rate(NamedTuple):
    """Shares of steps that are flagged, of one draw."""

    stated: float
    held_out: float
    fresh: tuple[float, ...]  # by phase


def wave(period: float) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
    """Return a sine and its double frequency with white noise, as a function of time and draws."""

    def draw(time: np.ndarray, noise: np.random.Generator) -> np.ndarray:
        turn = 2 * np.pi * time / period
        return np.stack([np.sin(turn), 10 + np.cos(2 * turn)], axis=1) + 0.1 * noise.normal(size=(len(time), 2))

    return draw


def correlated(share: float) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
    """Return noise without a period, each step so many times the one before it plus a draw."""

    def draw(time: np.ndarray, noise: np.random.Generator) -> np.ndarray:
        steps = noise.normal(size=(len(time) + 500, 2))
        for before, after in pairwise(steps):
            after += share * before
        return steps[500:]

    return draw


KINDS = {
    "period 24": (24.0, wave(24)),
    "period 7": (7.0, wave(7)),
    "period 96": (96.0, wave(96)),
    "white noise": (1.0, correlated(0.0)),
    "noise, 0.9 of the last": (1.0, correlated(0.9)),
    "noise, 0.98 of the last": (1.0, correlated(0.98)),
}


def rates(kind: str, window: int, steps: int, seed: int, fresh: int = 500, *flags: str) -> Rate:
    """Fit to one drawn series and return the stated rate, and the shares flagged in the held-out part and afresh."""
    period, draw = KINDS[kind]
    with tempfile.TemporaryDirectory() as folder:
        data, run, out = (Path(folder) / name for name in ("series.csv", "run", "out"))
        write(draw(np.arange(steps), np.random.default_rng((seed, 0))), data)
        words = ["fit", "anomaly", str(data), "--time", "t", "--window", str(window), "-o", str(run), "--quiet"]
        called(*words, "--random-state", str(seed), *flags)
        flagged = pl.read_csv(run / "series_scores.csv").filter(pl.col("part") == "held-out")["flag"].mean()
        found = []
        for number, phase in enumerate(PHASES, 1):
            time = 7 * steps + round(phase * period) + np.arange(fresh)
            write(draw(time, np.random.default_rng((seed, number))), data)
            called("apply", str(run), str(data), "-o", str(out), "--overwrite")
            found.append(pl.read_csv(out / "series_scores.csv")["flag"].mean())
        stated = json.loads((run / "report.json").read_text(encoding="utf-8"))["flags"]["fpr"]
    return Rate(stated, flagged, tuple(found))


def write(values: np.ndarray, path: Path) -> None:
    """Write a series with whole numbers as times."""
    columns = {f"x{i}": column for i, column in enumerate(values.T)}
    pl.DataFrame({"t": np.arange(len(values)), **columns}).write_csv(path)


def called(*words: str) -> None:
    """Run a command that must succeed."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
        code = narrows([*words])
    if code:
        raise RuntimeError(said.getvalue())


def lines(kinds: list[str], windows: list[int], steps: int, draws: int, flags: list[str]) -> Iterator[str]:
    """Yield the table, one line per kind and window."""
    yield f"{'kind':24}{'window':>7}{'stated %':>10}{'held-out %':>12}{'fresh %':>9}{'+-':>6}{'most':>7}{'ratio':>7}"
    for kind in kinds:
        for window in windows:
            found = [rates(kind, window, steps, seed, 500, *flags) for seed in range(draws)]
            stated, held = (100 * np.mean([getattr(each, name) for each in found]) for name in ("stated", "held_out"))
            fresh = 100 * np.array([each.fresh for each in found])
            error = fresh.mean(1).std(ddof=1) / np.sqrt(draws) if draws > 1 else np.nan
            share = f"{stated:10.2f}{held:12.2f}{fresh.mean():9.2f}{error:6.2f}{fresh.mean(0).max():7.2f}"
            yield f"{kind:24}{window:7}{share}{fresh.mean() / stated:7.2f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--window", type=int, nargs="+", default=[16, 48, 64])
    parser.add_argument("--kind", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--epochs", type=int, help="of training; none: the default, which takes a minute a draw")
    asked = parser.parse_args()
    flags = [] if asked.epochs is None else ["--epochs", str(asked.epochs)]
    for line in lines(asked.kind, asked.window, asked.steps, asked.draws, flags):
        print(line, flush=True)


if __name__ == "__main__":
    main()
