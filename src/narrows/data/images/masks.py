"""Masks as files: one value per class, be it a level of grey, a place in a palette, or a colour; and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from narrows.data.disk.memory import require_memory
from narrows.data.images.files import each_image
from narrows.data.images.frames import place_in_stack
from narrows.data.images.pixels import FORMATS, Item, opened
from narrows.data.images.sets import Pictures, law_of, sorted_items
from narrows.data.images.smoothed import cut_at_half, two_values
from narrows.data.images.write import stacks
from narrows.data.paths import data_path
from narrows.errors import ArtefactError, InputError
from narrows.files import whole
from narrows.notes import Note
from narrows.typed_json import Matching, Range, typed

__all__ = ["MOST", "Encoding", "colour_name", "read_masks", "value_of", "write_masks"]

Array = NDArray[Any]
MOST = 64  # classes
_MEMORY_FACTOR = 8  # times as much memory takes a mask while it is read
_LEVELS = ("bits", "grey", "deep")  # from the least to the most values
_MODES = {"1": "bits", "L": "grey", "P": "index"} | dict.fromkeys(("I", "I;16", "I;16B", "I;16L", "F"), "deep")
_LOSSLESS = ("PNG", "TIFF", "BMP", "PPM", "GIF")


@dataclass(frozen=True)
class Encoding:
    """How masks are written.

    Parameters
    ----------
    kind : str
        ``bits`` and ``grey`` (8 bit), ``deep`` (16 bit), ``index`` (a palette), ``colour`` (packed as 0xRRGGBB).
    palette : tuple of int
        Red, green, blue, red, ... of an ``index``.
    suffix : str
        Of the files.
    kinds : tuple of str
        Where every class has a folder of masks of its own: these folders, the first of which is the value 1.

    Examples
    --------
    >>> Encoding("colour").name(0xFF0080), Encoding("grey").name(255)
    ('#ff0080', '255')
    """

    kind: Annotated[str, Matching("bits|grey|deep|index|colour", "bits, grey, deep, index or colour")]
    palette: tuple[Annotated[int, Range(0, 255)], ...] = ()
    suffix: str = ".png"
    kinds: tuple[Annotated[str, Matching(r"(?!\.{1,2}$)[^/\\\x00]+", "the name of a folder")], ...] = ()

    def name(self, value: int) -> str:
        """Return what a class of this value is called."""
        if self.kinds:
            return ("background", *self.kinds)[value]
        return colour_name(value) if self.kind == "colour" else str(value)

    def image(self, values: Array) -> Image.Image:
        """Return a mask (H, W) as an image in this encoding."""
        if self.kind == "bits":
            return Image.fromarray(np.where(values > 0, 255, 0).astype(np.uint8)).convert("1")
        if self.kind == "colour":
            packed = values.astype(np.int64)
            return Image.fromarray(np.stack([packed >> 16, packed >> 8 & 255, packed & 255], axis=-1).astype(np.uint8))
        image = Image.fromarray(values.astype(np.uint16 if self.kind == "deep" else np.uint8))
        if self.kind == "index":
            image.putpalette(list(self.palette))
        return image

    def to_json(self) -> dict[str, Any]:
        """Describe it by JSON values only."""
        kinds = {"kinds": list(self.kinds)} if self.kinds else {}
        return {"kind": self.kind, "palette": list(self.palette), "suffix": self.suffix, **kinds}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild it from ``to_json``; what is no such encoding raises ArtefactError."""
        encoding: Self = typed(dict(data), cls, "encoding")
        if encoding.suffix.lower() not in FORMATS:
            raise ArtefactError(f"encoding.suffix is {encoding.suffix!r}", ", ".join(FORMATS))
        return encoding


def colour_name(value: int) -> str:
    """Return a packed colour as ``#rrggbb``."""
    return f"#{value:06x}"


def value_of(text: str) -> int:
    """Return the value of a mask that a text names: a number or ``#rrggbb``; any other raises InputError.

    Examples
    --------
    >>> value_of("255"), value_of("#0000ff")
    (255, 255)
    """
    try:
        return int(text[1:], 16) if text.startswith("#") and len(text) == 7 else int(text)
    except ValueError:
        raise InputError(f"{text!r} is no value of a mask", "a number, or a colour as #rrggbb") from None


def read_masks(path: str | Path, *, skip_unreadable: bool = False) -> tuple[Pictures, Encoding]:
    """Read all masks below a folder as values, (1, H, W), and how they are written.

    Levels of grey, whole numbers up to 65535, and places in a palette are the values themselves, colours are packed as
    0xRRGGBB. Masks of colours or palettes that differ in kind are read as colours. Grey JPEG files are cut at half:
    above it 255, below 0; smoothed edges between two values are cut at half. More than 64 different values raise
    InputError, and so does a file that cannot be read; with ``skip_unreadable`` such files are left out, and named in a
    note.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     Image.new("RGB", (3, 2), "#ff0080").save(Path(folder, "1.png"))
    ...     masks, encoding = read_masks(folder)
    >>> masks.arrays[0].shape, encoding.kind, encoding.name(int(masks.arrays[0].max()))
    ((1, 2, 3), 'colour', '#ff0080')
    """
    folder = data_path(path)
    if not folder.exists():
        raise InputError(f"There is no file or folder {str(path)!r}", "a folder of masks", "check the path")
    names, items, notes = sorted_items(folder, sift=_own_values if skip_unreadable else None)
    rooms = each_image(_room, items, names, also=_own_values)
    require_memory(sum(rooms), f"{folder.name!r} is to be read", "fewer masks, or smaller ones")
    kinds = each_image(_kind, items, names)
    kind, palette = kinds[0] if len(set(kinds)) == 1 else ("colour", ())
    if {level for level, _ in kinds} <= set(_LEVELS):
        kind = max((level for level, _ in kinds), key=_LEVELS.index)
    arrays = each_image(partial(_values, kind=kind), items, names, max(rooms) * _MEMORY_FACTOR)
    lossy = [i for i, name in enumerate(names) if FORMATS.get(PurePosixPath(name).suffix.lower()) == "JPEG"]
    if lossy and kind == "grey":
        for i in lossy:
            arrays[i] = np.where(arrays[i] > 127, np.uint8(255), np.uint8(0))
        notes.append(Note(f"{folder.name!r}: {len(lossy)} masks are JPEG files, cut at half: 255 above, 0 below"))
    if not lossy:
        notes += _sharpened(arrays, kind, folder.name)
    _few(arrays, names, folder.name)
    suffixes = [PurePosixPath(place_in_stack(name)[0]).suffix for name in names]
    suffix = suffixes[0] if FORMATS[suffixes[0].lower()] in _LOSSLESS else ".png"
    return Pictures(folder.name, tuple(names), arrays, tuple(notes)), Encoding(kind, palette, suffix)


def _sharpened(arrays: list[Array], kind: str, folder: str) -> list[Note]:
    """Cut masks of two values with smoothed edges at half, in their place, and say so."""
    grey = 0x010101 if kind == "colour" else 1  # a packed colour is so many times its level of grey
    if kind == "index" or any((array % grey).any() for array in arrays):
        return []
    ends = two_values([array // grey for array in arrays])
    if ends is None:
        return []
    low, high = ends
    arrays[:] = [cut_at_half(array, low * grey, high * grey) for array in arrays]
    return [Note(f"{folder!r}: smoothed edges of masks are cut at half: {high} above, {low} below")]


def write_masks(values: list[Array], encoding: Encoding, like: Pictures, folder: Path) -> list[Path]:
    """Write masks (H, W) or (1, H, W) of values below ``folder``, named as the pictures they are of; return the files.

    Those of the frames of one file are one stack; where kinds have folders of their own, every picture has a mask in
    each.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> like = Pictures("one", ("a/1.jpg",), [np.zeros((1, 2, 2), np.uint8)])
    >>> with TemporaryDirectory() as folder:
    ...     path = write_masks([np.full((2, 2), 7)], Encoding("grey"), like, Path(folder))[0]
    ...     path.relative_to(folder).as_posix(), read_masks(folder)[0].arrays[0].ravel().tolist()
    ('a/1.png', [7, 7, 7, 7])
    """
    if encoding.kinds:
        one = replace(encoding, kinds=())
        return [
            path
            for value, kind in enumerate(encoding.kinds, 1)
            for path in write_masks([np.where(mask == value, 255, 0) for mask in values], one, like, folder / kind)
        ]
    paths = []
    images = [encoding.image(mask.reshape(mask.shape[-2:])) for mask in values]
    alone = law_of(like.names, encoding.suffix)
    for file_name, index in stacks(like.names):
        first, *more = (images[i] for i in index)
        name, kind = alone[index[0]], FORMATS[encoding.suffix.lower()]
        if more:
            name, kind = law_of([file_name], ".tif")[0], "TIFF"
        with whole(folder / name) as draft, draft.open("w+b") as file:
            first.save(file, kind, **({"save_all": True, "append_images": more} if more else {}))
        paths.append(folder / name)
    return paths


def _room(item: Item) -> int:
    """Return about how many bytes the values of one mask take."""
    with opened(item) as image:
        return 4 * image.width * image.height


def _kind(item: Item) -> tuple[str, tuple[int, ...]]:
    """Return how one mask is written, and its palette."""
    with opened(item) as image:
        kind = _MODES.get(image.mode, "colour")
        return kind, tuple(image.getpalette() or ()) if kind == "index" else ()


def _own_values(item: Item) -> Array:
    """Return the values of one mask as it is written, whatever the others are."""
    return _values(item, _kind(item)[0])


def _values(item: Item, kind: str) -> Array:
    """Return the values of one mask, (1, H, W)."""
    with opened(item) as turned:
        image = ImageOps.exif_transpose(turned) or turned
        values = np.asarray(image)
        if _MODES.get(image.mode) == "deep":
            _require_levels(values, kind)
        if kind == "colour":
            red, green, blue = np.moveaxis(np.asarray(image.convert("RGB"), np.int32), 2, 0)
            packed: Array = (red << 16 | green << 8 | blue)[None]
            return packed
        array = np.asarray(image.convert("L")) if image.mode == "1" else values
        return array.astype(np.uint16 if kind == "deep" else np.uint8)[None]


def _require_levels(values: Array, kind: str) -> None:
    """Refuse what no mask of 16 bit can hold, and such a mask among colours."""
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= 65535 and (values == np.rint(values)).all()):
        raise ValueError(f"values from {low:g} to {high:g}: classes are whole numbers from 0 to 65535")
    if kind == "colour":
        raise ValueError("levels of grey among masks of colours")


def _few(arrays: list[Array], names: list[str], folder: str) -> None:
    """Refuse masks with more values than classes can have."""
    values: set[int] = set()
    for array, name in zip(arrays, names, strict=True):
        values |= set(np.unique(array).tolist())
        if len(values) > MOST:
            came = f"The masks in {folder!r} hold more than {MOST} different values, from {name!r} on"
            hint = "save objects that are numbered as 0 and 255, and colours as PNG, without smoothing"
            raise InputError(came, "one value for each class", hint)
