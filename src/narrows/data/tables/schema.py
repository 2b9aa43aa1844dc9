"""The schema of a table: which columns become which numbers, and the way back to a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NotRequired, Protocol, Self, TypedDict, cast

import numpy as np
import polars as pl
import polars.selectors as cs
from numpy.typing import ArrayLike, NDArray

from narrows.base_measure import Measure
from narrows.data.base import Schema, Source
from narrows.data.tables.categorical import CategoryColumn, ConstantColumn, shortened
from narrows.data.tables.column import Column
from narrows.data.tables.columns import NumberColumn, NumericColumn, WholeColumn, in_file_form
from narrows.data.tables.conform import conform, require_finite
from narrows.data.tables.formatting import cell_text, with_ids, writable, write_csv
from narrows.errors import ArtefactError, InputError
from narrows.files import whole, write_array
from narrows.notes import Note, NoteKind, SavedNote
from narrows.typed_json import Distinct, typed

__all__ = ["COLUMNS", "TableSchema"]

_MAX_NAMED_CELLS = 3  # cells of a column that are named

COLUMNS: dict[str, type[Column]] = {
    column.kind: column for column in (NumberColumn, WholeColumn, CategoryColumn, ConstantColumn)
}


class HasFrame(Protocol):
    """A source of rows in columns, which `require_kind` has told from the others."""

    frame: pl.DataFrame


class TableCard(TypedDict):
    """A schema of a table as JSON has it."""

    kind: str
    columns: list[dict[str, Any]]
    left_out: list[str]
    id_name: str
    array: bool
    notes: list[str | SavedNote]
    decimal_comma: NotRequired[bool | None]


@dataclass(frozen=True, eq=False, kw_only=True)
class TableSchema(Schema):
    """Columns to float64 and back: medians, standardised numbers, one-hot categories, constants.

    Parameters
    ----------
    columns : tuple of Column
        The columns that come back at decode, in their original order.
    left_out : tuple of str
        Columns that neither go in nor come back: identifiers first, then free text.
    id_name : str
        The identifier column, ``"row"`` where there is none.
    array : bool
        The table was an array: ``write`` gives an ``.npy`` file.
    decimal_comma : bool or None
        Which mark stands before decimals in the text file of the fit, where its numbers show one.

    Examples
    --------
    >>> from narrows.data import read
    >>> source = read(pl.DataFrame({"size": [1.0, 3.0, 5.0], "colour": ["red", "blue", "red"]}))
    >>> schema = source.fit_schema()
    >>> schema.feature_names, schema.encode(source).round(2)[0].tolist()
    (('size', 'colour=blue', 'colour=red'), [-1.22, 0.0, 1.0])
    >>> schema.decode(schema.encode(source))["colour"].to_list()
    ['red', 'blue', 'red']
    """

    kind: ClassVar[str] = "table"
    columns: tuple[Column, ...]
    left_out: tuple[str, ...] = ()
    id_name: str = "row"
    array: bool = False
    decimal_comma: bool | None = None

    @classmethod
    def build(
        cls,
        columns: Sequence[Column],
        left_out: Sequence[str] = (),
        id_name: str = "row",
        array: bool = False,
        notes: Sequence[Note] = (),
        decimal_comma: bool | None = None,
    ) -> Self:
        """Put columns together; the shape and the feature names follow from them."""
        features = tuple(name for column in columns for name in column.features)
        return cls(
            shape=(len(features),),
            feature_names=features,
            notes=tuple(notes),
            columns=tuple(columns),
            left_out=tuple(left_out),
            id_name=id_name,
            array=array,
            decimal_comma=decimal_comma,
        )

    @property
    def measures(self) -> tuple[Measure, ...]:
        """What kind of numbers the encoded columns hold, in their order; their widths add up to all of them."""
        return tuple(measure for column in self.columns if (measure := column.measure()).width)

    @property
    def widths(self) -> dict[str, int]:
        """How many encoded numbers every column has that has some."""
        return {column.name: width for column in self.columns if (width := len(column.features))}

    @property
    def varying_shape(self) -> tuple[int, ...]:
        """The shape of one encoded row without the columns that hold one value."""
        return (self.shape[0] - sum(len(c.features) for c in self.columns if isinstance(c, ConstantColumn)),)

    def by_column(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return numbers of encoded columns (n, d), added up by the columns of the table that are encoded."""
        widths = [len(column.features) for column in self.columns if column.features]
        return np.asarray(np.add.reduceat(values, np.cumsum([0, *widths[:-1]]), axis=1))

    def watching(self) -> Self:
        """Return the schema in which a column of one value says whether a row holds another one."""
        columns = [replace(c, watched=True) if isinstance(c, ConstantColumn) else c for c in self.columns]
        return self._with_constants(columns)

    def with_holes(self) -> Self:
        """Return the schema in which a column of one value is missing where it was, instead of one value throughout."""
        columns = [
            replace(c, holed=True) if isinstance(c, ConstantColumn) and c.missing and c.value is not None else c
            for c in self.columns
        ]
        return self._with_constants(columns)

    def of_sample(self) -> Self:
        """Return the schema whose numbers come back as they are decoded, beyond the range of the sample too."""
        columns = [replace(c, support=None) if isinstance(c, NumericColumn) else c for c in self.columns]
        return self._with(columns, self.notes)

    def _with_constants(self, columns: Sequence[Column]) -> Self:
        constant_notes = {column.name: column.note() for column in columns if isinstance(column, ConstantColumn)}
        return self._with(columns, [constant_notes.get(note.where, note) for note in self.notes])

    def _with(self, columns: Sequence[Column], notes: Sequence[Note]) -> Self:
        return self.build(columns, self.left_out, self.id_name, self.array, notes, self.decimal_comma)

    def with_blanks(self) -> Self:
        """Return the schema in which a missing category is not a level but missing, as a missing number is."""
        columns = [replace(c, missing=False, blank=True) if isinstance(c, CategoryColumn) else c for c in self.columns]
        notes = [note for note in self.notes if note.kind is not NoteKind.LEVEL]
        return self._with(columns, notes)

    def known(self, source: Source) -> NDArray[np.bool_]:
        """Say which encoded numbers were there, shape ``(n, d)``; a missing category is one, where it is a level."""
        frame = self._frame(source)
        out = np.ones((len(frame), self.shape[0]), bool)
        start = 0
        for column in self.columns:
            stop = start + len(column.features)
            if column.filling() is not None:
                series = frame[column.name]
                series = series.fill_nan(None) if series.dtype.is_float() else series
                out[:, start:stop] = series.is_not_null().to_numpy()[:, None]
            start = stop
        return out

    def fillings(self, source: Source) -> dict[str, tuple[int, str]]:
        """Count by column the missing cells that ``encode`` fills, with what stands in for them."""
        frame = self._frame(source)
        missing = frame.with_columns(cs.float().fill_nan(None)).null_count().row(0, named=True)
        values = {column.name: column.filling() for column in self.columns if missing[column.name]}
        return {name: (missing[name], value) for name, value in values.items() if value is not None}

    def conform(self, frame: pl.DataFrame, decimal_comma: bool = False) -> pl.DataFrame:
        """Give the columns of ``frame`` the types of the fit; missing columns and wrong cells raise InputError."""
        present = set(frame.columns)
        missing = [column.name for column in self.columns if column.name not in present]
        if missing:
            listed = ", ".join(map(repr, missing[:10])) + (", ..." if len(missing) > 10 else "")
            raise InputError(
                f"{len(missing)} of the {len(self.columns)} columns of the fit {_are(len(missing))} missing: {listed}",
                f"the columns of the fit in any order; came: {', '.join(map(repr, frame.columns[:10]))}",
                "add or rename the columns",
            )
        changed = [conform(frame[column.name], column, decimal_comma) for column in self.columns]
        return frame.with_columns(changed)

    def encode(self, source: Source) -> NDArray[np.float64]:
        """Encode rows as float64, shape ``(n, d)``; missing columns, wrong or infinite cells raise InputError."""
        frame = self._frame(source)
        require_finite(frame.select(column.name for column in self.columns))
        out = np.empty((len(frame), self.shape[0]))
        start = 0
        for column in self.columns:
            stop = start + len(column.features)
            out[:, start:stop] = column.encode(frame[column.name])
            start = stop
        return out

    def warnings(self, source: Source) -> tuple[str, ...]:
        """Count unseen categories, far values and changed constants, and name the columns that are passed over."""
        frame = self._frame(source)
        messages = []
        for column in self.columns:
            if isinstance(column, NumericColumn) and (far := column.far(frame[column.name])).any():
                messages.append(_far_words(frame[column.name].filter(far), source.ids[far], source.id_name))
            if isinstance(column, CategoryColumn) and len(unseen := column.unseen(frame[column.name])):
                levels = unseen.unique().sort().to_list()[:3]
                shown = ", ".join("missing" if level is None else shortened(level) for level in levels)
                text = f"{column.name!r}: {rows_hold(len(unseen))} values not seen in the rows learnt from ({shown})"
                messages.append(f"{text}: encoded as zeros")
            if isinstance(column, ConstantColumn) and (changed := int(column.differs(frame[column.name]).sum())):
                differ = "1 row differs" if changed == 1 else f"{changed} rows differ"
                use = "which is an anomaly" if column.watched else "which is not used"
                messages.append(f"{column.name!r} was {column.words()} in every row learnt from; {differ}, {use}")
        known = {column.name for column in self.columns} | set(self.left_out)
        extra = [name for name in frame.columns if name not in known]
        if extra:
            shown = ", ".join(map(repr, extra[:10])) + (", ..." if len(extra) > 10 else "")
            count = "1 column was" if len(extra) == 1 else f"{len(extra)} columns were"
            messages.append(f"{count} not there at fit and not used: {shown}")
        return tuple(messages)

    def decode(self, values: ArrayLike) -> pl.DataFrame:
        """Turn numbers, shape ``(n, d)``, into a frame with the columns, order and types of the fit.

        Raises InputError where the numbers have another shape.
        """
        encoded = np.asarray(values, np.float64)
        if encoded.ndim != 2 or encoded.shape[1] != self.shape[0]:
            raise InputError(f"values of shape {encoded.shape}", f"shape (n, {self.shape[0]})")
        out, start = [], 0
        for column in self.columns:
            stop = start + len(column.features)
            out.append(column.decode(encoded[:, start:stop]))
            start = stop
        return pl.DataFrame(out)

    def write(self, values: ArrayLike, folder: Path, stem: str, ids: NDArray[np.str_], id_name: str) -> list[Path]:
        """Write ``stem.csv``, identifiers first; ``stem.npy`` where the table was an array."""
        if self.array:
            return [write_array(self.decode(values).to_numpy(), folder / f"{stem}.npy")]
        path = folder / f"{stem}.csv"
        with whole(path) as draft, draft.open("wb") as file:
            write_csv(self.file_frame(self.decode(values), ids, id_name), file)
        return [path]

    def file_frame(self, frame: pl.DataFrame, ids: NDArray[np.str_], id_name: str) -> pl.DataFrame:
        """Return decoded rows as they are written: identifiers first, dates and digits as in the file of the fit."""
        return with_ids(writable(self.in_form(frame)), ids, id_name)

    def written(self, values: ArrayLike) -> pl.DataFrame:
        """Decode numbers, shape ``(n, d)``, to cells as their file had them: dates in their form, digits that count."""
        return self.in_form(self.decode(values))

    def in_form(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return decoded cells in the form of their file."""
        return frame.with_columns(in_file_form(frame[column.name], column) for column in self.columns)

    def to_json(self) -> dict[str, Any]:
        """Describe the schema by JSON values only."""
        return {
            "kind": self.kind,
            "columns": [column.to_json() for column in self.columns],
            "left_out": list(self.left_out),
            "id_name": self.id_name,
            "array": self.array,
            "notes": [note.to_json() for note in self.notes],
            "decimal_comma": self.decimal_comma,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild the schema from ``to_json``; what is no such schema raises ArtefactError."""
        saved: TableCard = typed(dict(data), TableCard, "schema")
        columns = []
        for i, column in enumerate(saved["columns"]):
            kind = typed(column.get("kind"), Literal[*COLUMNS], f"schema.columns[{i}].kind")
            columns.append(COLUMNS[kind].from_json(column, f"schema.columns[{i}]"))
        typed([column.name for column in columns], Annotated[list[str], Distinct()], "schema: the names of the columns")
        wrong = [column.name for column in columns if not column.type.is_numeric() and column.type != pl.Boolean]
        if saved["array"] and wrong:
            raise ArtefactError(f"schema.array is True, and column {wrong[0]!r} holds no numbers", "columns of numbers")
        notes = list(map(Note.from_json, saved["notes"]))
        rest = saved["left_out"], saved["id_name"], saved["array"], notes, saved.get("decimal_comma")
        return cls.build(columns, *rest)

    def _frame(self, source: Source) -> pl.DataFrame:
        self.require_kind(source, self.kind)
        return self.conform(cast(HasFrame, source).frame)


def _far_words(cells: pl.Series, ids: NDArray[np.str_], id_name: str) -> str:
    """Name the cells that are far from all others of their column by row and value."""
    named = zip(ids[:_MAX_NAMED_CELLS], map(cell_text, cells[:_MAX_NAMED_CELLS]), strict=True)
    shown = ", ".join(f"{cell} in {id_name} {row}" for row, cell in named)
    more = f" and {len(cells) - _MAX_NAMED_CELLS} more" if len(cells) > _MAX_NAMED_CELLS else ""
    return f"{cells.name!r} holds {shown}{more}, far from all other values: drawn in, so that the others set the scale"


def rows_hold(n: int) -> str:
    """Say how many rows hold something.

    Examples
    --------
    >>> rows_hold(1), rows_hold(2)
    ('1 row holds', '2 rows hold')
    """
    return "1 row holds" if n == 1 else f"{n} rows hold"


def _are(n: int) -> str:
    return "is" if n == 1 else "are"
