"""How new rows are judged: those of a table in four measures, others by how far they are from real ones."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from narrows import metrics
from narrows.estimator.inputs import unit
from narrows.holdout import Split
from narrows.tasks.base import Evaluation, Metric, Rows, pick
from narrows.tasks.generate.baselines import PCASampler
from narrows.tasks.generate.features import Features
from narrows.tasks.generate.figures import Sampler, drawn_pictures, marginals
from narrows.tasks.generate.levels import Table
from narrows.tasks.generate.realism import Judge, Realism, compare_areas
from narrows.tasks.generate.rivals import RIVALS

__all__ = ["codes_evaluation", "table_evaluation"]

_MAX_JUDGED_ROWS = 1000  # rows that are compared, of a table twice as many
_MIN_SPREAD = 0.5  # samples that vary less than half as much as the data are too much alike
_OURS, _SAME = "the autoencoder", "other training rows"
_TOLD = 0.75  # area from which on a classifier tells drawn rows well


def table_evaluation(task: Sampler, train: Rows, held: Rows) -> Evaluation:
    """Return how real new rows of a table are: told from real ones, of use, within the range, no copies."""
    held = pick(held, 2 * _MAX_JUDGED_ROWS)
    rng, seed = np.random.default_rng(task.estimator_.seed_), task.estimator_.seed_
    whole = Table.of(task.values(train.X), task.measures)
    table = Table(whole.measures, whole.levels)
    learnt, real = (table.values(task.values(rows.X)) for rows in (train, held))
    judge = Judge([measure.kind == "categorical" for measure in table.measures]).fit(learnt, real)
    ours = judge(table.values(task.values(task.sample(judge.wanted, random_state=seed))))
    judged: dict[str, Realism] = {}
    index = table.index(task.values(train.X))
    for rival in RIVALS:
        rows = table.rows(rival().fit(table, index, rng).sample(judge.wanted, rng), rng)
        judged[rival.name] = judge(table.values(rows))
    best = min(judged, key=lambda name: judged[name].area)
    shown = task.values(task.sample(len(real), random_state=seed))
    return Evaluation(
        _metrics(ours, len(real)),
        {name: {key: metric.value for key, metric in _metrics(one, len(real)).items()} for name, one in judged.items()},
        "area",
        best,
        len(real),
        compare_areas(ours, judged[best]),
        [marginals(np.nan_to_num(task.values(held.X)), np.nan_to_num(shown), held)],
        caveats=tuple(_words(ours, judge, held.split)),
    )


def _metrics(one: Realism, n: int) -> dict[str, Metric]:
    return {
        "area": Metric(one.area, "area of a classifier that tells drawn rows", "0.5: it cannot"),
        "loss": Metric(one.loss, "points lost by learning from drawn rows", "mean of the columns that are predicted"),
        "outside": Metric(one.outside / n, "share of drawn rows outside the range", "of the training rows"),
        "copies": Metric(one.copies / n, "share of drawn rows that are training rows"),
        "distance": Metric(one.distance, "distance to the nearest training row", "1: as of real rows", "higher"),
    }


def _words(ours: Realism, judge: Judge, split: Split) -> list[str]:
    """Return the measures beside the area in sentences."""
    n = len(judge.real)
    sentences = []
    if ours.area > _TOLD:
        sentences.append("Drawn rows are not like real ones: a classifier tells them apart.")
    if np.isfinite(ours.loss):
        way = "loses" if ours.loss > 0 else "gains"
        sentences.append(f"A model that learns from drawn rows {way} {abs(ours.loss):.1f} points on {split.word} rows.")
    outside = f"{ours.outside or 'No'} drawn row{'s' * (ours.outside > 1)} of {n:,}"
    sentences.append(f"{outside} hold{'s' * (ours.outside <= 1)} a value outside the range.")
    sentences.append(f"{ours.copies} of them copy a training row (of the {split.word} rows {judge.copies}).")
    if np.isfinite(ours.distance):
        sentences.append(f"To the nearest training row they are {ours.distance:.2f} times as far.")
    return sentences


def codes_evaluation(
    task: Sampler, train: Rows, held: Rows, more: Mapping[str, np.ndarray] | None = None
) -> Evaluation:
    """Return how far new rows are from ``held``, beside new rows on PCA codes and ``more`` rows of competitors."""
    held, word = pick(held, _MAX_JUDGED_ROWS), held.split.word
    truth, learnt = task.read(held.X), task.read(pick(train, 5000).X)
    n, draw = max(2, len(truth)), np.random.default_rng(task.estimator_.seed_)
    features = Features().fit(learnt)
    sets = {_OURS: task.read(task.sample(n, random_state=task.estimator_.seed_))}
    for parts in (1, None):
        sampler = PCASampler(parts, task.measures if task.draws_ else ()).fit(learnt)
        sets[sampler.name] = sampler.sample(n, draw)
    sets |= {name: task.read(rows) for name, rows in (more or {}).items()}
    sets[_SAME] = learnt[draw.permutation(len(learnt))[:n]]
    target = features(truth)
    features_of = {name: features(unit(rows).reshape(-1, *truth.shape[1:])) for name, rows in sets.items()}
    judged = {name: metrics.distances_of(rows, target, features.width) for name, rows in features_of.items()}
    ours, same = judged.pop(_OURS), judged.pop(_SAME)
    values = {
        "kernel": Metric(ours["kernel"], "kernel distance", f"squared; {features.name}"),
        "frechet": Metric(ours["frechet"], "Fréchet distance", f"squared; {features.name}"),
        "spread": Metric(ours["spread"], "spread of the samples", f"1: that of the {word} rows", "higher"),
        "floor": Metric(same["kernel"], f"kernel distance of {_SAME}", "what a perfect sampler has"),
    }
    best_baseline = min(judged, key=lambda name: judged[name]["kernel"])
    comparison = metrics.compare_kernel_distances(
        features_of[_OURS], features_of[best_baseline], target, features.width, held.clusters
    )
    shown = sets[_OURS].reshape(-1, *truth.shape[1:])
    pictures = drawn_pictures(task, learnt, train, held) if truth.ndim > 2 else [marginals(truth, shown, held)]
    notes = _notes(ours, held.split, task.estimator_)
    return Evaluation(values, judged, "kernel", best_baseline, len(truth), comparison, pictures, notes)


def _notes(ours: dict[str, float], split: Split, model: Any) -> list[str]:
    if ours["spread"] >= _MIN_SPREAD:
        return []
    sentence = f"The samples vary {ours['spread']:.0%} as much as the {split.word} rows: they are too much alike"
    cheaper = "--beta 0.5 or --free-bits 0.1, " if hasattr(model, "beta") else ""
    return [f"{sentence}. Try {cheaper}a smaller --latent-dim, or more epochs."]
