"""Quality rows about pictures that come back better: noise taken out, size gained."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import Measured, folder

import narrows as nw
from narrows import metrics
from narrows.data.images.crops import grid
from narrows.data.images.sets import read_pictures
from narrows.resize import luminance
from narrows.tasks.restore import CROP
from narrows.tasks.upscale import enlarged, reduced

STEPS = {"denoise-natural": 5000, "upscale": 4500}  # of 16 windows of 64 x 64, for each fit ...
MINUTES = {"denoise-natural": 18.0, "upscale": 18.0}  # ... or fewer, on a machine that is too slow or busy for them


def denoise_natural(seed: int, quick: bool) -> Measured:
    """Grey pictures with Gaussian noise of 25 of 255, Train400 to learn from and Set12 for the test: PSNR."""
    learnt, test = (_grey(folder(f"sr_denoise/{name}"), quick) for name in ("Train400", "Set12"))
    draw = np.random.default_rng(0)
    noisy = [each / 255 + draw.normal(0, 25 / 255, each.shape) for each in test]
    model = nw.Denoiser(noise="gaussian:25/255", random_state=seed)
    started = time.perf_counter()
    made = _fitted(model, learnt, "denoise-natural", quick).predict_pictures(
        [each.astype(np.float32) for each in noisy]
    )
    seconds = time.perf_counter() - started
    each = [metrics.psnr(truth, np.rint(255 * result), 255) for truth, result in zip(test, made, strict=True)]
    value = float(np.mean(each))
    said = (
        f"seed {seed}: PSNR {value:.3f} dB, {model.estimator_.n_epochs_} epochs; {' '.join(f'{x:.2f}' for x in each)}"
    )
    return Measured(value, seconds, said)


def upscale(seed: int, quick: bool) -> Measured:
    """Luminance of T91 and Train400 to learn from and of Set5 for the test, 2, 3 and 4 times larger: PSNR."""
    learnt = _grey(folder("sr_denoise/T91"), quick) + ([] if quick else _grey(folder("sr_denoise/Train400"), quick))
    test = _grey(folder("sr_denoise/Set5"), quick)
    values, seconds = {}, 0.0
    for scale in (2, 3, 4):
        model = nw.Upscaler(scale=scale, random_state=seed)
        truth = [each[:, : each.shape[1] // scale * scale, : each.shape[2] // scale * scale] for each in test]
        small = [reduced((each / 255).astype(np.float32), scale) for each in truth]
        started = time.perf_counter()
        made = _fitted(model, learnt, "upscale", quick).predict_pictures(small)
        seconds += time.perf_counter() - started
        values[f"x{scale}"] = _psnr(truth, made, scale)
        values[f"bicubic x{scale}"] = _psnr(truth, [enlarged(each, scale).clip(0, 1) for each in small], scale)
    said = ", ".join(f"{name} {value:.3f}" for name, value in values.items())
    return Measured(values["x2"], seconds, f"seed {seed}: PSNR in dB: {said}", values)


def _psnr(truth: list[np.ndarray], made: list[np.ndarray], rim: int) -> float:
    """Return the mean PSNR of pictures rounded to 8 bit, without their rims."""
    pairs = (
        (a[:, rim:-rim, rim:-rim], np.rint(255 * b)[:, rim:-rim, rim:-rim]) for a, b in zip(truth, made, strict=True)
    )
    return float(np.mean([metrics.psnr(a, b, 255) for a, b in pairs]))


def _fitted(model: Any, learnt: list[np.ndarray], row: str, quick: bool) -> Any:
    """Fit the task's own network for a fixed number of steps."""
    crops = grid([each.shape[1:] for each in learnt], (CROP, CROP))
    model.estimator = model.default().set_params(**model.suited_pictures(learnt))
    epochs = 1 if quick else max(1, round(STEPS[row] * 16 / len(crops)))
    model.estimator.set_params(epochs=epochs, minutes=MINUTES[row])
    return model.fit_pictures(learnt)


def _grey(place: Path, quick: bool) -> list[np.ndarray]:
    """Return the pictures of a folder as MATLAB's luminance, uint8, (1, H, W); grey ones as they are."""
    made = []
    for picture in read_pictures(place).arrays[: 3 if quick else None]:
        bright = luminance(torch.from_numpy(picture[:3].astype(float)))
        made.append((bright if len(picture) == 1 else 16 + 219 * bright / 255).round().numpy().astype(np.uint8))
    return [each[:, :64, :64] for each in made] if quick else made
