"""Unpooling: values back to the places they were pooled from."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["MaxPool", "average_unpool", "max_unpool"]

Side = tuple[int, ...]


class MaxPool(nn.Module):
    """Max-pooling that also says where in the image each maximum was; sides round up unless told.

    Examples
    --------
    >>> values, positions = MaxPool(2)(torch.tensor([[[[1.0, 5.0], [2.0, 3.0]]]]))
    >>> values.item(), positions.item()
    (5.0, 1)
    """

    def __init__(self, size: int = 2, ceil: bool = True):
        super().__init__()
        self.size, self.ceil = size, ceil

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the maxima and their places in the flattened image, (B, C, h, w) each."""
        values, positions = F.max_pool2d(x, self.size, ceil_mode=self.ceil, return_indices=True)
        return values, positions


def max_unpool(h: Tensor, positions: Tensor | None, side: Side, size: int = 2) -> Tensor:
    """Return an image of ``side`` with every value of ``h`` at its position and zero elsewhere.

    Without positions, when a code is decoded by itself, values go to the top left of their window of ``size``.

    Examples
    --------
    >>> max_unpool(torch.tensor([[[[5.0]]]]), torch.tensor([[[[3]]]]), (2, 2)).tolist()
    [[[[0.0, 0.0], [0.0, 5.0]]]]
    """
    height, width = side
    if positions is None:
        rows, columns = (size * torch.arange(n, device=h.device) for n in h.shape[2:])
        positions = (rows[:, None] * width + columns).expand(h.shape)
    flat = h.new_zeros(*h.shape[:2], height * width).scatter(2, positions.flatten(2), h.flatten(2))
    return flat.reshape(*h.shape[:2], height, width)


def average_unpool(h: Tensor, size: int = 2) -> Tensor:
    """Return every value copied into its whole window, so that average-pooling gives it back.

    Examples
    --------
    >>> average_unpool(torch.tensor([[[[5.0]]]])).tolist()
    [[[[5.0, 5.0], [5.0, 5.0]]]]
    """
    return F.interpolate(h, scale_factor=float(size), mode="nearest")
