"""``conv-mnist``: convolutions down to maps, transposed convolutions up again, as in the documents."""

from typing import Any

import numpy as np

from narrows.artefact import load
from narrows.families.autoencoder import AutoEncoder
from narrows.files import write_array
from narrows.networks.layers import ConvLayer, Pool, Transpose
from narrows.networks.stack import Stack
from narrows.recipes.base import PLAIN, recipe
from narrows.recipes.evidence import image_errors, layer_table, reconstructions
from narrows.recipes.run import Run
from narrows.reporting.figures.style import number
from narrows.tasks.base import error_rows, unit
from narrows.tasks.reduce.reducer import Reducer

__all__ = ["QUICK", "conv_mnist", "settings"]

QUICK = 600  # images that a miniature learns from: convolutions take their time
_BATCH = 256
_SEED = 3  # from some others, pixels of the last relu die in the first steps, every second row and column
_AFTER_LAYER: dict[str, Any] = {"activation": "relu", "norm": "batch", "norm_last": True}
_SAME_SIZE: dict[str, Any] = {"stride": 1, "output_padding": 0}
_NETWORK = Stack(
    (
        ConvLayer(16, **_AFTER_LAYER),
        ConvLayer(32, **_AFTER_LAYER),
        ConvLayer(64, **_AFTER_LAYER),
        Pool(),
        ConvLayer(128, **_AFTER_LAYER),
        Pool(),
        ConvLayer(256, activation="relu"),
    ),
    (
        Transpose(128, **_AFTER_LAYER),
        Transpose(64, **_SAME_SIZE, **_AFTER_LAYER),
        Transpose(16, **_SAME_SIZE, **_AFTER_LAYER),
        Transpose(1, activation="relu"),
    ),
)


def settings(run: Run) -> dict[str, Any]:
    """Return network and training of the documents; a miniature takes smaller batches and larger steps, and says so."""
    steps = {"batch_size": 4, "lr": 1e-3} if run.quick else {"batch_size": _BATCH, "lr": 2e-4}
    if run.quick:
        run.note(f"The miniature learns from batches of 4 at a rate of 0.001, not {_BATCH} at 0.0002: it has few rows.")
    run.note(f"The random start is that of seed {_SEED}: from some others, pixels of the last relu die at once.")
    steps |= {"epochs": run.epochs(5, 1), "drop_last": True, "random_state": _SEED}
    return {"latent_dim": 256, "network": _NETWORK, **steps, **PLAIN}


@recipe("conv-mnist", "convolutional autoencoder, whose code is maps", source="000, 002, 004")
def conv_mnist(run: Run) -> None:
    """Train, show the shapes of all layers, and use the two halves apart."""
    images = run.images(few=QUICK)
    model = run.fit("conv", AutoEncoder(**settings(run)), images.train)
    truth, errors = unit(images.test), image_errors(model, images.test)
    mean = np.broadcast_to(unit(images.train).mean(0), truth.shape)
    run.metric("mse", errors.mean(), "mean squared error", "per pixel")
    run.baseline("the mean training image", mse=error_rows(truth, mean).mean())
    before, after = truth[0].size, int(np.prod(model.code_shape_))
    run.conclude(
        f"{number(len(truth))} test images come back with a mean squared error of {number(errors.mean())}, "
        f"through a code of {number(after)} numbers: {after / before:.0f} times as many as an image has pixels, "
        "so this is no compression."
    )
    for problem in model.diagnose(images.test):
        run.note(problem)
    layer_table(run, model, _BATCH)
    reconstructions(run, model, images)
    run.keep(Reducer(latent_dim=256), model, images.train[:100])
    _apart(run, model, images.test[:5])


def _apart(run: Run, model: Any, rows: np.ndarray) -> None:
    """Encode with what is in the folder, and decode codes.npy with what is loaded from the folder once more."""
    codes = load(run.folder).transform(rows)
    file = write_array(codes, run.folder / "codes.npy")
    read = np.load(file)
    decoded = load(run.folder).inverse_transform(read)
    halves = [
        ("encoder", rows, codes, model.transform(rows)),
        ("decoder", read, decoded, model.reconstruct(rows)),
    ]
    lead = (
        f"The saved model was loaded twice: the first wrote {file.name}, the second read nothing else. The whole model "
        f"is the one that was trained. By hand: narrows apply {run.folder} {file} --decode -o decoded"
    )
    table_rows = [
        (name, *(" x ".join(map(str, array.shape)) for array in (x, result)), float(np.abs(result - whole_model).max()))
        for name, x, result, whole_model in halves
    ]
    columns = ("half", "reads", "gives", "largest difference from the whole model")
    run.table("Encoder and decoder apart", lead, columns, table_rows)
