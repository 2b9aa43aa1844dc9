"""What the encoder's numbers mean: the code and its cost."""

from narrows.bottlenecks.base import Bottleneck, Code, Free
from narrows.bottlenecks.variational import Variational

__all__ = ["Bottleneck", "Code", "Free", "Variational"]
