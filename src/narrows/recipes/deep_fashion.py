"""``deep-fashion``: a deep autoencoder with a code of three numbers, as in the document."""

from narrows.families.autoencoder import AutoEncoder
from narrows.networks.dense import Dense
from narrows.recipes.base import PLAIN, recipe
from narrows.recipes.evidence import against_pca, reconstructions
from narrows.recipes.run import Run
from narrows.recipes.trace import reconstructed
from narrows.reporting import figures
from narrows.tasks.base import unit
from narrows.tasks.reduce.reducer import Reducer

__all__ = ["deep_fashion"]

_CODE_SIZE = 3
_NETWORK = Dense((128, 64, 12), activation="relu", output="sigmoid")


@recipe("deep-fashion", "deep autoencoder 784-128-64-12-3 on Fashion-MNIST, its codes in space", source="003")
def deep_fashion(run: Run) -> None:
    """Train, show the same images after every epoch, and draw the codes in space."""
    images = run.images("fashion-mnist")
    base = {"latent_dim": _CODE_SIZE, "network": _NETWORK, "batch_size": 64, "lr": 5e-3, **PLAIN}
    model = AutoEncoder(epochs=run.epochs(10, 30), **base)
    trace = run.trace("deep", lambda net: reconstructed(net, images.train[:5]))
    run.fit("deep", model, images.train, watch=trace)
    against_pca(run, model, images, _CODE_SIZE)
    figure = figures.epoch_strips(unit(images.train[:5]), trace.values, trace.epochs)
    caption = "The first five training images, and what the model makes of them."
    run.figure("epochs", "After every epoch", caption, figure)
    figure = figures.code_map_3d(model.transform(images.test), images.test_labels, images.class_names)
    caption = f"Every dot is a test image, at the {_CODE_SIZE} numbers of its code; the colour is its class."
    run.figure("map3d", "The codes in space", caption, figure)
    reconstructions(run, model, images)
    run.keep(Reducer(latent_dim=_CODE_SIZE), model, images.train[:100])
