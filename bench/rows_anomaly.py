"""Quality rows about anomalies: twenty tables, and one digit against the others."""

import time
from pathlib import Path

import numpy as np
from common import Measured, adbench, mnist

import narrows as nw
from narrows import metrics

_FEW = 1000  # tables with fewer rows are resampled to so many


def anomaly(seed: int, quick: bool) -> Measured:
    """Twenty ADBench tables, trained on half of the ordinary rows: mean area under the ROC curve in per cent."""
    areas, said, seconds = [], [], 0.0
    # The score's form, neighbours and weight were chosen on none of these: on iris and breast cancer (one class against
    # the others), and on MNIST's training digits as tables of 49 and 196 columns.
    for name, path in adbench()[: 3 if quick else None]:
        train, test, labels = table(path, seed)
        model = nw.AnomalyDetector(clean=True, random_state=seed)
        started = time.perf_counter()
        score = -model.fit(train).score_samples(test)
        seconds += time.perf_counter() - started
        areas.append(100 * metrics.auroc(labels, score))
        said.append(f"{name} {areas[-1]:.1f}")
    mean = float(np.mean(areas))
    return Measured(mean, seconds, f"seed {seed}: {mean:.2f} ({', '.join(said)})")


def table(path: Path, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the first half of the ordinary rows, all the others, and their labels; standardised on the former."""
    with np.load(path) as file:
        rows, labels = file["X"].astype(np.float64), file["y"].ravel().astype(int)
    if len(rows) < _FEW:
        index = np.random.default_rng(seed).choice(len(rows), _FEW)
        rows, labels = rows[index], labels[index]
    ordinary = np.flatnonzero(labels == 0)
    learn, held = np.split(ordinary, [len(ordinary) // 2])
    rest = np.concatenate([held, np.flatnonzero(labels == 1)])
    mean, scale = rows[learn].mean(0), rows[learn].std(0)
    rows = (rows - mean) / np.where(scale > 0, scale, 1.0)
    return rows[learn], rows[rest], labels[rest]


def one_class(seed: int, quick: bool) -> Measured:
    """Train on one digit's images, test on all ten thousand: mean area under the ROC curve of the digits, per cent."""
    data = mnist(quick)
    areas, seconds = [], 0.0
    for digit in range(10):
        # The weight was chosen on training digits 2 and 8 (the last 500 against other digits); the epochs by the time.
        model = nw.AnomalyDetector(clean=True, weight=1.0, epochs=20, random_state=seed)
        if quick:
            model.set_params(epochs=2)
        started = time.perf_counter()
        score = -model.fit(data.train[data.train_labels == digit]).score_samples(data.test)
        seconds += time.perf_counter() - started
        areas.append(100 * metrics.auroc(data.test_labels != digit, score))
    mean = float(np.mean(areas))
    said = f"seed {seed}: {mean:.2f} ({', '.join(f'{digit}: {area:.1f}' for digit, area in enumerate(areas))})"
    return Measured(mean, seconds, said)
