"""What every task is: a meta-estimator over any family, which can say how it did."""

import math
from abc import abstractmethod
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, NamedTuple, Self, dataclass_transform

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from narrows.base_measure import Measure
from narrows.data.tables.schema import TableSchema
from narrows.data.windows import Windows
from narrows.errors import InputError
from narrows.estimator.base import Estimator
from narrows.estimator.inputs import unit
from narrows.holdout import Split
from narrows.likelihood import Mixed
from narrows.metrics import Better, Comparison
from narrows.params import MOST_EPOCHS, TASKS, check_params, kebab, param, register
from narrows.parts import as_part
from narrows.tasks.frames import Tabular
from narrows.typed_json import Nothing

__all__ = ["Block", "Evaluation", "Metric", "NewRows", "Picture", "Rows", "Task", "unit"]

_BLOCK = 1 << 22


class Metric(NamedTuple):
    """A measured number with its unit."""

    value: float
    label: str
    unit: str = ""
    better: Better = "lower"


class Picture(NamedTuple):
    """A figure to draw: which one, what it says, the arrays it shows, and which function of the report draws it."""

    kind: str
    title: str
    caption: str
    data: dict[str, Any]
    figure: str = ""  # under which name that function is known; empty: the kind


class Block(NamedTuple):
    """A column of a table, and how many encoded numbers it has."""

    name: str
    width: int


class Rows(NamedTuple):
    """Encoded rows with what is known of them."""

    X: Any
    labels: np.ndarray | None = None
    class_names: tuple[str, ...] | None = None
    feature_names: tuple[str, ...] = ()
    columns: tuple[Block, ...] = ()  # of a table; their widths add up to the encoded numbers
    units: str = "per value"  # what a squared error of 1 means
    clusters: np.ndarray | None = None  # (n,): rows of one are not independent of each other; None: all are
    split: Split = Split.HELD_OUT  # what they are, where they are measured on
    table: TableSchema | None = None  # how they became numbers, where they are of a table

    def take(self, index: np.ndarray) -> Self:
        """Return the rows at ``index``."""
        labels, clusters = (None if of is None else of[index] for of in (self.labels, self.clusters))
        return self._replace(X=self.X[index], labels=labels, clusters=clusters)


class NewRows(NamedTuple):
    """Rows that nobody gave: encoded values in the form of the rows, with names of their own."""

    values: np.ndarray
    ids: np.ndarray
    id_name: str
    labels: np.ndarray | None = None
    share: float = 1.0  # of all that were drawn, where some were left because of conditions


@dataclass
class Evaluation:
    """How a fitted task did on rows it has not seen, beside the simple competitors on the same rows.

    The comparison is of the headline: with its direction, with the values of the task and of the best competitor.
    ``ValueError`` where it is of anything else.
    """

    metrics: dict[str, Metric]
    baselines: dict[str, dict[str, float]]
    headline: str  # the metric that the verdict is about
    best_baseline: str  # the best competitor
    rows: int
    comparison: Comparison  # the headline of the task and of the best_baseline
    pictures: list[Picture] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tables: list[dict[str, Any]] = field(default_factory=list)  # for the page: title, lead, columns, rows
    unit: str = "row"  # what is counted in rows
    piece: str = "row"  # what is learnt from, and the loss is counted by
    flags: dict[str, Any] | None = None  # of a threshold that may change: how many rows are flagged at any rate
    caveats: tuple[str, ...] = ()  # sentences that a reader of the verdict must know
    subject: str = "The autoencoder"  # of the verdict

    def __post_init__(self) -> None:
        metric, compared = self.metrics[self.headline], self.comparison
        theirs = {name: values[self.headline] for name, values in self.baselines.items() if self.headline in values}
        stated = {"better": metric.better, "ours": metric.value, "theirs": theirs[self.best_baseline]}
        for name, value in stated.items():
            if not _same(getattr(compared, name), value):
                came = f"The comparison has {name} = {getattr(compared, name)!r}"
                raise ValueError(f"{came}, the headline {self.headline!r} {value!r}")
        best = max if metric.better == "higher" else min
        known = [value for value in theirs.values() if math.isfinite(value)]
        if known and not _same(best(known), theirs[self.best_baseline]):
            raise ValueError(f"The best competitor in {self.headline!r} is not {self.best_baseline!r}: {theirs}")


@dataclass_transform(kw_only_default=True)
@dataclass(kw_only=True, eq=False, repr=False)
class Task(Tabular, BaseEstimator):
    """A use of an autoencoder: any family inside, one question answered."""

    name: ClassVar[str] = ""
    summary: ClassVar[str] = ""
    fitted: ClassVar[Any] = Nothing  # a TypedDict: attributes that the artefact keeps, and what they are
    arrays: ClassVar[dict[str, tuple[int | str, ...]]] = {}  # those beside the weights, and their shapes
    optional_arrays: ClassVar[dict[str, tuple[int | str, ...]]] = {}  # those that only some fits leave
    imputes: ClassVar[bool] = False  # whether its method ``complete`` fills the holes of a table
    reads_shares: ClassVar[bool] = False  # whether its autoencoder may give back shares, of labels or items, for rows
    law: ClassVar[str | None] = None  # the likelihood of a family that keeps its own default
    about_labels: ClassVar[bool] = False  # whether its verdict is on how well it tells labels
    writes: ClassVar[tuple[str, ...]] = ()  # what ``outputs`` may hold: files of a run, whatever their endings
    mapped: ClassVar[bool] = False  # whether its outputs hold codes that are worth a map

    estimator: Estimator | None = param(None, "the autoencoder; none: the task's own choice")
    epochs: int | None = param(None, "overrides the autoencoder's", ge=0, le=MOST_EPOCHS)
    random_state: int | np.random.RandomState | None = param(None, "overrides the autoencoder's", ge=0)

    def __init_subclass__(cls, name: str = "", **kwargs: Any):
        super().__init_subclass__(**kwargs)
        cls.name = name or kebab(cls.__name__)
        register(TASKS, cls, cls.name)

    @abstractmethod
    def default(self) -> Estimator:
        """Return the autoencoder that is good on a first try."""

    @abstractmethod
    def evaluate(self, train: Rows, held: Rows) -> Evaluation:
        """Return how the fitted task does on ``held``, with competitors fitted on ``train``."""

    def evaluate_windows(self, learnt: Windows, held: Windows) -> Evaluation:
        """Return how the fitted task does on windows of a series, with competitors fitted on ``learnt`` ones."""
        return self.evaluate(rows_of_windows(learnt), rows_of_windows(held))

    @abstractmethod
    def outputs(self, X: Any, *, fresh: bool) -> dict[str, np.ndarray]:
        """Return what the task gives for rows: ``codes`` as a table, anything else in the form of the rows.

        ``fresh`` is False for the rows that the task was fitted on.
        """

    def suited(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """Return the task's own settings that rows of this shape ask for, where the user says nothing."""
        return {}

    def instead(self, given: Collection[str], *, labelled: bool, columns: int) -> Estimator | None:
        """Return the autoencoder that stands in for the default; None: the same.

        ``given`` are the settings that the user chose, ``columns`` how many a table has, 0 for no table.
        """
        return None

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of the encoded rows that the fit saw."""
        shape: tuple[int, ...] = self._fitted().shapes_[0]
        return shape

    def as_read(self, rows: Rows) -> Rows | None:
        """Return rows as the autoencoder inside reads them; None where it reads more than rows."""
        return rows

    def resolve(self) -> Estimator:
        """Return an unfitted autoencoder: the user's or the default, with the task's own fields on top."""
        check_params(self)
        chosen: Estimator = clone(self.estimator) if self.estimator is not None else self.default()
        shared = {f.name for f in fields(self)} & {f.name for f in fields(chosen)}
        settings = {name: getattr(self, name) for name in shared}
        chosen.set_params(**{name: value for name, value in settings.items() if value is not None})
        if self.law is not None and chosen.likelihood == type(chosen).likelihood:
            chosen.set_params(likelihood=self.law)
        self.require_rows(chosen)
        return chosen if self.table_ is None else _priced(chosen, self.table_.schema_.measures)

    def unused(self) -> dict[str, str]:
        """Return the settings that change nothing as the others are, its own and its autoencoder's, and why."""
        task_fields = {spec.name for spec in fields(self)}
        return {name: why for name, why in self.resolve().unused().items() if name not in task_fields}

    def read_columns(self, measures: Sequence[Measure]) -> None:
        """Take what the encoded columns of the table are that a fit comes for: a mixed likelihood gets its laws."""
        if isinstance(as_part("likelihood", self.resolve().likelihood), Mixed):
            self.set_params(estimator=_priced(self.resolve(), measures))

    def require_rows(self, chosen: Estimator) -> None:
        """Refuse an autoencoder that gives back shares where the task needs rows."""
        priced = getattr(chosen, "likelihood_", chosen.likelihood)
        if not self.reads_shares and as_part("likelihood", priced).shares:
            came = f"The likelihood {str(priced)!r} came for {self.name}: its mean is shares, no row"
            raise InputError(came, "a likelihood of values", "gaussian, poisson for counts, bernoulli for one-hot")

    def fitted_state(self) -> dict[str, Any]:
        """Return what ``fit`` learnt besides the autoencoder, as JSON values."""
        return {name: getattr(self, name) for name in self.fitted.__annotations__ if hasattr(self, name)}

    def fitted_arrays(self) -> dict[str, torch.Tensor]:
        """Return the arrays that ``fit`` learnt besides the autoencoder."""
        names = [*self.arrays, *(name for name in self.optional_arrays if hasattr(self, name))]
        return {name: torch.as_tensor(np.ascontiguousarray(getattr(self, name))) for name in names}

    def adopt_state(self, state: dict[str, Any]) -> Self:
        """Take what ``fitted_state`` gave."""
        for name, value in state.items():
            setattr(self, name, np.asarray(value, object) if name == "feature_names_in_" else value)
        return self

    def _fitted(self) -> Estimator:
        """Return the fitted autoencoder."""
        check_is_fitted(self)
        fitted: Estimator = self.estimator_
        return fitted

    def __sklearn_is_fitted__(self) -> bool:
        """Return whether there is a fitted autoencoder."""
        return hasattr(self, "estimator_")

    def __getattr__(self, name: str) -> Any:
        """Return what scikit-learn asks of the fitted rows from the autoencoder."""
        passed = ("n_features_in_", "feature_names_in_", "_n_features_out", "history_")
        if name in passed and "estimator_" in vars(self):
            return getattr(self.estimator_, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: sparse rows are fine, as for the autoencoder inside."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def save(self, folder: Any) -> Any:
        """Write the fitted task to a folder: ``model.json`` and ``model.safetensors``."""
        from narrows.artefact import save

        check_is_fitted(self)
        return save(self, folder)


def _priced(chosen: Estimator, measures: Sequence[Measure]) -> Estimator:
    """Give a mixed likelihood the laws of the columns, where it has none yet."""
    spec = as_part("likelihood", chosen.likelihood)
    return chosen.set_params(likelihood=spec.for_columns(measures)) if isinstance(spec, Mixed) else chosen


def _same(one: Any, other: Any) -> bool:
    """Whether two words are the same, or two numbers but for rounding; not a number is the same as itself."""
    if isinstance(one, str):
        return bool(one == other)
    return bool(np.isclose(one, other, rtol=1e-6, atol=1e-12, equal_nan=True))


def error_rows(truth: np.ndarray, result: np.ndarray) -> np.ndarray:
    """Return the mean squared error of every row."""
    result = result.reshape(truth.shape)
    parts = [np.square(truth[i : i + 4096] - result[i : i + 4096]) for i in range(0, len(truth), 4096)]
    errors: np.ndarray = np.concatenate([part.reshape(len(part), -1).mean(1, dtype=np.float64) for part in parts])
    return errors


def spaced(n: int, most: int) -> np.ndarray:
    """Return which of ``n`` rows to look at: at most so many, evenly spaced.

    Examples
    --------
    >>> spaced(10, 4).tolist(), spaced(2, 4).tolist()
    ([0, 3, 6, 9], [0, 1])
    """
    return np.unique(np.linspace(0, n - 1, min(most, n)).astype(int))


def pick(rows: Rows, most: int) -> Rows:
    """Return at most so many rows, evenly spaced."""
    return rows.take(spaced(rows.X.shape[0], most))


def rows_of_windows(windows: Windows) -> Rows:
    """Return windows of a series as rows, of which neighbours are not independent."""
    units = "in standard deviations of the channel, squared: 1 is no better than its mean"
    return Rows(
        windows.rows(), feature_names=windows.feature_names, units=units, clusters=windows.clusters_of(windows.starts)
    )


def blocks(X: Any) -> Iterator[Any]:
    """Yield rows in blocks of about four million values."""
    step = max(1, _BLOCK // max(1, math.prod(X.shape[1:])))
    yield from (X[start : start + step] for start in range(0, X.shape[0], step))
