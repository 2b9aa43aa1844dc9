"""Quality rows about pictures and their targets: membranes, street scenes, facades."""

import tempfile
import time
from pathlib import Path
from typing import Any

from common import Measured, folder

import narrows as nw
from narrows import metrics
from narrows.recipes import pictures
from narrows.recipes.run import Run


def segment(seed: int, quick: bool) -> Measured:
    """Membranes, slices 0-23 to learn from and 24-29 for the test: Dice of the membrane class, pixel accuracy."""
    cells = pictures.membranes(_from("membrane", quick))
    network = nw.AutoEncoder(latent_dim=256, network=nw.UNet(), batch_size=2, lr=2e-3, validation=0)
    task = nw.Segmenter(
        estimator=network, crop=256, dice=20_000 / 256**2, flips="all", ensemble=False, epochs=200, random_state=seed
    )
    started = time.perf_counter()
    _quickly(task, quick).fit(cells.train, cells.train_targets)
    truth, found = cells.test_targets == 0, task.predict(cells.test) == 0
    seconds = time.perf_counter() - started
    matrix = metrics.confusion_matrix(truth, found, 2)
    dice, right = float(metrics.dice(matrix)[1]), metrics.pixel_accuracy(matrix)
    said = f"seed {seed}: Dice {dice:.4f}, accuracy {right:.4f}, {task.estimator_.n_epochs_} epochs"
    return Measured(dice, seconds, said, {"accuracy": right})


def segment_multi(seed: int, quick: bool) -> Measured:
    """Street scenes, 11 classes, the official split: mean intersection over union on the test part."""
    scenes = pictures.streets(_from("CamVid", quick))
    network = nw.AutoEncoder(latent_dim=256, network=nw.UNet(), batch_size=4, lr=2e-3, validation=0)
    pixels = scenes.train_targets[0].size
    task = nw.Segmenter(
        estimator=network, ignore=pictures.VOID, dice=10_000 / pixels, ensemble=False, epochs=40, random_state=seed
    )
    started = time.perf_counter()
    _quickly(task, quick).fit(scenes.train, scenes.train_targets)
    found = task.predict(scenes.test)
    seconds = time.perf_counter() - started
    matrix = metrics.confusion_matrix(scenes.test_targets, found, 11, ignore=pictures.VOID)
    miou, right = metrics.mean_iou(matrix), metrics.pixel_accuracy(matrix)
    said = f"seed {seed}: mIoU {miou:.4f}, accuracy {right:.4f}, {task.estimator_.n_epochs_} epochs"
    return Measured(miou, seconds, said, {"accuracy": right})


def translate(seed: int, quick: bool) -> Measured:
    """Facades, labels to photograph: mean absolute error on the test part, colours in [0, 1]."""
    houses = pictures.facades(_from("facades", quick))
    network = nw.AutoEncoder(latent_dim=256, network=nw.UNet(), likelihood="laplace", lr=2e-3, validation=0)
    task = nw.Translator(estimator=network.set_params(batch_size=4), epochs=25, ensemble=True, random_state=seed)
    started = time.perf_counter()
    made = _quickly(task, quick).fit(houses.train, houses.train_targets).predict(houses.test)
    seconds = time.perf_counter() - started
    error = metrics.mae(houses.test_targets / 255, made)
    return Measured(error, seconds, f"seed {seed}: L1 {error:.4f}, {task.estimator_.n_epochs_} epochs")


def _from(name: str, quick: bool) -> Any:
    """Return what the readers of the recipes read from; a quick run draws its pictures."""
    data = None if quick else folder(name)
    return Run(name, Path(tempfile.mkdtemp()), quick=quick, data=data, say=print)


def _quickly(model: Any, quick: bool) -> Any:
    return model.set_params(epochs=1) if quick else model
