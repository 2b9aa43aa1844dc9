"""The k largest activations (Makhzani & Frey 2013; Gao et al. 2024)."""

import torch
from torch import Tensor

from narrows.bottlenecks.base import Bottleneck, Code, Length
from narrows.errors import InputError, Sentence, Setting

__all__ = ["TopK"]


class TopK(Bottleneck):
    """Keeps the ``k`` largest positive numbers of every vector of channels; the others become zero. It costs nothing.

    ``h`` is (B, size, *spatial). Only what is kept has a gradient (Makhzani & Frey 2013, section 2, with the rectifier
    of Gao et al. 2024). Raises ``InputError`` unless ``k`` is from 1 to ``size``.

    Examples
    --------
    >>> TopK(4, k=2)(torch.tensor([[3.0, -5.0, 1.0, 2.0]])).z.tolist()
    [[3.0, 0.0, 0.0, 2.0]]
    """

    def __init__(self, size: int, k: int):
        super().__init__()
        if not 1 <= k <= size:
            came = Sentence(Setting("k", k), f" of {size} numbers cannot be kept")
            raise InputError(came, f"1 to {size}", Setting("k", max(1, size // 8)))
        self.n_in = self.n_out = size
        self.k = k
        self.idle: Tensor
        self.register_buffer("idle", torch.zeros(size, dtype=torch.int32))  # steps since a unit was last at work

    def length(self, places: int) -> Length:
        """Return what it takes to write down a code of so many positions: k numbers, and at which units they are."""
        return Length(2 * self.k * places, self.k * places * (32 + (self.n_out - 1).bit_length()))

    def forward(self, h: Tensor, progress: float = 1.0) -> Code:
        """Return the largest numbers at their places."""
        kept, where = h.relu().topk(self.k, 1, sorted=False)
        z = torch.zeros_like(h).scatter(1, where, kept)
        if self.training:
            active = (z.detach() > 0).movedim(1, -1).flatten(0, -2).any(0)
            self.idle.add_(1).masked_fill_(active, 0)
        return Code(z, h.new_zeros(h.shape[0]))
