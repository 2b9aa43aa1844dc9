"""``unpool``: where pooled values land when an image grows back."""

import numpy as np
import torch
import torch.nn.functional as F

from narrows.families.autoencoder import AutoEncoder
from narrows.networks.resample import MaxPool, average_unpool, max_unpool
from narrows.networks.stack import Stack
from narrows.recipes.base import PLAIN, recipe
from narrows.recipes.run import Images, Run
from narrows.reporting import figures
from narrows.reporting.figures.style import number, percent
from narrows.tasks.base import error_rows, unit
from narrows.tasks.reduce.reducer import Reducer

__all__ = ["unpool"]

_HAND_MADE = np.array([[1.0, 2, 6, 3], [4, 3, 1, 7], [8, 5, 2, 2], [1, 4, 9, 5]])
_UNPOOLINGS = ("max-unpooling", "top-left unpooling", "average-unpooling")
_ENCODER = ("conv:8,relu", "pool", "conv:8,relu", "pool", "conv")
_DECODER = ("conv:8,relu", "unpool", "conv:8,relu", "unpool", "conv")


@recipe("unpool", "max- and average-unpooling: where the values land", source="001")
def unpool(run: Run) -> None:
    """Follow pooled values of a small array and of digits, then decode codes with and without their positions."""
    images = run.images()
    digits = unit(images.test[:5])
    small(run)
    crop(run, digits[0])
    kept, lost = many(run, digits)
    errors = trained(run, images)
    run.conclude(
        f"{percent(kept)} of the pooled values of five digits are back where they came from with the encoder's "
        f"positions, {percent(lost)} at the top left without them; a decoder that learnt to unpool makes "
        f"{number(errors[1] / errors[0], 2)} times its error when it is given the code alone."
    )


def ways(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, ...]]:
    """Return maxima, their positions and the three ways back of images (n, H, W), by the networks' own functions."""
    rows = torch.from_numpy(x)[:, None]
    pooled, positions = MaxPool(2)(rows)
    side = (x.shape[1], x.shape[2])
    average = average_unpool(F.avg_pool2d(rows, 2, ceil_mode=True))[..., : side[0], : side[1]]
    unpooled = (max_unpool(pooled, positions, side), max_unpool(pooled, None, side), average)
    return pooled[:, 0].numpy(), positions[:, 0].numpy(), tuple(images[:, 0].numpy() for images in unpooled)


def small(run: Run) -> None:
    """Show a small array, max- and average-pooled and back."""
    pooled, positions, unpooled = ways(_HAND_MADE[None])
    placed = {name: images[0] for name, images in zip(_UNPOOLINGS[:2], unpooled, strict=False)}
    figure = figures.placement(_HAND_MADE, pooled[0], placed, positions[0])
    caption = (
        "The frames are the places where the maxima were. Without them, values go to the top left of their windows."
    )
    run.figure("small", "Max-unpooling of a small array", caption, figure)
    averaged = _HAND_MADE.reshape(2, 2, 2, 2).mean((1, 3))
    averaged_again = F.avg_pool2d(torch.from_numpy(unpooled[2])[None], 2)[0, 0].numpy()
    steps = [
        ("input", _HAND_MADE),
        ("averaged", averaged),
        ("copied", unpooled[2][0]),
        ("averaged again", averaged_again),
    ]
    caption = "Every value fills its window, so that the average of the window gives it back."
    figure = figures.steps_strip(steps, layer=averaged)
    run.figure("average", "Average-unpooling of the same array", caption, figure)
    run.metric(
        "average_gap", np.abs(averaged_again - averaged).max(), "averages against the averages of what was copied"
    )


def crop(run: Run, digit: np.ndarray) -> None:
    """Follow the values of the brightest 6 x 6 pixels of a real digit."""
    windows = np.lib.stride_tricks.sliding_window_view(digit, (6, 6))[::2, ::2]
    top, left = np.unravel_index(windows.sum((2, 3)).argmax(), windows.shape[:2])
    part = np.ascontiguousarray(windows[top, left])
    pooled, positions, unpooled = ways(part[None])
    placed = {name: images[0] for name, images in zip(_UNPOOLINGS[:2], unpooled, strict=False)}
    figure = figures.placement(part, pooled[0], placed, positions[0])
    run.figure(
        "crop", "Max-unpooling of 6 x 6 pixels of a digit", "The brightest part of the first test image.", figure
    )


def many(run: Run, digits: np.ndarray) -> tuple[float, float]:
    """Unpool five digits in all ways; return the share of maxima back in place with positions and at the top left."""
    pooled, _, unpooled = ways(digits)
    maxima = int((pooled != 0).sum())
    counts = [int(((image != 0) & (image == digits)).sum()) for image in unpooled[:2]]
    errors = [float(np.square(image - digits).mean()) for image in unpooled]
    rows = list(zip(_UNPOOLINGS, [f"{count} of {maxima}" for count in counts] + ["-"], errors, strict=True))
    lead = "Five test digits, pooled over 2 x 2, then unpooled; only maxima above zero are counted."
    run.table("Digits", lead, ("unpooling", "maxima back in place", "mean squared error per pixel"), rows)
    run.metric("in_place", counts[0] / maxima, "maxima back in place with positions", "share", "higher")
    run.metric("in_place_top_left", counts[1] / maxima, "maxima back in place without positions", "share", "higher")
    pictures = np.concatenate([digits, *unpooled])
    figure = figures.sample_grid(pictures, "Five digits, pooled and unpooled", names=["input", *_UNPOOLINGS])
    run.figure(
        "digits", "Real digits", "Max-unpooling leaves zeros between the maxima, average-unpooling blocks.", figure
    )
    return counts[0] / maxima, counts[1] / maxima


def trained(run: Run, images: Images) -> tuple[float, ...]:
    """Train a decoder that unpools and one that copies; return test errors with positions, without, and of copying."""
    base = {"latent_dim": 4, "epochs": run.epochs(5, 10), "batch_size": 64, "lr": 2e-3, **PLAIN}
    model = AutoEncoder(network=Stack(_ENCODER, _DECODER), **base)
    copying = tuple(layer.replace("unpool", "upsample") for layer in _DECODER)
    other = AutoEncoder(network=Stack(_ENCODER, copying), **base)
    run.fit("max-unpooling", model, images.train)
    run.fit("copying", other, images.train)
    codes = model.transform(images.test)
    with torch.no_grad():
        *positions, _ = model.model_.encoder(torch.zeros(1, *model.shapes_[0]))
        decoded = model.model_.decode(torch.from_numpy(codes).reshape(-1, *model.code_shape_)).numpy()
    results = {
        "unpooling, positions": (sum(position.numel() for position in positions), model.reconstruct(images.test)),
        "unpooling, code alone": (0, decoded[:, 0]),
        "copying, code alone": (0, other.reconstruct(images.test)),
    }
    errors = tuple(float(error_rows(unit(images.test), result).mean()) for _, result in results.values())
    rows = [(name, codes.shape[1], known, mse) for (name, (known, _)), mse in zip(results.items(), errors, strict=True)]
    lead = "The same encoder layers. Positions are not part of the code: they must be kept as well, 2 bits each."
    columns = ("decoder", "numbers in the code", "positions beside it", "test mean squared error per pixel")
    run.table("With and without the encoder", lead, columns, rows)
    run.metric("mse", errors[0], "mean squared error, unpooling with positions", "per pixel")
    run.metric("mse_alone", errors[1], "mean squared error, unpooling the code alone", "per pixel")
    run.baseline("copying instead of unpooling", mse=errors[2], mse_alone=errors[2])
    pictures = np.concatenate([unit(images.test[:5]), *(np.clip(result[:5], 0, 1) for _, result in results.values())])
    figure = figures.sample_grid(pictures, "Five test digits, decoded", names=["input", *results])
    caption = "Without the encoder's positions the values go to the top left of their windows."
    run.figure("decoded", "Decoding without the encoder's positions", caption, figure)
    run.keep(Reducer(latent_dim=4), model, images.train[:100])
    return errors
