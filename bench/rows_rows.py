"""Quality rows about rows and what is left of them: reconstruction and denoising."""

import time

import numpy as np
from common import Measured, adbench, mnist, unit
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

import narrows as nw
from narrows.tasks.base import Rows

_ROWS = 2500  # of a table at most: four fifths to learn from


def linear(seed: int, quick: bool) -> Measured:
    """Linear autoencoder and PCA, test mean squared error; the value is the largest difference."""
    sizes, data = (2, 3, 10, 20, 32, 64), mnist(quick)
    digits = load_digits().images.astype(np.float32) / 16
    sets = {"mnist": (data.train, data.test), "digits": (digits[:1500], digits[1500:])}
    worst, seconds, said = 0.0, 0.0, [f"{'':8}{'size':>6} {'ours':>10} {'PCA':>10}"]
    for name, (train, test) in sets.items():
        truth = unit(test)
        errors = pca_errors(unit(train), truth, sizes)
        for size in sizes:
            started = time.perf_counter()
            result = nw.LinearAutoEncoder(latent_dim=size, random_state=seed).fit(train).reconstruct(test)
            seconds += time.perf_counter() - started
            mse = float(np.mean((truth - result.reshape(truth.shape)) ** 2))
            worst = max(worst, abs(mse - errors[size]))
            said.append(f"{name:8}{size:>6} {mse:>10.6f} {errors[size]:>10.6f}")
    return Measured(worst, seconds, "\n".join(said))


def reconstruct(seed: int, quick: bool) -> Measured:
    """30 numbers per image, a network no larger than 784-1000-500-250-30; squared error summed per test image."""
    data = mnist(quick)
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
    error = float(np.square(unit(data.test) - result.reshape(len(data.test), -1)).sum(1).mean())
    return Measured(error, seconds, f"seed {seed}: {error:.4f} per image, {model.n_epochs_} epochs, {model.stopped_}")


def denoise(seed: int, quick: bool) -> Measured:
    """Gaussian noise of 0.5, clipped to [0, 1]; mean squared error against the clean test images."""
    data = mnist(quick)
    model = nw.Denoiser(noise="gaussian:0.5,clip", random_state=seed)
    if quick:
        model.set_params(epochs=2)
    clean = unit(data.test).reshape(data.test.shape)
    noise = np.random.default_rng(0).normal(0, 0.5, clean.shape)  # the same test noise for every seed
    noisy = (clean + noise).clip(0, 1).astype(np.float32)
    started = time.perf_counter()
    result = model.fit(data.train).denoise(noisy)
    seconds = time.perf_counter() - started
    error = float(np.mean((clean - result.reshape(clean.shape)) ** 2))
    epochs = f"{model.estimator_.n_epochs_} epochs, {model.estimator_.stopped_}"
    return Measured(error, seconds, f"seed {seed}: {error:.5f} (noisy: {np.mean((clean - noisy) ** 2):.5f}), {epochs}")


def pca_errors(train: np.ndarray, test: np.ndarray, sizes: tuple[int, ...]) -> dict[int, float]:
    """Return scikit-learn's test error with the first components of one fit."""
    pca = PCA(max(sizes), svd_solver="covariance_eigh").fit(train)
    codes = pca.transform(test)
    results = {size: codes[:, :size] @ pca.components_[:size] + pca.mean_ for size in sizes}
    return {size: float(np.mean((test - result) ** 2)) for size, result in results.items()}


def density(seed: int, quick: bool) -> Measured:
    """Ordinary rows of the twenty ADBench tables: nats per column above the Gaussian mixture's, the median table."""
    gaps, said, started = [], [], time.perf_counter()
    for name, path in adbench()[: 2 if quick else None]:
        with np.load(path) as file:
            rows = file["X"][file["y"].ravel() == 0]
        rows = rows[np.random.default_rng(seed).permutation(len(rows))[: 400 if quick else _ROWS]]
        learn, held = np.split(rows, [round(0.8 * len(rows))])
        model = nw.DensityEstimator(epochs=2 if quick else None, random_state=seed).fit(learn)
        found = model.evaluate(Rows(learn), Rows(held))
        nats = {rival.partition(" (")[0]: each["nats"] for rival, each in found.baselines.items()}
        three = (found.metrics["nats"].value, nats["Gaussian"], nats["kernel density"])
        gaps.append((np.array(three) - nats["Gaussian mixture"]) / rows.shape[1])
        said.append(f"{name} {gaps[-1][0]:+.2f}")
    ours, gaussian, kernels = np.median(gaps, 0).tolist()
    better = float(np.mean(np.array(gaps)[:, 0] < 0))
    line = f"seed {seed}: {ours:+.3f} nats per column, lower on {better:.0%} of the tables ({', '.join(said)})"
    also = {"share lower": better, "Gaussian": gaussian, "kernel density": kernels}
    return Measured(ours, time.perf_counter() - started, line, also)
