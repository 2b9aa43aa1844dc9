"""Files that are larger than memory, piece by piece: arrays, Parquet files, folders of images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import polars.selectors as cs

from narrows.data.array_stores import is_store
from narrows.data.base import Schema, Source, digest
from narrows.data.datasets import meant
from narrows.data.disk.stored import DiskArray, stored
from narrows.data.images.files import image_items
from narrows.data.images.frames import Frame
from narrows.data.images.pixels import FORMATS
from narrows.data.images.source import ImageSchema, load_images, whole_pixels
from narrows.data.npy import require_uncut
from narrows.data.paths import data_path
from narrows.data.read import dense
from narrows.data.tables.parquet import open_parquet, whole_parquet
from narrows.data.tables.schema import TableSchema
from narrows.data.tables.source import table_source
from narrows.notes import Note

__all__ = ["Chunks", "ImageChunks", "pieces_of", "size_of"]

SAMPLE = 100_000  # rows that a schema is learnt from
PIECE = 64 << 20  # bytes of a piece, roughly


class Chunks(ABC):
    """Rows of a file that are read some at a time."""

    name: str
    row_bytes: int
    paths: list[Path]  # of the files
    notes: tuple[Note, ...] = ()  # on what was left out

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def read(self, start: int, stop: int, like: Schema | None = None) -> Source:
        """Return some rows that follow each other, with the names that they have in the whole."""

    def stamp(self) -> str:
        """Return a hash of the names, sizes and times of the files: other files have another."""
        files = [(path.absolute().as_posix(), path.stat()) for path in self.paths]
        return digest(*(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in files))

    @property
    def sampled(self) -> np.ndarray:
        """Which rows ``sample`` gives: at most 100 000, evenly spaced."""
        return _even(len(self), SAMPLE)

    @abstractmethod
    def sample(self) -> Source:
        """Return some rows, from which a schema may be learnt."""

    def has_holes(self) -> bool:
        """Return whether some cells are empty."""
        return False

    def direct(self, schema: Schema) -> DiskArray | None:
        """Return the rows themselves where the schema leaves them as they are."""
        return None

    def anew(self, schema: Schema) -> DiskArray | None:
        """Return rows that are encoded whenever they are read, where scattered rows can be read."""
        return None

    def all(self, like: Schema) -> Iterator[Source]:
        """Go through all rows, a piece at a time."""
        step = max(1, PIECE // self.row_bytes)
        for start in range(0, len(self), step):
            yield self.read(start, min(start + step, len(self)), like)


class ArrayChunks(Chunks):
    """An ``.npy`` file."""

    def __init__(self, path: Path):
        self.rows, self.name, self.paths = stored(path), path.name, [path]
        self.row_bytes = self.rows.row_bytes * (8 if self.rows.array.ndim == 2 else 1)  # a table holds float64

    def __len__(self) -> int:
        return len(self.rows)

    def _source(self, at: Any, ids: np.ndarray, like: Schema | None) -> Source:
        require_uncut(self.rows.array)
        values = np.array(self.rows.array[at])
        self.rows.release()
        return replace(dense(values, self.name, like), ids=ids.astype(np.str_))

    def read(self, start: int, stop: int, like: Schema | None = None) -> Source:
        """Return some rows that follow each other; their names are their numbers."""
        return self._source(slice(start, stop), np.arange(start, stop), like)

    def sample(self) -> Source:
        """Return the rows that are sampled."""
        return self._source(self.sampled, self.sampled, None)

    def has_holes(self) -> bool:
        """Return whether some values are not a number."""
        floats = self.rows.dtype.kind == "f"
        return floats and any(bool(np.isnan(self.rows[part]).any()) for part in self.rows.blocks())

    def direct(self, schema: Schema) -> DiskArray | None:
        """Return the rows themselves, unless they are read as a table with columns of its own."""
        return self.rows if schema.kind == "array" else None


class ParquetChunks(Chunks):
    """A Parquet file, of which only the row groups that are needed are read."""

    def __init__(self, path: Path):
        self.name, self.paths = path.name, [path]
        self.scan, self.n = open_parquet(path)
        with whole_parquet(self.name):
            self.row_bytes = 12 * len(self.scan.collect_schema())

    def __len__(self) -> int:
        return self.n

    def read(self, start: int, stop: int, like: Schema | None = None) -> Source:
        """Return some rows that follow each other."""
        with whole_parquet(self.name):
            frame = self.scan.slice(start, stop - start).collect()
        return self._source(frame, np.arange(start, stop), like)

    @property
    def sampled(self) -> np.ndarray:
        """Every so many-th row, at most 100 000."""
        return np.arange(0, self.n, max(1, -(-self.n // SAMPLE)))

    def sample(self) -> Source:
        """Return the rows that are sampled."""
        with whole_parquet(self.name):
            frame = self.scan.gather_every(max(1, -(-self.n // SAMPLE))).collect(engine="streaming")
        return self._source(frame, self.sampled, None)

    def has_holes(self) -> bool:
        """Return whether some cells are empty or not a number."""
        empty = pl.all().null_count().cast(pl.UInt64), cs.float().is_nan().sum().cast(pl.UInt64).name.suffix("\x00nan")
        with whole_parquet(self.name):
            return bool(sum(self.scan.select(*empty).collect(engine="streaming").row(0)))

    def _source(self, frame: pl.DataFrame, numbers: np.ndarray, like: Schema | None) -> Source:
        fitted = like if isinstance(like, TableSchema) else None
        source = table_source(frame if fitted is None else fitted.conform(frame), self.name, like=fitted)
        return source if source.id_columns else replace(source, ids=numbers.astype(np.str_))


class ImageChunks(Chunks):
    """A folder of images, decoded by several threads."""

    def __init__(self, folder: Path, image_size: tuple[int, int] | None, *, skip_unreadable: bool = False):
        self.names, self.items, notes = image_items(folder, sift=whole_pixels if skip_unreadable else None)
        files = [item.path if isinstance(item, Frame) else item for item in self.items]
        self.paths, self.notes = list(dict.fromkeys(files)), tuple(notes)
        self.name, self.image_size = folder.name, image_size
        self.row_bytes = 3 * 128 * 128 if image_size is None else 4 * image_size[0] * image_size[1]

    def __len__(self) -> int:
        return len(self.items)

    def read(self, start: int, stop: int, like: Schema | None = None) -> Source:
        """Return some images, at the size of the fit."""
        return self._source(range(start, stop), like)

    def pick(self, rows: np.ndarray, like: Schema) -> Source:
        """Return the images at these positions, at the size of the fit."""
        return self._source(rows, like)

    def anew(self, schema: Schema) -> DiskArray | None:
        """Return images that are decoded whenever they are read."""
        return DiskArray(Decoded(self, schema)) if isinstance(schema, ImageSchema) else None

    @property
    def sampled(self) -> np.ndarray:
        """Which images ``sample`` gives: at most 2000, evenly spaced."""
        return _even(len(self), 2000)

    def sample(self) -> Source:
        """Return the images that are sampled; their sizes settle that of all."""
        source = self._source(self.sampled, None)
        return replace(source, notes=(*self.notes, *source.notes))

    def _source(self, at: Any, like: Schema | None) -> Source:
        items, ids = [self.items[i] for i in at], [self.names[i] for i in at]
        fitted = like if isinstance(like, ImageSchema) else None
        return replace(load_images(items, ids, self.name, fitted, self.image_size), id_name="file")


class Decoded:
    """Images that are decoded whenever they are read: what ``DiskArray`` needs of an array.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> for i in range(3):
    ...     Image.new("L", (2, 2), i).save(folder / f"{i}.png")
    >>> pieces = ImageChunks(folder, None)
    >>> rows = pieces.anew(pieces.sample().fit_schema())
    >>> rows.shape, rows[np.array([2, 0])].max((1, 2, 3)).tolist()
    ((3, 1, 2, 2), [2, 0])
    """

    def __init__(self, pieces: ImageChunks, schema: ImageSchema):
        self.pieces, self.schema = pieces, schema
        self.dtype, self.shape = np.dtype(schema.dtype), (len(pieces), *schema.shape)

    def __len__(self) -> int:
        return len(self.pieces)

    def __getitem__(self, at: Any) -> np.ndarray:
        """Decode the images of a slice, or at an array of positions."""
        rows = np.arange(len(self))[at]
        if not len(rows):
            return np.empty((0, *self.shape[1:]), self.dtype)
        return self.schema.encode(self.pieces.pick(rows, self.schema))


def pieces_of(data: str, image_size: tuple[int, int] | None = None, *, skip_unreadable: bool = False) -> Chunks | None:
    """Return the rows of a file piece by piece, or None where it can only be read as a whole.

    With ``skip_unreadable`` all images of a folder are read once, and those that cannot be are left out, with a note.
    """
    if meant(data):
        return None
    path = data_path(data)
    if path.is_dir():
        return None if is_store(path) else ImageChunks(path, image_size, skip_unreadable=skip_unreadable)
    if path.suffix.lower() == ".npy" and path.is_file():
        return ArrayChunks(path)
    return ParquetChunks(path) if path.suffix.lower() == ".parquet" and path.is_file() else None


def size_of(data: str) -> int:
    """Return about how many bytes the rows of a file or folder take in memory; 0 where that is not known."""
    path = data_path(data)
    if path.is_dir():
        return sum(4 * file.stat().st_size for file in path.rglob("*") if file.suffix.lower() in FORMATS)
    return path.stat().st_size * (4 if path.suffix.lower() == ".parquet" else 1) if path.is_file() else 0


def _even(n: int, max_rows: int) -> np.ndarray:
    return np.unique(np.linspace(0, n - 1, min(n, max_rows)).astype(np.int64))
