"""The simple competitors that an autoencoder has to beat, each fitted in closed form or not at all."""

from narrows.baselines.dictionary import DictionaryLearning
from narrows.baselines.labels import LogisticBaseline
from narrows.baselines.pictures import ColourTable, LocationPrior, MeanTarget, SmoothedThreshold
from narrows.baselines.rows import LinearDenoiser, MedianFilter, NoisyInput, PCABaseline

__all__ = [
    "ColourTable",
    "DictionaryLearning",
    "LinearDenoiser",
    "LocationPrior",
    "LogisticBaseline",
    "MeanTarget",
    "MedianFilter",
    "NoisyInput",
    "PCABaseline",
    "SmoothedThreshold",
]
