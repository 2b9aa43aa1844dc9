"""A code that a critic cannot tell from the prior: the adversarial autoencoder (Makhzani et al. 2015)."""

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn.functional import softplus

from narrows.bottlenecks.base import Bottleneck, Code
from narrows.networks.dense import mlp

__all__ = ["Adversarial"]


class Adversarial(Bottleneck):
    """The code is ``h``; cost = weight * what the encoder pays when a critic tells it from N(0, I) + the critic's loss.

    ``h`` is (B, size, *spatial); the critic reads the vector of every position, and the cost is summed over positions.
    With the critic's logit D it is ``weight * softplus(-D(h))`` through a frozen critic, for the encoder, plus
    ``softplus(-D(prior)) + softplus(D(h))`` on a frozen code, for the critic: the sum has exactly the gradients of the
    two steps of Makhzani et al. 2015 (section 2; the encoder's loss does not saturate: Goodfellow et al. 2014).

    In eval mode a row costs what the critic thinks of it, without the critic's own loss. It is no distance, as it
    depends on how good the critic is.

    Examples
    --------
    >>> bottleneck = Adversarial(2)
    >>> code = bottleneck(torch.randn(5, 2))
    >>> code.z.shape, code.cost.shape
    (torch.Size([5, 2]), torch.Size([5]))
    """

    term = "adversarial"
    comparable = False
    has_prior = True
    samples_in_eval = True

    def __init__(self, size: int, weight: float = 1.0, widths: tuple[int, ...] = (128, 128)):
        super().__init__()
        self.n_in = self.n_out = size
        self.weight = weight
        self.critic = mlp((size, *widths, 1), "leaky_relu", "identity")

    def forward(self, h: Tensor, progress: float = 1.0) -> Code:
        """Return ``h`` and what encoder and critic pay for it."""
        vectors = h.movedim(1, -1).to(torch.promote_types(h.dtype, torch.float32))
        frozen = {name: weight.detach() for name, weight in self.critic.named_parameters()}
        with torch.autocast(h.device.type, enabled=False):
            judged = functional_call(self.critic, frozen, (vectors,))
            cost = self.weight * softplus(-judged)
            if not self.training:
                return Code(h, cost.flatten(1).sum(1))
            real, fake = self.critic(torch.stack([torch.randn_like(vectors), vectors.detach()]))
            cost = cost + softplus(-real) + softplus(fake)
        return Code(h, cost.flatten(1).sum(1))

    def sample(self, shape: tuple[int, ...], generator: torch.Generator | None = None) -> Tensor:
        """Return codes drawn from N(0, I)."""
        return torch.randn(shape, generator=generator)
