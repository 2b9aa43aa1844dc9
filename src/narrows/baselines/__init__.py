"""The simple competitors that an autoencoder has to beat, each fitted in closed form or not at all."""

from narrows.baselines.filtered import FilteredPixels
from narrows.baselines.pictures import ColourTable, LocationPrior, MeanTarget, SmoothedThreshold
from narrows.baselines.restore import NonLocalMeans, TotalVariation
from narrows.baselines.rows import LinearDenoiser, MedianFilter, NoisyInput, PCABaseline

__all__ = [
    "ColourTable",
    "FilteredPixels",
    "LinearDenoiser",
    "LocationPrior",
    "MeanTarget",
    "MedianFilter",
    "NoisyInput",
    "NonLocalMeans",
    "PCABaseline",
    "SmoothedThreshold",
    "TotalVariation",
]
