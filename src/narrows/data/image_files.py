"""Which files of a folder are images; the others are counted, never silently dropped."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from narrows.errors import InputError

from .pixels import FORMATS

__all__ = ["ACCEPTED", "image_files"]

ACCEPTED = "images: " + ", ".join(FORMATS)


def image_files(folder: Path) -> tuple[list[Path], tuple[str, ...]]:
    """Return the images below a folder, or the one file itself, and notes on what is not read; none is an InputError.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as name:
    ...     folder = Path(name)
    ...     for each in ("1.png", "notes.txt", ".hidden.png"):
    ...         (folder / each).touch()
    ...     files, notes = image_files(folder)
    >>> [file.name for file in files], len(notes)
    (['1.png'], 2)
    """
    if folder.is_file():
        return [folder], ()
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    seen = [path for path in found if not any(map(_hidden, path.relative_to(folder).parts))]
    images = [path for path in seen if path.suffix.lower() in FORMATS]
    types = Counter(path.suffix.lower() or "no ending" for path in seen if path.suffix.lower() not in FORMATS)
    counted = ", ".join(f"{count} {suffix}" for suffix, count in types.most_common(8))
    if not images:
        came = f"{folder.name!r} holds no images, but {counted}" if counted else f"{folder.name!r} holds no files"
        raise InputError(came, ACCEPTED, "give the folder that holds the images")
    notes = []
    if types:
        notes.append(f"{folder.name!r}: {sum(types.values())} files are not images and are not read ({counted})")
    if len(seen) < len(found):
        notes.append(f"{folder.name!r}: {len(found) - len(seen)} hidden files are not read")
    return images, tuple(notes)


def _hidden(part: str) -> bool:
    return part.startswith(".") or part == "__MACOSX"
