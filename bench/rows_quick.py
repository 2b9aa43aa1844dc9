"""The quality row about little time: what a person with a few minutes gets on pictures, beside the simple way."""

import contextlib
import io
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from common import Measured, folder
from PIL import Image

from narrows.cli import main

_MINUTES = (2, 5)
_PAIRS, _WINDOWS, _SIDE = 40, 160, 48  # pictures of 16 bit with their noisy twins; windows, and pixels across


class Result(NamedTuple):
    """How a fit of some minutes ended."""

    outcome: str
    ratio: float  # of the headline's value and that of the best competitor; below 1 the autoencoder is better
    minutes: float  # of all, over those that were allowed


def quick(seed: int, short: bool) -> Measured:
    """Fit six tasks on pictures with ``--minutes`` 2 and 5; the value is how many of the twelve fits lose."""
    started, results = time.perf_counter(), {}
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        for task, words in TASKS.items():
            spoken = words(home)
            for minutes in (0.05,) if short else _MINUTES:
                results[f"{task}, {minutes:g} min"] = result = _fitted(spoken, minutes, seed, home / "run")
                print(
                    f"  {task}, {minutes:g} min: {result.outcome}, {result.ratio:.3f}, {result.minutes:.2f} of the time"
                )
    lost = sum(result.outcome == "loses" for result in results.values())
    also = {task: result.ratio for task, result in results.items()}
    also["most of the time"] = max(result.minutes for result in results.values())
    said = f"seed {seed}: {lost} of {len(results)} lose, at most {also['most of the time']:.2f} of the minutes"
    return Measured(float(lost), time.perf_counter() - started, said, also)


def _fitted(words: str, minutes: float, seed: int, run: Path) -> Result:
    """Fit by the command line and read the report."""
    spoken = [*words.split(), "--minutes", f"{minutes:g}", "--random-state", str(seed), "--quiet", "--overwrite"]
    started = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        code = main(["fit", *spoken, "-o", str(run)])
    took = (time.perf_counter() - started) / 60
    if code:
        raise RuntimeError(f"narrows fit {words} ended with {code}")
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    headline = next(iter(report["metrics"]))
    ours, theirs = report["metrics"][headline], [values[headline] for values in report["baselines"].values()]
    better = max(theirs) if ours["better"] == "higher" else min(theirs)
    ratio = better / ours["value"] if ours["better"] == "higher" else ours["value"] / better
    return Result(report["verdict"]["outcome"], ratio, took / minutes)


def _denoise(home: Path) -> str:
    """Colour photographs with noise of 25 of 255."""
    return f"denoise {folder('sr_denoise/T91')} --valid {folder('sr_denoise/Set5')} --noise gaussian:25/255"


def _pairs(home: Path) -> str:
    """Grey pictures of 16 bit that use a part of their range, and noisy ones of the same names."""
    draw = np.random.default_rng(0)
    paths = sorted(folder("sr_denoise/Train400").glob("*.png"))[:_PAIRS]
    for path in paths:
        with Image.open(path) as image:
            clean = np.asarray(image.convert("L"), np.float64) * 40  # up to 10 200 of 65 535
        for part, levels in (("clean", clean), ("noisy", clean + draw.normal(0, 1000, clean.shape))):
            (home / "pairs" / part).mkdir(parents=True, exist_ok=True)
            levels = np.rint(levels).clip(0, 65535).astype(np.uint16)
            Image.fromarray(levels).save(home / "pairs" / part / path.name)
    return f"denoise {home / 'pairs'}"


def _upscale(home: Path) -> str:
    """Colour photographs, twice as large."""
    return f"upscale {folder('sr_denoise/T91')} --valid {folder('sr_denoise/Set5')}"


def _segment(home: Path) -> str:
    """Eight slices with their membranes."""
    membranes = folder("membrane") / "train"
    for part in ("image", "label"):
        (home / "cells" / part).mkdir(parents=True, exist_ok=True)
        for i in range(8):
            (home / "cells" / part / f"{i}.png").write_bytes((membranes / part / f"{i}.png").read_bytes())
    return f"segment {home / 'cells/image'} {home / 'cells/label'}"


def _generate(home: Path) -> str:
    """Clothes."""
    return "generate fashion-mnist"


def _reduce(home: Path) -> str:
    """Windows of photographs."""
    draw, place = np.random.default_rng(0), home / "windows"
    place.mkdir(exist_ok=True)
    paths = sorted(folder("sr_denoise/T91").glob("*.png"))
    for i in range(_WINDOWS):
        with Image.open(paths[i % len(paths)]) as image:
            y, x = (int(draw.integers(0, side - _SIDE + 1)) for side in image.size[::-1])
            image.crop((x, y, x + _SIDE, y + _SIDE)).save(place / f"{i:03}.png")
    return f"reduce {place} --latent-dim 16"


TASKS: dict[str, Callable[[Path], str]] = {
    "denoise": _denoise,
    "denoise pairs of 16 bit": _pairs,
    "upscale": _upscale,
    "segment": _segment,
    "generate": _generate,
    "reduce": _reduce,
}
