"""Rows of a table learnt and drawn column by column, under conditions on some of the columns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from narrows.base_measure import Measure
from narrows.data.pairs import Pairs
from narrows.data.tables.conditions import as_ends
from narrows.errors import InputError, listed
from narrows.estimator.base import Estimator
from narrows.likelihood import Categorical
from narrows.model import Model
from narrows.model_card import read_card
from narrows.networks import Autoregressive
from narrows.networks.autoregressive import LevelDecoder, LevelEncoder
from narrows.parts import as_part
from narrows.tasks.base import NewRows
from narrows.tasks.generate.levels import Range, Table, around
from narrows.tasks.missing import Gaps

__all__ = ["ByColumn", "draw_levels", "draws_columns", "kept_rows"]

_ROWS_SEEN, _EPOCHS = 250_000, (12, 60)  # rows that are learnt from in all, within so many passes
_AT_ONCE = 16_384  # rows that are drawn together
_MIN_TRIES, _TRIES_PER_ROW = 100_000, 2000  # rows that are drawn at most where few meet the conditions


def draws_columns(estimator: Estimator) -> bool:
    """Return whether an autoencoder reads levels and gives those of every column from the columns before it."""
    return isinstance(as_part("network", estimator.network), Autoregressive)


class ByColumn(Gaps):
    """The half of a generator that draws the rows of a table column by column."""

    estimator_: Estimator
    classes_: list[str]
    mixtures_: dict[str, Any]
    columns_: dict[str, Any] | None = None  # the columns of the table, as JSON has them
    _announced: Sequence[Measure] = ()  # what the columns are of the table that a fit comes for

    @property
    def table(self) -> Table:
        """The columns of the table."""
        return Table.from_json(self.columns_ or {})

    def fit_columns(self, model: Estimator, rows: np.ndarray, y: np.ndarray | None) -> Self:
        """Fit a network that draws the columns of a table, the label first."""
        measures, self._announced = self._announced or self.learn_units(rows), ()
        table = Table.of(self.coded(rows), measures)
        if model.weights is not None:  # of a run, and of its columns
            card = read_card(model.weights)["task"] or {}
            table = Table.from_json(card["fitted"]["columns_"])
        index = table.index(self.coded(rows))
        cells = [table.levels[cell] for cell in table.free]
        levels, ordered = [len(cell) for cell in cells], [len(cell.points) * cell.ordered for cell in cells]
        if self.classes_:
            index = np.concatenate([self._label_levels(y)[:, None], index], 1)
            levels, ordered = [len(self.classes_) + 1, *levels], [0, *ordered]
        spec = as_part("network", model.network)
        model.set_params(network=replace(spec, levels=tuple(levels), ordered=tuple(ordered)))
        if model.epochs is None:
            model.set_params(epochs=min(_EPOCHS[1], max(_EPOCHS[0], _ROWS_SEEN // len(rows))))
        pairs = Pairs(index[:, None].astype(np.float32), labels=True)
        self.estimator_ = model.fit_pairs(pairs, Categorical(max(2, *levels)))
        self.estimator_.n_features_in_, self.estimator_.rows_axes_ = rows.shape[1], 2
        self.columns_, self.draws_, self.mixtures_ = table.to_json(), True, {}
        return self

    def _label_levels(self, y: Any) -> NDArray[np.int64]:
        """Return the place of every label among the classes; that of none is the last."""
        places = {name: place for place, name in enumerate(self.classes_)}
        return np.array([places.get(name, len(places)) for name in y], np.int64)

    def draw_columns(self, n: int, label: str | None, where: Mapping[int, Range], seed: int) -> NewRows:
        """Return new rows without names of their own, of a class, that meet conditions on cells."""
        rng, generator, table = np.random.default_rng(seed), torch.Generator().manual_seed(seed), self.table
        first = int(bool(self.classes_))
        allowed = {place + first: mask for place, mask in table.allowed(where).items()}
        if self.classes_:
            named = np.array([label in (None, name) for name in self.classes_])
            allowed[0] = np.append(named, False)  # not the level of rows without a label

        def rows(index: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
            values = table.rows(index[:, first:], rng)
            return values, table.meets(values, where)

        drawn = kept_rows(n, lambda n: draw_levels(self.estimator_.model_, n, allowed, generator), rows)
        names = np.array(self.classes_)[drawn.levels[:, 0]] if self.classes_ else None
        return NewRows(self.raw(drawn.rows), np.zeros(0, str), "", names, drawn.share)

    def conditions(self, where: Mapping[Any, Any]) -> dict[int, Range]:
        """Return conditions on the columns of an array, by number or name, on its encoded cells.

        Raises ``InputError`` for a column that the fit did not see, and for what is no number.
        """
        result: dict[int, Range] = {}
        names = list(getattr(self.estimator_, "feature_names_in_", range(self.estimator_.n_features_in_)))
        for name, wanted in where.items():
            if name not in names:
                raise InputError(f"A condition on {name!r} came", listed([*map(str, names)]))
            try:
                ends = np.sort(np.array(as_ends(name, wanted), np.float64))
            except (TypeError, ValueError):
                raise InputError(f"A condition on {name!r} came: {wanted!r}", "a number, or a pair of ends") from None
            column = names.index(name)
            mean, spread = (0.0, 1.0) if self.units_ is None else np.array(self.units_)[:2, column]
            result[column] = around(*((ends - mean) / spread).tolist())
        return result


class Drawn(NamedTuple):
    """Rows that meet the conditions, and the share of all drawn ones that did."""

    rows: NDArray[np.float64]
    levels: NDArray[np.int64]
    share: float


@torch.no_grad()
def draw_levels(
    model: Model, n: int, allowed: Mapping[int, NDArray[np.bool_]], generator: torch.Generator
) -> NDArray[np.int64]:
    """Return the levels (m, d) of those of ``n`` drawn rows that have ``allowed`` levels in some columns.

    The first column is drawn among what is allowed; of the others, a row that has another level is left at once.
    """
    encoder, decoder = model.encoder, model.decoder
    if not isinstance(encoder, LevelEncoder) or not isinstance(decoder, LevelDecoder):
        raise TypeError(f"{type(encoder).__name__} draws no levels")
    before, columns = torch.zeros(n, encoder.bias.shape[1]), torch.zeros(n, 0, dtype=torch.long)
    for column in range(len(encoder.bias)):
        logits = decoder.logits(encoder.code(before, column), column)
        free = torch.ones(logits.shape[1], dtype=torch.bool)
        if column in allowed:
            free[: len(allowed[column])] = torch.from_numpy(allowed[column])
        if column == 0:
            logits = logits.masked_fill(~free, -torch.inf)
        level = _chosen(logits, generator)
        kept = free[level]
        before = (before + encoder.embedded(level, column))[kept]
        columns = torch.cat([columns, level[:, None]], 1)[kept]
        if not len(columns):
            return np.zeros((0, len(encoder.bias)), np.int64)
    return columns.numpy()


def _chosen(logits: Tensor, generator: torch.Generator) -> Tensor:
    """Return one level of every row of logits (n, levels)."""
    return torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]


def kept_rows(
    n: int,
    levels: Callable[[int], NDArray[np.int64]],
    rows: Callable[[NDArray[np.int64]], tuple[NDArray[np.float64], NDArray[np.bool_]]],
) -> Drawn:
    """Return ``n`` rows that meet conditions, of as many draws as that takes.

    ``levels`` draws so many rows and returns those with allowed levels; ``rows`` are their values, and which of them
    meet the conditions.

    Raises ``InputError`` where too few of 2000 draws for each, and of 100 000, do.
    """
    parts, indices, kept, tried, step = [], [], 0, 0, min(n, _AT_ONCE)
    while kept < n:
        if tried >= max(_MIN_TRIES, _TRIES_PER_ROW * n):
            came = f"{kept:,} of {tried:,} drawn rows meet the conditions, and {n:,} are asked for"
            raise InputError(came, "conditions that the table meets more often", "fewer rows, or a wider range")
        index = levels(step)
        values, fine = rows(index)
        parts.append(values[fine])
        indices.append(index[fine])
        kept, tried = kept + int(fine.sum()), tried + step
        step = min(_AT_ONCE, max(1, int(1.2 * (n - kept) * tried / max(kept, 1))))
    return Drawn(np.concatenate(parts)[:n], np.concatenate(indices)[:n], kept / tried)
