"""``vae-mnist``: the variational autoencoder with a code of 2 and of 20 numbers."""

import torch

from narrows.data.pairs import Pairs
from narrows.families.vae import VAE
from narrows.fitted.density import log_likelihood
from narrows.fitted.diagnostics import latent_use
from narrows.inputs import model_rows
from narrows.recipes.base import PLAIN, recipe
from narrows.recipes.evidence import reconstructions
from narrows.recipes.latent import bound_table, interpolations, lattice, samples, traversals
from narrows.recipes.run import Run
from narrows.report import figures
from narrows.tasks.reduce import Reducer
from narrows.training.loop import evaluate

__all__ = ["vae_mnist"]


@recipe("vae-mnist", "variational autoencoder, 2 and 20 numbers: samples, plane, bound", source="003, 004")
def vae_mnist(run: Run) -> None:
    """Train both codes on grey levels read as probabilities, and show what the prior holds."""
    images = run.images()
    base = {"network": "dense:512,256,activation=relu", "likelihood": "bernoulli", "lr": 1e-3, **PLAIN}
    held = Pairs(model_rows(images.test, None, None))
    bounds = {}
    for size in (2, 20):
        name, stem = f"{size} numbers", f"{size}"
        model = run.fit(f"code-{size}", VAE(latent_dim=size, epochs=run.epochs(30, 80), **base), images.train)
        terms = evaluate(model.model_, held)
        bounds[size] = sum(terms.values())
        bound_table(run, name, terms, 784)
        use = latent_use(model.model_, held)
        row = (name, f"{int(use.active.sum())} of {size}", f"{use.kl.sum():.2f}", f"{use.kl.max():.2f}")
        columns = ("model", "active units", "kl in all, nats", "kl of the busiest unit")
        run.table("Use of the code", "A unit is active when its mean varies over the test images.", columns, [row])
        for advice in model.diagnose(images.test):
            run.note(f"{name}: {advice}")
        samples(run, model, images, stem, name)
        traversals(run, model, images, stem, name)
        interpolations(run, model, images, stem, name)
        if size == 2:
            lattice(run, model, stem, name)
            drawn = figures.code_map(model.transform(images.test), images.test_labels, images.class_names)
            run.figure("map", "The test images as codes", "Every dot is the posterior mean of a test image.", drawn)
    some = Pairs(model_rows(images.test[:500], None, None))
    with torch.no_grad():
        bits = log_likelihood(model.model_, some, 200)
    run.metric("nats", bounds[20], "minus the evidence lower bound, 20 numbers", "nats per image")
    run.metric("is", -bits.value.mean(), "minus log p, 200 importance samples, 500 images", "nats per image")
    run.rival("2 numbers", nats=bounds[2])
    reconstructions(run, model, images, "20 numbers")
    run.conclude(
        f"A code of 20 numbers costs {bounds[20]:.1f} nats per test image, one of 2 numbers {bounds[2]:.1f}: "
        "the bound on minus log p, reconstruction and code together."
    )
    run.keep(Reducer(latent_dim=20), model, images.train[:100], "20 numbers")
