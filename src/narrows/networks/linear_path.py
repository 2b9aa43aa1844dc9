"""A linear path beside a dense network's layers, started at the principal axes: training begins at PCA."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from narrows import moments
from narrows.networks.blocks import Activation, activation

__all__ = ["Bypass", "principal_start"]

_NULL = 1e-10  # of the largest variance: what is below is rounding


class Bypass(nn.Module):
    """A matrix and a bias beside layers: adds to what they give, then applies the last activation of both.

    Examples
    --------
    >>> Bypass(3, 2)(torch.ones(1, 3), torch.ones(1, 2)).tolist()  # zero until it is started
    [[1.0, 1.0]]
    """

    def __init__(self, n_in: int, n_out: int, last: Activation = "identity"):
        super().__init__()
        self.last = nn.Sequential(*activation(last))
        self.weight = nn.Parameter(torch.zeros(n_out, n_in))
        self.bias = nn.Parameter(torch.zeros(n_out))

    def forward(self, x: Tensor, beside: Tensor) -> Tensor:
        """Return ``x`` (B, n_in) through the matrix, added to what the layers beside gave."""
        out: Tensor = self.last(beside + F.linear(x, self.weight, self.bias))
        return out


@torch.no_grad()
def principal_start(
    down: Bypass,
    up: Bypass,
    last: tuple[nn.Linear, nn.Linear],
    rows: Tensor,
    constant_params: Tensor | None,
    weight: Tensor | None = None,
) -> None:
    """Set ``down`` and ``up`` to the principal axes of ``rows`` (n, d), whitened, and silence the layers beside them.

    Rows count ``weight`` (n,) times. The last layers of encoder and decoder become zero, so that the network is PCA at
    first and learns what is left.

    Examples
    --------
    >>> rows = torch.randn(100, 3) @ torch.diag(torch.tensor([3.0, 1.0, 0.1]))
    >>> down, up = Bypass(3, 2), Bypass(2, 3)
    >>> principal_start(down, up, (nn.Linear(4, 2), nn.Linear(4, 3)), rows, rows.mean(0))
    >>> round(down(rows, torch.zeros(2)).var(0, correction=0).sum().item(), 4)
    2.0
    """
    rows = rows.double()
    weight = rows.new_ones(len(rows)) if weight is None else weight.double()
    mean = moments.mean(rows, weight)
    spread = (rows - mean) * (weight / weight.sum()).sqrt()[:, None]
    if len(rows) < rows.shape[1]:
        _, sizes, axes = torch.linalg.svd(spread, full_matrices=False)
        variances = sizes.square()
    else:
        variances, axes = torch.linalg.eigh(spread.T @ spread)
        variances, axes = variances.flip(0), axes.T.flip(0)
    axes = moments.upright(axes)
    rank = int((variances > _NULL * variances[0]).sum())  # other directions are rounding: whitened, it would be huge
    k = min(len(down.bias), rank)
    deviation = variances[:k].sqrt()
    down.weight.zero_(), up.weight.zero_(), down.bias.zero_()
    down.weight[:k] = axes[:k] / deviation[:, None]
    down.bias[:k] = -down.weight[:k].double() @ mean
    up.weight[:, :k] = axes[:k].T * deviation
    up.bias.copy_((mean if constant_params is None else constant_params).flatten())
    for layer in last:
        layer.weight.zero_()
        layer.bias.zero_()
