"""A code whose distribution matches the prior: the Wasserstein autoencoder with MMD (Tolstikhin et al. 2018)."""

import torch
from torch import Tensor

from narrows.bottlenecks.base import Bottleneck, Code

__all__ = ["Matched", "squared_distances", "squared_mmd"]

_SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Matched(Bottleneck):
    """The code is ``h``; cost = weight * MMD² between the codes of the batch and as many draws of N(0, I).

    A code of maps (B, size, *spatial) is one long vector. The MMD² belongs to the batch: every row is given all of it,
    so that the mean over the rows is the batch's. It is unbiased (Tolstikhin et al. 2018, algorithm 2), hence sometimes
    below zero; for a single row it is zero. In eval mode there is no cost, as no row has a distribution of its own.

    Examples
    --------
    >>> near, far = torch.randn(200, 2, generator=torch.Generator().manual_seed(1)), 5 + torch.zeros(200, 2)
    >>> matched = Matched(2, weight=1.0)
    >>> bool((matched(near).cost.abs() < 0.1).all()), bool((matched(far).cost > 1).all())
    (True, True)
    """

    term = "mmd"
    has_prior = True
    samples_in_eval = True
    comparable = False  # the noise of one batch, not progress

    def __init__(self, size: int, weight: float = 100.0):
        super().__init__()
        self.n_in = self.n_out = size
        self.weight = weight

    def forward(self, h: Tensor, progress: float = 1.0) -> Code:
        """Return ``h`` and what its distance from the prior costs."""
        if not self.training:
            return Code(h, h.new_zeros(h.shape[0]))
        rows = h.flatten(1).to(torch.promote_types(h.dtype, torch.float32))
        with torch.autocast(h.device.type, enabled=False):
            mmd = squared_mmd(rows, torch.randn_like(rows))
        return Code(h, (self.weight * mmd).expand(h.shape[0]))

    def sample(self, shape: tuple[int, ...], generator: torch.Generator | None = None) -> Tensor:
        """Return codes drawn from N(0, I)."""
        return torch.randn(shape, generator=generator)


def squared_mmd(a: Tensor, b: Tensor) -> Tensor:
    """Return the unbiased MMD² of samples (n, d) and (m, d) under inverse multiquadric kernels; zero for a single row.

    The kernel is the sum of C / (C + |u - v|²) over C = 2 d s (Tolstikhin et al. 2018, section 4) for the scales s of
    their program: 0.1, 0.2, 0.5, 1, 2, 5, 10.

    Examples
    --------
    >>> a = torch.zeros(3, 1)
    >>> squared_mmd(a, a).item(), round(squared_mmd(a, a + 1).item(), 4)
    (0.0, 5.439)
    """
    if min(a.shape[0], b.shape[0]) < 2:
        return a.new_zeros(())
    return _within(a) + _within(b) - 2 * _kernel(a, b).mean()


def _within(a: Tensor) -> Tensor:
    """Return the mean of the kernel over the pairs of different rows."""
    n, values = a.shape[0], _kernel(a, a)
    return (values.sum() - values.diagonal().sum()) / (n * (n - 1))


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Return the squared Euclidean distances of rows (n, d) and (m, d), (n, m), never in half precision.

    Examples
    --------
    >>> squared_distances(torch.tensor([[0.0], [3.0]]), torch.tensor([[1.0]])).tolist()
    [[1.0], [4.0]]
    """
    with torch.autocast(a.device.type, enabled=False):
        centre = b.mean(0)  # distances stay; products of numbers far from zero would lose digits
        a, b = a - centre, b - centre
        return (a.square().sum(1, keepdim=True) + b.square().sum(1) - 2 * a @ b.T).clamp_min(0)


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    gaps = squared_distances(a, b)
    values = [constant / (constant + gaps) for constant in (2 * a.shape[1] * scale for scale in _SCALES)]
    return torch.stack(values).sum(0)
