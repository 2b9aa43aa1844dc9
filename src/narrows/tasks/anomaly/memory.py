"""A memory of the local features of good pictures, and how far other pictures are from it, place by place."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple, Self, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from sklearn.base import BaseEstimator
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, softplus

from narrows.errors import ArtefactError, InputError
from narrows.tasks.anomaly.features import FILTER_SIDE, Features, FilterFeatures, View
from narrows.tasks.anomaly.outliers import teaching
from narrows.tasks.anomaly.pretrained import features_of
from narrows.tasks.images import as_pictures
from narrows.training.random import draw_seed
from narrows.typed_json import Range

__all__ = ["MEMORY_ARRAYS", "FeatureMemory", "MemoryState", "coreset"]

Array = NDArray[Any]
_VECTORS, _POOL = 4000, 40_000  # that are remembered, and that these are chosen from
_AXES, _PROJECTED = 128, 32  # dimensions in which distances are taken, and in which the coreset is chosen
_CHUNK = 256  # rows whose distances are taken together: they stay in the processor's cache
_PLACES = 32  # across and down, at which the usual distance is known
_USUAL_PICTURES = 10  # as many count the mean of all places in the usual distance of one
_SMOOTHNESS = 1 / 64  # of a picture's side, by which its heat map is smoothed

FILTERS = "memory_filters_"
_KEPT = ("vectors", "centre", "axes")
MEMORY_ARRAYS: dict[str, tuple[int | str, ...]] = {
    "memory_vectors_": (-1, -1),
    "memory_centre_": (2, -1),
    "memory_axes_": (-1, -1),
    "memory_places_": (2, _PLACES, _PLACES),
    "memory_overall_": (-1, -1),
    FILTERS: (-1, -1, FILTER_SIDE, FILTER_SIDE),
}


class MemoryState(TypedDict):
    """What the artefact keeps of a memory beside its arrays."""

    factor: Annotated[float, Range(1e-4, 1)]
    stride: Annotated[int, Range(1, 64)]
    features: str
    checksum: str  # of pretrained weights; empty: there are none


class Places(NamedTuple):
    """The distance that good pictures have at every place, (P, P) over the height and width of a picture each."""

    mean: Tensor
    spread: Tensor

    @classmethod
    def of(cls, distances: Sequence[Tensor]) -> Self:
        """Return the usual distances of good pictures; where these are few, places are much like each other."""
        maps = torch.stack([_resized(distance, (_PLACES, _PLACES)) for distance in distances])
        share = len(maps) / (len(maps) + _USUAL_PICTURES)
        mean = share * _smooth(maps.mean(0)) + (1 - share) * maps.mean()
        variance = share * _smooth((maps - mean).square().mean(0)) + (1 - share) * maps.var()
        return cls(mean, variance.sqrt().clamp_min(1e-6))

    def beyond(self, distance: Tensor) -> Tensor:
        """Return how many usual spreads a map (h, w) lies beyond what is usual at each place."""
        mean, spread = (_resized(values, tuple(distance.shape)) for values in self)
        return (distance - mean) / spread


class Overall:
    """How good pictures are as a whole: mean and logarithm of the spread of each of their features, (n, 2 d)."""

    def __init__(self, rows: Tensor):
        self.rows = rows
        self._mean, self._spread = rows.mean(0), rows.std(0).clamp_min(1e-6)
        scaled = self._scaled(rows)
        apart = torch.cdist(scaled, scaled).fill_diagonal_(torch.inf).min(1).values
        self._usual, self._usual_spread = apart.mean(), apart.std() + 0.1 * apart.mean() + 1e-6

    def beyond(self, row: Tensor) -> Tensor:
        """Return how many usual spreads farther a picture is from the nearest good one than these from each other."""
        apart = torch.cdist(self._scaled(row[None]), self._scaled(self.rows)).min()
        return (apart - self._usual) / self._usual_spread

    def _scaled(self, rows: Tensor) -> Tensor:
        return (rows - self._mean) / self._spread


class FeatureMemory(BaseEstimator):
    """The distance of local features to the nearest of a few thousand that good pictures have.

    After PatchCore (Roth et al. 2022, "Towards total recall in industrial anomaly detection"): features averaged with
    their neighbours, and a greedy coreset of them, chosen in a random projection. Features are measured by their mean
    and spread within the picture, so that light and contrast do not count. Distances are taken relative to those that
    good pictures have at the same place, each from the memory of the others: where pictures are aligned, a bright
    border is as usual as a plain middle. Where a picture as a whole is farther from good ones, by that measure, than
    its strangest place, its map is raised to that.

    Parameters
    ----------
    features : Features, optional
        What gives the local features of a picture; none: the filters of a linear autoencoder of its patches.
    clean : bool
        All pictures of the fit are known to be good; no: those far from the others are not remembered.
    random_state : int or RandomState, optional

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> good = [rng.normal(0.5, 0.05, (1, 32, 32)).clip(0, 1) for _ in range(8)]
    >>> memory = FeatureMemory(random_state=0).fit(good[:7])
    >>> scratched = good[7].copy()
    >>> scratched[0, 8:12, 4:28] += 0.4
    >>> ordinary, strange = memory.score_samples([good[7], scratched])
    >>> bool(strange < ordinary), memory.heat_maps([scratched])[0].shape
    (True, (32, 32))
    """

    def __init__(self, features: Features | None = None, clean: bool = False, random_state: Any = None):
        self.features, self.clean, self.random_state = features, clean, random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Remember good pictures: an array (n, C, H, W) or (n, H, W), or a list of arrays of any sizes.

        ``n_left_out_`` counts those that were too far from the others. Raises ``InputError`` for what is no
        picture, and for a single one.
        """
        pictures, seed = as_pictures(X), draw_seed(self.random_state)
        if len(pictures) < 2:
            raise InputError("One picture came", "at least 2 good ones to remember")
        self.view_ = View.of(pictures)
        self.features_ = FilterFeatures.of(pictures, self.view_, seed) if self.features is None else self.features
        maps, wholes = zip(*[self._maps(picture) for picture in pictures], strict=True)
        draw = torch.Generator().manual_seed(seed)
        n_rows = max(1, _POOL // len(maps))
        rows = [part.flatten(1).T[torch.randperm(part[0].numel(), generator=draw)[:n_rows]] for part in maps]
        owners = torch.repeat_interleave(torch.tensor([len(part) for part in rows]))
        pool = torch.cat(rows)
        self.centre_ = torch.stack([pool.mean(0), pool.std(0).clamp_min(1e-6)])
        self.axes_ = _principal_axes((pool - self.centre_[0]) / self.centre_[1])
        pool = self._scaled(pool)
        kept = coreset(pool, _VECTORS, draw)
        self.vectors_, owners = pool[kept], owners[kept]
        distances = [self._distance(part, owners != i) for i, part in enumerate(maps)]
        fine = np.ones(len(maps), bool)
        if not self.clean:
            fine = teaching(np.array([float(distance.max()) for distance in distances]))
        self.n_left_out_ = int((~fine).sum())
        self.vectors_ = self.vectors_[torch.from_numpy(fine)[owners]]
        self.places_ = Places.of([distance for distance, good in zip(distances, fine, strict=True) if good])
        self.overall_ = Overall(torch.stack(wholes)[torch.from_numpy(fine)])
        return self

    def heat_maps(self, X: Any) -> list[Array]:
        """Return how strange every pixel of pictures is, (H, W) each: squared, in usual spreads; at least 0."""
        return [self.heat(picture) for picture in as_pictures(X)]

    def score_samples(self, X: Any) -> Array:
        """Return minus the root of the strangest pixel of each picture: higher is more ordinary."""
        return np.array([-np.sqrt(heat.max()) for heat in self.heat_maps(X)])

    def heat(self, picture: Array) -> Array:
        """Return how strange every pixel of a picture (C, H, W) is, (H, W).

        Raises ``InputError`` for a picture of other channels than those of the fit.
        """
        channels = self.features_.arrays()["filters"].shape[1]
        if len(picture) != channels:
            raise InputError(f"A picture of {len(picture)} channels came", f"{channels}, as in the fit")
        maps, whole = self._maps(picture)
        beyond = self.places_.beyond(self._distance(maps))
        size = picture.shape[1:]
        wide = interpolate(beyond[None, None], size=size, mode="bilinear")[0, 0]
        smooth = gaussian_filter(wide.numpy(), _SMOOTHNESS * float(np.sqrt(np.prod(size))))
        local, overall = softplus(torch.from_numpy(smooth)), softplus(self.overall_.beyond(whole))
        heat: Array = (local * (overall / local.max()).clamp_min(1)).square().numpy()
        return heat

    def kept(self) -> tuple[MemoryState, dict[str, Tensor]]:
        """Return what a run keeps: JSON values, and arrays."""
        state: MemoryState = {
            "factor": self.view_.factor,
            "stride": self.view_.stride,
            "features": self.features_.name,
            "checksum": self.features_.checksum,
        }
        places, overall = torch.stack(tuple(self.places_)), self.overall_.rows
        arrays = {"vectors": self.vectors_, "centre": self.centre_, "axes": self.axes_}
        arrays |= {"places": places, "overall": overall}
        return state, {f"memory_{name}_": values for name, values in (arrays | self.features_.arrays()).items()}

    @classmethod
    def from_kept(cls, state: MemoryState, arrays: Mapping[str, Tensor]) -> Self:
        """Return the memory that ``kept`` described.

        Raises ``ArtefactError`` where arrays are missing or do not fit each other, or pretrained weights are others,
        and ``InputError`` where these are not there.
        """
        memory, missing = cls(), sorted(MEMORY_ARRAYS.keys() - arrays.keys())
        if missing:
            raise ArtefactError(f"{missing[0]} is missing", "the files of one fit")
        memory.features_ = features_of(state["features"], state["checksum"], arrays[FILTERS])
        memory.view_ = View(state["factor"], state["stride"])
        memory.vectors_, memory.centre_, memory.axes_ = (arrays[f"memory_{name}_"] for name in _KEPT)
        memory.places_, memory.overall_ = Places(*arrays["memory_places_"]), Overall(arrays["memory_overall_"])
        channels = arrays[FILTERS].shape[1]
        n_features = len(memory.features_(torch.zeros(1, channels, FILTER_SIDE, FILTER_SIDE), memory.view_.stride))
        (n_known, n_axes), (n_good, n_overall) = memory.vectors_.shape, memory.overall_.rows.shape
        shapes = [tuple(memory.centre_.shape), tuple(memory.axes_.shape), (n_overall,)]
        if shapes != [(2, n_features), (n_features, n_axes), (2 * n_features,)] or not n_known or n_good < 2:
            raise ArtefactError(f"The memory's arrays do not fit its {n_features} features", "the files of one fit")
        return memory

    def _maps(self, picture: Array) -> tuple[Tensor, Tensor]:
        """Return the features of a picture, averaged with their neighbours, (d, h, w), and how it is as a whole."""
        maps = self.features_(self.view_(picture), self.view_.stride)
        middle, spread = maps.mean((1, 2)), maps.flatten(1).std(1, correction=0) + 1e-3
        own = (maps - middle[:, None, None]) / spread[:, None, None]
        averaged: Tensor = avg_pool2d(own[None], 3, 1, 1, count_include_pad=False)[0]
        return averaged, torch.cat([middle, spread.log()])

    def _scaled(self, rows: Tensor) -> Tensor:
        scaled: Tensor = (rows - self.centre_[0]) / self.centre_[1] @ self.axes_
        return scaled

    def _distance(self, maps: Tensor, among: Tensor | None = None) -> Tensor:
        """Return the distance of every cell to the nearest vector, or the nearest ``among`` some."""
        known = self.vectors_ if among is None or not among.any() else self.vectors_[among]
        rows = self._scaled(maps.flatten(1).T)
        lengths, turned = known.square().sum(1)[None], -2 * known.T
        squared = torch.cat([torch.addmm(lengths, part, turned).amin(1) for part in torch.split(rows, _CHUNK)])
        distance: Tensor = (squared + rows.square().sum(1)).clamp_min(0).sqrt().reshape(maps.shape[1:])
        return distance


def coreset(rows: Tensor, most: int, draw: torch.Generator) -> Tensor:
    """Return which rows (n, d) cover all: each is the farthest from those before (Sener and Savarese 2018).

    Distances are those of a random projection to 32 dimensions. Rows that are like another one are left out.

    Examples
    --------
    >>> rows = torch.tensor([[0.0], [0.1], [9.0], [9.1], [4.0]])
    >>> sorted(coreset(rows, 3, torch.Generator().manual_seed(0)).tolist()) in ([0, 2, 4], [0, 3, 4], [1, 3, 4])
    True
    """
    if rows.shape[1] > _PROJECTED:
        rows = rows @ torch.randn(rows.shape[1], _PROJECTED, generator=draw) / _PROJECTED**0.5
    lengths = rows.square().sum(1)
    chosen, nearest = [0], torch.full((len(rows),), torch.inf)
    for _ in range(min(most, len(rows)) - 1):
        last = chosen[-1]
        nearest = torch.minimum(nearest, lengths + lengths[last] - 2 * (rows @ rows[last]))
        chosen.append(int(nearest.argmax()))
    return torch.tensor(sorted(set(chosen)))


def _principal_axes(rows: Tensor) -> Tensor:
    """Return the directions in which rows (n, d) of mean 0 spread most, (d, k), over the root of d."""
    _, axes = torch.linalg.eigh(rows.T @ rows)
    main: Tensor = axes[:, -_AXES:] / math.sqrt(len(axes))
    return main


def _resized(values: Tensor, size: tuple[int, ...]) -> Tensor:
    return interpolate(values[None, None], size=list(size), mode="bilinear", antialias=True)[0, 0]


def _smooth(values: Tensor) -> Tensor:
    return torch.from_numpy(gaussian_filter(values.numpy(), 1.0))
