"""Written by `python -m narrows.declarations`: what type checkers see."""

from narrows.corruption.base import Corruption as Corruption
from narrows.corruption.pictures import Blur as Blur
from narrows.corruption.pictures import Downscale as Downscale
from narrows.corruption.pictures import Grey as Grey
from narrows.corruption.pictures import Jpeg as Jpeg
from narrows.corruption.pictures import Patches as Patches
from narrows.corruption.values import GaussianNoise as GaussianNoise
from narrows.corruption.values import Mask as Mask
from narrows.corruption.values import PoissonNoise as PoissonNoise
from narrows.corruption.values import SaltPepper as SaltPepper
from narrows.corruption.values import Swap as Swap
from narrows.corruption.warp import Warp as Warp

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
