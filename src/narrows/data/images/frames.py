"""Files of several frames, as stacks and animations: every frame is a picture of its own."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from narrows.data.disk.memory import require_room
from narrows.data.images.dicom import DICOM, n_frames
from narrows.data.npy import DAMAGED

__all__ = ["TIFF", "Frame", "frames", "place_in_stack", "tiff_array"]

TIFF = (".tif", ".tiff")
_OTHERS = (".gif", ".webp", ".avif")  # not JPEG and PNG: their further pictures are previews


@dataclass(frozen=True)
class Frame:
    """One frame of a file.

    Parameters
    ----------
    path : Path
        The file.
    pages : tuple of int
        Where in the file it lies; several are its channels.
    known : bool
        Whether Pillow finds it there.

    Examples
    --------
    >>> Frame(Path("movie.tif"), (12,)).pages
    (12,)
    """

    path: Path
    pages: tuple[int, ...]
    known: bool = True


def frames(path: Path) -> list[Frame]:
    """Return the frames of a file that holds several; none of one that holds one, or that cannot be read.

    Channels that are pages of their own, as in stacks of ImageJ and OME, belong to one frame; smaller copies of a
    picture are no frames.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path, one = Path(folder, "a.gif"), Image.new("L", (4, 4))
    ...     one.save(path, save_all=True, append_images=[Image.new("L", (4, 4), 9)])
    ...     [frame.pages for frame in frames(path)]
    [(0,), (1,)]
    """
    suffix = path.suffix.lower()
    try:
        if suffix in DICOM:
            return [Frame(path, (page,)) for page in range(count)] if (count := n_frames(path)) > 1 else []
        pages = list(_tiff_pages(path)) if suffix in TIFF else []
        if suffix not in _OTHERS and len(pages) < 2:
            return []
        with warnings.catch_warnings(action="ignore"), path.open("rb") as file, Image.open(file) as image:
            count = getattr(image, "n_frames", 1)
    except (*DAMAGED, Image.DecompressionBombError):  # it is named where its pixels are read
        return []
    if suffix in _OTHERS:
        pages = [(page,) for page in range(count)]
    return [Frame(path, page, len(page) == 1 and page[0] < count) for page in pages] if len(pages) > 1 else []


def _tiff_pages(path: Path) -> Iterator[tuple[int, ...]]:
    """Yield the pages of every frame of a TIFF file."""
    from tifffile import TiffFile

    with TiffFile(path) as tiff:
        file: Any = tiff
        series = [one for one in file.series if not one.keyframe.is_reduced]
        if len(series) != 1:  # pages of several sizes
            yield from ((i,) for i, page in enumerate(file.pages) if not page.is_reduced)
            return
        axes = [(axis, size) for axis, size in zip(series[0].axes, series[0].shape, strict=True) if axis not in "YXS"]
        pages = np.arange(len(series[0].pages)).reshape([size for _, size in axes] or [1])
        channels = next((place for place, (axis, _) in enumerate(axes) if axis == "C"), None)
        pages = pages[..., None] if channels is None else np.moveaxis(pages, channels, -1)
        yield from map(tuple, pages.reshape(-1, pages.shape[-1]).tolist())


def tiff_array(path: Path, pages: Sequence[int] | None = None) -> NDArray[Any]:
    """Return what a TIFF file holds, or some of its pages, as it is; what unfolds to too much raises InputError.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from tifffile import imwrite
    >>> with TemporaryDirectory() as folder:
    ...     imwrite(path := Path(folder, "a.tif"), np.zeros((4, 8, 6), np.float32), photometric="minisblack")
    ...     tiff_array(path).shape, tiff_array(path, [3]).shape
    ((4, 8, 6), (8, 6))
    """
    from tifffile import TiffFile

    with TiffFile(path) as file:
        series = file.series[0]
        size = series.nbytes if pages is None else series.nbytes * len(pages) // max(1, len(series.pages))
        require_room(path.name, 4 * size, path.stat().st_size, "save it with fewer pixels")
        array: NDArray[Any] = series.asarray() if pages is None else file.asarray(key=list(pages), series=0)
    return array


def place_in_stack(name: str) -> tuple[str, int | None]:
    """Return the file that a picture's name says it is of, and its place there; None where it is the file.

    Examples
    --------
    >>> place_in_stack("a/movie.tif#12"), place_in_stack("b/C#.png")
    (('a/movie.tif', 12), ('b/C#.png', None))
    """
    file, mark, number = name.rpartition("#")
    suffix = PurePosixPath(file).suffix.lower()
    return (file, int(number)) if mark and number.isdecimal() and suffix in (*TIFF, *_OTHERS, *DICOM) else (name, None)
