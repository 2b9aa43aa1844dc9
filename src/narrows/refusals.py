"""What a fit refuses before training: pairs that are broken, that would be copied, or have no probability."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from narrows.base_measure import Measure
from narrows.data.memory import require_memory
from narrows.data.pairs import Pairs
from narrows.data.scale import top
from narrows.data.stream import LARGEST, Stored
from narrows.errors import InputError
from narrows.likelihood import Likelihood
from narrows.model import Model
from narrows.problem import Problem, sketch

if TYPE_CHECKING:
    from narrows.estimator import Estimator

__all__ = [
    "LEARNT",
    "refuse_broken",
    "refuse_copies",
    "refuse_huge",
    "refuse_large",
    "refuse_other_measures",
    "refuse_outside",
]

LEARNT = 1e10  # a gradient is error times weight times input, each of this size, and summed over columns
_KEPT = 5  # tensors that training keeps of each weight
_PIECE = 1 << 20  # values that are looked at in one go


def refuse_broken(pairs: Pairs, largest: float = LARGEST) -> None:
    """Refuse pairs without rows, rows without values, and values that are not finite, or above the largest."""
    for shape in pairs.shapes[:2]:
        if not len(pairs) or not math.prod(shape) or not shape:
            raise InputError(f"{len(pairs)} rows of shape {shape} came", "rows, with features on axis 1", "(n, d)")
    for column in pairs.columns[:2]:
        if isinstance(column, Tensor) and column.is_floating_point():
            ends = torch.stack(column.aminmax())  # NaN comes through, and nothing of the column's size is made
            if not bool(torch.isfinite(ends).all()):
                raise InputError("NaN or infinite values came", "finite inputs and targets", "fill the gaps first")
            refuse_huge(column, largest)
        elif sp.issparse(column) and column.dtype.kind == "f":
            refuse_huge(torch.as_tensor(column.data), largest)
        elif isinstance(column, Stored):
            refuse_huge(torch.tensor(column.limits()), largest)


def refuse_huge(values: Tensor, largest: float = LARGEST) -> None:
    """Refuse values above the largest that single precision has, or that can be learnt from; their place is named.

    Examples
    --------
    >>> refuse_huge(torch.tensor([[1.0, 1e300]], dtype=torch.float64))
    Traceback (most recent call last):
    narrows.errors.InputError: A value of 1e+300 came, in row 0, column 1. Accepted: values below 3.4e+38. Try: ...
    """
    if not values.numel() or max(abs(float(end)) for end in values.aminmax()) <= largest:
        return
    at = int(values.abs().argmax())
    place = np.unravel_index(at, tuple(values.shape))
    where = f", in row {place[0]}, column {', '.join(map(str, place[1:]))}" if values.ndim > 1 else ""
    came = f"A value of {float(values.flatten()[at]):.3g} came{where}"
    raise InputError(came, f"values below {largest:.2g}", "divide the column by a constant, or standardise it")


def refuse_copies(estimator: "Estimator", model: Model, pairs: Pairs) -> None:
    """Refuse a network with skips where input and target are the same: it would copy, and learn nothing."""
    network = estimator.chosen_network(pairs.shapes[0])
    if network.skips and pairs.columns[1] is None and model.corruption is None:
        raise InputError(
            f"{network.name} hands the input on to the decoder: to reconstruct its own input it would only copy",
            "targets that are not the input, or a corruption",
            "corruption='gaussian:0.1', or network='conv'",
        )


def refuse_large(estimator: "Estimator", problem: Problem) -> None:
    """Refuse a model whose training does not fit into the memory of this machine, before any of it is built.

    Training keeps every weight five times: itself, its gradient, two moments of Adam, and the best so far.
    """
    outline = sketch(estimator.build, problem)
    if outline is not None:
        weights = sum(weight.numel() for weight in outline.parameters())
        came = f"{type(estimator).__name__} would have {weights:,} weights for rows of shape {problem.shape}"
        require_memory(_KEPT * 4 * weights, came, f"a smaller latent_dim than {estimator.latent_dim}, or network")


def refuse_outside(likelihood: Likelihood, pairs: Pairs) -> None:
    """Refuse targets that a likelihood has no probability for; what is drawn anew in every batch is not looked at."""
    if pairs.transform is not None or likelihood.support == (-math.inf, math.inf):
        return
    for values in targets(pairs):
        wrong = likelihood.impossible(values)
        if wrong.any():
            some = ", ".join(f"{value:.4g}" for value in np.unique(values[wrong].numpy())[:5].tolist())
            came = f"Targets like {some} came for the likelihood {str(likelihood)!r}"
            hint = "labels counted from 0" if likelihood.labels else "rescaled targets, or likelihood='gaussian'"
            raise InputError(came, likelihood.accepted, hint)


def refuse_other_measures(likelihood: Likelihood, measures: Sequence[Measure], rows: np.ndarray) -> None:
    """Refuse a likelihood whose density of encoded rows (n, d) is not one of the measures of their columns.

    A density of whole numbers has no bound, and one of real numbers cannot be compared with their probability.
    """
    theirs = [measure.base for measure in measures for _ in range(measure.width)]
    pairs = list(zip(likelihood.bases(len(theirs)), theirs, rows.T, strict=True))
    wrong = [(ours, base) for ours, base, values in pairs if ours is None or not ours.prices(base, values)]
    if wrong:
        ours, held = wrong[0][0], " and ".join(sorted({base.values for _, base in wrong}))
        gives = "no probability of a row by itself" if ours is None else ours.density
        came = (
            f"The likelihood {likelihood.short!r} gives {gives}, and {len(wrong)} of {len(theirs)} columns hold {held}"
        )
        raise InputError(came, "a likelihood of what every column holds, as mixed", "likelihood='mixed'")


def targets(pairs: Pairs) -> Iterator[Tensor]:
    """Yield the targets as a likelihood reads them, piece by piece."""
    column = pairs.columns[0] if pairs.columns[1] is None else pairs.columns[1]
    grey = not sp.issparse(column) and not pairs.labels
    if isinstance(column, Stored):
        parts = (torch.as_tensor(column[rows]) for rows in column.blocks())
    else:
        whole = torch.as_tensor(column.data) if sp.issparse(column) else column
        parts = iter(whole.split(max(1, _PIECE // math.prod(whole.shape[1:]))))
    for values in parts:
        most = top(values) if grey else 1
        values = values.to(torch.int32) if values.dtype == torch.uint16 else values
        yield values if most == 1 else values / most
