"""Columns that are empty wherever another one holds a value, as the cause of death of the living."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

import polars as pl

from narrows.data.tables.formatting import cell_text

__all__ = ["NeverKnown", "never_known"]

_MIN_ROWS = 20  # of one value, in which a column may be empty by chance where they are fewer
_MOST = 0.9  # share of the empty cells that are in such rows, and of the others that are known
_MAX_SHOWN = 3  # values that a note names


class NeverKnown(NamedTuple):
    """A column that is empty in every row in which another holds one of some values."""

    column: str
    other: str
    values: tuple[object, ...]
    rows: int

    @property
    def where(self) -> str:
        """In which rows."""
        shown = " or ".join(cell_text(value) for value in self.values[:_MAX_SHOWN])
        more = f" or {len(self.values) - _MAX_SHOWN} more" if len(self.values) > _MAX_SHOWN else ""
        return f"where {self.other!r} is {shown}{more}"

    def sentence(self) -> str:
        """Say so."""
        guess = "its cells may be meant to be empty there, and what is filled in is a guess that no row can check"
        return f"{self.column!r} is empty in all {self.rows:,} rows {self.where}: {guess}"


def never_known(frame: pl.DataFrame, few: Collection[str]) -> Iterator[NeverKnown]:
    """Yield for columns with empty cells the first of the ``few`` with full ones and few values that says where.

    Examples
    --------
    >>> frame = pl.DataFrame({"dead": [0] * 30 + [1] * 20, "cause": [None] * 30 + ["fall"] * 20})
    >>> next(never_known(frame, ["dead"])).sentence().partition(":")[0]
    "'cause' is empty in all 30 rows where 'dead' is 0"
    """
    holes = {series.name: series.null_count() for series in frame if 0 < series.null_count() < len(frame)}
    for other in few:
        if not holes:
            return
        if frame[other].null_count():
            continue
        counts = frame.group_by(other).agg(pl.len().alias("\0rows"), pl.col(*holes).null_count()).sort(other)
        for column in list(holes):
            empty = counts.filter((pl.col(column) == pl.col("\0rows")) & (pl.col("\0rows") >= _MIN_ROWS))
            rows = int(empty["\0rows"].sum())
            elsewhere = len(frame) - rows
            if rows >= _MOST * holes[column] and holes[column] - rows <= (1 - _MOST) * elsewhere:
                del holes[column]
                yield NeverKnown(column, other, tuple(empty[other].to_list()), rows)
