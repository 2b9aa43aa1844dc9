"""Array files: npy, and npz with one array, X and y, or a sparse matrix."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from narrows.errors import InputError
from narrows.files import whole

from .arrays import sparse_source
from .objects import dense
from .source import Source

if TYPE_CHECKING:
    from .schema import Schema

__all__ = ["array_file", "write_array"]

ROWS, LABELS = ("X", "x", "data"), "y"
SPARSE = {"indices", "indptr", "format", "shape", "data"}


def array_file(path: Path, like: Schema | None = None) -> Source:
    """Read an npy or npz file; object arrays, damaged files and unknown names raise InputError.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     np.savez(file := Path(folder, "a.npz"), X=np.eye(3), y=[5, 5, 9])
    ...     source = array_file(file)
    >>> source.labels.tolist(), source.class_names
    ([0, 0, 1], ('5', '9'))
    """
    if path.stat().st_size == 0:
        raise InputError(f"{path.name!r} is empty (0 bytes)", "what np.save or np.savez wrote", "check the path")
    try:
        arrays = _arrays(path)
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, NotImplementedError) as error:
        if "Object arrays" in str(error):
            came = f"{path.name!r} holds Python objects"
            raise InputError(came, "an array of numbers", "convert it with .astype(float)") from error
        came = f"{path.name!r} cannot be read ({str(error).splitlines()[0]})"
        raise InputError(came, "what np.save or np.savez wrote", "write it again") from error
    if arrays.keys() >= SPARSE:
        return _sparse(path)
    return _choose(arrays, path, like)


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    with path.open("rb") as file:
        if file.read(6) != b"\x93NUMPY" and not zipfile.is_zipfile(file):
            raise ValueError("it is not an npy or npz file, or not whole")
        file.seek(0)
        held = np.load(file, allow_pickle=False)
        return {path.stem: held} if isinstance(held, np.ndarray) else {name: held[name] for name in held.files}


def _sparse(path: Path) -> Source:
    import scipy.sparse

    return sparse_source(scipy.sparse.load_npz(path), path.name)


def _choose(arrays: dict[str, NDArray[Any]], path: Path, like: Schema | None) -> Source:
    rows = [name for name in ROWS if name in arrays] or (list(arrays) if len(arrays) == 1 else [])
    if len(rows) != 1:
        came = f"{path.name!r} holds arrays named {', '.join(arrays) or '(none)'}"
        raise InputError(came, "one array, or X (or x, or data) and y", "np.savez(file, X=rows, y=labels)")
    source = dense(arrays[rows[0]], path.name, like)
    rest = [name for name in arrays if name not in (*rows, LABELS)]
    notes = [*source.notes, *(f"{path.name!r}: the array {name!r} is not read" for name in rest)]
    labels = arrays.get(LABELS)
    if labels is None or rows == [LABELS]:
        return replace(source, notes=tuple(notes))
    flat = np.char.decode(labels.ravel(), "utf-8", "replace") if labels.dtype.kind == "S" else labels.ravel()
    known = ~np.isnan(flat) if flat.dtype.kind == "f" else np.ones(len(flat), bool)
    numbers = flat.dtype.kind == "f" and known.any() and bool((flat == np.rint(flat))[known].all())
    whole = flat.dtype.kind in "iubU" or numbers
    if len(flat) != len(source) or not whole:
        notes.append(
            f"{path.name!r}: 'y' (shape {labels.shape}, {labels.dtype}) is not one class per row, and not read"
        )
        return replace(source, notes=tuple(notes))
    found = flat[known]
    values, places = np.unique(found.astype(np.int64) if flat.dtype.kind in "iubf" else found, return_inverse=True)
    index = np.full(len(flat), -1, np.int64)
    index[known] = places
    missing = f"; {(~known).sum()} of {len(flat)} rows have none" if not known.all() else ""
    notes.append(f"{path.name!r}: 'y' is read as labels ({len(values)} classes), not as a feature{missing}")
    return replace(source, notes=tuple(notes), labels=index, class_names=tuple(map(str, values)))


def write_array(values: ArrayLike, path: Path) -> Path:
    """Write one ``.npy`` file, whole or not at all.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     float(np.load(write_array([1.0, 2.5], Path(folder, "a.npy"))).sum())
    3.5
    """
    with whole(path) as draft, draft.open("wb") as file:
        stream: Any = SimpleNamespace(write=file.write)  # numpy writes past a real file, and hides that a disk is full
        np.save(stream, np.asarray(values), allow_pickle=False)
    return path
