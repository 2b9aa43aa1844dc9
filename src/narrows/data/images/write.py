"""Pictures to files, named and packed as those that they are of: one file each, or one stack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows.data.images.frames import TIFF, place_in_stack
from narrows.data.images.pixels import encode_image, placed
from narrows.files import whole, write_array

__all__ = ["stacks", "write_images"]

Array = NDArray[Any]


def stacks(names: Sequence[str]) -> Iterator[tuple[str, list[int]]]:
    """Yield the files that pictures of these names belong to, and which of them belong there, in the file's order.

    Frames that are not all frames from the first one on are files of their own.

    Examples
    --------
    >>> list(stacks(["a.tif#0", "a.tif#1", "b.png", "c.tif#7"]))
    [('a.tif', [0, 1]), ('b.png', [2]), ('c.tif#7', [3])]
    """
    places = [place_in_stack(name) for name in names]
    for file, run in groupby(range(len(names)), key=lambda i: places[i][0]):
        index = list(run)
        if len(index) > 1 and [places[i][1] for i in index] == list(range(len(index))):
            yield file, index
        else:
            yield from ((names[i], [i]) for i in index)


def write_images(arrays: Sequence[Array], names: Sequence[str], folder: Path) -> list[Path]:
    """Write pictures (C, H, W), uint8, uint16 or floats, below ``folder``, and return the files.

    The format is that of the name where it holds such pixels: else PNG, .npy for floats and for more channels than
    images have, TIFF for the frames of one file.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> grey = np.zeros((1, 2, 2), np.uint8)
    >>> with TemporaryDirectory() as folder:
    ...     paths = write_images([grey] * 3, ["a.gif#0", "a.gif#1", "b.jpg"], Path(folder))
    ...     [path.name for path in paths]
    ['a.gif.tif', 'b.jpg']
    """
    paths = []
    for name, index in stacks(names):
        frames = [arrays[i] for i in index]
        if len({(frame.shape, frame.dtype) for frame in frames}) > 1:  # no stack holds several sizes
            paths += [_write(frame, names[i], folder) for i, frame in zip(index, frames, strict=True)]
        else:
            paths.append(_write(frames[0], name, folder) if len(frames) == 1 else _write_stack(frames, name, folder))
    return paths


def _write(pixels: Array, name: str, folder: Path) -> Path:
    suffix = PurePosixPath(name).suffix.lower()
    if pixels.dtype.kind == "f" or len(pixels) not in (1, 3, 4) or suffix == ".npy":
        if suffix in TIFF and len(pixels) == 1:
            return _write_tiff(pixels[0], folder / PurePosixPath(name))
        if suffix in TIFF:
            return _write_tiff(pixels, folder / PurePosixPath(name), planarconfig="separate")
        return write_array(pixels, folder / PurePosixPath(name if suffix == ".npy" else f"{name}.npy"))
    path = placed(folder, name, len(pixels), 8 * pixels.dtype.itemsize)
    with whole(path) as draft, draft.open("wb") as file:
        encode_image(pixels, path.suffix, file)
    return path


def _write_stack(frames: Sequence[Array], name: str, folder: Path) -> Path:
    path = folder / PurePosixPath(name if PurePosixPath(name).suffix.lower() in TIFF else f"{name}.tif")
    stack = np.stack(frames)
    if stack.shape[1] == 1:
        return _write_tiff(stack[:, 0], path)
    if stack.shape[1] in (3, 4) and stack.dtype.kind == "u":
        extra = ["unassalpha"] if stack.shape[1] == 4 else []
        return _write_tiff(np.moveaxis(stack, 1, 3), path, photometric="rgb", extrasamples=extra)
    return _write_tiff(stack, path, imagej=True, metadata={"axes": "TCYX"})  # channels as pages of their own


def _write_tiff(array: Array, path: Path, **settings: Any) -> Path:
    from tifffile import imwrite

    with whole(path) as draft, draft.open("wb") as file:
        imwrite(file, array, **{"photometric": "minisblack", "metadata": None, "software": False, **settings})
    return path
