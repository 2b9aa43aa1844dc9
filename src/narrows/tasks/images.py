"""What tasks on pictures share: lists of pictures of any sizes in, lists of results of their sizes out."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from narrows.data.arrays import to_dtype
from narrows.data.base import channels_last
from narrows.data.images.augment import CropFlip, Flip
from narrows.data.images.crops import crops
from narrows.data.images.sets import alike
from narrows.data.images.tiles import bands, cut, joined, network_bands, pad
from narrows.data.pairs import Pairs
from narrows.data.scale import refuse_scale
from narrows.errors import InputError
from narrows.estimator.base import Estimator
from narrows.estimator.inference import run
from narrows.holdout import Split
from narrows.likelihood import Likelihood
from narrows.penalties import Dice
from narrows.tasks.base import Evaluation, Rows

__all__ = [
    "Examples",
    "Flips",
    "PicturesTask",
    "as_pictures",
    "averaged",
    "averaged_bands",
    "brought",
    "budget",
    "crop_size",
    "examples",
    "fit_crops",
    "full_batch",
    "like_pictures",
    "resized",
    "shown",
    "shown_range",
    "through",
    "through_bands",
    "windows",
]

Array = NDArray[Any]
Flips = Literal["horizontal", "all", "none"]

# Quarter turns, and whether left and right are exchanged after them.
_VIEWS: dict[Flips, list[tuple[int, bool]]] = {
    "none": [(0, False)],
    "horizontal": [(0, False), (0, True)],
    "all": [(turns, mirrored) for turns in range(4) for mirrored in (False, True)],
}


def averaged(apply: Callable[[Array], Array], picture: Array, flips: Flips) -> Array:
    """Return the mean of ``apply`` over the flips of a picture (C, H, W), each flipped back.

    ``horizontal`` are two views, ``all`` the eight of a square (Timofte et al. 2016, "Seven ways to improve
    example-based single image super resolution", section 3.4).

    Examples
    --------
    >>> picture = np.arange(6.0).reshape(1, 2, 3)
    >>> bool(np.allclose(averaged(lambda seen: 2 * seen, picture, "all"), 2 * picture))
    True
    >>> averaged(lambda seen: seen * [1, 0, 0], picture, "horizontal")[0].tolist()
    [[0.0, 0.0, 1.0], [1.5, 0.0, 2.5]]
    """
    total: Array | None = None
    for turns, mirrored in _VIEWS[flips]:
        view = np.rot90(picture, turns, (1, 2))
        result = apply(np.ascontiguousarray(view[..., ::-1] if mirrored else view))
        back = np.rot90(result[..., ::-1] if mirrored else result, -turns, (1, 2))
        total = np.array(back) if total is None else np.add(total, back, out=total)
    mean: Array = np.asarray(total) / np.asarray(len(_VIEWS[flips]), np.asarray(total).dtype)
    return mean


def averaged_bands(apply: Callable[[Array], Iterator[Array]], picture: Array, flips: Flips) -> Iterator[Array]:
    """Yield the rows of what ``averaged`` returns, where ``apply`` yields bands; a turned picture is done at once.

    Examples
    --------
    >>> picture = np.arange(6.0).reshape(1, 2, 3)
    >>> parts = averaged_bands(lambda seen: iter([seen[:, :1] * [1, 0, 0], seen[:, 1:]]), picture, "horizontal")
    >>> [part.tolist() for part in parts]
    [[[[0.0, 0.0, 1.0]]], [[[3.0, 4.0, 5.0]]]]
    """
    if flips == "none":
        yield from apply(picture)
    elif flips == "horizontal":
        mirrored = apply(np.ascontiguousarray(picture[..., ::-1]))
        for band, other in zip(apply(picture), mirrored, strict=True):
            yield (band + other[..., ::-1]) / np.asarray(2, band.dtype)
    else:
        yield averaged(lambda view: joined(apply(view), view), picture, flips)


BOX = Image.Resampling.BILINEAR
_PIXELS, _STEPS = 40_000_000, 600  # of a default fit on a processor, all epochs together
_FULL_WINDOW, _MAX_BATCH = 256 * 256, 16  # pixels of the windows that few make a batch of; most windows of a batch
_STEPS_OF_EPOCH = 5  # at least


class Examples(NamedTuple):
    """Pictures (C, H, W) of any sizes, what belongs to each, and their names."""

    x: list[Array]
    y: list[Array] | None = None
    names: tuple[str, ...] = ()
    split: Split = Split.HELD_OUT  # what they are, where they are measured on


class PicturesTask(ABC):
    """A task that also takes lists of pictures: arrays (C, H, W) of any sizes, uint8, uint16 or floats in [0, 1]."""

    belongs: ClassVar[str] = ""  # what belongs to every picture, in words; empty: nothing
    writes: ClassVar[tuple[str, ...]] = ()  # the name of the results

    @property
    def on_pictures(self) -> bool:
        """Return whether the fitted task works on lists of pictures, rather than on rows."""
        return True

    @abstractmethod
    def suited_pictures(self, pictures: Sequence[Array]) -> dict[str, Any]:
        """Return the settings that such pictures (C, H, W) ask for, where the user says nothing."""

    @abstractmethod
    def fit_pictures(self, x: list[Array], y: list[Array] | None = None) -> Self:
        """Fit to pictures, and to what belongs to each where the task needs it."""

    @abstractmethod
    def predict_pictures(self, x: list[Array]) -> list[Array]:
        """Return the result for every picture, in its size."""

    def bands(self, picture: Array) -> Iterator[Array]:
        """Yield the result for one picture from top to bottom, (C, h, W)."""
        yield self.predict_pictures([picture])[0]

    def predict_as(self, picture: Array, dtype: Any) -> Array:
        """Return the result for one picture in a type of pixels, of which no more is held than of a few rows."""
        kind = np.dtype(dtype)
        return np.concatenate([to_dtype(band, kind) for band in self.bands(picture)], axis=1)

    @abstractmethod
    def evaluate_pictures(self, train: Examples, held: Examples) -> Evaluation:
        """Return how the fitted task does on ``held``, with competitors fitted on ``train``."""

    def outputs(self, X: Any, *, fresh: bool) -> dict[str, Any]:
        """Return the results for pictures of one size."""
        (name,) = self.writes
        return {name: np.stack(self.predict_pictures(as_pictures(X)))}

    def evaluate(self, train: Rows, held: Rows) -> Evaluation:
        """Return how it does on pictures of one size, whose ``labels`` are what belongs to each."""
        return self.evaluate_pictures(*(examples(rows, self.belongs) for rows in (train, held)))


def as_pictures(X: Any, what: str = "pictures") -> list[Array]:
    """Return pictures as a list of (C, H, W) arrays: from (n, C, H, W), (n, H, W), or a list of either.

    Raises ``InputError`` for none, for other shapes, for channels that come last, and for values that are not finite.

    Examples
    --------
    >>> [picture.shape for picture in as_pictures(np.zeros((2, 5, 4)))]
    [(1, 5, 4), (1, 5, 4)]
    """
    listed = [np.asarray(item) for item in X]
    pictures = [picture[None] if picture.ndim == 2 else picture for picture in listed]
    if not pictures or any(picture.ndim != 3 or not picture.size for picture in pictures):
        shapes = sorted({item.shape for item in listed}, key=len)[:3]
        came = f"{len(pictures)} {what} of shapes {', '.join(map(str, shapes))}" if pictures else f"No {what}"
        raise InputError(came, "an array (n, C, H, W) or (n, H, W), or a list of (C, H, W) or (H, W)")
    if not all(np.isfinite(picture).all() for picture in pictures):
        raise InputError(f"NaN or infinite values among the {what}", "finite values")
    wrong = next((picture for picture in pictures if channels_last(picture.shape)), None)
    if wrong is not None:
        came = f"Pictures of shape {wrong.shape} seem to have their channels last"
        raise InputError(came, "(C, H, W)", "np.moveaxis(picture, 2, 0)")
    return pictures


def examples(rows: Rows, what: str) -> Examples:
    """Return pictures and, where something belongs to them (``what``), their ``labels`` as pictures.

    Raises ``InputError`` where labels are missing.
    """
    if what and rows.labels is None:
        raise InputError(f"Pictures without {what}", f"Rows(pictures, {what})")
    return Examples(as_pictures(rows.X), as_pictures(rows.labels, what) if what else None, split=rows.split)


def like_pictures(made: list[Array], X: Any) -> Any:
    """Return results in the form of the pictures that came: one array for an array, a list for a list."""
    return made if isinstance(X, (list, tuple)) else np.stack(made)


def crop_size(sizes: Sequence[tuple[int, ...]], most: int, multiple: int) -> tuple[int, int]:
    """Return the size to learn pictures of these sizes from: their own if it is one, else no more than ``most``.

    Sides of crops divide by ``multiple`` (0: anything does), and are no longer than most pictures need.

    Examples
    --------
    >>> crop_size([(180, 240)] * 3, 256, 16), crop_size([(300, 90), (500, 100)], 256, 16)
    ((180, 240), (256, 96))
    """
    if len(set(sizes)) == 1 and max(sizes[0]) <= most:
        return int(sizes[0][0]), int(sizes[0][1])
    step = multiple or 1
    middle = np.median(np.array(sizes), axis=0)
    height, width = (max(step, min(most // step, -(-int(side) // step)) * step) for side in middle)
    return height, width


def windows(side: int, flips: Flips) -> CropFlip:
    """Return what cuts windows out of pictures and flips them: ``horizontal``, ``all`` (turned as well) or ``none``."""
    return CropFlip(side, None if flips == "none" else Flip(*[flips == "all"] * 2))


def fit_crops(
    model: Estimator, x: list[Array], y: list[Array], likelihood: Likelihood, window: CropFlip, dice: float = 0.0
) -> Estimator:
    """Fit a network to windows of pictures (C, H, W) of any sizes, for as long as it was asked to or a few minutes.

    Pictures of one size, up to twice the window's, stay whole in memory; others are cut. ``dice`` is the price of
    masks that miss altogether, in nats per pixel.
    """
    pictures = alike(x)
    multiple = model.chosen_network(pictures[0].shape).multiple
    size = crop_size([picture.shape[1:] for picture in pictures], 2 * window.side, multiple)
    pairs, notes = crops(pictures, y, size, augment=window, labels=likelihood.labels)
    pixels = min(size[0], window.side) * min(size[1], window.side)
    if dice and not model.penalties:
        model.set_params(penalties=(Dice(dice * pixels),))
    if model.epochs is None and model.minutes is None:
        model.set_params(epochs=budget(model, len(pairs), pixels))
    model.set_params(likelihood=likelihood).fit_pairs(pairs)
    model.messages_ += notes
    return model


def budget(estimator: Estimator, crops: int, pixels: int) -> int:
    """Return the epochs of a default fit to crops of so many pixels: a few minutes on two cores, at least 5.

    Few crops, or small ones, are learnt in some hundred steps. Where there is a graphics card, ten times as many.
    """
    more = 1 if estimator.scoring_device().type == "cpu" else 10
    by_pixels, by_steps = _PIXELS / (crops * pixels), _STEPS / math.ceil(crops / estimator.batch_size)
    return max(5, min(300, round(more * min(by_pixels, by_steps))))


def full_batch(pictures: Sequence[Array], side: int, usual: int) -> dict[str, Any]:
    """Return the batch size for windows of pictures: ``usual`` of 256 x 256, more of smaller ones, up to 16.

    Few small windows say too little of which way to go. An epoch still has five steps.

    Examples
    --------
    >>> full_batch([np.zeros((1, 35, 35))] * 99, 256, 2), full_batch([np.zeros((3, 600, 400))] * 99, 256, 2)
    ({'batch_size': 16}, {'batch_size': 2})
    """
    pixels = np.median([math.prod(min(length, side) for length in picture.shape[1:]) for picture in pictures])
    return {
        "batch_size": max(usual, min(_MAX_BATCH, len(pictures) // _STEPS_OF_EPOCH, int(usual * _FULL_WINDOW / pixels)))
    }


def shown(picture: Array) -> Array:
    """Return a picture as a person looks at it: grey or colour, floats in [0, 1].

    16 bit, and floats beyond [0, 1], are stretched; others stay as they are.

    Examples
    --------
    >>> shown(np.array([[[100, 300]]], np.uint16)).ravel().tolist()
    [0.0, 1.0]
    """
    return brought(picture, *shown_range(picture))


def shown_range(picture: Array) -> tuple[float, float]:
    """Return between which values a picture is shown.

    Examples
    --------
    >>> shown_range(np.zeros((1, 2, 2), np.uint8)), shown_range(np.ones((1, 2, 2)))
    ((0, 255), (0, 1))
    """
    some = picture[:3] if len(picture) >= 3 else picture[:1]
    if some.dtype == np.uint8:
        return 0, 255
    if some.dtype.kind == "f" and some.min() >= 0 and some.max() <= 1:
        return 0, 1
    low, high = np.percentile(some, (0.5, 99.5))
    return float(low), float(high)


def brought(picture: Array, low: float, high: float) -> Array:
    """Return grey or colour of a picture, or of some rows of it, on a range that becomes 0 to 1, cut to it.

    Examples
    --------
    >>> brought(np.array([[[0, 51, 255]]], np.uint8), 0, 255).astype(float).round(1).tolist()
    [[[0.0, 0.2, 1.0]]]
    """
    some = picture[:3] if len(picture) >= 3 else picture[:1]
    if some.dtype == np.uint8:
        return some / np.float32(255)
    if (low, high) == (0, 1):
        return some
    stretched: Array = ((some - low) / (high - low or 1)).clip(0, 1).astype(np.float32)
    return stretched


def resized(picture: Array, size: tuple[int, ...]) -> Array:
    """Return a picture of floats in another size, without aliasing; one of that size stays as it is.

    Examples
    --------
    >>> resized(np.ones((1, 4, 4)), (2, 3)).tolist()
    [[[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]]
    """
    if picture.shape[1:] == tuple(size):
        return picture
    planes = [Image.fromarray(plane.astype(np.float32)).resize((size[1], size[0]), BOX) for plane in picture]
    return np.stack([np.asarray(plane) for plane in planes])


def through(estimator: Estimator, image: Array, side: int | None = None) -> Array:
    """Return the mean target that a fitted network gives for one picture (C, H, W) of any size, (K, H, W) floats.

    A picture of the fitted size goes through as it is, others in tiles: of ``side`` pixels if the network takes any
    size, else of the fitted size, padded by reflection. Grey and colour become each other.

    Examples
    --------
    >>> from narrows.families.autoencoder import AutoEncoder
    >>> X = np.random.default_rng(0).random((4, 1, 16, 16), np.float32)
    >>> model = AutoEncoder(network="unet:4,8", epochs=1, random_state=0).fit_pairs(Pairs(X, 1 - X))
    >>> through(model, np.zeros((1, 21, 50), np.float32)).shape
    (1, 21, 50)
    """
    return joined(through_bands(estimator, image, side), image)


def through_bands(
    estimator: Estimator, image: Array, side: int | None = None, seen: Callable[[Array], Array] | None = None
) -> Iterator[Array]:
    """Yield the rows of what ``through`` returns for a picture, whose tiles ``seen`` brings to what was learnt from."""
    refuse_scale(estimator.input_scale_, image)
    channels, *fitted = estimator.shapes_[0]
    (image,) = alike([image], channels, image.dtype)

    def mean(x: Array) -> Array:
        x = x if seen is None else seen(x[0])[None]
        floats = x if x.dtype in (np.uint8, np.uint16) else np.ascontiguousarray(x, np.float32)
        pairs = Pairs(floats).read_by(estimator.model_.likelihood)
        return run(estimator.model_, pairs, lambda model, batch: model.reconstruct(batch.x), estimator.scoring_device())

    height, width = fitted
    if image.shape[1:] == (height, width):
        return iter([mean(image[None])[0]])
    multiple = estimator.chosen_network(estimator.shapes_[0]).multiple
    if multiple and min(side or width, side or height) >= multiple:
        tall, wide = ((side or length) // multiple * multiple for length in fitted)
        return network_bands(mean, image, (tall, wide), multiple)
    whole = pad(image, max(image.shape[1], height), max(image.shape[2], width))
    return cut(bands(mean, whole, (height, width)), whole.shape[2], image.shape[1:])
