"""Which codes go together: an autoregressive prior over their entries (van den Oord et al. 2017, section 3.3)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["CodePrior"]

_REACH = 3  # how much further each layer looks back than the one before it


class CodePrior(nn.Module):
    """p(entries) = prod_i p(entry_i | entries before it), by causal dilated convolutions over the entries in a row.

    ``n_codes`` entries at ``length`` places; there are as many layers as it takes to look back over all of them
    (WaveNet, van den Oord et al. 2016).

    Examples
    --------
    >>> prior = CodePrior(5, 4, width=8)
    >>> prior(torch.zeros(2, 4, dtype=torch.long)).shape, prior.sample(3).shape
    (torch.Size([2, 4, 5]), torch.Size([3, 4]))
    """

    def __init__(self, n_codes: int, length: int, width: int = 128):
        super().__init__()
        self.n_codes, self.length = n_codes, length
        self.entries = nn.Embedding(n_codes + 1, width)  # the last stands for the beginning
        self.places = nn.Parameter(torch.zeros(width, length))
        steps, reach = [1], 3
        while reach < length:
            steps.append(steps[-1] * _REACH)
            reach += 2 * steps[-1]
        self.steps = steps
        self.layers = nn.ModuleList(nn.Conv1d(width, width, 3, dilation=step) for step in steps)
        self.mixes = nn.ModuleList(nn.Conv1d(width, width, 1) for _ in steps)
        self.head = nn.Conv1d(width, n_codes, 1)

    def forward(self, indices: Tensor) -> Tensor:
        """Return the logits of every entry (B, length, n_codes), each from the entries before it, (B, length)."""
        first = torch.full_like(indices[:, :1], self.n_codes)
        h = self.entries(torch.cat([first, indices[:, :-1]], 1)).movedim(2, 1) + self.places
        for layer, mix, step in zip(self.layers, self.mixes, self.steps, strict=True):
            h = h + mix(F.silu(layer(F.pad(h, (2 * step, 0)))))
        logits: Tensor = self.head(F.silu(h)).movedim(1, 2)
        return logits

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Return entries drawn one after the other, (n, length)."""
        indices = torch.zeros(n, self.length, dtype=torch.long, device=self.places.device)
        for place in range(self.length):
            shares = self(indices)[:, place].softmax(1).cpu()
            indices[:, place] = torch.multinomial(shares, 1, generator=generator)[:, 0].to(indices.device)
        return indices


class PriorEncoder(nn.Module):
    """A prior as an encoder, so that the one training loop can train it: entries to logits, (B, length * n_codes)."""

    def __init__(self, prior: CodePrior):
        super().__init__()
        self.prior = prior

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the logits as the code."""
        return (self.prior(x.long()).flatten(1),)


class Through(nn.Module):
    """A decoder that gives the code itself."""

    def forward(self, z: Tensor, skips: tuple[Tensor, ...] = ()) -> Tensor:
        """Return ``z``."""
        return z
