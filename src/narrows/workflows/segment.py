"""Pictures and their masks, matched by name."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, TypedDict

import numpy as np

from narrows.data.images.mask_kinds import mask_kinds, read_mask_kinds
from narrows.data.images.masks import Encoding, read_masks, write_masks
from narrows.data.images.sets import Pictures, law_of, matched, write_pictures
from narrows.data.images.write import stacks
from narrows.errors import InputError
from narrows.tasks.images import brought, shown_range
from narrows.workflows.base import Request, Say
from narrows.workflows.images import PicturePairs, PicturesWorkflow, inside

__all__ = ["SegmentWorkflow"]

IMAGES = ("images", "image", "imgs", "img", "x", "pictures", "input", "inputs")
MASKS = ("masks", "mask", "labels", "label", "annotations", "annot", "annots", "y", "gt", "target", "targets")
_ROWS_PAINTED, _UNDER = 256, 0.6  # rows at a time; how much of a picture is seen through the colour of its mask
INK = ((0, 114, 178), (230, 159, 0), (0, 158, 115), (204, 121, 167), (213, 94, 0), (240, 228, 66), (86, 180, 233))


class SegmentationState(TypedDict):
    """What a run keeps of how its data was read."""

    encoding: dict[str, Any]


class SegmentWorkflow(PicturesWorkflow):
    """Pictures in images/ and masks of their names in masks/, or in masks/KIND/ for each kind; or two such folders.

    Masks hold one value for each class: 0 and 255, numbers, places in a palette, or colours. Those of one kind hold
    two: masks/scratch/a.png, masks/hole/a.png.
    """

    keeps: ClassVar[Any] = SegmentationState
    writes: ClassVar[tuple[str, ...]] = (*PicturesWorkflow.writes, "overlays")

    def fit(self, task: Any, request: Request, say: Say) -> dict[str, Any]:
        """Read the pictures, put some aside, and train on the others.

        Raises InputError where --likelihood came.
        """
        if "likelihood" in request.given:
            came = f"--likelihood {request.given['likelihood']} came for masks, whose classes say what it is"
            raise InputError(came, "no --likelihood: bernoulli of two, categorical of more", "leave it out")
        facts = super().fit(task, request, say)
        if self.encoding.kinds and task.class_names is None:
            task.class_names = tuple(map(self.encoding.name, task.classes_))
        return facts

    def read_pairs(self, request: Request) -> PicturePairs:
        """Read pictures and masks, and match them.

        Raises InputError where a picture and its mask differ in size, or where masks are of two kinds.
        """
        images, folder = folders(request)
        pictures = self.pictures(images)
        masks, encoding = self.masks(folder, pictures)
        earlier = getattr(self, "encoding", encoding)
        if encoding.kinds != earlier.kinds:
            held = [", ".join(one.kinds) or "none" for one in (encoding, earlier)]
            came = f"The masks in {str(folder)!r} are of the kinds {held[0]}, those before of {held[1]}"
            raise InputError(came, "a folder for each kind, the same in both")
        if encoding.kind != earlier.kind:
            came = f"The masks in {str(folder)!r} are written as {encoding.kind}, those before as {earlier.kind}"
            raise InputError(came, "masks of one kind")
        self.encoding = encoding
        notes = [*pictures.notes, *masks.notes]
        pictures, masks, alone = matched(pictures, masks)
        for picture, mask, name in zip(pictures.arrays, masks.arrays, pictures.names, strict=True):
            if picture.shape[1:] != mask.shape[1:]:
                sizes = [" x ".join(map(str, array.shape[1:])) for array in (picture, mask)]
                raise InputError(f"{name!r} is {sizes[0]} and its mask {sizes[1]}", "masks of their pictures' sizes")
        return PicturePairs(pictures, masks, [*notes, *alone, self.classes(masks)])

    def masks(self, folder: Path, pictures: Pictures) -> tuple[Pictures, Encoding]:
        """Read masks, with a value for each class, or with a folder for each kind."""
        kinds = mask_kinds(folder, pictures.names)
        if kinds:
            return read_mask_kinds(folder, kinds, skip_unreadable=self.skip_unreadable)
        return read_masks(folder, skip_unreadable=self.skip_unreadable)

    def classes(self, masks: Pictures) -> str:
        """Return in words which classes there are."""
        counts: dict[int, int] = {}
        for mask in masks.arrays:
            for value, count in zip(*np.unique(mask, return_counts=True), strict=True):
                counts[int(value)] = counts.get(int(value), 0) + int(count)
        total = sum(counts.values())
        shares = [f"{self.encoding.name(value)} ({100 * counts[value] / total:.3g} %)" for value in sorted(counts)]
        return f"{masks.name!r}: {len(shares)} values and their share of the pixels: {', '.join(shares)}"

    def save(self, task: Any, pictures: Pictures, folder: Path, *, fresh: bool) -> list[Path]:
        """Write masks in the encoding of those of the fit, and overlays to look at."""
        names, paths = law_of(pictures.names), []
        for _, index in stacks(pictures.names):
            part = pictures.take(index)
            masks = task.predict_pictures(part.arrays)
            alone = part if len(index) > 1 else replace(part, names=(names[index[0]],))
            paths += write_masks(masks, self.encoding, alone, folder / "masks")
            painted = [paint(*pair, task.order_) for pair in zip(part.arrays, masks, strict=True)]
            overlays = replace(part, names=tuple(names[i] for i in index), arrays=painted)
            paths += write_pictures(painted, overlays, folder / "overlays")
        return paths

    def inputs(self, request: Request) -> Pictures:
        """Read the pictures of ``apply``: those in images/ where there are such."""
        return self.pictures(inside(Path(request.data).expanduser(), IMAGES) or request.data)

    def state(self) -> dict[str, Any]:
        """Return how masks are written."""
        return {"encoding": self.encoding.to_json()}

    def apply(self, task: Any, state: Mapping[str, Any], request: Request, out: Path, say: Say) -> list[Path]:
        """Write masks of new pictures."""
        self.encoding = Encoding.from_json(state["encoding"])
        return super().apply(task, state, request, out, say)


def folders(request: Request) -> tuple[Path, Path]:
    """Return the folder of the pictures and that of the masks.

    Raises InputError where there is no such folder, or where it does not hold both.
    """
    data = Path(request.data).expanduser()
    if request.second is not None:
        return data, Path(request.second).expanduser()
    if not data.is_dir():
        raise InputError(f"There is no folder {str(data)!r}", "a folder that holds images/ and masks/")
    images, masks = inside(data, IMAGES), inside(data, MASKS)
    if images is None or masks is None:
        held = ", ".join(sorted(path.name for path in data.iterdir() if path.is_dir())) or "no folders"
        came = f"{str(data)!r} holds {held}, and not one of pictures and one of masks"
        raise InputError(came, "images/ and masks/, or two folders", "narrows fit segment IMAGES MASKS -o RUN")
    return images, masks


def paint(picture: np.ndarray, mask: np.ndarray, classes: list[int]) -> np.ndarray:
    """Return a picture under the colours of its mask, (3, H, W), uint8; the first class of two is left as it is."""
    colours, low, high = np.array(INK, np.float32), *shown_range(picture)
    painted = np.empty((3, *mask.shape), np.uint8)
    for top in range(0, len(mask), _ROWS_PAINTED):
        rows = slice(top, top + _ROWS_PAINTED)
        index = np.searchsorted(np.sort(classes), mask[rows]) % len(INK)
        over = (mask[rows] == classes[1]) if len(classes) == 2 else np.ones_like(index, bool)
        index = np.zeros_like(index) if len(classes) == 2 else index
        seen = 255 * brought(picture[:, rows], low, high)
        under = np.broadcast_to(np.rint(seen), (3, *index.shape))
        tinted = np.rint(_UNDER * under + (1 - _UNDER) * np.moveaxis(colours[index], 2, 0))
        painted[:, rows] = np.where(over, tinted, under)
    return painted
