"""Features that are never at work are brought back."""

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from narrows.errors import InputError
from narrows.params import param
from narrows.parts import part
from narrows.penalties.base import Penalty

if TYPE_CHECKING:
    from narrows.model import Model, Step

__all__ = ["AuxK"]


@part("aux_k")
class AuxK(Penalty):
    """What the dead units of a top-k code leave of the residual, had they been at work (Gao et al. 2024, section 2.4).

    With the residual e = target - output, held fixed, and the ``k`` dead units that respond most to the row, it costs
    ``weight / 2 * |e - sum of z_i atom_i|²``. The units are rectified, but the gradient passes the rectifier: a unit
    that is below zero everywhere comes back too. Without dead units it costs nothing.

    Examples
    --------
    >>> from narrows.parts import as_part
    >>> as_part("penalty", "aux_k:0.1")
    AuxK(weight=0.1, k=0, after=200)
    """

    comparable: ClassVar[bool] = False

    weight: float = param(1 / 32, "nats per nat of the residual", ge=0)
    k: int = param(0, "dead units at work per row; 0: half as many as a row has values", ge=0)
    after: int = param(200, "steps without a row that needs it, after which a unit is dead", ge=1)

    def __call__(self, model: "Model", step: "Step") -> Tensor:
        """Return the cost of every row, (B,)."""
        idle = getattr(model.bottleneck, "idle", None)
        if idle is None:
            raise InputError("aux_k came without a top-k code", "a code of k units", "--family sparse")
        dead = torch.nonzero(idle >= self.after).flatten()
        if not len(dead):
            return step.params.new_zeros(len(step.params))
        values = step.target[0].numel()
        h = model.features(step.x, step.cond)
        most, where = h[:, dead].topk(min(self.k or max(1, values // 2), len(dead)), 1, sorted=False)
        z = torch.zeros_like(h).scatter(1, dead[where], most + (most.relu() - most).detach())
        estimate = model.decode(z, (), step.cond) - model.decode(torch.zeros_like(h[:1]), (), _first(step.cond))
        residual = (step.target - model.likelihood.mean(step.params)).detach()
        return 0.5 * self.weight * (residual - estimate).square().flatten(1).sum(1)


def _first(cond: Tensor | None) -> Tensor | None:
    return None if cond is None else torch.zeros_like(cond[:1])
