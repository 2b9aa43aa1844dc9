"""How much a series of scores tells, whose neighbours are alike."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["correlation_time", "independent"]

Floats = NDArray[np.float64]


def correlation_time(scores: Floats) -> float:
    """Return how many scores in a row tell as much as one independent score, at least 1.

    That is the integrated autocorrelation time of their ranks, the sum over lags that ends where the sum of two
    neighbouring ones is no longer positive (Geyer 1992). Of a stationary first-order autoregression with the
    coefficient a it is (1 + a) / (1 - a).

    Examples
    --------
    >>> draws = np.random.default_rng(0).normal(size=4000)
    >>> round(correlation_time(draws), 1), round(correlation_time(np.repeat(draws, 5)))
    (1.0, 5)
    """
    n = len(scores)
    if n < 4 or np.ptp(scores) == 0:
        return 1.0
    ranks = np.unique(scores, return_inverse=True)[1].astype(np.float64)
    spectrum = np.fft.rfft(ranks - ranks.mean(), 2 * n)
    lags = np.fft.irfft(np.abs(spectrum) ** 2)[: n - n % 2]
    pairs = (lags[::2] + lags[1::2]) / lags[0]
    last = int(np.argmax(pairs <= 0)) if (pairs <= 0).any() else len(pairs)
    return float(np.clip(2 * pairs[:last].sum() - 1, 1, n))


def independent(calibration: list[float], time: float) -> list[float]:
    """Return as many sorted scores as there are independent ones among these: from the largest, every ``time``-th.

    A conformal p-value counts scores that are as strange as its own, and its own. Steps that exceed a threshold come in
    runs, so that a new one brings its neighbours along: with every ``time``-th score of the sorted ones, the p-value is
    that of whole runs (the blocks of Chernozhukov, Wuthrich and Zhu 2018).

    Examples
    --------
    >>> independent([1.0, 2.0, 3.0, 4.0, 5.0], 2.0)
    [1.0, 3.0, 5.0]
    """
    places = np.floor(np.arange(np.ceil(len(calibration) / time)) * time).astype(int)
    return [calibration[-1 - place] for place in places.tolist()[::-1]]
