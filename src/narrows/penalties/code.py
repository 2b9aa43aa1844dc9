"""Penalties on the code: few units active, or no two that say the same."""

import math
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from narrows.errors import InputError, Sentence, Setting
from narrows.params import param
from narrows.parts import part
from narrows.penalties.base import Penalty

if TYPE_CHECKING:
    from narrows.model import Model, Step

__all__ = ["L1", "KLSparsity", "Orthogonal"]

_FLAT = 1e-6  # a unit that deviates less, beside its mean, is constant: it correlates with nothing


def shares(step: "Step") -> Tensor:
    """Return what every sample of the codes of a batch adds to a mean over them, (n,): shares that add up to 1."""
    z = step.code.z
    weight = z.new_ones(len(z)) if step.row_weight is None else step.row_weight
    weights = weight.to(torch.promote_types(z.dtype, torch.float32)).repeat_interleave(z[0, 0].numel())
    return weights / weights.sum()


def as_samples(z: Tensor) -> Tensor:
    """Return codes (B, C, *spatial) with every position as a row of its own, (n, C), in single precision at least."""
    return z.movedim(1, -1).flatten(0, -2).to(torch.promote_types(z.dtype, torch.float32))


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


@part("kl_sparsity")
class KLSparsity(Penalty):
    """KL(Bernoulli(target) || Bernoulli(mean activation)), summed over the code's units (Ng 2011; Lee et al. 2008).

    The mean runs over the batch, and over the positions of a map; every row is charged the same. A code outside [0, 1]
    is an ``InputError``.

    Examples
    --------
    >>> from narrows.parts import as_part
    >>> as_part("penalty", "kl_sparsity:3,0.01")
    KLSparsity(weight=3.0, target=0.01)
    """

    weight: float = param(1.0, "nats per nat of divergence", ge=0)
    target: float = param(0.05, "share of the rows for which a unit is active", gt=0, lt=1)

    def __call__(self, model: "Model", step: "Step") -> Tensor:
        """Return ``weight * sum KL`` over the units, the same for every row."""
        z = step.code.z
        if bool(((z < 0) | (z > 1)).any()):
            raise InputError(
                f"kl_sparsity reads a code as activity between 0 and 1, and this one runs from {z.min().item():.3g} to "
                f"{z.max().item():.3g}",
                "codes in [0, 1]",
                Sentence(Setting("network", "dense:code=sigmoid"), ", or ", Setting("penalties", "l1:1e-3")),
            )
        mean = shares(step) @ as_samples(z)
        tiny = torch.finfo(mean.dtype).eps
        mean = mean.clamp(tiny, 1 - tiny)
        on, off = self.target, 1 - self.target
        kl = on * (math.log(on) - mean.log()) + off * (math.log(off) - torch.log1p(-mean))
        return (self.weight * kl.sum()).expand(len(z))


@part("orthogonal")
class Orthogonal(Penalty):
    """The squared Frobenius distance from the identity of W Wᵀ, or of the correlations between the code's units.

    W is the encoder's last weight matrix, one row per unit, filters flattened: orthonormal directions. Of a network
    with a linear path beside its layers (``dense:bypass``) it is the matrix of that path. Correlations are
    those of the batch, the positions of a map counting as rows: units that say different things. Every row is charged
    the same.

    Examples
    --------
    >>> from narrows.parts import as_part
    >>> as_part("penalty", "orthogonal:0.1,codes")
    Orthogonal(weight=0.1, of='codes')
    """

    weight: float = param(1.0, "nats per unit of squared distance", ge=0)
    of: Literal["weights", "codes"] = param("weights", "the encoder's last matrix, or the codes of the batch")

    def __call__(self, model: "Model", step: "Step") -> Tensor:
        """Return ``weight * |W Wᵀ - I|²``, or ``weight * |correlation - I|²``, the same for every row."""
        z, weights = step.code.z, self.of == "weights"
        distance = off_identity(last_matrix(model)) if weights else correlations(as_samples(z), shares(step))
        return (self.weight * distance).expand(len(z))


def last_matrix(model: "Model") -> Tensor:
    """Return the encoder's last weight matrix, (units, inputs). Raises ``InputError`` where it has none."""
    weights = [getattr(module, "weight", None) for module in model.encoder.modules()]
    matrices = [weight for weight in weights if isinstance(weight, Tensor) and weight.ndim >= 2]
    if not matrices:
        raise InputError(
            "The encoder has no weight matrix", "encoders with one", Setting("penalties", "orthogonal:of=codes")
        )
    return matrices[-1].flatten(1)


def off_identity(matrix: Tensor) -> Tensor:
    """Return |M Mᵀ - I|².

    Examples
    --------
    >>> off_identity(torch.tensor([[2.0, 0.0], [1.0, 1.0]])).item()  # (4 - 1)² + 2² + 2² + (2 - 1)²
    18.0
    """
    return (matrix @ matrix.T - torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device)).square().sum()


def correlations(rows: Tensor, shares: Tensor) -> Tensor:
    """Return the sum of the squared correlations between different columns of ``rows`` (n, units).

    ``shares`` (n,) add up to 1: what every row adds to a mean.

    Examples
    --------
    >>> rows = torch.tensor([[0.0, 1.0, 5.0], [1.0, 3.0, 5.0]])
    >>> round(correlations(rows, torch.tensor([0.5, 0.5])).item(), 4)  # 1, twice; a constant has none
    2.0
    """
    mean = shares @ rows
    centred = (rows - mean) * shares.sqrt()[:, None]
    length = centred.norm(dim=0)
    alive = length > _FLAT * (1 + mean.abs())
    unit = centred * (alive / torch.where(alive, length, 1))
    products: Tensor = unit.T @ unit
    return products.fill_diagonal_(0).square().sum()
