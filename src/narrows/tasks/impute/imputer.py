"""Filling empty cells from those that are known, judged against mean or mode, neighbours and regression."""

import copy
from functools import partial
from typing import Annotated, Any, ClassVar, NamedTuple, NotRequired, Self, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from narrows.base_measure import Measure
from narrows.data import Schema, Source
from narrows.data.pairs import Batch, Pairs
from narrows.data.tables.frames import Form, is_frame
from narrows.data.tables.impute import filled
from narrows.data.tables.schema import TableSchema
from narrows.data.tables.transformer import as_table, is_table
from narrows.errors import ArtefactError, InputError, Setting
from narrows.estimator.base import Estimator
from narrows.estimator.fitting import split
from narrows.estimator.inference import run
from narrows.estimator.inputs import checked_rows, flat
from narrows.families.autoencoder import AutoEncoder
from narrows.likelihood import Mixed
from narrows.model import Model
from narrows.params import param
from narrows.parts import as_part
from narrows.tasks.base import Evaluation, Rows, Task
from narrows.tasks.frames import SameColumns, learns
from narrows.tasks.impute.cells import Cells, Support
from narrows.tasks.impute.evaluate import evaluation
from narrows.tasks.impute.gaussian import Gaussian
from narrows.tasks.impute.hiding import Hide, hidden_like_missing
from narrows.tasks.missing import Gaps, single
from narrows.training.random import derive_seed
from narrows.typed_json import Numbers, Scalar

__all__ = ["Filled", "Imputer"]

Floats = NDArray[np.float64]

_MEMBERS, _ROWS_OF_MEMBERS = 8, 5000  # fits whose mean is taken of few rows; rows that all of them see together
_PASSES, _STEPS = 300, 8000  # of a fit at most, where the user says nothing
_TAIL = 0.05  # of the draws, on either side of an interval
_DRAWN_VALUES = 1 << 22  # values that are drawn at once
_CALIBRATIONS = 8  # times that cells of the validation rows are hidden to widen intervals
_MIN_CALIBRATION_CELLS = 30


class Filled(NamedTuple):
    """Rows without gaps, (n, d) in the units that they came in, and how sure their filled cells are."""

    values: Any  # known cells as they came, others in the form of their column
    low: Any  # the interval of 90 % of filled numbers, (n, d)
    high: Any
    chances: Any  # (n, cells): the probability of the level that a category was filled with


class State(TypedDict):
    """What the artefact keeps of a fitted imputer."""

    fill_: Annotated[Any, Numbers("row")]
    units_: Annotated[Any, Numbers(3, "row")] | None
    kind_: str
    measures_: list[Measure]
    supports_: list[Support]
    widening_: Annotated[float, Numbers()]
    errors_: NotRequired[dict[str, Scalar]]
    gaussian_: NotRequired[tuple[Annotated[Any, Numbers("row")], Annotated[Any, Numbers(-1, -1)]]]


class Imputer(SameColumns, TransformerMixin, Gaps, Task, name="impute"):
    """Fills the empty cells of rows, NaN, from those that are known, with an interval of 90 % for each.

    In every batch 5 to 60 % of the known cells of a row are hidden, and priced; the network is told which cells are
    known (as Vincent et al. 2008, with the mask as a condition), and begins with what a Gaussian expects of the others.
    Of few rows the mean of several fits is taken. ``errors_`` holds the error of every column on hidden cells of the
    rows that were measured on, in its own unit.
    What is filled is a value that its column may hold: within its range, on its steps, one of its levels.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(300, 1)) + np.zeros((300, 3))
    >>> X[0, 1] = np.nan
    >>> filled = Imputer(epochs=30, random_state=0).fit_transform(X)
    >>> bool(abs(filled[0, 1] - X[0, 0]) < 0.5), bool((filled[1:] == X[1:]).all())
    (True, True)
    """

    summary = "fill the empty cells of a table; against mean or mode, nearest neighbours, iterative regression"
    workflows: ClassVar[tuple[str, ...]] = ("impute",)
    fitted: ClassVar[Any] = State
    arrays: ClassVar[dict[str, tuple[int | str, ...]]] = {"members_": (-1, -1)}
    reads_missing: ClassVar[bool] = True
    imputes: ClassVar[bool] = True
    law: ClassVar[str | None] = "mixed:spread=learnt"

    members: int | None = param(None, "fits whose mean is taken; none: 8, of more than 600 rows fewer", ge=1, le=64)
    draws: int = param(100, "draws of a cell, from which its interval is taken", ge=20, le=10_000)

    def default(self) -> Estimator:
        """Return an autoencoder with a law for every column and a path beside its layers."""
        settings = {"network": "dense:256,bypass", "lr": 6e-3, "weight_decay": 1e-2, "patience": 100}
        return AutoEncoder(latent_dim=128, **settings)  # type: ignore[arg-type]

    @learns
    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit to rows X, (n, d), in which NaN is a missing value; y is not used.

        Raises ``InputError`` for another likelihood than ``mixed``.
        """
        model, self.units_ = self.resolve(), None
        spec = self.mixed(model.likelihood)
        rows = flat(checked_rows(model, X, reset=True, missing=True))
        self.measures_ = spec.measures if spec.columns else self.learn_units(rows)
        rows, cells = self.coded(rows), Cells(self.measures_)
        known = cells.known(rows)
        visible = np.where(cells.spread(known), rows, np.nan)
        counts = np.maximum(cells.spread(known).sum(0), 1)
        self.fill_ = (np.nansum(visible, 0) / counts).tolist()
        self.supports_ = cells.supports(visible)
        plain = [m if m.kind in ("categorical", "bernoulli") else Measure("gaussian") for m in self.measures_]
        model.set_params(likelihood=Mixed(spread=spec.spread).for_columns(plain))
        self.gaussian_ = Gaussian.fit(torch.as_tensor(np.nan_to_num(visible)), torch.as_tensor(cells.spread(known)))
        kept, held = self._fit_members(model, rows)
        self.widening_ = 1.0
        self.widening_ = 1.0 if held is None else self._widened(kept, held)
        return self

    def adopt_state(self, state: dict[str, Any]) -> Self:
        """Take what ``fitted_state`` and ``fitted_arrays`` gave.

        Raises ``ArtefactError`` where columns, supports or weights are those of another model.
        """
        super().adopt_state(state)
        self.measures_ = [Measure(*measure) for measure in self.measures_]
        self.supports_ = [Support(*support) for support in self.supports_]
        if "gaussian_" in state:
            self.gaussian_ = Gaussian(*(torch.as_tensor(values, dtype=torch.float64) for values in self.gaussian_))
        d, weights = len(self.fill_), _flattened(self.estimator_.model_).size
        if self.start(0).covariance.shape[0] not in (0, d):
            raise ArtefactError(f"gaussian_ is of {len(self.start(0).covariance)} columns", f"{d}, or none")
        if sum(m.width for m in self.measures_) != d or len(self.supports_) != len(self.measures_):
            came = f"measures_ and supports_ of {len(self.measures_)} and {len(self.supports_)} cells"
            raise ArtefactError(came, f"as many, of {d} encoded columns")
        if self.members_.shape[1] != weights:
            raise ArtefactError(f"members_ holds {self.members_.shape[1]} weights of a model", str(weights))
        return self

    @classmethod
    def mixed(cls, likelihood: Any) -> Mixed:
        """Return the likelihood that has a law for every column; raises ``InputError`` for another one."""
        spec = as_part("likelihood", likelihood)
        if not isinstance(spec, Mixed):
            came = f"The likelihood {str(spec)!r} came for {cls.name}"
            raise InputError(came, "a law for every column", Setting("likelihood", "mixed"))
        return spec

    def start(self, place: int) -> Gaussian:
        """Return by what a member is told, before it has learnt, what is not known: every second by the means alone."""
        gaussian: Gaussian | None = vars(self).get("gaussian_")  # fits of earlier versions have none
        if gaussian is None or place % 2:
            return Gaussian.of_mean(torch.tensor(self.fill_))
        return gaussian

    @property
    def cells(self) -> Cells:
        """Which encoded columns belong to which cell."""
        return Cells(self.measures_)

    def schema_of(self, source: Source) -> Schema:
        """Return how rows become numbers, in which a missing category is missing."""
        schema = super().schema_of(source)
        return schema.with_blanks() if isinstance(schema, TableSchema) else schema

    def transform(self, X: Any) -> Any:
        """Return rows X (n, d) with their gaps filled; known values stay exactly as they are.

        A frame comes back as one, where the fit took one; columns that nothing is learnt from stay as they are.
        """
        values = self._filled(self.numbers_of(X)).values
        return values if self.table_ is None or not is_table(X) else self._whole(self.table_.schema_, X, values)

    def _whole(self, schema: TableSchema, X: Any, values: Floats) -> Any:
        """Return a frame with its empty cells taken from encoded rows."""
        source = as_table(X, schema)
        whole = filled(schema, source, lambda rows, missing: values)
        return Form.of(X if is_frame(X) else source.frame).table(source.frame if whole is None else whole)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return the names of the columns: of a frame all of them."""
        names = getattr(self.table_, "feature_names_in_", None)
        return super().get_feature_names_out(input_features) if names is None else np.asarray(names)

    def complete(self, rows: Floats, missing: NDArray[np.bool_]) -> Floats:
        """Return encoded rows (n, d) whose ``missing`` values are filled."""
        return np.asarray(self._filled(np.where(missing, np.nan, rows)).values)

    def fill(self, X: Any) -> Filled:
        """Return rows X (n, d) with their gaps filled, an interval for each, and the probability of each level.

        Where the fit took a frame, so are values and intervals, and the probabilities a frame of its columns.
        """
        result = self._filled(self.numbers_of(X))
        if self.table_ is None or not is_table(X):
            return result
        low, high = (self.table_.rows_like(X, end) for end in (result.low, result.high))
        whole = self._whole(self.table_.schema_, X, result.values)
        return Filled(whole, low, high, self.table_.by_column(X, result.chances))

    def _filled(self, X: Any) -> Filled:
        check_is_fitted(self)
        rows = flat(checked_rows(self.estimator_, X, reset=False, missing=True))
        coded, cells = self.coded(rows), self.cells
        known = cells.known(coded)
        gaps, there = ~known.all(1), cells.spread(known)
        values, low, high = (np.array(coded, np.float64) for _ in range(3))
        chances = np.full(known.shape, np.nan)
        if gaps.any():
            expected, *ends = self.forecast(coded[gaps])
            values[gaps] = cells.in_form(expected, self.supports_, np.array(self.fill_))
            low[gaps], high[gaps] = (cells.in_form(end, self.supports_, np.array(self.fill_)) for end in ends)
            chances[gaps] = cells.chances(values[gaps], expected)
        values, low, high = (np.where(there, rows, self.raw(part)) for part in (values, low, high))
        return Filled(values, low, high, np.where(known, np.nan, chances))

    def forecast(self, coded: np.ndarray) -> tuple[Floats, Floats, Floats]:
        """Return the mean and both ends of the interval of every encoded value (n, d), in any form.

        The ends are those of draws from all members, further from the mean by what hidden cells of rows showed that
        weights were chosen on.
        """
        models = [self.estimator_.model_, *map(self._member, self.members_)]
        function = partial(_mean_and_draws, draws=-(-self.draws // len(models)))
        step = max(1, _DRAWN_VALUES // (self.draws * coded.shape[1]))
        parts = []
        for start in range(0, len(coded), step):
            rows, where = single(coded[start : start + step]), self.estimator_.scoring_device()
            starts = [self._pairs(rows, place).as_scored() for place in range(min(2, len(models)))]
            drawn = [run(model, starts[place % 2], function, where) for place, model in enumerate(models)]
            mean = np.mean([one[:, 0] for one in drawn], 0)
            ends = np.quantile(np.concatenate([one[:, 1:] for one in drawn], 1), (_TAIL, 1 - _TAIL), axis=1)
            low, high = np.minimum(ends[0], mean), np.maximum(ends[1], mean)
            parts.append([mean, mean - self.widening_ * (mean - low), mean + self.widening_ * (high - mean)])
        mean, low, high = (np.concatenate(column).astype(np.float64) for column in zip(*parts, strict=True))
        return mean, low, high

    def outputs(self, X: Any, *, fresh: bool) -> dict[str, np.ndarray]:
        """Return nothing beside the filled table, which the workflow writes."""
        return {}

    def as_read(self, rows: Rows) -> None:
        """Return no rows: the autoencoder reads which cells are known beside them."""
        return

    def evaluate(self, train: Rows, held: Rows) -> Evaluation:
        """Return the error on cells of ``held`` rows that are hidden as others are missing, beside simple fillings.

        ``errors_`` then holds that of every column in its own unit.
        """
        return evaluation(self, train, held)

    def _pairs(self, coded: np.ndarray, place: int) -> Pairs:
        """Return encoded rows as a member reads them, with which of their cells are known.

        That is its condition, and the weight of a value.
        """
        cells = self.cells
        known = cells.known(coded)
        there = cells.spread(known)
        expected = self.start(place).expected(torch.as_tensor(np.where(there, coded, 0.0)), torch.as_tensor(there))
        x = expected.numpy().astype(np.float32)
        return Pairs(x, x, known.astype(np.float32), there.astype(np.float32))

    def _sides(self, rows: np.ndarray, place: int, validation: float) -> tuple[Pairs, Pairs | None]:
        """Return the rows that a member learns from, and those that its weights are chosen on, with cells hidden."""
        pairs = self._pairs(rows, place)
        pairs.augment = Hide(self.cells.of_column, self.start(place))
        kept, held = split(pairs, validation, 0)
        if held is not None:
            held.augment = pairs.augment  # a fit takes what is still of it itself
        return kept, held

    def _fit_members(self, model: Estimator, rows: np.ndarray) -> tuple[Pairs, Pairs | None]:
        """Fit the autoencoder, and others from other seeds, of which the weights are kept; return what it learnt from.

        Every second one starts without what columns say of each other, so that members err differently.
        """
        if model.epochs is None and model.minutes is None:
            model.set_params(epochs=max(1, min(_PASSES, _STEPS // -(-len(rows) // model.batch_size))))
        validation = model.validation if model.epochs != 0 else 0
        sides = {0: self._sides(rows, 0, validation)}
        wanted = self.members or max(1, min(_MEMBERS, _ROWS_OF_MEMBERS // len(sides[0][0])))
        self.estimator_ = model.fit_pairs(sides[0][0], valid=sides[0][1])
        self.estimator_.rows_axes_ = 2
        first = _flattened(self.estimator_.model_)
        others: list[np.ndarray] = []
        for place in range(1, wanted if model.epochs != 0 else 1):
            seed = derive_seed(self.estimator_.seed_, place) % 2**31
            other = clone(model).set_params(random_state=seed, checkpoint=None, tensorboard=None)
            if place == 1:
                sides[1] = self._sides(rows, 1, validation)
            kept, held = sides[place % 2]
            others.append(_flattened(other.fit_pairs(kept, valid=held).model_))
        self.members_ = np.array(others, np.float32).reshape(len(others), len(first))
        return sides[0]

    def _member(self, weights: np.ndarray) -> Model:
        """Return the autoencoder with the weights of another fit."""
        model, at = copy.deepcopy(self.estimator_.model_), 0
        state = model.state_dict()
        for name, value in state.items():
            part = torch.as_tensor(np.asarray(weights[at : at + value.numel()]))
            state[name], at = part.reshape(value.shape).to(value.dtype), at + value.numel()
        model.load_state_dict(state)
        return model

    def _widened(self, kept: Pairs, held: Pairs) -> float:
        """Return how much further than draws an interval must reach to hold 90 % of hidden cells of ``held``."""
        truth, known, patterns = (column.numpy() for column in (held.columns[1], held.columns[2], kept.columns[2]))
        rng, cells = np.random.default_rng(0), self.cells
        wide = [m.kind not in ("categorical", "bernoulli") for m in self.measures_]
        truth, known = np.tile(truth, (_CALIBRATIONS, 1)), np.tile(known > 0, (_CALIBRATIONS, 1))
        hidden = hidden_like_missing(known, patterns > 0, rng)
        mean, low, high = self.forecast(np.where(cells.spread(known & ~hidden), truth, np.nan))
        place = cells.spread(hidden & np.array(wide))
        gap = np.where(truth > mean, high - mean, mean - low)[place]
        ratios = (np.abs(truth - mean)[place] / np.maximum(gap, 1e-9))[gap > 1e-9]
        return float(np.quantile(ratios, 1 - 2 * _TAIL)) if len(ratios) >= _MIN_CALIBRATION_CELLS else 1.0


def _mean_and_draws(model: Model, batch: Batch, draws: int) -> Tensor:
    """Return the mean and draws of every row, (B, 1 + draws, d); the same draws for the same place in a batch."""
    code, skips = model.encode(batch.x, batch.cond)
    params = model.decode(code.z, skips, batch.cond)
    generator = torch.Generator(params.device).manual_seed(0)
    drawn = model.likelihood.sample(params.repeat_interleave(draws, 0), generator)
    return torch.cat([model.likelihood.mean(params)[:, None], drawn.reshape(len(params), draws, -1)], 1)


def _flattened(model: Model) -> np.ndarray:
    """Return all weights of a model in a row."""
    return torch.cat([value.flatten().float() for value in model.state_dict().values()]).numpy()
