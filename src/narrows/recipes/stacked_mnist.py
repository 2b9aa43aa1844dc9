"""``stacked-mnist``: layers learnt one by one, without and with noise; what that is worth when labels are few."""

from typing import Any

import numpy as np
import torch

from narrows.errors import Interrupted
from narrows.families.stacked import StackedAutoEncoder, blocks
from narrows.metrics import knn_accuracy
from narrows.networks.dense import Dense
from narrows.recipes.base import PLAIN, recipe
from narrows.recipes.evidence import reconstructions
from narrows.recipes.run import Images, Run
from narrows.reporting import figures
from narrows.reporting.figures.style import number, percent
from narrows.tasks.base import unit
from narrows.tasks.classify.classifier import CodeClassifier
from narrows.tasks.reduce.reducer import Reducer
from narrows.training.random import fork_rng

__all__ = ["stacked_mnist"]

_NOISES = {"SDAE": "mask:0.25", "SAE": None}
_NO_PRETRAINING, _NEIGHBOUR = "no pre-training", "nearest labelled image"
_BATCH = 64


@recipe("stacked-mnist", "stacked autoencoders, pre-training when labels are few, and variants", source="002, 004")
def stacked_mnist(run: Run) -> None:
    """Pre-train layer by layer, tune, learn labels on top, and draw variants of images."""
    images = run.images()
    base = {**_layers(run), "greedy_epochs": run.epochs(10, 25), "epochs": 10, "lr": 1e-3, **PLAIN}
    models = {
        kind: run.fit(kind.lower(), StackedAutoEncoder(noise=noise, **base), images.train)
        for kind, noise in _NOISES.items()
    }
    run.note("The main model is the SDAE: masking noise hides a quarter of each layer's inputs while it learns.")
    run.note("The likelihood is Bernoulli, and a pixel's grey is read as a probability: cross-entropy, as in 004.")
    classifier = _labels(run, models, images)
    _variants(run, models, classifier, images)
    reconstructions(run, models["SDAE"], images)
    run.keep(Reducer(latent_dim=base["latent_dim"]), models["SDAE"], images.train[:100], "SDAE")


def _layers(run: Run) -> dict[str, Any]:
    """Return layers of sigmoid units, fewer of them in a miniature."""
    widths = (200, 200, 100) if run.quick else (500, 500, 250)
    network = Dense(widths[:-1], activation="sigmoid", code="sigmoid")
    return {"latent_dim": widths[-1], "network": network, "likelihood": "bernoulli"}


def _labels(run: Run, models: dict[str, Any], images: Images) -> CodeClassifier:
    """Show the test error for few, more and all labels; return the last classifier on top of the first model."""
    counts = (*((50, 200) if run.quick else (100, 1000)), len(images.train))
    errors: dict[str, list[float]] = {name: [] for name in (*models, _NO_PRETRAINING)}
    for n in counts:
        run.say(f"learning {n} labels")
        classifiers = {name: _classifier(run, name, models.get(name), images, n) for name in errors}
        for name, model in classifiers.items():
            errors[name].append(1 - model.score(images.test, images.test_labels))
    pixels = unit(images.train), unit(images.test)
    errors[_NEIGHBOUR] = [
        1 - knn_accuracy(pixels[0][:n], images.train_labels[:n], pixels[1], images.test_labels, k=1) for n in counts
    ]
    main = next(iter(models))
    keys = [f"error_{n}" for n in counts]
    for key, n, value in zip(keys, counts, errors[main], strict=True):
        run.metric(key, value, f"classification error with {n} labels", "share of the images")
    for name in list(errors)[1:]:
        run.baseline(name, **dict(zip(keys, errors[name], strict=True)))
    percents = {name: f"{100 * errors[name][0]:.1f} %" for name in (_NO_PRETRAINING, main, _NEIGHBOUR)}
    run.conclude(
        f"With {counts[0]} labels, pre-training on all {number(len(images.train))} images takes the error of a sigmoid "
        f"network on test images from {percents[_NO_PRETRAINING]} to {percents[main]}; the nearest labelled image has "
        f"{percents[_NEIGHBOUR]}."
    )
    rows = [(name, *(f"{100 * error:.1f} %" for error in row)) for name, row in errors.items()]
    lead = "All layers are tuned with the labels; pre-training saw every training image, but no label."
    run.table("Error on the test images", lead, ("begun from", *(f"{n} labels" for n in counts)), rows)
    curves = {name: (np.array(counts), np.array(row)) for name, row in errors.items()}
    figure = figures.lines(curves, "labels", "share of the test images taken for another class", log_x=True)
    run.figure("labels", "What pre-training is worth", lead, figure)
    return classifiers[main]


def _classifier(run: Run, name: str, model: Any, images: Images, n: int) -> CodeClassifier:
    """Return a classifier fitted to the first n labels, on top of a fitted model or of random weights."""
    steps = 200 if run.quick else 2000
    random = StackedAutoEncoder(**_layers(run), **PLAIN)
    classifier = CodeClassifier(
        estimator=model or random,
        prefit=model is not None,
        pretrain=model is not None,
        tune_epochs=max(steps * _BATCH // n, 10),
        tune_lr=3e-3,
        tune_batch_size=_BATCH,
        tune_validation=0.0,
        random_state=0,
    )
    folder = run.folder / "models" / f"{n}-labels" / name.replace(" ", "-").lower()
    classifier.set_params(tune_checkpoint=str(folder))
    classifier.fit(images.train[:n], images.train_labels[:n])
    if not classifier.finished_:
        raise Interrupted
    return classifier


def _variants(run: Run, models: dict[str, Any], classifier: CodeClassifier, images: Images) -> None:
    """Draw variants of test images, and count how many are still of the class of the image."""
    first, batch, labels = images.test[:5], images.test[:200], images.test_labels[:200]
    shares = {}
    for name, model in models.items():
        predicted = classifier.predict(_sampled(model, batch, 10).reshape(-1, *batch.shape[1:]))
        shares[name] = float(np.mean(predicted == np.repeat(labels, 10)))
        columns = [unit(first)[:, None], model.reconstruct(first)[:, None], _sampled(model, first, 8)]
        grid = np.concatenate(columns, 1)
        title = f"{name}: {percent(shares[name])} of {10 * len(batch)} variants are taken for the class of their image"
        names = [images.class_names[label] for label in labels[:5]]
        figure = figures.sample_grid(grid.reshape(-1, *first.shape[1:]), title, names=names)
        caption = (
            "A test image, its reconstruction, and eight variants: the code is read as probabilities and becomes bits, "
            f"and so does every layer of the decoder but the last. The classes are those that the {next(iter(models))} "
            "sees, fine-tuned with all labels."
        )
        run.figure(f"variants-{name.lower()}", f"Variants by the {name}", caption, figure)
    main = next(iter(models))
    run.metric("variants", shares[main], "variants taken for the class of their image", "share", "higher")


def _sampled(model: Any, images: np.ndarray, count: int) -> np.ndarray:
    """Return variants, (n, count, H, W): every layer's output is read as probabilities of bits, which are drawn."""
    net = model.model_
    x = torch.from_numpy(unit(images))[:, None]
    *layers, last = blocks(net.decoder.layers)
    with torch.no_grad(), fork_rng(0):
        bits = torch.bernoulli(net.features(x).repeat_interleave(count, 0))
        for layer in layers:
            bits = torch.bernoulli(layer(bits))
        pixels: np.ndarray = net.likelihood.mean(last(bits)).numpy()
    return pixels.reshape(len(images), count, *images.shape[1:])
