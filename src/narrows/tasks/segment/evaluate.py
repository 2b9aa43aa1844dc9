"""How well masks agree with the truth, beside masks that need no network."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows import metrics
from narrows.baselines import LocationPrior, SmoothedThreshold
from narrows.baselines.pictures import nearest
from narrows.errors import InputError
from narrows.metrics import Comparison
from narrows.tasks.base import Evaluation, Metric, Picture, unit
from narrows.tasks.images import Examples, resized, shown
from narrows.tasks.segment.pixel_baseline import FilteredPixels

__all__ = ["evaluate_masks"]

Array = NDArray[Any]
_MAX_PIXELS_LEARNT = 8_000_000  # that the competitors learn from
_PICTURES_DRAWN = 6
_EMPTY = (
    "IoU and Dice count all pixels of the {} pictures together. A class that is in neither the true nor the "
    "predicted masks has none and is left out of the mean."
)


def evaluate_masks(
    train: Examples, held: Examples, found: list[Array], names: Sequence[str], void: int | None
) -> Evaluation:
    """Return how masks ``found`` agree with ``held``, beside those of competitors that learn from ``train``.

    Masks are (H, W), 0 to k - 1 for k names, ``void`` in the truth where nothing counts. Of two classes the second one
    is what is looked for.

    Raises ``InputError`` where no pixel of the held-out masks counts.
    """
    truth, k = held.y or [], len(names)
    masks, notes = baseline_masks(train, held.x, k, void)
    count = partial(metrics.confusion_matrix, k=k, ignore=void)
    matrices = {
        name: np.sum(list(map(count, truth, predicted)), axis=0) for name, predicted in {"": found, **masks}.items()
    }
    ours = matrices.pop("")
    headline = "dice" if k == 2 else "miou"
    if not ours.any():
        raise InputError("All pixels of the held-out masks are void", "pixels that count")
    if np.isnan(scores(ours)[headline].value):
        headline = "accuracy"
    values = {name: {key: metric.value for key, metric in scores(m).items()} for name, m in matrices.items()}
    best_baseline = max(values, key=lambda name: np.nan_to_num(values[name][headline], nan=-1))
    by_picture = [
        [count(*pair) for pair in zip(truth, predicted, strict=True)] for predicted in (found, masks[best_baseline])
    ]
    empty = _EMPTY.format(held.split.word)
    notes.append(empty)
    absent = [name for name, row in zip(names, ours, strict=True) if not row.any()]
    if absent:
        notes.append(f"In no true mask of the {held.split.word} pictures: {', '.join(absent)}.")
    return Evaluation(
        scores(ours, names[1] if k == 2 else ""),
        values,
        headline,
        best_baseline,
        len(truth),
        compare_masks(by_picture[0], by_picture[1], headline),
        drawings(held, found, ours, names, void),
        notes,
        [table(names, ours, best_baseline, matrices[best_baseline], empty)],
        unit="picture",
        piece="crop",
    )


def scores(matrix: Array, wanted: str = "") -> dict[str, Metric]:
    """Return what is said of a confusion matrix: overlaps of the second of two classes, or means over all."""
    if len(matrix) == 2:
        overlap = {
            "dice": Metric(float(metrics.dice(matrix)[1]), f"Dice of {wanted}", "", "higher"),
            "iou": Metric(float(metrics.iou(matrix)[1]), f"intersection over union of {wanted}", "", "higher"),
        }
    else:
        overlap = {
            "miou": Metric(metrics.mean_iou(matrix), "mean intersection over union", "", "higher"),
            "mean_dice": Metric(float(np.nanmean(metrics.dice(matrix))), "mean Dice", "", "higher"),
        }
    accuracy = Metric(metrics.pixel_accuracy(matrix), "share of pixels that are right", "", "higher")
    return {**overlap, "accuracy": accuracy}


def compare_masks(ours: Sequence[Array], theirs: Sequence[Array], headline: str) -> Comparison:
    """Compare a score of all pixels together, from the confusion matrices of every picture."""

    def score(total: Array) -> float:
        return scores(total)[headline].value if total.any() else np.nan

    return Comparison.of_totals(score, ours, theirs, "higher")


def baseline_masks(
    train: Examples, x: list[Array], k: int, void: int | None
) -> tuple[dict[str, list[Array]], list[str]]:
    """Return the masks of the competitors, and notes on those that are left out."""
    area = np.cumsum([mask.size for mask in train.y or []])
    step = -(-int(area[-1]) // _MAX_PIXELS_LEARNT)  # of many pictures, every so many-th
    pictures, masks = train.x[::step], (train.y or [])[::step]
    notes = [f"The competitors learn from {len(pictures)} of {len(train.x)} pictures."] if step > 1 else []
    results: dict[str, list[Array]] = {}
    if k == 2 and void is None:
        simple = SmoothedThreshold().fit([grey(picture) for picture in pictures], masks)
        results[simple.name] = [mask.astype(int) for mask in simple.predict([grey(picture) for picture in x])]
    prior = LocationPrior(void).fit(pictures, masks)
    results[prior.name] = prior.predict(x)
    try:
        filtered = FilteredPixels(ignore=void).fit(pictures, masks)
        results[filtered.name] = filtered.predict(x)
    except InputError as error:
        notes.append(f"{FilteredPixels.name} is left out: {error}")
    return results, notes


def grey(picture: Array) -> Array:
    """Return the mean of a picture's colours, (H, W); alpha is none."""
    colours = picture[:3] if len(picture) == 4 else picture
    mean: Array = unit(colours).mean(axis=0)
    return mean


def table(names: Sequence[str], ours: Array, best_baseline: str, theirs: Array, lead: str) -> dict[str, Any]:
    """Return IoU and Dice class by class, as a table of the report."""

    def cells(values: Array) -> list[Any]:
        return ["in neither" if np.isnan(value) else float(value) for value in values]

    columns = [ours.sum(axis=1) / ours.sum(), metrics.iou(ours), metrics.dice(ours), metrics.iou(theirs)]
    return {
        "title": "Classes",
        "lead": lead,
        "columns": ["class", "share of the pixels", "IoU", "Dice", f"IoU of {best_baseline}"],
        "rows": [list(row) for row in zip(names, *map(cells, columns), strict=True)],
    }


def drawings(
    held: Examples, found: list[Array], matrix: Array, names: Sequence[str], void: int | None
) -> list[Picture]:
    """Return pictures with both masks, and which class is taken for which."""
    x, truth, word = held.x, held.y or [], held.split.word.capitalize()
    some = [
        i
        for i in np.unique(np.linspace(0, len(x) - 1, _PICTURES_DRAWN).astype(int)).tolist()
        if (truth[i] != void).any()
    ]
    size = truth[some[0]].shape
    data = {
        "images": np.stack([resized(shown(x[i]), size) for i in some]),
        "truth": np.stack([nearest(truth[i], size) for i in some]),
        "predicted": np.stack([nearest(found[i], size) for i in some]),
        "names": list(names),
        "ignore": void,
    }
    caption = f"{word} pictures, evenly chosen, brought to one size: the true mask, the predicted one, the errors."
    matrix_caption = f"{word} pictures, pixel by pixel, in percent of the true class."
    return [
        Picture("overlay", "Masks", caption, data),
        Picture("confusion", "What is taken for what", matrix_caption, {"matrix": matrix, "names": list(names)}),
    ]
