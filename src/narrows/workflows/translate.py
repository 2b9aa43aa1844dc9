"""Pictures A and pictures B, matched by name or side by side in one file."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypedDict

import numpy as np

from narrows.data.images.sets import Pictures, alike, matched
from narrows.errors import InputError, Setting
from narrows.params import param
from narrows.typed_json import Range
from narrows.workflows.base import Request, Say
from narrows.workflows.images import PicturePairs, PicturesWorkflow, inside, write_results

__all__ = ["TranslateWorkflow", "halves"]

_LEAST_PROPORTIONS = 1.8  # width by height of pictures that are two side by side; photographs end at 16:9
_PROPORTION_TOLERANCE = 0.05  # how far the proportions of side-by-side pictures may differ from those of the fit


class TranslationState(TypedDict):
    """What a run keeps of how its data was read."""

    kind: Literal["uint8", "uint16"]
    proportions: Annotated[float, Range(0, 1e9)]


class TranslateWorkflow(PicturesWorkflow):
    """A folder that holds A/ and B/, two folders, or one folder of pictures that hold A and B side by side.

    In separate folders, pictures that belong together have the same name.
    """

    keeps: ClassVar[Any] = TranslationState

    direction: Literal["AtoB", "BtoA"] = param("AtoB", "what becomes what; side by side, A is the left half")
    side_by_side: bool = param(
        False, "pictures hold A and B side by side, though they are not about twice as wide as high"
    )

    def read_pairs(self, request: Request) -> PicturePairs:
        """Read A and B, and put them into the direction asked for.

        Raises InputError where the pictures of a pair differ in size.
        """
        data = Path(request.data).expanduser()
        first, second = inside(data, ("a",)), inside(data, ("b",))
        if request.second is not None:
            first, second = data, Path(request.second).expanduser()
        if first is not None and second is not None:
            A, B = self.pictures(first), self.pictures(second)
            notes = [*A.notes, *B.notes]
            A, B, alone = matched(A, B)
            notes += alone
            self.proportions = 0.0
        else:
            pictures = self.pictures(data)
            self.proportions = float(np.median([a.shape[2] / a.shape[1] for a in pictures.arrays]))
            if self.proportions < _LEAST_PROPORTIONS and not self.side_by_side:
                came = (
                    f"{pictures.name!r} holds no A/ and B/, and its pictures are {self.proportions:.2g} times as wide"
                )
                accepted = "two folders, a folder with A/ and B/, or pictures that hold A and B side by side"
                raise InputError(f"{came} as high", accepted, Setting("side_by_side", True))
            A, B, notes = halves(pictures)
        for a, b, name in zip(A.arrays, B.arrays, A.names, strict=True):
            if a.shape[1:] != b.shape[1:]:
                sizes = [" x ".join(map(str, array.shape[1:])) for array in (a, b)]
                raise InputError(f"{name!r} is {sizes[0]} in A and {sizes[1]} in B", "pairs of one size")
        self.kind = alike((B if self.direction == "AtoB" else A).arrays)[0].dtype.name
        return PicturePairs(A, B, notes) if self.direction == "AtoB" else PicturePairs(B, A, notes)

    def inputs(self, request: Request) -> Pictures:
        """Read new pictures: those in A/ (or B/) where there are such, and the half of those that are side by side."""
        data = Path(request.data).expanduser()
        pictures = self.pictures(inside(data, ("a" if self.direction == "AtoB" else "b",)) or data)
        shapes = [array.shape for array in pictures.arrays]
        if not self.proportions or any(abs(w / h / self.proportions - 1) > _PROPORTION_TOLERANCE for _, h, w in shapes):
            return pictures
        A, B, notes = halves(pictures)
        return replace(A if self.direction == "AtoB" else B, notes=tuple(notes))

    def save(self, task: Any, pictures: Pictures, folder: Path, *, fresh: bool) -> list[Path]:
        """Write what the pictures become, in their names and sizes, with the channels and the depth of the others."""
        return write_results(lambda picture: task.predict_as(picture, self.kind), pictures, folder / "translated")

    def state(self) -> dict[str, Any]:
        """Return the type of the results, and the proportions of pictures that are side by side."""
        return {"kind": self.kind, "proportions": self.proportions}

    def apply(self, task: Any, state: Mapping[str, Any], request: Request, out: Path, say: Say) -> list[Path]:
        """Write what new pictures become."""
        self.kind, self.proportions = state["kind"], state["proportions"]
        return super().apply(task, state, request, out, say)


def halves(pictures: Pictures) -> tuple[Pictures, Pictures, list[str]]:
    """Return the left and the right half of pictures, and what is said of it; odd ones lose their middle column.

    Examples
    --------
    >>> A, B, notes = halves(Pictures("two", ("a.png",), [np.array([[[1, 2, 3, 4, 5]]], np.uint8)]))
    >>> A.arrays[0].tolist(), B.arrays[0].tolist()
    ([[[1, 2]]], [[[4, 5]]])
    """
    narrow = [name for name, array in zip(pictures.names, pictures.arrays, strict=True) if array.shape[2] < 2]
    if narrow:
        accepted = "folders A/ and B/, or pictures that hold A and B side by side"
        raise InputError(f"{narrow[0]!r} is 1 pixel wide: it has no halves", accepted)
    notes = [*pictures.notes, f"{pictures.name!r}: read as pictures side by side: A is the left half, B the right one"]
    odd = sum(array.shape[2] % 2 for array in pictures.arrays)
    if odd:
        notes.append(f"{pictures.name!r}: {odd} pictures are of an odd width; their middle column is left out")
    left = [array[:, :, : array.shape[2] // 2] for array in pictures.arrays]
    right = [array[:, :, (array.shape[2] + 1) // 2 :] for array in pictures.arrays]
    parts = (replace(pictures, arrays=list(map(np.ascontiguousarray, half)), notes=()) for half in (left, right))
    A, B = parts
    return A, B, notes
