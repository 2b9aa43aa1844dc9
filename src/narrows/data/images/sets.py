"""Pictures of any sizes, each at its own resolution: read, matched by name, and written back as they came."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from narrows.data.arrays import to_dtype
from narrows.data.base import digest
from narrows.data.disk.memory import require_memory
from narrows.data.images.files import ARRAYS, conversions, each_image, image_items, picture_size, read_picture
from narrows.data.images.frames import Frame, place_in_stack
from narrows.data.images.pixels import Item, to_depth, widen
from narrows.data.images.write import write_images
from narrows.data.paths import data_path
from narrows.data.scale import is_levels, unit_pictures
from narrows.errors import InputError, listed
from narrows.notes import Note

__all__ = ["Pictures", "alike", "law_of", "matched", "natural", "read_pictures", "stem", "write_pictures"]

Array = NDArray[Any]
_MEMORY_FACTOR = 5  # times as much memory takes a picture while it is read


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures as they are in their files.

    Parameters
    ----------
    name : str
        What they are called together: the folder's name.
    names : tuple of str
        The file of each, relative to the folder, with ``/``.
    arrays : list of ndarray
        Pixels, (C, H, W), uint8 or uint16, or floats from .npy files; C is 1, 3 (colour), 4 (colour with alpha), or any
        number in .npy and TIFF files; H and W are the file's own.
    notes : tuple of str
        Sentences on what was left out or converted.

    Examples
    --------
    >>> pictures = Pictures("two", ("a.png", "b.png"), [np.zeros((1, 4, 6), np.uint8), np.zeros((3, 9, 2), np.uint8)])
    >>> len(pictures), pictures.take([1]).names
    (2, ('b.png',))
    """

    name: str
    names: tuple[str, ...]
    arrays: list[Array]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def take(self, index: Sequence[int] | NDArray[Any]) -> Self:
        """Keep the pictures at ``index``, in that order."""
        rows = np.asarray(index, np.int64).tolist()
        return replace(self, names=tuple(self.names[i] for i in rows), arrays=[self.arrays[i] for i in rows])

    def fingerprint(self) -> str:
        """Hash the pixels, sizes and types."""
        return digest(*self.arrays)


def read_pictures(path: str | Path, *, skip_unreadable: bool = False) -> Pictures:
    """Read all pictures below a folder, or a single file, upright, each with its own size, channels and bit depth.

    They are sorted by name, 2 before 10. A file that cannot be read, or a folder without pictures, raises InputError;
    with ``skip_unreadable`` such files are left out, and named in a note.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from PIL import Image
    >>> with TemporaryDirectory() as folder:
    ...     Image.new("L", (6, 4)).save(Path(folder, "10.png"))
    ...     Image.new("RGB", (2, 9)).save(Path(folder, "2.png"))
    ...     pictures = read_pictures(folder)
    >>> pictures.names, [array.shape for array in pictures.arrays]
    (('2.png', '10.png'), [(3, 9, 2), (1, 4, 6)])
    """
    folder = data_path(path)
    if not folder.exists():
        raise InputError(f"There is no file or folder {str(path)!r}", "a folder of pictures", "check the path")
    names, files, notes = sorted_items(folder, ARRAYS, read_picture if skip_unreadable else None)
    sizes = each_image(picture_size, files, names, also=read_picture)
    require_memory(2 * sum(sizes), f"{folder.name!r} is to be read", "fewer pictures, or smaller ones")
    pictures = each_image(read_picture, files, names, max(sizes) * _MEMORY_FACTOR)
    heads = [head for head, _ in pictures if head is not None]
    return Pictures(
        folder.name, tuple(names), [array for _, array in pictures], (*notes, *conversions(heads, folder.name))
    )


def sorted_items(
    folder: Path, more: tuple[str, ...] = (), sift: Callable[[Item], Any] | None = None
) -> tuple[list[str], list[Path | Frame], list[Note]]:
    """Return what ``image_items`` does, 2 before 10.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     for name in ("10.png", "2.png"):
    ...         Path(folder, name).touch()
    ...     sorted_items(Path(folder))[0]
    ['2.png', '10.png']
    """
    names, items, notes = image_items(folder, more, sift)
    order = sorted(range(len(names)), key=lambda i: natural(names[i]))
    return [names[i] for i in order], [items[i] for i in order], notes


def natural(name: str) -> list[tuple[int, int, str]]:
    """Return what names are sorted by so that 2 comes before 10.

    Examples
    --------
    >>> sorted(["b10", "b2", "a"], key=natural)
    ['a', 'b2', 'b10']
    """
    parts = re.split(r"(\d+)", name)
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts if part]


def stem(name: str) -> str:
    """Return a name without its ending, folders included: what two pictures that belong together share.

    Examples
    --------
    >>> stem("a/1.png"), stem("movie.tif#12")
    ('a/1', 'movie#12')
    """
    file, place = place_in_stack(name)
    return PurePosixPath(file).with_suffix("").as_posix() + ("" if place is None else f"#{place}")


def law_of(names: Sequence[str], suffix: str = ".png") -> tuple[str, ...]:
    """Return names with another ending, or with one more where two names differ in theirs only.

    Examples
    --------
    >>> law_of(["a.jpg", "b.bmp", "b.png"])
    ('a.png', 'b.bmp.png', 'b.png.png')
    """
    counts = Counter(map(stem, names))
    return tuple(f"{stem(name) if counts[stem(name)] == 1 else name}{suffix}" for name in names)


def matched(A: Pictures, B: Pictures) -> tuple[Pictures, Pictures, list[str]]:
    """Return the pictures of A and B that are named alike but for the ending, in A's order, and notes on all others.

    Two pictures of one stem in one folder, and folders without a common stem, raise InputError.

    Examples
    --------
    >>> blank = np.zeros((1, 2, 2), np.uint8)
    >>> A, B = Pictures("x", ("1.jpg", "2.jpg"), [blank] * 2), Pictures("y", ("2.png",), [blank])
    >>> A, B, notes = matched(A, B)
    >>> A.names, B.names, notes
    (('2.jpg',), ('2.png',), ["'x': 1 of 2 pictures have no partner in 'y' and are left out (1.jpg)"])
    """
    places = [{stem(name): i for i, name in enumerate(pictures.names)} for pictures in (A, B)]
    for pictures, place in zip((A, B), places, strict=True):
        duplicates = [name for name, count in Counter(map(stem, pictures.names)).items() if count > 1]
        if len(place) < len(pictures):
            came = f"{pictures.name!r} holds several pictures of the stem {duplicates[0]!r}"
            raise InputError(came, "one picture for each stem", "rename or remove the others")
    shared = [name for name in places[0] if name in places[1]]
    if not shared:
        came = f"No picture in {A.name!r} ({listed(A.names)}) is named as one in {B.name!r} ({listed(B.names)})"
        raise InputError(came, "the same names in both folders, endings aside", "rename them so that they match")
    notes = []
    for pictures, other in ((A, B), (B, A)):
        unmatched = [name for name in pictures.names if stem(name) not in set(shared)]
        if unmatched:
            message = f"{len(unmatched)} of {len(pictures)} pictures have no partner in {other.name!r} and are left out"
            notes.append(f"{pictures.name!r}: {message} ({listed(unmatched)})")
    return (*(pictures.take([p[name] for name in shared]) for pictures, p in zip((A, B), places, strict=True)), notes)  # type: ignore[return-value]


def alike(arrays: Sequence[Array], channels: int | None = None, dtype: Any = None) -> list[Array]:
    """Return pictures (C, H, W) with the same channels and type: the most that any has, or those asked for.

    Grey is repeated, a missing alpha is opaque, 8 bit become 16; arrays that are alike pass as they are. Floats among,
    or in the place of, levels of grey must be on their scale, 0 to 1. Raises InputError where channels do not agree.

    Examples
    --------
    >>> pictures = alike([np.full((1, 2, 2), 7, np.uint8), np.zeros((3, 5, 4), np.uint16)])
    >>> [(array.shape, array.dtype.name, int(array.max())) for array in pictures]
    [((3, 2, 2), 'uint16', 1799), ((3, 5, 4), 'uint16', 0)]
    """
    channels = max(len(array) for array in arrays) if channels is None else channels
    dtype = np.result_type(*arrays) if dtype is None else np.dtype(dtype)
    odd_counts = sorted({len(array) for array in arrays if len(array) not in (1, 3, 4) and len(array) != channels})
    if odd_counts or (channels not in (1, 3, 4) and any(len(array) != channels for array in arrays)):
        listing = ", ".join(map(str, sorted({len(array) for array in arrays})))
        raise InputError(f"Pictures of {listing} channels where {channels} are wanted", "pictures of the same channels")
    if is_levels(dtype) or any(map(is_levels, arrays)):
        unit_pictures([array for array in arrays if array.dtype.kind == "f"], noisy=True)
    return [_deep(widen(array, channels) if len(array) != channels else array, dtype) for array in arrays]


def write_pictures(values: Sequence[Array], like: Pictures, folder: Path) -> list[Path]:
    """Write pictures below ``folder`` and return the files: one for each, and one stack for the frames of a file.

    Names and bit depth are those of ``like``, and the format too where it holds such pixels; sizes and channels are
    those of ``values``: (C, H, W), floats in [0, 1], or uint8 and uint16 as they are.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> like = Pictures("one", ("a/1.bmp",), [np.zeros((1, 2, 2), np.uint8)])
    >>> with TemporaryDirectory() as folder:
    ...     path = write_pictures([np.full((1, 2, 2), 0.2)], like, Path(folder))[0]
    ...     path.relative_to(folder).as_posix(), read_pictures(path).arrays[0].ravel().tolist()
    ('a/1.bmp', [51, 51, 51, 51])
    """
    arrays = [
        to_dtype(array, original.dtype) if array.dtype.kind == "f" else _deep(array, original.dtype)
        for array, original in zip(values, like.arrays, strict=True)
    ]
    return write_images(arrays, like.names, folder)


def _deep(array: Array, dtype: np.dtype[Any]) -> Array:
    """Give pixels another bit depth."""
    if array.dtype == dtype or (array.dtype.kind == "u" and dtype.kind == "u"):
        return to_depth(array, dtype)
    if array.dtype.kind == "u" and dtype.kind == "f":
        return (array / np.iinfo(array.dtype).max).astype(dtype)
    return to_dtype(array, dtype)
