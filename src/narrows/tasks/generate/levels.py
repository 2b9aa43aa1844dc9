"""The levels of a column of a table: values that recur, runs of values between them, and missing."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Self, TypedDict

import numpy as np
from numpy.typing import NDArray

from narrows.base_measure import Measure
from narrows.errors import ArtefactError
from narrows.tasks.generate.follows import Follows, followers
from narrows.typed_json import Numbers, typed

__all__ = ["Levels", "SavedTable", "Table", "around"]

Floats = NDArray[np.float64]
Index = NDArray[np.int64]
Range = tuple[float, float]

_RUNS = 64  # into so many levels, or somewhat more, the values of a number go
_MASSES, _MIN_MASS_ROWS, _MIN_MASS_SHARE = 64, 5, 0.005  # the most frequent values, each a level where so many hold it
_POINTS = 16  # values of a run that are kept
_MIN_RUN_ROWS = 4
_ROUNDING = 1e-7  # of an encoded value


@dataclass(frozen=True)
class Levels:
    """The levels of one column, from the training rows.

    A category has one for each of its values. A number has one for every value where these are at most 64, else for
    every value that recurs and for runs of the others. What is drawn in a run lies between its ends: a value of the
    training rows where it recurs, else one from around it, as far as half the way to its neighbours.

    Parameters
    ----------
    points : tuple of tuple of float
        Of every level the value, or up to 16 of a run as they are spread, ascending.
    missing : bool
        Missing values have a level of their own, the last.
    ordered : bool
        The levels are in order: those of a number.

    Examples
    --------
    >>> amounts = Levels.of(np.append(np.zeros(900), np.arange(100.0, 1000.0)))
    >>> levels = amounts.index(np.array([0.0, 100.0, 999.0, np.nan]))
    >>> len(amounts), levels.tolist()
    (61, [0, 1, 60, 61])
    >>> drawn = amounts.draw(levels[:3], np.random.default_rng(0))
    >>> float(drawn[0]), bool(100 <= drawn[1] < 120), bool(980 < drawn[2] <= 999)
    (0.0, True, True)
    """

    points: tuple[Annotated[tuple[float, ...], Numbers(-1)], ...]
    missing: bool = False
    ordered: bool = True

    @classmethod
    def of(cls, values: Floats, *, ordered: bool = True) -> Self:
        """Learn from the values of a column, (n,), NaN where they are missing."""
        known = np.sort(values[~np.isnan(values)])
        distinct, counts = np.unique(known, return_counts=True)
        missing = len(known) < len(values)
        if not ordered or len(distinct) <= _RUNS:
            return cls(tuple((value,) for value in distinct.tolist()), missing, ordered)
        rare = counts[counts < _MIN_MASS_SHARE * len(known)].sum()
        size = max(_MIN_RUN_ROWS, rare / _RUNS)  # rows of a run
        frequent = np.argsort(-counts, kind="stable")[:_MASSES]
        masses = set(frequent[counts[frequent] >= max(_MIN_MASS_ROWS, size / 2)].tolist())
        starts, held = [0], int(counts[0])
        for place in range(1, len(distinct)):
            if place in masses or place - 1 in masses or held >= size:
                starts.append(place)
                held = 0
            held += int(counts[place])
        runs = np.split(known, np.searchsorted(known, distinct[starts[1:]]))
        return cls(tuple(map(_spread, runs)), missing)

    def __len__(self) -> int:
        return len(self.points) + self.missing

    @property
    def single(self) -> bool:
        """Whether every level is one value."""
        return all(len(points) == 1 for points in self.points)

    def index(self, values: Floats) -> Index:
        """Return the level of every value: the last that begins at or below it; of a missing one, that of missing."""
        lows = np.array([points[0] for points in self.points])
        level = np.searchsorted(lows, values, side="right") - 1
        return np.where(np.isnan(values), len(self.points), level.clip(0, len(self.points) - 1))

    def draw(self, index: Index, rng: np.random.Generator) -> Floats:
        """Return a value of every level, NaN for missing."""
        out, share = np.full(len(index), np.nan), rng.random(len(index))
        for level in np.unique(index[index < len(self.points)]):
            here = index == level
            out[here] = _drawn(np.array(self.points[level]), share[here])
        return out

    def within(self, low: float, high: float) -> NDArray[np.bool_]:
        """Say which levels, missing last, hold values from ``low`` to ``high``."""
        inside = [points[0] <= high and points[-1] >= low for points in self.points]
        return np.array([*inside, *([False] if self.missing else [])])


def around(low: float, high: float) -> Range:
    """Return the ends of a range, moved apart by what rounding may take.

    Examples
    --------
    >>> around(1.0, 1.0)[0] < 1.0 < around(1.0, 1.0)[1]
    True
    """
    return low - _ROUNDING * max(1.0, abs(low)), high + _ROUNDING * max(1.0, abs(high))


def _spread(run: Floats) -> tuple[float, ...]:
    """Return the values of a run, or evenly spaced ones of many; of equal ones a single one."""
    if run[0] == run[-1]:
        return (float(run[0]),)
    places = np.linspace(0, len(run) - 1, min(len(run), _POINTS)).round().astype(np.int64)
    return tuple(run[places].tolist())


def _drawn(points: Floats, share: Floats) -> Floats:
    """Return values of one level, as far as ``share`` (n,) of its rows.

    Examples
    --------
    >>> _drawn(np.array([1.0, 3.0, 3.0, 9.0]), np.array([0.0, 0.3, 0.6, 0.99])).round(2).tolist()
    [1.0, 3.0, 3.0, 8.88]
    """
    place = (share * len(points)).astype(np.int64)
    if len(points) == 1:
        return points[place]
    middles = (points[1:] + points[:-1]) / 2
    low, high = np.append(points[0], middles), np.append(middles, points[-1])
    recurs = np.append(False, points[1:] == points[:-1])
    recurs |= np.append(recurs[1:], False)
    low, high = np.where(recurs, points, low), np.where(recurs, points, high)
    return np.asarray(low[place] + (share * len(points) - place) * (high - low)[place])


class SavedTable(TypedDict):
    """A table as JSON has it."""

    measures: list[Measure]
    levels: list[Levels]
    follows: list[Follows]


class Table:
    """Encoded rows of a table, (n, d), as levels of its cells, (n, cells), and back.

    A cell is a number or the block of a category. A cell that another one determines in every training row has no level
    of its own: it comes back from the other.

    Examples
    --------
    >>> rows = np.array([[1.0, 0.0, 3.5], [0.0, 1.0, np.nan]] * 20)
    >>> table = Table.of(rows, [Measure("categorical", 2), Measure("gaussian")])
    >>> table.cells, table.free, table.index(rows[:2]).tolist()
    (2, [0], [[0], [1]])
    >>> bool(np.array_equal(table.rows(np.array([[0], [1]]), np.random.default_rng(0)), rows[:2], equal_nan=True))
    True
    """

    def __init__(self, measures: Sequence[Measure], levels: Sequence[Levels], follows: Sequence[Follows] = ()):
        self.measures, self.levels, self.follows = [Measure(*m) for m in measures], list(levels), list(follows)
        self.cells = len(self.levels)
        followers = {one.cell for one in self.follows}
        self.free = [cell for cell in range(self.cells) if cell not in followers]
        self.ends = np.cumsum([0, *(measure.width for measure in self.measures)])

    @classmethod
    def of(cls, rows: Floats, measures: Sequence[Measure]) -> Self:
        """Learn from encoded rows."""
        table = cls(measures, [])
        values = table.values(rows)
        kinds = [measure.kind != "categorical" for measure in table.measures]
        levels = [Levels.of(column, ordered=kind) for column, kind in zip(values.T, kinds, strict=True)]
        return cls(measures, levels, followers(values, kinds))

    def values(self, rows: Floats) -> Floats:
        """Return the value of every cell of encoded rows, (n, cells): of a category the place of its level."""
        columns = []
        for measure, start in zip(self.measures, self.ends, strict=False):
            block = rows[:, start : start + measure.width]
            place = np.where(np.isnan(block).any(1), np.nan, np.nan_to_num(block).argmax(1))
            columns.append(place if measure.kind == "categorical" else block[:, 0])
        return np.stack(columns, 1).astype(np.float64)

    def index(self, rows: Floats) -> Index:
        """Return the levels of the free cells of encoded rows, (n, free)."""
        values = self.values(rows)
        return np.stack([self.levels[cell].index(values[:, cell]) for cell in self.free], 1)

    def rows(self, index: Index, rng: np.random.Generator) -> Floats:
        """Return encoded rows drawn in levels of the free cells, (n, free)."""
        values = np.empty((len(index), self.cells))
        for cell, column in zip(self.free, index.T, strict=True):
            values[:, cell] = self._rounded(self.levels[cell].draw(column, rng), self.measures[cell])
        for one in self.follows:
            values[:, one.cell] = one.of(values[:, one.leader])
        blocks = []
        for measure, column in zip(self.measures, values.T, strict=True):
            if measure.kind == "categorical":
                one_hot = np.eye(measure.width)[np.nan_to_num(column).astype(np.int64)]
                blocks.append(np.where(np.isnan(column)[:, None], np.nan, one_hot))
            else:
                blocks.append(column[:, None])
        return np.concatenate(blocks, 1)

    def allowed(self, where: Mapping[int, Range]) -> dict[int, NDArray[np.bool_]]:
        """Return, by the place of a free cell, which of its levels may meet conditions on cells: from low to high."""
        followed = {one.cell: one for one in self.follows}
        masks = {}
        for cell, (low, high) in where.items():
            one = followed.get(cell)
            if one is None:
                masks[self.free.index(cell)] = self.levels[cell].within(low, high)
            elif not one.multiple:
                leader = self.levels[one.leader]
                firsts = [points[0] for points in leader.points] + [np.nan] * leader.missing
                matched = one.of(np.array(firsts))
                place = self.free.index(one.leader)
                masks[place] = (matched >= low) & (matched <= high) & masks.get(place, np.array(True))
        return masks

    def meets(self, rows: Floats, where: Mapping[int, Range]) -> NDArray[np.bool_]:
        """Say which encoded rows (n, d) meet conditions on cells."""
        values, fine = self.values(rows), np.ones(len(rows), bool)
        for cell, (low, high) in where.items():
            fine &= (values[:, cell] >= low) & (values[:, cell] <= high)
        return fine

    @staticmethod
    def _rounded(values: Floats, measure: Measure) -> Floats:
        if measure.kind in ("gaussian", "categorical"):
            return values
        whole = np.rint(values * measure.scale + measure.centre)
        return np.asarray((whole - measure.centre) / measure.scale)

    def to_json(self) -> dict[str, Any]:
        """Describe the table by JSON values."""
        return {
            "measures": [list(measure) for measure in self.measures],
            "levels": [asdict(levels) for levels in self.levels],
            "follows": [asdict(one) for one in self.follows],
        }

    @classmethod
    def from_json(cls, card: dict[str, Any]) -> Self:
        """Rebuild the table; raises ArtefactError where its parts do not go together."""
        saved: SavedTable = typed(card, SavedTable, "columns_")
        cells = len(saved["levels"])
        if len(saved["measures"]) != cells or any(max(one.cell, one.leader) >= cells for one in saved["follows"]):
            raise ArtefactError("columns_ has measures, levels and followers of other cells", "one of each cell")
        return cls(saved["measures"], saved["levels"], saved["follows"])
