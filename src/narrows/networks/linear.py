"""One matrix down, one matrix up: the linear autoencoder (Baldi & Hornik 1989)."""

import math

from torch import Tensor, nn

from narrows.networks.base import Network, Sizes, as_rows
from narrows.parts import part

__all__ = ["Linear"]


@part("linear")
class Linear(Network):
    """No activation anywhere: at its optimum the principal subspace.

    Examples
    --------
    >>> encoder, decoder = Linear().build(Sizes((4,), (4,), code_in=2, code_out=2, out=4))
    >>> encoder.matrix.weight.shape
    torch.Size([2, 4])
    """

    def build(self, sizes: Sizes) -> tuple[nn.Module, nn.Module]:
        """Return the two matrices with their biases."""
        return LinearEncoder(sizes), LinearDecoder(sizes)


class LinearEncoder(nn.Module):
    """Reads a row of any shape, (B, C, *spatial)."""

    def __init__(self, sizes: Sizes):
        super().__init__()
        self.channels = sizes.shape[0]
        self.matrix = nn.Linear(sizes.row, sizes.code_in)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the code as the only map."""
        return (self.matrix(as_rows(x, self.channels)),)


class LinearDecoder(nn.Module):
    """Gives (B, out, *spatial)."""

    def __init__(self, sizes: Sizes):
        super().__init__()
        self.shape = (sizes.out, *sizes.target[1:])
        self.matrix = nn.Linear(sizes.code_out + sizes.n_cond, math.prod(self.shape))

    def forward(self, z: Tensor, skips: tuple[Tensor, ...] = ()) -> Tensor:
        """Return the likelihood's numbers."""
        out: Tensor = self.matrix(z).reshape(-1, *self.shape)
        return out
