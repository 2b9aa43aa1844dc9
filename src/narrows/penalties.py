"""Extra terms of the loss: functions of one forward pass, already weighted, in nats per row."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import Tensor

from narrows.params import param
from narrows.parts import Part, part

if TYPE_CHECKING:
    from narrows.model import Model, Step

__all__ = ["L1", "Contractive", "Penalty"]


class Penalty(Part, ABC):
    """A weighted cost of every row, (B,), from the model and one forward pass."""

    kind: ClassVar[str] = "penalty"
    plain: ClassVar[bool] = True
    settles: ClassVar[bool] = True  # False: not comparable between epochs, kept out of early stopping

    @abstractmethod
    def __call__(self, model: "Model", step: "Step") -> Tensor:
        """Return nats per row, (B,)."""


@part("l1")
class L1(Penalty):
    """The sum of the absolute values of the code: sparse codes.

    Examples
    --------
    >>> from narrows.parts import as_part
    >>> as_part("penalty", "l1:1e-3")
    L1(weight=0.001)
    """

    weight: float = param(1e-3, "nats per unit of |code|", ge=0)

    def __call__(self, model: "Model", step: "Step") -> Tensor:
        """Return ``weight * sum |z|`` of every row."""
        return self.weight * step.code.z.abs().flatten(1).sum(1)


@part("contractive")
class Contractive(Penalty):
    """The squared Frobenius norm of the encoder's Jacobian (Rifai et al. 2011, equation 7).

    ``"probe"`` is unbiased for any encoder at the price of one more pass forth and back: E |u J|² over u ~ N(0, I) is
    |J|². ``"exact"`` takes one pass back per code value.

    Examples
    --------
    >>> from narrows.parts import as_part
    >>> as_part("penalty", "contractive:0.1,exact")
    Contractive(weight=0.1, method='exact')
    """

    weight: float = param(1e-3, "nats per unit of squared Jacobian norm", ge=0)
    method: Literal["probe", "exact"] = param("probe", "one random mixture of the code values, or every one")

    def __call__(self, model: "Model", step: "Step") -> Tensor:
        """Return ``weight * |dh/dx|²`` of every row, h the encoder's own output."""
        with torch.enable_grad():
            x = step.x.detach().requires_grad_()
            h = model.features(x, step.cond).flatten(1)
            values = h.unbind(1) if self.method == "exact" else [(h * torch.randn_like(h)).sum(1)]
            slopes = [torch.autograd.grad(value.sum(), x, create_graph=True)[0].flatten(1) for value in values]
            norm = torch.stack([slope.square().sum(1) for slope in slopes]).sum(0)
        return self.weight * norm
