"""What the report on new rows shows: samples, walks along and between codes, the columns of a table."""

from functools import partial
from typing import Any, Protocol

import numpy as np

from narrows import metrics
from narrows.base_measure import Measure
from narrows.estimator.traversal import decoded, interpolated, traversed
from narrows.tasks.base import Picture, Rows, blocks, pick

__all__ = ["PAIRS", "Sampler", "drawn_pictures", "marginals"]

PAIRS = 6  # walks from row to row
_SEARCHED = 100_000  # training pictures among which the nearest is looked for
_TRAVERSAL_CAPTION = (
    "One number moves, in deviations, the others as in an ordinary row; beside it the mean change per deviation. Of a "
    "long code, the numbers that vary most."
)


class Sampler(Protocol):
    """What is asked of a fitted generator to judge and to show what it draws."""

    estimator_: Any
    classes_: list[str]
    draws_: bool

    @property
    def measures(self) -> list[Measure]:
        """What the encoded columns of a table hold."""

    def draw(self, n: int, label: Any = None, random_state: Any = None) -> tuple[np.ndarray, np.ndarray | None]:
        """Return new rows and the class of each."""

    def sample(self, n: int = 1, label: Any = None, random_state: Any = None) -> np.ndarray:
        """Return new rows."""

    def read(self, X: Any) -> np.ndarray:
        """Return rows as floats."""

    def values(self, X: Any) -> np.ndarray:
        """Return encoded rows of a table, NaN where a value is missing."""

    def codes_of(self, X: Any) -> np.ndarray:
        """Return the codes of rows."""


def drawn_pictures(task: Sampler, learnt: np.ndarray, train: Rows, held: Rows) -> list[Picture]:
    """Return samples, walks along every number of the code, and walks between held-out rows.

    ``learnt`` are some of the rows of ``train`` as floats: they give the range of the values.
    """
    low, high = min(0.0, float(learnt.min())), max(1.0, float(learnt.max()))
    shape = learnt.shape[1:]

    def shown(rows: np.ndarray, axes: int = 1) -> np.ndarray:
        return np.asarray((rows.reshape(*rows.shape[:axes], *shape) - low) / (high - low)).clip(0, 1)

    seed, names = task.estimator_.seed_, task.classes_[:10]
    by_class, caption = names and task.draw(1)[1] is not None, "Every picture is decoded from a code that was drawn."
    if by_class:
        rows = np.concatenate([task.sample(10, name, seed + i) for i, name in enumerate(names)])
        grid = {"images": shown(rows), "title": "Samples of every class", "names": names}
    else:
        rows, some = shown(task.sample(30, random_state=seed)), pick(train, _SEARCHED)
        near = metrics.nearest_rows(rows, (shown(task.read(part)) for part in blocks(some.X)))
        grid = {"images": rows, "title": "Samples", "nearest": near}
        searched, all_of_them = some.X.shape[0], train.X.shape[0]
        caption += f" The nearest are those among {searched:,} of {all_of_them:,}." if searched < all_of_them else ""
    codes, expected = task.codes_of(held.X), partial(decoded, task.estimator_)
    walk = traversed(expected, codes)
    along = {"images": shown(walk.rows, 2), "values": walk.values, "effects": walk.effects, "unit": "deviation"}
    along["total"] = codes.shape[1]
    pairs = min(PAIRS, len(codes) // 2)
    lines = interpolated(expected, codes[:pairs], codes[pairs : 2 * pairs])
    between = f"From one {held.split.word} row to another on a straight line between their codes."
    return [
        Picture("samples", "Samples", caption, grid),
        Picture(
            "traversal", "Traversals", _TRAVERSAL_CAPTION, {**along, "names": [f"z{i + 1}" for i in walk.dimensions]}
        ),
        *([Picture("interpolation", "Interpolations", between, {"images": shown(lines, 2)})] if pairs else []),
    ]


def marginals(truth: np.ndarray, made: np.ndarray, held: Rows) -> Picture:
    """Return the figure of the columns of held-out rows beside those of new ones."""
    names = held.feature_names or tuple(f"column {i}" for i in range(truth.shape[1]))
    who = f"{held.split.word} and of new rows"
    caption = f"The share of {who} with at most so large a value, as the model sees the columns, or of a level."
    data = {"real": truth, "made": made, "names": names, "widths": dict(held.columns) or None}
    return Picture("marginals", "Columns", caption, data)
