"""What labels are worth: a classifier and its competitors with few and with all labels."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.metrics import confusion_matrix, log_loss

from narrows.baselines import LogisticBaseline
from narrows.errors import InputError
from narrows.funnel import single
from narrows.inference import run
from narrows.inputs import dense, label_text, model_rows
from narrows.metrics import Comparison
from narrows.supervised import tune
from narrows.tasks.base import Evaluation, Metric, Picture, Rows, spaced
from narrows.training.work import products

if TYPE_CHECKING:
    from narrows.tasks.classify import CodeClassifier

__all__ = ["judge", "subsets"]

_BUDGETS = {10: 5, 100: 3}  # labels per class, and how many subsets of the labels are drawn
_STEPS = (100, 600)  # of a network that learns few labels for the comparison, fewer of a large one ...
_WORK = 4e11  # ... so that it takes about so many multiply-adds
_MOST = 10_000  # rows that are measured
_SHOWN = 40  # classes of the matrix
TUNED, PROBE = "tuned with the labels", "probe on the frozen code"
NETWORK, LOGISTIC, FREQUENT = "a supervised network", "logistic regression", "the most frequent class"


class Shares(NamedTuple):
    """The probability of every class, for the rows that are measured."""

    values: np.ndarray  # (n, classes)
    classes: np.ndarray

    @property
    def seen(self) -> np.ndarray:
        """The most probable class."""
        return np.asarray(self.classes[self.values.argmax(1)])


def judge(task: "CodeClassifier", train: Rows, held: Rows) -> Evaluation:
    """Return how a fitted classifier does on labelled ``held`` rows, beside competitors with the same labels."""
    (X, y), (seen, truth) = labelled(train), labelled(held)
    seen, truth = (each[spaced(len(truth), _MOST)] for each in (seen, truth))
    classes, counts = np.unique(y, return_counts=True)
    names = np.array([label_text(each) for each in task.classes_])
    found = {TUNED: Shares(task.predict_proba(seen), names), **rivals(task, X, y, seen)}
    found[FREQUENT] = Shares(np.tile(counts / counts.sum(), (len(truth), 1)), classes)
    numbers = {name: measures(shares, truth) for name, shares in found.items()}
    table, curves = budgets(task, X, y, seen, truth, numbers)
    own, probe = numbers.pop(TUNED), numbers.pop(PROBE)
    rival = max(numbers, key=lambda name: numbers[name]["accuracy"])
    metrics = {
        "accuracy": Metric(own["accuracy"], "accuracy", "share of the rows", "higher"),
        "balanced": Metric(own["balanced"], "balanced accuracy", "mean over the classes", "higher"),
        "log_loss": Metric(own["log_loss"], "cross-entropy", "nats per row"),
        "probe": Metric(probe["accuracy"], "accuracy of a linear probe on the frozen code", "share", "higher"),
    }
    comparison = Comparison.of_rows(found[TUNED].seen == truth, found[rival].seen == truth, "higher")
    notes = remarks(classes, counts, truth)
    if probe["accuracy"] > own["accuracy"]:
        notes.append("The probe on the frozen code does better than tuning: more labels, or a lower --tune-lr.")
    pictures = [*curves, *confusions(found[TUNED].seen, truth)]
    if getattr(task, "history_", None):
        caption = f"Cross-entropy in nats per label while the layers are tuned; {task.stopped_}."
        pictures.append(Picture("tuning", "Learning the labels", caption, {"history": task.history_}))
    return Evaluation(metrics, numbers, "accuracy", rival, len(truth), comparison, pictures, notes, [table])


def labelled(rows: Rows) -> tuple[Any, np.ndarray]:
    """Return the rows that have a label, and the names of their classes."""
    labels = None if rows.labels is None else np.asarray(rows.labels)
    if labels is None or not len(labels):
        raise InputError("Rows without labels came", "labelled rows to measure on")
    known = labels >= 0 if rows.class_names is not None else np.ones(len(labels), bool)
    if not known.any():
        raise InputError("No row that is measured has a label", "labelled rows to measure on")
    names = labels if rows.class_names is None else np.array(rows.class_names)[labels.clip(0)]
    return rows.X[np.flatnonzero(known)], names[known].astype(str)


def rivals(task: "CodeClassifier", X: Any, y: np.ndarray, seen: Any, steps: int | None = None) -> dict[str, Shares]:
    """Return what the probe, logistic regression and a network without pre-training see after labels ``y``."""
    linear = LogisticBaseline().fit(dense(X), y)
    base = task.estimator_
    codes, others = (np.asarray(base.transform(each)) for each in (X, seen))
    probe = LogisticBaseline().fit(codes, y)
    fresh = clone(base).set_params(epochs=0, weights=None, checkpoint=None, verbose=False, random_state=base.seed_)
    few = len(y) < 10 * np.prod(base.code_shape_)  # the start at their principal components would overfit them
    plain = {"greedy_epochs": 0, **({"start": "random"} if few else {})}
    fresh.set_params(**{name: value for name, value in plain.items() if hasattr(fresh, name)})
    return {
        PROBE: Shares(probe.predict_proba(others), probe.classes_),
        NETWORK: tuned(task, fresh.fit(X), X, y, seen, base.seed_, steps),
        LOGISTIC: Shares(linear.predict_proba(dense(seen)), linear.classes_),
    }


def tuned(
    task: "CodeClassifier", base: Any, X: Any, y: np.ndarray, seen: Any, seed: int, steps: int | None = None
) -> Shares:
    """Return what a copy of ``base`` sees after tuning with labels ``y`` as the task tunes, in at most ``steps``."""
    classes, places = np.unique(y, return_inverse=True)
    how = task.tuning()
    if steps is not None:
        how = replace(how, epochs=math.ceil(steps / math.ceil(len(y) / how.batch_size)))
    model, _ = tune(base, X, places, len(classes), how, seed)
    pairs = base.pairs(model_rows(seen, base.image_shape, base.shapes_[0]), None).plain()
    return Shares(run(model, pairs, lambda made, b: made.reconstruct(b.x, b.cond), base._where()), classes)


def measures(shares: Shares, truth: np.ndarray) -> dict[str, float]:
    """Return accuracy, balanced accuracy over the classes of ``truth``, and cross-entropy in nats per row."""
    every = np.union1d(shares.classes, truth)
    values = np.full((len(truth), len(every)), 1e-12)
    values[:, np.searchsorted(every, shares.classes)] = shares.values.clip(1e-12)
    recalls = [(shares.seen[truth == name] == name).mean() for name in np.unique(truth)]
    return {
        "accuracy": float((shares.seen == truth).mean()),
        "balanced": float(np.mean(recalls)),
        "log_loss": float(log_loss(truth, values / values.sum(1, keepdims=True), labels=every)),
    }


def subsets(y: np.ndarray, per_class: int, seed: int) -> np.ndarray:
    """Return the places of at most ``per_class`` labels of every class, drawn from ``seed``.

    Examples
    --------
    >>> y = np.array(["a", "a", "a", "b"])
    >>> y[subsets(y, 2, seed=0)].tolist()
    ['a', 'a', 'b']
    """
    order = np.random.default_rng(seed).permutation(len(y))
    _, places = np.unique(y[order], return_inverse=True)
    by_class = np.argsort(places, kind="stable")
    rank = np.arange(len(y)) - np.searchsorted(places[by_class], places[by_class])
    return np.sort(order[by_class[rank < per_class]])


def budgets(
    task: "CodeClassifier", X: Any, y: np.ndarray, seen: Any, truth: np.ndarray, whole: dict[str, dict[str, float]]
) -> tuple[dict[str, Any], list[Picture]]:
    """Return accuracies with few labels, mean and deviation over subsets of them, and with all, as table and curves."""
    counts = np.unique(y, return_counts=True)[1]
    names, steps = [TUNED, PROBE, NETWORK, LOGISTIC], affordable(task, X, len(y))
    found: dict[int, dict[str, list[float]]] = {}
    for per_class, repeats in _BUDGETS.items():
        if np.minimum(counts, per_class).sum() > len(y) // 2:
            continue
        runs: dict[str, list[float]] = {name: [] for name in names}
        for seed in range(repeats):
            some = subsets(y, per_class, seed)
            shares = rivals(task, X[some], y[some], seen, steps)
            shares[TUNED] = tuned(task, task.estimator_, X[some], y[some], seen, seed, steps)
            for name in names:
                runs[name].append(float((shares[name].seen == truth).mean()))
        found[len(some)] = runs
    found[len(y)] = {name: [whole[name]["accuracy"]] for name in names}
    rows = [(f"{n:,}", *(_said(runs[name]) for name in names)) for n, runs in found.items()]
    lead = f"Accuracy on {len(truth):,} rows that were not learnt from. The code comes from all others, without labels."
    if len(found) > 1:
        lead += (
            f" Few labels are drawn anew, at most {' or '.join(map(str, _BUDGETS))} of every class: mean ± standard "
            f"deviation over the draws, networks of at most {steps:,} steps."
        )
    table = {"title": "What labels are worth", "lead": lead, "columns": ("labels", *names), "rows": rows}
    every = {name: [runs[name] for runs in found.values()] for name in names}
    places = np.array(list(found))
    curves = {name: (places, *np.array([(np.mean(e), np.std(e)) for e in each]).T) for name, each in every.items()}
    data = {"series": curves, "x": "labels", "y": "accuracy", "log_x": True}
    return table, [Picture("budgets", "What labels are worth", lead, data)] if len(found) > 1 else []


def affordable(task: "CodeClassifier", X: Any, n: int) -> int:
    """Return how many steps a network gets that learns few of ``n`` labels: no more than for all of them."""
    base = task.estimator_
    pairs = single(base.pairs(model_rows(X[:1], base.image_shape, base.shapes_[0]), None))
    steps = _WORK / (3 * task.tune_batch_size * max(1.0, products(task.model_, pairs.batch(slice(0, 1)))))
    whole = _STEPS[1] if task.tune_epochs is None else task.tune_epochs * math.ceil(n / task.tune_batch_size)
    return min(whole, int(np.clip(steps, *_STEPS)))


def remarks(classes: np.ndarray, counts: np.ndarray, truth: np.ndarray) -> list[str]:
    """Return what readers must know of the classes."""
    notes = []
    single = [str(name) for name in classes[counts == 1]]
    if single:
        notes.append(f"Only one label each, which tells little: {_listed(single)}.")
    if counts.max() >= 5 * counts.min():
        notes.append(
            f"The classes are unequal, {counts.min():,} to {counts.max():,} labels each: see the balanced accuracy; "
            "--balanced weighs rare classes as much as frequent ones."
        )
    unmeasured = [str(name) for name in np.setdiff1d(classes, truth)]
    if unmeasured:
        notes.append(f"Learnt from, but not among the rows that are measured: {_listed(unmeasured)}.")
    strange = [str(name) for name in np.setdiff1d(truth, classes)]
    if strange:
        notes.append(f"Measured as errors, because no label was learnt: {_listed(strange)}.")
    return notes


def confusions(seen: np.ndarray, truth: np.ndarray) -> list[Picture]:
    """Return the figure of which class is taken for which; of many classes, those that are most often wrong."""
    names = np.unique(np.concatenate([truth, seen]))
    shown = names
    if len(names) > _SHOWN:
        wrong = np.array([((truth == name) & (seen != truth)).sum() for name in names])
        shown = names[np.sort(np.argsort(-wrong, kind="stable")[:_SHOWN])]
    among = np.isin(truth, shown) & np.isin(seen, shown)
    if not among.any():
        return []
    order = in_order(shown)
    matrix = confusion_matrix(truth[among], seen[among], labels=shown[order])
    caption = "Rows that were not learnt from: their class, and what they are taken for."
    left = f" The {_SHOWN} classes with the most errors." if len(names) > _SHOWN else ""
    data = {"matrix": matrix, "names": [str(name) for name in shown[order]]}
    return [Picture("confusion", "Confusions", caption + left, data)]


def in_order(classes: np.ndarray) -> list[int]:
    """Return the places of classes as people count them: numbers by size, texts by letter.

    Examples
    --------
    >>> in_order(np.array(["10", "9"]))
    [1, 0]
    """
    try:
        return [int(i) for i in np.argsort(classes.astype(float), kind="stable")]
    except ValueError:
        return [int(i) for i in np.argsort(classes, kind="stable")]


def _said(values: list[float]) -> str:
    return f"{np.mean(values):.3f}" + (f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else "")


def _listed(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
