"""A penalty that keeps neighbours together: t-SNE's divergence, with the encoder as its map."""

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from narrows.bottlenecks.matched import squared_distances
from narrows.params import param
from narrows.parts import part
from narrows.penalties.base import Penalty

if TYPE_CHECKING:
    from narrows.model import Model, Step

__all__ = ["Neighbours", "affinities"]

_HALVINGS = 20  # of the range of a row's width, on a logarithmic scale
_WIDEST = 1e3  # times the mean squared distance of a row, and the least is as much smaller


@part("neighbours")
class Neighbours(Penalty):
    """KL(P || Q) between who is near whom among the rows of a batch and among their codes (van der Maaten 2009).

    As in t-SNE, P are Gaussian affinities of the targets with ``perplexity`` neighbours each, and Q the Student-t
    affinities of the codes, both symmetric and normalised over all pairs of the batch (van der Maaten & Hinton 2008,
    equations 1, 3 and 4); a row is charged its share. For maps of two or three numbers, with batches of some hundreds.

    Examples
    --------
    >>> from narrows.parts import as_part
    >>> as_part("penalty", "neighbours:20")
    Neighbours(weight=20.0, perplexity=10.0)
    """

    weight: float = param(5.0, "nats per nat of divergence", ge=0)
    perplexity: float = param(10.0, "neighbours of a row, of a batch", gt=1)

    def __call__(self, model: "Model", step: "Step") -> Tensor:
        """Return ``weight * n * sum_j p_ij log(p_ij / q_ij)`` of every row, whose mean is ``weight * KL(P || Q)``."""
        z = step.code.z.flatten(1)
        z = z.to(torch.promote_types(z.dtype, torch.float32))
        n = len(z)
        if n < 3:
            return z.sum(1) * 0
        p = affinities(step.target.flatten(1).to(z.dtype), self.perplexity)
        alone = torch.eye(n, dtype=torch.bool, device=z.device)
        near = (-torch.log1p(squared_distances(z, z))).masked_fill(alone, -math.inf)
        log_q = (near - near.flatten().logsumexp(0)).masked_fill(alone, 0)
        shares: Tensor = (torch.special.xlogy(p, p) - p * log_q).sum(1)
        return self.weight * n * shares


@torch.no_grad()
def affinities(rows: Tensor, perplexity: float) -> Tensor:
    """Return the symmetric affinities of rows (n, d), (n, n), which add up to 1.

    Every row has a Gaussian around it under which its neighbours have this perplexity, at most as many as there are.

    Examples
    --------
    >>> p = affinities(torch.tensor([[0.0], [1.0], [9.0], [10.0]]), 1.1)
    >>> round(p.sum().item(), 6), bool(p[0, 1] > 50 * p[0, 2])
    (1.0, True)
    """
    distances = squared_distances(rows, rows)
    n = len(rows)
    alone = torch.eye(n, dtype=torch.bool, device=rows.device)
    wanted = math.log(min(perplexity, 0.999 * (n - 1)))
    scale = distances.sum(1, keepdim=True) / (n - 1)
    scale = torch.where(scale > 0, scale, 1.0)
    low, high = (torch.full_like(scale, sign * math.log(_WIDEST)) for sign in (-1, 1))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        log_p = (-distances / (scale * middle.exp())).masked_fill(alone, -math.inf).log_softmax(1)
        entropy = -(log_p.exp() * log_p.masked_fill(alone, 0)).sum(1, keepdim=True)
        wide = entropy > wanted
        low, high = torch.where(wide, low, middle), torch.where(wide, middle, high)
    p = log_p.exp()
    return (p + p.T) / (2 * n)
