"""Translation of pictures into pictures, judged against the input itself, the mean target and a table of colours."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, ClassVar, Literal, NotRequired, Self, TypedDict

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from narrows import metrics
from narrows.baselines import ColourTable
from narrows.data.images.intensity import Asked, Intensity
from narrows.data.images.sets import alike
from narrows.data.images.tiles import joined
from narrows.data.scale import Scale
from narrows.errors import InputError
from narrows.estimator.base import Estimator
from narrows.families.autoencoder import AutoEncoder
from narrows.likelihood import Likelihood
from narrows.metrics import Better, Comparison
from narrows.params import param
from narrows.parts import as_part
from narrows.tasks.base import Evaluation, Metric, Picture, Task, unit
from narrows.tasks.images import (
    Examples,
    Flips,
    PicturesTask,
    as_pictures,
    averaged_bands,
    fit_crops,
    full_batch,
    like_pictures,
    resized,
    shown,
    through_bands,
    windows,
)
from narrows.tasks.restore import seen_words, span_of

__all__ = ["Translator"]

Array = NDArray[Any]
_BATCH = 4  # windows of the default crop that are learnt from at a time
_MAX_PAIRS_LEARNT = 400  # pairs that the competitors learn from
_PICTURES_DRAWN = 6


class State(TypedDict):
    """What the artefact keeps of a fitted translator."""

    whole_: bool
    target_scale_: NotRequired[Scale]
    intensity_: NotRequired[tuple[Literal["type", "set", "each"], float, float]]
    target_intensity_: NotRequired[tuple[Literal["type", "set"], float, float]]


class Translator(PicturesTask, Task, name="translate"):
    """Learns what each picture A becomes: ``fit(A, B)``, pictures (n, C, H, W) or lists of any sizes, pair by pair.

    uint8 and uint16 are read as [0, 1], and results are floats in [0, 1]. Pictures B of floats may be on any scale:
    results are on theirs, and the peak of the PSNR is the range of those of the fit.

    Examples
    --------
    >>> A = np.random.default_rng(0).random((4, 1, 32, 32), np.float32)
    >>> Translator(epochs=1, random_state=0).fit(A, 1 - A).predict(A).shape
    (4, 1, 32, 32)
    """

    summary = "a picture of another kind for every picture; against the picture itself, the mean and a table of colours"
    workflows: ClassVar[tuple[str, ...]] = ("translate",)
    writes: ClassVar[tuple[str, ...]] = ("translated",)
    fitted: ClassVar[Any] = State
    belongs = "pictures B"
    target_scale_ = Scale(0.0, 1.0, False)  # where a fit kept none
    intensity_ = target_intensity_ = Intensity()

    crop: int = param(256, "side in pixels of the crops that are learnt from", ge=16)
    flips: Flips = param("horizontal", "how crops are flipped; all: turned as well")
    ensemble: bool = param(True, "the result is the mean over the flips; no: faster")
    intensity: Asked = param(
        "auto", "range that pictures are seen on: of their type, of the set, of each (A only); auto: suited"
    )

    def default(self) -> Estimator:
        """Return a U-Net that learns from a few crops at a time."""
        return AutoEncoder(latent_dim=256, network="unet", likelihood="laplace", batch_size=_BATCH, validation=0.0)

    def suited_pictures(self, pictures: Sequence[Array]) -> dict[str, Any]:
        """Return how many windows make a batch: more of small pictures."""
        return full_batch(pictures, self.crop, _BATCH)

    def fit(self, X: Any, Y: Any) -> Self:
        """Fit to pictures X and what each becomes, Y."""
        return self.fit_pictures(as_pictures(X), as_pictures(Y))

    def fit_pictures(self, x: list[Array], y: list[Array] | None = None) -> Self:
        """Fit to pictures (C, H, W) of any sizes and pictures of the same heights and widths.

        Raises ``InputError`` where a picture has no partner of its size.
        """
        model = self.resolve()
        if self.estimator is None:
            model.set_params(**self.suited_pictures(x))
        if y is None or [picture.shape[1:] for picture in x] != [picture.shape[1:] for picture in y]:
            raise InputError(f"{len(x)} pictures A and {len(y or [])} pictures B", "a B of its size for every A")
        targets = alike(y)
        self.whole_ = targets[0].dtype.kind == "u"  # results are levels of grey in [0, 1]
        self.target_scale_, self.intensity_ = Scale.of(targets), Intensity.of(x, self.intensity)
        levels = "auto" if self.intensity == "each" else self.intensity
        self.target_intensity_ = Intensity.shared(y, levels) if self.target_scale_.grey else Intensity()
        if self.target_intensity_.kind == "set":
            targets = list(map(self.target_intensity_.scaled, targets))
        likelihood: Likelihood = as_part("likelihood", model.likelihood)
        seen = [self.intensity_(picture) for picture in x]
        self.estimator_ = fit_crops(model, seen, targets, likelihood, windows(self.crop, self.flips))
        return self

    def predict(self, X: Any) -> Any:
        """Return what the pictures become: (n, C, H, W) for an array, a list for a list."""
        return like_pictures(self.predict_pictures(as_pictures(X)), X)

    def predict_pictures(self, x: list[Array]) -> list[Array]:
        """Return what each picture becomes, (C, H, W), floats."""
        return [joined(self.bands(picture), picture) for picture in x]

    def bands(self, picture: Array) -> Iterator[Array]:
        """Yield what a picture becomes from top to bottom, (C, h, W), floats."""
        check_is_fitted(self)
        flips: Flips = self.flips if self.ensemble else "none"
        levels, seen = Intensity(*self.target_intensity_), Intensity(*self.intensity_).alone(picture).__call__
        for band in averaged_bands(partial(through_bands, self.estimator_, seen=seen), picture, flips):
            yield levels.restored(band).clip(0, 1) if self.whole_ else levels.restored(band)

    def evaluate_pictures(self, train: Examples, held: Examples) -> Evaluation:
        """Return the distance to the true pictures of ``held``, beside the competitors'."""
        check_is_fitted(self)
        truth = [unit(picture) for picture in alike(held.y or [])]
        results, scale, levels = (
            self.predict_pictures(held.x),
            Scale(*self.target_scale_),
            Intensity(*self.target_intensity_),
        )
        others = baseline_pictures(train, held.x, truth)
        if levels.kind == "set":  # errors are given on the range of B
            truth, results = list(map(levels.scaled, truth)), list(map(levels.scaled, results))
            others = {name: list(map(levels.scaled, pictures)) for name, pictures in others.items()}
        peak, span = (
            scale.peak,
            span_of(train.y or [], levels) if scale.grey else f"{scale.low:.4g} to {scale.high:.4g}",
        )
        values = {name: scores_of(truth, theirs, peak) for name, theirs in others.items()}
        best_baseline = min(values, key=lambda name: values[name]["l1"])
        comparison = compare_l1(truth, results, others[best_baseline])
        labels: dict[str, tuple[str, str, Better]] = {
            "l1": ("mean absolute error", f"where {span} is 0 to 1" if scale.grey else "in the units of B", "lower"),
            "psnr": (f"peak signal-to-noise ratio on a range of {span}", "dB", "higher"),
            "ssim": (f"structural similarity on a range of {span}", "", "higher"),
        }
        measures = {name: Metric(value, *labels[name]) for name, value in scores_of(truth, results, peak).items()}
        pictures, notes = [drawing(held, results, truth)], Intensity(*self.intensity_).words(train.x)
        notes += seen_words(train.y or [], levels)
        return Evaluation(
            measures, values, "l1", best_baseline, len(truth), comparison, pictures, notes, unit="picture", piece="crop"
        )


def scores_of(truth: list[Array], made: list[Array], peak: float = 1.0) -> dict[str, float]:
    """Return L1 and PSNR over all values together and the mean SSIM, for pictures of floats of this ``peak``."""
    pairs = list(zip(truth, made, strict=True))
    count = sum(picture.size for picture in truth)
    squares = sum(float(metrics.mse(a, b)) * a.size for a, b in pairs) / count
    ssim = [metrics.ssim(a[None], b[None], peak) for a, b in pairs if min(a.shape[1:]) >= 3]
    return {
        "l1": sum(metrics.mae(a, b) * a.size for a, b in pairs) / count,
        "psnr": float(10 * np.log10(peak**2 / squares)) if squares else float("inf"),
        "ssim": float(np.mean(ssim)) if ssim else float("nan"),
    }


def compare_l1(truth: list[Array], ours: list[Array], theirs: list[Array]) -> Comparison:
    """Compare the mean absolute errors over the values of all pictures together."""
    errors = [
        [(metrics.mae(t, result) * t.size, t.size) for t, result in zip(truth, results, strict=True)]
        for results in (ours, theirs)
    ]
    return Comparison.of_totals(lambda total: total[0] / total[1], errors[0], errors[1], "lower")


def baseline_pictures(train: Examples, x: list[Array], truth: list[Array]) -> dict[str, list[Array]]:
    """Return the pictures of the competitors."""
    step = -(-len(train.x) // _MAX_PAIRS_LEARNT)
    A, B = alike(train.x[::step]), alike((train.y or [])[::step])
    channels = len(B[0])
    inputs = [
        unit(picture) for picture in alike(x, channels if len(x[0]) in (1, 3, 4) and channels in (1, 3, 4) else None)
    ]
    results = {"the input itself": inputs} if len(inputs[0]) == channels else {}
    height, width = (int(side) for side in np.median([picture.shape[1:] for picture in B], axis=0))
    mean = np.mean([resized(unit(picture), (height, width)) for picture in B], axis=0)
    results["the mean of B"] = [resized(mean, picture.shape[1:]) for picture in truth]
    table = ColourTable().fit(A, B)
    results["a table of colours"] = table.predict(alike(x, len(A[0]), A[0].dtype))
    return results


def drawing(held: Examples, made: list[Array], truth: list[Array]) -> Picture:
    """Return some pictures beside what they become and should become."""
    some = np.unique(np.linspace(0, len(held.x) - 1, _PICTURES_DRAWN).astype(int)).tolist()
    size, (low, high) = truth[some[0]].shape[1:], Scale.of([truth[i] for i in some]).ends
    ours, theirs = ([((pictures[i] - low) / (high - low)).clip(0, 1) for i in some] for pictures in (made, truth))
    columns = {
        "A": [shown(held.x[i]) for i in some],
        "output": [shown(picture) for picture in ours],
        "B": map(shown, theirs),
    }
    rows = {
        name: np.stack([alike([resized(picture, size)], 3)[0] for picture in part]) for name, part in columns.items()
    }
    caption = f"{held.split.word.capitalize()} pictures, evenly chosen, brought to one size: "
    caption += "A, what it becomes, and what it should become, both on one scale of grey."
    return Picture("translations", "A, output, B", caption, rows)
