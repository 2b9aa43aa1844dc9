"""The simple competitors that an autoencoder has to beat, each fitted in closed form or not at all."""

from narrows.baselines.pictures import ColourTable, LocationPrior, MeanTarget, SmoothedThreshold
from narrows.baselines.rivals import density_rivals
from narrows.baselines.rows import LinearDenoiser, MedianFilter, NoisyInput, PCABaseline
from narrows.baselines.samplers import PCASampler

__all__ = [
    "ColourTable",
    "LinearDenoiser",
    "LocationPrior",
    "MeanTarget",
    "MedianFilter",
    "NoisyInput",
    "PCABaseline",
    "PCASampler",
    "SmoothedThreshold",
    "density_rivals",
]
