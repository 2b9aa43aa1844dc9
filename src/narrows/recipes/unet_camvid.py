"""``unet-camvid``: street scenes, pixel by pixel, into eleven classes."""

import numpy as np

from narrows import metrics
from narrows.baselines import LocationPrior
from narrows.data.images.augment import Flip
from narrows.data.pairs import Pairs
from narrows.families.autoencoder import AutoEncoder
from narrows.likelihood import Categorical
from narrows.metrics import Comparison
from narrows.networks import UNet
from narrows.recipes.base import PLAIN, recipe
from narrows.recipes.pictures import CAMVID, VOID, curves, keep_masks, losses, predict, streets
from narrows.recipes.run import Run
from narrows.reporting import figures

__all__ = ["unet_camvid"]

_CLASSES = [
    *("Sky", "Building", "Pole", "Road", "Pavement", "Tree"),
    *("SignSymbol", "Fence", "Car", "Pedestrian", "Bicyclist"),
]


@recipe("unet-camvid", "U-Net that names every pixel of a street scene", source="004", folder=CAMVID)
def unet_camvid(run: Run) -> None:
    """Train with cross-entropy, void ignored, and show what is taken for what."""
    scenes = streets(run)
    settings = {"epochs": run.epochs(45, 6), "batch_size": 4, "lr": 1e-3, **PLAIN}
    network, likelihood = UNet((16, 32, 64, 128), second=False), Categorical(n_classes=len(_CLASSES), ignore=VOID)
    model = AutoEncoder(latent_dim=256, network=network, likelihood=likelihood, **settings)
    run.fit("unet", model, Pairs(scenes.train, scenes.train_targets[:, None], augment=Flip()))
    simple = LocationPrior(VOID).fit(scenes.train, scenes.train_targets)
    masks = {"U-Net": predict(model, scenes.test, classes=True), simple.name: simple.predict(scenes.test)}
    numbers(run, scenes.test_targets, masks)
    index = np.linspace(0, len(scenes.test) - 1, 6).astype(int)
    images, truth, predicted = scenes.test[index] / 255, scenes.test_targets[index], masks["U-Net"][index]
    caption = "Six test pictures, evenly chosen; void counts nowhere."
    run.figure("masks", "Classes", caption, figures.overlay(images, truth, predicted, _CLASSES, ignore=VOID))
    known = (scenes.train_targets != VOID).mean() * scenes.train_targets[0].size
    curves(run, {"U-Net": losses(model, known)}, "training cross-entropy (nats per pixel that is not void)")
    keep_masks(run, model, "U-Net", range(len(_CLASSES)), ignore=VOID, class_names=tuple(_CLASSES))


def numbers(run: Run, truth: np.ndarray, masks: dict[str, np.ndarray]) -> None:
    """Report both masks class by class, and which class is taken for which."""
    k = len(_CLASSES)
    counts = {name: metrics.confusion_matrix(truth, mask, k, ignore=VOID) for name, mask in masks.items()}
    pictures = [
        [metrics.confusion_matrix(*pair, k, ignore=VOID) for pair in zip(truth, mask, strict=True)]
        for mask in masks.values()
    ]
    ours, simple = masks
    run.metric("miou", metrics.mean_iou(counts[ours]), "mean intersection over union", better="higher")
    run.metric("accuracy", metrics.pixel_accuracy(counts[ours]), "share of pixels that are right", better="higher")
    run.baseline(simple, miou=metrics.mean_iou(counts[simple]), accuracy=metrics.pixel_accuracy(counts[simple]))
    run.compare("miou", simple, len(truth), Comparison.of_totals(metrics.mean_iou, pictures[0], pictures[1], "higher"))
    shares = counts[ours].sum(axis=1) / counts[ours].sum()
    rows = list(
        zip(_CLASSES, shares.tolist(), *(metrics.iou(matrix).tolist() for matrix in counts.values()), strict=True)
    )
    lead = "Intersection over union on the test pictures, all pixels together; the headline is the mean of the classes."
    run.table("Classes", lead, ("class", "share of the pixels", *counts), rows)
    caption = "Test pictures, pixel by pixel, in percent of the true class."
    run.figure("confusion", "What is taken for what", caption, figures.confusion(counts[ours], _CLASSES))
