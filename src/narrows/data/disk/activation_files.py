"""Files of activations: .npy and .safetensors, mapped into memory, one or many."""

from __future__ import annotations

import glob
import json
import math
import re
from pathlib import Path

import numpy as np

from narrows.data.disk.activations import Activations, Shard
from narrows.data.disk.memory import size_words
from narrows.data.npy import DAMAGED, damaged, map_npy
from narrows.data.paths import data_path
from narrows.errors import InputError

__all__ = ["SUFFIXES", "open_activations"]

ACCEPTED = "activations: .npy or .safetensors files of numbers, (n, d) or (..., d), a folder of them, or a pattern"
SUFFIXES = (".npy", ".safetensors")
_MAX_CARD_BYTES = 100_000_000  # bytes of names and shapes, as in the library safetensors
_NUMPY_TYPES = {"F64": "f8", "F32": "f4", "F16": "f2", "BF16": "u2", "I8": "i1", "U8": "u1", "I32": "i4", "I64": "i8"}


def open_activations(data: str, tensor: str | None = None) -> tuple[Activations, list[str]]:
    """Map files of activations into memory, and say what was found; ``tensor`` names one of several in a file.

    Raises InputError where there are no such files, where one is damaged, and where there are fewer than 2 rows.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     np.save(Path(folder, "a.npy"), np.ones((3, 2, 4), np.float16))
    ...     rows, notes = open_activations(folder)
    >>> len(rows), rows.shapes[0], notes[0]
    (6, (4,), 'a.npy: axes (3, 2, 4) are read as 6 rows of 4')
    """
    paths, notes = _files(data)
    shards = []
    for path in paths:
        shard, shape = _npy(path) if path.suffix.lower() == ".npy" else _safetensors(path, tensor)
        shards.append(shard)
        if len(shape) > 2:
            notes.append(f"{path.name}: axes {shape} are read as {len(shard.values):,} rows of {shape[-1]}")
    if len(shards) > 1:
        listed = ", ".join(path.name for path in paths[:5]) + (", ..." if len(paths) > 5 else "")
        notes.append(f"{len(shards)} shards, in this order: {listed}")
    rows = Activations(shards)
    if len(rows) < 2:
        raise InputError(f"{data} holds {len(rows)} rows", "2 rows or more")
    return rows, notes


def _files(data: str) -> tuple[list[Path], list[str]]:
    path = data_path(data)
    if path.is_file():
        paths, others = [path], 0
    elif path.is_dir():
        files = [file for file in path.iterdir() if file.is_file() and not file.name.startswith(".")]
        paths = [file for file in files if file.suffix.lower() in SUFFIXES]
        others = len(files) - len(paths)
    else:
        paths, others = [Path(name) for name in glob.glob(str(path))], 0
    if not paths or not all(file.suffix.lower() in SUFFIXES for file in paths):
        raise InputError(f"{data} holds no activations" if path.exists() else f"there is nothing at {data}", ACCEPTED)
    paths.sort(key=lambda file: [int(w) if w.isdigit() else w for w in re.split(r"(\d+)", file.name)])
    return paths, [f"{data}: {others} other files are not read"] if others else []


def _npy(path: Path) -> tuple[Shard, tuple[int, ...]]:
    try:
        array = map_npy(path)
    except DAMAGED as error:
        raise damaged(path.name, error, ACCEPTED) from None
    if array.dtype.kind not in "fiu" or array.ndim < 2 or 0 in array.shape[1:]:
        raise InputError(f"{path.name} holds {array.dtype} of shape {array.shape}", ACCEPTED)
    if array.ndim > 2 and not array.flags.c_contiguous:
        raise InputError(f"{path.name} is in Fortran order, on {array.ndim} axes", "rows one after the other")
    return Shard(path.name, array.reshape(-1, array.shape[-1])), array.shape


def _safetensors(path: Path, tensor: str | None) -> tuple[Shard, tuple[int, ...]]:
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            room = path.stat().st_size - 8 - length
            if length == 0 or room < 0 or length > _MAX_CARD_BYTES:
                raise ValueError(f"it declares {size_words(length)} of names and shapes")
            cards = json.loads(file.read(length))
        tables = {name: card for name, card in cards.items() if name != "__metadata__" and len(card["shape"]) > 1}
        names = [name for name in tables if tensor in (None, name)]
        if len(names) != 1:
            listed = ", ".join(tables) or "none"
            raise InputError(f"{path.name} holds these tensors of two axes or more: {listed}", "one", "--tensor NAME")
        card = tables[names[0]]
        shape, kind = tuple(card["shape"]), _NUMPY_TYPES[card["dtype"]]
        start, values = card["data_offsets"][0], math.prod(shape) * np.dtype(kind).itemsize
        if min(start, *shape) < 0 or start + values > room:
            raise ValueError(f"it declares {size_words(values)} of values and holds {size_words(room)}")
        rows = np.memmap(path, f"<{kind}", "r", 8 + length + start, (math.prod(shape[:-1]), shape[-1]))
    except InputError:
        raise
    except DAMAGED as error:
        raise damaged(path.name, error, ACCEPTED) from None
    return Shard(path.name, rows, card["dtype"] == "BF16"), shape
