"""When a linear model has its solution in closed form, and what a likelihood starts from then."""

import torch

from narrows.data.pairs import Pairs
from narrows.errors import InputError, Sentence, Setting
from narrows.estimator.family import Family
from narrows.likelihood import Gaussian
from narrows.likelihood.continuous import LearntGaussian
from narrows.model import Model

__all__ = ["solvable", "start_scale"]


def solvable(own: Family, model: Model, pairs: Pairs) -> bool:
    """Return whether a linear model has its solution in closed form; refuse a fit without epochs where it has none."""
    squared = model.likelihood.n_params == 1 and isinstance(model.likelihood, (Gaussian, LearntGaussian))
    hurdles = {
        Setting("start", "random"): own.start == "random",
        "the likelihood": not squared,
        "noise or penalties": model.corruption is not None or len(model.penalties) > 0,
        "pairs of input and target": not pairs.alone,
    }
    reason = next((name for name, there in hurdles.items() if there), None)
    if reason is not None and own.epochs == 0:
        came = Sentence("There is no solution in closed form for ", reason)
        raise InputError(came, "epochs of at least 1", Setting("epochs", 30))
    return reason is None


@torch.no_grad()
def start_scale(model: Model, pairs: Pairs) -> None:
    """Start the scale of a likelihood that learns it from what a solved model leaves."""
    batch = next(pairs.balanced().batches(4096, torch.Generator().manual_seed(0)))
    model.likelihood.start(batch.target - model.reconstruct(batch.x), batch.row_weight)
