"""``denoise-mnist``: light noise on the network of ``conv-mnist``, and what noise does to learned filters."""

from typing import Any

import numpy as np

from narrows.families.autoencoder import AutoEncoder
from narrows.families.denoising import DenoisingAutoEncoder
from narrows.networks.dense import Dense
from narrows.recipes.base import PLAIN, recipe
from narrows.recipes.conv_denoise import denoiser
from narrows.recipes.conv_mnist import QUICK, settings
from narrows.recipes.run import Images, Run
from narrows.reporting import figures

__all__ = ["denoise_mnist"]

_NOISE = "gaussian:0.1"
_HIDDEN_UNITS = 144
_ONE_LAYER = Dense((), decoder=(), code="sigmoid", output="sigmoid")


@recipe("denoise-mnist", "denoising autoencoder, fresh light noise, and its filters", source="004")
def denoise_mnist(run: Run) -> None:
    """Clean images with the convolutional network, and compare the filters of dense ones."""
    images = run.images(few=QUICK)
    model = run.fit("conv", DenoisingAutoEncoder(noise=_NOISE, **settings(run)), images.train)
    task = denoiser(run, model, images, _NOISE)
    _filters(run, images)
    run.keep(task, model, images.train[:100])


def _filters(run: Run, images: Images) -> None:
    """Show the filters of one hidden layer at the random start, and learnt with less and more noise."""
    epochs = run.epochs(30, 10)
    base: dict[str, Any] = {"latent_dim": _HIDDEN_UNITS, "network": _ONE_LAYER, "lr": 1e-3, "random_state": 0, **PLAIN}
    filters = {"random start": _weights(AutoEncoder(epochs=0, **base).fit(images.train[:2]))}
    filters["no noise"] = _weights(run.fit("dense", AutoEncoder(epochs=epochs, **base), images.train))
    for std in (0.1, 0.5):
        noisy = DenoisingAutoEncoder(noise=f"gaussian:{std}", epochs=epochs, **base)
        filters[f"noise {std}"] = _weights(run.fit(f"dense-{std}", noisy, images.train))
    figure = figures.before_after_filters(filters, (28, 28))
    caption = (
        f"What the {_HIDDEN_UNITS} units of one hidden layer look for: the 64 strongest, each in the same place. "
        "All four begin at the same random weights; the noise is new for every batch."
    )
    run.figure("filters", "Filters at the random start, without noise, with noise", caption, figure)


def _weights(model: Any) -> np.ndarray:
    """Return the encoder's only matrix, one row per unit."""
    weights: np.ndarray = model.model_.encoder.layers[0].weight.detach().numpy()
    return weights
