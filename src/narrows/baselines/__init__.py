"""The simple competitors that an autoencoder has to beat, each fitted in closed form or not at all."""

from narrows.baselines.anomaly import (
    ANOMALY_BASELINES,
    IsolationTrees,
    Mahalanobis,
    NearestRows,
    PCAResidual,
)
from narrows.baselines.filtered import FilteredPixels
from narrows.baselines.pictures import ColourTable, LocationPrior, MeanTarget, SmoothedThreshold
from narrows.baselines.restore import NonLocalMeans, TotalVariation
from narrows.baselines.rows import LinearDenoiser, MedianFilter, NoisyInput, PCABaseline

__all__ = [
    "ANOMALY_BASELINES",
    "ColourTable",
    "FilteredPixels",
    "IsolationTrees",
    "LinearDenoiser",
    "LocationPrior",
    "Mahalanobis",
    "MeanTarget",
    "MedianFilter",
    "NearestRows",
    "NoisyInput",
    "NonLocalMeans",
    "PCABaseline",
    "PCAResidual",
    "SmoothedThreshold",
    "TotalVariation",
]
