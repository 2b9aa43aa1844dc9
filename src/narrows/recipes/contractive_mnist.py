"""``contractive-mnist``: codes that stay where they are when an image moves a little, side by side."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.families.autoencoder import AutoEncoder
from narrows.families.contractive import ContractiveAutoEncoder
from narrows.families.denoising import DenoisingAutoEncoder
from narrows.model import Step
from narrows.networks.dense import Dense
from narrows.penalties import Contractive
from narrows.recipes.base import PLAIN, recipe
from narrows.recipes.evidence import image_errors, reconstructions
from narrows.recipes.run import Images, Run
from narrows.reporting import figures
from narrows.reporting.figures.style import number
from narrows.tasks.base import unit
from narrows.tasks.reduce.reducer import Reducer
from narrows.training.random import fork_rng

__all__ = ["contractive_mnist"]

_ONE_LAYER = Dense((), (), code="tanh", output="sigmoid")
_TWO_LAYERS = Dense((256,), activation="tanh", code="tanh", output="sigmoid")
_MAIN, _PLAIN = "CAE", "plain"
_ROWS = 200  # images whose Jacobians are looked at


def _models(run: Run) -> dict[str, Any]:
    """Return the models that are held side by side: one hidden layer, then two."""
    base: dict[str, Any] = {"latent_dim": 32 if run.quick else 64, "lr": 3e-3 if run.quick else 1e-3, **PLAIN}
    base |= {"epochs": run.epochs(10, 15), "network": _ONE_LAYER}
    price: dict[str, Any] = {"contraction": 0.1}
    return {
        _MAIN: ContractiveAutoEncoder(method="exact", **price, **base),
        "SCAE": ContractiveAutoEncoder(method="noise", std=0.1, **price, **base),
        "DAE": DenoisingAutoEncoder(noise="gaussian:0.3", **base),
        _PLAIN: AutoEncoder(**base),
        "CAE, two layers": ContractiveAutoEncoder(method="probe", **price, **{**base, "network": _TWO_LAYERS}),
        "plain, two layers": AutoEncoder(**{**base, "network": _TWO_LAYERS}),
    }


@recipe("contractive-mnist", "contractive autoencoders (exact, probe, SCAE) beside a denoising one", source="004")
def contractive_mnist(run: Run) -> None:
    """Train, and measure how far the code moves when the input does, on the data and off it."""
    images = run.images()
    models = {
        name: run.fit(name.replace(", ", "-").replace(" ", "-").lower(), model, images.train)
        for name, model in _models(run).items()
    }
    _compare(run, models, images)
    _against_autograd(run, models, unit(images.test[:_ROWS]))
    reconstructions(run, models[_MAIN], images)
    run.keep(Reducer(latent_dim=models[_MAIN].latent_dim), models[_MAIN], images.train[:100], _MAIN)


def _compare(run: Run, models: dict[str, Any], images: Images) -> None:
    """Show how far each code moves on the data and off it, beside what it keeps."""
    on_data, off_data = unit(images.test[:_ROWS]), np.random.default_rng(0).random((_ROWS, 28, 28), dtype=np.float32)
    rows, measures = [], {}
    for name, model in models.items():
        mse = float(image_errors(model, images.test).mean())
        moves = [float(_autograd(model.model_, batch).mean()) for batch in (on_data, off_data)]
        spread = float(model.transform(images.test).var(0).sum())
        measures[name] = {"mse": mse, "jacobian": moves[0], "relative": moves[0] / spread}
        rows.append((name, *map(number, (mse, *moves, spread, moves[0] / spread))))
    lead = (
        f"|J|² is the squared Frobenius norm of the encoder's Jacobian, a mean over {_ROWS} images: test images on the "
        "data, uniform noise off it. The spread is the code's variance over the test images, summed over its units: a "
        "code that only shrinks lowers |J|² and spread alike."
    )
    columns = ("model", "mean squared error", "|J|² on the data", "|J|² off the data", "spread", "|J|² / spread")
    run.table("Side by side", lead, columns, rows)
    run.metric("mse", measures[_MAIN]["mse"], "mean squared error", "per pixel")
    run.metric("jacobian", measures[_MAIN]["jacobian"], "squared Jacobian norm on test images")
    run.metric("relative", measures[_MAIN]["relative"], "the same per spread of the code")
    for name in list(models)[1:]:
        run.baseline(name, **measures[name])
    ours, theirs = measures[_MAIN], measures[_PLAIN]
    run.conclude(
        f"The contractive penalty takes the squared norm of the encoder's Jacobian on test images from "
        f"{number(theirs['jacobian'])} to {number(ours['jacobian'])}, and the mean squared error from "
        f"{number(theirs['mse'])} to {number(ours['mse'])}."
    )
    label = "squared Jacobian norm on test images per spread of the code"
    figure = figures.bars({name: values["relative"] for name, values in measures.items()}, label)
    caption = "How far the code moves with the image, measured by how far apart the codes of the test images are."
    run.figure("jacobian", "Which codes stay", caption, figure)


def _against_autograd(run: Run, models: dict[str, Any], images: np.ndarray) -> None:
    """Hold every way to measure the penalty against the Jacobian itself."""
    ways = [(_MAIN, Contractive(1.0, "exact"), 1), ("CAE, two layers", Contractive(1.0, "probe"), 100)]
    ways += [("SCAE", Contractive(1.0, "noise", std=std), 100) for std in (0.1, 0.01)]
    rows = []
    for name, penalty, draws in ways:
        net = models[name].model_
        truth, penalties = _autograd(net, images), _penalties(net, penalty, images, draws)
        if draws == 1:
            gap = float(np.abs(penalties[0] / truth - 1).max())
            run.metric("gap", gap, "largest difference of the exact penalty from autograd", "share")
        means = penalties.mean(1) / truth.mean() - 1
        error = f"{100 * means.std(ddof=1) / np.sqrt(draws):.2g} %" if draws > 1 else "none"
        method = f"{penalty.method}, std {penalty.std}" if penalty.method == "noise" else penalty.method
        values = number(penalties.mean(), 4), number(truth.mean(), 4), f"{100 * means.mean():.2g} %", error
        rows.append((name, method, draws, *values))
    lead = (
        f"Means over {len(images)} test images. Probe and noise are random, so they have a standard error; noise takes "
        "a finite step, so it agrees only in the limit of small ones."
    )
    columns = ("model", "method", "draws", "penalty", "autograd", "difference", "standard error")
    run.table("The penalty against autograd", lead, columns, rows)


def _autograd(net: Any, images: np.ndarray) -> np.ndarray:
    """Return the squared Frobenius norm of the encoder's Jacobian at every image, by torch.func."""

    def features(x: Tensor) -> Tensor:
        code: Tensor = net.features(x[None, None])[0]
        return code

    jacobians: Tensor = torch.func.vmap(torch.func.jacrev(features))(torch.from_numpy(images))
    norms: np.ndarray = jacobians.detach().flatten(1).square().sum(1).numpy()
    return norms


def _penalties(net: Any, penalty: Contractive, images: np.ndarray, draws: int) -> np.ndarray:
    """Return the penalty of every image, (draws, n)."""
    x = torch.from_numpy(images)[:, None]
    with fork_rng(0):
        code, _ = net.encode(x)
        step = Step(x, None, code, net.decode(code.z), x)
        values: np.ndarray = torch.stack([penalty(net, step).detach() for _ in range(draws)]).numpy()
    return values
