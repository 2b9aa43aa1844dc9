"""The one funnel that every fit goes through: seed, split, model, training, and what the estimator keeps of it."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from safetensors.torch import load_file
from torch import Tensor

from narrows.base_measure import Measure
from narrows.data.disk.memory import require_memory
from narrows.data.disk.stored import LARGEST, DiskArray
from narrows.data.pairs import Pairs, at_once
from narrows.data.scale import Scale, top
from narrows.errors import InputError, Sentence, Setting
from narrows.estimator.family import Family
from narrows.estimator.problem import Problem
from narrows.holdout import VALIDATION
from narrows.likelihood import Likelihood, LikelihoodModule
from narrows.model import Model, sketch
from narrows.networks.initialize import sample_size
from narrows.params import OF_TASK
from narrows.parts import Part, as_part
from narrows.training.checkpoint import Checkpoint
from narrows.training.deadline import seconds_left
from narrows.training.fit import Job, Outcome, Settings, Watch, fit
from narrows.training.flops import multiply_adds
from narrows.training.loop import train
from narrows.training.progress import listeners
from narrows.training.random import draw_seed, fork_rng
from narrows.training.runtime import Runtime

__all__ = [
    "LEARNT",
    "FitResult",
    "fit_model",
    "learn",
    "refuse_broken",
    "refuse_copies",
    "refuse_huge",
    "refuse_large",
    "refuse_other_measures",
    "refuse_outside",
    "split",
]

LEARNT = 1e10  # a gradient is error times weight times input, each of this size, and summed over columns
_COPIES = 5  # tensors that training keeps of each weight
_VALUES_AT_ONCE = 1 << 20  # values that are looked at in one go


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
        elif isinstance(column, DiskArray):
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
    position = int(values.abs().argmax())
    place = np.unravel_index(position, tuple(values.shape))
    where = f", in row {place[0]}, column {', '.join(map(str, place[1:]))}" if values.ndim > 1 else ""
    came = f"A value of {float(values.flatten()[position]):.3g} came{where}"
    raise InputError(came, f"values below {largest:.2g}", "divide the column by a constant, or standardise it")


def refuse_copies(estimator: Family, model: Model, pairs: Pairs) -> None:
    """Refuse a network with skips where input and target are the same: it would copy, and learn nothing."""
    network = estimator.chosen_network(pairs.shapes[0])
    if network.skips and pairs.columns[1] is None and model.corruption is None:
        raise InputError(
            f"{network.name} hands the input on to the decoder: to reconstruct its own input it would only copy",
            "targets that are not the input, or a corruption",
            Sentence(Setting("corruption", "gaussian:0.1"), ", or ", Setting("network", "conv")),
        )


def refuse_large(estimator: Family, problem: Problem) -> None:
    """Refuse a model whose training does not fit into the memory of this machine, before any of it is built.

    Training keeps every weight five times: itself, its gradient, two moments of Adam, and the best so far.
    """
    outline = sketch(lambda: estimator.build(problem))
    if outline is not None:
        weights = sum(weight.numel() for weight in outline.parameters())
        came = f"{type(estimator).__name__} would have {weights:,} weights for rows of shape {problem.shape}"
        require_memory(_COPIES * 4 * weights, came, f"a smaller latent_dim than {estimator.latent_dim}, or network")


def refuse_outside(likelihood: Likelihood, pairs: Pairs) -> None:
    """Refuse targets that a likelihood has no probability for; what is drawn anew in every batch is not looked at."""
    if pairs.transform is not None or likelihood.support == (-math.inf, math.inf):
        return
    for values in targets(pairs):
        wrong = likelihood.impossible(values)
        if wrong.any():
            examples = ", ".join(f"{value:.4g}" for value in np.unique(values[wrong].numpy())[:5].tolist())
            came = f"Targets like {examples} came for the likelihood {str(likelihood)!r}"
            hint = (
                "labels counted from 0"
                if likelihood.labels
                else Sentence("rescaled targets, or ", Setting("likelihood", "gaussian"))
            )
            raise InputError(came, likelihood.accepted, hint)


def refuse_other_measures(likelihood: Likelihood, measures: Sequence[Measure], rows: np.ndarray) -> None:
    """Refuse a likelihood whose density of encoded rows (n, d) is not one of the measures of their columns.

    A density of whole numbers has no bound, and one of real numbers cannot be compared with their probability.
    """
    bases = [measure.base for measure in measures for _ in range(measure.width)]
    pairs = list(zip(likelihood.bases(len(bases)), bases, rows.T, strict=True))
    wrong = [(ours, base) for ours, base, values in pairs if ours is None or not ours.prices(base, values)]
    if wrong:
        ours, kinds = wrong[0][0], " and ".join(sorted({base.values for _, base in wrong}))
        gives = "no probability of a row by itself" if ours is None else ours.density
        came = (
            f"The likelihood {likelihood.short!r} gives {gives}, and {len(wrong)} of {len(bases)} columns hold {kinds}"
        )
        raise InputError(came, "a likelihood of what every column holds, as mixed", Setting("likelihood", "mixed"))


def targets(pairs: Pairs) -> Iterator[Tensor]:
    """Yield the targets as a likelihood reads them, piece by piece."""
    column = pairs.columns[0] if pairs.columns[1] is None else pairs.columns[1]
    grey = not sp.issparse(column) and not pairs.labels
    if isinstance(column, DiskArray):
        parts = (torch.as_tensor(column[rows]) for rows in column.blocks())
    else:
        whole = torch.as_tensor(column.data) if sp.issparse(column) else column
        parts = iter(whole.split(max(1, _VALUES_AT_ONCE // math.prod(whole.shape[1:]))))
    for values in parts:
        most = top(values) if grey else 1
        values = values.to(torch.int32) if values.dtype == torch.uint16 else values
        yield values if most == 1 else values / most


_FREE_SETTINGS = {
    "checkpoint",
    "tensorboard",
    "verbose",
    "device",
    "minutes",
    "random_state",
    "warm_start",
}  # may change when a fit goes on


class FitResult(NamedTuple):
    """What a fit leaves, which the estimator keeps."""

    model: Model  # in eval mode
    shapes: tuple[Any, ...]  # of input, target and condition
    likelihood: Likelihood
    seed: int
    outcome: Outcome
    scale: Scale  # of the inputs
    n_code: int  # numbers in the code of a row


def fit_model(
    own: Family,
    pairs: Pairs,
    likelihood: str | Likelihood | None,
    valid: Pairs | None = None,
    watch: Watch | None = None,
) -> FitResult:
    """Return what a fit to ``pairs`` with the settings of an estimator leaves; the estimator stays as it is."""
    runtime = Runtime(own.device, own.devices, own.precision, own.threads, own.compile)
    runtime.join()
    spec: Likelihood = as_part("likelihood", likelihood or own.likelihood)
    checkpoint = Checkpoint(own.checkpoint, signature(own, pairs, valid, spec, runtime)) if own.checkpoint else None
    saved = runtime.first(checkpoint.load) if checkpoint else None
    seed = runtime.first(lambda: draw_seed(own.random_state))
    seed = saved["seed"] if saved else seed  # an unseeded fit goes on with the seed that it drew
    largest = LEARNT if own.trains else LARGEST
    refuse_broken(pairs, largest)
    if valid is not None:
        refuse_broken(valid, largest)
    pairs = single(pairs)
    priced = spec.build(pairs.shapes[1])
    pairs = pairs.read_by(priced)
    refuse_outside(spec, pairs)
    kept, held = split(pairs, 0 if own.epochs == 0 else own.validation, seed)
    if valid is not None:
        kept, held = pairs, single(valid).as_scored().read_by(priced)
    model = fresh(own, kept, priced, seed, start=saved is None)
    kept, held = kept.balanced(), held and held.balanced()
    refuse_copies(own, model, pairs)
    scale = input_scale(model, pairs, seed)
    with fork_rng(seed):
        first = kept.as_scored().batch(slice(0, 1))
    runtime = runtime.resolve(multiply_adds(model, first) * 3 * min(own.batch_size, len(kept)))
    outcome = fit(Job(model, kept, held, Settings.of(own), seed, runtime, checkpoint, saved, watch))
    model = model.eval()
    with torch.no_grad():
        n_code = own.encode_batch(model, first).shape[1]
    return FitResult(model, pairs.shapes, spec, seed, outcome, scale, n_code)


def input_scale(model: Model, pairs: Pairs, seed: int) -> Scale:
    """Return the scale of the inputs, and how far the model's corruption takes some; one that cuts needs 0 to 1."""
    scale = pairs.input_scale
    if model.corruption is None:
        return scale
    if getattr(model.corruption, "cuts", False):
        scale.require_unit()
    with fork_rng(seed), torch.no_grad():
        return scale.noised(model.corruption(pairs.as_scored().batch(slice(0, at_once(*pairs.shapes[:2]))).x))


def learn(estimator: Family, model: Model, pairs: Pairs, epochs: int) -> None:
    """Train a further model of an estimator in place, with the estimator's own settings and without early stopping."""
    work = multiply_adds(model, pairs.batch(slice(0, 1))) * 3 * min(estimator.batch_size, len(pairs))
    runtime = Runtime(estimator.device, 1, estimator.precision, estimator.threads).resolve(work)
    progress = listeners(estimator.verbose and epochs > 0, None, epochs, 0)
    options, seed = Settings.of(estimator).options(), int(torch.randint(2**31, ()))
    with runtime.limits():
        for epoch in train(model, pairs, epochs=epochs, seed=seed, runtime=runtime, **options):
            for listener in progress:
                listener.epoch({**vars(epoch), "epoch": epoch.number})
            if seconds_left() < epoch.seconds:
                break
    for listener in progress:
        listener.close()
    model.to("cpu")


def split(pairs: Pairs, share: float, seed: int) -> tuple[Pairs, Pairs | None]:
    """Return the rows to learn from, and those held out for early stopping and best weights."""
    parts = replace(VALIDATION, share=share).rows(len(pairs), seed)
    if parts.split.learnt:
        return pairs, None
    return pairs.take(parts.learn), pairs.take(parts.measure).as_scored()


def fresh(estimator: Family, kept: Pairs, priced: LikelihoodModule, seed: int, *, start: bool) -> Model:
    """Return the model to train: with the last fit's weights when asked to go on, else started from the data."""
    with fork_rng(seed):
        paired = kept.columns[1] is not None
        problem = estimator.problem(kept.shapes, priced)._replace(paired=paired)
        refuse_large(estimator, problem)
        model = estimator.build(problem)
        last = estimator.model_.state_dict() if estimator.warm_start and hasattr(estimator, "model_") else {}
        if estimator.weights is not None:
            model.load_state_dict(saved_weights(estimator.weights, model.state_dict()))
        elif last and shapes(last) == shapes(model.state_dict()):
            model.load_state_dict(last)
        elif start:
            n_rows = sample_size(kept.shapes[0])
            batch = next(kept.balanced().batches(n_rows, torch.Generator().manual_seed(seed)))
            priced.start(batch.target, batch.row_weight)
            estimator.prepare(model, kept)
    return model


def saved_weights(folder: "str | Path", like: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights that a fitted model left in ``folder``; those of another model are refused."""
    path = Path(folder) / "model.safetensors"
    if not path.exists():
        raise InputError(f"{folder} holds no {path.name}", "a folder that `narrows fit` or .save() wrote")
    weights = {name: value for name, value in load_file(path).items() if not name.startswith(OF_TASK)}
    ours, theirs = shapes(like), shapes(weights)
    odd = sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))
    if odd:
        came = f"The weights in {folder} are those of another model: {len(odd)} of {len(ours)} differ, first {odd[0]!r}"
        raise InputError(came, "the same columns, family, network and latent_dim", "leave out what changes the model")
    return weights


def shapes(weights: dict[str, Tensor]) -> dict[str, torch.Size]:
    """Return the shape of every tensor."""
    return {name: value.shape for name, value in weights.items()}


def signature(
    estimator: Family, pairs: Pairs, valid: Pairs | None, likelihood: Likelihood, runtime: Runtime
) -> dict[str, str]:
    """Return what must be the same for a fit to go on: the data and every setting that changes the numbers."""
    texts = settings(estimator) | {"likelihood": setting_text(likelihood), "devices": str(runtime.processes)}
    data = pairs.fingerprint() + (valid.fingerprint() if valid is not None else "")
    return {"family": type(estimator).name, **texts, "the data": data}


def settings(estimator: Any) -> dict[str, str]:
    """Return the fields of an estimator that change the numbers, as texts."""
    texts = {
        spec.name: setting_text(getattr(estimator, spec.name))
        for spec in fields(estimator)
        if spec.name not in _FREE_SETTINGS
    }
    if estimator.random_state is not None and not hasattr(estimator.random_state, "randint"):
        texts["random_state"] = str(estimator.random_state)
    return texts


def setting_text(value: Any) -> str:
    """Return a setting as a text that is the same in another process."""
    if isinstance(value, (tuple, list)):
        return f"({', '.join(map(setting_text, value))})"
    if isinstance(value, Callable) and not isinstance(value, Part):  # type: ignore[arg-type]
        return f"{getattr(value, '__module__', '')}:{getattr(value, '__qualname__', type(value).__qualname__)}"
    return repr(value)


def single(pairs: Pairs) -> Pairs:
    """Return the pairs as training reads them: in float32, but for weights of rows, which may be of any size."""
    columns = [
        c.float() if isinstance(c, Tensor) and c.dtype == torch.float64 and c is not pairs.row_weight else c
        for c in pairs.columns
    ]
    single = pairs.of(columns)
    single.dtype = torch.float32
    return single
