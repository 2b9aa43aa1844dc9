"""DICOM files as pictures: upright levels of grey or colours, rescaled as the file says, each frame by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from narrows.data.disk.memory import require_room
from narrows.data.extras import required

__all__ = ["DICOM", "READ_AS", "dicom_array", "dicom_image", "n_frames", "require_pydicom"]

DICOM = (".dcm", ".dicom")
READ_AS = "read_as"  # where the words on what was changed stand
_LOWEST_HOUNSFIELD = -1024  # below air there is nothing: level 0 of pictures of CT
_BYTES_PER_VALUE = 12  # while a picture is read: as stored, in double precision, and as levels


def require_pydicom(name: str) -> Any:
    """Return the package that reads DICOM files; raises InputError where it is missing."""
    return required("pydicom", "dicom", repr(name))


def n_frames(path: Path) -> int:
    """Return how many pictures a DICOM file holds; one that cannot be read raises an exception of ``npy.DAMAGED``."""
    return int(_tags(path).get("NumberOfFrames") or 1)


def dicom_image(path: Path, frame: int = 0) -> Image.Image:
    """Return a frame as an image of 8 or 16 bit, or of mode F where its numbers are no levels; what was done is in it.

    A file that cannot be read raises an exception of ``npy.DAMAGED``.
    """
    array, words = dicom_array(path, frame)
    image = Image.fromarray(array)
    image.info[READ_AS] = words
    return image


def dicom_array(path: Path, frame: int = 0) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return the pixels of a frame, (H, W) or (H, W, 3), and in words what was done to them.

    Levels of grey are uint8 up to 8 bit, uint16 beyond, as many as are stored: they are not stretched. The slope and
    the intercept of the file are applied; CT becomes Hounsfield units + 1024, other numbers below 0 or between whole
    ones float32. Where the lowest number is white (MONOCHROME1), levels are turned; single bits are 0 and 255.
    """
    tags = _tags(path)
    if "Rows" not in tags or "PhotometricInterpretation" not in tags:
        raise OSError("a DICOM file without a picture")
    values = int(tags.Rows) * int(tags.Columns) * int(tags.get("SamplesPerPixel", 1))
    require_room(path.name, _BYTES_PER_VALUE * values, path.stat().st_size, "save it with fewer pixels")
    pixels = require_pydicom(path.name).pixels
    syntax = tags.file_meta.TransferSyntaxUID
    if syntax.is_compressed and syntax.is_encapsulated and not pixels.get_decoder(syntax).is_available:
        raise OSError(f"packed as {syntax.name}, which needs more: pip install pylibjpeg[all]")
    stored = pixels.pixel_array(path, index=frame)
    if tags.PhotometricInterpretation == "PALETTE COLOR":
        stored = pixels.apply_color_lut(stored, tags)
        stored = (stored >> 8).astype(np.uint8) if stored.dtype == np.uint16 else stored
    if stored.ndim == 3:
        if stored.dtype != np.uint8 or stored.shape[2] != 3:
            raise OSError(f"colours of type {stored.dtype}, {stored.shape[2]} channels: RGB of 8 bit is read")
        return np.ascontiguousarray(stored), ()
    return _levels(stored, tags, frame)


def _levels(stored: NDArray[Any], tags: Any, frame: int) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return levels of grey, rescaled and turned to light, and in words what was done."""
    bits, signed = int(tags.BitsStored), bool(tags.PixelRepresentation)
    if bits == 1:
        turned = tags.PhotometricInterpretation == "MONOCHROME1"
        return np.where((stored > 0) != turned, 255, 0).astype(np.uint8), ()
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    numbers, words = stored.astype(np.float64), []
    if not signed and bits < int(tags.BitsAllocated):
        numbers = (stored & high).astype(np.float64)  # the bits above may hold something else
    if tags.PhotometricInterpretation == "MONOCHROME1":
        numbers, words = low + high - numbers, ["in which the lowest number is white: turned to light"]
    card = _rescaling(tags, frame)
    slope, intercept = float(card.get("RescaleSlope", 1)), float(card.get("RescaleIntercept", 0))
    numbers, ends = slope * numbers + intercept, sorted([slope * low + intercept, slope * high + intercept])
    lowest = numbers.min() if signed else ends[0]  # most signed files hold nothing below 0
    whole = slope.is_integer() and intercept.is_integer()
    if whole and tags.get("Modality") == "CT":
        levels = (numbers - _LOWEST_HOUNSFIELD).clip(0, 65535).astype(np.uint16)
        return levels, (*words, f"of CT: Hounsfield units + {-_LOWEST_HOUNSFIELD}")
    if whole and lowest >= 0 and ends[1] <= 65535:
        return numbers.astype(np.uint8 if ends[1] <= 255 else np.uint16), tuple(words)
    return numbers.astype(np.float32), tuple(words)


def _rescaling(tags: Any, frame: int) -> Any:
    """Return where slope and intercept of a frame stand: in the file, or in the groups of an enhanced one."""
    groups = list(tags.get("SharedFunctionalGroupsSequence", ()))
    groups += list(tags.get("PerFrameFunctionalGroupsSequence", ()))[frame : frame + 1]
    cards = [group.get("PixelValueTransformationSequence", ()) for group in groups]
    return next((card[0] for card in reversed(cards) if card), tags)


def _tags(path: Path) -> Any:
    """Return all that a file says besides its pixels."""
    pydicom = require_pydicom(path.name)
    try:
        return pydicom.dcmread(path, stop_before_pixels=True)
    except pydicom.errors.InvalidDicomError:
        raise OSError("not a DICOM file") from None
