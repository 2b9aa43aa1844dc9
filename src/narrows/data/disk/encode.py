"""Rows of a file that are encoded once, on disk, and used again when a stopped run goes on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap

from narrows._version import __version__
from narrows.data.base import Schema, digest
from narrows.data.disk.chunks import Chunks
from narrows.data.disk.memory import size_words
from narrows.data.disk.stored import DiskArray, stored
from narrows.errors import InputError
from narrows.files import reserve, whole, write_text

__all__ = ["encode_to_disk"]

_ROWS_FILE, _KEY_FILE, _NOTES_FILE = "rows.npy", "rows.key", "rows.told"
_MAX_NOTES = 10  # lines of what was passed over
_MAX_DISK_SHARE = 0.9  # of the free disk that the rows may take


def encode_to_disk(pieces: Chunks, schema: Schema, folder: Path) -> tuple[DiskArray, str, list[str]]:
    """Return the encoded rows, in words where they are, and what was passed over: pixels stay, others become float32.

    They are written to ``folder/rows.npy``, once: what a stopped run left there is used again, where names, sizes and
    times of the files and the schema are the same. Images for which the disk has no room are decoded whenever they are
    read; other rows raise ``InputError`` then.
    """
    first = schema.encode(pieces.read(0, 1, schema))
    kind = first.dtype if first.dtype.kind == "u" else np.dtype(np.float32)
    shape = (len(pieces), *schema.shape)
    need, rows = kind.itemsize * int(np.prod(shape, dtype=np.int64)), folder / _ROWS_FILE
    key = digest(__version__, json.dumps(schema.to_json(), sort_keys=True), str(shape), pieces.stamp())
    where = f"encoded once, into {size_words(need)} that are removed when the run is finished"
    if (folder / _KEY_FILE).is_file() and (folder / _KEY_FILE).read_text(encoding="utf-8") == key:
        return stored(rows).reshape(*shape), where, (folder / _NOTES_FILE).read_text(encoding="utf-8").splitlines()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    free = shutil.disk_usage(folder).free
    if need > _MAX_DISK_SHARE * free:
        anew, short = pieces.anew(schema), f"{size_words(need)} when encoded, and {folder} has {size_words(free)} free"
        if anew is None:
            raise InputError(f"{pieces.name!r} takes {short}", "a disk with room for the encoded rows", "another -o")
        return anew, f"decoded again whenever they are needed, which is slower: they take {short}", []
    notes: list[str] = []
    with whole(rows) as temporary:
        array, at = open_memmap(temporary, "w+", kind, shape), 0
        reserve(temporary, array.offset + array.nbytes)
        for piece in pieces.all(schema):
            notes += [words for words in schema.warnings(piece) if words not in notes]
            array[at : at + len(piece)] = schema.encode(piece)
            at += len(piece)
            DiskArray(array).release()
        array.flush()
    notes = notes[:_MAX_NOTES]
    write_text(folder / _NOTES_FILE, "\n".join(notes))
    write_text(folder / _KEY_FILE, key)
    return stored(rows).reshape(*shape), where, notes
