"""Cells that are hidden: anew in every batch to learn from, and as others are missing to measure on."""

import numpy as np
import torch
from numpy.typing import NDArray

from narrows.data.pairs import Batch
from narrows.tasks.impute.gaussian import Gaussian

__all__ = ["Hide", "hidden_like_missing"]

_LOW, _HIGH = 0.05, 0.6  # shares of a row's cells that are hidden
_SEEN_WEIGHT = 0.1  # what a cell that is seen costs, of one that is hidden
_MIN_SHARE = 0.1  # of a column's cells that are hidden to measure, at least


class Hide:
    """Hides a share of the known cells of every row, drawn anew: 5 to 60 per cent.

    A hidden cell stands at what a ``gaussian`` expects from the others; the condition says which cells are known. What
    is hidden is priced in full, what is seen a tenth, and what was never known not at all.
    """

    def __init__(self, of_column: NDArray[np.intp], gaussian: Gaussian):
        self.of_column, self.gaussian = torch.as_tensor(of_column), gaussian

    def __call__(self, batch: Batch) -> Batch:
        """Return the batch with cells hidden."""
        return self._hidden(batch, None)

    def still(self, batch: Batch) -> Batch:
        """Return the batch with cells hidden that are the same every time."""
        return self._hidden(batch, torch.Generator().manual_seed(len(batch.x)))

    def _hidden(self, batch: Batch, generator: torch.Generator | None) -> Batch:
        known, weight = batch.cond, batch.weight
        if known is None or weight is None:
            return batch
        n, cells = known.shape
        rate = _LOW + (_HIGH - _LOW) * torch.rand(n, 1, generator=generator)
        drawn = (torch.rand(n, cells, generator=generator) < rate).to(known.device) & (known > 0)
        left, of_column = known * ~drawn, self.of_column.to(known.device)
        x = self.gaussian.expected(batch.x, left[:, of_column] > 0)
        return Batch(x, batch.target, left, weight * torch.where(drawn[:, of_column], 1.0, _SEEN_WEIGHT))


def hidden_like_missing(
    known: NDArray[np.bool_], patterns: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Return which known cells (n, cells) to hide: where another row, drawn from ``patterns``, has none.

    ``patterns`` (m, cells) says which cells of other rows are known. Cells that are missing together are hidden
    together; of a column that misses less than a tenth so many are hidden.

    Examples
    --------
    >>> patterns = np.array([[True, False, False, True]] * 5)
    >>> hidden = hidden_like_missing(np.ones((2000, 4), bool), patterns, np.random.default_rng(0))
    >>> hidden.mean(0).round(1).tolist()
    [0.1, 1.0, 1.0, 0.1]
    """
    missing = ~patterns[rng.integers(len(patterns), size=len(known))]
    share = 1 - patterns.mean(0)
    more = np.clip((_MIN_SHARE - share) / np.maximum(1 - share, 1e-9), 0, 1)
    hidden: NDArray[np.bool_] = known & (missing | (rng.random(known.shape) < more))
    return hidden
