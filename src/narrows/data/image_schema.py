"""The schema of image folders: size, channels and bit depth of the fit, and files as results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypedDict, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from narrows.errors import InputError
from narrows.files import whole
from narrows.typed_json import typed

from .array_schema import Length, to_dtype
from .pixels import encode_image, placed, resize, widen
from .schema import Schema

if TYPE_CHECKING:
    from .images import ImageSource
    from .source import Source

__all__ = ["ImageSchema"]


class ImageCard(TypedDict):
    """A schema of images as JSON has it."""

    kind: str
    shape: tuple[Literal[1, 3, 4], Length, Length]
    dtype: Literal["uint8", "uint16"]
    notes: list[str]


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageSchema(Schema):
    """Images go in as uint8 or uint16, shape ``(n, C, H, W)``, and come back as files.

    Parameters
    ----------
    dtype : str
        ``uint8`` or ``uint16``.

    Examples
    --------
    >>> from PIL import Image
    >>> from narrows.data import read
    >>> source = read([Image.new("L", (6, 4), 51)] * 2)
    >>> schema = source.fit_schema()
    >>> schema.shape, int(schema.decode(schema.encode(source) / 255.0).max())
    ((1, 4, 6), 51)
    """

    kind: ClassVar[str] = "images"
    dtype: str

    @classmethod
    def build(cls, shape: Sequence[int], dtype: str, notes: Sequence[str] = ()) -> Self:
        """Put a schema together from (C, H, W), the pixel type and the notes."""
        image = (int(shape[0]), int(shape[1]), int(shape[2]))
        return cls(shape=image, image_shape=image, notes=tuple(notes), dtype=dtype)

    def encode(self, source: Source) -> NDArray[Any]:
        """Pixels of the size, channels and depth of the fit, shape ``(n, C, H, W)``."""
        self.require_kind(source, "images", "array")
        values = cast("ImageSource", source).values
        dtype = np.dtype(self.dtype)
        if values.ndim != 4 or values.dtype not in (np.uint8, np.uint16) or values.shape[1] not in (1, 3, 4):
            came = f"{source.name!r} holds rows of shape {values.shape[1:]} and type {values.dtype}"
            raise InputError(came, f"images like those of the fit: {self.shape}, {dtype}")
        if values.dtype != dtype:
            values = (
                values.astype(np.uint16) * np.uint16(257) if dtype == np.uint16 else np.rint(values / 257).astype(dtype)
            )
        if values.shape[1:] == self.shape:
            return values
        channels, height, width = self.shape
        return np.stack([resize(widen(image, channels), (height, width)) for image in values])

    def warnings(self, source: Source) -> tuple[str, ...]:
        """Count the images that are resized."""
        self.require_kind(source, "images", "array")
        values = cast("ImageSource", source).values
        sizes = getattr(source, "sizes", np.tile(values.shape[-2:], (len(source), 1)))
        changed = int((sizes != self.shape[1:]).any(axis=1).sum())
        if not changed:
            return ()
        size = f"{self.shape[1]} x {self.shape[2]}"
        return (f"{source.name!r}: {changed} of {len(source)} images are resized to {size}, the size of the fit",)

    def decode(self, values: ArrayLike) -> NDArray[Any]:
        """Pixels from [0, 1] floats, rounded and clipped, shape ``(n, C, H, W)``."""
        return to_dtype(values, np.dtype(self.dtype)).reshape(-1, *self.shape)

    def write(self, values: ArrayLike, folder: Path, stem: str, ids: NDArray[np.str_], id_name: str) -> list[Path]:
        """Write one file per image below ``folder/stem``, in the original format where that holds such pixels."""
        paths = []
        for image, name in zip(self.decode(values), ids.tolist(), strict=True):
            path = placed(folder / stem, name, self.shape[0], 8 * np.dtype(self.dtype).itemsize)
            with whole(path) as draft, draft.open("wb") as file:
                encode_image(image, path.suffix, file)
            paths.append(path)
        return paths

    def to_json(self) -> dict[str, Any]:
        """Describe the schema by JSON values only."""
        return {"kind": self.kind, "shape": list(self.shape), "dtype": self.dtype, "notes": list(self.notes)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild the schema from ``to_json``."""
        saved: ImageCard = typed(dict(data), ImageCard, "schema")
        return cls.build(saved["shape"], saved["dtype"], saved["notes"])
