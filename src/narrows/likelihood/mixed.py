"""One likelihood per column of a table."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import starmap
from typing import Any, Literal, Self

from narrows.base_measure import BaseMeasure, Measure
from narrows.errors import InputError, Setting
from narrows.likelihood.base import BuiltLikelihood, LikelihoodModule
from narrows.likelihood.mixed_columns import KINDS, MixedColumns
from narrows.params import param
from narrows.parts import part

__all__ = ["Mixed"]


@part("mixed")
class Mixed(BuiltLikelihood):
    """The columns of a table, each by its own law, independent given the code; missing values have weight 0.

    A word ``KIND*K`` says what the next K encoded columns are: real numbers (``gaussian``) and whole numbers
    (``rounded``: a Gaussian value rounded), bits (``bernoulli``), counts (``poisson``, or ``negative-binomial`` where
    they vary more), or the one-hot block of one category (``categorical``). ``gaussian@A`` is a real number that is A
    with a probability of its own, as the zeros of an amount, ``gaussian@A@B`` one with two such values. The scale of a
    number, and how counts are dispersed, are predicted by the decoder, or learnt for the column.
    ``shift + scale * encoded`` is the value that is priced, so that nats are those of the original values: densities of
    real numbers, probabilities of all others.

    Without words, tasks find them out from the data.

    Examples
    --------
    >>> import torch
    >>> priced = Mixed(("bernoulli", "categorical*2")).build((3,))
    >>> round(priced.nll(torch.zeros(1, 3), torch.tensor([[1.0, 0.0, 1.0]])).item(), 4)  # log 2 + log 2
    1.3863
    """

    columns: tuple[str, ...] = param((), "KIND*K for the next K columns: gaussian*2/categorical*3/poisson")
    shift: tuple[float, ...] = param((), "what is added to every column, once scaled; none: 0")
    scale: tuple[float, ...] = param((), "what every column is multiplied by; none: 1")
    spread: Literal["learnt", "predicted"] = param(
        "predicted", "scales of numbers: of every value, or learnt, of a column"
    )

    @classmethod
    def of(cls, measures: Iterable[Sequence[Any]]) -> Self:
        """Return the likelihood for columns of these measures."""
        words: list[list[str | int]] = []
        shift: list[float] = []
        scale: list[float] = []
        for measure in starmap(Measure, measures):
            kind = "@".join([measure.kind, *map(repr, measure.atoms)])
            if words and words[-1][0] == kind != "categorical" and not measure.atoms:
                words[-1][1] += measure.width  # type: ignore[operator]
            else:
                words.append([kind, measure.width])
            shift += [float(measure.centre)] * measure.width
            scale += [float(measure.scale)] * measure.width
        return cls(tuple(f"{kind}*{width}" for kind, width in words), tuple(shift), tuple(scale))

    def for_columns(self, measures: Iterable[Sequence[Any]]) -> Self:
        """Return the likelihood for these columns, where it has none yet."""
        return self if self.columns else replace(self.of(measures), spread=self.spread)

    @property
    def short(self) -> str:
        """The columns; their units are the data's and would fill a page."""
        return self.name + (f":{'/'.join(self.columns)}" if self.columns else "")

    @property
    def measures(self) -> list[Measure]:
        """The measure of every column, or one-hot block."""
        measures: list[Measure] = []
        start = 0
        for kind, width, atoms in map(_parsed, self.columns):
            for size in (width,) if kind == "categorical" else (1,) * width:
                shift, scale = (
                    values[start] if values else unit for values, unit in ((self.shift, 0.0), (self.scale, 1.0))
                )
                measures.append(Measure(kind, size, shift, scale, atoms))
                start += size
        return measures

    def bases(self, n: int) -> list[BaseMeasure | None]:
        """Return what the densities of ``n`` encoded columns are densities of."""
        return [measure.base for measure in self.measures for _ in range(measure.width)]

    def build(self, shape: tuple[int, ...]) -> LikelihoodModule:
        """Return the module that owns the scales. Raises ``InputError`` for rows of another shape."""
        widths = sum(width for _, width, _ in map(_parsed, self.columns))
        if len(shape) > 1 or widths != shape[0] or not {len(self.shift), len(self.scale)} <= {0, widths}:
            came = f"The likelihood mixed of {widths} columns came for rows of shape {shape}"
            raise InputError(
                came, "a table, and a word for each of its columns", Setting("likelihood", "gaussian:learnt")
            )
        return MixedColumns(self.measures, self.spread == "predicted")


def _parsed(word: str) -> tuple[str, int, tuple[float, ...]]:
    """Return kind, width and atoms of a word.

    Examples
    --------
    >>> _parsed("gaussian*2"), _parsed("gaussian@0.0@99.5*1")
    (('gaussian', 2, ()), ('gaussian', 1, (0.0, 99.5)))
    """
    what, _, width = word.partition("*")
    kind, *atoms = what.split("@")
    try:
        values = tuple(map(float, atoms))
    except ValueError:
        kind = ""
    if kind not in KINDS or (width and not (width.isdigit() and int(width))) or (atoms and kind != "gaussian"):
        accepted = f"KIND*K, KIND: {', '.join(KINDS)}; gaussian@A for a number that recurs"
        raise InputError(f"{word!r} is no column of a mixed likelihood", accepted)
    return kind, int(width or 1), values
