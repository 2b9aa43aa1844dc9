"""What an anomaly detector is worth: beside simple competitors, on labelled anomalies or on planted ones."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from narrows import conformal, metrics
from narrows.conformal import Threshold, tally
from narrows.data.scale import Scale
from narrows.errors import InputError
from narrows.tasks.anomaly.baselines import ANOMALY_BASELINES
from narrows.tasks.anomaly.labels import ACCEPTED, strange_names
from narrows.tasks.anomaly.outliers import MOST, teaching
from narrows.tasks.base import Evaluation, Metric, Picture, Rows, pick, unit

__all__ = ["evaluation", "flags_of", "planted"]

_MAX_TRAIN_ROWS, _MAX_ROWS_SHOWN = 20_000, 20  # rows that competitors are fitted on; rows whose columns are shown


class Detector(Protocol):
    """What is asked of a fitted detector to measure it and its competitors."""

    clean: bool
    neighbours: int
    weight: float
    input_scale_: Any
    n_apart_: int
    n_labelled_: int
    n_set_aside_: int
    share_apart_: float

    @property
    def threshold_(self) -> Threshold:
        """The threshold of its rows."""

    def score_samples(self, X: Any) -> np.ndarray:
        """Return the higher, the more ordinary."""

    def standard(self, X: Any) -> np.ndarray:
        """Return rows standardised."""

    def parts(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return which of so many rows are learnt from, and which set the threshold."""

    def trusted(self, learnt: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, float]:
        """Return which rows set a threshold, and the share of those apart."""

    def explain(self, X: Any) -> Any:
        """Return what every column adds to the score."""


def evaluation(detector: Detector, train: Rows, held: Rows) -> Evaluation:
    """Return area under the ROC curve, average precision and F1 at the flag, of the detector and its competitors.

    Competitors learn from the same rows as the detector, each without what it finds far outside, as the detector does;
    their thresholds come from the same rows.
    """
    held, left_out = _labelled(held)
    train = _ordinary(train)
    rows, labels, notes = _judged(held, Scale.kept(detector.input_scale_, held.X))
    notes = left_out + notes
    score = -detector.score_samples(rows)
    flags = score > detector.threshold_.limit
    ours = _numbers(labels, score, flags)
    theirs, others, aside = _competitors(detector, train, rows, labels)
    best_baseline = max(theirs, key=lambda name: theirs[name]["auroc"])
    kind = "anomalies" if held.labels is not None and len(np.unique(held.labels)) == 2 else "planted anomalies"
    metric = {
        "auroc": Metric(ours["auroc"], f"area under the ROC curve, {kind}", "", "higher"),
        "average precision": Metric(ours["average precision"], f"average precision, {kind}", "", "higher"),
        "f1": Metric(ours["f1"], f"F1 of the flag, {kind}", "", "higher"),
        "false alarms": Metric(float(flags[labels == 0].mean()), "share of ordinary rows flagged", "", "lower"),
    }
    comparison = metrics.compare_aurocs(labels, score, others[best_baseline])
    pictures = _pictures(detector, held, rows, labels, {"the autoencoder": score, **others}, kind)
    record = flags_of(detector.threshold_, labels, {"": score, **others}, aside, drawn=("scores",))
    notes += _notes(detector, record["said"])
    return Evaluation(
        metric, theirs, "auroc", best_baseline, held.X.shape[0], comparison, pictures, notes, flags=record
    )


def flags_of(
    threshold: Threshold,
    labels: np.ndarray,
    scores: Mapping[str, np.ndarray],
    aside: Mapping[str, Sequence[float]],
    *,
    drawn: Sequence[str],
) -> dict[str, Any]:
    """Return what a report keeps so that it can follow another threshold.

    ``scores`` are those that are judged, of the detector (named "") and of its competitors; ``aside`` are the sorted
    scores that set the competitors' thresholds; ``drawn`` are the figures that show the threshold.
    """
    fpr = None if threshold.contamination is not None else threshold.rate
    calibrations = {"": threshold.calibration, **aside}
    counts = {name: tally(labels.tolist(), score.tolist(), calibrations[name]) for name, score in scores.items()}
    figures = [f"figures/{name}.png" for name in drawn]
    return {"said": threshold.rule(), "unit": threshold.unit, "fpr": fpr, "drawn": figures, "counts": counts}


def planted(X: np.ndarray, seed: int) -> np.ndarray:
    """Return as many anomalies as rows, each made from one: a third of the columns from other rows, or one far out.

    Columns that are constant stay so, where others are not.

    Every second row gets a third of its columns from a row each of which is ordinary by itself; the others get one
    column moved by 3 to 6 standard deviations.

    Examples
    --------
    >>> rows = np.arange(12.0).reshape(4, 3)
    >>> made = planted(rows, 0)
    >>> made.shape, bool((made != rows).any(axis=1).all())
    ((4, 3), True)
    """
    draw, flat = np.random.default_rng(seed), np.array(X.reshape(len(X), -1), np.float64)
    n, d = flat.shape
    spread = flat.std(0)
    if (spread == 0).any() and (spread > 0).any():
        flat[:, spread > 0] = planted(flat[:, spread > 0], seed)
        return flat.reshape(X.shape)
    spread = np.where(spread > 0, spread, 1.0)
    anomalies, line = flat.copy(), np.arange(n)
    swapped = (line % 2 == 0) & (d > 1)
    ranks = draw.random((n, d)).argsort(1)
    other = flat[(line + draw.integers(1, max(2, n), n)) % n]
    chosen = swapped[:, None] & (ranks < max(1, d // 3))
    anomalies[chosen] = other[chosen]
    far = ~swapped | (anomalies == flat).all(1)
    column = ranks[:, 0]
    moved = draw.choice([-1.0, 1.0], n) * draw.uniform(3, 6, n) * spread[column]
    anomalies[line[far], column[far]] += moved[far]
    return anomalies.reshape(X.shape)


def _labelled(held: Rows) -> tuple[Rows, list[str]]:
    """Return the rows that have a label, where some have; all of them where none has."""
    known = np.ones(0, bool) if held.labels is None else np.asarray(held.labels) >= 0
    if known.all():
        return held, []
    if not known.any():
        return held._replace(labels=None), []
    note = f"{int((~known).sum())} of {len(known)} {held.split.word} rows have no label and are not judged."
    return held._replace(X=held.X[known], labels=np.asarray(held.labels)[known]), [note]


def _judged(held: Rows, scale: Scale) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return rows with 0 for ordinary and 1 for anomalous, and what there is to say of them."""
    rows = unit(held.X)
    if held.labels is not None and len(np.unique(held.labels)) == 2:
        return rows, _strange(held), []
    anomalies = planted(rows, 0).astype(rows.dtype)
    if rows.ndim > 2:
        anomalies = np.clip(anomalies, *scale.ends)
    note = (
        f"No labelled anomalies came, so the comparison is on planted ones: copies of the {held.split.word} rows, half "
        "of them with a third of their columns taken from another row, half with one column moved by 3 to 6 standard "
        "deviations. Real anomalies may be of another kind."
    )
    labels = np.repeat([0, 1], len(rows))
    return np.concatenate([rows, anomalies]), labels, [note]


def _ordinary(train: Rows) -> Rows:
    """Return the rows that labels do not call anomalous: a detector learns from no others, nor do its competitors."""
    if train.labels is None:
        return train
    known = np.asarray(train.labels) >= 0
    labels, strange = np.asarray(train.labels)[known], np.zeros(len(known), bool)
    if known.any():
        strange[known] = _strange(train._replace(labels=labels)) == 1
    return train._replace(X=train.X[~strange], labels=None)


def _strange(rows: Rows) -> np.ndarray:
    """Return 1 for the rows that their labels call anomalous, 0 for the others."""
    if rows.class_names:  # all of them: 1 beside -1 is ordinary, also where no row is -1
        names, places = list(rows.class_names), np.asarray(rows.labels)
    else:
        values, places = np.unique(np.asarray(rows.labels), return_inverse=True)
        names = values.tolist()
    strange = strange_names(names)
    if strange is None:
        shown = " and ".join(repr(name) for name in names[:2])
        raise InputError(f"Labels {shown} do not say which is anomalous", ACCEPTED)
    marks: np.ndarray = np.array(strange, int)[places]
    return marks


def _competitors(
    detector: Detector, train: Rows, rows: np.ndarray, labels: np.ndarray
) -> tuple[dict[str, dict[str, float]], dict[str, np.ndarray], dict[str, list[float]]]:
    """Return the measures of the competitors, their scores, and the sorted scores that set their thresholds."""
    whole = unit(train.X)
    learnt = detector.standard(whole).reshape(len(whole), -1)
    learn, places = detector.parts(len(learnt))[:2]
    few = learnt[learn] if len(learn) <= _MAX_TRAIN_ROWS else learnt[learn][:: -(-len(learn) // _MAX_TRAIN_ROWS)]
    places = places[detector.trusted(whole[learn], whole[places])[0]]
    judged, calibrating = detector.standard(rows).reshape(len(rows), -1), learnt[places]
    numbers, scores, calibration = {}, {}, {}
    few, judged, calibrating = (part.astype(np.float64) for part in (few, judged, calibrating))
    for make in ANOMALY_BASELINES:
        model = make().fit(few)
        if not detector.clean:
            model = make().fit(few[teaching(model.score(few))])
        scores[make.name] = score = model.score(judged)
        calibration[make.name] = np.sort(model.score(calibrating)).tolist()
        limit = conformal.threshold(calibration[make.name], detector.threshold_.rate)
        numbers[make.name] = _numbers(labels, score, score > limit)
    return numbers, scores, calibration


def _numbers(labels: np.ndarray, score: np.ndarray, flags: np.ndarray) -> dict[str, float]:
    return {
        "auroc": metrics.auroc(labels, score),
        "average precision": metrics.average_precision(labels, score),
        "f1": metrics.f1(labels, flags),
    }


def _notes(detector: Detector, rule: str) -> list[str]:
    """Return what the score is, what the threshold is, and which rows were set aside."""
    notes = [
        f"The score is the distance to the mean of the {detector.neighbours} nearest rows of the fit, in what the "
        f"autoencoder makes of the rows (density in code space) and, {detector.weight:g} times, in what it misses of "
        "them (reconstruction error).",
        rule,
    ]
    if detector.n_labelled_:
        notes.append(f"{detector.n_labelled_} rows labelled as anomalous were left out of training.")
    untrained = detector.n_set_aside_ - detector.n_apart_
    if untrained:
        one = untrained == 1
        rows, verb = ("1 row", "was") if one else (f"{untrained} rows", "were")
        reason = "it may be an anomaly" if one else "they may be anomalies"
        notes.append(
            f"{rows} far from all others {verb} left out of training, as {reason}. The rate of false alarms does not "
            "depend on it."
        )
    if detector.share_apart_ > MOST:
        notes.append(
            f"{detector.share_apart_:.1%} of the rows lie apart from all others: more than {MOST:.1%}, which may be "
            "anomalies, so they count as ordinary, and rows like them are not flagged. If they are anomalies, label "
            "them."
        )
    if not detector.clean:
        notes.append(
            f"The rate holds where no row put aside is an anomaly, or at most {MOST:.1%} of the rows are anomalies and "
            "these lie apart from all others; where they do not, fewer rows are flagged. If all rows are known to be "
            "ordinary, say so (clean): then none is left out."
        )
    return notes


def _pictures(
    detector: Detector,
    held: Rows,
    rows: np.ndarray,
    labels: np.ndarray,
    scores: dict[str, np.ndarray],
    kind: str,
) -> list[Picture]:
    ours = scores["the autoencoder"]
    data: dict[str, Any] = {"scores": ours, "labels": labels, "threshold": detector.threshold_.limit, "anomalous": kind}
    word = held.split.word
    caption = f"{word.capitalize()} ordinary rows and {kind}; to the right of the line is flagged."
    areas = {"labels": labels, "scores": scores}
    shown = [
        Picture("scores", "Scores", caption, data),
        Picture("roc", "Detected against false alarms", f"{word.capitalize()} rows, {kind}.", areas),
    ]
    if rows.ndim == 2 and rows.shape[1] > 1:
        real = slice(0, held.X.shape[0])  # planted rows follow: what is strange in them is no news
        strangest = rows[real][np.argsort(-ours[real])[:_MAX_ROWS_SHOWN]]
        names = held.feature_names or tuple(f"column {i}" for i in range(rows.shape[1]))
        ordinary = pick(Rows(rows[labels == 0]), 1000).X
        parts = [detector.explain(group).contributions for group in (strangest, ordinary)]
        data = {"strange": parts[0], "ordinary": parts[1], "names": names}
        caption = f"The {len(strangest)} {word} rows with the highest scores, and each column's share of the score."
        shown.append(Picture("contributions", "What made the rows strange", caption, data))
    return shown
