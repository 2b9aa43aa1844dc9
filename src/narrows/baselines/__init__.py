"""The simple competitors that an autoencoder has to beat, each fitted in closed form or not at all."""

from narrows.baselines.anomaly import (
    ANOMALY_BASELINES,
    IsolationTrees,
    Mahalanobis,
    NearestRows,
    PCAResidual,
)
from narrows.baselines.dictionary import DictionaryLearning
from narrows.baselines.filtered import FilteredPixels
from narrows.baselines.labels import LogisticBaseline
from narrows.baselines.pictures import ColourTable, LocationPrior, MeanTarget, SmoothedThreshold
from narrows.baselines.recommend import ItemKNN, Popularity
from narrows.baselines.restore import NonLocalMeans, TotalVariation
from narrows.baselines.rivals import density_rivals
from narrows.baselines.rows import LinearDenoiser, MedianFilter, NoisyInput, PCABaseline
from narrows.baselines.samplers import PCASampler

__all__ = [
    "ANOMALY_BASELINES",
    "ColourTable",
    "DictionaryLearning",
    "FilteredPixels",
    "IsolationTrees",
    "ItemKNN",
    "LinearDenoiser",
    "LocationPrior",
    "LogisticBaseline",
    "Mahalanobis",
    "MeanTarget",
    "MedianFilter",
    "NearestRows",
    "NoisyInput",
    "NonLocalMeans",
    "PCABaseline",
    "PCAResidual",
    "PCASampler",
    "Popularity",
    "SmoothedThreshold",
    "TotalVariation",
    "density_rivals",
]
