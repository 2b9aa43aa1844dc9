"""The penalty on how far the code, or the reconstruction, moves when the input does."""

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from narrows.params import param
from narrows.parts import part
from narrows.penalties.base import Penalty

if TYPE_CHECKING:
    from narrows.model import Model, Step

__all__ = ["Contractive"]


@part("contractive")
class Contractive(Penalty):
    """The squared Frobenius norm of the encoder's Jacobian (Rifai et al. 2011, equation 7), or of the reconstruction's.

    ``"probe"`` is unbiased for any encoder at the price of one more pass forth and back: E |u J|² over u ~ N(0, I) is
    |J|². ``"exact"`` takes one pass back per value. ``"noise"`` is the stochastic contractive autoencoder: finite
    perturbations, |h(x + std e) - h(x)|² / std² with a fresh e ~ N(0, I), are mapped to the same place; as std goes to
    0 its mean goes to |J|².

    A code can shrink while the decoder's weights grow, so that nothing is gained; ``of="reconstruction"`` contracts the
    expected target instead (Alain & Bengio 2014), the bottleneck without its noise.

    Examples
    --------
    >>> from narrows.parts import as_part
    >>> as_part("penalty", "contractive:0.1,noise,std=0.2")
    Contractive(weight=0.1, method='noise', std=0.2, of='code')
    """

    weight: float = param(1e-3, "nats per unit of squared Jacobian norm", ge=0)
    method: Literal["probe", "exact", "noise"] = param(
        "probe", "one random mixture of the values, every one of them, or a finite step of the input"
    )
    std: float = param(0.1, "deviation of the finite step, in units of the data", gt=0)
    of: Literal["code", "reconstruction"] = param("code", "what may not move: the encoder's output or the decoder's")

    def __call__(self, model: "Model", step: "Step") -> Tensor:
        """Return ``weight * |dh/dx|²`` of every row, h the encoder's own output or the expected target."""
        return self.weight * (self._step(model, step) if self.method == "noise" else self._slope(model, step))

    def _step(self, model: "Model", step: "Step") -> Tensor:
        moved = self._values(model, step.x + self.std * torch.randn_like(step.x), step.cond)
        return ((moved - self._values(model, step.x, step.cond)) / self.std).square().sum(1)

    def _slope(self, model: "Model", step: "Step") -> Tensor:
        with torch.enable_grad():
            x = step.x.detach().requires_grad_()
            h = self._values(model, x, step.cond)
            values = h.unbind(1) if self.method == "exact" else [(h * torch.randn_like(h)).sum(1)]
            slopes = [torch.autograd.grad(value.sum(), x, create_graph=True)[0].flatten(1) for value in values]
            return torch.stack([slope.square().sum(1) for slope in slopes]).sum(0)

    def _values(self, model: "Model", x: Tensor, cond: Tensor | None) -> Tensor:
        """Return what may not move, as rows."""
        if self.of == "code":
            return model.features(x, cond).flatten(1)
        training = model.bottleneck.training
        model.bottleneck.eval()  # two draws of a random code would differ, however close the inputs
        try:
            return model.reconstruct(x, cond).flatten(1)
        finally:
            model.bottleneck.train(training)
