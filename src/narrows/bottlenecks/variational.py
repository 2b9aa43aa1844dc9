"""Variational bottleneck (Kingma & Welling 2014); beta of Higgins et al. 2017; free bits of Kingma et al. 2016."""

import torch
from torch import Tensor

from narrows.bottlenecks.base import Bottleneck, Code
from narrows.schedule import Schedule, at

__all__ = ["Variational", "gaussian_kl"]


def gaussian_kl(mean: Tensor, log_var: Tensor) -> Tensor:
    """Return KL(N(mean, exp(log_var)) || N(0, 1)) of every value, in nats (Kingma & Welling 2014, appendix B).

    Examples
    --------
    >>> gaussian_kl(torch.tensor([1.0]), torch.tensor([0.0])).item()
    0.5
    """
    return 0.5 * (mean.square() + torch.expm1(log_var) - log_var)


class Variational(Bottleneck):
    """q(z|x) = N(mean, exp(log_var)); cost = beta * KL(q || N(0, I)); in eval mode z is the posterior mean.

    ``free_bits`` nats of every latent dimension, averaged over the batch, are free while training; at ``progress`` 1,
    where a validation loss is taken, all of them count, so that it is the evidence lower bound.

    Examples
    --------
    >>> code = Variational(2).eval()(torch.tensor([[1.0, 0.0, 0.0, 0.0]]))
    >>> code.z.tolist(), code.cost.item()
    ([[1.0, 0.0]], 0.5)
    """

    term = "kl"
    has_prior = True
    samples_in_eval = True

    def __init__(self, size: int, beta: float | Schedule = 1.0, free_bits: float = 0.0):
        super().__init__()
        self.n_in, self.n_out = 2 * size, size
        self.beta, self.free_bits = beta, free_bits

    def posterior(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of q(z|x), (B, n_out, *spatial) each, never in half precision."""
        mean, log_var = h.to(torch.promote_types(h.dtype, torch.float32)).chunk(2, 1)
        return mean, log_var.clamp(-30, 20)

    def forward(self, h: Tensor, progress: float = 1.0) -> Code:
        """Return a draw from the posterior in training mode and its mean in eval mode."""
        with torch.autocast(h.device.type, enabled=False):
            mean, log_var = self.posterior(h)
            kl = gaussian_kl(mean, log_var)
            if self.training and self.free_bits and progress < 1:
                # sum_j max(free_bits, mean_j), the mean over the batch: Kingma et al. 2016, equation 15, row by row.
                kl = torch.where(kl.detach().mean(0) < self.free_bits, self.free_bits, kl)
            z = mean + torch.randn_like(mean) * torch.exp(0.5 * log_var) if self.training else mean
            return Code(z, at(self.beta, progress) * kl.flatten(1).sum(1))

    def sample(self, shape: tuple[int, ...], generator: torch.Generator | None = None) -> Tensor:
        """Return codes drawn from N(0, I)."""
        return torch.randn(shape, generator=generator)
