"""The simple competitors that several tasks have, each fitted in closed form or not at all."""

from narrows.baselines.dictionary import DictionaryLearning
from narrows.baselines.pictures import ColourTable, LocationPrior, MeanTarget, SmoothedThreshold
from narrows.baselines.recommend import ItemKNN, Popularity
from narrows.baselines.restore import NonLocalMeans, TotalVariation
from narrows.baselines.rows import LinearDenoiser, MedianFilter, NoisyInput, PCABaseline

__all__ = [
    "ColourTable",
    "DictionaryLearning",
    "ItemKNN",
    "LinearDenoiser",
    "LocationPrior",
    "MeanTarget",
    "MedianFilter",
    "NoisyInput",
    "NonLocalMeans",
    "PCABaseline",
    "Popularity",
    "SmoothedThreshold",
    "TotalVariation",
]
