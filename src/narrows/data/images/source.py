"""Folders and lists of images: found, checked, brought to one size, never silently dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from statistics import median
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypedDict, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from narrows.data.arrays import Length, to_dtype
from narrows.data.base import Schema, Source, class_folders, digest, row_numbers
from narrows.data.disk.memory import require_memory
from narrows.data.images.files import conversions, each_image, image_items, lessened, read_picture
from narrows.data.images.pixels import Header, Item, header, pixels, resize, room, to_depth, widen
from narrows.data.images.write import write_images
from narrows.errors import InputError, Setting, listed
from narrows.notes import Note, SavedNote
from narrows.typed_json import typed

if TYPE_CHECKING:
    from narrows.data.base import Source

__all__ = ["ImageSchema", "ImageSource", "image_folder", "image_list"]

LARGEST, DEFAULT = 128, 64


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageSource(Source):
    """Images of one size, and the sizes they came in.

    Parameters
    ----------
    values : ndarray of uint8 or uint16, shape (n, C, H, W)
        The pixels.
    sizes : ndarray of int, shape (n, 2)
        Height and width of each image as it came.
    policy : tuple of Note
        What became of sizes and channels.

    Examples
    --------
    >>> source = image_list([Image.new("L", (8, 8)), Image.new("RGB", (8, 8))], "two")
    >>> source.values.shape, source.kind
    ((2, 3, 8, 8), 'images')
    """

    kind: ClassVar[str] = "images"
    values: NDArray[Any]
    sizes: NDArray[np.int64]
    policy: tuple[Note, ...] = ()

    def take(self, index: NDArray[Any]) -> Self:
        """Keep the rows at ``index``, in that order."""
        rows = np.arange(len(self))[index]
        labels = self.label_rows(rows)
        return replace(self, values=self.values[rows], sizes=self.sizes[rows], ids=self.ids[rows], labels=labels)

    def fingerprint(self) -> str:
        """Hash the pixels."""
        return digest(self.kind, self.values)

    def fit_schema(self) -> ImageSchema:
        """Remember channels, size and bit depth."""
        from narrows.data.images.source import ImageSchema

        self.require_rows()
        return ImageSchema.build(self.values.shape[1:], self.values.dtype.name, self.policy)


def image_folder(
    folder: Path,
    like: ImageSchema | None = None,
    image_size: tuple[int, int] | None = None,
    *,
    skip_unreadable: bool = False,
) -> ImageSource:
    """Read all images below a folder; an unreadable one, or none at all, raises InputError.

    With ``skip_unreadable`` those that cannot be read are left out, and named in a note.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     Image.new("L", (4, 4)).save(Path(folder, "1.png"))
    ...     image_folder(Path(folder)).ids.tolist()
    ['1.png']
    """
    ids, items, notes = image_items(folder, sift=whole_pixels if skip_unreadable else None)
    source = load_images(items, ids, folder.name, like, image_size)
    images = [PurePosixPath(name) for name in ids]
    named = replace(source, notes=(*notes, *source.notes), id_name="file")
    classes = sorted({name.parts[0] for name in images if len(name.parts) > 1})
    if len(classes) < 2 or any(len(name.parts) == 1 for name in images):
        return named
    labels = np.array([classes.index(name.parts[0]) for name in images], np.int64)
    note = class_folders(folder.name, classes)
    return replace(named, notes=(*notes, note, *source.notes), labels=labels, class_names=tuple(classes))


def image_list(
    images: Sequence[Image.Image],
    name: str = "images",
    like: ImageSchema | None = None,
    image_size: tuple[int, int] | None = None,
) -> ImageSource:
    """Take a list of Pillow images of any sizes.

    Examples
    --------
    >>> image_list([Image.new("L", (8, 4)), Image.new("L", (4, 4))]).sizes.tolist()
    [[4, 8], [4, 4]]
    """
    return load_images(list(images), row_numbers(len(images)).tolist(), name, like, image_size)


def whole_pixels(item: Item) -> NDArray[Any]:
    """Return the pixels of one image at its own size, uint8 or uint16, (C, H, W).

    Examples
    --------
    >>> whole_pixels(Image.new("RGB", (5, 3))).shape
    (3, 3, 5)
    """
    head = header(item)
    return pixels(item, head.channels, head.depth, (head.height, head.width))


def load_images(
    items: Sequence[Item],
    ids: list[str],
    name: str,
    like: ImageSchema | None,
    image_size: tuple[int, int] | None,
) -> ImageSource:
    """Read headers, settle channels, depth and size, and read the pixels."""
    heads = each_image(header, items, ids, also=read_picture)
    channels, depth = max(head.channels for head in heads), max(head.depth for head in heads)
    sizes = np.array([(head.height, head.width) for head in heads], np.int64)
    size, policy = _size(sizes, ids, name, image_size)
    sentences = conversions(heads, name)
    if like is not None:
        channels, depth, policy = like.shape[0], 8 * np.dtype(like.dtype).itemsize, ()
        size = (like.shape[1], like.shape[2])
        sentences += lessened([(head.channels, head.depth) for head in heads], channels, depth, name)
    read = partial(pixels, channels=channels, depth=depth, size=size)
    need = len(items) * channels * depth // 8 * int(np.prod(size))
    require_memory(2 * need, f"{name!r} is to be read", "a smaller image_size (--image-size)")
    values = np.stack(each_image(read, items, ids, max(room(head.height, head.width, head.depth) for head in heads)))
    if like is not None:
        values = to_depth(values, np.dtype(like.dtype))
    policy = (*policy, *_channel_policy(heads, channels, name)) if like is None else ()
    return ImageSource(
        name=name,
        ids=np.asarray(ids, np.str_),
        notes=(*sentences, *policy),
        values=values,
        sizes=sizes,
        policy=policy,
    )


def _size(
    sizes: NDArray[np.int64], ids: Sequence[str], name: str, wanted: tuple[int, int] | None
) -> tuple[tuple[int, int], tuple[Note, ...]]:
    """Settle the height and width of all images, and the policy in words: a few of another size change no others."""
    usual = _usual(sizes)
    if wanted is None:
        middle = usual or (median(sizes[:, 0].tolist()), median(sizes[:, 1].tolist()))
        shrink = 1.0 if usual and max(usual) <= LARGEST else min(1.0, DEFAULT / max(middle))
        wanted = (max(1, round(middle[0] * shrink)), max(1, round(middle[1] * shrink)))
    if min(wanted) < 1:
        accepted = "a height and a width of at least 1"
        raise InputError(Setting("image_size", wanted), accepted, Setting("image_size", (64, 64)))
    changed = int((sizes != wanted).any(axis=1).sum())
    if not changed:
        return wanted, ()
    sentence = f"{name!r}: {changed} of {len(sizes)} images are resized to {wanted[0]} x {wanted[1]} (height x width)"
    return wanted, (Note(sentence + _odd_sizes(sizes, ids, usual, wanted)),)


def _odd_sizes(
    sizes: NDArray[np.int64], ids: Sequence[str], usual: tuple[int, int] | None, wanted: tuple[int, int]
) -> str:
    """Return the end of a sentence: which images are of another size than most, or which sizes there are."""
    different = np.unique(sizes, axis=0)
    if usual is not None and len(different) > 1:
        odd = [f"{ids[i]} {sizes[i, 0]} x {sizes[i, 1]}" for i in np.flatnonzero((sizes != usual).any(axis=1)).tolist()]
        most = ", the size of the others" if wanted == usual else f"; others than most, {usual[0]} x {usual[1]}"
        return f"{most}: {listed(odd)}"
    low, high = different[different.prod(axis=1).argmin()], different[different.prod(axis=1).argmax()]
    span = f"{low[0]} x {low[1]}" + (f" to {high[0]} x {high[1]}" if len(different) > 1 else "")
    return f"; they come in {len(different)} {'size' if len(different) == 1 else 'sizes'}, {span}"


def _usual(sizes: NDArray[np.int64]) -> tuple[int, int] | None:
    """Return the size, upright, that more than half of the images have; None where there is none."""
    different, counts = np.unique(sizes, axis=0, return_counts=True)
    height, width = different[counts.argmax()].tolist()
    return (height, width) if 2 * counts.max() > len(sizes) else None


def _channel_policy(heads: Sequence[Header], channels: int, name: str) -> tuple[Note, ...]:
    kinds = {1: "grey", 3: "colour", 4: "colour with alpha"}
    counts = Counter(head.channels for head in heads)
    notes = []
    if len(counts) > 1:
        listing = ", ".join(f"{counts[c]} {kinds[c]}" for c in sorted(counts))
        notes.append(Note(f"{name!r} holds {listing} images: all become {kinds[channels]}, grey is repeated"))
    depths = Counter(head.depth for head in heads)
    if len(depths) > 1:
        both = f"{depths[8]} images of 8 bit and {depths[16]} of 16 bit"
        notes.append(Note(f"{name!r} holds {both}: all become 16 bit"))
    return tuple(notes)


class ImageCard(TypedDict):
    """A schema of images as JSON has it."""

    kind: str
    shape: tuple[Literal[1, 3, 4], Length, Length]
    dtype: Literal["uint8", "uint16"]
    notes: list[str | SavedNote]


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageSchema(Schema):
    """Images go in as uint8 or uint16, shape ``(n, C, H, W)``, and come back as files.

    Parameters
    ----------
    dtype : str
        ``uint8`` or ``uint16``.

    Examples
    --------
    >>> from PIL import Image
    >>> from narrows.data import read
    >>> source = read([Image.new("L", (6, 4), 51)] * 2)
    >>> schema = source.fit_schema()
    >>> schema.shape, int(schema.decode(schema.encode(source) / 255.0).max())
    ((1, 4, 6), 51)
    """

    kind: ClassVar[str] = "images"
    dtype: str

    @classmethod
    def build(cls, shape: Sequence[int], dtype: str, notes: Sequence[Note] = ()) -> Self:
        """Put a schema together from (C, H, W), the pixel type and the notes."""
        image = (int(shape[0]), int(shape[1]), int(shape[2]))
        return cls(shape=image, image_shape=image, notes=tuple(notes), dtype=dtype)

    def encode(self, source: Source) -> NDArray[Any]:
        """Pixels as those of the fit, shape ``(n, C, H, W)``; rows that are no images raise InputError."""
        self.require_kind(source, "images", "array")
        values = cast("ImageSource", source).values
        dtype = np.dtype(self.dtype)
        if values.ndim != 4 or values.dtype not in (np.uint8, np.uint16) or values.shape[1] not in (1, 3, 4):
            came = f"{source.name!r} holds rows of shape {values.shape[1:]} and type {values.dtype}"
            raise InputError(came, f"images like those of the fit: {self.shape}, {dtype}")
        values = to_depth(values, dtype)
        if values.shape[1:] == self.shape:
            return values
        channels, height, width = self.shape
        return np.stack([resize(widen(image, channels), (height, width)) for image in values])

    def warnings(self, source: Source) -> tuple[str, ...]:
        """Count the images that are resized, unless the notes on these have it."""
        self.require_kind(source, "images", "array")
        values = cast("ImageSource", source).values
        if getattr(source, "policy", ()) and values.shape[-2:] == self.shape[1:]:
            return ()
        sizes = getattr(source, "sizes", np.tile(values.shape[-2:], (len(source), 1)))
        changed = int((sizes != self.shape[1:]).any(axis=1).sum())
        if not changed:
            return ()
        size = f"{self.shape[1]} x {self.shape[2]}"
        return (f"{source.name!r}: {changed} of {len(source)} images are resized to {size}, the size of the fit",)

    def decode(self, values: ArrayLike) -> NDArray[Any]:
        """Pixels from [0, 1] floats, rounded and clipped, shape ``(n, C, H, W)``."""
        return to_dtype(values, np.dtype(self.dtype)).reshape(-1, *self.shape)

    def write(self, values: ArrayLike, folder: Path, stem: str, ids: NDArray[np.str_], id_name: str) -> list[Path]:
        """Write the images below ``folder/stem``, in the original format where that holds such pixels."""
        return write_images(list(self.decode(values)), ids.tolist(), folder / stem)

    def to_json(self) -> dict[str, Any]:
        """Describe the schema by JSON values only."""
        return {
            "kind": self.kind,
            "shape": list(self.shape),
            "dtype": self.dtype,
            "notes": [note.to_json() for note in self.notes],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild the schema from ``to_json``; what is no such schema raises ArtefactError."""
        saved: ImageCard = typed(dict(data), ImageCard, "schema")
        return cls.build(saved["shape"], saved["dtype"], list(map(Note.from_json, saved["notes"])))
