"""Finite scalar quantisation (Mentzer et al. 2023)."""

import math

import torch
from torch import Tensor

from narrows.bottlenecks.base import Code
from narrows.bottlenecks.quantizer import Quantizer
from narrows.bottlenecks.vector_quantizer import to_channels, to_vectors
from narrows.errors import InputError, Sentence, Setting

__all__ = ["FSQ"]

_MAX_VECTORS = 1 << 20  # different vectors: their usage is counted


class FSQ(Quantizer):
    """Every number of the code takes one of a few values, evenly spaced from -1 to 1; it costs nothing.

    At every position the channels of ``h`` (B, n_in, *spatial) are ``groups`` vectors of ``len(levels)`` numbers;
    ``levels`` says how many values each of these takes, so there are ``prod(levels)`` different vectors. A number is
    bounded by tanh and rounded, with the gradient of tanh (Mentzer et al. 2023, section 3.1). An even number of values
    lies around zero without zero itself: half a level beside the paper's, where a shift inside tanh makes up for that,
    as the encoder's last bias does here. Without a learnt prior it is uniform.

    Raises ``InputError`` for fewer than 2 levels, and for more than 2^20 different vectors: use groups instead.

    Examples
    --------
    >>> fsq = FSQ((3, 2))
    >>> h = torch.tensor([[0.2, 0.2], [-9.0, -0.1]])
    >>> fsq(h).z.tolist(), fsq.indices(h).tolist()
    ([[0.0, 1.0], [-1.0, -1.0]], [[4], [0]])
    >>> fsq.lookup(torch.tensor([[4]])).tolist()
    [[0.0, 1.0]]
    """

    middle: Tensor
    strides: Tensor

    def __init__(self, levels: tuple[int, ...] = (8, 5, 5, 5), groups: int = 1):
        super().__init__()
        if not levels or min(levels) < 2 or math.prod(levels) > _MAX_VECTORS:
            accepted = f"2 or more values for every number, at most {_MAX_VECTORS:,} different vectors"
            raise InputError(
                Setting("levels", levels), accepted, Sentence(Setting("levels", (8, 5, 5, 5)), " and more groups")
            )
        self.levels, self.groups, self.n_codes = tuple(levels), groups, math.prod(levels)
        self.n_in = self.n_out = len(levels) * groups
        strides = [math.prod(levels[:place]) for place in range(len(levels))]
        self.register_buffer("middle", (torch.tensor(levels) - 1) / 2, persistent=False)
        self.register_buffer("strides", torch.tensor(strides), persistent=False)

    def indices(self, h: Tensor) -> Tensor:
        """Return every vector of ``h`` as one number from 0 to prod(levels) - 1, (B, groups, *spatial)."""
        return self._numbers(self._places(self._bounded(h)))

    def lookup(self, indices: Tensor) -> Tensor:
        """Return the vectors of numbers (B, groups, *spatial) as (B, n_out, *spatial)."""
        places = indices.unsqueeze(-1) // self.strides % self.strides.new_tensor(self.levels)
        return to_channels(places / self.middle - 1)

    def forward(self, h: Tensor, progress: float = 1.0) -> Code:
        """Return ``h`` rounded, the same in both modes."""
        bounded = self._bounded(h)
        places = self._places(bounded)
        z = places / self.middle - 1 + (bounded - bounded.detach())
        return Code(to_channels(z), z.new_zeros(h.shape[0]))

    def independent(self, shape: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
        """Return entries drawn uniformly."""
        return torch.randint(self.n_codes, shape, generator=generator)

    def _bounded(self, h: Tensor) -> Tensor:
        return torch.tanh(to_vectors(h, self.groups).to(self.middle.dtype))

    def _places(self, bounded: Tensor) -> Tensor:
        """Return the place of every number among its levels, counted from 0."""
        return torch.round((bounded.detach() + 1) * self.middle)

    def _numbers(self, places: Tensor) -> Tensor:
        return (places.long() * self.strides).sum(-1)
