"""How many numbers a code needs: a sweep over its length on a sample of the rows, and a choice with its reason."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.base import clone

from narrows.baselines import PCABaseline
from narrows.bottlenecks import Variational
from narrows.estimator.base import Estimator
from narrows.estimator.diagnostics import latent_use
from narrows.estimator.inputs import checked_rows, unit
from narrows.holdout import CODE_SIZES
from narrows.training.deadline import part_of_time
from narrows.training.flops import multiply_adds

__all__ = ["CodeSize", "active_units", "sweep"]

_ROWS = 5000  # that are looked at, a fifth of them to measure on
_CODE_SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
_MIN_GAIN = 0.005  # of the variance: two longer codes that gain less than this end the sweep
_ENOUGH_SHARE = 0.95  # of what the best code explains, which the chosen one must explain
_STEP_LIMITS = (60, 2000)  # that one trial takes, fewer where a step is long ...
_MIN_TRIAL_STEPS = 300  # that one trial takes also where the user asked for fewer epochs, if its work allows it
_MAX_PRODUCTS = 1e11  # ... so that it stays below so many multiply-adds
_TRIAL_SHARE = 0.1  # of what is left of a time budget, for every trial
_ACTIVE_SHARE = 0.01  # of the mean variance of a code's numbers, above which a number is active


class CodeSize(NamedTuple):
    """What a sweep found; lists have one value per length, ascending."""

    chosen: int
    reason: str
    sizes: list[int]
    errors: list[float]  # mean squared error on the rows that were put aside
    pca: list[float]  # that of PCA with as many numbers
    active: list[int]  # numbers of the code that vary
    spread: float  # the error of the mean row

    @property
    def explained(self) -> list[float]:
        """The share of the variance that each length explains."""
        return [1 - error / self.spread if self.spread else 0.0 for error in self.errors]


def sweep(model: Estimator, X: Any, weight: np.ndarray | None = None) -> CodeSize:
    """Return how many numbers a code needs for rows ``X``: the fewest that explain 95 % of what the best length does.

    Rows count as often as ``weight`` (n,) says.

    Lengths grow until two in a row gain less than 0.5 % of the variance; then some between the last that is too short
    and the first that is not are tried, up to an eighth of the length.

    Examples
    --------
    >>> from narrows.families.linear import LinearAutoEncoder
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 5)) @ rng.normal(size=(5, 20)) + 0.01 * rng.normal(size=(400, 20))
    >>> sweep(LinearAutoEncoder(), X).chosen
    5
    """
    rows = checked_rows(clone(model), X, reset=True)
    order = np.random.default_rng(0).permutation(rows.shape[0] if weight is None else np.flatnonzero(weight))[:_ROWS]
    few = CODE_SIZES.count(len(order))
    parts = np.sort(order[few:]), np.sort(order[:few] if few else order)
    learn, held = (rows[part if weight is None else as_often(part, weight)] for part in parts)
    trial = clone(model).set_params(
        minutes=None, checkpoint=None, tensorboard=None, verbose=False, warm_start=False, random_state=0
    )
    trial.set_params(epochs=_epochs(trial, learn))
    train, truth = (unit(part) for part in (learn, held))
    outcomes: dict[int, tuple[float, int]] = {}
    spread = _mse(truth, train.mean(0))

    def explains(size: int) -> float:
        if size not in outcomes:
            with part_of_time(_TRIAL_SHARE):
                fitted = clone(trial).set_params(latent_dim=size).fit(learn)
            outcomes[size] = _mse(truth, fitted.reconstruct(held).reshape(truth.shape)), active_units(fitted, held)
        return 1 - outcomes[size][0] / spread if spread else 0.0

    chosen, best = _search(explains, math.prod(rows.shape[1:]))
    sizes = sorted(outcomes)
    pca = _pca_errors(train, truth, sizes)
    reason = _reason(chosen, explains(chosen), best, explains(best), len(order))
    return CodeSize(
        chosen, reason, sizes, [outcomes[k][0] for k in sizes], pca, [outcomes[k][1] for k in sizes], spread
    )


def as_often(index: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return as many of the rows ``index`` as came, each about as often as it weighs (systematic resampling).

    Examples
    --------
    >>> as_often(np.array([0, 1, 3]), np.array([1.0, 1.0, 9.0, 4.0])).tolist()
    [0, 3, 3]
    """
    total = np.cumsum(weight[index])
    chosen: np.ndarray = index[np.searchsorted(total, (np.arange(len(index)) + 0.5) / len(index) * total[-1])]
    return chosen


def active_units(fitted: Estimator, X: Any) -> int:
    """Return how many numbers of the code carry something on rows ``X``.

    With a posterior: the variance of its mean exceeds 0.01 (Burda et al. 2016). Otherwise: the variance exceeds 1 % of
    the mean variance of the code's numbers.
    """
    if isinstance(fitted.model_.bottleneck, Variational):
        pairs = fitted.pairs_of(X, None, fitted.shapes_[0])
        return int(np.count_nonzero(latent_use(fitted.model_, pairs).active))
    variance = np.asarray(fitted.transform(X)).var(0)
    return int(np.count_nonzero(variance > _ACTIVE_SHARE * variance.mean()))


def _search(explains: Callable[[int], float], values: int) -> tuple[int, int]:
    """Return the fewest numbers that are enough, and the best length of the sweep."""
    lengths: list[int] = []
    for size in [size for size in _CODE_SIZES if size < values] or [1]:
        lengths.append(size)
        if len(lengths) > 2 and explains(size) - explains(lengths[-3]) < _MIN_GAIN:
            break
    best = max(lengths, key=explains)
    if explains(best) <= 0:
        return lengths[0], best
    enough = next(size for size in lengths if explains(size) >= _ENOUGH_SHARE * explains(best))
    short = max((size for size in lengths if size < enough), default=0)
    while enough - short > max(1, enough // 8):
        middle = (short + enough) // 2
        short, enough = (short, middle) if explains(middle) >= _ENOUGH_SHARE * explains(best) else (middle, enough)
    return enough, best


def _epochs(model: Estimator, rows: Any) -> int:
    """Return the epochs of one trial: as many as its work allows, or the estimator's own if these are not too few.

    After too few steps the curve shows how fast codes are learnt, not how long they must be: only the linear part is
    there, which needs more numbers.
    """
    if model.epochs == 0:  # a closed form
        return 0
    fitted = clone(model).set_params(epochs=0).fit(rows[:64])
    with torch.no_grad():
        batch = fitted.pairs_of(rows[:1], None, fitted.shapes_[0]).batch(slice(0, 1))
        step: float = multiply_adds(fitted.model_, batch._replace(x=batch.x.float())) * 3 * model.batch_size
    steps = min(max(_MAX_PRODUCTS / step, _STEP_LIMITS[0]), _STEP_LIMITS[1])
    per_epoch = int(rows.shape[0]) / model.batch_size
    if model.epochs is not None:
        steps = max(model.epochs * per_epoch, min(steps, _MIN_TRIAL_STEPS))
    return max(1, round(float(steps) / per_epoch))


def _pca_errors(learn: np.ndarray, truth: np.ndarray, sizes: list[int]) -> list[float]:
    pca = PCABaseline(max(sizes)).fit(learn)
    codes = pca.transform(truth)
    flat = truth.reshape(len(truth), -1)
    codings = [(codes[:, :k], pca.components_[:k]) for k in sizes]
    return [_mse(flat, code @ axes + pca.mean_) for code, axes in codings]


def _mse(truth: Any, result: Any) -> float:
    return float(np.mean(np.square(truth - result), dtype=np.float64))


def _reason(chosen: int, share: float, best: int, most: float, rows: int) -> str:
    basis = f"on {rows:,} rows"
    numbers = f"{chosen} number{'s' * (chosen > 1)}"
    if most <= 0:
        return f"No code explains anything of the variance ({basis}): {numbers}, the shortest, is as good as any."
    first = f"{numbers} explain{'s' * (chosen == 1)} {share:.1%} of the variance ({basis})"
    if chosen == best:
        return f"{first}; every shorter code explains less than {_ENOUGH_SHARE:.0%} of that."
    return f"{first}; {best} explain {most:.1%}. It is the shortest code that keeps {_ENOUGH_SHARE:.0%} of the best."
