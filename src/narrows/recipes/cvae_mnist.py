"""``cvae-mnist``: the variational autoencoder that is told the class."""

import numpy as np

from narrows.families.conditional_vae import ConditionalVAE
from narrows.families.vae import VAE
from narrows.metrics import Comparison
from narrows.recipes.base import PLAIN, recipe
from narrows.recipes.evidence import reconstructions
from narrows.recipes.latent import bound, code_use, greys_note, interpolations, lattice, samples, traversals
from narrows.recipes.run import Images, Run
from narrows.reporting import figures
from narrows.tasks.reduce.reducer import Reducer

__all__ = ["cvae_mnist"]

_CLASS_SAMPLES = 10  # samples of a class
_PLANE_CLASSES = (0, 1, 7)  # classes whose planes of codes are drawn


@recipe("cvae-mnist", "conditional variational autoencoder: images of a class on demand", source="003, 004")
def cvae_mnist(run: Run) -> None:
    """Train with and without the class, 2 and 20 numbers, and draw every class from the same codes."""
    images = run.images()
    base = {"network": "dense:512,256,activation=relu", "likelihood": "bernoulli", "lr": 1e-3, **PLAIN}
    epochs, bounds = run.epochs(30, 80), {}
    for size in (2, 20):
        conditional = run.fit(
            f"told-{size}", ConditionalVAE(latent_dim=size, epochs=epochs, **base), images.train, images.train_labels
        )
        unconditional = run.fit(f"alone-{size}", VAE(latent_dim=size, epochs=epochs, **base), images.train)
        for name, model, y in (("told the class", conditional, images.test_labels), ("not told", unconditional, None)):
            bounds[name, size] = bound(run, f"{size} numbers, {name}", model, images, y)
            code_use(run, f"{size} numbers, {name}", model, images, y)
        _classes(run, conditional, images.class_names, size)
        _unknown(run, conditional, images, size)
        if size == 2:
            for label in _PLANE_CLASSES:
                lattice(run, conditional, f"class-{label}", f"2 numbers, class {images.class_names[label]}", label)
    greys_note(run)
    reconstructions(run, conditional, images, "20 numbers, class unknown")
    run.metric("nats", bounds["told the class", 20], "bound on minus log p of greys, given the class", "nats per image")
    run.baseline("the same without the class", nats=bounds["not told", 20])
    nats = Comparison(ours=bounds["told the class", 20], theirs=bounds["not told", 20], better="lower", absolute=True)
    run.compare("nats", "the same without the class", len(images.test), nats)
    run.keep(Reducer(latent_dim=20), conditional, images.train[:100], "told the class")


def _unknown(run: Run, model: ConditionalVAE, images: Images, size: int) -> None:
    """Show what the model draws and knows when it is not told the class, as for a tenth of what it learnt from."""
    stem, name = f"{size}", f"{size} numbers, class unknown"
    samples(run, model, images, stem, name)
    traversals(run, model, images, stem, name)
    interpolations(run, model, images, stem, name)
    if size == 2:
        lattice(run, model, "unknown", name)


def _classes(run: Run, model: ConditionalVAE, names: tuple[str, ...], size: int) -> None:
    """Show the same codes decoded as every class, and how far the class changes them."""
    grid = np.stack([model.sample(_CLASS_SAMPLES, random_state=0, y=label) for label in range(len(names))])
    change = float(np.abs(grid - grid.mean(0)).mean())
    title = f"The same {_CLASS_SAMPLES} codes as every class: a pixel moves by {change:.3f} on average"
    caption = f"Rows are classes, columns codes of {size} numbers: style runs down a column, the class along a row."
    figure = figures.sample_grid(np.clip(grid, 0, 1).reshape(-1, *grid.shape[2:]), title, names=names)
    run.figure(f"classes-{size}", f"Images of a class on demand, {size} numbers", caption, figure)
