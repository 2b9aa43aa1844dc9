"""The one training loop, where it runs, and how it goes on after a stop."""

from narrows.training.loop import Epoch, evaluate, train
from narrows.training.runtime import Runtime

__all__ = ["Epoch", "Runtime", "evaluate", "train"]
