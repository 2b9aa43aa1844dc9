"""Values of real columns that have a probability of their own, beside the density of the others."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from narrows import moments
from narrows.base_measure import SAME
from narrows.likelihood.base import uniform

__all__ = ["Atoms"]

_RARE = 0.01  # a share that logits start at, at least


class Atoms(nn.Module):
    """The atoms of some columns: a column is one of them, or a real number with a density.

    Columns with as many atoms go together. ``first`` is the channel of the first logit: a column has one for every
    atom, against 0 for a real number.

    Examples
    --------
    >>> atoms = Atoms({0: (0.0,)}, [1.0], [2.0], first=1)  # 0 is encoded as (0 - 1) / 2
    >>> density, params = torch.full((2, 1), -5.0), torch.zeros(2, 2)
    >>> atoms.log_prob(density, params, torch.tensor([[-0.5], [3.0]])).exp().mul(2).log().flatten().tolist()
    [0.0, -5.0]
    """

    def __init__(
        self, values: Mapping[int, tuple[float, ...]], centre: Sequence[float], scale: Sequence[float], first: int
    ):
        super().__init__()
        self.columns: dict[int, list[int]] = {}  # by the number of their atoms
        self.count = 0
        for size in sorted({len(atoms) for atoms in values.values()}):
            columns = [column for column, atoms in values.items() if len(atoms) == size]
            encoded = [[(atom - centre[c]) / scale[c] for atom in values[c]] for c in columns]
            channels = torch.arange(len(columns) * size).reshape(-1, size) + first + self.count
            self.register_buffer(f"values{size}", torch.tensor(encoded, dtype=torch.float64), persistent=False)
            self.register_buffer(f"channels{size}", channels, persistent=False)
            self.columns[size] = columns
            self.count += channels.numel()

    @property
    def groups(self) -> Iterator[tuple[list[int], Tensor, Tensor]]:
        """Columns with as many atoms, these, encoded, (c, k), and the channels of their logits, (c, k)."""
        for size, columns in self.columns.items():
            yield columns, self.get_buffer(f"values{size}"), self.get_buffer(f"channels{size}")

    def _hit(self, values: Tensor, atoms: Tensor) -> Tensor:
        """Return which atom every value is, (B, c, k): the same number in single precision."""
        near = SAME * atoms.abs().clamp_min(SAME)
        return (values[..., None] - atoms.to(values)).abs() <= near.to(values)

    def _log_shares(self, params: Tensor, channels: Tensor) -> Tensor:
        """Return the logarithms of the probabilities of the atoms and, last, of a real number, (B, c, k + 1)."""
        logits = params[:, channels]
        return torch.cat([logits, logits.new_zeros(*logits.shape[:2], 1)], 2).log_softmax(2)

    def real(self, target: Tensor) -> Tensor:
        """Return 1 where a value is no atom, else 0, in the shape of the target."""
        out = torch.ones_like(target)
        for columns, atoms, _ in self.groups:
            out[:, columns] = (~self._hit(target[:, columns], atoms).any(2)).to(out)
        return out

    def constant_params(self, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the logits of the shares of the atoms, (count,)."""
        logits = [target.new_zeros(0)]
        for columns, atoms, _ in self.groups:
            shares = moments.mean(self._hit(target[:, columns], atoms).to(target), weight)
            rest = (1 - shares.sum(1, keepdim=True)).clamp_min(_RARE)
            logits.append((shares.clamp_min(_RARE) / rest).log().flatten())
        return torch.cat(logits)

    def log_prob(self, density: Tensor, params: Tensor, target: Tensor) -> Tensor:
        """Return log-densities (B, d), in nats, with those of columns with atoms replaced."""
        for columns, atoms, channels in self.groups:
            hit, log_shares = self._hit(target[:, columns], atoms), self._log_shares(params, channels)
            atom = (log_shares[..., :-1] * hit).sum(2)
            density[:, columns] = torch.where(hit.any(2), atom, density[:, columns] + log_shares[..., -1])
        return density

    def mean(self, real: Tensor, params: Tensor) -> Tensor:
        """Return expected values (B, d), given those of real numbers."""
        for columns, atoms, channels in self.groups:
            shares = self._log_shares(params, channels).exp()
            real[:, columns] = (shares[..., :-1] * atoms.to(shares)).sum(2) + shares[..., -1] * real[:, columns]
        return real

    def sample(self, real: Tensor, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return draws (B, d), given those of real numbers; the Gumbel maximum chooses (Gumbel 1954)."""
        for columns, atoms, channels in self.groups:
            logits = self._log_shares(params, channels)
            noise = uniform(logits, generator).clamp_min(torch.finfo(logits.dtype).tiny)
            chosen = (logits - torch.log(-torch.log(noise))).argmax(2, keepdim=True)
            values = torch.cat([atoms.to(logits).expand(len(logits), -1, -1), real[:, columns, None]], 2)
            real[:, columns] = values.gather(2, chosen).squeeze(2)
        return real
