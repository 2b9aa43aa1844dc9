"""Pictures, alone or in pairs, each at its own size: read, split by picture, learnt from, evaluated, written back."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, NamedTuple

import numpy as np

from narrows.data.images.files import lessened
from narrows.data.images.pixels import FORMATS
from narrows.data.images.sets import Pictures, read_pictures, write_pictures
from narrows.data.images.write import stacks
from narrows.errors import listed
from narrows.holdout import PICTURES, Split
from narrows.notes import Note
from narrows.params import param
from narrows.tasks.images import Examples
from narrows.training.random import seed_of
from narrows.workflows.base import Evaluated, Request, Say, Workflow
from narrows.workflows.copies import copied
from narrows.workflows.outputs import write_table

__all__ = ["PicturePairs", "PicturesWorkflow", "inside", "outside", "unmasked", "write_results"]


class PicturePairs(NamedTuple):
    """What was read: pictures, what belongs to each of them, and what is to be said of both."""

    x: Pictures
    y: Pictures | None = None
    notes: Sequence[str] = ()
    left: Sequence[str] = ()  # images of the folder that are in none of the places that were read

    def take(self, index: Any) -> "PicturePairs":
        """Return the pictures at ``index`` with what belongs to them."""
        return self._replace(x=self.x.take(index), y=None if self.y is None else self.y.take(index))

    def examples(self) -> Examples:
        """Return what the task is given."""
        return Examples(self.x.arrays, None if self.y is None else self.y.arrays, self.x.names)


@dataclass(frozen=True)
class FittedPictures:
    """A fitted task, all that was read, what was learnt from, and what it is measured on."""

    task: Any
    all: PicturePairs
    train: PicturePairs
    held: PicturePairs
    split: Split  # what the latter are


class PicturesWorkflow(Workflow):
    """Pictures of any sizes. Subclasses say how they are found and how results are written."""

    honours: ClassVar[tuple[str, ...]] = ("valid",)
    writes: ClassVar[tuple[str, ...]] = ("pictures",)
    unpaired: ClassVar[dict[str, str]] = {}  # flags that only pictures with nothing beside them have a use for

    held_out: float = param(PICTURES.share, "share of the pictures that the verdict is measured on", gt=0, lt=1)
    skip_unreadable: bool = param(False, "leave out images that cannot be read, and name them; no: they are refused")

    @abstractmethod
    def read_pairs(self, request: Request) -> PicturePairs:
        """Read the pictures that the user points at, with what belongs to them."""

    @abstractmethod
    def save(self, task: Any, pictures: Pictures, folder: Path, *, fresh: bool) -> list[Path]:
        """Write what the task makes of pictures; ``fresh`` ones were not learnt from."""

    def inputs(self, request: Request) -> Pictures:
        """Read the pictures of ``apply``."""
        return self.pictures(request.data)

    def pictures(self, place: str | Path) -> Pictures:
        """Read the pictures below a folder."""
        return read_pictures(place, skip_unreadable=self.skip_unreadable)

    def channels(self, pictures: Pictures) -> list[str]:
        """Return in words what becomes of pictures with different channels."""
        return mixed(pictures)

    def fit(self, task: Any, request: Request, say: Say) -> dict[str, Any]:
        """Read the pictures, put some aside, and train on the others."""
        reason = "pictures have their own shape"
        request.refuse({"image_shape": reason} | ({} if request.valid is None else {"held_out": "--valid holds out"}))
        other = None if request.valid is None else self.read_pairs(_valid(request))
        pairs = self.read_pairs(request)
        seed = seed_of(task.random_state)
        if other is None:
            parts = replace(PICTURES, share=self.held_out).pictures(pairs.x.names, seed)
            train, held_out, where, words = pairs.take(parts.learn), pairs.take(parts.measure), parts.split, parts.why
        else:
            train, held_out, where = pairs, other, Split.VALIDATION
            words = f"measured on the {len(held_out.x)} pictures of {request.valid}"
        few_note = f"{len(pairs.x)} pictures are too few to put some aside: measured on those that were learnt"
        split_notes = (words or few_note, *([] if where.learnt else _held_out_notes(where, train.x, held_out.x)))
        notes = list(dict.fromkeys((*pairs.notes, *self.channels(pairs.x), *held_out.notes, *split_notes)))
        for note in notes:
            say(note)
        say(f"{task.name}: {len(train.x):,} pictures, {sizes(train.x)}, from {pairs.x.name}")
        if pairs.y is not None:
            request.refuse(self.unpaired)
        examples = train.examples()
        _settle(task, request, examples.x)
        task.fit_pictures(examples.x, examples.y)
        self.learnt = FittedPictures(task, pairs, train, held_out, where)
        return {
            "name": pairs.x.name,
            "unit": "picture",
            "rows": len(pairs.x) + len(pairs.left),
            "used": len(train.x),
            "held_out": len(held_out.x) if not where.learnt else 0,
            **({"left out": len(pairs.left)} if pairs.left else {}),
            "sizes": sizes(pairs.x),
            "fingerprint": pairs.x.fingerprint()[:16],
            "notes": notes,
            "split": where,
        }

    def evaluate(self) -> Evaluated:
        """Measure on the pictures that were put aside."""
        learnt = self.learnt
        held = learnt.held.examples()._replace(split=learnt.split)
        return Evaluated(learnt.task.evaluate_pictures(learnt.train.examples(), held), None)

    def write(self, folder: Path) -> list[Path]:
        """Write which part every picture was in, and the results for all pictures of the data."""
        learnt = self.learnt
        held = () if learnt.split.learnt else learnt.held.x.names
        parts = [*[Split.TRAINING.value] * len(learnt.train.x), *[learnt.split.value] * len(held)]
        names = np.array([*learnt.train.x.names, *held])
        table = write_table({"part": parts}, folder / "pictures.csv", names, "file")
        return [table, *self.save(learnt.task, learnt.all.x, folder, fresh=False)]

    def losses(self, task: Any, pictures: Pictures) -> Sequence[str]:
        """Return in words what new pictures lose because those of the fit did not have it."""
        return smaller(pictures, task.estimator_.shapes_[0][0])

    def state(self) -> dict[str, Any]:
        """Return nothing: the task knows its channels."""
        return {}

    def apply(self, task: Any, state: Mapping[str, Any], request: Request, out: Path, say: Say) -> list[Path]:
        """Write the results for new pictures."""
        pictures = self.inputs(request)
        for note in (*pictures.notes, *self.losses(task, pictures)):
            say(note)
        return self.save(task, pictures, out, fresh=True)


def write_results(result: Callable[[np.ndarray], np.ndarray], pictures: Pictures, folder: Path) -> list[Path]:
    """Write what becomes of pictures, file by file, so that no more is held than the pictures of one."""
    paths: list[Path] = []
    for _, index in stacks(pictures.names):
        part = pictures.take(index)
        outputs = [result(picture) for picture in part.arrays]
        paths += write_pictures(outputs, replace(part, arrays=outputs), folder)
    return paths


def _held_out_notes(split: Split, train: Pictures, held: Pictures) -> list[str]:
    """Say which pictures are held out, and which of them are copies of those learnt from."""
    names = f"{split.value}: {listed(held.names)}; pictures.csv has them all"
    return [names, *copied(train.arrays, held.arrays, "picture")]


def mixed(pictures: Pictures) -> list[str]:
    """Return in words what becomes of pictures with different channels, where there are such.

    Examples
    --------
    >>> mixed(Pictures("two", ("a", "b"), [np.zeros((1, 2, 2), np.uint8), np.zeros((3, 2, 2), np.uint8)]))
    ["'two': pictures by channels: 1 of 1, 1 of 3; the network sees 3 of all, grey is repeated"]
    """
    counts = sorted(Counter(len(array) for array in pictures.arrays).items())
    held = ", ".join(f"{n} of {k}" for k, n in counts)
    note = f"{pictures.name!r}: pictures by channels: {held}; the network sees {counts[-1][0]} of all, grey is repeated"
    return [note] if len(counts) > 1 else []


def smaller(pictures: Pictures, channels: int, dtype: str | None = None) -> list[Note]:
    """Return in words which pictures have more channels, or a deeper type, than those of the fit had."""
    bits = 64 if dtype is None else 8 * np.dtype(dtype).itemsize
    kinds = [(len(array), 8 * array.dtype.itemsize) for array in pictures.arrays]
    return lessened(kinds, channels, bits, pictures.name)


def _settle(task: Any, request: Request, pictures: Sequence[np.ndarray]) -> None:
    """Give the task's autoencoder the settings that pictures ask for, where the user said nothing else."""
    asked = {*request.given} | ({"network", "start"} if {"family", "network"} & {*request.given} else set())
    suited = {name: value for name, value in task.suited_pictures(pictures).items() if name not in asked}
    task.set_params(estimator=task.resolve().set_params(**suited))


def _valid(request: Request) -> Request:
    """Return the request for the user's validation data: one folder, or two with a comma between."""
    data, _, second = (request.valid or "").partition(",")
    if second and not Path(request.valid or "").exists():
        return request._replace(data=data, second=second)
    return request._replace(data=request.valid or "", second=None)


def inside(data: Path, names: Sequence[str]) -> Path | None:
    """Return the folder in ``data`` that has the first of these names, whatever the case; none where there is none."""
    folders = {path.name.lower(): path for path in data.iterdir() if path.is_dir()} if data.is_dir() else {}
    return next((folders[name] for name in names if name in folders), None)


def unmasked(data: str, masks: Sequence[str], *, skip_unreadable: bool = False) -> Pictures:
    """Return the pictures of a folder without those that are masks by their folder, and a note on these."""
    pictures = read_pictures(data, skip_unreadable=skip_unreadable)
    places = [[part for part in PurePosixPath(name).parts[:-1] if part.lower() in masks] for name in pictures.names]
    index = [i for i, parts in enumerate(places) if not parts]
    n_masks, folders = len(pictures) - len(index), sorted({parts[0] for parts in places if parts})
    if not n_masks or not index:
        return pictures
    note = f"{n_masks} images in {', '.join(map(repr, folders))} are masks by their folder, and are not read"
    return replace(pictures.take(index), notes=(*pictures.notes, note))


def outside(data: Path, read: Sequence[Path]) -> list[str]:
    """Return the names of images somewhere in a folder that are in none of the folders ``read``.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.png").write_bytes(b"")
    ...     outside(Path(folder), [Path(folder, "clean")]), outside(Path(folder), [Path(folder)])
    (['a.png'], [])
    """
    every = (path for path in sorted(data.rglob("*")) if path.suffix.lower() in FORMATS)
    return [path.relative_to(data).as_posix() for path in every if not any(folder in path.parents for folder in read)]


def sizes(pictures: Pictures) -> str:
    """Return the sizes of pictures in words.

    Examples
    --------
    >>> sizes(Pictures("one", ("a",), [np.zeros((3, 4, 6), np.uint8)]))
    '3 x 4 x 6'
    """
    counts = Counter(array.shape for array in pictures.arrays)
    low, high = min(counts, key=lambda shape: shape[1] * shape[2]), max(counts, key=lambda shape: shape[1] * shape[2])
    first, last = (" x ".join(map(str, shape)) for shape in (low, high))
    return first if len(counts) == 1 else f"{first} to {last} in {len(counts)} sizes"
