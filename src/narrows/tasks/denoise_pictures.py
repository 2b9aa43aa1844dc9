"""How clean pictures come out beside filters: median, total variation, non-local means, the best linear denoiser."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows.baselines import LinearDenoiser, MedianFilter, NonLocalMeans, TotalVariation
from narrows.data.images.crops import crops
from narrows.data.images.intensity import Intensity
from narrows.data.images.tiles import pad
from narrows.holdout import Split
from narrows.tasks.base import Evaluation
from narrows.tasks.restore import Window, apart, evaluation, kept, score, some, span_of

__all__ = ["compared"]

Array = NDArray[Any]
Sides = tuple[list[Array], list[Array]]  # noisy floats, clean pictures

_CROPS_LEARNT, _CROP_SIDE = 100, 64  # crops that competitors are fitted on, and their side
_PATCH_SIDES = {1: 12}  # side of the linear denoiser's patches by channels ...
_USUAL_PATCH_SIDE = 8  # ... of others


def compared(
    held: Sides, train: Sides, clean: Callable[[Array], Array], channels: int, split: Split, seen: Intensity
) -> Evaluation:
    """Measure ``clean`` and the competitors, fitted on ``train``, on the middles of held-out pictures.

    Noisy pictures, and what becomes of them, are on the range ``seen``; clean ones are as they came.
    """
    index, notes = some(len(held[0]), split)
    windows = [Window.of(held[1][i]) for i in index]
    noisy, truth = ([w.cut(part[i]) for w, i in zip(windows, index, strict=True)] for part in held)
    large = sum(picture.shape != held[1][i].shape for picture, i in zip(truth, index, strict=True))
    if large:
        notes.append(f"Of {large} large pictures the middle of 512 x 512 pixels is measured.")

    def results(denoise: Callable[[Array], Array]) -> list[Array]:
        return [kept(denoise(picture), like.dtype, seen) for picture, like in zip(noisy, truth, strict=True)]

    baseline_results = {"the noisy input": noisy}
    rivals = competitors((train[0], list(map(seen.scaled, train[1]))), channels)
    baseline_results |= {name: results(denoise) for name, denoise in rivals.items()}
    ours, targets = results(clean), list(map(seen.scaled, truth))
    scores = {name: score(targets, pictures) for name, pictures in baseline_results.items()}
    best = min(scores, key=lambda name: float(scores[name].mse.mean()))
    shown = {"noisy": noisy, best.removeprefix("the ").removeprefix("a "): baseline_results[best], "cleaned": ours}
    if best == "the noisy input":
        shown = {"noisy": noisy, "cleaned": ours}
    shown["clean"] = targets
    return evaluation(score(targets, ours), scores, "", shown, notes, split, span_of(truth, seen))


def competitors(train: Sides, channels: int) -> dict[str, Callable[[Array], Array]]:
    """Return the classical denoisers by name, with their strengths chosen on crops of the training pictures."""
    noisy, clean = (apart(part, channels) for part in train)
    pairs, _ = crops(noisy, clean, (_CROP_SIDE, _CROP_SIDE), where="random", count=_CROPS_LEARNT)
    x, y = (np.asarray(column) for column in pairs.columns[:2])
    side = _PATCH_SIDES.get(channels, _USUAL_PATCH_SIDE)
    linear = LinearDenoiser(patch=side).fit(x, y)
    denoisers: dict[str, Callable[[Array], Array]] = {
        "the best linear denoiser": lambda picture: in_patches(linear, picture, channels, side),
    }
    filters: dict[str, Any] = {"a median filter": MedianFilter, "total variation": TotalVariation}
    filters["non-local means"] = NonLocalMeans
    for name, kind in filters.items():
        denoisers[name] = whole(kind().fit(x, y))
    return denoisers


def whole(denoiser: Any) -> Callable[[Array], Array]:
    """Return a denoiser of many pictures as one of a single picture (C, H, W)."""
    return lambda picture: np.asarray(denoiser.denoise(picture[None])[0])


def in_patches(linear: LinearDenoiser, picture: Array, channels: int, side: int) -> Array:
    """Return a picture denoised in patches, channel by channel where it has others than were learnt.

    As for the network, a channel goes through a filter of colours as so many equal ones, of which the mean is taken.
    """
    alike = len(picture) == channels
    parts: Sequence[Array] = [picture] if alike else [channel[None].repeat(channels, 0) for channel in picture]
    tall, wide = (max(length, side) for length in picture.shape[1:])
    cleaned = [linear.denoise(pad(part, tall, wide)[None])[0] for part in parts]
    cleaned = cleaned if alike else [part.mean(0, keepdims=True) for part in cleaned]
    return np.concatenate(cleaned)[:, : picture.shape[1], : picture.shape[2]]
