"""A fitted model over many rows: in batches, deterministic, float64 rows in float64."""

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from narrows.data.pairs import Batch, Pairs, at_once
from narrows.model import Model

__all__ = ["run"]


@torch.no_grad()
def run(
    model: Model,
    pairs: Pairs,
    function: Callable[[Model, Batch], Tensor],
    where: torch.device | None = None,
    made: tuple[int, ...] = (),
) -> np.ndarray:
    """Return ``function(model, batch)`` over all rows as one array, in the float type of the pairs.

    float64 rows go through a float64 copy of the model on the processor, so that a row's numbers do not depend on its
    batch; other rows go to ``where``. The model itself stays as it is. ``made`` is the shape of what a row becomes,
    where that is larger: it bounds how many rows go together.
    """
    pairs = pairs.read_by(model.likelihood)
    if pairs.dtype == torch.float64:
        model, where = copy.deepcopy(model).double(), torch.device("cpu")
    elif where is not None and where.type != "cpu":
        model = copy.deepcopy(model).to(where)
    else:
        where = torch.device("cpu")
    model.eval()
    parts = [function(model, batch.to(where)).cpu() for batch in pairs.batches(at_once(*pairs.shapes[:2], made))]
    return torch.cat(parts).numpy()
