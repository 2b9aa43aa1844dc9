"""``conv-denoise``: convolutions, pools and up-sampling that take heavy noise out of images, as in the document."""

from typing import Any

from narrows.families.denoising import DenoisingAutoEncoder
from narrows.metrics import psnr
from narrows.networks.layers import ConvLayer, Pool, Upsample
from narrows.networks.stack import Stack
from narrows.recipes.base import PLAIN, recipe
from narrows.recipes.conv_mnist import QUICK
from narrows.recipes.evidence import layer_table
from narrows.recipes.run import Images, Run
from narrows.reporting import figures
from narrows.tasks.base import Rows, error_rows, unit
from narrows.tasks.denoise import Denoiser

__all__ = ["conv_denoise", "denoiser"]

_NOISE = "gaussian:0.5"


def _network(mode: Any) -> Stack:
    """Return the layers of the document; one convolution without padding brings 16 pixels back to 14.

    Its last sigmoid is that of the Bernoulli likelihood: the squared error behind a sigmoid has no slope left once all
    is black, and gets there within an epoch.
    """
    down = [layer for width in (128, 64, 16, 16) for layer in (ConvLayer(width, activation="relu"), Pool(ceil=True))]
    up: list[Any] = []
    for width, padding in ((16, None), (16, None), (64, None), (128, 0)):
        up += [ConvLayer(width, padding=padding, activation="relu"), Upsample(2, mode)]
    return Stack(tuple(down), (*up, ConvLayer(1)))


@recipe("conv-denoise", "convolutional autoencoder against heavy noise; and the best linear denoiser", source="001")
def conv_denoise(run: Run) -> None:
    """Train with nearest up-sampling, in full also with bilinear, and hold the result against simple competitors."""
    images = run.images(few=QUICK)
    steps = {"batch_size": 4, "lr": 1e-3, "epochs": 3} if run.quick else {"batch_size": 128, "lr": 1e-3, "epochs": 10}
    base: dict[str, Any] = {
        "latent_dim": 16,
        "noise": _NOISE,
        "fresh": False,
        "likelihood": "bernoulli",
        **steps,
        **PLAIN,
    }
    model = run.fit("nearest", DenoisingAutoEncoder(network=_network("nearest"), **base), images.train)
    run.note("The document names no loss: this is the cross-entropy, whose sigmoid is the last one of the document.")
    run.note("The noise of the training images is drawn once, as in the document; that of the test images is new.")
    task = denoiser(run, model, images, _NOISE)
    if not run.quick:
        other = run.fit("bilinear", DenoisingAutoEncoder(network=_network("bilinear"), **base), images.train)
        truth, clean = unit(images.test), other.reconstruct(task.corrupted(images.test, seed=1))
        run.baseline("the same with bilinear up-sampling", mse=error_rows(truth, clean).mean(), psnr=psnr(truth, clean))
    figure = figures.loss_curves(model.history_, model.best_epoch_)
    run.figure("losses", "Loss per epoch", "Nats per row, on the noisy images that are learnt from.", figure)
    layer_table(run, model, 128)
    run.keep(task, model, images.train[:100])


def denoiser(run: Run, model: Any, images: Images, noise: str) -> Denoiser:
    """Measure a model on new noise beside the simple competitors, and return it as a task."""
    task = Denoiser(noise=noise)
    task.estimator_ = model
    evaluation = task.evaluate(Rows(images.train), Rows(images.test))
    for key, metric in evaluation.metrics.items():
        run.metric(key, *metric)
    for name, values in evaluation.baselines.items():
        run.baseline(name, **values)
    run.compare("mse", evaluation.best_baseline, evaluation.rows, evaluation.comparison)
    for picture in evaluation.pictures:
        figure = figures.reconstructions(**picture.data)
        run.figure("cleaned", picture.title, "Test images with noise that the model has not seen.", figure)
    return task
