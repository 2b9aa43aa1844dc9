"""Denoising, judged against the best linear denoiser, a median filter and the noisy input."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Literal, NotRequired, Self, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import TransformerMixin
from sklearn.utils import assert_all_finite

from narrows.baselines import LinearDenoiser, MedianFilter, NoisyInput
from narrows.baselines.series import MovingFilter
from narrows.corruption import Corruption
from narrows.data.images.intensity import Intensity, Shared
from narrows.data.images.tiles import joined
from narrows.data.pairs import Pairs
from narrows.data.scale import unit_pictures
from narrows.data.windows import Windows
from narrows.errors import InputError, Setting
from narrows.estimator.base import Estimator
from narrows.estimator.inputs import checked_rows, checked_weights, dense, model_rows, n_axes
from narrows.families.denoising import DenoisingAutoEncoder
from narrows.metrics import Comparison
from narrows.params import param
from narrows.parts import as_part
from narrows.tasks.base import Evaluation, Metric, Picture, Rows, Task, error_rows, pick, unit
from narrows.tasks.denoise_pictures import compared
from narrows.tasks.excerpts import excerpts
from narrows.tasks.frames import SameColumns, gives_rows, learns
from narrows.tasks.images import Examples, PicturesTask, averaged, averaged_bands
from narrows.tasks.restore import (
    beside_range,
    corrected,
    corrected_bands,
    learn,
    seen_words,
    settings,
    split_alpha,
)
from narrows.training.random import derive_seed, fork_rng

__all__ = ["Denoiser"]

Array = NDArray[Any]


def _require_within_range(noise: Corruption) -> None:
    """Refuse noise that deviates by more than the whole range of pictures, which is 0 to 1: 25 is meant of 255."""
    if noise.deviation is not None and noise.deviation > 1:
        came = f"Noise of standard deviation {noise.deviation:g} for pictures, whose values go from 0 to 1"
        accepted = "a deviation on that scale"
        raise InputError(came, accepted, Setting("noise", f"gaussian:{noise.deviation:g}/255"))


_WITHIN_MINUTES = {"batch_size": 4, "lr": 3e-3}  # fewer pictures are seen, and more is learnt
_USUAL_NOISE = "gaussian:0.1"
_MAX_TRAIN_ROWS = 20_000  # rows that the competitors are fitted on


class State(TypedDict):
    """What the artefact keeps of a fitted denoiser."""

    paired_: bool
    remarks_: NotRequired[list[str]]
    intensity_: NotRequired[tuple[Literal["type", "set"], float, float]]


class Denoiser(SameColumns, PicturesTask, TransformerMixin, Task, name="denoise"):
    """Learns from clean rows, to which it adds ``noise`` itself, or from pairs: ``fit(noisy, clean)``.

    Pictures of any sizes, channels and depths come as lists: ``fit_pictures`` and ``predict_pictures``. Their network
    is ``residual``, which finds the noise and takes it away (Zhang et al. 2017), learnt from crops.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().images / 16
    >>> Denoiser(noise="gaussian:0.3", epochs=2, random_state=0).fit(X).denoise(X[:3]).shape
    (3, 8, 8)
    """

    fitted: ClassVar[Any] = State
    summary = "clean rows or pictures, or noisy and clean ones; against linear, median, variation, non-local means"
    workflows: ClassVar[tuple[str, ...]] = ("windows", "denoise", "stream", "rows")
    writes: ClassVar[tuple[str, ...]] = ("cleaned",)

    paired_ = False  # whether it was fitted to noisy and clean ones
    intensity_ = Intensity()  # where a fit kept none

    noise: str | Corruption | None = param(
        None,
        "what is done to clean rows, on their own scale (images: 0 to 1); gaussian:0,0.2 is a range of levels; none: "
        "that of the autoencoder, or gaussian:0.1",
        kind="corruption",
    )
    ensemble: bool = param(False, "pictures: the mean over flips and turns: a little better, eight times slower")
    intensity: Shared = param(
        "auto", "pictures: range that is 0 to 1, of their type or of the set; auto: of the set where it is dim"
    )

    def default(self) -> Estimator:
        """Return a denoising autoencoder with a wide code."""
        return DenoisingAutoEncoder(noise=_USUAL_NOISE)

    def _noisy(self, model: Estimator) -> Estimator:
        """Give an autoencoder of clean rows the noise that was asked for; where none was, it keeps its own."""
        has = hasattr(model, "noise")
        noise = self.noise or (None if has or model.corruption is not None else _USUAL_NOISE)
        if noise is not None:
            model.set_params(**({"noise": noise, "corruption": None} if has else {"corruption": noise}))
        return model

    @property
    def noise_(self) -> Corruption:
        """What is done to clean rows by the autoencoder that was fitted."""
        settings_of_fit = self._fitted().settings_
        noise: Corruption = as_part("corruption", settings_of_fit["corruption"] or settings_of_fit["noise"])
        return noise

    @learns
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit to clean rows X, or to noisy rows X with clean rows y of that shape; ``sample_weight`` is (n,).

        Raises ``InputError`` for clean rows of another shape.
        """
        model = self.resolve()
        self.paired_, y = y is not None and n_axes(y) > 1, self.numbers_of(y)
        self.__dict__.pop("remarks_", None)
        _require_scale(model, X, noisy=self.paired_)
        if not self.paired_:
            self.estimator_ = self._noisy(model).fit(X, sample_weight=sample_weight)
            return self
        rows = model_rows(checked_rows(model, X, reset=True), model.image_shape, None)
        clean = model_rows(dense(y), model.image_shape, None)
        assert_all_finite(clean, input_name="y")
        if clean.shape != rows.shape:
            came = f"Clean rows of shape {clean.shape} came for noisy ones of shape {rows.shape}"
            raise InputError(came, "a clean row for every noisy one, of its shape")
        _require_scale(model, clean)
        pairs = Pairs(rows, clean)
        if sample_weight is not None:
            pairs = pairs.weighted(checked_weights(sample_weight, rows))
        self.estimator_ = model.fit_pairs(pairs)
        return self

    @gives_rows
    def denoise(self, X: Any) -> Any:
        """Return the cleaned rows."""
        _require_scale(self._fitted(), X, noisy=True)
        cleaned: np.ndarray = self._fitted().reconstruct(X)
        return cleaned

    @gives_rows
    def transform(self, X: Any) -> Any:
        """Return the cleaned rows, flattened, so that a denoiser may stand in a pipeline."""
        cleaned = self.denoise(X)
        return cleaned.reshape(len(cleaned), -1)

    def outputs(self, X: Any, *, fresh: bool) -> dict[str, np.ndarray]:
        """Return cleaned rows; the clean rows that it was fitted on need none."""
        return {"cleaned": self.denoise(X)} if fresh else {}

    def corrupted(self, X: Any, seed: int = 0) -> np.ndarray:
        """Return ``X`` with fresh noise, drawn from ``seed``."""
        with fork_rng(seed):
            rows = torch.as_tensor(unit(X))
            noisy: np.ndarray = self.noise_(rows).numpy()
        return noisy

    # ---- pictures of any sizes ---------------------------------------------------------------------------------------

    def suited_pictures(self, pictures: Sequence[np.ndarray]) -> dict[str, Any]:
        """Return a network that corrects, and how it is trained: within minutes, by more and larger steps."""
        return settings("residual") | (_WITHIN_MINUTES if self.resolve().minutes is not None else {})

    @property
    def on_pictures(self) -> bool:
        """Return whether it was fitted to lists of pictures."""
        return hasattr(self, "remarks_")

    def fit_pictures(self, x: list[np.ndarray], y: list[np.ndarray] | None = None) -> Self:
        """Fit to clean pictures (C, H, W), or to noisy ones and the clean ones of their sizes; alpha is left out."""
        model = self.resolve()
        if self.estimator is None:
            model.set_params(**self.suited_pictures(x))
        model, clean = (self._noisy(model), None) if y is None else (model, unit_pictures(y))
        if y is None:
            _require_within_range(as_part("corruption", self.noise or _USUAL_NOISE))
        noisy = unit_pictures(x, noisy=y is not None)
        seen = self.intensity_ = Intensity.shared(x if y is None else y, self.intensity)
        if seen.kind == "set":
            noisy, clean = list(map(seen.scaled, noisy)), None if clean is None else list(map(seen.scaled, clean))
        self.estimator_, self.remarks_, self.paired_ = *learn(model, noisy, clean), y is not None
        return self

    def predict_pictures(self, x: list[np.ndarray]) -> list[np.ndarray]:
        """Return cleaned pictures: floats in [0, 1], alpha as it came."""
        return [joined(self.bands(picture), picture) for picture in unit_pictures(x, noisy=True)]

    def bands(self, picture: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the cleaned rows of one picture from top to bottom: floats in [0, 1], alpha as it came."""
        seen, (colours, alpha) = Intensity(*self.intensity_), split_alpha(picture)
        apply, top = partial(corrected_bands, self._fitted(), seen=seen.scaled), 0
        unit_pictures(picture, noisy=True)
        for band in averaged_bands(apply, colours, "all" if self.ensemble else "none"):
            cleaned, top = seen.restored(band).clip(0, 1), top + band.shape[1]
            rows = None if alpha is None else unit(alpha[:, top - band.shape[1] : top])
            yield cleaned if rows is None else np.concatenate([cleaned, rows])

    def evaluate_pictures(self, train: Examples, held: Examples) -> Evaluation:
        """Return the error on held-out pictures beside the competitors', all on the same noise."""
        notes, seen = [] if self.paired_ else [self._said()], Intensity(*self.intensity_)
        if not self.paired_ and seen.kind == "type":
            notes += beside_range(self.noise_.deviation, train.x)
        notes += seen_words(train.x, seen)
        sides = self._pairs(held, 1), self._pairs(train, 2)
        result = compared(*sides, self._cleaned, self._fitted().shapes_[0][0], held.split, seen)
        result.notes[:0] = [*notes, *getattr(self, "remarks_", [])]
        return result

    def _cleaned(self, picture: np.ndarray) -> np.ndarray:
        return averaged(partial(corrected, self._fitted()), picture, "all" if self.ensemble else "none")

    def _said(self) -> str:
        """Return what the noise is, in a sentence."""
        noise = self.noise_
        words = noise.words() if isinstance(noise, Corruption) else str(noise)
        return f"Learnt from and measured with {words}; levels are on the scale 0 to 1."

    def _pairs(self, examples: Examples, stream: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return noisy pictures on the range they are seen on, and the clean ones as they came, without alpha."""
        seen = Intensity(*self.intensity_)
        clean = [split_alpha(picture)[0] for picture in (examples.x if examples.y is None else examples.y)]
        if self.paired_ and examples.y is None:
            came = f"Clean pictures ({len(clean)}) came without noisy ones to a model that learnt from both"
            raise InputError(came, "noisy and clean pictures of the same names")
        if examples.y is not None:
            return [seen.scaled(split_alpha(picture)[0]) for picture in examples.x], clean
        scaled = (seen.scaled(picture)[None] for picture in clean)
        return [self.corrupted(picture, derive_seed(stream, i))[0] for i, picture in enumerate(scaled)], clean

    def evaluate(self, train: Rows, held: Rows) -> Evaluation:
        """Return the error on newly noised ``held`` rows beside the competitors', all on the same noise.

        After a fit to pairs the rows are noisy ones, and their ``labels`` the clean ones.
        """
        (noisy, clean), (dirty, some) = self._sides(held, 1), self._sides(pick(train, _MAX_TRAIN_ROWS), 2)
        baseline_results: dict[str, np.ndarray] = {"the noisy input": NoisyInput().denoise(noisy)}
        notes = [self._said()] if clean.ndim > 2 and not self.paired_ else []
        try:
            baseline_results["the best linear denoiser"] = LinearDenoiser().fit(dirty, some).denoise(noisy)
        except InputError as error:  # very wide rows
            notes.append(f"The best linear denoiser is left out: {error}")
        if clean.ndim > 2:
            baseline_results["a median filter"] = MedianFilter().fit(dirty[:500], some[:500]).denoise(noisy)
        result = self.denoise(noisy).reshape(clean.shape)
        errors = {name: error_rows(clean, cleaned) for name, cleaned in baseline_results.items()}
        ours = error_rows(clean, result)
        best_baseline = min(errors, key=lambda name: float(errors[name].mean()))
        metrics = {"mse": Metric(float(ours.mean()), "mean squared error", "per value")}
        if clean.ndim > 2:
            metrics["psnr"] = Metric(_psnr(ours), "peak signal-to-noise ratio", "dB", "higher")
        baselines = {
            name: {"mse": float(error.mean()), **({"psnr": _psnr(error)} if clean.ndim > 2 else {})}
            for name, error in errors.items()
        }
        pictures = []
        if clean.ndim > 2:
            strips = {"originals": clean[:12], "middle": noisy[:12], "results": result[:12]}
            noise = "" if self.paired_ else " with noise that the model has not seen"
            caption = f"{held.split.word.capitalize()} rows{noise}."
            data = {**strips, "titles": ("clean", "noisy", "cleaned")}
            pictures.append(Picture("reconstructions", "Clean, noisy, cleaned", caption, data))
        comparison = Comparison.of_rows(ours, errors[best_baseline], "lower")
        return Evaluation(metrics, baselines, "mse", best_baseline, len(clean), comparison, pictures, notes)

    def evaluate_windows(self, learnt: Windows, held: Windows) -> Evaluation:
        """Return the error on a newly noised series, whose windows' results are averaged, beside the competitors'."""
        clean = held.values
        noisy = self.corrupted(clean, seed=1)
        train, test = (replace(windows, values=noisy) for windows in (learnt, held))
        baseline_results = {"the noisy input": noisy}
        for kind in ("average", "median"):
            moving = MovingFilter(kind).fit(noisy, clean, learnt.runs)
            baseline_results[moving.name] = moving.denoise(noisy, held.runs)
        notes = [f"Learnt from and measured with --noise {self.noise_}, in standard deviations of the channels."]
        try:
            few = [windows.drawn(_MAX_TRAIN_ROWS, 0).rows() for windows in (train, learnt)]
            baseline_results["the best linear denoiser"] = test.means(LinearDenoiser().fit(*few).denoise)
        except InputError as error:  # very long windows
            notes.append(f"The best linear denoiser is left out: {error}")
        result = test.means(self.denoise)
        steps = np.flatnonzero(held.runs >= 0)
        ours, *others = (np.square(cleaned - clean)[steps].mean(1) for cleaned in (result, *baseline_results.values()))
        errors = dict(zip(baseline_results, others, strict=True))
        best = min(errors, key=lambda name: float(errors[name].mean()))
        clusters = held.clusters_of(steps)
        comparison = Comparison.of_rows(ours, errors[best], "lower", clusters=clusters)
        metrics = {
            "mse": Metric(comparison.ours, "mean squared error", "in standard deviations of the channel, squared")
        }
        baselines = {name: {"mse": float(error.mean())} for name, error in errors.items()}
        pictures = [excerpts(held, {"noisy": noisy, "original": clean, "cleaned": result})]
        measured = Evaluation(metrics, baselines, "mse", best, len(steps), comparison, pictures, notes)
        return replace(measured, unit="step", piece="window")

    def _sides(self, rows: Rows, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return noisy rows and the clean ones."""
        if not self.paired_:
            return self.corrupted(rows.X, seed=seed), unit(rows.X)
        if rows.labels is None or np.ndim(rows.labels) < 2:
            came = f"Rows ({len(rows.X)}) without clean ones came to a model that learnt from both"
            raise InputError(came, "the clean rows of X as y", "nw.report(fitted, noisy, folder, clean)")
        return unit(rows.X), unit(np.asarray(rows.labels)).reshape(rows.X.shape)


def _require_scale(model: Estimator, X: Any, *, noisy: bool = False) -> None:
    """Refuse images that are not on the scale 0 to 1, on which noise and the PSNR are; tables may have any."""
    if n_axes(X) > 2 or model.image_shape is not None:
        unit_pictures(X if hasattr(X, "dtype") else np.asarray(X), noisy=noisy)


def _psnr(errors: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio for a peak of 1, from the mean squared error of each row, in dB."""
    return float(-10 * np.log10(max(float(errors.mean()), 1e-12)))
