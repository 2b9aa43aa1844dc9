"""What several recipes show: fixed images before and after, the shapes of all layers."""

from typing import Any

import numpy as np
import torch
from torch import nn

from narrows.baselines import PCABaseline
from narrows.metrics import Comparison
from narrows.recipes.run import Images, Run
from narrows.reporting import figures
from narrows.tasks.base import error_rows, unit

__all__ = ["against_pca", "image_errors", "layer_table", "reconstructions"]


def reconstructions(run: Run, model: Any, images: Images, name: str = "") -> None:
    """Show the first five training and test images over what the model makes of them."""
    for part, rows in (("train", images.train[:5]), ("test", images.test[:5])):
        result = np.clip(model.reconstruct(rows), 0, 1)
        figure = figures.reconstructions(unit(rows), result)
        title = f"Reconstructions, {part}{f', {name}' if name else ''}"
        file = f"{part} {name}".strip().replace(",", "").replace(" ", "-")
        run.figure(file, title, f"The first five {part} images.", figure)


def image_errors(model: Any, images: np.ndarray) -> np.ndarray:
    """Return the mean squared error of every image (pixels in [0, 1])."""
    truth = unit(images)
    return error_rows(truth, model.reconstruct(images))


def against_pca(run: Run, model: Any, images: Images, size: int, baseline_name: str = "") -> float:
    """Make the report's headline the test error of a model beside that of PCA with so many numbers, and return that."""
    baseline_name, truth = baseline_name or f"PCA with the same {size} numbers", unit(images.test)
    errors = image_errors(model, images.test)
    theirs = error_rows(truth, PCABaseline(size).fit(unit(images.train)).reconstruct(truth))
    run.metric("mse", errors.mean(), "mean squared error", "per pixel")
    run.baseline(baseline_name, mse=theirs.mean())
    run.compare("mse", baseline_name, len(errors), Comparison.of_rows(errors, theirs, "lower"))
    return float(theirs.mean())


def layer_table(run: Run, model: Any, batch: int) -> None:
    """Show the real shape after every layer for a batch of so many rows, as one pass gave them."""
    rows: list[tuple[str, str]] = [("input", _shape((batch, *model.shapes_[0])))]

    def note(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        tensor = output[0] if isinstance(output, tuple) else output
        rows.append((str(module).partition("\n")[0], _shape((batch, *tensor.shape[1:]))))

    net = model.model_
    leaves = [m for half in (net.encoder, net.decoder) for m in half.modules() if not list(m.children())]
    hooks = [leaf.register_forward_hook(note) for leaf in leaves]
    try:
        with torch.no_grad():
            net.eval().reconstruct(torch.zeros(1, *model.shapes_[0]))
    finally:
        for hook in hooks:
            hook.remove()
    run.table("Layers", "The real shapes, as one pass through the model gave them.", ("layer", "shape after it"), rows)


def _shape(shape: "tuple[int, ...] | torch.Size") -> str:
    return " x ".join(map(str, shape))
