"""Rows that are larger than memory: an array, a Parquet file or a folder of images, read from disk while training."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import numpy as np
import polars as pl

from narrows.data import Schema, Source, schema_from_json
from narrows.data.base import Fillings, Treatment, filling_notes, together
from narrows.data.disk.chunks import Chunks, ImageChunks, pieces_of, size_of
from narrows.data.disk.encode import encode_to_disk
from narrows.data.disk.memory import free_memory
from narrows.data.disk.stored import DiskArray
from narrows.data.disk.writers import Writers
from narrows.data.tables.csv_text import to_parquet
from narrows.data.tables.files import TEXT
from narrows.data.tables.formatting import with_ids
from narrows.data.tables.impute import file_form, filled
from narrows.data.tables.schema import TableSchema
from narrows.data.tables.source import TableSource
from narrows.errors import InputError
from narrows.files import ENCODED
from narrows.holdout import ROWS_ON_DISK, Parts, Split
from narrows.params import param
from narrows.tasks.base import Task, spaced
from narrows.training import ranks
from narrows.workflows.base import Evaluated, Request, Say
from narrows.workflows.map_items import require_colour
from narrows.workflows.tables import NO_IMAGES, FittedRows, RowsWorkflow, rows_of, schema_of, settle, size_of_images

__all__ = ["StreamWorkflow"]

_MEMORY_SHARE = (
    0.25  # of the free memory that the file may take before its rows stay on disk: work on them takes as much again
)
_MAX_RIVAL_ROWS = 20_000  # rows that the competitors learn from


class StreamWorkflow(RowsWorkflow):
    """An array (npy), a Parquet file or a folder of images that is larger than memory.

    The schema is learnt from at most 100 000 rows, and what must be encoded is encoded once, on disk.
    """

    honours: ClassVar[tuple[str, ...]] = ("valid", "start")

    stream: bool = param(False, "read the rows from disk while training, as it is done for data larger than memory")

    def accepts(self, task: Task, request: Request) -> bool:
        """Return whether the data can be read from disk, and should: asked for, or larger than memory.

        Raises InputError where --stream came for data that cannot be read from disk.
        """
        if not self.stream and size_of(request.data) <= _MEMORY_SHARE * free_memory():
            return False  # before anything is opened: another workflow may read what this one does not
        whole = request.decode or request.second is not None or pieces_of(request.data) is None
        if whole and self.stream:
            text = Path(request.data).suffix.lower() in TEXT and Path(request.data).is_file()
            hint = to_parquet(Path(request.data)) if text else "leave it out"
            accepted = "an .npy file, a .parquet file or a folder of images"
            raise InputError(f"--stream came for {request.data}", accepted, hint)
        return not whole

    def fit(self, task: Task, request: Request, say: Say) -> dict[str, Any]:
        """Learn the schema from a sample, put a fixed part of the rows aside, and train from disk on the others."""
        pieces, sample = self._opened(request)
        parts = Parts.of_all(len(pieces)) if request.valid else ROWS_ON_DISK.numbers(len(pieces))
        where = Split.VALIDATION if request.valid else parts.split
        unseen = parts.measure[: parts.n_held]
        known = sample.take(np.flatnonzero(~np.isin(pieces.sampled, unseen)))
        known = known.linear() if task.linear else known
        schema = known.fit_schema() if request.start is None else schema_from_json(request.start["schema"])
        schema = schema.of_sample() if len(known) < len(parts.learn) else schema
        rows, form, passed_over = self._encoded(task, pieces, schema)
        learn, held = rows.take(parts.learn), rows.take(parts.measure)
        data_notes: tuple[str, ...] = sample.notes
        if request.valid:
            valid_rows, data_notes = self.own_rows(request.valid, schema, sample, Treatment.MEDIAN)
            held = schema.encode(valid_rows)
        if isinstance(held, DiskArray):
            held.limits()  # refused before anything is learnt
        settle(task, request, learn, schema)
        learnt_from = "" if request.start else f"; means, levels and sizes are those of {len(known):,} rows"
        disk_note = f"{pieces.name}: read from disk while training ({form}){learnt_from}"
        notes = list(dict.fromkeys((*data_notes, *schema.notes, *passed_over, disk_note)))
        for note in notes:
            say(note)
        shape = " x ".join(map(str, schema.shape))
        say(f"{task.name}: {len(learn):,} rows of {shape} values from {pieces.name}, from disk")
        task.fit(learn)
        parted_rows = (learn.take(spaced(len(learn), _MAX_RIVAL_ROWS)), held)
        train, test = (rows_of(part[:], sample, schema)._replace(labels=None) for part in parted_rows)
        inside = valid_rows if request.valid else sample.take(np.flatnonzero(np.isin(pieces.sampled, unseen)))
        self.learnt, self.pieces = FittedRows(task, sample, schema, train, test._replace(split=where), inside), pieces
        return {
            "name": pieces.name,
            "rows": len(pieces),
            "used": len(learn),
            "held_out": 0 if where.learnt else len(held),
            "values per row": shape,
            "fingerprint": rows.fingerprint().decode()[:16],
            "notes": notes,
            "split": where,
        }

    def _opened(self, request: Request) -> tuple[Chunks, Source]:
        """Return the rows on disk and a sample; what names columns that cannot be had is refused."""
        for flag, value in (
            ("--label", self.label),
            ("--drop", self.drop),
            ("--column", self.column),
            ("--missing", self.missing),
        ):
            if value is not None:
                came, hint = (
                    f"{flag} came for {request.data}, which is read from disk",
                    f"leave {flag} out, or make the file smaller",
                )
                raise InputError(came, "data whose columns are all learnt from", hint)
        pieces = _pieces(request.data, self.image_size, skip_unreadable=self.skip_unreadable)
        if not isinstance(pieces, ImageChunks):
            request.refuse(NO_IMAGES)
        sample = pieces.sample()
        if self.colour is not None:
            require_colour(sample, self.colour)
        return pieces, sample

    def _encoded(self, task: Task, pieces: Chunks, schema: Schema) -> tuple[DiskArray, str, list[str]]:
        """Return the encoded rows on disk, what they are (the file itself, or a copy), and what was passed over.

        The copy stays in the folder of the run until that is finished. A further process of torchrun has its own, which
        goes with this object.
        """
        rows = pieces.direct(schema)
        if rows is not None:
            return rows, "as they are", []
        run = task.resolve().checkpoint
        place = Path(run) if run and Path(run).is_dir() else None
        if place is not None and not ranks.assigned():
            return encode_to_disk(pieces, schema, place / ENCODED)
        self._folder = TemporaryDirectory(prefix=".rows-", dir=place)
        return encode_to_disk(pieces, schema, Path(self._folder.name) / ENCODED)

    def evaluate(self) -> Evaluated:
        """Measure on the rows that were put aside."""
        learnt = self.learnt
        items = self.items()._replace(total=len(self.pieces)) if learnt.task.mapped else None
        return Evaluated(learnt.task.evaluate(learnt.train, learnt.test), learnt.test, items)

    def write(self, folder: Path) -> list[Path]:
        """Write the outputs for all rows, piece by piece."""
        return write_pieces(self.learnt.task, self.learnt.schema, self.pieces, folder, fresh=False)

    def apply(self, task: Task, state: Mapping[str, Any], request: Request, out: Path, say: Say) -> list[Path]:
        """Write the outputs for new rows, piece by piece where the file allows it."""
        size, skip = size_of_images(self.image_size), self.skip_unreadable
        pieces = None if request.decode else pieces_of(request.data, size, skip_unreadable=skip)
        if pieces is None:
            return super().apply(task, state, request, out, say)
        if not isinstance(pieces, ImageChunks):
            request.refuse(NO_IMAGES)
        for note in pieces.notes:
            say(note)
        return write_pieces(task, schema_of(state, task), pieces, out, fresh=True, say=say)


def _pieces(data: str, image_size: str | None, *, skip_unreadable: bool) -> Chunks:
    pieces = pieces_of(data, size_of_images(image_size), skip_unreadable=skip_unreadable)
    if pieces is None or len(pieces) < 2:
        raise InputError(f"{data} has no rows to learn from", "at least 2 rows")
    return pieces


def write_pieces(
    task: Task, schema: Schema, pieces: Chunks, folder: Path, *, fresh: bool, say: Say | None = None
) -> list[Path]:
    """Write the task's outputs for all rows of a file, some at a time, and return the files."""
    seen_words: set[str] = set()
    fillings: list[Fillings] = []
    images: list[Path] = []
    fill = task.imputes and isinstance(schema, TableSchema) and pieces.has_holes()
    with Writers(folder, len(pieces)) as sinks:
        start = 0
        for source in pieces.all(schema):
            for words in (*source.notes, *schema.warnings(source)):
                if say is not None and words not in seen_words and len(seen_words) < 10:
                    say(words)
                seen_words.add(words)
            fillings.append(schema.fillings(source))
            for stem, values in task.outputs(schema.encode(source), fresh=fresh).items():
                images += _put(sinks, schema, source, stem, values, start)
            if fill and isinstance(schema, TableSchema) and isinstance(source, TableSource):
                _put_whole(sinks, schema, source, task, start)
            start += len(source)
    if say is not None:
        for note in filling_notes(together(fillings), Treatment.MEDIAN):
            say(note)
    return [*sinks.paths, *images]


def _put(sinks: Writers, schema: Schema, source: Source, stem: str, values: Any, start: int) -> list[Path]:
    """Add one output of a piece; images are files of their own, and returned."""
    if stem == "codes":
        values = {f"z{i + 1}": values[:, i] for i in range(values.shape[1])}
    if isinstance(values, Mapping):
        sinks.table(stem, with_ids(values, source.ids, source.id_name))
        return []
    shaped = values.reshape(len(values), *schema.shape)
    if schema.kind == "images":
        return schema.write(shaped, sinks.folder, stem, source.ids, source.id_name)
    decoded = schema.decode(shaped)
    if isinstance(schema, TableSchema) and not schema.array:
        sinks.table(stem, schema.file_frame(decoded, source.ids, source.id_name))
    else:
        sinks.array(stem, decoded.to_numpy() if isinstance(decoded, pl.DataFrame) else decoded, start)
    return []


def _put_whole(sinks: Writers, schema: TableSchema, source: TableSource, task: Task, start: int) -> None:
    """Add a piece of the table with its holes filled."""
    frame = filled(schema, source, task.complete)
    frame = source.frame if frame is None else frame
    if schema.array:
        sinks.array("imputed", frame.to_numpy(), start)
    else:
        sinks.table("imputed", file_form(schema, frame))
