"""From a fitted object and the rows at hand to what a report needs: ``nw.report`` without a command line."""

from typing import Any

import numpy as np
import polars as pl
from sklearn.utils.validation import check_is_fitted

from narrows.data.leaks import leaks
from narrows.data.tables.schema import TableSchema
from narrows.data.tables.transformer import is_table
from narrows.errors import InputError
from narrows.estimator.base import Estimator
from narrows.estimator.inputs import checked_rows, known_labels, label_text
from narrows.holdout import HALVES
from narrows.params import TASKS
from narrows.tasks.base import Block, Rows, Task
from narrows.tasks.images import Examples, PicturesTask, as_pictures

__all__ = ["HALF", "as_task", "beside", "halves", "leak_caveats", "picture_halves"]

HALF = "Competitors learnt from the first half of these rows, the autoencoder from those of its fit; train= names them."


def as_task(fitted: Any) -> Task:
    """Return a fitted task: the object itself, or a reducer around a fitted family; else raises ``InputError``."""
    check_is_fitted(fitted)
    if isinstance(fitted, Task):
        return fitted
    if isinstance(fitted, Estimator):
        task: Task = TASKS["reduce"]()
        task.require_rows(fitted)
        task.estimator_ = fitted
        return task
    raise InputError(f"A {type(fitted).__name__} came to nw.report", "a fitted task or family of Narrows")


def halves(task: Task, X: Any, y: Any = None) -> tuple[Rows, Rows]:
    """Return two halves of the rows as the task's autoencoder reads them, with labels and the names of columns.

    Raises ``InputError`` for fewer than four rows, or where columns of the fit are missing.

    Examples
    --------
    >>> from narrows.families.linear import LinearAutoEncoder
    >>> X = np.arange(12.0).reshape(6, 2)
    >>> first, second = halves(as_task(LinearAutoEncoder(latent_dim=1).fit(X)), X, list("aabbab"))
    >>> first.X.shape, second.labels.tolist(), second.class_names
    ((3, 2), [1, 0, 1], ('a', 'b'))
    """
    rows, title = _read(task, X)
    n = rows.shape[0]
    if n < HALVES.fewest:
        raise InputError(f"{n} rows came to nw.report", "at least 4: half to compare with, half to measure on")
    labels, classes = _classes(task, y, n)
    order = np.arange(n)
    if classes is not None and ((labels < 0).any() or (np.diff(labels) >= 0).all()):
        order = np.random.default_rng(0).permutation(n)
    parts = (order[part] for part in HALVES.last(n)[:2])
    sides = [Rows(rows[part], None if labels is None else labels[part], classes) for part in parts]
    columns, table = _columns(rows, title), _table(task, X)
    first, second = (side._replace(feature_names=title, columns=columns, table=table) for side in sides)
    return first, second


def beside(task: Task, train: Any, X: Any, y: Any = None) -> tuple[Rows, Rows]:
    """Return the rows that a task was fitted on, or these and their labels, and other rows to measure on.

    Raises ``InputError`` where columns of the fit are missing, or labels by which rows were left out of it.

    Examples
    --------
    >>> from narrows.families.linear import LinearAutoEncoder
    >>> X = np.arange(12.0).reshape(6, 2)
    >>> task = as_task(LinearAutoEncoder(latent_dim=1).fit(X[:4]))
    >>> first, second = beside(task, (X[:4], list("aabb")), X[4:], ["b", "a"])
    >>> first.labels.tolist(), second.labels.tolist()
    ([0, 0, 1, 1], [1, 0])
    """
    fit_rows, labels = train if isinstance(train, tuple) and len(train) == 2 else (train, None)
    (learnt, title), (rows, _) = _read(task, fit_rows), _read(task, X)
    n = learnt.shape[0]
    if labels is None and getattr(task, "n_labelled_", None):
        came = f"Rows of the fit came without labels, by which {task.n_labelled_} were left out of it"
        raise InputError(came, "rows of the fit beside their labels", "train=(X, y)")
    if labels is None or y is None:
        sides = (Rows(learnt, *_classes(task, labels, n)), Rows(rows, *_classes(task, y, rows.shape[0])))
    else:
        all_labels, classes = _classes(task, [*labels, *y], n + rows.shape[0])
        sides = (Rows(learnt, all_labels[:n], classes), Rows(rows, all_labels[n:], classes))
    columns, table = _columns(rows, title), _table(task, X)
    first, second = (side._replace(feature_names=title, columns=columns, table=table) for side in sides)
    return first, second


def leak_caveats(task: Task, rows: Rows) -> tuple[str, ...]:
    """Return which columns of an array determine the labels, where the verdict is about labels.

    Examples
    --------
    >>> from narrows.tasks.classify.classifier import CodeClassifier
    >>> y = np.arange(40) % 2
    >>> leak_caveats(CodeClassifier(), Rows(np.c_[y, np.arange(40)], y))[0][:46]
    "'column 0' determines the label in every label"
    """
    if not task.about_labels or rows.labels is None or not isinstance(rows.X, np.ndarray) or rows.X.ndim != 2:
        return ()
    names = rows.feature_names or [f"column {place}" for place in range(rows.X.shape[1])]
    labels = np.unique(rows.labels, return_inverse=True)[1] if rows.class_names is None else rows.labels
    leaking = leaks(pl.DataFrame(rows.X, schema=list(names)), labels)
    return tuple(leak.sentence("the label", "fit to rows without it") for leak in leaking)


def _columns(rows: Any, names: tuple[str, ...]) -> tuple[Block, ...]:
    """Return the columns of an array (n, d), numbered where they have no names; none of sparse rows and of pictures."""
    if not isinstance(rows, np.ndarray) or rows.ndim != 2:
        return ()
    return tuple(Block(name, 1) for name in names or [f"column {place}" for place in range(rows.shape[1])])


def _read(task: Task, X: Any) -> tuple[Any, tuple[str, ...]]:
    """Return rows as the task's autoencoder reads them, and the names of their columns."""
    if task.table_ is not None and is_table(X):
        return task.numbers_of(X), task.table_.schema_.feature_names
    names = getattr(task.estimator_, "feature_names_in_", None)
    columns = [str(name) for name in getattr(X, "columns", ())]
    if names is not None and columns:
        lacking = sorted(set(map(str, names)) - set(columns))
        if lacking:
            came = f"{len(lacking)} of the {len(names)} columns of the fit are missing: {', '.join(lacking[:10])}"
            raise InputError(came, "the columns of the fit, in any order")
        X = X[list(names)]
    rows = checked_rows(task.estimator_, X, reset=False, missing=task.reads_missing)
    return rows, tuple(map(str, names)) if names is not None else tuple(columns)


def _table(task: Task, X: Any) -> TableSchema | None:
    """Return how rows became numbers, where they are those of a frame that the task reads."""
    return task.table_.schema_ if task.table_ is not None and is_table(X) else None


def _classes(task: Task, y: Any, n: int) -> tuple[Any, tuple[str, ...] | None]:
    """Return the class of every row, -1 where it has none, and their names; clean rows of a pair as they came."""
    if y is None or (getattr(task, "paired_", False) and np.ndim(y) > 1 and len(y) == n):
        return None if y is None else np.asarray(y), None
    if np.ndim(y) != 1:
        raise InputError(f"y of shape {np.shape(y)} came for {n} rows", "one label per row")
    values, known = known_labels(y, n)
    classes, places = np.unique(values[known], return_inverse=True)
    labels = np.full(n, -1)
    labels[known] = places
    return labels, tuple(map(label_text, classes))


def picture_halves(task: PicturesTask, X: Any, y: Any = None) -> tuple[Examples, Examples]:
    """Return two halves of pictures (C, H, W) of any sizes, with what belongs to each of them.

    Raises ``InputError`` for fewer than four pictures, or where what belongs to them is missing or of another size.

    Examples
    --------
    >>> from narrows.tasks.upscale import Upscaler
    >>> first, second = picture_halves(Upscaler(), np.zeros((5, 8, 9)))
    >>> len(first.x), second.x[0].shape
    (2, (1, 8, 9))
    """
    pictures = as_pictures(X)
    n = len(pictures)
    if n < HALVES.fewest:
        raise InputError(f"{n} pictures came to nw.report", "at least 4: half to compare with, half to measure on")
    if y is None and task.belongs:
        came = f"Pictures without {task.belongs} came to nw.report"
        raise InputError(came, f"the {task.belongs} of X as y", "nw.report(fitted, X, folder, y)")
    others = None if y is None else as_pictures(y, task.belongs or "pictures")
    if others is not None and [other.shape[1:] for other in others] != [picture.shape[1:] for picture in pictures]:
        came = f"{len(others)} {task.belongs or 'pictures'} as y came for {n} pictures"
        raise InputError(came, "one of its height and width for every picture")
    first, second = (
        Examples([pictures[i] for i in part], None if others is None else [others[i] for i in part])
        for part in HALVES.last(n)[:2]
    )
    return first, second
