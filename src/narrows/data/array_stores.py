"""HDF5 files and Zarr folders: the arrays of numbers that they hold, by name, each read when it is asked for."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows.data.disk.memory import require_room
from narrows.data.extras import required
from narrows.errors import InputError, listed, unknown

__all__ = ["ArrayStore", "is_store", "opened_store"]

HDF5, ZARR = (".h5", ".hdf5"), ".zarr"
_NUMBERS = "biuf"  # kinds of types that are read
_BYTES_PER_NUMBER = 8  # of a table, which is encoded in double precision
_ZARR_METADATA = (".zarray", "zarr.json")
# What turns chunks of bytes into numbers; others may be programs, as pickles are.
_CODECS = {"adler32", "astype", "bitround", "blosc", "bytes", "bz2", "crc32", "crc32c", "delta", "endian"}
_CODECS |= {"fixedscaleoffset", "fletcher32", "gzip", "jenkins_lookup3", "lz4", "lzma", "packbits", "quantize"}
_CODECS |= {"sharding_indexed", "shuffle", "transpose", "zlib", "zstd"}


def is_store(path: Path) -> bool:
    """Return whether a path is an HDF5 file or a Zarr folder, by its ending.

    Examples
    --------
    >>> is_store(Path("a.csv"))
    False
    """
    return (path.suffix.lower() in HDF5 and path.is_file()) or (path.suffix.lower() == ZARR and path.is_dir())


class ArrayStore(Mapping[str, NDArray[Any]]):
    """The arrays of numbers in an open store, by name; reading one that does not fit the memory raises InputError."""

    def __init__(self, path: Path, nodes: Mapping[str, Any]):
        self.path, self.nodes = path, nodes
        files = path.rglob("*") if path.is_dir() else [path]
        self.stored = sum(file.stat().st_size for file in files if file.is_file())

    def __len__(self) -> int:
        return len(self.nodes)

    def __iter__(self) -> Iterator[str]:
        return iter(self.nodes)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Read an array."""
        node = self.nodes[name]
        node = node() if callable(node) else node
        shape, dtype = tuple(node.shape), np.dtype(node.dtype)
        values = math.prod(shape) * dtype.itemsize
        plain = dtype in (np.uint8, np.uint16) or len(shape) < 2
        need = values if plain else values + _BYTES_PER_NUMBER * math.prod(shape)
        require_room(self.path.name, need, self.stored, "save a part of it as an .npy file")
        array: NDArray[Any] = np.asarray(node[...])
        return array

    def part(self, name: str | None, rows: tuple[str, ...]) -> Mapping[str, NDArray[Any]]:
        """Return the array of a name, or all, where one is alone or called as ``rows``; else InputError names them."""
        if name is not None:
            if name.strip("/") not in self:
                raise unknown(f"{self.path.name!r} holds no array of numbers {name!r}", name, self)
            return {name.strip("/"): self[name.strip("/")]}
        if not self:
            came = f"{self.path.name!r} holds no array of numbers"
            raise InputError(came, "an array, (n, d), (n, H, W) or (n, H, W, C)")
        if len(self) > 1 and not any(row in self for row in rows):
            first = next(iter(self))
            came = f"{self.path.name!r} holds {len(self)} arrays: {listed(list(self))}"
            raise InputError(came, "the name of one of them behind ::", f"{self.path}::{first}")
        return self


@contextmanager
def opened_store(path: Path) -> Iterator[ArrayStore]:
    """Open an HDF5 file or a Zarr folder for reading; one that is damaged raises an exception of ``npy.DAMAGED``.

    Raises InputError where the package for it is missing.
    """
    if path.is_dir():
        yield ArrayStore(path, dict(_zarr_arrays(path)))
        return
    h5py, nodes = required("h5py", "hdf5", f"{path.name!r}"), {}

    def look(name: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset) and node.dtype.kind in _NUMBERS and node.ndim and not _elsewhere(node):
            nodes[name] = node

    with h5py.File(path, "r") as file:
        file.visititems(look)  # no links to other files
        yield ArrayStore(path, nodes)


def _elsewhere(node: Any) -> bool:
    """Return whether the values of a dataset lie in other files: these may be any, and what is missing reads as 0."""
    return bool(node.is_virtual or node.external)


def _zarr_arrays(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield the arrays of numbers in a Zarr folder by name, each as what opens it; those of odd codecs are refused."""
    zarr = required("zarr", "zarr", f"{path.name!r}")
    for place in sorted({file.parent for name in _ZARR_METADATA for file in path.rglob(name)}):
        cards = [json.loads((place / name).read_bytes()) for name in _ZARR_METADATA if (place / name).is_file()]
        cards = [card for card in cards if card.get("node_type", "array") == "array"]
        name = place.relative_to(path).as_posix() if place != path else path.stem
        packed = [card.get(key) for card in cards for key in ("codecs", "filters", "compressor")]
        odd = sorted({codec for entry in packed for codec in _codecs(entry)} - _CODECS)
        if odd:
            came = f"{path.name!r}: {name!r} is packed by {listed(odd)}, which may run programs"
            raise InputError(came, f"one of {', '.join(sorted(_CODECS))}", "save it with another compressor")
        if cards and all(_is_numeric(card.get("data_type", card.get("dtype"))) and card.get("shape") for card in cards):
            yield name, partial(zarr.open_array, str(place), mode="r")


def _codecs(entry: Any) -> Iterator[str]:
    """Yield the names of codecs, also of those inside others."""
    if isinstance(entry, list):
        for inner in entry:
            yield from [inner] if isinstance(inner, str) else _codecs(inner)
    elif isinstance(entry, dict):
        yield from (str(entry[key]).removeprefix("numcodecs.") for key in ("name", "id") if key in entry)
        for inner in entry.values():
            yield from _codecs(inner)


def _is_numeric(dtype: Any) -> bool:
    try:
        return isinstance(dtype, str) and np.dtype(dtype).kind in _NUMBERS
    except TypeError:
        return False
