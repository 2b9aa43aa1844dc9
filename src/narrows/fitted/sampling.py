"""From a fitted decoder to rows: codes drawn from the prior, expected rows, and rows drawn from their laws."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.data.pairs import Batch, Pairs
from narrows.estimator import Estimator
from narrows.inference import run
from narrows.inputs import like_rows
from narrows.model import Model

__all__ = ["decoded", "prior_codes"]


@torch.no_grad()
def prior_codes(model: Estimator, n: int, generator: torch.Generator) -> np.ndarray:
    """Return ``n`` codes drawn from the prior of a fitted family, (n, latent_dim)."""
    codes: Tensor = model.model_.bottleneck.sample((n, *model.code_shape_), generator)
    return codes.flatten(1).numpy()


def decoded(model: Estimator, codes: np.ndarray, y: Any = None, generator: torch.Generator | None = None) -> np.ndarray:
    """Return the rows of codes (n, latent_dim) in the shape of the rows of the fit; y are their conditions.

    With a generator every row is drawn from its law, given the code; without, it is the expected one.

    Examples
    --------
    >>> from narrows.families.vae import VAE
    >>> model = VAE(latent_dim=2, epochs=1, random_state=0).fit(np.random.default_rng(0).normal(size=(50, 3)))
    >>> codes = prior_codes(model, 4, torch.Generator().manual_seed(0))
    >>> bool((decoded(model, codes) == model.inverse_transform(codes)).all())
    True
    """
    codes = codes.astype(np.float32, copy=False).reshape(-1, *model.code_shape_)
    pairs = Pairs(codes, cond=model.conditions(y, len(codes)))

    def rows(own: Model, batch: Batch) -> Tensor:
        params = own.decode(batch.x, (), batch.cond)
        return own.likelihood.mean(params) if generator is None else own.likelihood.sample(params, generator)

    return like_rows(run(model.model_, pairs, rows, made=model.shapes_[1]), getattr(model, "rows_axes_", None))
