"""What scores of a series are worth: beside simple competitors, on labelled intervals or on planted ones."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from narrows import conformal, metrics
from narrows.baselines.series import MovingFilter
from narrows.conformal import Threshold
from narrows.data.series import drawn_starts, step_means, window_starts, windows_at
from narrows.holdout import Role
from narrows.tasks.anomaly.baselines import PCAResidual, rolling_z
from narrows.tasks.anomaly.dependence import correlation_time, independent
from narrows.tasks.anomaly.evaluate import flags_of
from narrows.tasks.anomaly.outliers import teaching, trusted
from narrows.tasks.base import Evaluation, Metric, Picture

__all__ = ["DividedSeries", "evaluation", "plant", "smoothed", "smoothing", "step_threshold", "stretches"]

Baseline = Callable[[np.ndarray], np.ndarray]  # values (m, c) to the score of every step, (m,)

_OURS = "the autoencoder"
_MAX_WINDOWS = 5000  # windows that principal components are fitted on
_SMOOTHED_SHARE = 8  # windows are so many times as long as what a score is averaged over


@dataclass(frozen=True)
class DividedSeries:
    """Series (m, c), one after the other, in three parts: 0 is learnt from, 1 sets the threshold, 2 is measured on."""

    values: np.ndarray
    pieces: np.ndarray
    part: np.ndarray
    window: int
    groups: np.ndarray  # where the columns of each channel begin
    names: Sequence[str]  # of the channels
    times: np.ndarray  # of the steps
    labels: np.ndarray | None  # which steps are anomalous; None: nobody says
    series: np.ndarray  # the number of each step's series
    series_names: Sequence[str]


def smoothing(window: int) -> int:
    """Return over how many steps squared scores are averaged: an odd number, about an eighth of a window.

    Examples
    --------
    >>> smoothing(64), smoothing(16), smoothing(4)
    (9, 3, 1)
    """
    return window // _SMOOTHED_SHARE | 1


def smoothed(squares: np.ndarray, pieces: np.ndarray, part: np.ndarray, width: int) -> np.ndarray:
    """Return squared scores (m, k) averaged over ``width`` steps of one piece and one part of the time; NaN stays.

    Examples
    --------
    >>> one = np.zeros(4, int)
    >>> smoothed(np.array([[0.0], [3.0], [6.0], [np.nan]]), one, one, 3).ravel().tolist()
    [1.0, 3.0, 5.0, nan]
    """
    runs = np.where(np.isfinite(squares[:, 0]), len(Role) * pieces + part, -1)
    return MovingFilter("average", width).denoise(squares, runs)


def step_threshold(
    scores: np.ndarray, series: np.ndarray, *, clean: bool, exceeded: float | None
) -> tuple[Threshold, int]:
    """Return the threshold that ordinary steps (m,) of some series set, and how many lie apart from all others.

    Neighbours are alike, so that only as many scores are kept as are independent, and as many in proportion apart.
    """
    calibration = _calibration(scores, clean=clean)
    rows = [scores[series == one] for one in np.unique(series)]
    time = float(np.average([correlation_time(row) for row in rows], weights=[len(row) for row in rows]))
    n_apart = len(scores) - len(calibration)
    return Threshold("step", independent(calibration, time), math.ceil(n_apart / time), exceeded), n_apart


def evaluation(
    task: Any,
    threshold: Threshold,
    series: DividedSeries,
    score: Callable[[np.ndarray], np.ndarray],
    *,
    n_left_out: int,
) -> Evaluation:
    """Return how well anomalous steps of the last part are told, beside a rolling z-score and PCA of windows.

    All learn from the same steps, and their thresholds come from the same steps, each without what it finds far outside
    as the detector does; ``score`` gives (m, channels). ``n_left_out`` windows and steps are said to be left out.
    """
    real, labels = score(series.values), series.labels
    labelled = labels is not None and 0 < labels[series.part == 2].sum() < (series.part == 2).sum()
    kind = "anomalous steps" if labelled else "planted anomalies"
    baselines = _baselines(series, task.seed_, clean=task.clean)
    scores, marks = _scores(real, baselines, series.values), np.asarray(labels)
    if not labelled:
        scores, marks = _with_planted(scores, series, score, baselines)
    known = np.isfinite(scores[_OURS])
    held, aside = known & (series.part == 2), known & (series.part == 1) & (marks == 0)
    truth = marks[held]
    calibrations = {name: _calibration(scores[name][aside], clean=task.clean) for name in baselines}
    limits = {name: conformal.threshold(calibration, threshold.rate) for name, calibration in calibrations.items()}
    limits[_OURS] = threshold.limit
    numbers = {name: _numbers(truth, strange[held], limits[name]) for name, strange in scores.items()}
    ours = numbers.pop(_OURS)
    best = max(numbers, key=lambda name: numbers[name]["auroc"])
    flags = scores[_OURS][held] > threshold.limit
    metric = {
        "auroc": Metric(ours["auroc"], f"area under the ROC curve, {kind}", "", "higher"),
        "average precision": Metric(ours["average precision"], f"average precision, {kind}", "", "higher"),
        "f1": Metric(ours["f1"], f"F1 of the flag, {kind}", "", "higher"),
        "false alarms": Metric(float(flags[truth == 0].mean()), "share of ordinary steps flagged", "", "lower"),
    }
    shown = {name: strange[held] for name, strange in scores.items()}
    clusters = stretches(np.flatnonzero(held), truth, series.window)
    comparison = metrics.compare_aurocs(truth, shown[_OURS], shown[best], clusters)
    pictures = _pictures(series, real, threshold.limit, truth, shown, kind)
    judged = {"" if name == _OURS else name: strange for name, strange in shown.items()}
    record = flags_of(threshold, truth, judged, calibrations, drawn=("scores", "series"))
    notes = [*_notes(task, threshold, labelled, int(aside.sum()), n_left_out), record["said"]]
    measured = Evaluation(metric, numbers, "auroc", best, int(held.sum()), comparison, pictures, notes, flags=record)
    return replace(measured, unit="step", piece="window")


def plant(series: DividedSeries, seed: int) -> tuple[DividedSeries, np.ndarray]:
    """Return the series with anomalous intervals in its last part, and which steps they are.

    Every second window has one, a quarter of a window long, in one column: in turn a shift by two standard deviations,
    a value that stays, and a stretch of the column from another time.
    """
    draw, values = np.random.default_rng(seed), series.values.copy()
    marks = np.zeros(len(values), int)
    starts = window_starts(np.where(series.part == 2, series.pieces, -1 - np.arange(len(values))), series.window)
    length, last, kind = max(2, series.window // 4), -1, 0
    spread_of = np.maximum(series.values.std(0), 1e-9)
    varying = np.flatnonzero(np.ptp(series.values[series.part == 0], axis=0) > 0)
    for start in starts:
        if start < last:
            continue
        low = start + int(draw.integers(0, series.window - length + 1))
        some, column = slice(low, low + length), int(varying[draw.integers(len(varying))])
        other = int(starts[draw.integers(len(starts))])
        anomalies = (
            values[some, column] + 2 * draw.choice([-1.0, 1.0]) * spread_of[column],
            np.full(length, values[low, column]),
            series.values[other : other + length, column],
        )
        values[some, column], marks[some] = anomalies[kind % 3], 1
        last, kind = start + 2 * series.window, kind + 1
    return replace(series, values=values), marks


def _calibration(strange: np.ndarray, *, clean: bool) -> list[float]:
    """Return the sorted scores that set a threshold: without those far outside, unless all are known to be ordinary.

    For a competitor all of them count, dependent ones too: nobody states its rate, and of few it could flag nothing.
    """
    calibration: list[float] = np.sort(strange if clean else strange[trusted(strange)]).tolist()
    return calibration


def _scores(parts: np.ndarray, baselines: Mapping[str, Baseline], values: np.ndarray) -> dict[str, np.ndarray]:
    """Return the score of every step of a series, ours from those of its channels ``parts``, and the competitors'."""
    return {_OURS: np.sqrt(np.square(parts).sum(1))} | {name: baseline(values) for name, baseline in baselines.items()}


def _with_planted(
    scores: Mapping[str, np.ndarray],
    series: DividedSeries,
    score: Callable[[np.ndarray], np.ndarray],
    baselines: Mapping[str, Baseline],
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return scores of planted steps, beside those that ordinary steps have without them, and which are planted.

    Windows spread what is planted over its neighbours, which would count as false alarms there.
    """
    planted, marks = plant(series, 0)
    strange = _scores(score(planted.values), baselines, planted.values)
    return {name: np.where(marks == 1, strange[name], ordinary) for name, ordinary in scores.items()}, marks


def _baselines(series: DividedSeries, seed: int, *, clean: bool) -> dict[str, Baseline]:
    """Return the competitors, which give values (m, c) at the steps of the series their scores (m,)."""

    def rolling(values: np.ndarray) -> np.ndarray:
        return np.asarray(rolling_z(values, series.pieces, series.window).max(1))

    odd = np.zeros(len(series.values), bool) if series.labels is None else np.asarray(series.labels) > 0
    return {"a rolling z-score": rolling, "PCA of windows": _principal(series, odd, seed, clean=clean)}


def _principal(series: DividedSeries, odd: np.ndarray, seed: int, *, clean: bool) -> Baseline:
    """Return what principal components of windows miss, step by step, learnt from windows without odd steps."""
    starts = window_starts(3 * series.pieces + series.part, series.window)
    plain = starts[(series.part[starts] == 0) & ~odd[starts[:, None] + np.arange(series.window)].any(1)]
    learnt = windows_at(series.values, drawn_starts(plain, _MAX_WINDOWS, seed), series.window).astype(np.float64)
    learnt = learnt.reshape(len(learnt), -1)
    model = PCAResidual().fit(learnt)
    if not clean:
        model = PCAResidual().fit(learnt[teaching(model.score(learnt))])

    def missed(windows: np.ndarray, _: np.ndarray) -> np.ndarray:
        rest = windows.reshape(len(windows), -1) - model.mean_
        return np.asarray(np.square(rest - rest @ model.axes_.T @ model.axes_).reshape(windows.shape), np.float64)

    def residual(values: np.ndarray) -> np.ndarray:
        starts = window_starts(series.pieces, series.window)
        squares = step_means(values, starts, series.part, series.window, missed).sum(1, keepdims=True)
        width = smoothing(series.window)
        return np.asarray(np.sqrt(smoothed(squares, series.pieces, series.part, width))[:, 0])

    return residual


def _numbers(labels: np.ndarray, score: np.ndarray, limit: float) -> dict[str, float]:
    return {
        "auroc": metrics.auroc(labels, score),
        "average precision": metrics.average_precision(labels, score),
        "f1": metrics.f1(labels, score > limit),
    }


def stretches(steps: np.ndarray, labels: np.ndarray, window: int) -> np.ndarray:
    """Return to which stretch each judged step belongs, as neighbours are not independent of each other.

    An anomalous interval is one stretch, however long; ordinary steps are cut into stretches of two windows.
    """
    begins = (np.diff(steps, prepend=-2) > 1) | (np.diff(labels, prepend=-1) != 0)
    interval = np.cumsum(begins) - 1
    place = np.arange(len(steps)) - np.flatnonzero(begins)[interval]
    piece = np.where(labels == 1, 0, place // (2 * window))
    return np.asarray(interval * (len(steps) + 1) + piece)


def _notes(task: Any, threshold: Threshold, labelled: bool, steps: int, n_left_out: int) -> list[str]:
    notes = [
        f"A window's score is its distance to the mean of the {task.neighbours} nearest windows of the fit, in what "
        f"the autoencoder makes of it and, {task.weight:g} times, in what it misses. A step has, squared, the mean of "
        "what its windows say of it and of its neighbours, about an eighth of a window in all."
    ]
    if not labelled:
        notes.append(
            "No labelled anomalies came in the last part, so the comparison is on planted ones: in every second window "
            "a quarter is shifted by two standard deviations, frozen, or taken from another time, in one channel. "
            "Ordinary steps are scored without them. Real anomalies may be of another kind."
        )
    notes.append(
        f"Steps are like their neighbours: the {steps} steps that set the threshold tell as much as "
        f"{len(threshold.calibration)} independent ones, and count as so many. Later times may differ from earlier "
        "ones: the rate of false alarms is that of times like these, and no promise for others. If there are "
        "unlabelled anomalies among them, less is flagged."
    )
    if n_left_out:
        notes.append(f"{n_left_out} windows or steps far from all others were left out, as they may be anomalies.")
    return notes


def _pictures(
    series: DividedSeries,
    real: np.ndarray,
    limit: float,
    labels: np.ndarray,
    scores: dict[str, np.ndarray],
    kind: str,
) -> list[Picture]:
    total = np.sqrt(np.square(real).sum(1))
    one = int(series.series[np.nanargmax(np.where(series.part == 2, total, np.nan))])
    drawn = series.series == one
    data = {
        "times": series.times[drawn],
        "values": series.values[np.ix_(drawn, series.groups)],
        "scores": total[drawn],
        "channels": real[drawn],
        "names": tuple(series.names),
        "threshold": limit,
        "pieces": series.pieces[drawn],
        "parts": series.part[drawn],
    }
    caption = "Standardised channels and the score of every step; shaded where a step is flagged. Dotted: the parts."
    if len(series.series_names) > 1:
        caption += f" Of {series.series_names[one]!r}, the series with the strangest step of the last part."
    some = {"scores": scores[_OURS], "labels": labels, "threshold": limit, "anomalous": kind, "unit": "step"}
    return [
        Picture("series", "The series", caption, data),
        Picture("scores", "Scores", f"Steps of the last part: ordinary ones and {kind}.", some),
        Picture(
            "roc",
            "Detected against false alarms",
            f"Steps of the last part, {kind}.",
            {"labels": labels, "scores": scores, "unit": "step"},
        ),
    ]
