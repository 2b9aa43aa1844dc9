"""A fitted model over many rows: in batches, deterministic, float64 rows in float64."""

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from narrows.data.pairs import Batch, Pairs
from narrows.model import Model

__all__ = ["run"]

_ROWS = 1024


@torch.no_grad()
def run(model: Model, pairs: Pairs, function: Callable[[Model, Batch], Tensor]) -> np.ndarray:
    """Return ``function(model, batch)`` over all rows as one array, in the float type of the pairs.

    float64 rows go through a float64 copy of the model, so that a row's numbers do not depend on its batch.
    """
    where = next(iter(model.parameters())).device
    if pairs.dtype == torch.float64:
        model, where = copy.deepcopy(model).cpu().double(), torch.device("cpu")
    model.eval()
    parts = [function(model, batch.to(where)).cpu() for batch in pairs.batches(_ROWS)]
    return torch.cat(parts).numpy()
