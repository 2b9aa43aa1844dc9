"""What is done to the input, and not to the target, while training: frozen specs, x -> x of the same shape."""

from narrows.corruption.base import Corruption
from narrows.corruption.pictures import Blur, Downscale, Grey, Jpeg, Patches
from narrows.corruption.values import GaussianNoise, Mask, PoissonNoise, SaltPepper, Swap
from narrows.corruption.warp import Warp

__all__ = [
    "Blur",
    "Corruption",
    "Downscale",
    "GaussianNoise",
    "Grey",
    "Jpeg",
    "Mask",
    "Patches",
    "PoissonNoise",
    "SaltPepper",
    "Swap",
    "Warp",
]
