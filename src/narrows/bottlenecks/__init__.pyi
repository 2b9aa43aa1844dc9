"""Written by `python -m narrows.declarations`: what type checkers see."""

from narrows.bottlenecks.adversarial import Adversarial as Adversarial
from narrows.bottlenecks.base import Bottleneck as Bottleneck
from narrows.bottlenecks.base import Code as Code
from narrows.bottlenecks.base import Free as Free
from narrows.bottlenecks.base import Length as Length
from narrows.bottlenecks.code_prior import CodePrior as CodePrior
from narrows.bottlenecks.fsq import FSQ as FSQ
from narrows.bottlenecks.matched import Matched as Matched
from narrows.bottlenecks.quantizer import Quantizer as Quantizer
from narrows.bottlenecks.top_k import TopK as TopK
from narrows.bottlenecks.variational import Variational as Variational
from narrows.bottlenecks.vector_quantizer import VectorQuantizer as VectorQuantizer

__all__ = [
    "Adversarial",
    "Bottleneck",
    "Code",
    "CodePrior",
    "FSQ",
    "Free",
    "Length",
    "Matched",
    "Quantizer",
    "TopK",
    "Variational",
    "VectorQuantizer",
]
