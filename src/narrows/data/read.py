"""One door for all data: a path, a named dataset, or an object."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from narrows.data import datasets
from narrows.data.array_stores import is_store, opened_store
from narrows.data.arrays import array_source, sparse_source
from narrows.data.base import Source
from narrows.data.disk.memory import require_room
from narrows.data.masked import unmasked
from narrows.data.npy import DAMAGED, damaged, load_npy, npz_arrays
from narrows.data.paths import data_part
from narrows.data.stdin import STDIN, piped
from narrows.errors import InputError, nearest
from narrows.notes import Note, NoteKind

if TYPE_CHECKING:
    import polars as pl

    from narrows.data.base import Schema, Source
    from narrows.data.tables.source import TableSource

__all__ = ["array_file", "dense", "from_object", "read", "store_arrays"]

ACCEPTED = (
    "a .csv, .tsv, .json, .jsonl, .xlsx, .ods, .parquet, .feather, SQLite, .npy, .npz or .h5 file (text also as .gz or "
    ".zip), - for piped text, a .zarr folder, a folder of images, a named dataset (digits, mnist, fashion-mnist), an "
    "array, a data frame, a sparse matrix, a tensor"
)
_OTHER_SHEETS = (".xls", ".xlsb", ".numbers", ".gsheet")  # of spreadsheet programs that write .xlsx as well


def read(
    data: object,
    *,
    like: Schema | None = None,
    image_size: tuple[int, int] | None = None,
    encoding: str | None = None,
    columns: Mapping[str, str] | None = None,
    missing: Mapping[str, Sequence[object]] | None = None,
    skip_unreadable: bool = False,
) -> Source:
    """Read rows from wherever they are.

    Parameters
    ----------
    data : str, Path or object
        A file, a folder of images, a named dataset, a numpy array, a pandas or polars frame, a SciPy sparse matrix,
        a torch tensor, or a list of arrays or images.
    like : Schema, optional
        The schema of a fit: columns are taken by name whatever their order, images are resized as at fit.
    image_size : (height, width), optional
        The size of images; otherwise mixed or large ones are resized to at most 64 on the longer side.
    encoding : str, optional
        The encoding of a text table that is not UTF-8; otherwise the one that its bytes are most likely in.
    columns : mapping of str to str, optional
        What columns of a table hold, where they are not read as they are meant: ``{"zip": "category"}``. One of number,
        whole, count, amount, share, ordinal, category, date, text, identifier.
    missing : mapping of str to sequence, optional
        Values of columns that stand for a missing cell: ``{"age": [-1, 99]}``.
    skip_unreadable : bool
        Images of a folder that cannot be read are left out, and named in a note; otherwise they raise InputError.

    Returns
    -------
    Source
        The rows, with names and notes; anything that is not data raises InputError.

    Examples
    --------
    >>> source = read([[1.0, 2.0], [3.0, 5.0]])
    >>> source.kind, source.fit_schema().feature_names
    ('table', ('c0', 'c1'))
    """
    source = _read(data, like, Reading(image_size, encoding, skip_unreadable))
    if not columns and not missing:
        return source
    from narrows.data.tables.chosen_kinds import with_kinds
    from narrows.data.tables.chosen_missing import with_missing

    return with_kinds(with_missing(source, missing), columns)


class Reading(NamedTuple):
    """How files are read, where it does not follow from them."""

    image_size: tuple[int, int] | None = None
    encoding: str | None = None
    skip_unreadable: bool = False


def _read(data: object, like: Schema | None, reading: Reading) -> Source:
    name = datasets.meant(data)
    if name is not None:
        return datasets.load(name)
    if isinstance(data, str) and data == STDIN:
        from narrows.data.tables.files import text_bytes

        return text_bytes(piped(), "stdin", like, reading.encoding)
    if isinstance(data, str | Path):
        path, part = data_part(data)
        try:
            return _path(path, part, like, reading)
        except OSError as error:
            came = f"{path.name!r} cannot be opened ({error.strerror or error})"
            raise InputError(came, ACCEPTED, "check the path and its permissions") from error
    from narrows.data.read import from_object

    return from_object(data, like, reading.image_size)


def _path(path: Path, part: str | None, like: Schema | None, reading: Reading) -> Source:
    if not path.exists():
        raise _not_found(path)
    if path.suffix.lower() in (".npy", ".npz") and path.is_file():
        return array_file(path, like)
    if is_store(path):
        return store_arrays(path, part, like)
    from narrows.data.tables.files import is_table, table_file

    if part is not None or is_table(path):
        return table_file(path, part, like, reading.encoding)
    return _images(path, like, reading)


def _images(path: Path, like: Schema | None, reading: Reading) -> Source:
    from narrows.data.images.pixels import FORMATS
    from narrows.data.images.source import ImageSchema, image_folder

    if path.is_file() and path.suffix.lower() not in FORMATS:
        ending = f"of type {path.suffix!r}" if path.suffix else "without an ending"
        old = path.suffix.lower() in _OTHER_SHEETS
        hint = "save it as .xlsx or CSV" if old else "export it as CSV or Parquet"
        raise InputError(f"{path.name!r} is a file {ending}", ACCEPTED, hint)
    fitted = like if isinstance(like, ImageSchema) else None
    return image_folder(path, fitted, reading.image_size, skip_unreadable=reading.skip_unreadable)


def _not_found(path: Path) -> InputError:
    """Say what is there instead of a path that is not."""
    if set("*?") & set(str(path)):
        came = f"{str(path)!r} is a pattern, and nothing is called so"
        return InputError(came, "one file, or a folder of .parquet files", "name one file, or put them together")
    near: list[Any] = list(datasets.DATASETS)
    if path.parent.is_dir():
        near += [str(path.parent / other.name) for other in sorted(path.parent.iterdir())]
    close = nearest(str(path), near)
    hint = f"{close!r}" if close else "check the path"
    return InputError(f"there is no file, folder or named dataset {str(path)!r}", ACCEPTED, hint)


def from_object(data: object, like: Schema | None = None, image_size: tuple[int, int] | None = None) -> Source:
    """Read an object in memory; anything but rows raises InputError.

    Examples
    --------
    >>> from_object(np.zeros((2, 3), np.uint8)).kind
    'array'
    """
    data = unmasked(data)
    family = type(data).__module__.split(".")[0]
    if isinstance(data, np.ndarray):
        return dense(data, "array", like)
    if family == "scipy" and hasattr(data, "tocsr"):
        return sparse_source(data, "sparse matrix")
    if family == "torch" and hasattr(data, "detach"):
        return dense(_tensor(data), "tensor", like)
    if family in ("polars", "pandas"):
        return _frame(data, family, like)
    if isinstance(data, list | tuple):
        return _sequence(data, like, image_size)
    raise InputError(
        f"an object of type {type(data).__name__}",
        "a path, a numpy array, a pandas or polars frame, a SciPy sparse matrix, a torch tensor, a list of images",
        "numpy.asarray(data)",
    )


def dense(values: NDArray[Any], name: str, like: Schema | None = None) -> Source:
    """Read an array: images and uint8 as they are, other 2-D numbers as a table with columns c0, c1, ...

    Examples
    --------
    >>> dense(np.array([[1.0, np.nan], [2.0, 3.0]], np.float32), "a").frame.dtypes
    [Float32, Float32]
    """
    if values.dtype.names:
        import polars as pl

        return _table(pl.DataFrame({field: values[field] for field in values.dtype.names}), name, like)
    from narrows.data.tables.schema import TableSchema

    small = values.dtype in (np.uint8, np.uint16) and not isinstance(like, TableSchema)
    if values.ndim != 2 or values.dtype.kind not in "iufb" or small or values.size == 0 or values.dtype.itemsize > 8:
        return array_source(values, name)
    import polars as pl

    from narrows.data.tables.source import table_source

    native = values.astype(np.float32) if values.dtype == np.float16 else values
    native = native.astype(native.dtype.newbyteorder("="), copy=False)
    columns = [pl.Series(f"c{i}", np.ascontiguousarray(native[:, i])) for i in range(native.shape[1])]
    frame = pl.DataFrame([_no_nan(series) for series in columns])
    fitted = like if isinstance(like, TableSchema) else None
    frame = frame if fitted is None else fitted.conform(frame)
    return table_source(frame, name, like=fitted, array=True)


def _no_nan(series: pl.Series) -> pl.Series:
    return series.fill_nan(None) if series.dtype.is_float() else series


def _tensor(data: Any) -> NDArray[Any]:
    """Give a dense tensor on the CPU as an array; 16-bit floats become float32."""
    tensor = data.detach().cpu()
    tensor = tensor.to_dense() if str(tensor.layout) != "torch.strided" else tensor
    if tensor.dtype.is_floating_point and tensor.dtype.itemsize == 2:
        tensor = tensor.float()
    return cast("NDArray[Any]", tensor.numpy())


def _frame(data: Any, family: str, like: Schema | None) -> TableSource:
    import polars as pl

    from narrows.data.tables.from_pandas import from_pandas

    name = "frame"
    if isinstance(data, pl.LazyFrame):
        data = data.collect()
    if isinstance(data, pl.DataFrame):
        return _table(data, name, like)
    if family == "pandas" and hasattr(data, "columns"):
        frame, index = from_pandas(data)
        return _table(frame, name, like, index)
    came = f"a {family} {type(data).__name__}"
    raise InputError(came, "a data frame", "data.to_frame()")


def _table(frame: pl.DataFrame, name: str, like: Schema | None, ids: pl.Series | None = None) -> TableSource:
    from narrows.data.tables.schema import TableSchema
    from narrows.data.tables.source import table_source

    fitted = like if isinstance(like, TableSchema) else None
    return table_source(frame if fitted is None else fitted.conform(frame), name, like=fitted, ids=ids)


def _sequence(data: list[Any] | tuple[Any, ...], like: Schema | None, image_size: tuple[int, int] | None) -> Source:
    """Read a list of images of any sizes, of equal arrays, or of rows of numbers."""
    if not data:
        raise InputError("an empty list", "at least one row", "give rows")
    families = {type(item).__module__.split(".")[0] for item in data}
    if families == {"PIL"}:
        return _pictures(data, like, image_size)
    try:
        rows = [_tensor(item) if families == {"torch"} else np.asarray(unmasked(item)) for item in data]
    except ValueError as error:
        raise InputError("a list of rows of different lengths", "rows of one length", "pad or cut the rows") from error
    shapes = {row.shape for row in rows}
    if len(shapes) == 1:
        return dense(np.stack(rows), "list", like)
    if all(row.dtype == np.uint8 and row.ndim in (2, 3) for row in rows):
        from PIL import Image

        return _pictures([Image.fromarray(row) for row in rows], like, image_size)
    listed = ", ".join(map(str, sorted(shapes)[:4]))
    raise InputError(f"a list of rows of different shapes: {listed}", "rows of one shape, or uint8 images")


def _pictures(data: Any, like: Schema | None, image_size: tuple[int, int] | None) -> Source:
    from narrows.data.images.source import ImageSchema, image_list

    return image_list(data, "images", like if isinstance(like, ImageSchema) else None, image_size)


ROWS, LABELS = ("X", "x", "data"), "y"
SPARSE = {"indices", "indptr", "format", "shape", "data"}
_LINE_BYTES = 100  # bytes that a row and a column of a sparse matrix take, empty ones too


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


def store_arrays(path: Path, part: str | None, like: Schema | None = None) -> Source:
    """Read an array of an HDF5 file or a Zarr folder; ``part`` is its name, which one that is alone does not need.

    Raises InputError where it is not clear which one is meant, or where it cannot be read.
    """
    try:
        with opened_store(path) as store:
            source = _choose(store.part(part, ROWS), path, like)
    except InputError:
        raise
    except DAMAGED as error:
        raise damaged(path.name, error, "a whole HDF5 file or Zarr folder") from error
    return source if part is None else replace(source, name=f"{source.name}::{part}")


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
    require_room(path.name, _LINE_BYTES * sum(shape), path.stat().st_size, "leave out rows and columns that are empty")
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
    notes = [*source.notes, *(Note(f"{path.name!r}: the array {name!r} is not read", where=name) for name in rest)]
    labels = arrays.get(LABELS)
    if labels is None or rows == [LABELS]:
        return replace(source, notes=tuple(notes))
    flat = np.char.decode(labels.ravel(), "utf-8", "replace") if labels.dtype.kind == "S" else labels.ravel()
    known = ~np.isnan(flat) if flat.dtype.kind == "f" else np.ones(len(flat), bool)
    numbers = flat.dtype.kind == "f" and known.any() and bool((flat == np.rint(flat))[known].all())
    discrete = flat.dtype.kind in "iubU" or numbers
    if len(flat) != len(source) or not discrete:
        unread = f"{path.name!r}: 'y' (shape {labels.shape}, {labels.dtype}) is not one class per row, and not read"
        notes.append(Note(unread, where=LABELS))
        return replace(source, notes=tuple(notes))
    classes = flat[known]
    values, places = np.unique(classes.astype(np.int64) if flat.dtype.kind in "bf" else classes, return_inverse=True)
    index = np.full(len(flat), -1, np.int64)
    index[known] = places
    missing = f"; {(~known).sum()} of {len(flat)} rows have none" if not known.all() else ""
    label_text = f"{path.name!r}: 'y' is read as labels ({len(values)} classes), not as a feature{missing}"
    notes.append(Note(label_text, NoteKind.LABELS, LABELS))
    return replace(source, notes=tuple(notes), labels=index, class_names=tuple(map(str, values)))
