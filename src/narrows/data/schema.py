"""What was learnt about the columns or pixels at fit: the way in and the way back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from narrows.errors import ArtefactError, InputError

from .fillings import FILLED, Fillings, filled_words

if TYPE_CHECKING:
    from narrows.base_measure import Measure

    from .source import Source

__all__ = ["SCHEMAS", "Schema", "schema_from_json"]

SCHEMAS: dict[str, tuple[str, str]] = {
    "table": ("table_schema", "TableSchema"),
    "images": ("image_schema", "ImageSchema"),
    "array": ("array_schema", "ArraySchema"),
    "sparse": ("array_schema", "SparseSchema"),
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
    notes : tuple of str
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
    notes: tuple[str, ...] = ()

    @property
    def measures(self) -> tuple[Measure, ...]:
        """What kind of numbers the columns of a table hold; nothing for what is no table."""
        return ()

    @property
    def varying_shape(self) -> tuple[int, ...]:
        """The shape of one encoded row without the columns that held one value in the fit."""
        return self.shape

    def watching(self) -> Self:
        """Return a schema that also encodes whether what was constant in the fit is another value now."""
        return self

    def known(self, source: Source) -> NDArray[np.bool_] | None:
        """Say which encoded numbers of a table were there, shape ``(n, d)``; None for what has none missing."""
        return None

    def fillings(self, source: Source) -> Fillings:
        """Count by column the missing cells that ``encode`` fills, with what stands in; nothing without a table."""
        return {}

    def told(self, source: Source) -> tuple[str, ...]:
        """Say what the fit noted of the columns, and how many cells of these rows are filled, and with what."""
        return (*(note for note in self.notes if FILLED not in note), *filled_words(self.fillings(source)))

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
        """Refuse a source of another kind than this schema was fitted on."""
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
    found: type[Schema] = getattr(import_module(f"{__package__}.{module}"), name)
    return found.from_json(data)
