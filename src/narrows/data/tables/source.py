"""Tables: frames and columns, with the identifiers found and named."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self, cast

import numpy as np
import polars as pl
import polars.selectors as cs
from numpy.typing import NDArray

from narrows.data.base import Source, Treatment, digest, row_numbers
from narrows.data.tables.categorical import LONG, CategoryColumn, ConstantColumn
from narrows.data.tables.column import Column
from narrows.data.tables.columns import NumberColumn, NumericColumn
from narrows.data.tables.conform import require_finite
from narrows.data.tables.count_laws import count_laws, looked_at
from narrows.data.tables.dtypes import SAFE
from narrows.data.tables.formatting import as_text
from narrows.data.tables.schema import TableSchema
from narrows.data.tables.whole_column import WholeColumn
from narrows.errors import InputError, listed
from narrows.notes import Note, NoteKind

__all__ = ["TableSource", "table_source"]

ID_NAME = re.compile(r"(^|[^A-Za-z])(id|ids|idx|index|key|no|nr|number|uuid|guid|rowid|unnamed_\d+)$", re.IGNORECASE)
ID_CAMEL = re.compile(r"[a-z](Id|ID|Idx|Index|Key|No|Nr|Number|Uuid|UUID|Guid|GUID)$")

_MAX_SHOWN_COLUMNS = 12  # columns that are shown of a row
_MAX_COLOURED_COLUMNS = 64  # columns by which rows may be coloured
_MAX_COUNTS = 1000  # columns whose law of counts is chosen by the others


@dataclass(frozen=True, eq=False, kw_only=True)
class TableSource(Source):
    """A table as a polars frame, identifier columns included.

    Parameters
    ----------
    frame : polars.DataFrame, shape (n, columns)
        All columns as they came.
    id_columns : tuple of str
        Columns that name rows; they are never features.
    formats : mapping of str to str
        How the dates and amounts of a text file were written, by column.
    array : bool
        The table is an array with columns called c0, c1, ...
    decimal_comma : bool or None
        Which mark stands before decimals in a text file, where its numbers show one.
    kinds : mapping of str to str
        What the user says that columns hold.
    straight : bool
        Numbers are shifted and scaled only, whatever their tails.

    Examples
    --------
    >>> source = table_source(pl.DataFrame({"customer_id": [7, 3], "x": [1.0, 2.0]}), "shop")
    >>> source.id_name, source.ids.tolist(), source.fit_schema().feature_names
    ('customer_id', ['7', '3'], ('x',))
    """

    kind: ClassVar[str] = "table"
    frame: pl.DataFrame
    id_columns: tuple[str, ...] = ()
    formats: Mapping[str, str] = field(default_factory=dict)
    array: bool = False
    decimal_comma: bool | None = None
    kinds: Mapping[str, str] = field(default_factory=dict)
    straight: bool = False

    def linear(self) -> Self:
        """Return the table for a schema whose numbers are no more than shifted and scaled."""
        return replace(self, straight=True)

    def take(self, index: NDArray[Any]) -> Self:
        """Keep the rows at ``index``, in that order."""
        rows = np.arange(len(self))[index]
        return replace(self, frame=self.frame[rows], ids=self.ids[rows], labels=self.label_rows(rows))

    def fingerprint(self) -> str:
        """Hash names, types and cells."""
        parts: list[str | NDArray[Any]] = []
        for series in self.frame:
            parts += [series.name, str(series.dtype), series.is_null().to_numpy()]
            if series.dtype.is_numeric() and not series.dtype.is_decimal():
                parts.append(series.fill_null(0).to_numpy())
            elif series.dtype.is_temporal() or series.dtype == pl.Boolean:
                parts.append(series.to_physical().cast(pl.Int64).fill_null(0).to_numpy())
            else:
                parts += [str(cell) for cell in series.to_list()]
        return digest(self.kind, *parts)

    def plain(self) -> pl.DataFrame:
        """Return the columns that hold one value per cell and are no identifiers."""
        return self.frame.select(~(cs.nested() | cs.object() | cs.binary() | cs.by_name(self.id_columns)))

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return the first 64 columns: numbers as floats, dates as dates, others as texts of which most come twice."""
        values = (_coloured(series) for series in self.plain()[:, :_MAX_COLOURED_COLUMNS])
        return {name: column for name, column in values if column is not None}

    def cells(self) -> dict[str, list[str]]:
        """Return the first twelve columns that are no identifiers, as texts, numbers with six digits."""
        shown = self.plain()[:, :_MAX_SHOWN_COLUMNS].with_columns(cs.float().round_sig_figs(6))
        texts = [as_text(series).fill_null("").str.slice(0, LONG) for series in shown]
        return {series.name: series.to_list() for series in texts}

    def fit_schema(self) -> TableSchema:
        """Learn medians, means, scales and levels; infinite cells and a table without features raise InputError."""
        self.require_rows()
        features = self.frame.drop(self.id_columns)
        require_finite(features)
        features = features.with_columns(cs.float().fill_nan(None))
        columns: list[Column] = []
        left_out, notes = list(self.id_columns), list[Note]()
        for series in features:
            column, note = self._fit_column(series)
            notes += [] if note is None else [note]
            if column is None:
                left_out.append(series.name)
            else:
                columns.append(column)
        if not any(column.features for column in columns):
            raise InputError(
                f"{self.name!r} has no column to learn from: {listed((*self.notes, *notes), '; ')}",
                "a column of numbers, dates, booleans or categories that varies",
                "add such a column",
            )
        id_name = self.id_name if self.id_columns else "row"
        columns = _with_count_laws(columns, features, linear=self.straight)
        return TableSchema.build(columns, left_out, id_name, self.array, notes, self.decimal_comma)

    def _fit_column(self, series: pl.Series) -> tuple[Column | None, Note | None]:
        """Find the column's way to numbers, or None; and what there is to say, or None."""
        name, dtype, kind = series.name, series.dtype, self.kinds.get(series.name)
        if kind == "text":
            return None, Note(f"{name!r} is left out: a text, as was chosen", NoteKind.LEFT_OUT, name)
        if dtype.is_nested() or dtype in (pl.Object, pl.Binary):
            reason = f"{name!r} is left out: cells of type {dtype} are not numbers, text or dates"
            return None, Note(f"{reason}; they are JSON in a filled table", NoteKind.LEFT_OUT, name)
        distinct, missing = _distinct(series), series.null_count()
        plural = "s" * (missing != 1)
        if distinct <= 1:
            constant = ConstantColumn.fit(series)
            return constant, constant.note()
        if dtype in (pl.String, pl.Categorical, pl.Enum):
            if kind is None and distinct > (most := max(20, min(256, len(series) // 5))):
                text = f"{name!r} is left out: {distinct} different texts in {len(series)} rows (at most {most})"
                return None, Note(text, NoteKind.LEFT_OUT, name)
            text = f"{name!r}: missing in {missing} row{plural}, a level of its own"
            return CategoryColumn.fit(series), Note(text, NoteKind.LEVEL, name) if missing else None
        text = f"{name!r}: missing in {missing} row{plural}{Treatment.MEDIAN.value}"
        imputed = Note(text, NoteKind.FILLED, name) if missing else None
        if dtype.is_float() or dtype.is_decimal():
            return NumberColumn.fit(series, self.formats.get(name), kind, linear=self.straight), imputed
        whole = series.to_physical()
        if dtype.is_integer() and max(abs(int(whole.min())), abs(int(whole.max()))) > SAFE:  # type: ignore[arg-type]
            wide = Note(f"{name!r} holds whole numbers beyond 2**61: kept to 15 digits", where=name)
            return NumberColumn.fit(series, kind=kind, linear=self.straight), wide
        return WholeColumn.fit(series, self.formats.get(name), kind, linear=self.straight), imputed


def _with_count_laws(columns: Sequence[Column], frame: pl.DataFrame, *, linear: bool) -> list[Column]:
    """Return columns of which those that may be counts have the law that the others tell; the first 1000 of them."""
    chosen = list(columns)
    counts = [i for i, c in enumerate(columns) if isinstance(c, NumericColumn) and c.may_count(frame[c.name])]
    if not counts:
        return chosen
    places, others = looked_at(len(frame), len(columns))
    rows = frame[np.sort(places)]
    blocks = {i: columns[i].encode(rows[columns[i].name]) for i in others if columns[i].features}
    fitted = {i: cast("NumericColumn", columns[i]) for i in counts[:_MAX_COUNTS]}
    values = {i: rows[column.name].cast(pl.Float64).to_numpy() for i, column in fitted.items()}
    laws = {i: column.told[0] for i, column in fitted.items()}
    events = [i for i, column in fitted.items() if column.chosen == "count"]
    for i, law in count_laws(values, laws, blocks, events).items():
        if law != laws[i]:
            chosen[i] = fitted[i].with_law(law, frame[fitted[i].name], linear=linear)
    return chosen


def _coloured(series: pl.Series) -> tuple[str, NDArray[Any] | None]:
    """Return a column's name and its values as a map takes them; None for texts of which most are different."""
    if series.dtype.is_numeric():
        return series.name, series.cast(pl.Float64, strict=False).to_numpy()
    if series.dtype in (pl.Date, pl.Datetime):
        return series.name, series.cast(pl.Datetime("ms")).dt.replace_time_zone(None).to_numpy()
    texts = as_text(series).fill_null("missing").str.slice(0, LONG)
    few = texts.n_unique() <= max(20, len(texts) // 2)
    return series.name, texts.to_numpy().astype(str) if few else None


def table_source(
    frame: pl.DataFrame,
    name: str,
    *,
    notes: Sequence[Note] = (),
    formats: Mapping[str, str] | None = None,
    like: TableSchema | None = None,
    ids: pl.Series | None = None,
    array: bool = False,
    decimal_comma: bool | None = None,
) -> TableSource:
    """Find the identifiers of a frame; with ``like``, they are those of the fit. An empty frame raises InputError.

    Examples
    --------
    >>> table_source(pl.DataFrame({"index": [0, 1, 2], "x": [5, 6, 5]}), "t").notes
    ("'index' names the rows (whole numbers counting from 0): an identifier, not a feature",)
    """
    if frame.width == 0 or frame.is_empty():
        raise InputError(f"{name!r} has {len(frame)} rows and {frame.width} columns", "at least one of each")
    all_notes = list(notes)
    id_columns: tuple[str, ...] = ()
    if like is not None:
        id_columns = (like.id_name,) if like.id_name in like.left_out and like.id_name in frame.columns else ()
    elif not array and ids is None:
        id_columns = tuple(identifiers := _identifiers(frame))
        all_notes += _id_notes(identifiers)
    keys = ids if ids is not None else frame[id_columns[0]] if id_columns else None
    return TableSource(
        name=name,
        ids=_names(keys, len(frame)),
        id_name="row" if keys is None else keys.name,
        notes=tuple(all_notes),
        frame=frame,
        id_columns=id_columns,
        formats=formats or {},
        array=array,
        decimal_comma=decimal_comma,
    )


def _id_notes(identifiers: Mapping[str, str]) -> list[Note]:
    roles = ["names the rows", *["is left out"] * len(identifiers)]
    pairs = zip(identifiers.items(), roles, strict=False)
    return [Note(f"{name!r} {role} ({why}): an identifier, not a feature", where=name) for (name, why), role in pairs]


def _names(keys: pl.Series | None, n: int) -> NDArray[np.str_]:
    return row_numbers(n) if keys is None else np.array(keys.cast(pl.String).fill_null("").to_list(), np.str_)


def _distinct(series: pl.Series) -> int:
    """Count the different values of text; for other types, 2 stands for any number above 1."""
    if series.dtype in (pl.String, pl.Categorical, pl.Enum):
        return series.drop_nulls().n_unique()
    whole = series.to_physical() if series.dtype.is_temporal() else series
    least, most = whole.min(), whole.max()
    return 0 if least is None else 1 if least == most else 2


def _identifiers(frame: pl.DataFrame) -> dict[str, str]:
    """Columns that name rows, and why."""
    reasons = {}
    for series in frame:
        if series.null_count() or len(series) < 2:
            continue
        named = bool(ID_NAME.search(series.name) or ID_CAMEL.search(series.name))
        if series.dtype in (pl.String, pl.Categorical, pl.Enum) and series.n_unique() == len(series):
            reasons[series.name] = "text, different in every row"
        elif series.dtype.is_integer():
            start, end = series[0], series[-1]
            counts = start in (0, 1) and end - start == len(series) - 1
            counts = counts and series.cast(pl.Int64, strict=False).equals(pl.Series(np.arange(start, end + 1)))
            if counts and frame.width > 1:
                reasons[series.name] = f"whole numbers counting from {start}"
            elif named and series.n_unique() == len(series):
                reasons[series.name] = "whole numbers, different in every row, and its name"
    return reasons
