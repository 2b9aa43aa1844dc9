"""``unet-facades``: from label maps to photographs of facades."""

from typing import Any

import numpy as np
from torch import Tensor

from narrows import metrics
from narrows.baselines import ColourTable, MeanTarget
from narrows.data.images.augment import Flip
from narrows.data.pairs import Pairs
from narrows.families.autoencoder import AutoEncoder
from narrows.metrics import Comparison
from narrows.networks import UNet
from narrows.penalties import Critic
from narrows.recipes.base import PLAIN, recipe
from narrows.recipes.pictures import FACADES, curves, facades, losses, predict
from narrows.recipes.run import Run
from narrows.reporting import figures
from narrows.tasks.base import unit
from narrows.tasks.translate import Translator
from narrows.workflows.translate import TranslateWorkflow

__all__ = ["unet_facades"]

_MAIN, _WITH_CRITIC, _TANH = "L1", "L1 and a critic", "L1, Tanh"


@recipe("unet-facades", "U-Net that turns label maps into photographs, with a critic", source="000", folder=FACADES)
def unet_facades(run: Run) -> None:
    """Train with L1, with L1 and a patch critic, and with Tanh; compare with the mean and with a colour table."""
    houses = facades(run)
    truth, size = unit(houses.test_targets), houses.test_targets[0].size
    plain, signed = (Pairs(houses.train, houses.train_targets, augment=Flip(), transform=t) for t in (None, to_signed))
    critic = Critic(weight=size / 100, widths=(32, 64, 128))
    models = {
        _MAIN: run.fit("l1", unet(run), plain),
        _WITH_CRITIC: run.fit("critic", unet(run, penalties=(critic,)), plain),
        _TANH: run.fit("tanh", unet(run, output="tanh"), signed),
    }
    outputs = {name: predict(model, houses.test) for name, model in models.items()}
    outputs[_TANH] = (outputs[_TANH] + 1) / 2
    simple = [baseline.fit(houses.train, houses.train_targets) for baseline in (MeanTarget(), ColourTable())]
    outputs |= {baseline.name: baseline.predict(houses.test) for baseline in simple}
    outputs = {name: pixels.clip(0, 1) for name, pixels in outputs.items()}
    numbers(run, truth, outputs, [baseline.name for baseline in simple])
    index = np.linspace(0, len(truth) - 1, 6).astype(int)
    rows = [("labels", unit(houses.test[index])), *((name, pixels[index]) for name, pixels in outputs.items())]
    caption = "Six test pictures, evenly chosen: what goes in, what comes out, and the photograph."
    run.figure("grid", "From labels to photographs", caption, figures.triplets([*rows, ("photograph", truth[index])]))
    learnt = {name: losses(model, size) - np.log(2) for name, model in models.items()}
    learnt[_TANH] = learnt[_TANH] / 2
    curves(run, learnt, "training L1 (values in [0, 1])")
    keep(run, models[_MAIN])


def unet(run: Run, output: Any = "identity", **settings: Any) -> AutoEncoder:
    """Return the network of the documents with an absolute error, and an activation after its last layer."""
    network = UNet((16, 32, 64, 128), second=False, output=output)
    settings |= {"epochs": run.epochs(10, 6), "batch_size": 2, "lr": 1e-3, **PLAIN}
    return AutoEncoder(latent_dim=256, network=network, likelihood="laplace", **settings)


def keep(run: Run, model: AutoEncoder) -> None:
    """Make a model what ``narrows apply RUN`` uses, for label maps alone or right of photographs."""
    task, workflow = Translator(ensemble=False), TranslateWorkflow(direction="BtoA")  # type: ignore[call-arg]
    task.whole_, workflow.kind, workflow.proportions = True, "uint8", 2.0
    run.keep_pictures(task, model, workflow, f"U-Net, {_MAIN}")


def to_signed(target: Tensor) -> Tensor:
    """Bring values in [0, 1] to [-1, 1]."""
    return 2 * target - 1


def numbers(run: Run, truth: np.ndarray, outputs: dict[str, np.ndarray], simple: list[str]) -> None:
    """Report the absolute error of every output, and how much of the photographs' edges it has."""
    errors = {name: [metrics.mae(*pair) for pair in zip(truth, array, strict=True)] for name, array in outputs.items()}
    l1 = {name: float(np.mean(values)) for name, values in errors.items()}
    run.metric("l1", l1[_MAIN], "mean absolute error", "of values in [0, 1]")
    for name in list(l1)[1:]:
        run.baseline(name, l1=l1[name])
    best = min(simple, key=lambda name: l1[name])
    run.compare("l1", best, len(truth), Comparison.of_rows(errors[_MAIN], errors[best], "lower"))
    sharpness = {name: edges(array) / edges(truth) for name, array in outputs.items()}
    lead = "On the test pictures, clipped to [0, 1]. Edges: the mean difference of neighbouring pixels, as a share of "
    lead += "the photographs'; an absolute error alone is smallest for a blur. Critic and L1 weigh 1 : 100."
    rows = [(name, l1[name], sharpness[name]) for name in outputs]
    run.table("Outputs", lead, ("output", "mean absolute error", "edges"), rows)


def edges(pictures: np.ndarray) -> float:
    """Return the mean absolute difference of neighbouring pixels."""
    return float(sum(np.abs(np.diff(pictures, axis=axis)).mean() for axis in (-2, -1)) / 2)
