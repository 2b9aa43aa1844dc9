"""Sets of good and bad pictures, with masks of what is wrong: which is which, by the names of their folders."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from narrows.data.images.masks import read_masks
from narrows.data.images.sets import Pictures, read_pictures
from narrows.errors import InputError, listed
from narrows.holdout import HoldOut, Parts
from narrows.workflows.images import inside, outside

__all__ = ["MASKS", "Layout", "SortedImages", "sorted_images"]

GOOD, MASKS = ("good", "normal", "ok", "ordinary"), ("masks", "mask", "ground_truth")
_TRAIN, _TEST, _VALID = ("train", "training"), ("test", "testing"), ("validation", "valid", "val")
ACCEPTED = (
    "good/ with folders of bad images and masks/ beside it, or train/good, test/KIND and ground_truth/KIND, or a "
    "folder of good images only"
)


class Layout(NamedTuple):
    """The folders of a set by what their images are."""

    good: Path  # learnt from, and put aside from
    aside: Sequence[Path]  # good ones that set the threshold
    fine: Sequence[Path]  # good ones that are measured on only
    bad: Sequence[Path]
    truth: Path | None  # masks of the bad ones

    @classmethod
    def of(cls, data: Path) -> "Layout | None":
        """Return the layout of a folder; None where all its images are good ones.

        Known are good/ with other folders and masks/ beside it; train/good, validation/good, test/KIND and
        ground_truth/KIND, as in MVTec AD and LOCO; Images/Normal, Images/Anomaly and Masks, as in VisA. Raises
        InputError where it is not clear which images are good.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as name:
        ...     for part in ("train/good", "test/good", "test/hole", "ground_truth/hole"):
        ...         Path(name, part).mkdir(parents=True)
        ...     layout = Layout.of(Path(name))
        ...     [path.relative_to(name).as_posix() for path in (layout.good, *layout.fine, *layout.bad)]
        ['train/good', 'test/good', 'test/hole']
        """
        data = _set_of(data)
        base = inside(data, ("images", "image")) or data
        base = base if _one(base, GOOD) else data
        truth, test, valid = _one(data, MASKS), _one(data, _TEST), _one(data, _VALID)
        train = _one(data, _TRAIN)
        good = _good_of(data, _one(base, GOOD), train)
        if good is None:
            if test is None and truth is None:
                return None
            came = f"{str(data)!r} holds {(test or truth or data).name}/ and no folder of good images"
            raise InputError(came, ACCEPTED, f"put the good ones into {data / GOOD[0]}")
        known = {good, test, truth, train, valid, base}
        kinds = [path for place in (base, test, valid) if place for path in _folders(place) if path not in known]
        several = [name for name, n in Counter(path.name for path in kinds if not _is_good(path)).items() if n > 1]
        if several:
            raise InputError(f"{str(data)!r} holds several folders {several[0]}/", "a name for each kind", "rename one")
        bad = [path for path in kinds if not _is_good(path)]
        aside = [path for path in kinds if _is_good(path) and path.parent == valid]
        return cls(good, aside, [path for path in kinds if _is_good(path) and path not in aside], bad, truth)

    @property
    def read(self) -> list[Path]:
        """All folders that are read."""
        return [self.good, *self.aside, *self.fine, *self.bad, *([self.truth] if self.truth else [])]


def _set_of(data: Path) -> Path:
    """Return the folder that holds a set: the one itself, or Data/ in it; refuse one of several sets."""
    if any(inside(data, names) for names in (GOOD, _TRAIN, _TEST, MASKS)):
        return data
    nested = inside(data, ("data",))
    if nested is not None and inside(nested, ("images", *GOOD)):
        return nested
    sets = [path for path in _folders(data) if any(inside(path, names) for names in (GOOD, _TRAIN))]
    sets = [path for path in sets if path.name.lower() not in ("images", "image")]
    if sets:
        held = listed([f"{path.name}/" for path in sets])
        came = f"{str(data)!r} holds {held} with good images of their own: one detector knows one kind of picture"
        raise InputError(came, ACCEPTED, f"narrows fit anomaly {sets[0]} -o RUN")
    return data


def _good_of(data: Path, beside: Path | None, train: Path | None) -> Path | None:
    """Return the folder of good images: the one beside the others, or that of train/; refuse both, and neither."""
    if train is None:
        return beside
    within = _one(train, GOOD)
    if beside is not None and within is None:
        return beside
    if beside is not None:
        came = f"{str(data)!r} holds {beside.name}/ and {train.name}/"
        raise InputError(came, ACCEPTED, "remove the one that is not to be learnt from, or name one folder")
    kinds = [f"{path.name}/" for path in _folders(train)]
    if within is None and kinds:
        came = f"{str(train)!r} holds {listed(kinds)}, and none of {', '.join(GOOD)}"
        raise InputError(came, ACCEPTED, f"rename the folder of good images to {GOOD[0]}")
    return within or train


def _one(folder: Path, names: Sequence[str]) -> Path | None:
    """Return the folder of one of these names, whatever the case; refuse several."""
    known = [path for path in _folders(folder) if path.name.lower() in names]
    if len(known) > 1:
        held = " and ".join(f"{path.name}/" for path in known)
        raise InputError(f"{str(folder)!r} holds {held}, which mean the same", "one of them", "put them together")
    return known[0] if known else None


def _folders(place: Path) -> list[Path]:
    return [path for path in sorted(place.iterdir()) if path.is_dir() and not path.name.startswith((".", "__MACOSX"))]


def _is_good(path: Path) -> bool:
    return path.name.lower() in GOOD


class SortedImages(NamedTuple):
    """The images of a folder by what they are used for, the mask of each bad one where there is one, and notes."""

    good: Pictures  # learnt from, and put aside from
    fine: Pictures  # good ones that are measured on only
    bad: Pictures
    masks: list[np.ndarray | None]
    notes: list[str]
    n_aside: int = 0  # of the good ones, at their end, that a folder of their own puts aside

    def parts(self, rule: HoldOut, seed: int) -> Parts:
        """Return which of the good images are learnt from and which set the threshold, by their folders or a rule.

        Raises InputError where less than two can be learnt from.
        """
        n, n_learnt = len(self.good), len(self.good) - self.n_aside
        if n_learnt < 2:
            raise InputError(f"{self.good.name!r} holds {n_learnt} good image", "at least 2 to learn from")
        if self.n_aside:
            return Parts(np.arange(n_learnt), np.arange(n_learnt, n))
        parts = rule.pictures(self.good.names, seed)
        return parts._replace(why=parts.why or f"{n} good images are too few to put some aside")


def sorted_images(data: Path, *, skip_unreadable: bool = False) -> SortedImages:
    """Return good images, good ones of the test part, bad ones, masks of these, and notes.

    With ``skip_unreadable`` images that cannot be read are left out, and named in a note. Raises InputError where it is
    not clear which images are good.
    """
    read = partial(read_pictures, skip_unreadable=skip_unreadable)
    layout = Layout.of(data)
    if layout is None:
        pictures = read(data)
        return SortedImages(pictures, Pictures("good", (), []), Pictures("bad", (), []), [], list(pictures.notes))
    ordinary, aside = read(layout.good), _together("validation", layout.aside, read)
    fine, bad = _together("good", layout.fine, read), _together("bad", layout.bad, read)
    masks, mask_notes = masks_of(bad, layout.truth, skip_unreadable=skip_unreadable)
    notes = [*ordinary.notes, *aside.notes, *fine.notes, *bad.notes, *mask_notes]
    if len(aside):
        place = layout.aside[0].parent.name
        names = tuple(f"{place}/{name.partition('/')[2]}" for name in aside.names)
        ordinary = replace(ordinary, names=ordinary.names + names, arrays=ordinary.arrays + aside.arrays)
        notes.append(f"{len(aside)} good images of {place}/ set the threshold, and are not learnt from")
    if len(fine):
        notes.append(f"{len(fine)} good images of the test part are measured on, and not learnt from")
    places = sorted({name.partition("/")[0] for name in bad.names})
    notes.append(f"{len(bad)} bad images are measured on, in {', '.join(places) or 'no folders'}")
    return SortedImages(ordinary, fine, bad, masks, [*notes, *_unused(data, layout.read)], len(aside))


def _together(name: str, folders: Sequence[Path], read: Callable[[Path], Pictures]) -> Pictures:
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


def masks_of(
    bad: Pictures, truth: Path | None, *, skip_unreadable: bool = False
) -> tuple[list[np.ndarray | None], list[str]]:
    """Return the mask of every bad image, and notes on those without.

    A mask is matched by name, with ``_mask`` or without; several in a folder that is named as the image are one. Raises
    InputError where an image and its mask differ in size.
    """
    if truth is None or not len(bad):
        return [None] * len(bad), []
    masks, _ = read_masks(truth, skip_unreadable=skip_unreadable)
    files = Counter(PurePosixPath(_key(name)).name for name in bad.names)
    owners = {_key(name) for name in bad.names} | set(files)
    known: dict[str, list[np.ndarray]] = {}
    for name, array in zip(masks.names, masks.arrays, strict=True):
        key, place = _key(name), PurePosixPath(name).parent.as_posix()
        known.setdefault(place if place in owners and key not in owners else key, []).append(array[0] > 0)
    bad_masks = []
    for name, array in zip(bad.names, bad.arrays, strict=True):
        file = PurePosixPath(_key(name)).name
        shared = known.get(file, []) if files[file] == 1 else []  # of several images of one name, nobody knows whose
        parts = known.get(_key(name), shared)
        if any(part.shape != array.shape[1:] for part in parts):
            raise InputError(f"{name!r} and its mask differ in size", "masks of their images' sizes")
        bad_masks.append(np.logical_or.reduce(parts) if parts else None)
    alone = [name for name, mask in zip(bad.names, bad_masks, strict=True) if mask is None]
    notes = [f"{len(alone)} bad images have no mask in {truth.name!r} ({listed(alone)})"] if alone else []
    return bad_masks, [*masks.notes, *notes]


def _key(name: str) -> str:
    """Return what an image and its mask share."""
    return PurePosixPath(name).with_suffix("").as_posix().removesuffix("_mask")
