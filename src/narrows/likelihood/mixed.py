"""One likelihood per column of a table."""

from collections.abc import Iterable, Sequence
from typing import Self

import torch
from torch import Tensor

from narrows.errors import InputError
from narrows.likelihood.base import Likelihood, Pricing
from narrows.likelihood.columns import KINDS, MixedColumns
from narrows.params import param
from narrows.parts import part

__all__ = ["Mixed"]


@part("mixed")
class Mixed(Likelihood):
    """The columns of a table, each by its own law, independent given the code; missing values have weight 0.

    A word ``KIND*K`` says what the next K encoded columns are: real numbers (``gaussian``) and whole numbers
    (``rounded``: a Gaussian value rounded), each with a learnt scale of its own; bits (``bernoulli``), counts
    (``poisson``), or the one-hot block of one category (``categorical``). ``shift + scale * encoded`` is the value
    that is priced, so that nats are those of the original values: densities of real numbers, probabilities of others.

    Without words, tasks find them out from the data.

    Examples
    --------
    >>> priced = Mixed(("bernoulli", "categorical*2")).build((3,))
    >>> round(priced.nats(torch.zeros(1, 3), torch.tensor([[1.0, 0.0, 1.0]])).item(), 4)  # log 2 + log 2
    1.3863
    """

    columns: tuple[str, ...] = param((), "KIND*K for the next K columns: gaussian*2/categorical*3/poisson")
    shift: tuple[float, ...] = param((), "what is added to every column, once scaled; none: 0")
    scale: tuple[float, ...] = param((), "what every column is multiplied by; none: 1")

    @classmethod
    def of(cls, measures: Iterable[Sequence[float | str]]) -> Self:
        """Return the likelihood for columns given as (kind, width, shift, scale)."""
        words: list[list[str | int]] = []
        shift: list[float] = []
        scale: list[float] = []
        for kind, width, origin, factor in measures:
            if words and words[-1][0] == kind != "categorical":
                words[-1][1] += int(width)  # type: ignore[operator]
            else:
                words.append([str(kind), int(width)])
            shift += [float(origin)] * int(width)
            scale += [float(factor)] * int(width)
        return cls(tuple(f"{kind}*{width}" for kind, width in words), tuple(shift), tuple(scale))

    def __str__(self) -> str:
        """Return the columns; their units are the data's and would fill a page."""
        return self.name + (f":{'/'.join(self.columns)}" if self.columns else "")

    @property
    def blocks(self) -> tuple[tuple[str, int], ...]:
        """Kind and width of every word."""
        found = []
        for word in self.columns:
            kind, _, width = word.partition("*")
            if kind not in KINDS or (width and not (width.isdigit() and int(width))):
                raise InputError(f"{word!r} is no column of a mixed likelihood", f"KIND*K, KIND: {', '.join(KINDS)}")
            found.append((kind, int(width or 1)))
        return tuple(found)

    @property
    def measures(self) -> list[tuple[str, int, float, float]]:
        """Kind, width, shift and scale of every column, or one-hot block."""
        found: list[tuple[str, int, float, float]] = []
        start = 0
        for kind, width in self.blocks:
            for own in (width,) if kind == "categorical" else (1,) * width:
                shift, scale = (each[start] if each else unit for each, unit in ((self.shift, 0.0), (self.scale, 1.0)))
                found.append((kind, own, shift, scale))
                start += own
        return found

    def build(self, shape: tuple[int, ...]) -> Pricing:
        """Return the module that owns the scales."""
        widths = sum(width for _, width in self.blocks)
        if len(shape) > 1 or widths != shape[0] or not {len(self.shift), len(self.scale)} <= {0, widths}:
            came = f"The likelihood mixed of {widths} columns came for rows of shape {shape}"
            raise InputError(came, "a table, and a word for each of its columns", "likelihood='gaussian:learnt'")
        return MixedColumns(self.blocks, self.shift or (0.0,) * widths, self.scale or (1.0,) * widths)

    def log_prob(self, params: Tensor, target: Tensor) -> Tensor:
        """Return the log-probability of every value, with scales of 1 in encoded units: nothing is learnt yet."""
        return self.build(tuple(target.shape[1:])).log_prob(params, target)

    def mean(self, params: Tensor) -> Tensor:
        """Return the expected row in encoded units."""
        return self.build(tuple(params.shape[1:])).mean(params)

    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return a draw in encoded units, with scales of 1."""
        return self.build(tuple(params.shape[1:])).sample(params, generator)
