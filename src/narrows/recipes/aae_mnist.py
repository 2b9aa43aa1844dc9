"""``aae-mnist``: the adversarial autoencoder, and the Wasserstein one beside it."""

import numpy as np

from narrows.families.adversarial import AdversarialAutoEncoder
from narrows.families.wasserstein import WassersteinAutoEncoder
from narrows.recipes.base import PLAIN, recipe
from narrows.recipes.evidence import image_errors, reconstructions
from narrows.recipes.latent import interpolations, lattice, samples, traversals
from narrows.recipes.run import Run
from narrows.reporting import figures
from narrows.tasks.reduce.reducer import Reducer

__all__ = ["aae_mnist"]


@recipe("aae-mnist", "adversarial autoencoder: a critic pulls the codes to the prior", source="004")
def aae_mnist(run: Run) -> None:
    """Train both codes and the Wasserstein form, and hold the codes of test images against the prior."""
    images = run.images()
    base = {"network": "dense:512,256,activation=relu", "lr": 1e-3, "epochs": run.epochs(30, 60), **PLAIN}
    models = {
        "adversarial, 2 numbers": AdversarialAutoEncoder(latent_dim=2, **base),
        "adversarial, 20 numbers": AdversarialAutoEncoder(latent_dim=20, **base),
        "Wasserstein, 20 numbers": WassersteinAutoEncoder(latent_dim=20, **base),
    }
    gaps = {}
    for name, model in models.items():
        stem = f"{name.partition(',')[0].lower()}-{model.latent_dim}"
        run.fit(stem, model, images.train)
        codes = model.transform(images.test)
        gaps[name] = from_normal(codes)
        error = float(image_errors(model, images.test).mean())
        columns = ("model", "test error per pixel", "means off by", "deviations", "largest correlation", "active units")
        lead = (
            "Codes of test images against N(0, I): mean 0, deviation 1, no correlation. A unit is active when its "
            "variance is above 0.01."
        )
        active = f"{int((codes.var(0) > 0.01).sum())} of {codes.shape[1]}"
        run.table("Are the codes like the prior?", lead, columns, [(name, f"{error:.5f}", *gaps[name], active)])
        samples(run, model, images, stem, name)
        interpolations(run, model, images, stem, name)
        traversals(run, model, images, stem, name)
        if codes.shape[1] == 2:
            lattice(run, model, stem, name)
            figure = figures.code_map(codes, images.test_labels, images.class_names)
            run.figure("map", "The test images as codes", "The prior asks for one round cloud around zero.", figure)
    run.note(
        "There is no evidence lower bound: the code of an image is one point, without a posterior. None of the models "
        "is told the class; cvae-mnist draws images of a class."
    )
    main = models["adversarial, 20 numbers"]
    reconstructions(run, main, images, "20 numbers")
    offset, deviations, _ = gaps["adversarial, 20 numbers"]
    text = f"The critic leaves codes whose means are off by {offset} and whose deviations are {deviations}; N(0, I)"
    run.conclude(f"{text} has 0 and 1.")
    run.keep(Reducer(latent_dim=20), main, images.train[:100], "adversarial, 20 numbers")


def from_normal(codes: np.ndarray) -> tuple[str, str, str]:
    """Return how far codes are from N(0, I), in words: root mean squared mean, range of deviations, correlation."""
    mean, deviation = codes.mean(0), codes.std(0)
    correlation = np.corrcoef(codes.T) - np.eye(codes.shape[1])
    spread = f"{deviation.min():.2f} to {deviation.max():.2f}"
    return f"{np.sqrt((mean**2).mean()):.2f}", spread, f"{np.abs(correlation).max():.2f}"
