"""What the U-Net recipes share: their pictures from a folder or synthetic_images, and a model over all of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from narrows.data.images.masks import Encoding
from narrows.errors import InputError
from narrows.estimator.base import Estimator
from narrows.recipes import synthetic_images
from narrows.recipes.run import Run
from narrows.reporting import figures
from narrows.tasks.segment.segmenter import Segmenter
from narrows.workflows.segment import SegmentWorkflow

__all__ = [
    "CAMVID",
    "FACADES",
    "MEMBRANE",
    "VOID",
    "Pictures",
    "curves",
    "facades",
    "keep_masks",
    "losses",
    "membranes",
    "predict",
    "streets",
]

Array = NDArray[Any]
MEMBRANE = "a folder with train/image and train/label: grey pictures and masks of one size and of the same names"
CAMVID = "a folder with train, trainannot, test and testannot: pictures and class masks (0 to 10, 11 void)"
FACADES = "a folder with train and test: pictures twice as wide as high, photograph left, labels right"
VOID = 11
_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
_MINIATURE_LEARNT, _MINIATURE_HELD_OUT = 40, 16  # pictures of a miniature


class Pictures(NamedTuple):
    """Pictures (n, C, H, W), uint8, with their targets, to learn from and to test on."""

    train: Array
    train_targets: Array
    test: Array
    test_targets: Array


def membranes(run: Run) -> Pictures:
    """Return slices through tissue and their classes, 0 membrane and 1 inside; the last fifth is the test.

    Raises InputError where pictures and labels differ in shape, or where there are too few.
    """
    if run.quick or run.data is None:
        return _drawn(run, "drawn cells", synthetic_images.cells)
    names = _same_names(run.data, "train/image", "train/label", MEMBRANE)
    images, labels = (_read(run.data / part, names[part], "L") for part in ("train/image", "train/label"))
    if images.shape != labels.shape:
        raise InputError(f"Pictures of shape {images.shape[1:]} and labels of {labels.shape[1:]}", MEMBRANE)
    if len(images) < 5:
        raise InputError(f"{run.data / 'train/image'} holds {len(images)} pictures", "5 or more")
    cut, classes = len(images) - len(images) // 5, (labels > 127).astype(np.int16)
    split = (
        f"slices 0 to {cut - 1} are learnt from, {cut} to {len(images) - 1} held out: neighbours look alike, so that"
    )
    notes = [f"{split} a random split would flatter every method"]
    run.data_is("membrane", learnt=cut, held=len(images) - cut, notes=notes)
    return Pictures(images[:cut, None], classes[:cut], images[cut:, None], classes[cut:])


def streets(run: Run) -> Pictures:
    """Return street scenes and their classes, 0 to 10, or 11 for void; the split is that of the folders.

    Raises InputError where the masks do not fit the pictures or hold other classes.
    """
    if run.quick or run.data is None:
        return _drawn(run, "drawn streets", synthetic_images.streets)
    parts = []
    for part in ("train", "test"):
        names = _same_names(run.data, part, f"{part}annot", CAMVID)
        images = _read(run.data / part, names[part], "RGB")
        classes = _read(run.data / f"{part}annot", names[f"{part}annot"], "").astype(np.int16)
        if classes.ndim != 3 or classes.shape != images.shape[:3] or classes.max() > VOID:
            came = f"Masks of shape {classes.shape} with values up to {classes.max()} for pictures {images.shape[:3]}"
            raise InputError(f"{run.data / part}annot: {came}", CAMVID)
        parts += [np.moveaxis(images, 3, 1), classes]
    scenes = Pictures(*parts)
    notes = ["the split of the folders: neighbouring frames of a video look alike, a random split would flatter"]
    run.data_is("CamVid", learnt=len(scenes.train), held=len(scenes.test), notes=notes)
    return scenes


def facades(run: Run) -> Pictures:
    """Return label maps of facades and their photographs, both (n, 3, H, W); the split is that of the folders.

    Raises InputError where the pictures are no pairs side by side.
    """
    if run.quick or run.data is None:
        return _drawn(run, "drawn facades", synthetic_images.facades)
    parts: list[Array] = []
    for part in ("train", "test"):
        pairs = np.moveaxis(_read(run.data / part, _listed(run.data, part, FACADES), "RGB"), 3, 1)
        high, wide = pairs.shape[2:]
        if wide != 2 * high:
            raise InputError(f"{run.data / part} holds pictures of {high} x {wide}", FACADES)
        parts += [pairs[..., high:], pairs[..., :high]]
    houses = Pictures(*map(np.ascontiguousarray, parts))
    run.data_is("facades", learnt=len(houses.train), held=len(houses.test), notes=["the split of the folders"])
    return houses


def predict(model: Any, pictures: Array, *, classes: bool = False) -> Array:
    """Return what a model makes of whole pictures, or the class of each pixel, some pictures at a time."""
    parts = (model.reconstruct(pictures[i : i + 16]) for i in range(0, len(pictures), 16))
    return np.concatenate([part.argmax(axis=1) if classes else part for part in parts])


def keep_masks(run: Run, model: Estimator, name: str, classes: Sequence[int], **settings: Any) -> None:
    """Make a model what ``narrows apply RUN`` uses: it writes masks of these values, one for each of its channels."""
    task, workflow = Segmenter(ensemble=False, **settings), SegmentWorkflow()  # type: ignore[call-arg]
    task.classes_, task.void_, workflow.encoding = sorted(classes), settings.get("ignore"), Encoding("grey")
    task.order_ = list(classes)
    run.keep_pictures(task, model, workflow, name)


def losses(model: Any, values: int) -> Array:
    """Return the likelihood's part of the training loss of every epoch, per value of a target with so many."""
    return np.array([epoch["train"]["reconstruction"] / values for epoch in model.history_])


def curves(run: Run, losses: Mapping[str, Array], label: str) -> None:
    """Show losses after every epoch."""
    lines = {name: (np.arange(1, len(values) + 1), values) for name, values in losses.items()}
    caption = "After every epoch, on the training pictures: where it still falls, more epochs would help."
    run.figure("learning", "Learning", caption, figures.lines(lines, "epoch", label))


def _drawn(run: Run, name: str, draw: Any) -> Pictures:
    """Draw a miniature."""
    notes = ["drawn by the program, so that the answers are known"]
    if run.data is not None:
        notes.append(f"{run.data} is not read: a miniature draws its own pictures")
    run.data_is(name, learnt=_MINIATURE_LEARNT, held=_MINIATURE_HELD_OUT, notes=notes)
    return Pictures(*draw(_MINIATURE_LEARNT, 0), *draw(_MINIATURE_HELD_OUT, 1))


def _listed(folder: Path, part: str, accepted: str) -> list[str]:
    """Names of the pictures in a part of a folder, 2 before 10."""
    if not (folder / part).is_dir():
        raise InputError(f"{folder} holds no {part}", accepted, "--data FOLDER")
    names = [path.name for path in (folder / part).iterdir() if path.suffix.lower() in _ENDINGS]
    if not names:
        raise InputError(f"{folder / part} holds no pictures ({', '.join(_ENDINGS)})", accepted, "--data FOLDER")
    return sorted(names, key=lambda name: (int(Path(name).stem) if Path(name).stem.isdecimal() else -1, name))


def _same_names(folder: Path, first: str, second: str, accepted: str) -> dict[str, list[str]]:
    """Names in two parts of a folder that belong together: the same but for their endings."""
    names = {part: _listed(folder, part, accepted) for part in (first, second)}
    stems = [{Path(name).stem for name in names[part]} for part in (first, second)]
    alone = sorted(stems[0] ^ stems[1])
    if alone:
        here = first if alone[0] in stems[0] else second
        came = f"{folder / here} holds {alone[0]!r} without a partner, one of {len(alone)}"
        raise InputError(came, accepted)
    return names


def _read(folder: Path, names: Sequence[str], mode: str) -> Array:
    """Pictures of one size as one array, in a mode of Pillow or as they are."""
    pictures = []
    for name in names:
        try:
            with Image.open(folder / name) as picture:
                pictures.append(np.asarray(picture.convert(mode) if mode else picture))
        except OSError as error:
            reason = f"{folder / name} cannot be read ({type(error).__name__})"
            raise InputError(reason, f"pictures: {', '.join(_ENDINGS)}") from None
        if pictures[-1].shape != pictures[0].shape:
            came = f"{folder / name} is of shape {pictures[-1].shape}, {names[0]} of {pictures[0].shape}"
            raise InputError(came, "pictures of one size and kind")
    return np.stack(pictures)
