"""Extra terms of the loss: functions of one forward pass, already weighted, in nats per row."""

from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import Tensor

from narrows.params import Part, param, part

if TYPE_CHECKING:
    from narrows.model import Model, Step

__all__ = ["L1", "Contractive", "Penalty"]


class Penalty(Part):
    """A weighted cost of every row, (B,), from the model and one forward pass."""

    kind: ClassVar[str] = "penalty"
    settles: ClassVar[bool] = True  # False: not comparable between epochs, kept out of early stopping

    def __call__(self, model: "Model", step: "Step") -> Tensor:
        """Return nats per row, (B,)."""
        raise TypeError(f"{type(self).__name__} defines no cost")


@part("l1")
class L1(Penalty):
    """The sum of the absolute values of the code: sparse codes.

    Examples
    --------
    >>> from narrows.params import as_part
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

    ``"probe"`` is unbiased for any encoder at the price of one more encoder pass: E |J v|² over v ~ N(0, I) is |J|²;
    ``"exact"`` takes one pass per code value.

    Examples
    --------
    >>> from narrows.params import as_part
    >>> as_part("penalty", "contractive:0.1,exact")
    Contractive(weight=0.1, method='exact')
    """

    weight: float = param(1e-3, "nats per unit of squared Jacobian norm", ge=0)
    method: Literal["probe", "exact"] = param("probe", "one random direction, or every code value")

    def __call__(self, model: "Model", step: "Step") -> Tensor:
        """Return ``weight * |dh/dx|²`` of every row, h the encoder's own output."""
        if self.method == "exact":
            return self.weight * self._exact(model, step)
        probe = torch.randn_like(step.x)
        _, along = torch.func.jvp(lambda x: model.features(x, step.cond), (step.x,), (probe,))
        return self.weight * along.flatten(1).square().sum(1)

    @staticmethod
    def _exact(model: "Model", step: "Step") -> Tensor:
        with torch.enable_grad():
            x = step.x.detach().requires_grad_()
            h = model.features(x, step.cond).flatten(1)
            total = x.new_zeros(len(x))
            for column in h.unbind(1):
                (row,) = torch.autograd.grad(column.sum(), x, create_graph=True)
                total = total + row.flatten(1).square().sum(1)
        return total
