"""Rows as they were found: the raw side of the data door."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from narrows.errors import ArtefactError, InputError, listed
from narrows.notes import Note, NoteKind

if TYPE_CHECKING:
    from narrows.base_measure import Measure

__all__ = [
    "SCHEMAS",
    "Fillings",
    "Schema",
    "Source",
    "Treatment",
    "as_pictures",
    "channels_last",
    "class_folders",
    "digest",
    "filling_notes",
    "row_key",
    "row_numbers",
    "schema_from_json",
    "together",
]

_CHANNEL_COUNTS = (1, 3, 4)  # channels of grey, colour, colour with alpha


def row_numbers(n: int) -> NDArray[np.str_]:
    """Name ``n`` rows by their numbers, counted from 0.

    Examples
    --------
    >>> row_numbers(3).tolist()
    ['0', '1', '2']
    """
    return np.arange(n).astype(np.str_)


def row_key(row: Any) -> tuple[Any, ...]:
    """Return what equal rows or pictures share: arrays, or rows of a sparse matrix.

    Examples
    --------
    >>> row_key(np.zeros(2)) == row_key(np.zeros(2)), row_key(np.zeros(2)) == row_key(np.zeros((2, 1)))
    (True, False)
    """
    if sp.issparse(row):
        return row.indices.tobytes(), row.data.tobytes()
    return row.shape, hash(row.tobytes())


def digest(*parts: bytes | str | NDArray[Any]) -> str:
    """Hash parts with SHA-256; an array counts with its dtype and shape.

    Examples
    --------
    >>> digest("a", np.zeros(2)) == digest("a", np.zeros(2)), digest(np.zeros(2)) == digest(np.zeros(3))
    (True, False)
    """
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            total.update(f"{part.dtype.str}{part.shape}".encode())
            total.update(np.ascontiguousarray(part).tobytes())
        else:
            data = part.encode() if isinstance(part, str) else part
            total.update(f"{len(data)}:".encode())
            total.update(data)
    return total.hexdigest()


def channels_last(shape: tuple[int, ...]) -> bool:
    """Return whether an array of this shape looks like a picture (H, W, C) and not like (C, H, W).

    Small maps of features, as high as wide, do not.

    Examples
    --------
    >>> channels_last((16, 16, 3)), channels_last((3, 20, 4)), channels_last((8, 4, 4)), channels_last((7,))
    (True, False, False, False)
    """
    return len(shape) == 3 and shape[2] in _CHANNEL_COUNTS and shape[0] not in _CHANNEL_COUNTS and shape[1] != shape[2]


def as_pictures(values: Any) -> NDArray[np.uint8] | None:
    """Return arrays (n, C, H, W) as grey or coloured pictures of 8 bits, alpha left out; None for other shapes.

    Examples
    --------
    >>> as_pictures(np.full((1, 2, 1, 1), 65535, np.uint16)).tolist()
    [[[[255]]]]
    """
    if values is None or values.ndim != 4 or values.shape[1] > 4:
        return None
    colours: NDArray[Any] = values[:, : 1 if values.shape[1] < 3 else 3]
    if values.dtype.kind == "u":
        return np.asarray(np.right_shift(colours, 8 * (values.dtype.itemsize - 1)), np.uint8)
    low, high = float(colours.min()), float(colours.max())
    shades: NDArray[np.uint8] = np.rint((colours - low) * (255 / ((high - low) or 1.0))).astype(np.uint8)
    return shades


def class_folders(name: str, classes: Sequence[str]) -> Note:
    """Say that the folders of files are read as their classes.

    Examples
    --------
    >>> print(class_folders("photos", ["cat", "dog"]))
    'photos': its 2 subfolders are read as classes (cat, dog)
    """
    text = f"{name!r}: its {len(classes)} subfolders are read as classes ({listed(classes)})"
    return Note(text, NoteKind.CLASS_FOLDERS)


@dataclass(frozen=True, eq=False, kw_only=True)
class Source(ABC):
    """Raw rows with names, not yet encoded.

    Parameters
    ----------
    name : str
        What the rows are called: the file name, or the named dataset.
    ids : ndarray of str, shape (n,)
        One name per row: the identifier column, relative file names, or row numbers from 0.
    id_name : str
        What the identifiers are: ``"customer_id"``, ``"file"``, ``"row"``.
    labels : ndarray of int64, shape (n,), or None
        Class indices, where the data says so; -1 for a row without a label.
    class_names : tuple of str, or None
        The name of each class index.
    test : Source or None
        The official test part.
    notes : tuple of Note
        Sentences on what was found, left out or converted.

    Examples
    --------
    >>> from narrows.data import read
    >>> source = read(np.zeros((3, 8, 8), np.uint8))
    >>> source.kind, len(source), source.take(np.array([2])).ids.tolist()
    ('array', 3, ['2'])
    """

    kind: ClassVar[str]
    name: str
    ids: NDArray[np.str_]
    id_name: str = "row"
    labels: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] | None = None
    test: Source | None = None
    notes: tuple[Note, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @abstractmethod
    def take(self, index: NDArray[Any]) -> Self:
        """Keep the rows at ``index`` (row numbers or a boolean mask), in that order."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Hash the content: the same rows give the same 64 characters in every process."""

    @abstractmethod
    def fit_schema(self) -> Schema:
        """Learn from these rows how to encode rows like them; at least 2 rows (InputError)."""

    def linear(self) -> Self:
        """Return these rows for a schema whose numbers are no more than shifted and scaled."""
        return self

    def cells(self) -> dict[str, list[str]]:
        """Return the columns that a person would look at, as texts; none where rows are not a table."""
        return {}

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return what rows may be coloured by: numbers as floats, dates, and texts, each (n,); none without a table."""
        return {}

    def pictures(self) -> NDArray[np.uint8] | None:
        """Return the rows as pictures, shape (n, 1 or 3, H, W); None where they are none."""
        return as_pictures(getattr(self, "values", None))

    def label_rows(self, index: NDArray[Any]) -> NDArray[np.int64] | None:
        """Labels of the rows at ``index``, or None where there are no labels."""
        return None if self.labels is None else self.labels[index]

    def require_rows(self) -> None:
        """Refuse to learn from fewer than 2 rows. Raises InputError where there are fewer."""
        if len(self) < 2:
            came = f"{self.name!r} has {len(self)} row{'' if len(self) == 1 else 's'}"
            raise InputError(came, "at least 2 rows to learn from", "give more rows")


SCHEMAS: dict[str, tuple[str, str]] = {
    "table": ("tables.schema", "TableSchema"),
    "images": ("images.source", "ImageSchema"),
    "array": ("arrays", "ArraySchema"),
    "sparse": ("arrays", "SparseSchema"),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Schema(ABC):
    """The way from raw rows to numbers and back, with the statistics of the training rows.

    Parameters
    ----------
    shape : tuple of int
        The shape of one encoded row: ``(d,)`` or ``(C, H, W)``.
    image_shape : (C, H, W) or None
        The same where a row is an image.
    feature_names : tuple of str
        One name per encoded column; empty for images.
    notes : tuple of Note
        Columns left out and why, imputed values, what the sizes became.

    Examples
    --------
    >>> from narrows.data import read
    >>> schema = read(np.arange(8.0).reshape(4, 2)).fit_schema()
    >>> schema.shape, schema_from_json(schema.to_json()).feature_names
    ((2,), ('c0', 'c1'))
    """

    kind: ClassVar[str]
    shape: tuple[int, ...]
    image_shape: tuple[int, int, int] | None = None
    feature_names: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def measures(self) -> tuple[Measure, ...]:
        """What kind of numbers the columns of a table hold; nothing for what is no table."""
        return ()

    @property
    def widths(self) -> dict[str, int]:
        """How many encoded numbers the columns of a table have, in their order; nothing for what is no table."""
        return {}

    @property
    def varying_shape(self) -> tuple[int, ...]:
        """The shape of one encoded row without the columns that held one value in the fit."""
        return self.shape

    def watching(self) -> Self:
        """Return a schema that also encodes whether what was constant in the fit is another value now."""
        return self

    def of_sample(self) -> Self:
        """Return the schema of rows of which only a sample was seen: others may lie outside its range."""
        return self

    def known(self, source: Source) -> NDArray[np.bool_] | None:
        """Say which encoded numbers of a table were there, shape ``(n, d)``; None for what has none missing."""
        return None

    def fillings(self, source: Source) -> Fillings:
        """Count by column the missing cells that ``encode`` fills, with what stands in; nothing without a table."""
        return {}

    def filled(self, source: Source, treatment: Treatment) -> tuple[Note, ...]:
        """Say how many cells of these rows are missing, and what becomes of them."""
        return filling_notes(self.fillings(source), treatment)

    def described(self, source: Source, treatment: Treatment) -> tuple[Note, ...]:
        """Say what the fit noted of the columns, and what becomes of the missing cells of these rows."""
        return (*(note for note in self.notes if note.kind is not NoteKind.FILLED), *self.filled(source, treatment))

    @abstractmethod
    def encode(self, source: Source) -> Any:
        """Turn rows into numbers, shape ``(n, *shape)``; rows that do not fit raise InputError."""

    @abstractmethod
    def warnings(self, source: Source) -> tuple[str, ...]:
        """Say what ``encode`` passes over in these rows: unseen categories, extra columns, resized images."""

    @abstractmethod
    def decode(self, values: ArrayLike) -> Any:
        """Turn encoded numbers, shape ``(n, *shape)``, into rows in the original units and types."""

    @abstractmethod
    def write(self, values: ArrayLike, folder: Path, stem: str, ids: NDArray[np.str_], id_name: str) -> list[Path]:
        """Decode encoded numbers and write them below ``folder``, each file whole or not at all."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Describe the schema by JSON values only; floats are exact."""

    @classmethod
    @abstractmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild the schema that ``to_json`` described."""

    def require_kind(self, source: Source, *kinds: str) -> None:
        """Refuse a source of another kind than this schema was fitted on.

        Raises InputError where its kind is none of ``kinds``.
        """
        if source.kind not in kinds:
            raise InputError(
                f"{source.name!r} holds {_KINDS[source.kind]}, and the model was fitted on {_KINDS[self.kind]}",
                f"{_KINDS[self.kind]}, as at fit",
                "give data like the data of the fit",
            )


_KINDS = {"table": "a table", "images": "images", "array": "an array", "sparse": "a sparse matrix"}


def schema_from_json(data: Mapping[str, Any]) -> Schema:
    """Rebuild any schema from what its ``to_json`` gave; an unknown or damaged one raises ArtefactError.

    Examples
    --------
    >>> schema_from_json({"kind": "poem"})
    Traceback (most recent call last):
    narrows.errors.ArtefactError: the schema is of kind 'poem'. Accepted: table, images, array, sparse.
    """
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in SCHEMAS:
        raise ArtefactError(f"the schema is of kind {kind!r}", ", ".join(SCHEMAS))
    module, name = SCHEMAS[kind]
    schema_class: type[Schema] = getattr(import_module(f"narrows.data.{module}"), name)
    return schema_class.from_json(data)


Fillings = Mapping[str, tuple[int, str]]  # per column: the missing cells, and what stands in for them

_MAX_NAMED_COLUMNS = 10  # columns that have a line of their own


class Treatment(Enum):
    """What becomes of missing cells, as the end of a sentence on them."""

    MEDIAN = ", filled with the median"
    NEIGHBOURS = ", filled between neighbours in time"
    NO_PRICE = ", left out of the loss"
    MODEL = ", filled by the model"


def filling_notes(fillings: Fillings, treatment: Treatment) -> tuple[Note, ...]:
    """Say how many cells of each column are missing, and what becomes of them; many columns are summed up.

    Examples
    --------
    >>> for treatment in (Treatment.MEDIAN, Treatment.NO_PRICE):
    ...     print(*filling_notes({"age": (3, "41.5")}, treatment))
    'age': missing in 3 rows, filled with the median, 41.5
    'age': missing in 3 rows, left out of the loss
    """
    named, others = list(fillings.items())[:_MAX_NAMED_COLUMNS], list(fillings.values())[_MAX_NAMED_COLUMNS:]
    notes = []
    for name, (n, value) in named:
        stand_in = f", {value}" if treatment is Treatment.MEDIAN else ""
        text = f"{name!r}: missing in {n} row{'s' * (n != 1)}{treatment.value}{stand_in}"
        notes.append(Note(text, NoteKind.FILLED, name))
    if others:
        cells, columns = sum(n for n, _ in others), f"{len(others)} further column{'s' * (len(others) != 1)}"
        notes.append(Note(f"{columns}: {cells} cell{'s' * (cells != 1)} missing{treatment.value}", NoteKind.FILLED))
    return tuple(notes)


def together(parts: Iterable[Fillings]) -> dict[str, tuple[int, str]]:
    """Add up what was filled in parts of the rows.

    Examples
    --------
    >>> together([{"age": (3, "41.5")}, {"age": (1, "41.5"), "size": (2, "7")}])
    {'age': (4, '41.5'), 'size': (2, '7')}
    """
    totals: dict[str, tuple[int, str]] = {}
    for part in parts:
        for name, (n, value) in part.items():
            totals[name] = (totals.get(name, (0, ""))[0] + n, value)
    return totals
