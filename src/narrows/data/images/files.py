"""Image files in folders: which there are, and reading them so that what cannot be read is named."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from narrows.data.images.dicom import DICOM, dicom_array, require_pydicom
from narrows.data.images.frames import TIFF, Frame, frames, tiff_array
from narrows.data.images.pixels import FORMATS, Header, Item, OtherPixels, header, pixels
from narrows.data.npy import DAMAGED, load_npy
from narrows.data.paths import require_utf8
from narrows.errors import InputError, Sentence, Setting, listed
from narrows.notes import Note

__all__ = [
    "ARRAYS",
    "conversions",
    "each_image",
    "image_items",
    "image_names",
    "lessened",
    "picture_size",
    "read_picture",
]

ACCEPTED = "images: " + ", ".join(FORMATS)
T = TypeVar("T")
_MAX_NAMED = 20  # files that one message names
_MAX_BYTES_AT_ONCE = 1 << 29  # bytes of images that are worked on at the same time
_MEMORY_FACTOR = 5  # times as much memory takes a picture while it is read


def image_names(folder: Path, more: tuple[str, ...] = ()) -> tuple[Path, list[Path], list[Note]]:
    """Return where the images below a folder (or a single one) are named from, their names, and notes on other files.

    ``more`` are endings that count as images besides the usual ones. Raises InputError where there are no images.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     Image.new("L", (4, 4)).save(Path(folder, "1.png"))
    ...     _ = Path(folder, "a.txt").write_text("")
    ...     [name.as_posix() for name in image_names(Path(folder))[1]]
    ['1.png']
    """
    endings, single = {*FORMATS, *more}, folder.is_file()
    root = folder.parent if single else folder
    paths = [folder] if single else sorted(path for path in folder.rglob("*") if path.is_file())
    names = [path.relative_to(root) for path in paths]
    visible = [name for name in names if single or not any(p.startswith(".") or p == "__MACOSX" for p in name.parts)]
    for name in visible:
        require_utf8(str(name))
    images = [name for name in visible if name.suffix.lower() in endings or single]
    types = Counter(name.suffix.lower() or "no ending" for name in visible if name.suffix.lower() not in endings)
    if not images:
        others = ", ".join(f"{count} {suffix}" for suffix, count in types.most_common(8))
        came = f"{folder.name!r} holds no images, but {others}" if others else f"{folder.name!r} holds no files"
        raise InputError(came, ACCEPTED, "give the folder that holds the images")
    notes = []
    if types and not single:
        listing = ", ".join(f"{count} {suffix}" for suffix, count in types.most_common(8))
        notes.append(Note(f"{folder.name!r}: {sum(types.values())} files are not images and are not read ({listing})"))
    if len(visible) < len(names):
        notes.append(Note(f"{folder.name!r}: {len(names) - len(visible)} hidden files are not read"))
    return root, images, notes


def image_items(
    folder: Path, more: tuple[str, ...] = (), sift: Callable[[Item], Any] | None = None
) -> tuple[list[str], list[Path | Frame], list[Note]]:
    """Return the pictures below a folder, by name and as what is read; frames of a file are pictures of their own.

    Those that ``sift`` cannot read are left out, and named in a note; where it is None, nothing is read. Raises
    InputError where none is left.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     Image.new("L", (4, 4)).save(Path(folder, "1.png"))
    ...     Image.new("L", (4, 4)).save(Path(folder, "z.tif"), save_all=True, append_images=[Image.new("L", (4, 4))])
    ...     image_items(Path(folder))[0]
    ['1.png', 'z.tif#0', 'z.tif#1']
    """
    root, paths, notes = image_names(folder, more)
    for path in paths:
        if path.suffix.lower() in DICOM:
            require_pydicom(path.name)
    names: list[str] = []
    items: list[Path | Frame] = []
    stacks = []
    for path in paths:
        several = frames(root / path)
        items += several or [root / path]
        names += [f"{path.as_posix()}#{i}" for i in range(len(several))] or [path.as_posix()]
        stacks += [f"{path.as_posix()}#0 to #{len(several) - 1}"] if several else []
    if stacks:
        notes.append(Note(f"{folder.name!r}: every frame of a file is a picture ({listed(stacks)})"))
    if sift is None:
        return names, items, notes
    index, left_out = _sifted(sift, items, names, folder.name)
    return [names[i] for i in index], [items[i] for i in index], [*notes, *left_out]


def _sifted(
    read: Callable[[Item], Any], items: Sequence[Item], names: Sequence[str], folder: str
) -> tuple[list[int], list[Note]]:
    """Return which images can be read, and a note on the others."""

    def look(item: Item) -> None:
        read(item)  # and let go of

    sizes = [size for size in _attempts(picture_size, items, 0) if not isinstance(size, Exception)]
    results = _attempts(look, items, max(sizes, default=0) * _MEMORY_FACTOR)
    index = [i for i, result in enumerate(results) if result is None]
    failures = _failures(items, names, results)
    if not index:
        raise InputError(
            f"Nothing is left: {_named(failures, items)}", f"whole 8 or 16 bit {ACCEPTED}", "replace these files"
        )
    return index, [Note(f"{folder!r}: left out: {_named(failures, items)}")] if failures else []


def each_image(
    work: Callable[[Item], T],
    items: Sequence[Item],
    ids: Sequence[str],
    room: int = 0,
    also: Callable[[Item], Any] | None = None,
) -> list[T]:
    """Do the work for every image, in threads; those that cannot be read are named together, in an InputError.

    ``room`` are the bytes that the largest image takes while it is worked on: half a GB of them are worked on at once.
    Where the work fails for some, ``also`` is done for the others, so that all that would fail later are named at once.
    """
    results = _attempts(work, items, room)
    done = [result for result in results if not isinstance(result, Exception)]
    if len(done) == len(results):
        return done
    failed: list[Any] = list(results)
    if also is not None:
        good = [i for i, result in enumerate(results) if not isinstance(result, Exception)]
        for i, result in zip(good, _attempts(also, [items[i] for i in good], room), strict=True):
            failed[i] = result
    hint = Sentence("replace or remove these files, or go on without them: ", Setting("skip_unreadable", True))
    raise InputError(_named(_failures(items, ids, failed), items), f"whole 8 or 16 bit {ACCEPTED}", hint)


def _failures(items: Sequence[Item], names: Sequence[str], results: Sequence[Any]) -> list[str]:
    """Return the names of the images that gave an exception, each with the reason."""
    return [
        f"{name} ({_why(item, result)})"
        for name, item, result in zip(names, items, results, strict=True)
        if isinstance(result, Exception)
    ]


def _named(failures: Sequence[str], items: Sequence[Item]) -> str:
    """Return in words how many of the images cannot be read, and which."""
    more = f"; and {len(failures) - _MAX_NAMED} more" if len(failures) > _MAX_NAMED else ""
    return f"{len(failures)} of {len(items)} images cannot be read: {'; '.join(failures[:_MAX_NAMED])}{more}"


def _attempts(work: Callable[[Item], T], items: Sequence[Item], room: int) -> list[T | Exception]:
    """Do the work for every image, in threads; what cannot be read gives its exception."""

    def attempt(item: Item) -> T | Exception:
        try:
            return work(item)
        except (*DAMAGED, Warning, Image.DecompressionBombError) as error:
            return error

    max_threads = min(32, (os.cpu_count() or 1) + 4, max(1, _MAX_BYTES_AT_ONCE // max(1, room)))
    with warnings.catch_warnings(), ThreadPoolExecutor(max_threads) as pool:
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return list(pool.map(attempt, items))


def _why(item: Item, error: Exception) -> str:
    path = _file_of(item)
    if path is not None and path.stat().st_size == 0:
        return "0 bytes"
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    return (str(error) or type(error).__name__).splitlines()[0][:160]


def conversions(heads: Sequence[Header], name: str) -> list[Note]:
    """Say what was changed on reading, counted."""
    counts = {
        "turned upright, as their EXIF orientation says": sum(head.oriented for head in heads),
        "of 16 bit in inks, or opened before: read as 8 bit": sum(head.reduced for head in heads),
    }
    counts |= Counter(words for head in heads for words in head.read_as)
    return [Note(f"{name!r}: {count} images {what}") for what, count in counts.items() if count]


def lessened(kinds: Sequence[tuple[int, int]], channels: int, depth: int, name: str) -> list[Note]:
    """Say which images, by their channels and bits, have more of them than those of the fit had.

    Examples
    --------
    >>> lessened([(3, 8), (1, 16), (1, 8)], 1, 8, "new")
    ["'new': 1 of 3 images of 3 channels become grey", "'new': 1 of 3 images of 16 bit become 8 bit"]
    """
    target = {1: "grey", 3: "colour without alpha"}.get(channels, f"{channels} channels")
    wide, deep = Counter(c for c, _ in kinds if c > channels), Counter(bits for _, bits in kinds if bits > depth)
    sentences = [f"{wide[c]} of {len(kinds)} images of {c} channels become {target}" for c in sorted(wide)]
    sentences += [f"{deep[bits]} of {len(kinds)} images of {bits} bit become {depth} bit" for bits in sorted(deep)]
    return [Note(f"{name!r}: {sentence}") for sentence in sentences]


Array = NDArray[Any]
ARRAYS = (".npy",)


def read_picture(item: Item) -> tuple[Header | None, Array]:
    """Return what an image file says of itself, None for others, and its pixels, (C, H, W), as they are.

    Examples
    --------
    >>> from PIL import Image
    >>> head, array = read_picture(Image.new("RGB", (5, 3)))
    >>> head.channels, array.shape
    (3, (3, 3, 5))
    """
    if isinstance(item, Path) and item.suffix.lower() in ARRAYS:
        return None, _channels_first(load_npy(item))
    try:
        head = header(item)
    except (UnidentifiedImageError, OtherPixels):
        bands = _bands(item)
        if bands is None:
            raise
        return None, bands
    return head, pixels(item, head.channels, head.depth, (head.height, head.width))


def picture_size(item: Item) -> int:
    """Return the bytes of a picture's pixels, as its file says; those of a file that Pillow does not know.

    Examples
    --------
    >>> from PIL import Image
    >>> picture_size(Image.new("RGB", (5, 3)))
    45
    """
    try:
        if isinstance(item, Path) and item.suffix.lower() in ARRAYS:
            return item.stat().st_size
        head = header(item)
    except (UnidentifiedImageError, OtherPixels):
        path = _file_of(item)
        return 0 if path is None else path.stat().st_size
    return head.height * head.width * head.channels * head.depth // 8


def _file_of(item: Item) -> Path | None:
    return item.path if isinstance(item, Frame) else item if isinstance(item, Path) else None


def _bands(item: Item) -> Array | None:
    """Read a TIFF file of more bands than Pillow knows, or one of floats, or DICOM; None where it is none."""
    path = _file_of(item)
    if path is not None and path.suffix.lower() in DICOM:
        return _channels_first(dicom_array(path, item.pages[0] if isinstance(item, Frame) else 0)[0])
    if path is None or path.suffix.lower() not in TIFF:
        return None
    try:
        array = tiff_array(path, item.pages if isinstance(item, Frame) else None)
    except InputError:
        raise
    except DAMAGED:  # the first message stands
        return None
    return _channels_first(array)


def _channels_first(array: Array) -> Array:
    """Return an array (H, W), (C, H, W) or (H, W, C) as (C, H, W); C is the shorter one of the outer axes."""
    if array.ndim == 3 and array.shape[2] < array.shape[0]:
        array = np.moveaxis(array, 2, 0)
    if array.ndim not in (2, 3) or not array.size:
        raise OSError(f"an array of shape {array.shape}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise OSError("missing or infinite values")
    if array.dtype.kind != "f" and array.dtype not in (np.uint8, np.uint16):
        raise OSError(f"values of type {array.dtype}: uint8, uint16 and floats are read")
    array = array.astype(np.float32) if array.dtype.kind == "f" else array
    return np.ascontiguousarray(array if array.ndim == 3 else array[None])
