"""Local features of pictures: what the filters of a linear autoencoder of small patches find, at three scales."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, adaptive_max_pool2d, avg_pool2d, conv2d, interpolate, pad

from narrows.data.images.intensity import Intensity
from narrows.estimator.base import Estimator
from narrows.families.linear import LinearAutoEncoder
from narrows.tasks.anomaly.images import drawn_patches

__all__ = ["FILTER_SIDE", "N_FILTERS", "Features", "FilterFeatures", "View", "pyramid", "small_patches"]

Array = NDArray[Any]
FILTER_SIDE = 7  # pixels
N_FILTERS = 12
_PATCHES = 12_000  # that the filters are learnt from
_SCALES = 3
_SIDE = 256  # pixels across that usual pictures are brought to, where they are larger
_CELLS = 32  # that lie across a usual picture, at least about; each has its features
_STRIDES = (2, 4)
_POWER = 0.75  # of responses: between 1, which sees large ones, and 0.5, which sees that some are missing


class View(NamedTuple):
    """How pictures are brought before features are taken: to one magnification, each on its own intensities.

    Examples
    --------
    >>> view = View.of([np.zeros((1, 512, 512), np.uint8)])
    >>> view.factor, view.stride, tuple(view(np.zeros((1, 100, 512), np.uint8)).shape)
    (0.5, 4, (1, 1, 50, 256))
    """

    factor: float = 1.0
    stride: int = 4  # pixels from cell to cell

    @classmethod
    def of(cls, pictures: Sequence[Array]) -> Self:
        """Return the view that suits good pictures (C, H, W)."""
        side = float(np.median([np.sqrt(np.prod(picture.shape[1:])) for picture in pictures]))
        factor = min(1.0, _SIDE / side)
        stride = min(_STRIDES, key=lambda step: abs(np.log2(side * factor / _CELLS / step)))
        return cls(factor, stride)

    def __call__(self, picture: Array) -> Tensor:
        """Return a picture (C, H, W) as floats (1, C, h, w)."""
        own = Intensity("each")(picture)
        seen = torch.from_numpy(np.ascontiguousarray(own, np.float32))[None]
        if self.factor == 1:
            return seen
        size = [max(1, round(self.factor * length)) for length in seen.shape[2:]]
        return interpolate(seen, size=size, mode="bilinear", antialias=True)


class Features(Protocol):
    """Where local features come from: a name, and what tells the same weights."""

    name: str
    checksum: str

    def arrays(self) -> dict[str, Tensor]:
        """Return the weights that a run keeps."""

    def __call__(self, picture: Tensor, stride: int) -> Tensor:
        """Return the features of a picture (1, C, h, w), (d, h / stride, w / stride) rounded up."""


class FilterFeatures:
    """Mean and largest responses of filters around every cell, at three scales, beside the light.

    Parameters
    ----------
    filters : Tensor, shape (k, C, 7, 7)

    Examples
    --------
    >>> tuple(FilterFeatures(torch.ones(4, 1, 7, 7))(torch.zeros(1, 1, 20, 30), 4).shape)
    (23, 5, 8)
    """

    name, checksum = "filters", ""

    def __init__(self, filters: Tensor):
        self.filters = filters

    @classmethod
    def from_patches(cls, estimator: Estimator) -> Self:
        """Return the numbers of the code of a linear autoencoder that was fitted to patches (C, 7, 7)."""
        weight = cast("Any", estimator.model_.encoder).matrix.weight.detach()
        return cls(weight.reshape(len(weight), *estimator.shapes_[0]))

    def arrays(self) -> dict[str, Tensor]:
        """Return the filters."""
        return {"filters": self.filters}

    @classmethod
    def of(cls, pictures: Sequence[Array], view: View, seed: int) -> Self:
        """Return the filters of good pictures (C, H, W)."""
        patches = small_patches(pictures, view, seed)
        return cls.from_patches(LinearAutoEncoder(latent_dim=N_FILTERS, random_state=seed).fit(patches))

    @torch.no_grad()
    def __call__(self, picture: Tensor, stride: int) -> Tensor:
        """Return the features of a picture (1, C, h, w), (d, h / stride, w / stride) rounded up."""
        cells = [-(-length // stride) for length in picture.shape[2:]]
        parts = []
        for level, seen in enumerate(pyramid(picture)):
            responses = conv2d(_framed(seen), self.filters).abs()
            parts += [_pooled(responses, cells) ** _POWER, _pooled(seen, cells)]
            if 2 ** (level + 1) <= stride:  # a cell covers several places
                parts.append(adaptive_max_pool2d(responses, cells) ** _POWER)
        return torch.cat(parts, 1)[0]


def small_patches(pictures: Sequence[Array], view: View, seed: int) -> Array:
    """Return patches (n, C, 7, 7) of pictures (C, H, W) at all scales, each without its mean."""
    scales = zip(*[pyramid(view(picture)) for picture in pictures], strict=True)
    parts = [[part[0].numpy() for part in scale] for scale in scales]
    patches = np.concatenate([drawn_patches(part, FILTER_SIDE, _PATCHES // _SCALES, seed) for part in parts])
    centred: Array = patches - patches.mean(axis=(2, 3), keepdims=True)
    return centred


def pyramid(picture: Tensor) -> list[Tensor]:
    """Return a picture (1, C, h, w) and what is left of it at half and a quarter of its size.

    Examples
    --------
    >>> [tuple(part.shape[2:]) for part in pyramid(torch.zeros(1, 1, 9, 4))]
    [(9, 4), (5, 2), (3, 1)]
    """
    parts = [picture]
    for _ in range(_SCALES - 1):
        height, width = parts[-1].shape[2:]
        parts.append(avg_pool2d(pad(parts[-1], (0, width % 2, 0, height % 2), mode="replicate"), 2))
    return parts


def _framed(picture: Tensor) -> Tensor:
    """Return a picture continued by half a filter on all sides: by reflection where it is large enough."""
    margin = FILTER_SIDE // 2
    return pad(picture, (margin,) * 4, mode="reflect" if min(picture.shape[2:]) > margin else "replicate")


def _pooled(values: Tensor, cells: list[int]) -> Tensor:
    """Return the mean in every cell, or between the places where these are fewer than the cells."""
    if values.shape[2] >= cells[0] and values.shape[3] >= cells[1]:
        return adaptive_avg_pool2d(values, (cells[0], cells[1]))
    return interpolate(values, size=cells, mode="bilinear")
