"""Anomalies in pictures: a detector of patches, its heat maps, and how well they find what is wrong."""

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from narrows.baselines import PCABaseline
from narrows.data.images.tiles import pad, ramp, starts
from narrows.data.scale import Scale, top, unit
from narrows.metrics import auroc, compare_aurocs
from narrows.tasks.anomaly.outliers import teaching
from narrows.tasks.base import Evaluation, Metric, Picture
from narrows.tasks.images import resized, shown

__all__ = ["PatchResidual", "drawn_patches", "evaluate_maps", "heat", "image_score", "parts_of", "planted"]

Array = NDArray[Any]
Strange = Callable[[Array], Array]  # patches (n, C, p, p) to what is strange of every pixel, (n, p, p)
_MAX_AUROC_PIXELS = 2_000_000  # pixels that an AUROC of pixels is measured on
_PICTURES_DRAWN = 6
_BRIGHTNESS_SHIFT = 0.15  # of the peak that a planted piece is brighter or darker


def drawn_patches(pictures: Sequence[Array], side: int, most: int, seed: int) -> Array:
    """Return square patches of pictures (C, H, W) at random places, (n, C, side, side), in their own type.

    Where the pictures have fewer than ``most`` places, each is taken once: a patch that comes twice tells nothing new,
    and one that is both learnt from and put aside flatters the fit.

    Examples
    --------
    >>> drawn_patches([np.zeros((1, 9, 8), np.uint8)], 4, 10, 0).shape
    (10, 1, 4, 4)
    >>> drawn_patches([np.zeros((1, 9, 8), np.uint8)], 4, 100, 0).shape
    (30, 1, 4, 4)
    """
    rng = np.random.default_rng(seed)
    whole = [_whole(picture, side) for picture in pictures]
    rooms = np.array([[height - side, width - side] for _, height, width in (picture.shape for picture in whole)]) + 1
    places = rooms.prod(axis=1)
    if places.sum() <= most:
        chosen = np.repeat(np.arange(len(whole)), places)
        corners = np.concatenate([np.indices(room).reshape(2, -1).T for room in rooms])
    else:
        chosen = np.sort(rng.choice(len(whole), most, p=places / places.sum()))
        corners = rng.integers(0, rooms[chosen])
    return np.stack([whole[i][:, y : y + side, x : x + side] for i, (y, x) in zip(chosen, corners, strict=True)])


def heat(strange: Strange, picture: Array, side: int) -> Array:
    """Return how strange every pixel of a picture (C, H, W) of any size is, (H, W).

    Overlapping patches are judged one by one; where they overlap, what they say is averaged with smooth weights, and
    the map is smoothed by a Gaussian of a quarter of a patch.

    Examples
    --------
    >>> heat(lambda patches: patches.mean(axis=1), np.ones((3, 21, 30)), 8).shape
    (21, 30)
    """
    height, width = picture.shape[1:]
    whole = _whole(picture, side)
    corners = list(product(*(starts(length, side, 1, side // 2) for length in whole.shape[1:])))
    rise = ramp(side, side // 2)
    window = np.outer(*[np.minimum(rise, rise[::-1])] * 2)
    total, weight = np.zeros(whole.shape[1:]), np.zeros(whole.shape[1:])
    for i in range(0, len(corners), 1024):
        some = corners[i : i + 1024]
        parts = strange(np.stack([whole[:, y : y + side, x : x + side] for y, x in some]))
        for (y, x), part in zip(some, parts, strict=True):
            total[y : y + side, x : x + side] += window * part
            weight[y : y + side, x : x + side] += window
    smooth: Array = gaussian_filter((total / weight)[:height, :width], side / 4)
    return smooth


def image_score(heat_map: Array) -> float:
    """Return how strange a picture is: the square root of its strangest pixel's share of the squared distance."""
    return float(np.sqrt(max(float(heat_map.max()), 0.0)))


def parts_of(detector: Any) -> Strange:
    """Return what a fitted detector of patches finds strange: each pixel's part of the squared distance."""

    def strange(patches: Array) -> Array:
        parts: Array = detector.examine(patches, fresh=True)[1].contributions.sum(axis=1)
        return parts

    return strange


class PatchResidual:
    """The competitor: what the principal components of patches miss.

    Examples
    --------
    >>> patches = np.random.default_rng(0).random((50, 1, 4, 4))
    >>> bool(PatchResidual(16).fit(patches)(patches[:2]).max() < 1e-9)
    True
    """

    name = "PCA of patches"

    def __init__(self, k: int):
        self.pca = PCABaseline(k)

    def fit(self, patches: Array, *, clean: bool = True) -> "PatchResidual":
        """Learn the components; if not ``clean``, again without the patches that they miss by far."""
        rows = unit(patches).reshape(len(patches), -1)
        self.pca.fit(rows)
        if not clean:
            self.pca.fit(rows[teaching(np.sqrt(self(patches).sum((1, 2))))])
        return self

    def __call__(self, patches: Array) -> Array:
        """Return the squared residual of every pixel, (n, p, p)."""
        rows = unit(patches).reshape(len(patches), -1)
        residual: Array = np.square(rows - self.pca.reconstruct(rows)).reshape(patches.shape).sum(axis=1)
        return residual


def planted(picture: Array, other: Array, scale: Scale, seed: int) -> tuple[Array, Array]:
    """Return a picture with a rectangle of another one pasted in, brighter or darker, and the mask of it.

    Brighter or darker by 15 % of the peak of the ``scale`` of the pictures, whose ends the values keep to.

    After Li et al. (2021), "CutPaste": an anomaly for where there are no real ones.

    Examples
    --------
    >>> black, grey = np.zeros((1, 20, 20), np.uint8), np.full((1, 20, 20), 99, np.uint8)
    >>> made, mask = planted(black, grey, Scale.of([black, grey]), 0)
    >>> bool(((made[0] > 0) == mask).all()), bool(0 < mask.mean() < 0.2)
    (True, True)
    """
    rng = np.random.default_rng(seed)
    lengths = [min(pair) for pair in zip(picture.shape[1:], other.shape[1:], strict=True)]
    sides = [min(length, max(2, int(rng.uniform(0.1, 0.3) * length))) for length in lengths]
    (y, x), (v, u) = (
        [int(rng.integers(0, length - side + 1)) for length, side in zip(source.shape[1:], sides, strict=True)]
        for source in (picture, other)
    )
    full = top(picture)
    piece = (
        unit(other[:, v : v + sides[0], u : u + sides[1]])
        + rng.choice([-_BRIGHTNESS_SHIFT, _BRIGHTNESS_SHIFT]) * scale.peak
    )
    changed, mask = picture.copy(), np.zeros(picture.shape[1:], bool)
    piece = np.clip(piece, *scale.ends) * full
    changed[:, y : y + sides[0], x : x + sides[1]] = np.rint(piece) if full > 1 else piece
    mask[y : y + sides[0], x : x + sides[1]] = True
    return changed, mask


def evaluate_maps(
    pictures: list[Array],
    labels: Array,
    masks: list[Array | None],
    ours: list[Array],
    theirs: Mapping[str, list[Array]],
) -> Evaluation:
    """Return how well heat maps tell pictures labelled 1 from those labelled 0, and pixels in masks from others.

    ``theirs`` are the maps of each competitor; a mask is None where it is not known.
    """
    labels_of = {
        "image_auroc": "area under the ROC curve of pictures",
        "pixel_auroc": "area under the ROC curve of pixels",
    }
    measures = {key: Metric(value, labels_of[key], "", "higher") for key, value in _aurocs(labels, masks, ours).items()}
    baselines = {name: _aurocs(labels, masks, maps) for name, maps in theirs.items()}
    best = max(baselines, key=lambda name: baselines[name]["image_auroc"])
    scores = ([image_score(heat_map) for heat_map in maps] for maps in (ours, theirs[best]))
    comparison = compare_aurocs(labels, *scores)
    drawings = [_drawing(pictures, labels, masks, ours)]
    return Evaluation(
        measures, baselines, "image_auroc", best, len(pictures), comparison, drawings, unit="picture", piece="patch"
    )


def _aurocs(labels: Array, masks: list[Array | None], maps: list[Array]) -> dict[str, float]:
    """Return the areas under the ROC curves of pictures, and of pixels where there are masks."""
    areas = {"image_auroc": auroc(labels, [image_score(heat_map) for heat_map in maps])}
    known = [(mask, heat_map) for mask, heat_map in zip(masks, maps, strict=True) if mask is not None]
    truth = np.concatenate([mask.ravel() for mask, _ in known]) if known else np.zeros(0, bool)
    if truth.any() and not truth.all():
        strangeness = np.concatenate([heat_map.ravel() for _, heat_map in known])
        some = np.random.default_rng(0).permutation(len(truth))[:_MAX_AUROC_PIXELS]
        areas["pixel_auroc"] = auroc(truth[some], strangeness[some])
    return areas


def _drawing(pictures: list[Array], labels: Array, masks: list[Array | None], maps: list[Array]) -> Picture:
    """Return some anomalous pictures and an ordinary one with their maps and masks."""
    strange, ordinary = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    some = strange[np.unique(np.linspace(0, len(strange) - 1, _PICTURES_DRAWN - 1).astype(int))].tolist()
    peaks = np.array([float(values.max()) for values in maps])
    usual = ordinary[np.argsort(peaks[ordinary], kind="stable")[len(ordinary) // 2 :][:1]]
    white = max(float(np.median(peaks[some])), 2 * float(peaks[usual].max(initial=0.0))) or 1.0
    some += usual.tolist()
    height, width = np.median([pictures[i].shape[1:] for i in some], axis=0).astype(int)
    rows = {
        "picture": np.stack([_framed(_colour(pictures[i]), (height, width)) for i in some]),
        "heat map": np.stack([_framed(_colour((maps[i][None] / white).clip(0, 1)), (height, width)) for i in some]),
    }
    if any(masks[i] is not None and labels[i] for i in some):
        empty = [np.zeros(pictures[i].shape[1:]) if masks[i] is None else masks[i] for i in some]
        truth = [_framed(_colour(np.asarray(mask, np.float32)[None]), (height, width)) for mask in empty]
        rows["true mask"] = np.stack(truth)
    caption = (
        "Pictures with something wrong, the last one an ordinary one of middling score. All maps are on one scale: "
        f"white is a score of {np.sqrt(white):.3g} or more, and a picture's score is that of its strangest pixel."
    )
    return Picture("heat", "Heat maps", caption, {"title": "Where the pictures are strange", "rows": rows})


def _framed(picture: Array, size: tuple[int, int]) -> Array:
    """Return a picture as large as fits into a size, in its own proportions, with white beside it."""
    height, width = picture.shape[1:]
    scale = min(size[0] / height, size[1] / width)
    small = resized(picture, (max(1, round(scale * height)), max(1, round(scale * width))))
    frame = np.ones((len(picture), *size), small.dtype)
    top, left = (size[0] - small.shape[1]) // 2, (size[1] - small.shape[2]) // 2
    frame[:, top : top + small.shape[1], left : left + small.shape[2]] = small
    return frame


def _colour(picture: Array) -> Array:
    """Return a picture in three colours to draw, floats in [0, 1]."""
    visible = shown(picture)
    return np.repeat(visible, 3, axis=0) if len(visible) == 1 else visible


def _whole(picture: Array, side: int) -> Array:
    """Return a picture that is no smaller than a patch."""
    return pad(picture, max(side, picture.shape[1]), max(side, picture.shape[2]))
