"""Array files: npy, and npz with one array, X and y, or a sparse matrix."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from narrows.data.arrays import sparse_source
from narrows.data.base import Source
from narrows.data.disk.memory import require_room
from narrows.data.npy import DAMAGED, damaged, load_npy, npz_arrays
from narrows.data.read import dense
from narrows.errors import InputError

if TYPE_CHECKING:
    from narrows.data.base import Schema

__all__ = ["array_file"]

ROWS, LABELS = ("X", "x", "data"), "y"
SPARSE = {"indices", "indptr", "format", "shape", "data"}
_SPARSE = 100  # bytes that a row and a column of a sparse matrix take, empty ones too


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
        return _sparse(arrays, path) if arrays.keys() >= SPARSE else _choose(arrays, path, like)
    except InputError:
        raise
    except DAMAGED as error:
        raise damaged(path.name, error) from error


def _arrays(path: Path) -> Mapping[str, NDArray[Any]]:
    with path.open("rb") as file:
        if file.read(6) == b"\x93NUMPY":
            return {path.stem: load_npy(path)}
    if not zipfile.is_zipfile(path):
        raise ValueError("it is not an npy or npz file, or not whole")
    return npz_arrays(path)


def _sparse(arrays: Mapping[str, NDArray[Any]], path: Path) -> Source:
    """Read what ``scipy.sparse.save_npz`` wrote; indices outside of the shape would end the process where they go."""
    import scipy.sparse

    shape = tuple(int(n) for n in arrays["shape"].tolist())
    if len(shape) != 2 or min(shape) < 0:
        raise ValueError(f"it declares a sparse matrix of shape {shape}")
    kind = arrays["format"].item()
    kind = kind.decode() if isinstance(kind, bytes) else kind
    if kind not in ("csr", "csc", "bsr"):
        raise ValueError(f"it declares a sparse matrix of the format {kind!r}")
    require_room(path.name, _SPARSE * sum(shape), path.stat().st_size, "leave out rows and columns that are empty")
    form = getattr(scipy.sparse, f"{kind}_matrix")
    matrix = form((arrays["data"], arrays["indices"], arrays["indptr"]), shape=shape)
    matrix.check_format(full_check=True)
    return sparse_source(matrix, path.name)


def _choose(arrays: Mapping[str, NDArray[Any]], path: Path, like: Schema | None) -> Source:
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
    values, places = np.unique(found.astype(np.int64) if flat.dtype.kind in "bf" else found, return_inverse=True)
    index = np.full(len(flat), -1, np.int64)
    index[known] = places
    missing = f"; {(~known).sum()} of {len(flat)} rows have none" if not known.all() else ""
    notes.append(f"{path.name!r}: 'y' is read as labels ({len(values)} classes), not as a feature{missing}")
    return replace(source, notes=tuple(notes), labels=index, class_names=tuple(map(str, values)))
