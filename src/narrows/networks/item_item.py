"""One matrix from the values of a row to the same values, each predicted from the others."""

import math

import torch
from torch import Tensor, nn

from narrows.errors import InputError, Setting
from narrows.networks.base import Network, Sizes, as_rows
from narrows.parts import part

__all__ = ["ItemItem"]


@part("item-item")
class ItemItem(Network):
    """No layers in between: the code is a score per value, and no value has a say in its own score.

    A code shorter than a row makes it two matrices, the first d x k and the second k x d.

    Examples
    --------
    >>> encoder, decoder = ItemItem().build(Sizes((4,), (4,), code_in=4, code_out=4, out=4))
    >>> encoder.weight.diagonal().tolist(), decoder(torch.ones(1, 4)).tolist()
    ([0.0, 0.0, 0.0, 0.0], [[1.0, 1.0, 1.0, 1.0]])
    """

    def build(self, sizes: Sizes) -> tuple[nn.Module, nn.Module]:
        """Return the matrix and nothing after it, or the two matrices.

        Raises ``InputError`` where not every number in has one out.
        """
        shape = (sizes.out, *sizes.target[1:])
        if sizes.shape != shape or sizes.n_cond:
            came = f"Rows of shape {sizes.shape} that ask for {shape}" + " and a condition" * bool(sizes.n_cond)
            raise InputError(came, "one number out for each number in", Setting("likelihood", "gaussian"))
        if sizes.code_in == sizes.row == sizes.code_out:
            return ZeroDiagonal(sizes.row, sizes.shape[0]), Reshaped(shape)
        return Down(sizes.row, sizes.code_in, sizes.shape[0]), Up(sizes.code_out, shape)


class ZeroDiagonal(nn.Module):
    """``x @ weight`` with a diagonal of zero; ``weight[i, j]`` leads from value i to value j."""

    def __init__(self, size: int, channels: int):
        super().__init__()
        bound = 1 / math.sqrt(size)
        self.channels = channels
        self.weight = nn.Parameter(torch.empty(size, size).uniform_(-bound, bound).fill_diagonal_(0))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the scores as the only map; what training rounds into the diagonal does not count."""
        rows = as_rows(x, self.channels)
        return (rows @ self.weight - rows * self.weight.diagonal(),)

    def matrix(self) -> Tensor:
        """Return the matrix as it counts, (d, d), without a gradient."""
        weight = self.weight.detach()
        return weight.clone().fill_diagonal_(0) if weight.diagonal().any() else weight


class Reshaped(nn.Module):
    """Gives scores (B, d) as (B, out, *spatial)."""

    def __init__(self, shape: tuple[int, ...]):
        super().__init__()
        self.shape = shape

    def forward(self, z: Tensor, skips: tuple[Tensor, ...] = ()) -> Tensor:
        """Return the scores."""
        return z.reshape(-1, *self.shape)


class Down(nn.Module):
    """A matrix without a bias from a row (B, C, *spatial) to a code."""

    def __init__(self, size: int, code: int, channels: int):
        super().__init__()
        self.channels, self.matrix = channels, nn.Linear(size, code, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the code as the only map."""
        return (self.matrix(as_rows(x, self.channels)),)


class Up(nn.Module):
    """A matrix without a bias from a code to scores (B, out, *spatial)."""

    def __init__(self, code: int, shape: tuple[int, ...]):
        super().__init__()
        self.shape, self.matrix = shape, nn.Linear(code, math.prod(shape), bias=False)

    def forward(self, z: Tensor, skips: tuple[Tensor, ...] = ()) -> Tensor:
        """Return the scores."""
        out: Tensor = self.matrix(z).reshape(-1, *self.shape)
        return out
