"""What the generative recipes show: samples, the lattice of a plane, ways between images, what each number changes."""

from typing import Any

import numpy as np
from scipy.stats import norm

from narrows.estimator.diagnostics import latent_use
from narrows.estimator.inputs import model_rows
from narrows.estimator.traversal import effects
from narrows.metrics import nearest_rows
from narrows.recipes.run import Images, Run
from narrows.reporting import figures
from narrows.reporting.figures.style import number
from narrows.tasks.base import blocks, unit
from narrows.training.loop import evaluate

__all__ = ["bound", "code_use", "greys_note", "interpolations", "lattice", "samples", "traversals"]


def samples(run: Run, model: Any, images: Images, stem: str, name: str) -> np.ndarray:
    """Show draws from the prior over their nearest training images, and return them."""
    pictures: np.ndarray = np.clip(model.sample(20, random_state=0), 0, 1)
    title = f"Twenty draws from the prior, {name}"
    caption = "Codes drawn from the prior, decoded; below each the training image that is nearest to it."
    nearest = nearest_rows(pictures, map(unit, blocks(images.train)))
    run.figure(f"samples-{stem}", title, caption, figures.sample_grid(pictures, title, nearest=nearest))
    return pictures


def lattice(run: Run, model: Any, stem: str, name: str, y: Any = None, side: int = 15) -> None:
    """Show what a square lattice of codes of two numbers, over the prior's quantiles, decodes to as the class y."""
    values = norm.ppf((np.arange(side) + 0.5) / side)
    codes = np.stack(np.meshgrid(values, values), -1).reshape(-1, 2)  # the first number grows to the right
    pictures = np.clip(model.inverse_transform(codes.astype(np.float32), y), 0, 1)
    caption = "Each picture is decoded from its place on the lattice; the places split the prior evenly."
    run.figure(f"lattice-{stem}", f"The plane of codes, {name}", caption, figures.manifold_grid(pictures, values))


def interpolations(run: Run, model: Any, images: Images, stem: str, name: str) -> None:
    """Show decoded ways between the codes of test images of different classes."""
    first = {int(label): place for place, label in reversed(list(enumerate(images.test_labels)))}
    pairs = [(a, b) for a, b in ((3, 8), (1, 7), (4, 9), (0, 6)) if a in first and b in first]
    ends = [images.test[[first[pair[i]] for pair in pairs]] for i in (0, 1)]
    paths = np.clip(model.interpolate(*ends, steps=9), 0, 1)
    names = [f"{images.class_names[a]} to {images.class_names[b]}" for a, b in pairs]
    caption = "Decoded from the straight line between two codes; the ends are the reconstructions of test images."
    run.figure(f"ways-{stem}", f"From one to another, {name}", caption, figures.interpolation(paths, names=names))


def traversals(run: Run, model: Any, images: Images, stem: str, name: str) -> None:
    """Show what each number of the code changes, and by how much."""
    values = np.linspace(-2.5, 2.5, 9).astype(np.float32)
    codes = model.transform(images.test[:200])
    size = codes.shape[1]
    grid = np.repeat(codes.mean(0)[None], size * len(values), 0).reshape(size, len(values), size)
    grid[np.arange(size), :, np.arange(size)] = values
    pictures = np.clip(model.inverse_transform(grid.reshape(-1, size)), 0, 1)
    pictures = pictures.reshape(size, len(values), *pictures.shape[1:])
    caption = (
        "One number of the code moves, the others stay at their mean. Beside it: the mean absolute change of a pixel "
        "per unit of z, over 200 test images."
    )
    changes = effects(model.inverse_transform, codes)
    figure = figures.traversal(pictures, values, changes, unit="unit of z")
    run.figure(f"numbers-{stem}", f"What each number of the code changes, {name}", caption, figure)
    lead = "Mean absolute change of a pixel, in [0, 1], per unit of z, over 200 test images; the largest first."
    sentence = ", ".join(f"z {i + 1}: {number(changes[i])}" for i in np.argsort(-changes, kind="stable"))
    run.table("What each number of the code changes", lead, ("model", "change per unit of z"), [(name, sentence)])


def bound(run: Run, name: str, model: Any, images: Images, y: Any = None) -> float:
    """Enter the evidence lower bound of the test images of classes y, as greys and drawn as 0 or 1.

    Returns minus the bound of the greys, in nats per image.
    """
    rows = model_rows(images.test, None, None)
    on_pixels = np.random.default_rng(0).random(rows.shape, dtype=np.float32) < unit(rows)
    totals = []
    pixels = {"greys": rows, "drawn as 0 or 1": np.where(on_pixels, 255, 0).astype(np.uint8)}
    for kind, values in pixels.items():
        terms = evaluate(model.model_, model.pairs(values, y).as_scored())
        totals.append(sum(terms.values()))
        parts = (*(terms.get(key, 0.0) for key in ("reconstruction", "kl")), totals[-1])
        bits = totals[-1] / np.log(2) / rows[0].size
        lead = (
            "Minus the evidence lower bound of the test images: nats per image, and bits per dimension, a pixel each."
        )
        columns = ("model", "pixels", "reconstruction", "kl", "sum, nats", "bits per dimension")
        row = (name, kind, *(f"{nats:.2f}" for nats in parts), f"{bits:.4f}")
        run.table("Evidence lower bound", lead, columns, [row])
    return totals[0]


def greys_note(run: Run) -> None:
    """Say what the nats of greys are worth."""
    run.note(
        "Bernoulli reads grey levels as probabilities, which is no normalised density: the numbers of greys compare "
        "models with each other, and are no code length. Those of test images drawn as 0 or 1, every pixel once with "
        "its grey as the probability of 1, are. The models learnt from greys alone."
    )


def code_use(run: Run, name: str, model: Any, images: Images, y: Any = None) -> None:
    """Enter how many numbers of a code with a posterior carry something, and the advice on the model."""
    use = latent_use(model.model_, model.pairs(model_rows(images.test, None, None), y).as_scored())
    row = (name, f"{int(use.active.sum())} of {len(use.kl)}", f"{use.kl.sum():.2f}", f"{use.kl.max():.2f}")
    columns = ("model", "active units", "kl in all, nats", "kl of the busiest unit")
    run.table("Use of the code", "A unit is active when its mean varies over the test images.", columns, [row])
    for advice in model.diagnose(images.test, y):
        run.note(f"{name}: {advice}")
