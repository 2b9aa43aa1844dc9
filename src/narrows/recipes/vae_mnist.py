"""``vae-mnist``: the variational autoencoder with a code of 2 and of 20 numbers."""

import torch

from narrows.data.pairs import Pairs
from narrows.estimator.inputs import model_rows
from narrows.estimator.log_likelihood import log_likelihood
from narrows.families.vae import VAE
from narrows.recipes.base import PLAIN, recipe
from narrows.recipes.evidence import reconstructions
from narrows.recipes.latent import bound, code_use, greys_note, interpolations, lattice, samples, traversals
from narrows.recipes.run import Run
from narrows.reporting import figures
from narrows.tasks.reduce.reducer import Reducer

__all__ = ["vae_mnist"]


@recipe("vae-mnist", "variational autoencoder, 2 and 20 numbers: samples, plane, bound", source="003, 004")
def vae_mnist(run: Run) -> None:
    """Train both codes on grey levels read as probabilities, and show what the prior holds."""
    images = run.images()
    base = {"network": "dense:512,256,activation=relu", "likelihood": "bernoulli", "lr": 1e-3, **PLAIN}
    bounds = {}
    for size in (2, 20):
        name, stem = f"{size} numbers", f"{size}"
        model = run.fit(f"code-{size}", VAE(latent_dim=size, epochs=run.epochs(30, 80), **base), images.train)
        bounds[size] = bound(run, name, model, images)
        code_use(run, name, model, images)
        samples(run, model, images, stem, name)
        traversals(run, model, images, stem, name)
        interpolations(run, model, images, stem, name)
        if size == 2:
            lattice(run, model, stem, name)
            figure = figures.code_map(model.transform(images.test), images.test_labels, images.class_names)
            run.figure("map", "The test images as codes", "Every dot is the posterior mean of a test image.", figure)
    pairs = Pairs(model_rows(images.test[:500], None, None))
    with torch.no_grad():
        bits = log_likelihood(model.model_, pairs, 200)
    run.metric("nats", bounds[20], "minus the evidence lower bound of greys, 20 numbers", "nats per image")
    run.metric("is", -bits.value.mean(), "minus log p of greys, 200 importance samples, 500 images", "nats per image")
    run.baseline("2 numbers", nats=bounds[2])
    greys_note(run)
    reconstructions(run, model, images, "20 numbers")
    run.conclude(
        f"A code of 20 numbers costs {bounds[20]:.1f} nats per test image, one of 2 numbers {bounds[2]:.1f}: "
        "the bound on minus log p of greys read as probabilities, reconstruction and code together."
    )
    run.keep(Reducer(latent_dim=20), model, images.train[:100], "20 numbers")
