"""Folders of good and bad pictures, with masks of what is wrong in these: which is which, by their names."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from narrows.data.images.masks import read_masks
from narrows.data.images.sets import Pictures, read_pictures
from narrows.errors import InputError, listed
from narrows.workflows.images import inside, outside

__all__ = ["MASKS", "SortedImages", "sorted_images"]

GOOD, MASKS = ("good", "normal", "ok", "ordinary"), ("masks", "mask", "ground_truth")


class SortedImages(NamedTuple):
    """The images of a folder by what they are used for, the mask of each bad one where there is one, and notes."""

    good: Pictures  # learnt from, and put aside from
    fine: Pictures  # good ones that are measured on only
    bad: Pictures
    masks: list[np.ndarray | None]
    notes: list[str]


def sorted_images(data: Path, *, skip_unreadable: bool = False) -> SortedImages:
    """Return good images, good ones of the test part, bad ones, masks of these, and notes.

    With ``skip_unreadable`` images that cannot be read are left out, and named in a note.
    """
    read = partial(read_pictures, skip_unreadable=skip_unreadable)
    good, test, truth = inside(data, GOOD), inside(data, ("test",)), inside(data, MASKS)
    train = inside(data, ("train",))
    if good is None and train is not None:
        good = inside(train, GOOD)
    if good is None:
        pictures = read(data)
        return SortedImages(pictures, Pictures("good", (), []), Pictures("bad", (), []), [], list(pictures.notes))
    left = {good, test, truth, train}
    beside = [path for path in sorted(data.iterdir()) if path.is_dir() and path not in left]
    tested = [path for path in sorted(test.iterdir()) if path.is_dir()] if test is not None else []
    fine, bad = (
        _together(name, [path for path in [*beside, *tested] if (path.name.lower() in GOOD) == (name == "good")], read)
        for name in ("good", "bad")
    )
    ordinary = read(good)
    masks, mask_notes = masks_of(bad, truth, skip_unreadable=skip_unreadable)
    notes = [*ordinary.notes, *fine.notes, *bad.notes, *mask_notes]
    if len(fine):
        notes.append(f"{len(fine)} good images of the test part are measured on, and not learnt from")
    places = sorted({name.partition("/")[0] for name in bad.names})
    notes.append(f"{len(bad)} bad images are measured on, in {', '.join(places) or 'no folders'}")
    places_read = [good, *beside, *tested, *([truth] if truth else [])]
    return SortedImages(ordinary, fine, bad, masks, [*notes, *_unused(data, places_read)])


def _together(name: str, folders: list[Path], read: Callable[[Path], Pictures]) -> Pictures:
    """Return the pictures of several folders, each named by its folder and its file."""
    parts = [(folder.name, read(folder)) for folder in folders]
    names = tuple(f"{folder}/{file}" for folder, part in parts for file in part.names)
    arrays = [array for _, part in parts for array in part.arrays]
    return Pictures(name, names, arrays, tuple(note for _, part in parts for note in part.notes))


def _unused(data: Path, read: list[Path]) -> list[str]:
    """Return a note on the images that are in none of the folders that were read, if there are any."""
    left = outside(data, read)
    sentence = f"{len(left)} images are neither good, bad nor masks by their folder, and are not used"
    return [f"{sentence} ({listed(left)})"] if left else []


def masks_of(bad: Pictures, truth: Path | None, *, skip_unreadable: bool) -> tuple[list[np.ndarray | None], list[str]]:
    """Return the mask of every bad image, matched by name with ``_mask`` or without, and notes on those without.

    Raises InputError where an image and its mask differ in size.
    """
    if truth is None or not len(bad):
        return [None] * len(bad), []
    masks, _ = read_masks(truth, skip_unreadable=skip_unreadable)
    known = {_key(name): array[0] > 0 for name, array in zip(masks.names, masks.arrays, strict=True)}
    file_keys = [_key(PurePosixPath(name).name) for name in bad.names]
    counts = Counter(file_keys)  # of several images of one name, nobody knows whose mask it is
    bad_masks = [
        known.get(_key(name), known.get(key) if counts[key] == 1 else None)
        for name, key in zip(bad.names, file_keys, strict=True)
    ]
    for name, mask, array in zip(bad.names, bad_masks, bad.arrays, strict=True):
        if mask is not None and mask.shape != array.shape[1:]:
            raise InputError(f"{name!r} and its mask differ in size", "masks of their images' sizes")
    alone = [name for name, mask in zip(bad.names, bad_masks, strict=True) if mask is None]
    notes = [f"{len(alone)} bad images have no mask in {truth.name!r} ({listed(alone)})"] if alone else []
    return bad_masks, [*masks.notes, *notes]


def _key(name: str) -> str:
    """Return what an image and its mask share."""
    return PurePosixPath(name).with_suffix("").as_posix().removesuffix("_mask")
