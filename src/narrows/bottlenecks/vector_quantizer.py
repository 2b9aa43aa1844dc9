"""Vector quantisation (van den Oord et al. 2017) with a codebook of moving averages (its appendix A.1)."""

import math
from typing import Any

import torch
from torch import Tensor, distributed

from narrows.bottlenecks.base import Code
from narrows.bottlenecks.quantizer import Quantizer
from narrows.errors import InputError

__all__ = ["VectorQuantizer", "counted", "nearest", "perplexity", "spread", "to_channels", "to_vectors"]

_AT_ONCE = 1 << 22  # distances that are held at a time
_DEAD_USAGE_SHARE = 0.3  # a code with less than this share of the average usage is dead
_EPS = 1e-5  # Laplace smoothing of the usage
_ROUNDS = 16  # in which a codebook is drawn ...
_MAX_VECTORS_PER_CODE = 16  # ... from at most so many vectors for each code


class VectorQuantizer(Quantizer):
    """Every vector becomes the nearest of ``codes`` vectors; cost = commitment * |h - code|² of the row.

    At every position the ``size`` channels of ``h`` (B, size, *spatial) are ``groups`` vectors, with one codebook for
    all. The gradient goes straight through. The squared distance is summed over the row, like the reconstruction (van
    den Oord et al. 2017, equation 3): up to a constant these are the nats of ``h`` under a Gaussian around its code, of
    variance 1 / (2 commitment).

    The codebook has no gradient. It starts from the vectors of the first batch in training mode; then every code
    follows the mean of the vectors that choose it (appendix A.1; Razavi et al. 2019), and a code that hardly any vector
    chooses moves to a random vector of the batch.

    Without a learnt prior every code is drawn by its usage, independently of the others: that is crude, as it knows
    nothing of how they go together.

    Raises ``InputError`` when ``size`` does not split into ``groups``.

    Examples
    --------
    >>> quantizer = VectorQuantizer(2, codes=4)
    >>> code = quantizer(torch.tensor([[0.0, 0.0], [0.0, 8.0], [8.0, 0.0], [8.0, 8.0]]))  # starts the codebook
    >>> h = torch.tensor([[7.0, 1.0]])
    >>> code = quantizer.eval()(h)
    >>> [round(number, 3) for number in code.z[0].tolist()], round(code.cost.item(), 3)
    ([8.0, 0.0], 0.5)
    >>> bool((quantizer.lookup(quantizer.indices(h)) == code.z).all())
    True
    """

    term = "commitment"
    codebook: Tensor
    sizes: Tensor
    sums: Tensor
    started: Tensor

    def __init__(self, size: int, codes: int = 512, groups: int = 1, commitment: float = 0.25, decay: float = 0.99):
        super().__init__()
        if size % groups:
            came = f"Codes of {size} numbers do not split into {groups} groups"
            raise InputError(came, "a size that is a multiple of groups", f"size={math.ceil(size / groups) * groups}")
        self.n_in = self.n_out = size
        self.n_codes, self.groups, self.commitment, self.decay = codes, groups, commitment, decay
        self.register_buffer("codebook", torch.randn(codes, size // groups))
        self.register_buffer("sizes", torch.ones(codes))  # moving averages of how many vectors chose a code ...
        self.register_buffer("sums", self.codebook.clone())  # ... and of their sum
        self.register_buffer("started", torch.tensor(False))
        self._fresh = True  # not started: known without waiting for the device
        self._weight: Tensor | None = None  # of the rows of the next batch

    def indices(self, h: Tensor) -> Tensor:
        """Return the codes nearest to ``h`` as numbers, (B, groups, *spatial)."""
        return nearest(self._vectors(h), self.codebook).view(h.shape[0], self.groups, *h.shape[2:])

    def lookup(self, indices: Tensor) -> Tensor:
        """Return the vectors of codes (B, groups, *spatial) as (B, size, *spatial)."""
        return to_channels(self.codebook[indices])

    def forward(self, h: Tensor, progress: float = 1.0) -> Code:
        """Return the nearest codes; in training mode the codebook learns."""
        vectors = self._vectors(h)
        if self.training and self._fresh:
            self._start(vectors)
        chosen = nearest(vectors, self.codebook)
        z = self.lookup(chosen.view(h.shape[0], self.groups, *h.shape[2:]))
        cost = self.commitment * (h - z).square().flatten(1).sum(1)
        if self.training:
            weight = vectors.new_ones(len(h)) if self._weight is None else self._weight.to(vectors.dtype)
            self._learn(vectors, chosen, weight.repeat_interleave(len(vectors) // len(h)))
        return Code(z + (h - h.detach()), cost)  # z to the last bit, which h + (z - h) is not

    def weigh(self, weight: Tensor | None) -> None:
        """Be told how often every row (B,) of the next batch counts: the codebook follows the weighted means."""
        self._weight = weight

    def independent(self, shape: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
        """Return entries drawn by their usage."""
        drawn = torch.multinomial(self.sizes.cpu(), math.prod(shape), replacement=True, generator=generator)
        return drawn.view(shape)

    def _vectors(self, h: Tensor) -> Tensor:
        return to_vectors(h.detach(), self.groups).to(self.codebook.dtype).flatten(0, -2)

    @torch.no_grad()
    def _start(self, vectors: Tensor) -> None:
        self.codebook.copy_(spread(vectors, len(self.codebook)))
        if _together():
            distributed.broadcast(self.codebook, 0)
        self.sums.copy_(self.codebook)
        self.sizes.fill_(1)
        self.started.fill_(True)
        self._fresh = False

    @torch.no_grad()
    def _learn(self, vectors: Tensor, chosen: Tensor, times: Tensor) -> None:
        """Move the averages and the codebook one step, vectors counting so many times; revive dead codes."""
        counts = torch.zeros_like(self.sizes).index_add_(0, chosen, times)
        sums = torch.zeros_like(self.sums).index_add_(0, chosen, vectors * times.unsqueeze(1))
        if _together():
            distributed.all_reduce(counts)
            distributed.all_reduce(sums)
        self.sizes.lerp_(counts, 1 - self.decay)
        self.sums.lerp_(sums, 1 - self.decay)
        average = self.sizes.mean()
        dead = self.sizes < _DEAD_USAGE_SHARE * average
        others = vectors[torch.randint(len(vectors), self.sizes.shape, device=vectors.device)]
        self.sums.copy_(torch.where(dead.unsqueeze(1), average * others, self.sums))
        self.sizes.copy_(torch.where(dead, average, self.sizes))
        total = self.sizes.sum()
        smooth = (self.sizes + _EPS) / (total + len(self.sizes) * _EPS) * total
        self.codebook.copy_(self.sums / smooth.unsqueeze(1))

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._fresh = not bool(self.started)


def to_vectors(h: Tensor, groups: int) -> Tensor:
    """Return the channels of every position as vectors: (B, groups * d, *spatial) becomes (B, groups, *spatial, d)."""
    return h.reshape(h.shape[0], groups, -1, *h.shape[2:]).movedim(2, -1)


def to_channels(vectors: Tensor) -> Tensor:
    """Undo ``to_vectors``."""
    return vectors.movedim(-1, 2).flatten(1, 2)


def nearest(vectors: Tensor, codebook: Tensor) -> Tensor:
    """Return which row of ``codebook`` (K, d) is nearest to each of ``vectors`` (N, d), never in half precision.

    Examples
    --------
    >>> nearest(torch.tensor([[0.9], [-3.0]]), torch.tensor([[0.0], [1.0]])).tolist()
    [1, 0]
    """
    centre = codebook.mean(0)  # distances stay; products of numbers far from zero would lose digits
    vectors, codebook = vectors - centre, codebook - centre
    squares = codebook.square().sum(1)
    whole = torch.compiler.is_compiling()  # one piece for any number of rows
    parts = (vectors,) if whole else torch.split(vectors, max(1, _AT_ONCE // len(codebook)))
    with torch.autocast("cpu" if vectors.is_meta else vectors.device.type, enabled=False):  # meta knows none
        indices = [torch.addmm(squares, part, codebook.T, alpha=-2).min(1).indices for part in parts]
    return torch.cat(indices)


def spread(vectors: Tensor, n: int) -> Tensor:
    """Return ``n`` of the ``vectors`` (N, d), drawn by their squared distance to those drawn before.

    Several are drawn at a time, as in k-means|| (Bahmani et al. 2012). Where there are fewer than ``n``, they come more
    than once, a little displaced.
    """
    vectors = vectors[torch.randperm(len(vectors), device=vectors.device)[: _MAX_VECTORS_PER_CODE * n]]
    chosen = new = vectors[:1]
    gaps = torch.full_like(vectors[:, 0], math.inf)
    at_once = min(math.ceil(n / _ROUNDS), len(vectors))
    while len(chosen) < n:
        exact = torch.cdist(vectors, new, compute_mode="donot_use_mm_for_euclid_dist")  # zero for what is drawn
        gaps = torch.minimum(gaps, exact.square().amin(1))
        chances = gaps.clamp_min(1e-30) / torch.empty_like(gaps).exponential_()
        new = vectors[chances.topk(min(at_once, n - len(chosen))).indices]
        chosen = torch.cat([chosen, new])
    few = len(vectors) < n
    return chosen + 0.01 * vectors.std(correction=0) * torch.randn_like(chosen) if few else chosen


def counted(indices: Tensor, n: int) -> Tensor:
    """Return how often each of the numbers 0 to n - 1 occurs, as float32 (n,).

    Examples
    --------
    >>> counted(torch.tensor([[0, 2], [2, 2]]), 4).tolist()
    [1.0, 0.0, 3.0, 0.0]
    """
    ones = torch.ones((), device=indices.device).expand(indices.numel())
    return torch.zeros(n, device=indices.device).index_add_(0, indices.flatten(), ones)


def perplexity(counts: Tensor) -> Tensor:
    """Return the exponential of the entropy of the shares: how many equally frequent codes would be as varied.

    Examples
    --------
    >>> perplexity(torch.tensor([5.0, 0.0, 5.0])).item()
    2.0
    """
    entropy: Tensor = torch.special.entr(counts / counts.sum()).sum()
    return entropy.exp()


def _together() -> bool:
    return distributed.is_available() and distributed.is_initialized()
