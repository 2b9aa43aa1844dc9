"""Named datasets: where they are found, and how they come."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from narrows.errors import InputError
from narrows.files import whole
from narrows.notes import Note

if TYPE_CHECKING:
    from narrows.data.arrays import ArraySource
    from narrows.data.base import Source

__all__ = ["DATASETS", "Dataset", "load", "meant", "table"]

_RUN_FILES = ("model.json", "history.csv", "resume.pt")  # a folder with one of these is a run, and no data

FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
DIGITS = tuple("0123456789")
PARTS = {"train": 60_000, "t10k": 10_000}


@dataclass(frozen=True)
class Dataset:
    """A dataset with a name: what it is, the function that reads it, and where its files come from."""

    name: str
    what: str
    reader: Callable[[Dataset], Source]
    class_names: tuple[str, ...]
    folders: tuple[str, ...] = ()
    url: str = ""
    md5: tuple[tuple[str, str], ...] = ()


def meant(data: object) -> str | None:
    """Return the name of the dataset that is meant, if any; one that is a file or folder, too, is refused.

    Raises InputError where it is both.

    Examples
    --------
    >>> meant("Digits"), meant("./digits"), meant([[1.0]])
    ('digits', None, None)
    """
    if not isinstance(data, str) or data.lower() not in DATASETS:
        return None
    path = Path(data)
    names = {entry.name for entry in path.iterdir()} if path.is_dir() else set()
    if path.is_file() or (names and names.isdisjoint(_RUN_FILES)):
        came = f"{data!r} is a named dataset, and there is a {'file' if path.is_file() else 'folder'} of that name"
        raise InputError(came, "one of the two", f"./{data}, or another place to read the named dataset from")
    return data.lower()


def load(name: str) -> Source:
    """Read a named dataset; an unknown name, or files that cannot be had, raise InputError.

    Examples
    --------
    >>> source = load("digits")
    >>> source.values.shape, source.labels[:3].tolist()
    ((1797, 1, 8, 8), [0, 1, 2])
    """
    if name not in DATASETS:
        raise InputError(f"there is no dataset {name!r}", ", ".join(DATASETS), "narrows data")
    return DATASETS[name].reader(DATASETS[name])


def table() -> list[tuple[str, str, str]]:
    """List the named datasets: name, what it is, where it was found or how it comes.

    Examples
    --------
    >>> table()[0][0], table()[0][2]
    ('digits', 'comes with scikit-learn')
    """
    rows = []
    for data in DATASETS.values():
        folder = next((folder for folder in _folders(data) if _complete(data, folder)), None)
        missing = f"comes from {data.url} at the first use" if data.url else "comes with scikit-learn"
        rows.append((data.name, data.what, missing if folder is None else f"found in {folder}"))
    return rows


def _digits(data: Dataset) -> Source:
    from sklearn.datasets import load_digits

    digits = load_digits()
    values = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    note = Note("'digits' holds grey levels 0 to 16: stored as uint8, level * 255 / 16, rounded")
    return _named(data, values, digits.target, (note,))


def _idx(data: Dataset) -> Source:
    """Four gzip files of the idx format, from the first folder that holds them all."""
    folders = _folders(data)
    folder = next((folder for folder in folders if _complete(data, folder)), None) or _download(data, folders)
    parts = {}
    for part, rows in PARTS.items():
        values = _read_idx(folder / f"{part}-images-idx3-ubyte.gz", (rows, 28, 28))
        labels = _read_idx(folder / f"{part}-labels-idx1-ubyte.gz", (rows,))
        parts[part] = _named(data, values, labels, ())
    return replace(parts["train"], test=parts["t10k"])


def _named(data: Dataset, values: NDArray[Any], labels: NDArray[Any], notes: tuple[Note, ...]) -> ArraySource:
    from narrows.data.arrays import array_source

    source = array_source(values, data.name, notes)
    return replace(source, labels=labels.astype(np.int64), class_names=data.class_names)


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "narrows"


def _folders(data: Dataset) -> list[Path]:
    if not data.url:
        return []
    data_home = os.environ.get("NARROWS_DATA")
    first = [Path(data_home).expanduser() / data.folders[0]] if data_home else []
    return [*first, *(Path(folder) for folder in data.folders[1:]), _cache() / data.name]


def _complete(data: Dataset, folder: Path) -> bool:
    return all((folder / name).is_file() for name, _ in data.md5)


def _read_idx(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} is damaged ({error})", "the original gzip file", "remove it and try again") from error
    start = 4 + 4 * len(shape)
    declared = tuple(int(n) for n in np.frombuffer(content[4:start], ">u4"))
    if content[:4] != bytes((0, 0, 8, len(shape))) or declared != shape or len(content) != start + int(np.prod(shape)):
        came = f"{path} holds an array of shape {declared}"
        raise InputError(came, f"the original file, of shape {shape}", "remove it and try again")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _download(data: Dataset, folders: list[Path]) -> Path:
    """Fetch the files into the cache; each is checked and written whole."""
    folder = _cache() / data.name
    try:
        for name, md5 in data.md5:
            if not (folder / name).is_file():
                _fetch(data.url + name, folder / name, md5)
    except OSError as error:
        searched = ", ".join(map(str, folders))
        raise InputError(
            f"{data.name!r} is not on this computer (looked in {searched}) "
            f"and cannot be downloaded from {data.url} ({error})",
            f"the four files {', '.join(name for name, _ in data.md5)}",
            f"put them into FOLDER/{data.folders[0]} and set NARROWS_DATA=FOLDER",
        ) from error
    return folder


def _fetch(url: str, path: Path, md5: str) -> None:
    from urllib.request import urlopen

    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    total = hashlib.md5(usedforsecurity=False)
    with Progress(console=console, disable=not console.is_terminal) as bar, urlopen(url, timeout=30) as reply:
        task = bar.add_task(path.name, total=int(reply.headers.get("Content-Length") or 0) or None)
        with whole(path) as draft, draft.open("wb") as file:
            while block := reply.read(1 << 16):
                total.update(block)
                file.write(block)
                bar.advance(task, len(block))
            if total.hexdigest() != md5:
                raise OSError(f"{path.name} has the checksum {total.hexdigest()}, expected {md5}")


_IDX_FILES = tuple(f"{part}-{what}-ubyte.gz" for part in PARTS for what in ("images-idx3", "labels-idx1"))
_MNIST_MD5 = (
    "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "d53e105ee54ea40749a09fcbcd1e9432",
    "9fb629c4189551a2d022fa330f9573f3",
    "ec29112dd5afa0611ce80d1b7f02629c",
)
_FASHION_MD5 = (
    "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "25c81989df183df01b3e8a0aad5dffbe",
    "bef4ecab320f06d8554ea6380940ec79",
    "bb300cfdad3c16e7a12a480ee83cd310",
)

DATASETS: dict[str, Dataset] = {
    data.name: data
    for data in (
        Dataset("digits", "1797 digits, 8 x 8, grey", _digits, DIGITS),
        Dataset(
            "mnist",
            "70000 digits, 28 x 28, grey (60000 and 10000 for test)",
            _idx,
            DIGITS,
            ("MNIST/raw",),
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            tuple(zip(_IDX_FILES, _MNIST_MD5, strict=True)),
        ),
        Dataset(
            "fashion-mnist",
            "70000 articles of clothing, 28 x 28, grey (60000 and 10000 for test)",
            _idx,
            FASHION,
            ("FashionMNIST/raw", "/usr/share/datasets/fashion-mnist"),
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            tuple(zip(_IDX_FILES, _FASHION_MD5, strict=True)),
        ),
    )
}
