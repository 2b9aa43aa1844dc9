"""What is wrong with a fitted model, in words, and the numbers behind them."""

import math
from collections.abc import Callable
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from narrows.bottlenecks import Quantizer, Variational
from narrows.bottlenecks.variational import gaussian_kl
from narrows.bottlenecks.vector_quantizer import counted, perplexity
from narrows.data.pairs import Batch, Pairs
from narrows.errors import InputError
from narrows.estimator.inference import run
from narrows.model import Model

__all__ = ["CodebookUse", "LatentUse", "OutputUse", "codebook_use", "diagnose", "latent_use", "output_use"]

Floats = NDArray[np.float64]

_MOST = 10_000  # rows that are looked at
_MIN_VARIANCE = 0.01  # variance of the posterior mean above which a unit is active (Burda et al. 2016)
_MAX_IDLE_SHARE = 0.25  # share of the latent dimensions that may be idle without a word
_MAX_UNUSED_SHARE = 0.5  # share of a codebook that may be unused without a word ...
_MIN_VECTORS_PER_CODE = 2  # ... once so many vectors per code were looked at
_MAX_LOST_SHARE = 0.01  # share of the target's variance that dead outputs may hold without a word
_MAX_RELATIVE_ERROR = 1.1  # squared error above which, as a multiple of the variance, the mean row would do better
_MIN_SPREAD = 1e-5  # outputs whose deviation is a smaller share of their size than this are constant


class LatentUse(NamedTuple):
    """What every value of a code with a posterior carries; flattened, (k,)."""

    variance: Floats  # of the posterior mean over the rows
    kl: Floats  # to the prior, in nats, mean over the rows

    @property
    def active(self) -> NDArray[np.bool_]:
        """The active units: the variance of their posterior mean exceeds 0.01 (Burda et al. 2016, section 5.2)."""
        return self.variance > _MIN_VARIANCE


class CodebookUse(NamedTuple):
    """How much of a codebook the rows use."""

    codes: int  # in the codebook
    used: int  # chosen at least once
    perplexity: float  # how many equally frequent codes would be as varied
    vectors: int  # that were looked at

    @property
    def dead(self) -> int:
        """The codes that no vector chooses."""
        return self.codes - self.used


class OutputUse(NamedTuple):
    """How the decoder's numbers differ between rows."""

    zero: NDArray[np.bool_]  # (values,), those that are zero for every row
    spread: float  # deviation between rows, as a share of their size or of the target's own; 0 when all give the same
    lost: float  # share of the target's variance that is held by values that are zero for every row
    target: float  # variance of the target, summed over its values
    error: float  # squared error of the mean output as a multiple of that; 0 where they are not of one kind


def diagnose(model: Model, pairs: Pairs, where: torch.device | None = None) -> list[str]:
    """Return what is wrong with a fitted model, one sentence each with what to do; nothing when nothing is.

    It speaks of outputs that are zero or constant for all rows (though the targets differ), of rows that come back
    worse than as their mean row, of dead outputs that hold more than 1 per cent of the target's variance, of a
    collapsed posterior (a quarter of the latent dimensions or more is not active), and of a codebook of which less than
    half is used (where two vectors or more came for each code). Of many rows it looks at 10 000, evenly spaced.

    Examples
    --------
    >>> from narrows.bottlenecks import Free
    >>> from narrows.likelihood import Gaussian
    >>> from narrows.networks import Dense, Sizes
    >>> encoder, decoder = Dense((8,), output="relu").build(Sizes((4,), (4,), code_in=2, code_out=2, out=4))
    >>> _ = torch.nn.init.constant_(decoder.layers[-2].bias, -9.0)
    >>> diagnose(Model(encoder, Free(2), decoder, Gaussian()), Pairs(torch.rand(50, 4)))[0].partition(":")[0]
    'The output is zero for every row'
    """
    if len(pairs) > _MOST:
        pairs = pairs.take(np.linspace(0, len(pairs) - 1, _MOST).round().astype(np.int64))
    advice = [_output_advice(output_use(model, pairs, where))]
    if isinstance(model.bottleneck, Variational):
        advice.append(_latent_advice(latent_use(model, pairs, where)))
    if isinstance(model.bottleneck, Quantizer):
        advice.append(_codebook_advice(codebook_use(model, pairs, where)))
    return [text for text in advice if text]


def output_use(model: Model, pairs: Pairs, where: torch.device | None = None) -> OutputUse:
    """Return how the decoder's numbers differ between rows."""
    comparable = not (model.likelihood.labels or model.likelihood.counts)

    def values(model: Model, batch: Batch) -> Tensor:
        code, skips = model.encode(batch.x, batch.cond)
        params = model.decode(code.z, skips, batch.cond)
        target = batch.target.to(params)
        gap = model.likelihood.mean(params) - target if comparable else torch.zeros_like(target)
        return torch.cat([params.flatten(1), target.flatten(1), gap.flatten(1)], 1)

    (mean, gap), (variance, spread_of_gap) = (
        np.split(moment, [-math.prod(pairs.shapes[1])]) for moment in _moments(model, pairs, values, where)
    )
    size = len(mean) - math.prod(pairs.shapes[1])
    zero = (mean[:size] == 0) & (variance[:size] == 0)
    total = np.sum(mean[:size] ** 2 + variance[:size])
    target = variance[size:]
    scale = min(total, target.sum() or total)  # rows far from zero differ by little of their size
    spread = math.sqrt(np.sum(variance[:size]) / scale) if scale else 0.0
    dead = zero if len(zero) == len(target) else np.full(len(target), zero.all())
    lost = float(target[dead].sum() / target.sum()) if target.sum() else 0.0
    error = float(np.sum(gap**2 + spread_of_gap) / target.sum()) if target.sum() else 0.0
    return OutputUse(zero, spread, lost, float(target.sum()), error)


def latent_use(model: Model, pairs: Pairs, where: torch.device | None = None) -> LatentUse:
    """Return what every latent dimension carries; ``InputError`` for a code without a posterior."""
    if not isinstance(model.bottleneck, Variational):
        raise InputError(f"A code of the kind {type(model.bottleneck).__name__} has no posterior", "a variational code")

    def values(model: Model, batch: Batch) -> Tensor:
        code = cast("Variational", model.bottleneck)
        mean, log_var = code.posterior(model.features(batch.x, batch.cond))
        return torch.cat([mean.flatten(1), gaussian_kl(mean, log_var).flatten(1)], 1)

    mean, variance = _moments(model, pairs, values, where)
    size = len(mean) // 2
    return LatentUse(variance[:size], mean[size:])


def codebook_use(model: Model, pairs: Pairs, where: torch.device | None = None) -> CodebookUse:
    """Return how much of the codebook the rows use; ``InputError`` for a code without one."""
    code = model.bottleneck
    if not isinstance(code, Quantizer):
        raise InputError(f"A code of the kind {type(code).__name__} has no indices", "a quantised code")

    def values(model: Model, batch: Batch) -> Tensor:
        h = model.features(batch.x, batch.cond)
        return counted(cast("Quantizer", model.bottleneck).indices(h), code.n_codes)[None]

    counts = run(model, pairs, values, where).sum(0, dtype=np.float64)
    varied = float(perplexity(torch.from_numpy(counts)))
    return CodebookUse(code.n_codes, int(np.count_nonzero(counts)), varied, int(counts.sum()))


def _moments(
    model: Model, pairs: Pairs, values: Callable[[Model, Batch], Tensor], where: torch.device | None
) -> tuple[Floats, Floats]:
    """Return mean and variance over all rows of every value, (D,) each, added up batch by batch (Chan et al. 1979)."""

    def of_batch(model: Model, batch: Batch) -> Tensor:
        rows = values(model, batch).cpu().double()
        mean = rows.mean(0)
        return torch.stack([torch.full_like(mean, len(rows)), mean, (rows - mean).square().sum(0)])[None]

    n, means, squares = run(model, pairs, of_batch, where).transpose(1, 0, 2)
    mean = (n * means).sum(0) / n.sum(0)
    return mean, (squares + n * (means - mean) ** 2).sum(0) / n.sum(0)


def _output_advice(use: OutputUse) -> str:
    if not use.target:
        return ""
    cure = "another output activation (output=sigmoid or identity) or a smaller lr"
    if use.zero.all():
        return f"The output is zero for every row: the relu it comes from has died. Try {cure}."
    if use.spread < _MIN_SPREAD:
        return "Every row gets the same output: nothing passes through the code. Try a smaller lr or start=data."
    if use.lost > _MAX_LOST_SHARE:
        subject = f"{np.count_nonzero(use.zero)} of {len(use.zero)} values"
        return f"{subject} are zero for every row, but hold {use.lost:.0%} of the target's variance. Try {cure}."
    if use.error > _MAX_RELATIVE_ERROR:
        worse = (
            f"Rows come back worse than as their mean row: the squared error is {use.error:.3g} times their variance"
        )
        return f"{worse}. Scale the columns, for example with StandardScaler, train longer, or start from data."
    return ""


def _latent_advice(use: LatentUse) -> str:
    idle = np.count_nonzero(~use.active)
    if idle < _MAX_IDLE_SHARE * len(use.kl):
        return ""
    nats = f"variance of the posterior mean below {_MIN_VARIANCE:g}; together {use.kl[~use.active].sum():.2g} nats"
    if use.active.any():
        finding = f"{idle} of {len(use.kl)} latent dimensions carry nothing ({nats})"
        return f"{finding}. A smaller latent_dim does the same work; beta=ramp:0,1,0.2 or free_bits=0.1 may wake them."
    cure = "likelihood=gaussian:learnt for a fixed scale, a smaller beta, beta=ramp:0,1,0.2 or free_bits=0.1"
    return f"No latent dimension carries anything ({nats}). Try {cure}."


def _codebook_advice(use: CodebookUse) -> str:
    if use.used >= _MAX_UNUSED_SHARE * use.codes or use.vectors < _MIN_VECTORS_PER_CODE * use.codes:
        return ""
    finding = f"{use.dead} of {use.codes} codes are never used (perplexity {use.perplexity:.1f})"
    enough = 1 << max(1, use.used - 1).bit_length()
    return f"{finding}. A smaller codebook does the same work: codes={enough}, or fewer levels."
