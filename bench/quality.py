"""Quality: the rows of the targets, measured on test data with one setting per row.

``python bench/quality.py ROW [--quick] [--seeds N]``; the last line is JSON.
"""

import json
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from common import Images, arguments, known, mnist, record
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

import narrows as nw


class Measured(NamedTuple):
    """What one seed gave: the value that is judged, the seconds of fit and predict, and a line about it."""

    value: float
    seconds: float
    said: str


class Row(NamedTuple):
    """What a row is judged by; lower is better."""

    measure: Callable[[Images, int, bool], Measured]
    floor: float | None
    goal: float


def linear(data: Images, seed: int, quick: bool) -> Measured:
    """Linear autoencoder and PCA, test mean squared error; the value is the largest difference."""
    sizes = (2, 3, 10, 20, 32, 64)
    digits = load_digits().images.astype(np.float32) / 16
    sets = {"mnist": data, "digits": Images(digits[:1500], digits[1500:])}
    worst, seconds, said = 0.0, 0.0, [f"{'':8}{'size':>6} {'ours':>10} {'PCA':>10}"]
    for name, (train, test) in sets.items():
        truth = _unit(test)
        errors = _pca_errors(_unit(train), truth, sizes)
        for size in sizes:
            started = time.perf_counter()
            result = nw.LinearAutoEncoder(latent_dim=size, random_state=seed).fit(train).reconstruct(test)
            seconds += time.perf_counter() - started
            mse = float(np.mean((truth - result.reshape(truth.shape)) ** 2))
            worst = max(worst, abs(mse - errors[size]))
            said.append(f"{name:8}{size:>6} {mse:>10.6f} {errors[size]:>10.6f}")
    return Measured(worst, seconds, "\n".join(said))


def reconstruct(data: Images, seed: int, quick: bool) -> Measured:
    """30 numbers per image, a network no larger than 784-1000-500-250-30; squared error summed per test image."""
    # Chosen on the last 5000 training images: in five minutes on two cores a network smaller than the largest allowed
    # gets further, as it sees the images more often.
    network = nw.Dense((500, 250))
    model = nw.AutoEncoder(latent_dim=30, network=network, minutes=4.8, lr=6e-3, weight_decay=0.02, random_state=seed)
    model.set_params(validation=0.02)
    if quick:
        model.set_params(minutes=None, epochs=2)
    started = time.perf_counter()
    result = model.fit(data.train).reconstruct(data.test)
    seconds = time.perf_counter() - started
    error = float(np.square(_unit(data.test) - result.reshape(len(data.test), -1)).sum(1).mean())
    return Measured(error, seconds, f"seed {seed}: {error:.4f} per image, {model.n_epochs_} epochs, {model.stopped_}")


def denoise(data: Images, seed: int, quick: bool) -> Measured:
    """Gaussian noise of 0.5, clipped to [0, 1]; mean squared error against the clean test images."""
    model = nw.Denoiser(noise="gaussian:0.5,clip", random_state=seed)
    if quick:
        model.set_params(epochs=2)
    clean = _unit(data.test).reshape(data.test.shape)
    noise = np.random.default_rng(0).normal(0, 0.5, clean.shape)  # the same test noise for every seed
    noisy = (clean + noise).clip(0, 1).astype(np.float32)
    started = time.perf_counter()
    result = model.fit(data.train).denoise(noisy)
    seconds = time.perf_counter() - started
    error = float(np.mean((clean - result.reshape(clean.shape)) ** 2))
    epochs = f"{model.estimator_.n_epochs_} epochs, {model.estimator_.stopped_}"
    return Measured(error, seconds, f"seed {seed}: {error:.5f} (noisy: {np.mean((clean - noisy) ** 2):.5f}), {epochs}")


ROWS = {
    "linear": Row(linear, None, 1e-5),
    "reconstruct": Row(reconstruct, 13.87, 3.00),
    "denoise": Row(denoise, 0.01750, 0.0125),
}


def warm_up() -> None:
    """Fit and predict once on a few rows, so that no import falls into the seconds."""
    rows = load_digits().data[:64].astype(np.float32) / 16
    nw.AutoEncoder(latent_dim=2, epochs=1, random_state=0).fit(rows).reconstruct(rows)


def _unit(images: np.ndarray) -> np.ndarray:
    """Return flat rows in [0, 1], in double precision."""
    full = 255.0 if images.dtype == np.uint8 else 1.0
    return images.reshape(len(images), -1) / np.float64(full)


def _pca_errors(train: np.ndarray, test: np.ndarray, sizes: tuple[int, ...]) -> dict[int, float]:
    """Return scikit-learn's test error with the first components of one fit."""
    pca = PCA(max(sizes), svd_solver="covariance_eigh").fit(train)
    codes = pca.transform(test)
    results = {size: codes[:, :size] @ pca.components_[:size] + pca.mean_ for size in sizes}
    return {size: float(np.mean((test - result) ** 2)) for size, result in results.items()}


def main() -> None:
    """Measure one row, print it, record it."""
    parser = arguments(__doc__.splitlines()[0], list(ROWS), several=False)
    parser.add_argument("--seeds", type=int, default=1, help="fits with seeds 0, 1, ...; the value is their mean")
    parser.add_argument("--threads", type=int, default=None, help="at most (PyTorch's own choice)")
    asked = parser.parse_args()
    (name,) = known([asked.row], list(ROWS))
    if asked.threads:
        torch.set_num_threads(asked.threads)
    row, data, runs = ROWS[name], mnist(asked.quick), []
    warm_up()
    for seed in range(asked.seeds):
        runs.append(row.measure(data, seed, asked.quick))
        print(runs[-1].said, flush=True)
    value, seconds = (statistics.fmean(column) for column in ([r.value for r in runs], [r.seconds for r in runs]))
    line = {"row": name, "value": value, "floor": row.floor, "goal": row.goal, "seconds": seconds, "seeds": len(runs)}
    record(asked.results / "quality.jsonl", {**line, "values": [run.value for run in runs]}, asked.quick)
    print(json.dumps(line))


if __name__ == "__main__":
    main()
