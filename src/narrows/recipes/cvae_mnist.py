"""``cvae-mnist``: the variational autoencoder that is told the class."""

import numpy as np

from narrows.families.conditional_vae import ConditionalVAE
from narrows.families.vae import VAE
from narrows.inputs import model_rows
from narrows.recipes.base import PLAIN, recipe
from narrows.recipes.latent import bound_table, interpolations
from narrows.recipes.run import Run
from narrows.report import figures
from narrows.tasks.reduce import Reducer
from narrows.training.loop import evaluate

__all__ = ["cvae_mnist"]

_EACH = 10  # samples of a class


@recipe("cvae-mnist", "conditional variational autoencoder: images of a class on demand", source="003, 004")
def cvae_mnist(run: Run) -> None:
    """Train with and without the class, 2 and 20 numbers, and draw every class from the same codes."""
    images = run.images()
    base = {"network": "dense:512,256,activation=relu", "likelihood": "bernoulli", "lr": 1e-3, **PLAIN}
    epochs, rows = run.epochs(30, 80), model_rows(images.test, None, None)
    bounds = {}
    for size in (2, 20):
        told = run.fit(
            f"told-{size}", ConditionalVAE(latent_dim=size, epochs=epochs, **base), images.train, images.train_labels
        )
        alone = run.fit(f"alone-{size}", VAE(latent_dim=size, epochs=epochs, **base), images.train)
        for name, model, y in (("told the class", told, images.test_labels), ("not told", alone, None)):
            terms = evaluate(model.model_, model.pairs(rows, y).plain())
            bounds[name, size] = sum(terms.values())
            bound_table(run, f"{size} numbers, {name}", terms, 784)
        _classes(run, told, images.class_names, size)
        interpolations(run, told, images, f"{size}", f"{size} numbers, class unknown")
    run.metric("nats", bounds["told the class", 20], "bound on minus log p, given the class", "nats per image")
    run.rival("the same without the class", nats=bounds["not told", 20])
    run.judge("nats", "the same without the class", len(rows))
    run.keep(Reducer(latent_dim=20), told, images.train[:100], "told the class")


def _classes(run: Run, model: ConditionalVAE, names: tuple[str, ...], size: int) -> None:
    """Show the same codes decoded as every class, and how far the class changes them."""
    made = np.stack([model.sample(_EACH, random_state=0, y=label) for label in range(len(names))])
    apart = float(np.abs(made - made.mean(0)).mean())
    title = f"The same {_EACH} codes as every class: a pixel moves by {apart:.3f} on average"
    caption = f"Rows are classes, columns codes of {size} numbers: style runs down a column, the class along a row."
    drawn = figures.sample_grid(np.clip(made, 0, 1).reshape(-1, *made.shape[2:]), title, names=names)
    run.figure(f"classes-{size}", f"Images of a class on demand, {size} numbers", caption, drawn)
