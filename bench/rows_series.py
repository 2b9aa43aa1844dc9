"""A quality row about series: labelled intervals of the Numenta Anomaly Benchmark, and a plant of six channels."""

import contextlib
import io
import json
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from common import Measured, folder
from sklearn.ensemble import IsolationForest

from narrows import metrics
from narrows.cli import main as narrows
from narrows.data import read
from narrows.data.series import drawn_starts, step_means, window_starts, windows_at
from narrows.data.tables.timeline import Timeline, timeline
from narrows.tasks.anomaly.baselines import PCAResidual, rolling_z

_WINDOW, _LEARNT = 64, 0.6  # steps, and the share of the time that is learnt from
_MAX_WINDOWS = 20_000  # that are learnt from
_QUICK_STEPS = 1500  # of the made series


def series(seed: int, quick: bool) -> Measured:
    """Anomalous steps of five NAB series and a made one: mean area under the ROC curve above the best competitor's.

    All learn from the first 60 % of the time, whatever is labelled there, and are measured on the steps after it, which
    are anomalous inside NAB's windows. Windows have 64 steps, and a step has the mean of those that cover it. Narrows
    says which of a window's steps are strange; NAB labels long intervals around them, so that its scores stand here a
    second time as those of the competitors, by whole windows. The value is of the first. How far scores are averaged
    was chosen on anomalies planted where nothing is labelled.
    """
    home = folder("nab")
    labels = json.loads((home / "windows.json").read_text(encoding="utf-8"))
    areas: list[dict[str, float]] = []
    said, started = [], time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        files = [(home / name, "timestamp", intervals) for name, intervals in sorted(labels.items())]
        plant_file = Path(scratch, "plant.csv")
        files.append((plant_file, "timestamp", plant(plant_file, seed, _QUICK_STEPS if quick else 6000)))
        for path, column, intervals in files[-1:] if quick else files:
            line = timeline(read(str(path)), column, (), _WINDOW // 8)
            anomalous = inside(line.stamps, intervals)
            late = line.times >= line.steps.times[int(_LEARNT * len(line.steps))]
            own = ours(path, column, Path(scratch, "run"), seed, quick)
            smooth = by_windows(line, own[line.steps.low][:, None], lambda rows: np.square(rows).mean(1))
            scores = {"narrows": own, "narrows, mean of windows": smooth, **competitors(line, seed)}
            known = late & np.all([np.isfinite(score) for score in scores.values()], axis=0)
            areas.append({name: 100 * metrics.auroc(anomalous[known], s[known]) for name, s in scores.items()})
            said.append(f"{path.stem} " + ", ".join(f"{name} {area:.1f}" for name, area in areas[-1].items()))
    also = {name: float(np.mean([area[name] for area in areas])) for name in areas[0]}
    best = max(mean for name, mean in also.items() if not name.startswith("narrows"))
    means = [f"{name} {mean:.1f}" for name, mean in also.items()]
    public = [f"{name} {np.mean([area[name] for area in areas[:-1] or areas]):.1f}" for name in also]
    text = f"seed {seed}: {', '.join(means)}; without the plant {', '.join(public)} ({'; '.join(said)})"
    return Measured(also["narrows"] - best, time.perf_counter() - started, text, also)


def inside(stamps: pl.Series, intervals: list[list[str]]) -> np.ndarray:
    """Return which times lie in an interval."""
    ends = pl.Series([end for pair in intervals for end in pair]).str.slice(0, 19).str.to_datetime(time_unit="us")
    marks = [stamps.is_between(low, high).to_numpy() for low, high in zip(ends[::2], ends[1::2], strict=True)]
    return np.any(marks, axis=0)


def ours(path: Path, column: str, run: Path, seed: int, quick: bool) -> np.ndarray:
    """Return the scores of ``narrows fit anomaly`` with its defaults; NaN where there is none."""
    words = ["fit", "anomaly", str(path), "--time", column, "-o", str(run), "--overwrite", "--quiet"]
    words += ["--random-state", str(seed), *(["--epochs", "1"] if quick else [])]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as heard:
        code = narrows(words)
    if code:
        raise RuntimeError(heard.getvalue())
    return pl.read_csv(run / "series_scores.csv")["score"].cast(pl.Float64).fill_null(np.nan).to_numpy()


def competitors(line: Timeline, seed: int) -> dict[str, np.ndarray]:
    """Return the scores that the competitors give to rows, on the same steps and windows."""
    steps = line.steps
    values = steps.at(line.source.frame.to_numpy().astype(np.float64))
    part = (np.arange(len(steps)) >= int(_LEARNT * len(steps))).astype(int)
    values = (values - values[part == 0].mean(0)) / np.maximum(values[part == 0].std(0), 1e-9)
    starts = window_starts(2 * steps.pieces + part, _WINDOW)
    learnt = windows_at(values, drawn_starts(starts[part[starts] == 0], _MAX_WINDOWS, seed), _WINDOW)
    examined: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "PCA of windows": PCAResidual().fit(learnt.reshape(len(learnt), -1).astype(np.float64)).score,
        "isolation forest": _forest(learnt.reshape(len(learnt), -1), seed),
        "matrix profile": lambda rows: _profile(rows.reshape(len(rows), *learnt.shape[1:]), learnt),
    }
    scores = {"rolling z": rolling_z(values, steps.pieces, _WINDOW).max(1)[steps.of_row]}
    return scores | {name: by_windows(line, values, score) for name, score in examined.items()}


def by_windows(line: Timeline, values: np.ndarray, score: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return the mean score of the windows of values (m, c) that cover the step of a row, after the learnt part."""
    part = (np.arange(len(values)) >= int(_LEARNT * len(values))).astype(int)
    starts = window_starts(line.steps.pieces, _WINDOW)

    def examine(windows: np.ndarray, _: np.ndarray) -> np.ndarray:
        return np.repeat(score(windows.reshape(len(windows), -1))[:, None, None], _WINDOW, axis=1)

    means = step_means(values, starts[part[starts + _WINDOW - 1] == 1], part, _WINDOW, examine)
    return means[line.steps.of_row, 0]


def _forest(rows: np.ndarray, seed: int) -> Callable[[np.ndarray], np.ndarray]:
    model = IsolationForest(random_state=seed).fit(rows)
    return lambda windows: -model.score_samples(windows)


def _profile(windows: np.ndarray, learnt: np.ndarray) -> np.ndarray:
    """Return the matrix profile of windows against those learnt from: the distance to the nearest, each channel scaled.

    Every channel of a window has mean 0 and deviation 1 (Yeh et al. 2016); of several channels squared distances add
    up (all dimensions of Yeh, Kavantzas and Keogh 2017).
    """
    ours, theirs = (_scaled(rows).reshape(len(rows), -1) for rows in (windows, learnt))
    squares = np.square(theirs).sum(1)
    nearest = [
        (squares - 2 * part @ theirs.T).min(1) + np.square(part).sum(1)
        for part in np.array_split(ours, max(1, len(ours) // 500))
    ]
    return np.asarray(np.sqrt(np.maximum(np.concatenate(nearest), 0)))


def _scaled(windows: np.ndarray) -> np.ndarray:
    rest = windows - windows.mean(1, keepdims=True)
    return np.asarray(rest / np.maximum(windows.std(1, keepdims=True), 1e-2), np.float32)


def plant(path: Path, seed: int, n: int = 6000) -> list[list[str]]:
    """Write a plant of six channels, and return its anomalies: six intervals of 40 steps after 65 % of the time.

    A load with a daily and a half-daily period and noise of memory 0.95 drives flow, pressure, temperature (which lags
    by 12 steps), power and two valves. In an interval temperature no longer follows, flow is frozen, pressure and power
    are swapped, the lag is gone, a valve hunts, or pressure drifts by two deviations.
    """
    draw, t = np.random.default_rng((seed, 6)), np.arange(n + 12)
    noise = draw.normal(size=n + 12)
    for i in range(1, n + 12):
        noise[i] += 0.95 * noise[i - 1]
    load = np.sin(2 * np.pi * t / 96) + 0.4 * np.sin(4 * np.pi * t / 96 + 1) + 0.15 * noise
    now, lagged = load[12:], load[:-12]
    channels = np.stack([now, 0.5 * now**2, lagged, now + 0.3 * lagged, np.tanh(2 * now), np.tanh(-2 * now)], axis=1)
    channels += 0.05 * draw.normal(size=channels.shape)
    start, intervals = datetime(2024, 1, 1), []
    for kind, low in enumerate(np.linspace(0.65 * n, 0.95 * n, 6).astype(int)):
        some = slice(low, low + 40)
        match kind:
            case 0:
                channels[some, 2] = channels[low - 400 : low - 360, 2]
            case 1:
                channels[some, 0] = channels[low, 0]
            case 2:
                channels[some, [1, 3]] = channels[some, [3, 1]]
            case 3:
                channels[some, 2] = now[some]
            case 4:
                channels[some, 4] += 0.4 * np.sin(np.arange(40))
            case _:
                channels[some, 1] += np.linspace(0, 2 * channels[:, 1].std(), 40)
        intervals.append([str(start + timedelta(minutes=15 * int(place))) for place in (low, low + 39)])
    stamps = [start + timedelta(minutes=15 * i) for i in range(n)]
    names = ("flow", "pressure", "temperature", "power", "valve_in", "valve_out")
    pl.DataFrame({"timestamp": stamps, **dict(zip(names, channels.T, strict=True))}).write_csv(path)
    return intervals
