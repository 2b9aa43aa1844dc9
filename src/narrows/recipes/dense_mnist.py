"""``dense-mnist``: three dense layers with early stopping, checkpoint and TensorBoard, as in the document."""

from importlib.util import find_spec

from narrows.families.autoencoder import AutoEncoder
from narrows.networks.dense import Dense
from narrows.recipes.base import PLAIN, recipe
from narrows.recipes.evidence import against_pca, reconstructions
from narrows.recipes.run import Run
from narrows.reporting import figures
from narrows.tasks.reduce.reducer import Reducer

__all__ = ["dense_mnist"]

_CODE_SIZE = 64
_NETWORK = Dense((784,), decoder=(), activation="relu", code="relu", output="sigmoid")


@recipe("dense-mnist", "dense autoencoder 784-64-784 with early stopping and TensorBoard", source="001")
def dense_mnist(run: Run) -> None:
    """Train until the test error no longer falls, and hold the result against PCA."""
    images = run.images()
    epochs, patience = run.epochs(300, 40), run.epochs(10, 3)
    settings = {"network": _NETWORK, "epochs": epochs, "patience": patience, "batch_size": 128, "lr": 1e-3, **PLAIN}
    model = AutoEncoder(latent_dim=_CODE_SIZE, **settings)
    events = run.folder / "tensorboard"
    if find_spec("tensorboard"):
        model.set_params(tensorboard=str(events))
    run.fit("dense", model, images.train, valid=images.test)
    against_pca(run, model, images, _CODE_SIZE)
    run.note(
        "As in the document, the test images decide when training stops and which epoch is kept: "
        "the error on them is a little too good."
    )
    if run.quick:
        run.note(
            f"The images of the miniature are 8 x 8 pixels, enlarged: {_CODE_SIZE} numbers tell all, and PCA is exact."
        )
    advice = f"tensorboard --logdir {events}" if events.is_dir() else "left out: tensorboard is not installed"
    rows = [
        ("early stopping", f"{len(model.history_)} of at most {model.epochs} epochs: {model.stopped_}"),
        ("checkpoint", f"the weights of epoch {model.best_epoch_}, the best on the test images"),
        ("TensorBoard", advice),
    ]
    run.table("Callbacks", "", ("callback", "what came of it"), rows)
    caption = f"Nats per row; the held-out rows are the test images. Why training ended: {model.stopped_}."
    run.figure("losses", "Loss per epoch", caption, figures.loss_curves(model.history_, model.best_epoch_))
    reconstructions(run, model, images)
    run.keep(Reducer(latent_dim=_CODE_SIZE), model, images.train[:100])
