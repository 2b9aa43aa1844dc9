"""Segmentation: the class of every pixel, judged against a threshold, the class of each place, and filtered pixels."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, NotRequired, Self, TypedDict

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from narrows.data.images.intensity import Asked, Intensity
from narrows.data.images.masks import value_of
from narrows.data.images.tiles import joined
from narrows.errors import ArtefactError, InputError
from narrows.estimator.base import Estimator
from narrows.families.autoencoder import AutoEncoder
from narrows.likelihood import Bernoulli, Categorical, Likelihood
from narrows.params import param
from narrows.tasks.base import Evaluation, Task
from narrows.tasks.images import (
    Examples,
    Flips,
    PicturesTask,
    as_pictures,
    averaged_bands,
    fit_crops,
    full_batch,
    like_pictures,
    through_bands,
    windows,
)
from narrows.tasks.segment.evaluate import evaluate_masks
from narrows.typed_json import Distinct, Natural

__all__ = ["Segmenter"]

Array = NDArray[Any]
_BATCH = 2  # windows of the default crop that are learnt from at a time
_MAX_CLASSES = 250  # classes: with void and those that were not learnt they fit a byte


class State(TypedDict):
    """What the artefact keeps of a fitted segmenter."""

    classes_: Annotated[list[Natural], Distinct()]
    order_: Annotated[list[Natural], Distinct()]
    void_: Natural | None
    intensity_: NotRequired[tuple[Literal["type", "set", "each"], float, float]]


class Segmenter(PicturesTask, Task, name="segment"):
    """Learns masks of pictures: one class per pixel, whatever the values of the masks are.

    ``fit(X, Y)`` takes pictures (n, C, H, W) or (n, H, W), or a list of pictures of any sizes, and masks of whole
    numbers of the same heights and widths. Of two classes the network gives the probability of the rarer one; of more,
    or with an ``ignore``, one probability for each. ``classes_`` holds the values, sorted; ``order_`` those that the
    network's outputs stand for, of two the more frequent one first.

    Examples
    --------
    >>> X = np.random.default_rng(0).random((6, 1, 32, 32), np.float32)
    >>> Y = np.where(X[:, 0] > 0.5, 255, 0)
    >>> masks = Segmenter(epochs=2, random_state=0).fit(X, Y).predict(X)
    >>> masks.shape, set(masks.ravel().tolist()) <= {0, 255}
    ((6, 32, 32), True)
    """

    summary = "a mask of every picture; against a threshold, the usual class of each place, and filtered pixels"
    workflows: ClassVar[tuple[str, ...]] = ("segment",)
    writes: ClassVar[tuple[str, ...]] = ("masks",)
    fitted = State
    belongs = "masks"
    reads_shares = True

    ignore: int | str | None = param(None, "value of the masks that counts nowhere: a number, or a colour #rrggbb")
    class_names: tuple[str, ...] | None = param(None, "names of the classes, in the order of their values")
    crop: int = param(256, "side in pixels of the crops that are learnt from", ge=16)
    dice: float = param(0.3, "price of masks that miss altogether, in nats per pixel", ge=0)
    flips: Flips = param("horizontal", "how crops are flipped; all: turned as well")
    ensemble: bool = param(True, "the result is the mean over the flips; no: faster")
    intensity: Asked = param(
        "auto", "range that pictures are seen on: of their type, of the set, of each; auto: suited"
    )

    def default(self) -> Estimator:
        """Return a U-Net that learns from a few crops at a time."""
        return AutoEncoder(latent_dim=256, network="unet", likelihood="bernoulli", batch_size=_BATCH, validation=0.0)

    def suited_pictures(self, pictures: Sequence[Array]) -> dict[str, Any]:
        """Return how many windows make a batch: more of small pictures."""
        return full_batch(pictures, self.crop, _BATCH)

    def fit(self, X: Any, Y: Any) -> Self:
        """Fit to pictures X and masks Y."""
        return self.fit_pictures(as_pictures(X), as_pictures(Y, "masks"))

    def fit_pictures(self, x: list[Array], y: list[Array] | None = None) -> Self:
        """Fit to pictures (C, H, W) of any sizes and masks (H, W) or (1, H, W) of whole numbers."""
        model = self.resolve()
        if self.estimator is None:
            model.set_params(**self.suited_pictures(x))
        self.intensity_ = Intensity.of(x, self.intensity)
        x = [self.intensity_(picture) for picture in x]
        masks = [mask.reshape(mask.shape[-2:]) for mask in y or []]
        self._observe(x, masks)
        targets, likelihood = [self._index(mask)[None] for mask in masks], self._likelihood()
        if not likelihood.labels:
            targets = [mask * np.uint8(255) for mask in targets]
        self.estimator_ = fit_crops(model, x, targets, likelihood, windows(self.crop, self.flips), self.dice)
        return self

    def predict(self, X: Any) -> Any:
        """Return masks in the values of those of the fit: (n, H, W) for an array, a list for a list."""
        return like_pictures([mask.astype(np.int64) for mask in self.predict_pictures(as_pictures(X))], X)

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of every class, in the order of ``classes_``: (n, K, H, W), or a list."""
        check_is_fitted(self)
        places = [self.order_.index(value) for value in self.classes_]
        return like_pictures([self._shares(picture)[places] for picture in as_pictures(X)], X)

    def predict_pictures(self, x: list[Array]) -> list[Array]:
        """Return the mask of every picture, (H, W), in the narrowest type that holds the values."""
        check_is_fitted(self)
        values = np.asarray(self.order_, np.min_scalar_type(max(self.order_)))
        return [values[self._classes(picture)] for picture in x]

    def evaluate_pictures(self, train: Examples, held: Examples) -> Evaluation:
        """Return the overlaps of classes on ``held``, all pixels together, beside the competitors'."""
        check_is_fitted(self)
        present = {value for mask in held.y or [] for value in np.unique(mask).tolist()}
        values = [
            *self.order_,
            *sorted(present - {*self.classes_, self.void_}),
        ]  # those it could not learn, too
        void = None if self.void_ is None else len(values)
        learnt, truth = ([self._index(mask, values) for mask in part.y or []] for part in (train, held))
        masks = [self._classes(picture) for picture in held.x]
        names = [self.class_name(value) for value in values]
        evaluation = evaluate_masks(train._replace(y=learnt), held._replace(y=truth), masks, names, void)
        evaluation.notes += self._intensity().words(train.x)
        return evaluation

    def class_name(self, value: int) -> str:
        """Return the name of a class: the user's, or its value."""
        known = self.classes_
        if self.class_names is None or value not in known:
            return f"#{value:06x}" if isinstance(self.ignore, str) or max(known) > 0xFFFF else f"class {value}"
        return self.class_names[known.index(value)]

    def adopt_state(self, state: dict[str, Any]) -> Self:
        """Take what ``fitted_state`` gave.

        Raises ``ArtefactError`` for classes that are not those of the model.
        """
        super().adopt_state(state)
        outputs, k = self.estimator_.model_.likelihood.n_out(self.estimator_.shapes_[1]), len(self.classes_)
        if outputs not in ((1, 2) if k == 2 else (k,)) or sorted(self.order_) != sorted(self.classes_):
            raise ArtefactError(f"The classes {self.classes_} and {self.order_} came", "those of the model, twice")
        return self

    def _observe(self, x: list[Array], masks: list[Array]) -> None:
        """Learn which classes there are."""
        if len(x) != len(masks) or any(a.shape[-2:] != b.shape for a, b in zip(x, masks, strict=True)):
            raise InputError(f"{len(x)} pictures and {len(masks)} masks", "a mask of its size for every picture")
        if any(mask.dtype.kind not in "iub" for mask in masks):
            raise InputError("Masks of numbers that are not whole", "one whole number for each class", ".astype(int)")
        self.void_ = value_of(self.ignore) if isinstance(self.ignore, str) else self.ignore
        counts: dict[int, int] = {}
        for mask in masks:
            for value, count in zip(*np.unique(mask, return_counts=True), strict=True):
                counts[int(value)] = counts.get(int(value), 0) + int(count)
        if self.void_ is not None:
            counts.pop(self.void_, None)
        if len(counts) < 2 or min(counts) < 0:
            held = ", ".join(map(str, sorted(counts))) or "nothing that counts"
            raise InputError(f"All masks together hold {held}", "two classes or more, whole numbers from 0 on")
        if len(counts) > _MAX_CLASSES:
            came = f"All masks together hold {len(counts):,} values"
            raise InputError(
                came, f"at most {_MAX_CLASSES} classes, and not a number for each object", "(mask > 0) * 1"
            )
        self.classes_ = sorted(counts)
        two = len(counts) == 2
        self.order_ = sorted(counts, key=lambda value: (-counts[value], value)) if two else self.classes_
        if self.class_names is not None and len(self.class_names) != len(counts):
            came = f"{len(self.class_names)} names for the {len(counts)} classes {', '.join(map(str, sorted(counts)))}"
            raise InputError(came, "a name for each class, in the order of the values")

    def _likelihood(self) -> Likelihood:
        """Return how masks are priced: as bits, or as labels of which one may be void."""
        k = len(self.classes_)
        return Bernoulli() if k == 2 and self.void_ is None else Categorical(k, None if self.void_ is None else k)

    def _index(self, mask: Array, values: list[int] | None = None) -> Array:
        """Return the place of every pixel's class among the values, (H, W); void comes after the last."""
        values = values or self.order_
        order = np.argsort(values)
        place = np.searchsorted(np.asarray(values)[order], mask.reshape(mask.shape[-2:])).clip(max=len(values) - 1)
        index: Array = order[place].astype(np.uint8)
        if self.void_ is not None:
            index[mask.reshape(index.shape) == self.void_] = len(values)
        return index

    def _intensity(self) -> Intensity:
        """Return the range that pictures are seen on; older runs keep none, and saw that of the type."""
        return Intensity(*getattr(self, "intensity_", ()))

    def _classes(self, picture: Array) -> Array:
        """Return the place of the most probable class in ``order_`` at every pixel, (H, W)."""
        return np.concatenate([shares.argmax(axis=0).astype(np.uint8) for shares in self._share_bands(picture)])

    def _shares(self, picture: Array) -> Array:
        """Return the probability of every class, in the order of ``order_``: (K, H, W)."""
        return joined(self._share_bands(picture), picture)

    def _share_bands(self, picture: Array) -> Iterator[Array]:
        """Yield the rows of the probabilities from top to bottom."""
        apply = partial(through_bands, self.estimator_, seen=self._intensity().alone(picture).__call__)
        for shares in averaged_bands(apply, picture, self.flips if self.ensemble else "none"):
            yield np.concatenate([1 - shares, shares]) if len(shares) == 1 else shares
