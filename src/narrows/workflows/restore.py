"""Pictures that come back better: noisy ones cleaned, small ones enlarged."""

from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

from narrows.data.images.pixels import FORMATS
from narrows.data.images.sets import Pictures, matched
from narrows.errors import InputError, listed
from narrows.tasks.base import Task
from narrows.workflows.base import Request
from narrows.workflows.images import PicturePairs, PicturesWorkflow, outside, write_results

__all__ = ["DenoiseWorkflow", "UpscaleWorkflow"]


def is_pictures(path: str) -> bool:
    """Return whether a path is a folder that holds pictures somewhere, or a picture."""
    place = Path(path).expanduser()
    if place.is_file():
        return place.suffix.lower() in FORMATS
    return place.is_dir() and any(file.suffix.lower() in FORMATS for file in place.rglob("*"))


class DenoiseWorkflow(PicturesWorkflow):
    """A folder of clean pictures; or noisy ones and clean ones of the same names, in two folders or noisy/ and clean/.

    Pictures stay as they are: sizes, channels, bit depth.
    """

    unpaired: ClassVar[dict[str, str]] = {"noise": "noisy pictures came, which have theirs"}

    def accepts(self, task: Task, request: Request) -> bool:
        """Return whether there are pictures, which are not to be brought to one size."""
        return is_pictures(request.data) and "image_size" not in request.given

    def read_pairs(self, request: Request) -> PicturePairs:
        """Read clean pictures, or noisy ones with the clean ones of the same names.

        Raises InputError where there are noisy pictures and no clean ones.
        """
        folder = Path(request.data).expanduser()
        noisy, clean = (folder / part for part in ("noisy", "clean"))
        if request.second is not None:
            noisy, clean = folder, Path(request.second).expanduser()
        elif not clean.is_dir() and noisy.is_dir():
            came = f"{request.data!r} holds noisy/ and no clean/"
            raise InputError(came, "noisy/ and clean/ with the same names, or clean pictures", "another DATA")
        elif not clean.is_dir():
            pictures = self.pictures(folder)
            return PicturePairs(pictures, None, pictures.notes)
        elif not noisy.is_dir():
            pictures = self.pictures(clean)
            return beside(PicturePairs(pictures, None, pictures.notes), folder, [clean])
        x, y = self.pictures(noisy), self.pictures(clean)
        a, b, notes = matched(x, y)
        pairs = same_sizes(a, b, [*x.notes, *y.notes, *notes])
        return pairs if request.second is not None else beside(pairs, folder, [noisy, clean])

    def channels(self, pictures: Pictures) -> list[str]:
        """Return in words what becomes of pictures of grey and of colour together."""
        colours = Counter("grey" if len(array) == 1 else "in colour" for array in pictures.arrays)
        held = " and ".join(f"{n} {kind}" for kind, n in sorted(colours.items()))
        return [f"{pictures.name!r}: {held}: every channel is cleaned by itself"] if len(colours) > 1 else []

    def inputs(self, request: Request) -> Pictures:
        """Read noisy pictures."""
        noisy = Path(request.data).expanduser() / "noisy"
        return self.pictures(noisy if noisy.is_dir() else request.data)

    def losses(self, task: Any, pictures: Pictures) -> list[str]:
        """Return in words that grey pictures are cleaned less well where colours were learnt from."""
        grey = sum(len(array) == 1 for array in pictures.arrays) if task.estimator_.shapes_[0][0] == 3 else 0
        hint = "learnt from colour pictures, whose noise differs between the colours: it takes less out of these"
        return [f"{grey} pictures are grey, and the model has {hint}"] if grey else []

    def save(self, task: Any, pictures: Pictures, folder: Path, *, fresh: bool) -> list[Path]:
        """Write cleaned pictures; clean ones that were learnt from need none."""
        if not fresh and not task.paired_:
            return []
        return _written(task, pictures, folder / "cleaned")


class UpscaleWorkflow(PicturesWorkflow):
    """A folder of sharp pictures of any sizes, channels and depths."""

    def channels(self, pictures: Pictures) -> list[str]:
        """Return nothing: all are learnt from by their luminance."""
        return []

    def losses(self, task: Any, pictures: Pictures) -> list[str]:
        """Return nothing: every picture keeps its colours."""
        return []

    def accepts(self, task: Task, request: Request) -> bool:
        """Return whether there are pictures."""
        return is_pictures(request.data) and request.second is None

    def read_pairs(self, request: Request) -> PicturePairs:
        """Read sharp pictures."""
        pictures = self.pictures(request.data)
        return PicturePairs(pictures, None, pictures.notes)

    def save(self, task: Any, pictures: Pictures, folder: Path, *, fresh: bool) -> list[Path]:
        """Write enlarged pictures; those that were learnt from are large already."""
        return _written(task, pictures, folder / "enlarged") if fresh else []


def beside(found: PicturePairs, folder: Path, read: list[Path]) -> PicturePairs:
    """Return what was found, and which pictures of the folder lie beside it and are left out."""
    left, places = outside(folder, read), " and ".join(f"{path.name}/" for path in read)
    note = f"{folder.name!r}: {len(left)} pictures lie outside {places} and are left out ({listed(left)})"
    return found._replace(left=left, notes=[*found.notes, *([note] if left else [])])


def same_sizes(a: Pictures, b: Pictures, notes: list[str]) -> PicturePairs:
    """Return pairs of one size; others are left out by name.

    Raises InputError where no pair is of one size.
    """
    sizes = [(x.shape[1:], y.shape[1:]) for x, y in zip(a.arrays, b.arrays, strict=True)]
    index = [i for i, (noisy, clean) in enumerate(sizes) if noisy == clean]
    names = [a.names[i] for i, (noisy, clean) in enumerate(sizes) if noisy != clean]
    if not index:
        (noisy, clean), name = sizes[0], a.names[0]
        shapes = f"{noisy[0]} x {noisy[1]}, {clean[0]} x {clean[1]}"
        came = f"No noisy picture has the size of its clean one ({name}: {shapes})"
        raise InputError(came, "pairs of one size")
    if names:
        notes = [*notes, f"{len(names)} pairs are of two different sizes and are left out ({listed(names)})"]
    return PicturePairs(a.take(index), b.take(index), notes)


def _written(task: Any, pictures: Pictures, folder: Path) -> list[Path]:
    """Write the results in the type of the pictures."""
    return write_results(lambda picture: task.predict_as(picture, picture.dtype), pictures, folder)
