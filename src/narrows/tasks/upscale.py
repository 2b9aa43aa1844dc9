"""Enlarging pictures (super-resolution), judged against bicubic and Lanczos enlargement."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, Literal, NotRequired, Self, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from narrows.data.images.intensity import Intensity, Shared
from narrows.data.scale import unit_pictures
from narrows.estimator.base import Estimator
from narrows.families.autoencoder import AutoEncoder
from narrows.networks import Residual
from narrows.params import param
from narrows.resize import Kernel, luminance, resize, shrink
from narrows.tasks.base import Evaluation, Task
from narrows.tasks.images import Examples, Flips, PicturesTask, as_pictures, averaged, like_pictures
from narrows.tasks.restore import (
    Window,
    corrected,
    evaluation,
    kept,
    learn,
    score,
    seen_words,
    settings,
    some,
    span_of,
    split_alpha,
)

__all__ = ["Upscaler"]

Array = NDArray[Any]
_PIXELS = 5e7  # that are learnt from at most
_BLACK, _WHITE = 16 / 255, 235 / 255  # of the luminance that MATLAB's rgb2ycbcr gives


class State(TypedDict):
    """What the artefact keeps of a fitted upscaler."""

    remarks_: NotRequired[list[str]]
    intensity_: NotRequired[tuple[Literal["type", "set"], float, float]]


class Upscaler(PicturesTask, Task, name="upscale"):
    """Makes pictures ``scale`` times larger, having learnt from sharp ones, which it makes smaller itself.

    Pictures are enlarged bicubically; a residual network, learnt on the luminance, adds the detail that is lost to all
    colours alike (Dong et al. 2014, Kim et al. 2016). Alpha is enlarged bicubically.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().images[:40] / 16
    >>> Upscaler(scale=2, epochs=1, random_state=0).fit(X).upscale(X[:3]).shape
    (3, 16, 16)
    """

    fitted: ClassVar[Any] = State
    summary = "make pictures 2, 3 or 4 times larger; against bicubic and Lanczos enlargement"
    workflows: ClassVar[tuple[str, ...]] = ("upscale",)
    writes: ClassVar[tuple[str, ...]] = ("enlarged",)
    intensity_ = Intensity()  # where a fit kept none

    scale: Literal[2, 3, 4] = param(2, "how many times larger")
    ensemble: bool = param(False, "the result is the mean over flips and turns: a little better, eight times slower")
    intensity: Shared = param(
        "auto",
        "range that is 0 to 1: that of the type of the pictures, or of the set; auto: of the set where it is dim",
    )

    def default(self) -> Estimator:
        """Return an autoencoder that corrects; its network is chosen by the scale."""
        return AutoEncoder(latent_dim=48)

    def suited_pictures(self, pictures: Sequence[Array]) -> dict[str, Any]:
        """Return a network that corrects, and how it is trained."""
        return settings(Residual(width=48 if self.scale == 2 else 64, blocks=3, levels=1, fold=self.scale))

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit to sharp pictures: (n, H, W), (n, C, H, W), or a list of any sizes."""
        return self.fit_pictures(as_pictures(X))

    def upscale(self, X: Any) -> Any:
        """Return the pictures ``scale`` times larger, floats in [0, 1], as an array or a list, as they came."""
        larger = self.predict_pictures(as_pictures(X))
        flat = [picture[0] if np.ndim(one) == 2 else picture for picture, one in zip(larger, X, strict=True)]
        return like_pictures(flat, X)

    def fit_pictures(self, x: list[Array], y: list[Array] | None = None) -> Self:
        """Fit to sharp pictures (C, H, W) of any sizes."""
        model = self.resolve()
        if self.estimator is None:
            model.set_params(**self.suited_pictures(x))
        self.intensity_ = Intensity.shared(x, self.intensity)
        share = min(1.0, math.sqrt(_PIXELS / sum(picture[0].size for picture in x)))
        sharp = [self._brightness(Window.of(picture, self.scale, share).cut(picture)) for picture in unit_pictures(x)]
        soft = [_like(enlarged(reduced(picture, self.scale), self.scale), picture) for picture in sharp]
        self.estimator_, self.remarks_ = learn(model, soft, sharp)
        if share < 1:
            self.remarks_.append(
                f"The pictures are large: the middle is learnt from, {100 * share:.0f} % of each side."
            )
        return self

    def predict_pictures(self, x: list[Array]) -> list[Array]:
        """Return pictures ``scale`` times larger: floats in [0, 1]."""
        check_is_fitted(self)
        seen = Intensity(*self.intensity_)
        return [seen.restored(self._enlarged(seen.scaled(picture))).clip(0, 1) for picture in unit_pictures(x)]

    def evaluate_pictures(self, train: Examples, held: Examples) -> Evaluation:
        """Return the error of the luminance on held-out pictures, made smaller and larger again.

        The protocol is that of published figures: of colours the Y of MATLAB's rgb2ycbcr counts, 16 to 235 of 255, for
        PSNR and SSIM (Wang et al. 2004) with a range of 255, and a rim of ``scale`` pixels counts nowhere.
        """
        seen, (index, notes) = Intensity(*self.intensity_), some(len(held.x), held.split)
        colours = [split_alpha(held.x[i])[0] for i in index]
        sharp = [Window.of(picture, self.scale).cut(picture) for picture in colours]
        truth = list(map(seen.scaled, sharp))
        small = [reduced(picture, self.scale) for picture in truth]
        kinds: dict[str, Kernel] = {"bicubic enlargement": "bicubic", "Lanczos enlargement": "lanczos"}
        results = {name: [enlarged(picture, self.scale, kernel) for picture in small] for name, kernel in kinds.items()}
        results["enlarged"] = [self._enlarged(picture) for picture in small]
        results = {name: self._kept(pictures, sharp) for name, pictures in results.items()}
        targets = self._measured(truth)
        scores = {name: score(targets, self._measured(pictures)) for name, pictures in results.items()}
        ours = scores.pop("enlarged")
        best = min(scores, key=lambda name: float(scores[name].mse.mean()))
        shown = {best.partition(" ")[0]: results[best], "enlarged": results["enlarged"]}
        how = f"Made {self.scale} times smaller bicubically, with antialiasing, and larger again"
        notes = [*self.__dict__.get("remarks_", []), *seen_words(train.x, seen), *notes]
        notes.append(
            f"{how}; measured on the luminance without a rim of {self.scale} pixels, of colours on Y of BT.601 from 16 "
            "to 235 of 255, as published figures are; SSIM with a Gaussian of 1.5 pixels."
        )
        shown["sharp"] = truth
        return evaluation(ours, scores, " of the luminance", shown, notes, held.split, span_of(sharp, seen))

    def _brightness(self, picture: Array) -> Array:
        """Return the luminance of a picture on the range it is seen on, (1, H, W)."""
        colours = Intensity(*self.intensity_).scaled(split_alpha(picture)[0])
        bright: Array = luminance(torch.from_numpy(np.ascontiguousarray(colours))).numpy()
        return bright

    def _enlarged(self, picture: Array) -> Array:
        """Return one picture of floats larger: bicubic, with the correction of the luminance in every colour."""
        large = enlarged(picture, self.scale)
        colours, alpha = split_alpha(large)
        bright = luminance(torch.from_numpy(colours)).numpy()
        views: Flips = "all" if self.ensemble else "none"
        better = colours + (averaged(partial(corrected, self.estimator_), bright, views) - bright)
        return better if alpha is None else np.concatenate([better, alpha])

    def _kept(self, results: Sequence[Array], like: Sequence[Array]) -> list[Array]:
        """Return pictures as their files would keep them, from 0 to 1 of their type."""
        seen = Intensity(*self.intensity_)
        cut = [seen.scaled(seen.restored(_like(*pair)).clip(0, 1)) for pair in zip(results, like, strict=True)]
        return [kept(picture, one.dtype, seen) for picture, one in zip(cut, like, strict=True)]

    def _measured(self, pictures: Sequence[Array]) -> list[Array]:
        """Return what is measured: of colours the Y of MATLAB's rgb2ycbcr, 16 to 235 of 255, grey as it is, no rim.

        Published figures are of this Y (Dong et al. 2014 and since): its smaller range adds 1.3 dB to the PSNR, and its
        black of 16 moves SSIM, whose constants belong to a range of 255.
        """
        measured = []
        for picture in pictures:
            bright = luminance(torch.from_numpy(picture)).numpy()
            bright = _BLACK + (_WHITE - _BLACK) * bright if len(picture) == 3 else bright
            rim = self.scale if min(picture.shape[1:]) > 4 * self.scale else 0
            measured.append(bright[:, rim : picture.shape[1] - rim, rim : picture.shape[2] - rim])
        return measured


def reduced(picture: Array, scale: int) -> Array:
    """Return a picture (C, H, W) of floats ``scale`` times smaller, bicubically, antialiased.

    Examples
    --------
    >>> reduced(np.ones((1, 4, 6), np.float32), 2).shape
    (1, 2, 3)
    """
    small: Array = shrink(torch.from_numpy(np.ascontiguousarray(picture)), scale).numpy()
    return small


def enlarged(picture: Array, scale: int, kernel: Kernel = "bicubic") -> Array:
    """Return a picture (C, H, W) of floats ``scale`` times larger.

    Examples
    --------
    >>> enlarged(np.ones((1, 2, 3), np.float32), 2).shape
    (1, 4, 6)
    """
    side = (picture.shape[1] * scale, picture.shape[2] * scale)
    large: Array = resize(torch.from_numpy(np.ascontiguousarray(picture)), side, kernel=kernel).numpy()
    return large


def _like(picture: Array, other: Array) -> Array:
    """Cut a picture whose sides were rounded up to the size of another."""
    return picture[:, : other.shape[1], : other.shape[2]]
