"""Masks of one kind in a folder of its own, as ``masks/scratch/a.png`` and ``masks/hole/a.png``: put into one mask."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows.data.images.files import image_names
from narrows.data.images.frames import place_in_stack
from narrows.data.images.masks import MOST, Encoding, read_masks
from narrows.data.images.sets import Pictures, natural, stem
from narrows.data.paths import data_path
from narrows.errors import InputError, listed
from narrows.notes import Note

__all__ = ["mask_kinds", "read_mask_kinds"]

Array = NDArray[Any]


def mask_kinds(path: str | Path, pictures: Sequence[str]) -> tuple[str, ...]:
    """Return the folders of masks of one kind each, sorted; none where masks are named as the ``pictures`` themselves.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     for name in ("scratch/a.png", "hole/a.png"):
    ...         Path(folder, name).parent.mkdir()
    ...         Path(folder, name).touch()
    ...     mask_kinds(folder, ["a.jpg"]), mask_kinds(folder, ["hole/a.jpg"])
    (('hole', 'scratch'), ())
    """
    folder = data_path(path)
    if not folder.is_dir():
        return ()
    names = image_names(folder)[1]
    known = {stem(place_in_stack(name)[0]) for name in pictures}
    if any(len(name.parts) < 2 or stem(name.as_posix()) in known for name in names):
        return ()
    if not any(stem(name.relative_to(name.parts[0]).as_posix()) in known for name in names):
        return ()
    return tuple(sorted({name.parts[0] for name in names}, key=natural))


def read_mask_kinds(
    path: str | Path, kinds: Sequence[str], *, skip_unreadable: bool = False
) -> tuple[Pictures, Encoding]:
    """Read masks of one kind each as one mask a picture, (1, H, W): 0 for the background, then the kinds as numbered.

    Where kinds overlap the later one counts, with a note. Raises InputError where masks hold more than the background
    and one other value, or those of one picture differ in size.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from PIL import Image
    >>> with TemporaryDirectory() as folder:
    ...     for place, kind in enumerate(("hole", "scratch")):
    ...         Path(folder, kind).mkdir()
    ...         row = np.zeros((1, 4), np.uint8)
    ...         row[0, place + 1] = 255
    ...         Image.fromarray(row).save(Path(folder, kind, "a.png"))
    ...     masks, encoding = read_mask_kinds(folder, ("hole", "scratch"))
    >>> masks.arrays[0].tolist(), encoding.name(2)
    ([[[0, 1, 2, 0]]], 'scratch')
    """
    folder = data_path(path)
    if len(kinds) >= MOST:
        raise InputError(f"{folder.name!r} holds {len(kinds)} folders of masks", f"less than {MOST} kinds")
    parts = [read_masks(folder / kind, skip_unreadable=skip_unreadable) for kind in kinds]
    merged: dict[str, tuple[str, Array]] = {}
    overlaps: dict[str, int] = {}
    for value, (kind, (masks, encoding)) in enumerate(zip(kinds, parts, strict=True), 1):
        _require_two_values(masks, encoding, kind)
        for name, array in zip(masks.names, masks.arrays, strict=True):
            first, mask = merged.setdefault(stem(name), (name, np.zeros(array.shape, np.uint8)))
            if mask.shape != array.shape:
                sizes = [" x ".join(map(str, one.shape[1:])) for one in (mask, array)]
                raise InputError(f"{first!r} is {sizes[0]} in one kind and {sizes[1]} in {kind!r}", "masks of one size")
            both = int(((mask > 0) & (array > 0)).sum())
            overlaps |= {first: overlaps.get(first, 0) + both} if both else {}
            mask[array > 0] = value
    counts = ", ".join(f"{kind} ({len(masks)})" for kind, (masks, _) in zip(kinds, parts, strict=True))
    notes = [note for masks, _ in parts for note in masks.notes]
    notes.append(Note(f"{folder.name!r}: masks of one kind in a folder each, background elsewhere: {counts}"))
    if overlaps:
        came = f"{sum(overlaps.values()):,} pixels of {len(overlaps)} pictures are of several kinds"
        notes.append(Note(f"{folder.name!r}: {came}; the last of {', '.join(kinds)} counts ({listed(list(overlaps))})"))
    ordered = sorted(merged.values(), key=lambda pair: natural(pair[0]))
    encoding = Encoding("grey", suffix=parts[0][1].suffix, kinds=tuple(kinds))
    names = tuple(name for name, _ in ordered)
    return Pictures(folder.name, names, [mask for _, mask in ordered], tuple(notes)), encoding


def _require_two_values(masks: Pictures, encoding: Encoding, kind: str) -> None:
    values = sorted({value for array in masks.arrays for value in np.unique(array).tolist()})
    if len(values) > 2 or (len(values) == 2 and values[0] != 0):
        came = f"The masks in {kind!r} hold the values {listed([encoding.name(value) for value in values])}"
        accepted = "0 and one other value, where every kind has a folder of its own"
        raise InputError(came, accepted, "one mask a picture, with a value for each class")
