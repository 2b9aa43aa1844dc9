"""A row as a sequence of levels: each column from those before it."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from narrows.errors import InputError, Setting
from narrows.networks.base import Network, Sizes
from narrows.params import param
from narrows.parts import part

__all__ = ["Autoregressive", "LevelDecoder", "LevelEncoder"]

_WIDTHS = (2.0, 8.0, 32.0)  # levels of a number that share what they learn: close ones much, farther ones less
_OWN = 0.5  # share of its own that a level of a number has beside that
_RARE = 0.1  # rows that a level has at the start, beside those of the sample
_FIRST = 0.3  # deviation of the first embeddings


@part("autoregressive")
class Autoregressive(Network):
    """Probabilities of the level of every column, given the levels of the columns before it.

    Rows are (1, d): whole numbers, the level of each of d columns. The code of a column is made of the sum of what is
    embedded of the columns before it (Larochelle & Murray 2011, "The neural autoregressive distribution estimator"),
    and passes ``depth`` layers of the column's own: no number reaches the column that it came from (as in Germain et
    al. 2015, "MADE"). Levels that are in order share what they learn with their neighbours.

    Examples
    --------
    >>> spec = Autoregressive(levels=(2, 3))
    >>> encoder, decoder = spec.build(Sizes((1, 2), (1, 2), code_in=8, code_out=8, out=3))
    >>> logits = decoder(*encoder(torch.tensor([[[1.0, 2.0]]])))
    >>> logits.shape, logits[0, :, 0].softmax(0)[2].item()  # the first column has no third level
    (torch.Size([1, 3, 2]), 0.0)
    """

    levels: tuple[int, ...] = param((), "levels of every column; none: all that the likelihood has", ge=1)
    ordered: tuple[int, ...] = param((), "of these, the first so many are in order; none: no order", ge=0)
    depth: int = param(1, "layers of every column", ge=0)
    dropout: float = param(0.1, "share of the hidden values that are dropped in training", ge=0, lt=1)

    def build(self, sizes: Sizes) -> tuple[nn.Module, nn.Module]:
        """Return the two sides.

        Raises ``InputError`` where rows are no levels in a sequence, or more of them than the likelihood has.
        """
        if len(sizes.shape) != 2 or sizes.shape[0] != 1 or sizes.target != sizes.shape or sizes.n_cond:
            came = f"Rows of shape {sizes.shape}" + " and a condition" * bool(sizes.n_cond) + " came for levels"
            raise InputError(came, "the levels of columns, (1, d)", Setting("network", "dense"))
        d = sizes.shape[1]
        levels, ordered = self.levels or (sizes.out,) * d, self.ordered or (0,) * d
        if {len(levels), len(ordered)} != {d} or max(levels) > sizes.out:
            came = f"At most {max(levels)} levels of {len(levels)} columns, {len(ordered)} in order, came"
            raise InputError(came, f"{d} columns of at most {sizes.out} levels")
        encoder = LevelEncoder(LevelTable(levels, ordered, sizes.code_in, _FIRST), sizes.code_in)
        table = LevelTable(levels, ordered, sizes.code_out, 0.0)
        return encoder, LevelDecoder(table, levels, sizes.code_out, self.depth, self.dropout)

    def start(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        x: Tensor,
        constant_params: Tensor | None,
        weight: Tensor | None = None,
    ) -> None:
        """Start at the shares of the levels, of which a rare one has a little more."""
        bias = decoder.get_parameter("bias")
        with torch.no_grad():
            for column, levels in enumerate(x[:, 0].T):
                counts = torch.bincount(levels.long(), weight, minlength=bias.shape[1])
                bias[column] = ((counts + _RARE) / counts.sum()).log()


class LevelTable(nn.Module):
    """A vector for every level of every column, (d, levels, width); those in order are smooth in their place.

    To a vector of its own each adds bumps over neighbouring levels, of three widths.
    """

    bumps: Tensor
    own: Tensor

    def __init__(self, levels: tuple[int, ...], ordered: tuple[int, ...], width: int, deviation: float):
        super().__init__()
        d, size, most = len(levels), max(levels), max(ordered)
        bumps = torch.stack([_bumps(count, most, size) for count in ordered])
        self.register_buffer("bumps", bumps, persistent=False)
        own = torch.where(torch.arange(size) < torch.tensor(ordered)[:, None], _OWN, 1.0)
        self.register_buffer("own", own[..., None], persistent=False)
        self.vectors = nn.Parameter(deviation * torch.randn(d, size, width))
        self.heights = nn.Parameter(deviation * torch.randn(d, bumps.shape[2], width))

    def forward(self, columns: slice = slice(None)) -> Tensor:
        """Return the vectors of some columns."""
        own = self.own[columns] * self.vectors[columns]
        return torch.baddbmm(own, self.bumps[columns], self.heights[columns])


def _bumps(count: int, most: int, size: int) -> Tensor:
    """Return bumps over the first ``count`` of ``size`` levels, as many bumps as ``most`` levels ask for."""
    columns = []
    for width in _WIDTHS:
        centres = torch.arange(0.0, most + width / 2, width)
        gaps = torch.arange(float(size))[:, None] - centres
        there = (torch.arange(size) < count)[:, None] & (centres < count + width / 2)
        bump = torch.exp(-0.5 * (gaps / width).square()) * there
        norm = bump[:count].square().sum(1).sqrt().mean() if count else 1.0
        columns.append(bump / norm / math.sqrt(len(_WIDTHS)))
    return torch.cat(columns, 1)


class LevelEncoder(nn.Module):
    """Reads levels (B, 1, d) and gives the code of every column, (B, code, d): of the columns before it."""

    scale: Tensor

    def __init__(self, table: LevelTable, code: int):
        super().__init__()
        d = len(table.vectors)
        self.table = table
        self.register_buffer("scale", torch.arange(1.0, d + 1).rsqrt(), persistent=False)
        self.bias = nn.Parameter(torch.zeros(d, code))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the codes as the only map."""
        table = self.table()
        d, size, code = table.shape
        index = x[:, 0].long() + size * torch.arange(d, device=x.device)
        embedded = F.embedding(index[:, :-1], table.reshape(-1, code))
        before = F.pad(embedded.cumsum(1), (0, 0, 1, 0))
        return (F.silu(before * self.scale[:, None] + self.bias).transpose(1, 2),)

    def embedded(self, level: Tensor, column: int) -> Tensor:
        """Return what levels (B,) of one column add to the sum, (B, code)."""
        return F.embedding(level, self.table(slice(column, column + 1))[0])

    def code(self, before: Tensor, column: int) -> Tensor:
        """Return the code (B, code) of a column from the sum over those before it, (B, code)."""
        return F.silu(before * self.scale[column] + self.bias[column])


class LevelDecoder(nn.Module):
    """Gives logits (B, size, d) for codes (B, code, d); a level that a column has not got has no probability."""

    barred: Tensor

    def __init__(self, table: LevelTable, levels: tuple[int, ...], code: int, depth: int, dropout: float):
        super().__init__()
        d, size, _ = table.vectors.shape
        self.table, self.dropout = table, nn.Dropout(dropout)
        barred = torch.arange(size) >= torch.tensor(levels)[:, None]
        self.register_buffer("barred", torch.where(barred, -math.inf, 0.0), persistent=False)
        self.hidden = nn.ParameterList(nn.Parameter(torch.randn(d, code, code) / math.sqrt(code)) for _ in range(depth))
        self.shift = nn.ParameterList(nn.Parameter(torch.zeros(d, 1, code)) for _ in range(depth))
        self.bias = nn.Parameter(torch.zeros(d, size))

    def forward(self, z: Tensor, skips: tuple[Tensor, ...] = ()) -> Tensor:
        """Return the logits."""
        return self._logits(z.permute(2, 0, 1), slice(None)).permute(1, 2, 0)

    def logits(self, code: Tensor, column: int) -> Tensor:
        """Return the logits (B, size) of one column from its codes (B, code)."""
        return self._logits(code[None], slice(column, column + 1))[0]

    def _logits(self, h: Tensor, columns: slice) -> Tensor:
        """Return logits (d, B, size) of codes (d, B, code)."""
        for weight, shift in zip(self.hidden, self.shift, strict=True):
            h = h + F.silu(torch.baddbmm(shift[columns], self.dropout(h), weight[columns]))
        constant = self.bias[columns] + self.barred[columns]
        return torch.baddbmm(constant[:, None], self.dropout(h), self.table(columns).transpose(1, 2))
