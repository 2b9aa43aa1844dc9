"""``unet-membrane``: where the membranes of cells run, and what the skips of a U-Net are worth."""

from typing import Any

import numpy as np
import torch

from narrows import metrics
from narrows.baselines import SmoothedThreshold
from narrows.data.images.augment import Crop, Flip
from narrows.data.pairs import Batch, Pairs
from narrows.families.autoencoder import AutoEncoder
from narrows.metrics import Comparison
from narrows.networks import Sizes, UNet
from narrows.networks.unet import Skip
from narrows.recipes.base import PLAIN, recipe
from narrows.recipes.pictures import MEMBRANE, curves, keep_masks, losses, membranes, predict
from narrows.recipes.run import Run
from narrows.reporting import figures

__all__ = ["unet_membrane"]

Found = dict[str, dict[str, Any]]
_WIDTHS, _BRIDGE_CHANNELS, _TILE = (16, 32, 64, 128), 256, 256
_SKIPS: dict[Skip, str] = {"concat": "skips concatenated", "add": "skips added", "none": "no skips"}
_MAIN = _SKIPS["concat"]


@recipe("unet-membrane", "U-Net that finds membranes, with three kinds of skips", source="000, 004", folder=MEMBRANE)
def unet_membrane(run: Run) -> None:
    """Train the network of the documents with each kind of skip, and measure where it puts the boundaries."""
    cells = membranes(run)
    membrane, truth = cells.train_targets == 0, cells.test_targets == 0
    channels = np.stack([membrane, ~membrane], axis=1).astype(np.uint8) * 255
    pairs, models, masks = Pairs(cells.train, channels, augment=tiles), {}, {}
    for skip, name in _SKIPS.items():
        settings = {"epochs": run.epochs(150, 5), "batch_size": 4, "lr": 1e-3, **PLAIN}
        network = UNet(_WIDTHS, skip=skip, second=False)
        model = AutoEncoder(latent_dim=_BRIDGE_CHANNELS, network=network, likelihood="bernoulli", **settings)
        models[name] = run.fit(skip, model, pairs)
        masks[name] = predict(model, cells.test, classes=True) == 0
    simple = SmoothedThreshold().fit(cells.train, membrane)
    masks[simple.name] = simple.predict(cells.test)
    measures = {name: measure(truth, mask) for name, mask in masks.items()}
    numbers(run, measures, simple.name, cells.train.shape[-2:])
    for name in _SKIPS.values():
        figure = figures.overlay(cells.test / 255, truth, masks[name], ["inside", "membrane"])
        caption = "Held-out pictures: the truth, what the network finds (the larger of its two channels), the errors."
        run.figure(f"masks-{name.replace(' ', '-')}", f"Membranes, {name}", caption, figure)
    displacements = {name: scores["displacement"] for name, scores in measures.items()}
    caption = "Mean distance between true and found boundaries. Without skips all passes the small maps of the bridge."
    run.figure(
        "displacement", "Displacement", caption, figures.bars(displacements, "displacement of the boundaries (pixels)")
    )
    values = channels[0, :, :_TILE, :_TILE].size
    curves(run, {name: losses(model, values) for name, model in models.items()}, "cross-entropy (nats per value)")
    shapes(run)
    keep_masks(run, models[_MAIN], f"U-Net, {_MAIN}", (0, 255))  # as the labels are: the membrane black


def tiles(batch: Batch) -> Batch:
    """Cut one tile out of each picture, at a random place, and flip and turn it at random."""
    return Flip(vertical=True, diagonal=True)(Crop(_TILE)(batch))


def measure(truth: np.ndarray, mask: np.ndarray) -> dict[str, Any]:
    """Return how well masks (n, H, W) agree with the truth, all together and picture by picture."""
    pairs = list(zip(truth, mask, strict=True))
    matrix = metrics.confusion_matrix(truth, mask, 2)
    return {
        "dice": metrics.dice(matrix)[1],
        "accuracy": metrics.pixel_accuracy(matrix),
        "displacement": np.mean([metrics.boundary_distance(*pair) for pair in pairs]),
        "counts": np.stack([metrics.confusion_matrix(*pair, 2) for pair in pairs]),
    }


def numbers(run: Run, found: Found, baseline_name: str, size: tuple[int, ...]) -> None:
    """Report all masks beside each other, and the network of the documents against the simple competitor."""
    keys = ("dice", "accuracy", "displacement")
    run.metric("dice", found[_MAIN]["dice"], "Dice of the membrane", better="higher")
    run.metric("accuracy", found[_MAIN]["accuracy"], "share of pixels that are right", better="higher")
    run.metric("displacement", found[_MAIN]["displacement"], "displacement of the boundaries", "pixels")
    for name, scores in found.items():
        if name != _MAIN:
            run.baseline(name, **{key: scores[key] for key in keys})
    counts = [found[name]["counts"] for name in (_MAIN, baseline_name)]
    comparison = Comparison.of_totals(lambda total: float(metrics.dice(total)[1]), counts[0], counts[1], "higher")
    run.compare("dice", baseline_name, len(counts[0]), comparison)
    whole = " x ".join(map(str, size))
    lead = f"The network learns from whole pictures of {whole}, flipped and turned at random."
    if max(size) > _TILE:
        lead = (
            f"The network learns from tiles of {_TILE} x {_TILE}: every epoch cuts one out of each picture of {whole}, "
        )
        lead += "at a random place, flipped and turned at random. It is tested on whole pictures."
    rows = [(name, *(float(scores[key]) for key in keys)) for name, scores in found.items()]
    columns = ("masks", "Dice of the membrane", "pixels right", "displacement of the boundaries (pixels)")
    run.table("Skips side by side", lead, columns, rows)


@torch.no_grad()
def shapes(run: Run) -> None:
    """Show what the network makes of a batch of pictures of 256 x 256 when it is to give three channels."""
    sizes = Sizes((1, 256, 256), (3, 256, 256), code_in=_BRIDGE_CHANNELS, code_out=_BRIDGE_CHANNELS, out=3)
    encoder, decoder = UNet(_WIDTHS, second=False).build(sizes)
    x = torch.zeros(2 if run.quick else 16, *sizes.shape)
    *skips, bridge = encoder(x)
    tensors = [("input", x), *((f"level {i + 1}", skip) for i, skip in enumerate(skips)), ("bridge", bridge)]
    tensors.append(("output", decoder(bridge, tuple(skips))))
    rows = [(name, " x ".join(map(str, tensor.shape))) for name, tensor in tensors]
    lead = "The shape check of document 004: a batch of grey pictures, three channels out."
    run.table("Shapes", lead, ("", "shape, as one pass gave it"), rows)
