"""Anomaly detection, judged against PCA residuals, Mahalanobis distances, isolation forests and nearest neighbours."""

import math
import warnings
from dataclasses import replace
from typing import Annotated, Any, ClassVar, NamedTuple, NotRequired, Self, TypedDict, cast

import numpy as np
import torch
from sklearn.base import OutlierMixin, clone
from sklearn.utils.validation import check_is_fitted

from narrows.conformal import USUAL_FPR, Threshold
from narrows.data import Schema, Source
from narrows.data.scale import Scale, refuse_scale
from narrows.data.tables.transformer import is_table
from narrows.errors import InputError, Sentence, Setting
from narrows.estimator.base import Estimator
from narrows.estimator.inputs import checked_rows
from narrows.families.autoencoder import AutoEncoder
from narrows.holdout import CALIBRATION, Parts
from narrows.params import check_params, param
from narrows.parts import as_part
from narrows.tasks.anomaly.constants import Constants, move_distance
from narrows.tasks.anomaly.evaluate import evaluation
from narrows.tasks.anomaly.labels import ordinary_rows
from narrows.tasks.anomaly.memory import MEMORY_ARRAYS, FeatureMemory, MemoryState
from narrows.tasks.anomaly.neighbours import Neighbourhood, Overlap, reference_places, remoteness
from narrows.tasks.anomaly.normal_scale import NormalScale
from narrows.tasks.anomaly.outliers import LEAST, groups_apart, teaching
from narrows.tasks.base import Evaluation, Rows, Task, unit
from narrows.tasks.frames import learns, reads
from narrows.training.random import draw_seed
from narrows.typed_json import Natural, Numbers, Range

__all__ = ["AnomalyDetector", "Explanation", "moments", "standardised"]

_MAX_STEPS, _MAX_PASSES = 4000, 100  # of training at most, where nobody says how many epochs


class Explanation(NamedTuple):
    """Why rows have their scores, (n, d) each."""

    contributions: Any  # the squared score, shared out by the columns' squared deviations from ...
    expected: Any  # ... the mean of the nearest rows of the fit, in the units of the rows


def moments(model: Estimator, rows: np.ndarray) -> tuple[Any, Any]:
    """Return mean and standard deviation of the columns of a table; 0 and 1 where values stay as they are."""
    low, high = as_part("likelihood", model.likelihood).support
    if rows.ndim > 2 or model.image_shape is not None or not (math.isinf(low) and math.isinf(high)):
        return 0.0, 1.0
    mean, scale = rows.mean(0, dtype=np.float64), rows.std(0, dtype=np.float64)
    binary = np.isin(rows, (0, 1)).all(0)
    plain = binary | (scale <= 1e-12 * (1 + np.abs(mean)))
    return np.where(binary, 0.0, mean).tolist(), np.where(plain, 1.0, scale).tolist()


def standardised(rows: np.ndarray, mean: Any, scale: Any) -> np.ndarray:
    """Return rows less their mean, over their scale, in their own float type."""
    kind = np.result_type(rows, np.float32)
    scaled: np.ndarray = np.asarray((rows - np.asarray(mean, kind)) / np.asarray(scale, kind), kind)
    return scaled


class State(TypedDict):
    """What the artefact keeps of a fitted detector."""

    mean_: float | Annotated[Any, Numbers("row")]
    scale_: float | Annotated[Any, Numbers("row")]
    constant_: NotRequired[Constants]
    move_: NotRequired[Annotated[float, Range(0, 1e150)]]
    calibration_: NotRequired[Annotated[Any, Numbers(-1)]]
    input_scale_: NotRequired[Scale | None]
    contaminated_: NotRequired[float]
    n_labelled_: Natural
    n_set_aside_: Natural
    n_apart_: NotRequired[Natural]
    share_apart_: NotRequired[Annotated[float, Range(0, 1)]]
    seed_: Natural
    n_features_in_: Natural
    feature_names_in_: NotRequired[list[str]]
    memory_: NotRequired[MemoryState]


class AnomalyDetector(OutlierMixin, Task, name="anomaly"):
    """Finds rows unlike those of the fit, with a stated rate of false alarms.

    The score is the distance to the mean of the ``neighbours`` nearest rows of the fit. Distances compare what the
    autoencoder makes of two rows and, ``weight`` times, what it misses of them: density in code space joined with the
    reconstruction error. Columns are standardised first (those of zeros and ones, and images, are not). In a column
    that is constant in the rows learnt from, another value counts as twice the largest distance of rows put aside.

    A fifth of the rows is put aside. Their scores turn a score into a p-value and set the threshold, so that of further
    ordinary rows a share of at most ``fpr`` is flagged (split conformal prediction: Vovk et al. 2005; Laxhammar 2014).
    That is exact with ``clean``. Otherwise 7.5 % of the rows may be anomalies: if a group of at most so many lies
    apart from all others, it sets no threshold, and ``n_apart_`` counts its rows put aside. Ordinary rows
    have no such group where the tail of their distances, with every column on the scale of a normal distribution, is
    that of a power law or lighter; a rare ordinary group far from all others is taken for anomalies. Anomalies put
    aside that do not lie apart make the threshold higher: fewer rows are flagged.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(500, 4))
    >>> detector = AnomalyDetector(clean=True, epochs=2, random_state=0).fit(X)
    >>> detector.predict([[0.0, 0.0, 0.0, 0.0], [9.0, 0.0, 0.0, 0.0]]).tolist()
    [1, -1]
    >>> int(detector.explain([[9.0, 0.0, 0.0, 0.0]]).contributions.argmax())
    0
    """

    summary = "find unusual rows at a stated rate of false alarms; against PCA, isolation forest, neighbours"
    workflows: ClassVar[tuple[str, ...]] = ("image-anomaly", "series", "anomaly")
    writes: ClassVar[tuple[str, ...]] = ("scores",)
    fitted = State
    arrays: ClassVar[dict[str, tuple[int | str, ...]]] = {"reference_": (-1, "row")}
    optional_arrays = MEMORY_ARRAYS
    about_labels = True
    input_scale_ = cast("Scale | None", None)  # until there is a fit
    constant_, move_ = Constants(), 0.0  # of images, and of detectors saved before there were any
    n_apart_, share_apart_ = 0, 0.0  # of artefacts that do not tell

    latent_dim: int | None = param(None, "numbers in the code; none: half as many as columns, 32 at most", ge=1)
    fpr: float | None = param(
        None, "share of ordinary rows that may be flagged; none: 0.01, of few rows up to 0.1", gt=0, lt=1
    )
    contamination: float | None = param(None, "share of the rows of the fit to flag, instead of fpr", gt=0, le=0.5)
    clean: bool = param(False, "all rows are known to be ordinary; no: the strangest are left out of training")
    neighbours: int = param(10, "rows of the fit that a row is compared with", ge=1)
    weight: float = param(2.0, "what a difference that the code misses counts beside one that it holds", gt=0, le=1e6)

    def default(self) -> Estimator:
        """Return the plain autoencoder, which starts at the principal components."""
        return AutoEncoder()

    def suited(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """Return a code of half the columns."""
        return {"latent_dim": max(1, min(32, math.prod(shape) // 2))} if self.latent_dim is None else {}

    @learns
    def fit(self, X: Any, y: Any = None, *, aside: Any = None, starts: Any = None, window: int = 0) -> Self:
        """Fit to rows X: a table (n, d), or images (n, H, W) or (n, C, H, W).

        ``y`` of 0 (ordinary) and 1 (anomalous), or of 1 and -1, or of words such as normal and anomaly, leaves the
        anomalous rows out; ``n_labelled_`` counts them. Any other y is ignored with a warning. ``n_set_aside_`` counts
        the rows that were too strange for training. ``aside`` are ordinary rows that set the threshold, instead of a
        fifth of X. Rows that are windows of one series, so many steps long, say where they begin (``starts``, which
        increase): a window is not compared with those that it overlaps.

        Raises ``InputError`` for two thresholds, and for fewer than two ordinary rows.
        """
        if self.contamination is not None and self.fpr is not None:
            ours = Setting("fpr", self.fpr), " and ", Setting("contamination", self.contamination)
            raise InputError(Sentence("Two thresholds came, both ", *ours), "one of them", Setting("fpr", self.fpr))
        model = self.resolve()
        X = checked_rows(self, X, reset=True)
        self.input_scale_ = Scale.of(X)
        rows = unit(X)
        if len(rows) < 2:
            raise InputError(f"n_samples={len(rows)}: one row (1 sample) came", "at least 2 rows to learn from")
        ordinary = ordinary_rows(y, len(rows))
        self.n_labelled_ = int((~ordinary).sum())
        if ordinary.sum() < 2:
            raise InputError(f"{int(ordinary.sum())} of {len(rows)} rows are ordinary", "at least 2", "y of 0 and 1")
        if self.estimator is None:
            model.set_params(**self.suited(rows.shape[1:]))
        seed = draw_seed(self.random_state if self.random_state is not None else model.random_state)
        self.seed_ = seed
        whole = np.arange(int(ordinary.sum()))
        learn, held, split, _ = self.parts(len(whole)) if aside is None else Parts(whole, whole[:0])
        self._starts, self._window = None if starts is None else np.asarray(starts)[ordinary][learn], window
        self._train(model, rows[ordinary][learn], seed)
        calibrating = rows[ordinary][held] if aside is None else self._rows(self.numbers_of(aside))
        distance = -self._scores_of(calibrating, itself=split.learnt)
        trusted_rows, self.share_apart_ = self.trusted(rows[ordinary][learn], calibrating)
        self.move_ = move_distance(distance, self._constants.moved(calibrating))
        strange = np.sqrt(distance**2 + self._moves(calibrating).sum(1))
        self.n_apart_ = int((~trusted_rows).sum())
        self.n_set_aside_ += self.n_apart_
        self.calibration_ = np.sort(strange[trusted_rows].astype(np.float64)).tolist()
        for name in ("contaminated_", "memory_", *self.optional_arrays):  # of another fit
            self.__dict__.pop(name, None)
        if self.contamination is not None:
            self.contaminated_ = float(np.percentile(self._scores_of(rows, itself=False), 100 * self.contamination))
        if self.fpr is not None and math.isinf(self.offset_):
            warnings.warn(self.threshold_.rule(), stacklevel=2)
        return self

    def schema_of(self, source: Source) -> Schema:
        """Return how rows become numbers; a value that a constant column never held is one of them."""
        return super().schema_of(source).watching()

    def parts(self, n: int) -> Parts:
        """Return which of n rows are learnt from, and which set the threshold: a fifth, of few rows up to a third.

        Of few rows as many are put aside as the rate needs, and a tenth more where some may be left out again.
        """
        wanted = math.ceil((1 / (self.fpr or USUAL_FPR) - 1) * (1.0 if self.clean else 1.1))
        return replace(CALIBRATION, enough=wanted).rows(n, self.seed_)

    def _train(self, model: Estimator, rows: np.ndarray, seed: int) -> None:
        """Train on rows, without those that a first, shorter training finds outside."""
        model.set_params(random_state=seed)
        by_default = model.epochs is None and model.minutes is None
        passes = (
            max(1, min(_MAX_PASSES, -(-_MAX_STEPS * model.batch_size // len(rows)))) if by_default else model.epochs
        )
        self.n_set_aside_ = 0
        if not self.clean and len(rows) >= LEAST:
            first = clone(model).set_params(checkpoint=None, tensorboard=None, verbose=False, warm_start=False)
            self._learn(first, rows, seed, -(-passes // 4) if by_default and passes else passes)
            inside = teaching(-self._scores_of(rows, itself=True, starts=self._starts))
            self.n_set_aside_, rows = int((~inside).sum()), rows[inside]
            self._starts = None if self._starts is None else self._starts[inside]
        self._learn(model, rows, seed, passes)

    def _learn(self, model: Estimator, rows: np.ndarray, seed: int, passes: int | None) -> None:
        self.__dict__.pop("_searched", None)
        self.mean_, self.scale_ = moments(model, rows)
        self.constant_, self.move_ = Constants() if np.isscalar(self.scale_) else Constants.of(rows), 0.0
        model.set_params(epochs=passes)
        self.estimator_ = model.fit(self.standard(rows))
        places = reference_places(rows.shape, seed)
        self.reference_ = self.standard(rows[places]).astype(np.float32)
        self._met = None if self._starts is None else self._starts[places]

    def trusted(self, learnt: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, float]:
        """Return which rows put aside set the threshold, and the share of all that lies apart and yet is ordinary.

        The distances of all rows tell. Where a column has a heavy tail, they are those in normal columns. Anomalies
        among the rows widen that scale, so the scale of the rows that are no outliers counts as well.
        """
        if self.clean:
            return np.ones(len(rows), bool), 0.0
        known = learnt[reference_places(learnt.shape, self.seed_)]
        distances = -np.append(self._scores_of(rows, itself=False), self._scores_of(known, itself=True))
        strange = [distances]
        if np.ndim(self.scale_):
            scales = [NormalScale.fit(part) for part in (learnt, known[teaching(distances[len(rows) :])])]
            strange = [remoteness(s(known), s(rows), self.neighbours) if s.bent else distances for s in scales]
        apart, large = groups_apart(*strange)
        return ~apart[: len(rows)], large

    # ---- after the fit ---------------------------------------------------------------------------------------------

    @property
    def threshold_(self) -> Threshold:
        """The threshold of its own rows.

        Raises ``InputError`` for a run of images or of a series that kept the threshold of these and no other.
        """
        if "calibration_" not in vars(self) and "estimator_" in vars(self):
            came = "This run keeps a threshold of whole images or of steps, and its detector none of its own rows"
            raise InputError(came, "score_samples and explain", "narrows apply RUN DATA -o OUT, or a new fit")
        contaminated: float | None = getattr(self, "contaminated_", None)
        exceeded = None if contaminated is None else -contaminated
        return Threshold("row", self.calibration_, self.n_apart_, exceeded, self.fpr, self.contamination)

    @property
    def fpr_(self) -> float:
        """The share of ordinary rows that may be flagged; by default 0.01, up to 0.1 where few rows were put aside."""
        return self.threshold_.rate

    @property
    def offset_(self) -> float:
        """The score below which a row is flagged; -inf when too few rows were put aside for this ``fpr``."""
        return -self.threshold_.limit

    @property
    def memory(self) -> FeatureMemory | None:
        """The memory of the features of whole pictures, where the run has one; its patches say less."""
        if "memory_" not in vars(self):
            return None
        known = {name: torch.as_tensor(getattr(self, name)) for name in self.optional_arrays if hasattr(self, name)}
        return FeatureMemory.from_kept(self.memory_, known)

    def remember(self, memory: FeatureMemory) -> None:
        """Keep a fitted memory of features with the detector."""
        self.memory_, arrays = memory.kept()
        for name, values in arrays.items():
            setattr(self, name, values)

    def rethreshold(self, fpr: float) -> Self:
        """Flag a share of at most ``fpr`` of ordinary rows from now on; nothing is trained."""
        check_is_fitted(self)
        check_params(clone(self).set_params(fpr=fpr, contamination=None))
        self.set_params(fpr=fpr, contamination=None)
        return self

    @reads
    def score_samples(self, X: Any) -> np.ndarray:
        """Return minus the distance to the nearest rows of the fit: higher is more ordinary."""
        return self._scores_of(self._rows(X), itself=False)

    def decision_function(self, X: Any) -> np.ndarray:
        """Return ``score_samples`` minus ``offset_``: below 0 is anomalous."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """Return -1 for anomalous and 1 for ordinary rows."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def p_values(self, X: Any) -> np.ndarray:
        """Return conformal p-values: the share of ordinary rows that are as strange."""
        return self.threshold_.p_values(-self.score_samples(X))

    def explain(self, X: Any) -> Explanation:
        """Return what each column adds to the squared score, and the values that the nearest rows of the fit have.

        Where the fit took a frame both are frames, with the index of X.
        """
        explained = self.examine(self.numbers_of(X), fresh=True)[1]
        if self.table_ is None or not is_table(X):
            return explained
        contributions = self.table_.schema_.by_column(explained.contributions)
        return Explanation(self.table_.by_column(X, contributions), self.table_.rows_like(X, explained.expected))

    def examine(self, X: Any, *, fresh: bool, starts: Any = None) -> tuple[np.ndarray, Explanation]:
        """Return ``score_samples`` and ``explain`` at once; rows of the fit, not ``fresh``, do not meet themselves.

        ``starts`` are where windows begin in the series of the fit: they do not meet those that they overlap.
        """
        rows = self._rows(X)
        squared, near = self._distances(rows, itself=not fresh, starts=starts)
        constants, moves = self._constants, self._moves(rows)
        apart = np.square(self.standard(constants.restored(rows)).reshape(near.shape) - near)
        parts = apart * (squared / np.maximum(apart.sum(1), np.finfo(apart.dtype).tiny))[:, None]
        expected = near.astype(np.float64) * np.ravel(self.scale_) + np.ravel(self.mean_)
        parts[:, constants.columns], expected[:, constants.columns] = moves, constants.values
        total = np.sqrt(squared + moves.sum(1))
        return -total, Explanation(parts.reshape(rows.shape), expected.reshape(rows.shape))

    def outputs(self, X: Any, *, fresh: bool) -> dict[str, Any]:
        """Return distance, p-value and flag of every row."""
        return {"scores": self.threshold_.columns(-self.examine(X, fresh=fresh)[0])}

    def evaluate(self, train: Rows, held: Rows) -> Evaluation:
        """Return how well anomalies in ``held`` are told: the labelled ones or, without labels, planted ones."""
        return evaluation(self, train, held)

    def _neighbourhood(self) -> Neighbourhood:
        """Return the rows of the fit that others are compared with; searched anew only when the settings changed."""
        rows, setting = self.reference_, (self.neighbours, self.weight)
        known: tuple[Any, Neighbourhood] | None = self.__dict__.get("_searched")
        if known is None or known[0] != setting:
            known = setting, Neighbourhood(rows.reshape(len(rows), -1), self._reconstructed(rows), *setting)
            self.__dict__["_searched"] = known
        return known[1]

    def as_read(self, rows: Rows) -> Rows:
        """Return rows standardised."""
        return rows._replace(X=self.standard(unit(rows.X)))

    def _reconstructed(self, rows: np.ndarray) -> np.ndarray:
        return self.estimator_.reconstruct(rows).reshape(len(rows), -1)

    def _rows(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        rows = checked_rows(self, X, reset=False)
        refuse_scale(self.input_scale_, rows)
        return unit(rows)

    def standard(self, rows: np.ndarray) -> np.ndarray:
        """Return rows as the autoencoder sees them."""
        return standardised(rows, self.mean_, self.scale_)

    def _scores_of(self, rows: np.ndarray, *, itself: bool, starts: Any = None) -> np.ndarray:
        squared = self._distances(rows, itself=itself, starts=starts)[0]
        scores: np.ndarray = -np.sqrt(squared + self._moves(rows).sum(1))
        return scores

    @property
    def _constants(self) -> Constants:
        return Constants(*self.constant_)

    def _moves(self, rows: np.ndarray) -> np.ndarray:
        """Return what constants that hold another value add to the squared score, (n, constants)."""
        return np.asarray(self.move_**2 * self._constants.moved(rows), np.result_type(rows, np.float32))

    def _distances(self, rows: np.ndarray, *, itself: bool, starts: Any = None) -> tuple[np.ndarray, np.ndarray]:
        flat, met = self.standard(self._constants.restored(rows)), self.__dict__.get("_met")
        overlap = None if starts is None or met is None else Overlap(starts, met, self._window)
        reconstructed = self._reconstructed(flat)
        return self._neighbourhood().distances(
            flat.reshape(len(rows), -1), reconstructed, itself=itself, overlap=overlap
        )
