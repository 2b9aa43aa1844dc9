"""What the benchmarks share: the data, the machine in words, the files of figures."""

import argparse
import datetime
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
import torch

from narrows._version import __version__
from narrows.data import datasets
from narrows.errors import InputError

RESULTS = Path(__file__).parent / "results"
QUICK = 2000  # training images of a quick run


class Images(NamedTuple):
    """Training and test images, uint8, ``(n, H, W)``, with their labels."""

    train: np.ndarray
    test: np.ndarray
    train_labels: np.ndarray
    test_labels: np.ndarray


class Measured(NamedTuple):
    """What one seed gave: the value that is judged, seconds of fit and predict, a line about it, other values."""

    value: float
    seconds: float
    said: str
    also: dict[str, float] = {}  # noqa: RUF012 - never changed


def folder(name: str) -> Path:
    """Return a folder of ``NARROWS_DATA``, or end with one message."""
    root = os.environ.get("NARROWS_DATA")
    if not root:
        stop(f"NARROWS_DATA is not set. Try: NARROWS_DATA=FOLDER, with FOLDER/{name}")
    found = Path(root).expanduser() / name
    if not found.is_dir():
        stop(f"{found} is missing. Try: NARROWS_DATA=FOLDER, with FOLDER/{name}")
    return found


def adbench() -> list[tuple[str, Path]]:
    """Return names and files of the ADBench tables, by their numbers."""
    paths = sorted(folder("ADBench").glob("*.npz"), key=lambda path: int(path.name.partition("_")[0]))
    return [(path.stem.partition("_")[2], path) for path in paths]


def mnist(quick: bool = False) -> Images:
    """Return MNIST, or its first ``QUICK`` images and a quarter as many for the test."""
    if not os.environ.get("NARROWS_DATA"):
        stop("NARROWS_DATA is not set. Try: NARROWS_DATA=FOLDER, with FOLDER/MNIST/raw holding the four gzip files")
    try:
        source = datasets.load("mnist")
    except InputError as error:
        stop(str(error))
    few = slice(QUICK if quick else None), slice(QUICK // 4 if quick else None)
    parts = list(zip((source, source.test), few, strict=True))
    images = [np.ascontiguousarray(part.values[some, 0]) for part, some in parts]  # type: ignore[union-attr]
    return Images(*images, *(part.labels[some] for part, some in parts))  # type: ignore[union-attr,index]


def unit(images: np.ndarray) -> np.ndarray:
    """Return flat rows in [0, 1], in double precision."""
    full = 255.0 if images.dtype == np.uint8 else 1.0
    return images.reshape(len(images), -1) / np.float64(full)


def stop(message: str) -> NoReturn:
    """End with one message: the user's input is wrong."""
    print(message, file=sys.stderr)
    sys.exit(2)


def machine() -> str:
    """Return the machine in words.

    Examples
    --------
    >>> machine().split(", ")[0].endswith(("core", "cores"))
    True
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = torch.get_num_threads()
    counts = [f"{n} {word}{'' if n == 1 else 's'}" for n, word in ((cores, "core"), (threads, "thread"))]
    system = f"{platform.system()} {platform.machine()}"
    return f"{counts[0]}, {_instructions()}, {system}, torch {torch.__version__}, {counts[1]}"


def _instructions() -> str:
    """Return the widest vector instructions, and the ones for 16-bit products where there are any."""
    extra = {"_is_avx512_bf16_supported": "AVX512-BF16", "_is_amx_tile_supported": "AMX"}
    found = [word for name, word in extra.items() if getattr(torch.cpu, name, lambda: False)()]
    return " + ".join([torch.backends.cpu.get_cpu_capability(), *found])


def arguments(doc: str, rows: list[str], several: bool) -> argparse.ArgumentParser:
    """Return the parser of a script that measures rows."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("row", nargs="*" if several else None, metavar="ROW", help=f"of {', '.join(rows)}")
    parser.add_argument("--quick", action="store_true", help="a few images and epochs: shows that it runs, no more")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the JSON files")
    return parser


def known(wanted: list[str], rows: list[str]) -> list[str]:
    """Return the rows that were asked for, all of them when none was, or end with one message."""
    for name in wanted:
        if name not in rows:
            stop(f"There is no row {name!r}. Accepted: {', '.join(rows)}")
    return wanted or rows


def record(path: Path, line: dict[str, Any], quick: bool) -> None:
    """Append a line of figures with date, machine and version."""
    date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    whole = {"date": date, **line, "quick": quick, "machine": machine(), "version": __version__}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(whole) + "\n")
