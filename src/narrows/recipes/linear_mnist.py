"""``linear-mnist``: two matrices, as in the documents, against the optimum."""

import numpy as np

from narrows.families.autoencoder import AutoEncoder
from narrows.recipes.base import PLAIN, recipe
from narrows.recipes.evidence import against_pca, image_errors, reconstructions
from narrows.recipes.run import Run
from narrows.recipes.trace import reconstructed
from narrows.reporting import figures
from narrows.tasks.base import error_rows, unit
from narrows.tasks.reduce.reducer import Reducer

__all__ = ["linear_mnist"]

_CODE_SIZE = 20


@recipe("linear-mnist", "linear autoencoder 784-20-784 against its optimum, PCA", source="000, 002, 004")
def linear_mnist(run: Run) -> None:
    """Train both presets of the documents and the absolute-error form, and hold them against PCA."""
    images = run.images()
    truth, base = unit(images.test), {"latent_dim": _CODE_SIZE, "network": "linear", "batch_size": 256, **PLAIN}
    presets = {
        "Adam 1e-3 (document 000)": AutoEncoder(epochs=200, lr=1e-3, **base),
        "Adam 2e-4 (document 002)": AutoEncoder(epochs=5, lr=2e-4, drop_last=True, **base),
        "absolute error (document 004)": AutoEncoder(epochs=5, lr=2e-4, drop_last=True, likelihood="laplace", **base),
    }
    curves, errors = {}, {}
    for name, model in presets.items():
        stem = name.partition(" (")[0].replace(" ", "-").lower()
        trace = run.trace(stem, lambda net: error_rows(truth, reconstructed(net, images.test)).mean())
        run.fit(stem, model, images.train, watch=trace)
        curves[name] = np.array(trace.epochs), np.array(trace.values)
        errors[name] = float(image_errors(model, images.test).mean())
    main = next(iter(presets.values()))
    optimum = against_pca(run, main, images, _CODE_SIZE, f"PCA with the same {_CODE_SIZE} numbers, the optimum")
    for name in list(errors)[1:]:
        run.baseline(name, mse=errors[name])
    figure = figures.lines(curves, "epoch", "test mean squared error", reference=("PCA", optimum))
    run.figure(
        "curve", "The way to the optimum", "Test error after every epoch; no linear code can pass below.", figure
    )
    reconstructions(run, main, images)
    rows = [("numbers", 784, _CODE_SIZE), ("bytes", 784, 4 * _CODE_SIZE)]
    run.table("Lossy compression", "One row before and after.", ("per row", "before", "after"), rows)
    run.keep(Reducer(latent_dim=_CODE_SIZE), main, images.train[:100], next(iter(presets)))
