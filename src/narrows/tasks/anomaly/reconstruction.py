"""The competitor of a memory of features: what its filters alone give back, and where that misses a picture."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows.estimator.base import Estimator
from narrows.tasks.anomaly.features import FILTER_SIDE, View
from narrows.tasks.anomaly.images import heat
from narrows.tasks.images import resized

__all__ = ["reconstruction_heat"]

Array = NDArray[Any]


def reconstruction_heat(autoencoder: Estimator, view: View, picture: Array) -> Array:
    """Return the squared error at every pixel of a picture (C, H, W), (H, W), of an autoencoder of small patches."""

    def missed(patches: Array) -> Array:
        rows = patches - patches.mean(axis=(2, 3), keepdims=True)
        error: Array = np.square(rows - autoencoder.reconstruct(rows)).sum(axis=1)
        return error

    seen = view(picture)[0].numpy()
    missing: Array = resized(heat(missed, seen, FILTER_SIDE)[None], picture.shape[1:])[0]
    return missing
