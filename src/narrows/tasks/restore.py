"""What tasks that give pictures back, better, share: colour and alpha apart, tiles, errors of each, figures."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from narrows import metrics
from narrows.data.images.augment import CropFlip, Flip
from narrows.data.images.crops import crops
from narrows.data.images.intensity import DIM, Intensity, filled
from narrows.data.images.tiles import joined
from narrows.data.scale import top
from narrows.estimator.base import Estimator
from narrows.holdout import VALIDATION, Split
from narrows.metrics import Better, Comparison
from narrows.tasks.base import Evaluation, Metric, Picture
from narrows.tasks.images import crop_size, through_bands

__all__ = [
    "Scores",
    "Window",
    "beside_range",
    "corrected",
    "corrected_bands",
    "evaluation",
    "kept",
    "learn",
    "rounded",
    "score",
    "seen_words",
    "settings",
    "some",
    "span_of",
    "split_alpha",
]

Array = NDArray[Any]
WINDOW = 64  # side of what is learnt from at a time ...
CROP = 96  # ... cut anew from crops of this side
_TILE_SIDE = 384  # side of the tiles that large pictures are cut into
_MAX_MEASURED_SIDE = 512  # side of what is measured of a large picture
_TURNED = Flip(vertical=True, diagonal=True)
_MAX_MEASURED_PICTURES = 20  # pictures that are measured
_STEPS_BY_DEVICE = {"cpu": 2000, "other": 20_000}  # of a fit without epochs and minutes ...
_MANY_PIXELS, _LEAST_STEPS = 1_000_000, 0.45  # ... to so many pixels; fewer are learnt sooner, in at least so much


class Window(NamedTuple):
    """The middle of a picture, no larger than what is used of it."""

    rows: slice
    columns: slice

    @classmethod
    def of(cls, picture: Array, divisor: int = 1, share: float | None = None) -> "Window":
        """Return the window of a picture (C, H, W): what is measured of it, or a ``share`` of each side.

        Its sides divide by ``divisor`` where the picture's allow it.
        """
        slices = []
        for side in picture.shape[1:]:
            length = min(side, _MAX_MEASURED_SIDE) if share is None else math.ceil(share * side)
            length -= length % divisor if length >= divisor else 0
            slices.append(slice((side - length) // 2, (side - length) // 2 + length))
        return cls(*slices)

    def cut(self, picture: Array) -> Array:
        """Return the window of a picture of that size."""
        return picture[:, self.rows, self.columns]


class Scores(NamedTuple):
    """Errors of every picture."""

    mse: Array
    psnr: Array
    ssim: Array

    def means(self) -> dict[str, float]:
        """Return the means over the pictures; SSIM where there is one."""
        numbers = {"mse": float(self.mse.mean()), "psnr": float(self.psnr.mean())}
        return numbers | ({"ssim": float(self.ssim.mean())} if np.isfinite(self.ssim).all() else {})


def split_alpha(picture: Array) -> tuple[Array, Array | None]:
    """Return the colours of a picture (C, H, W), and its alpha if it has four channels."""
    return (picture[:3], picture[3:]) if len(picture) == 4 else (picture, None)


def channels_of(pictures: Sequence[Array]) -> int:
    """Return the channels that one network serves all these pictures with: their own if they agree, else one by one."""
    counts = {len(picture) for picture in pictures}
    return counts.pop() if len(counts) == 1 else 1


def apart(pictures: Sequence[Array], channels: int) -> list[Array]:
    """Return pictures of so many channels: those of others come channel by channel."""
    return [part for picture in pictures for part in ([picture] if len(picture) == channels else picture[:, None])]


def corrected(estimator: Estimator, picture: Array) -> Array:
    """Return what a fitted network makes of a picture (C, H, W) of floats: of its own channels, or one by one.

    Grey goes through a network of colours as three equal channels, of which the mean is taken.
    """
    return joined(corrected_bands(estimator, picture), picture)


def corrected_bands(
    estimator: Estimator, picture: Array, seen: Callable[[Array], Array] | None = None
) -> Iterator[Array]:
    """Yield the rows of what ``corrected`` returns for a picture, whose tiles ``seen`` brings to floats."""
    channels = estimator.shapes_[0][0]
    if len(picture) == channels:
        yield from through_bands(estimator, picture, _TILE_SIDE, seen)
        return
    repeated = (np.repeat(channel[None], channels, 0) for channel in picture)
    parts = [through_bands(estimator, channel, _TILE_SIDE, seen) for channel in repeated]
    for band in zip(*parts, strict=True):
        yield np.concatenate([channel.mean(0, keepdims=True) for channel in band])


def settings(network: Any) -> dict[str, Any]:
    """Return the settings of a family that fit pictures: a network as the identity at first, windows, small batches.

    Higher rates, or gradients without a limit, throw the network off the identity, and it does not come back.
    """
    return {
        "network": network,
        "start": "random",
        "batch_size": 16,
        "lr": 1e-3,
        "clip": 30.0,
        "warm_up": 0.1,
    }


def learn(model: Estimator, x: Sequence[Array], y: Sequence[Array] | None) -> tuple[Estimator, list[str]]:
    """Fit a family to crops of pictures, and of what they should be, without alpha; return it with remarks.

    Of too few crops none are put aside: they also choose the weights, so that none are kept that harm what was learnt.
    """
    colours = [None if part is None else [split_alpha(picture)[0] for picture in part] for part in (x, y)]
    channels = channels_of([picture for part in colours for picture in part or ()])
    inputs, targets = (None if part is None else apart(part, channels) for part in colours)
    multiple = model.chosen_network((channels, CROP, CROP)).multiple
    most, augment = (CROP, CropFlip(WINDOW, _TURNED)) if multiple else (WINDOW, _TURNED)
    size = crop_size([picture.shape[1:] for picture in inputs or ()], most, multiple)
    pairs, remarks = crops(inputs or (), targets, size, augment=augment)
    model.set_params(**plan(model, len(pairs), sum(picture[0].size for picture in inputs or ())))
    alone = model.validation > 0 and not replace(VALIDATION, share=model.validation).count(len(pairs))
    if alone:
        crop = "crop is" if len(pairs) == 1 else "crops are"
        remarks.append(f"{len(pairs)} {crop} too few to put some aside: the best weights are the best for these")
    return model.fit_pairs(pairs, valid=pairs.as_scored() if alone else None), remarks


def plan(estimator: Estimator, crops: int, pixels: int) -> dict[str, Any]:
    """Return the epochs of a fit that the user set no length for, and the share of crops to validate on.

    ``pixels`` are those of the pictures that the crops are from: of few, the best weights come sooner.
    """
    settings: dict[str, Any] = {"validation": min(estimator.validation, 100 / crops)}
    if estimator.epochs is None and estimator.minutes is None:
        device_steps = _STEPS_BY_DEVICE.get(estimator.scoring_device().type, _STEPS_BY_DEVICE["other"])
        steps = device_steps * min(1.0, max(_LEAST_STEPS, math.sqrt(pixels / _MANY_PIXELS)))
        settings["epochs"] = max(1, round(steps / max(1, crops / estimator.batch_size)))
    return settings


def _psnr(truth: Array, result: Array) -> float:
    return metrics.psnr(truth, result, 1.0)


def score(truth: Sequence[Array], made: Sequence[Array]) -> Scores:
    """Return how far pictures (C, H, W) on the scale 0 to 1 are from the truth."""
    pairs = list(zip(truth, made, strict=True))
    mse, psnr = (np.array([measure(a, b) for a, b in pairs]) for measure in (metrics.mse, _psnr))
    tiny = any(min(picture.shape[1:]) < 3 for picture in truth)
    ssim = np.array([np.nan if tiny else metrics.ssim(a[None], b[None], 1.0, gaussian=True) for a, b in pairs])
    return Scores(mse, psnr, ssim)


def evaluation(
    ours: Scores,
    baseline_results: Mapping[str, Scores],
    label: str,
    shown: Mapping[str, Sequence[Array]],
    notes: Sequence[str],
    split: Split,
    span: str,
) -> Evaluation:
    """Return the evaluation: means over pictures, the best competitor, and the figures.

    ``shown`` are rows of pictures by name, the truth last, on the range ``span``.
    """
    best_baseline = min(baseline_results, key=lambda name: float(baseline_results[name].mse.mean()))
    numbers = ours.means()
    known: dict[str, tuple[str, str, Better]] = {
        "mse": ("mean squared error" + label, f"where {span} is 0 to 1", "lower"),
        "psnr": (f"peak signal-to-noise ratio{label} on a range of {span}", "dB", "higher"),
        "ssim": (f"structural similarity{label} on a range of {span}", "", "higher"),
    }
    measures = {name: Metric(value, *known[name]) for name, value in numbers.items()}
    baselines = {name: result.means() for name, result in baseline_results.items()}
    columns = {name: list(column) for name, column in shown.items()}
    caption = f"From pictures that {split.were} learnt from, pixel by pixel, from {span}; PSNR of what is shown."
    pictures = [Picture("closeups", "What it does to pictures", caption, {"columns": columns})]
    ratios = {name: values["psnr"] for name, values in baselines.items()} | {"the autoencoder": numbers["psnr"]}
    if np.isfinite(list(ratios.values())).all():
        caption = "Mean over the pictures that are measured; 1 dB more is a fifth less squared error."
        data = {"values": ratios, "label": f"PSNR on a range of {span} (dB)", "better": "higher"}
        pictures.append(Picture("psnr", "Beside the competitors", caption, data, "bars"))
    comparison = Comparison.of_rows(ours.mse, baseline_results[best_baseline].mse, "lower")
    return Evaluation(
        measures,
        baselines,
        "mse",
        best_baseline,
        len(ours.mse),
        comparison,
        pictures,
        list(notes),
        unit="picture",
        piece="crop",
    )


def some(count: int, split: Split) -> tuple[list[int], list[str]]:
    """Return which of so many pictures are measured, evenly spaced, and a note if not all are."""
    index = np.unique(np.linspace(0, count - 1, min(_MAX_MEASURED_PICTURES, count)).astype(int)).tolist()
    return index, [f"{len(index)} of {count} {split.word} pictures are measured"] if len(index) < count else []


def rounded(picture: Array, dtype: Any) -> Array:
    """Return floats as a file of this type keeps them: cut to [0, 1] and rounded to 8 or 16 bit.

    Examples
    --------
    >>> rounded(np.array([1.2, 0.4999]), np.dtype(np.uint8)).round(4).tolist()
    [1.0, 0.498]
    """
    most = top(np.dtype(dtype))
    return picture if most == 1 else np.rint(picture.clip(0, 1) * most) / np.float32(most)


def kept(picture: Array, dtype: Any, seen: Intensity) -> Array:
    """Return a result on the range that pictures are seen on as a file of this type keeps it, on that range.

    Examples
    --------
    >>> kept(np.array([[[0.5, 1.0]]]), np.dtype(np.uint8), Intensity("set", 0, 4 / 255)).round(4).tolist()
    [[[0.5, 1.0]]]
    """
    return seen.scaled(rounded(seen.restored(picture), dtype))


def beside_range(deviation: float | None, pictures: Sequence[Array]) -> list[str]:
    """Say what the deviation of a noise is beside the range that pictures fill, where that is a small part of 0 to 1.

    Examples
    --------
    >>> beside_range(0.1, [np.array([[[0, 51]]], np.uint8)])
    ['The pictures fill 20 % of the range of their type: a deviation of 0.1 is 0.51 times what they span.']
    """
    share = filled(pictures)
    if deviation is None or share >= DIM:
        return []
    times = f"a deviation of {deviation:.3g} is {deviation / max(share, 1e-12):.2g} times what they span"
    return [f"The pictures fill {100 * share:.2g} % of the range of their type: {times}."]


def span_of(pictures: Sequence[Array], seen: Intensity) -> str:
    """Return from where to where the range of pictures goes, in the levels of their type.

    Examples
    --------
    >>> span_of([np.zeros((1, 2, 2), np.uint16)], Intensity())
    '0 to 65535'
    """
    types = {picture.dtype for picture in pictures}
    return seen.ends(types.pop() if len(types) == 1 else np.float32)


def seen_words(pictures: Sequence[Array], seen: Intensity) -> list[str]:
    """Say on which range pictures are seen, where it is not that of their type."""
    if seen.kind == "type":
        return []
    whole = Intensity().ends(pictures[0].dtype)
    span = span_of(pictures, seen)
    return [f"The pictures are seen, and errors are given, on their own range of {span} of {whole}; files keep theirs."]
