"""What every corruption is."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from narrows.parts import Part

__all__ = ["Corruption", "levels"]


class Corruption(Part, ABC):
    """A random map of a batch (B, C, *spatial) to one of the same shape and dtype.

    Pictures are on the scale 0 to 1. One that has a field ``to`` draws its strength anew for every row, between its
    first field and ``to``: a blind range, ``gaussian:0,0.2`` or ``jpeg:10,to=60``.
    """

    kind: ClassVar[str] = "corruption"
    plain: ClassVar[bool] = True

    @property
    def cuts(self) -> bool:
        """Whether results are cut to [0, 1], so that rows on another scale would be lost."""
        return False

    @property
    def deviation(self) -> float | None:
        """The largest standard deviation of what it adds, whatever the rows; None where it depends on them."""
        return None

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor:
        """Return the corrupted batch."""

    def words(self) -> str:
        """Return what is done in words, with units."""
        return f"{str(self)!r}"


def levels(x: Tensor, low: float, high: float | None) -> Tensor | float:
    """Return one level for all rows, or one per row drawn between the two, (B, 1, ...).

    Examples
    --------
    >>> levels(torch.zeros(2, 3), 0.5, None), levels(torch.zeros(2, 3), 0.1, 0.2).shape
    (0.5, torch.Size([2, 1]))
    """
    if high is None:
        return low
    draw = torch.rand(len(x), *[1] * (x.ndim - 1), dtype=x.dtype, device=x.device)
    return low + (high - low) * draw
