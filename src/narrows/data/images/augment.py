"""What may be done to a picture and its target together: flips, quarter turns, crops, anew for every batch."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from narrows.data.pairs import Batch

__all__ = ["Crop", "CropFlip", "Flip", "Middle"]


@dataclass(frozen=True)
class Flip:
    """Flips each picture with its target and weight left to right, and if asked upside down and across the diagonal.

    Examples
    --------
    >>> x = torch.arange(4.0).reshape(1, 1, 2, 2)
    >>> batch = Flip(vertical=True, diagonal=True)(Batch(x, 10 * x))
    >>> bool((batch.target == 10 * batch.x).all()), sorted(batch.x.flatten().tolist())
    (True, [0.0, 1.0, 2.0, 3.0])
    """

    vertical: bool = False
    diagonal: bool = False  # only square pictures

    def __call__(self, batch: Batch) -> Batch:
        """Return the batch, every row flipped by its own coin."""
        batch = _some(batch, lambda t: t.flip(-1))
        if self.vertical:
            batch = _some(batch, lambda t: t.flip(-2))
        if self.diagonal and batch.x.shape[-1] == batch.x.shape[-2]:
            batch = _some(batch, lambda t: t.transpose(-1, -2))
        return batch


@dataclass(frozen=True)
class Crop:
    """Cuts a window of ``side`` x ``side`` out of each picture, its target and its weight, at a place of its own.

    Examples
    --------
    >>> x = torch.arange(16.0).reshape(1, 1, 4, 4)
    >>> batch = Crop(2)(Batch(x, -x))
    >>> batch.x.shape, bool((batch.target == -batch.x).all())
    (torch.Size([1, 1, 2, 2]), True)
    """

    side: int

    def __call__(self, batch: Batch) -> Batch:
        """Return the windows; pictures that are smaller stay whole."""
        height, width = batch.x.shape[-2:]
        tall, wide = min(self.side, height), min(self.side, width)
        tops = torch.randint(height - tall + 1, (len(batch.x),)).tolist()
        lefts = torch.randint(width - wide + 1, (len(batch.x),)).tolist()

        def cut(t: Tensor) -> Tensor:
            rows = zip(t, tops, lefts, strict=True)
            return torch.stack([row[..., top : top + tall, left : left + wide] for row, top, left in rows])

        return _both(batch, cut)


@dataclass(frozen=True)
class Middle:
    """Cuts the middle of ``side`` x ``side`` out of each picture, its target and its weight.

    Examples
    --------
    >>> x = torch.arange(16.0).reshape(1, 1, 4, 4)
    >>> Middle(2)(Batch(x, x)).target.flatten().tolist()
    [5.0, 6.0, 9.0, 10.0]
    """

    side: int

    def __call__(self, batch: Batch) -> Batch:
        """Return the windows; pictures that are smaller stay whole."""
        height, width = batch.x.shape[-2:]
        tall, wide = min(self.side, height), min(self.side, width)
        top, left = (height - tall) // 2, (width - wide) // 2
        return _both(batch, lambda t: t[..., top : top + tall, left : left + wide])


@dataclass(frozen=True)
class CropFlip:
    """Cuts a window of ``side`` x ``side`` out of each picture and flips it; where rows are scored, the middle.

    Examples
    --------
    >>> x = torch.arange(16.0).reshape(1, 1, 4, 4)
    >>> windows = CropFlip(2, Flip())
    >>> windows(Batch(x, x)).x.shape, windows.still(Batch(x, x)).x.flatten().tolist()
    (torch.Size([1, 1, 2, 2]), [5.0, 6.0, 9.0, 10.0])
    """

    side: int
    flip: Flip | None = None

    @property
    def still(self) -> Middle:
        """What takes its place where nothing may be left to chance."""
        return Middle(self.side)

    def __call__(self, batch: Batch) -> Batch:
        """Return the windows."""
        if max(batch.x.shape[-2:]) > self.side:
            batch = Crop(self.side)(batch)
        return batch if self.flip is None else self.flip(batch)


def _some(batch: Batch, change: Callable[[Tensor], Tensor]) -> Batch:
    """Change every row with a chance of one half."""
    coin = torch.rand(len(batch.x), 1, 1, 1, device=batch.x.device) < 0.5
    return _both(batch, lambda t: torch.where(coin, change(t), t))


def _both(batch: Batch, change: Callable[[Tensor], Tensor]) -> Batch:
    x = change(batch.x)
    target = x if batch.target is batch.x else change(batch.target)
    weight = batch.weight
    return batch._replace(x=x, target=target, weight=weight if weight is None or weight.ndim == 1 else change(weight))
