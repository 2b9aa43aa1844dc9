"""Arrays in npy and npz files, whose headers are checked against the file before memory is taken."""

from __future__ import annotations

import ast
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from narrows.data.disk.memory import require_room, size_words
from narrows.errors import InputError

__all__ = ["DAMAGED", "damaged", "load_npy", "map_npy", "npz_arrays", "require_uncut"]

DAMAGED = (
    *(
        ValueError,
        OSError,
        EOFError,
        LookupError,
        TypeError,
        AttributeError,
        ArithmeticError,
        RuntimeError,
        SyntaxError,
    ),
    *(MemoryError, struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)
"""What readers raise where a file is not what it should be."""

_ZIP_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # as np.savez and np.savez_compressed write
_ROW_NAME_BYTES = 84  # bytes of a row's number as text


def load_npy(path: Path) -> NDArray[Any]:
    """Read an npy file; one that is damaged raises an exception of ``DAMAGED``, one that is too large InputError."""
    size = path.stat().st_size
    with path.open("rb") as file:
        _require_fit(path.name, _header(file), size - file.tell(), size)
        file.seek(0)
        array: NDArray[Any] = np.load(file, allow_pickle=False)
    return array


def map_npy(path: Path) -> NDArray[Any]:
    """Map an npy file into memory, for reading; one that is damaged raises an exception of ``DAMAGED``."""
    with path.open("rb") as file:
        _require_whole(_header(file), path.stat().st_size - file.tell())
    array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return array


def require_uncut(array: Any) -> None:
    """Refuse a mapped array whose file has become shorter: reading what is gone would end the process (SIGBUS).

    Raises InputError for such an array.

    Examples
    --------
    >>> require_uncut(np.zeros(3))
    """
    name = getattr(array, "filename", None)
    if name is None:
        return
    try:
        size = Path(name).stat().st_size
    except OSError:  # removed, but as long as it is mapped it is there
        return
    if size < array.offset + array.nbytes:
        came = f"{str(name)!r} was cut to {size_words(size)} while it was read, of {size_words(array.nbytes)}"
        raise InputError(came, "a file that stays as it is", "put it back; --resume goes on with a run")


def npz_arrays(path: Path) -> Mapping[str, NDArray[Any]]:
    """Return the arrays of an npz file by name, each read when it is asked for, and checked before.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     np.savez(file := Path(folder, "a.npz"), X=np.eye(2))
    ...     {name: array.shape for name, array in npz_arrays(file).items()}
    {'X': (2, 2)}
    """
    with zipfile.ZipFile(path) as archive:
        return _Archive(path, {info.filename.removesuffix(".npy"): info for info in archive.infolist()})


class _Archive(Mapping[str, NDArray[Any]]):
    def __init__(self, path: Path, members: dict[str, zipfile.ZipInfo]):
        self.path, self.members = path, members

    def __len__(self) -> int:
        return len(self.members)

    def __iter__(self) -> Any:
        return iter(self.members)

    def __getitem__(self, name: str) -> NDArray[Any]:
        info = self.members[name]
        if info.compress_type not in _ZIP_METHODS or info.flag_bits & 1:
            raise ValueError(f"{info.filename} is packed or locked in a way that np.savez does not know")
        with zipfile.ZipFile(self.path) as archive:
            stored = min(info.compress_size, self.path.stat().st_size)
            with archive.open(info) as file:
                _require_fit(self.path.name, _header(file), info.file_size - file.tell(), stored)
            with archive.open(info) as file:
                array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
        return array


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return shape and type that an npy file declares; what follows are the values."""
    major, _ = np.lib.format.read_magic(file)
    if major < 3:
        read = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    else:  # names of fields in UTF-8
        (length,) = struct.unpack("<I", file.read(4))
        fields = ast.literal_eval(file.read(min(length, 10_000)).decode())
        shape, dtype = fields["shape"], np.lib.format.descr_to_dtype(fields["descr"])
    if dtype.hasobject:
        raise ValueError("Object arrays are not read")
    if not dtype.itemsize or min(shape, default=0) < 0:
        raise ValueError(f"it declares an array of shape {shape} and type {dtype}")
    return tuple(shape), dtype


def _require_whole(header: tuple[tuple[int, ...], np.dtype[Any]], room: int) -> int:
    """Return the bytes that the values take; a file that cannot hold as many raises ValueError."""
    shape, dtype = header
    values = math.prod(shape) * dtype.itemsize
    if values > room:
        raise ValueError(f"it declares {size_words(values)} of values and holds {size_words(max(room, 0))}")
    return values


def _require_fit(name: str, header: tuple[tuple[int, ...], np.dtype[Any]], room: int, stored: int) -> None:
    """Refuse an array whose values the file cannot hold, or this machine's memory."""
    (shape, dtype), values = header, _require_whole(header, room)
    plain = dtype in (np.uint8, np.uint16) or len(shape) < 2
    need = values if plain else values + 8 * math.prod(shape)  # a table is encoded as float64
    hint = "np.savez, which packs nothing, or an .npy file, which reduce and denoise read from disk"
    require_room(name, need + _ROW_NAME_BYTES * (shape[0] if shape else 1), stored, hint)


def damaged(name: str, error: Exception, accepted: str = "what np.save or np.savez wrote") -> InputError:
    """Return what is said of a file that cannot be read."""
    if "Object arrays" in str(error):
        return InputError(f"{name!r} holds Python objects", "an array of numbers", "convert it with .astype(float)")
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return InputError(f"{name!r} cannot be read ({reason})", accepted, "write it again")
