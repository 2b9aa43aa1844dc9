"""What the generative recipes show: samples, the lattice of a plane, ways between images, what each number changes."""

from typing import Any

import numpy as np
from scipy.stats import norm

from narrows.recipes.run import Images, Run
from narrows.report import figures
from narrows.tasks.base import unit

__all__ = ["bound_table", "effects", "interpolations", "lattice", "nearest", "samples", "traversals"]


def samples(run: Run, model: Any, images: Images, stem: str, name: str) -> np.ndarray:
    """Show draws from the prior over their nearest training images, and return them."""
    drawn: np.ndarray = np.clip(model.sample(20, random_state=0), 0, 1)
    title = f"Twenty draws from the prior, {name}"
    caption = "Codes drawn from the prior, decoded; below each the training image that is nearest to it."
    near = nearest(drawn, unit(images.train))
    run.figure(f"samples-{stem}", title, caption, figures.sample_grid(drawn, title, nearest=near))
    return drawn


def nearest(drawn: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Return the training image with the smallest squared distance to each drawn one."""
    from sklearn.neighbors import NearestNeighbors

    flat = train.reshape(len(train), -1)
    index = NearestNeighbors(n_neighbors=1).fit(flat).kneighbors(drawn.reshape(len(drawn), -1), return_distance=False)
    found: np.ndarray = train[index[:, 0]].reshape(drawn.shape)
    return found


def lattice(run: Run, model: Any, stem: str, name: str, side: int = 15) -> None:
    """Show what a square lattice of codes over the prior's quantiles decodes to; the code has two numbers."""
    values = norm.ppf((np.arange(side) + 0.5) / side)
    codes = np.stack(np.meshgrid(values, values), -1).reshape(-1, 2)  # the first number grows to the right
    made = np.clip(model.inverse_transform(codes.astype(np.float32)), 0, 1)
    caption = "Each picture is decoded from its place on the lattice; the places split the prior evenly."
    run.figure(f"lattice-{stem}", f"The plane of codes, {name}", caption, figures.manifold_grid(made, values))


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
    made = np.clip(model.inverse_transform(grid.reshape(-1, size)), 0, 1)
    made = made.reshape(size, len(values), *made.shape[1:])
    caption = (
        "One number of the code moves, the others stay at their mean. Beside it: the mean absolute change of a pixel "
        "per unit of the number, over 200 test images."
    )
    drawn = figures.traversal(made, values, effects(model, codes))
    run.figure(f"numbers-{stem}", f"What each number of the code changes, {name}", caption, drawn)


def effects(model: Any, codes: np.ndarray, step: float = 0.5) -> np.ndarray:
    """Return the mean absolute change of the output per unit of every number of the code, by central differences."""
    moved = []
    for j in range(codes.shape[1]):
        shift = np.zeros_like(codes)
        shift[:, j] = step
        ends = [model.inverse_transform(codes + sign * shift) for sign in (1, -1)]
        moved.append(np.abs(ends[0] - ends[1]).mean() / (2 * step))
    return np.array(moved)


def bound_table(run: Run, name: str, terms: dict[str, float], values: int) -> None:
    """Enter the evidence lower bound of held-out rows: its terms in nats, and in bits per value."""
    total = sum(terms.values())
    row = (name, *(f"{terms.get(key, 0.0):.2f}" for key in ("reconstruction", "kl")), f"{total:.2f}")
    bits = total / np.log(2) / values
    lead = "Minus the evidence lower bound of the test images: nats per image, and bits per pixel."
    columns = ("model", "reconstruction", "kl", "sum, nats", "bits per pixel")
    run.table("Evidence lower bound", lead, columns, [(*row, f"{bits:.4f}")])
