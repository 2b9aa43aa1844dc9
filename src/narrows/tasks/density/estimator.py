"""Density estimation: how likely every row is, judged against a Gaussian, a mixture and kernels."""

import math
import zlib
from typing import Annotated, Any, ClassVar, NamedTuple, NotRequired, Self, TypedDict

import numpy as np
from sklearn.utils.validation import check_is_fitted

from narrows.base_measure import Measure
from narrows.errors import ArtefactError, InputError
from narrows.estimator.base import Estimator
from narrows.estimator.fitting import refuse_large
from narrows.estimator.inputs import checked_rows, flat
from narrows.estimator.log_likelihood import LogLikelihood, bits_per_dimension, log_likelihood, with_background
from narrows.families.vae import VAE
from narrows.likelihood import Mixed
from narrows.metrics import Comparison, auroc
from narrows.networks import Dense
from narrows.params import param
from narrows.parts import as_part
from narrows.tasks.base import Evaluation, Metric, Picture, Rows, Task, pick, unit
from narrows.tasks.density.baselines import density_baselines
from narrows.tasks.density.units import Units
from narrows.tasks.frames import learns, reads
from narrows.tasks.missing import Gaps, single
from narrows.typed_json import Numbers

__all__ = ["DensityEstimator"]

_WIDTHS = (256, 256)  # a narrower network is a blunter density, also of few columns
_MAX_JUDGED_ROWS = 2000  # held-out rows that are measured at most
_BACKGROUND_SHARE = 0.01  # share of the density that is that of the columns by themselves
_MAX_BACKGROUND_ROWS = 10_000  # rows that these are told from
_MIN_SAMPLES = 10  # effective samples below which an estimate is a guess
_SCORED_VALUES, _FEWEST_SAMPLES = 10**9, 10  # values of rows of the fit, by samples, that are priced at most
_OURS = "the autoencoder"
_BARS_CAPTION = (
    "Mean of -log p over the same {} rows, in one measure: densities of real numbers, probabilities of others."
)
_DENSITIES_CAPTION = "The share of the rows whose log p is at most so much: the further to the right, the better."


class Rare(NamedTuple):
    """The rarer of two classes."""

    name: str
    flag: np.ndarray  # (n,) of the held-out rows: in that class
    known: np.ndarray  # (n,) rows that have a label


class State(TypedDict):
    """What the artefact keeps of a fitted density."""

    fill_: Annotated[Any, Numbers("row")]
    units_: Annotated[Any, Numbers(3, "row")] | None
    measures_: NotRequired[list[Measure] | None]
    jacobian_: NotRequired[Annotated[Any, Numbers("row")] | None]


class DensityEstimator(Units, Gaps, Task, name="density"):
    """Gives log p of every row, in nats, by importance sampling from a variational autoencoder.

    A hundredth of the density is that of independent columns, a thousandth of each for levels never seen, so that a row
    far from all others, or with a new level, is unlikely but does not decide the mean.

    Every column has a law of its own: real numbers have a density in their own units, bits, counts, other whole
    numbers, steps of a grid (tenths, cents) and categories a probability, and NaN, a missing value, costs nothing.
    uint8 and uint16 are levels with probabilities. A real number that recurs off any grid, as the zeros of an amount,
    has a probability beside the density of the others, which could grow without bound there. Another likelihood is
    taken where it gives what the columns have, a density or probabilities. Rows of more axes are read as flat.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(300, 2))
    >>> model = DensityEstimator(latent_dim=1, epochs=20, random_state=0).fit(X)
    >>> bool(-3.5 < model.score(X) < -2.5)  # the truth is -log(2 pi e), -2.84
    True
    """

    summary = "how likely every row is, in nats; against a Gaussian, a mixture and kernels"
    workflows: ClassVar[tuple[str, ...]] = ("windows", "rows")
    writes: ClassVar[tuple[str, ...]] = ("logp",)
    fitted: ClassVar[Any] = State
    arrays: ClassVar[dict[str, tuple[int | str, ...]]] = {"background_": (-1,)}
    reads_missing: ClassVar[bool] = True
    linear: ClassVar[bool] = True
    reads_shares: ClassVar[bool] = True

    latent_dim: int | None = param(None, "numbers in the code; none: 8, of few columns half as many as there are", ge=1)
    samples: int = param(
        300, "importance samples of every row; more come closer to log p, from below", ge=2, le=100_000
    )

    def default(self) -> Estimator:
        """Return a variational autoencoder with a law for every column."""
        return VAE(likelihood="mixed", network=Dense(_WIDTHS))

    def suited(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """Return a short code."""
        return {"latent_dim": max(1, min(8, math.prod(shape) // 2))} if self.latent_dim is None else {}

    @learns
    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit to rows X, (n, d); NaN is a missing value, and y is not used."""
        model, self.units_ = self.resolve(), None
        rows = self._rows(model, X, reset=True)
        if self.estimator is None:
            model.set_params(**self.suited(rows.shape[1:]))
        spec = as_part("likelihood", model.likelihood)
        measures = self.measures_of(rows)
        if isinstance(spec, Mixed) and not spec.columns:
            measures = self.learn_units(rows)
            model.set_params(likelihood=spec.for_columns(measures))
        _require_posterior(model, rows.shape[1:])
        self.price(as_part("likelihood", model.likelihood), measures, self.coded(rows))
        self.estimator_ = self.fit_filled(model, self.coded(rows))
        self.background_ = self._background(rows)
        return self

    def adopt_state(self, state: dict[str, Any]) -> Self:
        """Take what ``fitted_state`` and ``fitted_arrays`` gave.

        Raises ``ArtefactError`` for a background of another size.
        """
        super().adopt_state(state)
        wanted = self.estimator_.model_.likelihood.n_out(self.estimator_.shapes_[1])
        if self.background_.size not in (0, wanted):
            raise ArtefactError(f"background_ holds {self.background_.size} numbers", f"{wanted}, or none")
        return self

    def _background(self, rows: np.ndarray) -> np.ndarray:
        """Return the parameters of the columns by themselves; none where the likelihood knows none."""
        few = rows[np.random.default_rng(0).permutation(len(rows))[:_MAX_BACKGROUND_ROWS]]
        batch = self.gappy_pairs(self.estimator_, self.coded(few)).batch(slice(None))
        params = self.estimator_.model_.likelihood.marginal(batch.target.float())
        return np.zeros(0, np.float32) if params is None else params.numpy()

    @reads
    def estimate(self, X: Any, *, quick: bool = False, samples: int | None = None) -> LogLikelihood:
        """Return log p of every row, (n,), with its standard error and its effective number of samples.

        ``quick`` decodes in float32, several times as fast; ``samples`` are importance samples of every row instead of
        those of the task.
        """
        check_is_fitted(self)
        model = self.estimator_
        rows = self.coded(self._rows(model, X, reset=False))
        coarse = single(rows)  # only now: rows far from zero would lose what tells them apart
        keys = [zlib.crc32(row.tobytes()) for row in np.ascontiguousarray(coarse)]  # the same draws, quick or not
        pairs = self.gappy_pairs(model, coarse if quick else rows)
        estimate = log_likelihood(
            model.model_, pairs, samples or self.samples, seed=model.seed_, keys=keys, where=model.scoring_device()
        )
        params = self.background_
        estimate = (
            with_background(estimate, model.model_, pairs, params, _BACKGROUND_SHARE) if params.size else estimate
        )
        return estimate._replace(value=self.in_units(estimate.value, rows, model.likelihood_))

    def score_samples(self, X: Any) -> np.ndarray:
        """Return log p of every row, (n,), in nats: -inf for one that holds a value without a probability."""
        return self.estimate(X).value

    def score(self, X: Any, y: Any = None) -> float:
        """Return the mean of ``score_samples``, in nats per row."""
        return float(self.score_samples(X).mean())

    def outputs(self, X: Any, *, fresh: bool) -> dict[str, Any]:
        """Return log p, its standard error and the effective sample size of every row, and its bits per column."""
        many = self.samples if fresh else self._affordable(len(X))
        estimate = self.estimate(X, quick=True, samples=many)
        size = (self._columns(),)
        columns = {
            "log_p": estimate.value,
            "standard_error": estimate.error,
            "effective_sample_size": estimate.effective,
        }
        return {"logp": {**columns, "bits_per_dimension": bits_per_dimension(-estimate.value, size)}}

    def _affordable(self, rows: int) -> int:
        """Return the importance samples that so many rows of the fit are scored with."""
        return min(self.samples, max(_FEWEST_SAMPLES, _SCORED_VALUES // (rows * math.prod(self.row_shape))))

    def as_read(self, rows: Rows) -> Rows:
        """Return rows flat, with missing values filled."""
        return rows._replace(X=self.filled(self.coded(flat(rows.X))))

    def evaluate(self, train: Rows, held: Rows) -> Evaluation:
        """Return log p of ``held`` rows beside that under simpler densities of the same measure."""
        held = pick(held, _MAX_JUDGED_ROWS)
        estimate = self.estimate(held.X, quick=True)
        learnt, truth = (unit(self.coded(flat(rows.X))) for rows in (train, held))
        baseline_log_p = density_baselines(self._measures(), learnt, truth)
        sure, rare = np.isfinite(estimate.value), _rare(train, held)
        every_log_p = {_OURS: estimate.value, **baseline_log_p}
        results = {name: self._numbers(log_p, sure, rare) for name, log_p in every_log_p.items()}
        bars = {name: numbers["nats"] for name, numbers in results.items()}
        ours, middle = results.pop(_OURS), float(np.nanmedian(estimate.effective[sure]))
        metrics = {
            "nats": Metric(ours["nats"], "negative log-likelihood", "nats per row"),
            "bits": Metric(ours["bits"], "bits per dimension", f"{self._columns()} columns"),
            "error": Metric(float(np.nanmean(estimate.error[sure])), "standard error of a row's log p", "nats"),
            "effective": Metric(middle, "effective sample size", f"median, of {self.samples}", "higher"),
        }
        if rare is not None:
            metrics["auroc"] = Metric(ours["auroc"], f"AUROC of {rare.name!r}", "by low log p", "higher")
        best_baseline, word = min(results, key=lambda name: results[name]["nats"]), held.split.word
        theirs = baseline_log_p[best_baseline]
        pair, clusters = (-estimate.value[sure], -theirs[sure]), held.take(sure).clusters
        comparison = Comparison.of_rows(*pair, "lower", absolute=True, clusters=clusters)
        pictures = [
            Picture("bars", "Nats per row", _BARS_CAPTION.format(word), {"values": bars, "label": "nats per row"}),
            Picture(
                "densities",
                f"{word.capitalize()} rows by their log p",
                _DENSITIES_CAPTION,
                _shown(estimate.value, theirs, best_baseline, rare),
            ),
        ]
        notes = _notes(estimate, sure, held, rare)
        notes += self._caution(len(train.X) + len(held.X), word)
        return Evaluation(metrics, results, "nats", best_baseline, int(sure.sum()), comparison, pictures, notes)

    def _caution(self, rows: int, word: str) -> list[str]:
        """Return what the densities of rows are not: all of many samples, and all of the model."""
        cautions = []
        if (many := self._affordable(rows)) < self.samples:
            cautions.append(
                f"The rows of the fit are many: their log p is written from {many} importance samples each, and that "
                f"of the {word} rows here, as that of new rows, is from {self.samples}."
            )
        if self.background_.size:
            cautions.append(
                f"{_BACKGROUND_SHARE:.0%} of the density is that of independent columns, which keeps rare rows finite."
            )
        return cautions

    def _numbers(self, log_p: np.ndarray, sure: np.ndarray, rare: Rare | None) -> dict[str, float]:
        nats = float(-log_p[sure].mean())
        numbers = {"nats": nats, "bits": float(bits_per_dimension(nats, (self._columns(),)))}
        if rare is not None:
            low = -np.maximum(log_p, np.finfo(np.float64).min)
            numbers["auroc"] = auroc(rare.flag[rare.known], low[rare.known])
        return numbers

    def _measures(self) -> list[Any]:
        spec = self.estimator_.likelihood_
        return self.measures_ or (list(spec.measures) if isinstance(spec, Mixed) else [])  # saved by 0.1.0: without

    def _columns(self) -> int:
        return len(self._measures())

    @staticmethod
    def _rows(model: Estimator, X: Any, *, reset: bool) -> np.ndarray:
        """Return rows (n, d) that scikit-learn accepts, NaN and all."""
        return flat(checked_rows(model, X, reset=reset, missing=True))


def _require_posterior(model: Estimator, shape: tuple[int, ...]) -> None:
    """Refuse, before training, a family that has no density."""
    priced = as_part("likelihood", model.likelihood).build(shape)
    problem = model.problem((shape, shape, 0), priced)
    refuse_large(model, problem)
    if not hasattr(model.build(problem).bottleneck, "posterior"):
        came = f"The family {model.name} gives rows no density: its code has no posterior"
        raise InputError(came, "vae, conditional-vae", "--family vae")


def _rare(train: Rows, held: Rows) -> Rare | None:
    """Return the rarer class where labels are of two classes, both of them held out."""
    if train.labels is None or held.labels is None:
        return None
    labels = np.concatenate([train.labels, held.labels])
    classes, counts = np.unique(labels[labels >= 0], return_counts=True)
    if len(classes) != 2 or len(np.unique(held.labels[held.labels >= 0])) != 2:
        return None
    rare = classes[counts.argmin()] if counts[0] != counts[1] else classes[1]
    name = str(rare if held.class_names is None else held.class_names[rare])
    return Rare(name, held.labels == rare, held.labels >= 0)


def _shown(log_p: np.ndarray, other: np.ndarray, best_baseline: str, rare: Rare | None) -> dict[str, Any]:
    """Return what the figure shows: the two models, and the rows of either class where there are two."""
    values = {_OURS: log_p, best_baseline: other}
    if rare is not None:
        values = {
            f"{_OURS}, {rare.name}": log_p[rare.flag],
            f"{_OURS}, other": log_p[rare.known & ~rare.flag],
            best_baseline: other,
        }
    return {"values": values}


def _notes(estimate: LogLikelihood, sure: np.ndarray, held: Rows, rare: Rare | None) -> list[str]:
    notes, word = [], held.split.word
    if not sure.all():
        text = f"{int((~sure).sum())} {word} rows hold a value without a probability: their log p is -inf, and"
        notes.append(f"{text} they are left out of all means, the competitors' too.")
    few = float(np.mean(estimate.effective[sure] < _MIN_SAMPLES))
    if few > 0.1:
        text = f"{few:.0%} of the {word} rows have fewer than {_MIN_SAMPLES} effective samples: their log p is too low"
        notes.append(f"{text}. Try --samples 3000, or a smaller --latent-dim.")
    if held.labels is not None and rare is None:
        notes.append(f"No AUROC: labels of two classes are needed, and {len(np.unique(held.labels))} are held out.")
    return notes
