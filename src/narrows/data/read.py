"""One door for all data: a path, a named dataset, or an object."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from narrows.errors import InputError

from . import named
from .paths import data_path

if TYPE_CHECKING:
    from .schema import Schema
    from .source import Source

__all__ = ["read"]

TEXT = (".csv", ".tsv", ".tab", ".txt", ".data")
ACCEPTED = (
    "a .csv, .tsv, .parquet, .npy or .npz file, a folder of images, a named dataset "
    "(digits, mnist, fashion-mnist), an array, a data frame, a sparse matrix, a tensor"
)


def read(data: object, *, like: Schema | None = None, image_size: tuple[int, int] | None = None) -> Source:
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
    name = named.meant(data)
    if name is not None:
        return named.load(name)
    if isinstance(data, str | Path):
        path = data_path(data)
        try:
            return _path(path, like, image_size)
        except OSError as error:
            came = f"{path.name!r} cannot be opened ({error.strerror or error})"
            raise InputError(came, ACCEPTED, "check the path and its permissions") from error
    from .objects import from_object

    return from_object(data, like, image_size)


def _path(path: Path, like: Schema | None, image_size: tuple[int, int] | None) -> Source:
    if not path.exists():
        raise _not_found(path)
    suffix = "" if path.is_dir() else path.suffix.lower()
    if suffix in TEXT:
        from .tabular_files import text_table

        return text_table(path, like)
    if suffix == ".parquet":
        from .tabular_files import parquet_table

        return parquet_table(path, like)
    if suffix in (".npy", ".npz"):
        from .array_files import array_file

        return array_file(path, like)
    return _images(path, like, image_size)


def _images(path: Path, like: Schema | None, image_size: tuple[int, int] | None) -> Source:
    from .image_schema import ImageSchema
    from .images import image_folder
    from .pixels import FORMATS

    if path.is_file() and path.suffix.lower() not in FORMATS:
        ending = f"of type {path.suffix!r}" if path.suffix else "without an ending"
        raise InputError(f"{path.name!r} is a file {ending}", ACCEPTED, "export it as CSV or Parquet")
    return image_folder(path, like if isinstance(like, ImageSchema) else None, image_size)


def _not_found(path: Path) -> InputError:
    """Say what is there instead of a path that is not."""
    near: list[Any] = list(named.DATASETS)
    if path.parent.is_dir():
        near += [str(path.parent / other.name) for other in sorted(path.parent.iterdir())]
    close = difflib.get_close_matches(str(path), near, n=1, cutoff=0.6)
    hint = f"{close[0]!r}" if close else "check the path"
    return InputError(f"there is no file, folder or named dataset {str(path)!r}", ACCEPTED, hint)
