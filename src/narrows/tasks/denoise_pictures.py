"""How a denoiser of pictures does beside the classical ones, all on the same noisy pictures."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows.baselines import LinearDenoiser, MedianFilter, NonLocalMeans, TotalVariation
from narrows.data.crops import crops
from narrows.data.tiles import pad
from narrows.tasks.base import Evaluation, unit
from narrows.tasks.base_restore import Window, apart, evaluation, rounded, score, some

__all__ = ["compared"]

Array = NDArray[Any]
Sides = tuple[list[Array], list[Array]]  # noisy floats, clean pictures

_LEARNT, _SIDE = 200, 64  # crops that competitors are fitted on, and their side
_PATCH = {1: 12}  # side of the linear denoiser's patches by channels ...
_SMALL = 8  # ... of others


def compared(held: Sides, train: Sides, clean: Callable[[Array], Array], channels: int) -> Evaluation:
    """Measure ``clean`` and the competitors, fitted on ``train``, on the middles of held-out pictures."""
    index, notes = some(len(held[0]))
    windows = [Window.of(held[1][i]) for i in index]
    noisy, truth = ([w.cut(part[i]) for w, i in zip(windows, index, strict=True)] for part in held)
    large = sum(each.shape != held[1][i].shape for each, i in zip(truth, index, strict=True))
    if large:
        notes.append(f"Of {large} large pictures the middle of 512 x 512 pixels is measured.")
    rivals = {"the noisy input": noisy}
    for name, denoise in competitors(train, channels).items():
        rivals[name] = [rounded(denoise(each), like.dtype) for each, like in zip(noisy, truth, strict=True)]
    ours = [rounded(clean(each), like.dtype) for each, like in zip(noisy, truth, strict=True)]
    targets = [unit(each) for each in truth]
    scores = {name: score(targets, made) for name, made in rivals.items()}
    best = min(scores, key=lambda name: float(scores[name].mse.mean()))
    shown = {"noisy": noisy, best.removeprefix("the ").removeprefix("a "): rivals[best], "cleaned": ours}
    if best == "the noisy input":
        shown = {"noisy": noisy, "cleaned": ours}
    return evaluation(score(targets, ours), scores, "", {**shown, "clean": targets}, notes)


def competitors(train: Sides, channels: int) -> dict[str, Callable[[Array], Array]]:
    """Return the classical denoisers by name, with their strengths chosen on crops of the training pictures."""
    noisy, clean = (apart(part, channels) for part in train)
    pairs, _ = crops(noisy, [unit(each) for each in clean], (_SIDE, _SIDE), where="random", count=_LEARNT)
    x, y = (np.asarray(column) for column in pairs.columns[:2])
    side = _PATCH.get(channels, _SMALL)
    linear = LinearDenoiser(patch=side).fit(x, y)
    made: dict[str, Callable[[Array], Array]] = {
        "the best linear denoiser": lambda picture: in_patches(linear, picture, channels, side),
    }
    filters: dict[str, Any] = {"a median filter": MedianFilter, "total variation": TotalVariation}
    filters["non-local means"] = NonLocalMeans
    for name, kind in filters.items():
        made[name] = whole(kind().fit(x, y))
    return made


def whole(denoiser: Any) -> Callable[[Array], Array]:
    """Return a denoiser of many pictures as one of a single picture (C, H, W)."""
    return lambda picture: np.asarray(denoiser.denoise(picture[None])[0])


def in_patches(linear: LinearDenoiser, picture: Array, channels: int, side: int) -> Array:
    """Return a picture denoised in patches, channel by channel where it has others than were learnt."""
    parts: Sequence[Array] = [picture] if len(picture) == channels else list(picture[:, None])
    tall, wide = (max(length, side) for length in picture.shape[1:])
    made = [linear.denoise(pad(part, tall, wide)[None])[0] for part in parts]
    return np.concatenate(made)[:, : picture.shape[1], : picture.shape[2]]
