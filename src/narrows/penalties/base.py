"""What every penalty is."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor

from narrows.parts import Part

if TYPE_CHECKING:
    from narrows.model import Model, Step

__all__ = ["Penalty"]


class Penalty(Part, ABC):
    """A weighted cost of every row, (B,), from the model and one forward pass."""

    kind: ClassVar[str] = "penalty"
    plain: ClassVar[bool] = True
    comparable: ClassVar[bool] = True  # False: not comparable between epochs, kept out of early stopping

    def build(self, shape: tuple[int, ...], target: tuple[int, ...]) -> Callable[["Model", "Step"], Tensor]:
        """Return what costs rows of inputs and targets of these shapes: itself, or a module with weights."""
        return self

    @abstractmethod
    def __call__(self, model: "Model", step: "Step") -> Tensor:
        """Return nats per row, (B,)."""
