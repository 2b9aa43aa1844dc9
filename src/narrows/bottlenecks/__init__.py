"""What the encoder's numbers mean: the code and its cost."""

from narrows.bottlenecks.adversarial import Adversarial
from narrows.bottlenecks.base import Bottleneck, Code, Free
from narrows.bottlenecks.code_prior import CodePrior
from narrows.bottlenecks.fsq import FSQ
from narrows.bottlenecks.matched import Matched
from narrows.bottlenecks.quantizer import Quantizer
from narrows.bottlenecks.top_k import TopK
from narrows.bottlenecks.variational import Variational
from narrows.bottlenecks.vector_quantizer import VectorQuantizer

__all__ = [
    "FSQ",
    "Adversarial",
    "Bottleneck",
    "Code",
    "CodePrior",
    "Free",
    "Matched",
    "Quantizer",
    "TopK",
    "Variational",
    "VectorQuantizer",
]
