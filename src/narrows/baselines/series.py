"""Simple competitors on series: filters that move along, and new windows from blocks and from autoregressions."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from narrows.data.windows import Windows

__all__ = ["Autoregression", "BlockBootstrap", "MovingFilter"]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
_WIDTHS = (3, 5, 7, 9, 13, 17, 25, 33, 65)
_BLOCKS = 4  # that a window is put together from
_ORDERS = (1, 2, 4, 8, 16)


@dataclass
class MovingFilter:
    """The mean or the median of the steps around each step.

    Parameters
    ----------
    kind : {"average", "median"}
        Which.
    width : int
        Steps; ``fit`` chooses it from 3 to 65.

    Examples
    --------
    >>> MovingFilter("median", 3).denoise(np.array([[0.0], [9.0], [1.0]]), np.zeros(3, int)).ravel().tolist()
    [0.0, 1.0, 1.0]
    """

    kind: Literal["average", "median"]
    width: int = 3

    @property
    def name(self) -> str:
        """What reports call it."""
        return f"a moving {self.kind}"

    def fit(self, noisy: Floats, clean: Floats, runs: Indices) -> Self:
        """Choose the width with the smallest squared error on a series (m, c)."""
        inside = runs >= 0

        def error(width: int) -> float:
            cleaned = MovingFilter(self.kind, width).denoise(noisy, runs)
            return float(np.square(cleaned - clean)[inside].mean())

        self.width = min(_WIDTHS, key=error)
        return self

    def denoise(self, values: Floats, runs: Indices) -> Floats:
        """Return a series (m, c) filtered inside its runs of steps, (m,); steps of run -1 stay as they are."""
        from scipy.ndimage import convolve1d, median_filter

        filtered = np.array(values, np.float64)
        for low, high in pairwise(np.flatnonzero(np.diff(runs, prepend=-2, append=-2))):
            if runs[low] >= 0 and self.kind == "average":
                shares = np.full(self.width, 1 / self.width)  # running sums would round small means below zero
                filtered[low:high] = convolve1d(filtered[low:high], shares, axis=0, mode="nearest")
            elif runs[low] >= 0:
                filtered[low:high] = median_filter(filtered[low:high], (self.width, 1), mode="nearest")
        return filtered


@dataclass
class BlockBootstrap:
    """Windows put together from four blocks of the series, each from anywhere (Künsch 1989).

    Examples
    --------
    >>> windows = Windows(np.arange(9.0)[:, None], np.arange(2), 8, ("x",))
    >>> rows = BlockBootstrap().fit(windows).sample(5, np.random.default_rng(0))
    >>> rows.shape, np.unique(np.diff(rows)[:, [0, 2, 4, 6]]).tolist()  # two steps of a block follow each other
    ((5, 8), [1.0])
    """

    name: ClassVar[str] = "block bootstrap"

    def fit(self, windows: Windows) -> Self:
        """Take the windows."""
        self.windows_ = windows
        return self

    def sample(self, n: int, draw: np.random.Generator) -> NDArray[Any]:
        """Return ``n`` windows as rows."""
        windows = self.windows_
        edges = np.linspace(0, windows.window, min(_BLOCKS, windows.window) + 1).astype(int)
        shape = (n, windows.window, windows.values.shape[1])
        rows = np.empty(shape, np.float32)
        for low, high in pairwise(edges):
            places = draw.choice(windows.starts, n) + draw.integers(0, windows.window - (high - low) + 1, n)
            rows[:, low:high] = windows.values[places[:, None] + np.arange(high - low)]
        return rows.reshape(n, -1)


@dataclass
class Autoregression:
    """All channels from their last steps, linearly, with residuals drawn anew (Efron & Tibshirani 1986, section 6).

    The order, 1 to 16 steps and half a window at most, is that with the lowest BIC. A draw goes on from some steps of
    the series, a window long.

    Examples
    --------
    >>> wave = np.sin(np.arange(300.0) / 3)[:, None]
    >>> model = Autoregression().fit(Windows(wave, np.arange(280), 20, ("x",)))
    >>> drawn = model.sample(4, np.random.default_rng(0))
    >>> model.order_, bool(np.allclose(drawn[:, 2:], 2 * np.cos(1 / 3) * drawn[:, 1:-1] - drawn[:, :-2], atol=1e-4))
    (2, True)
    """

    name: ClassVar[str] = "autoregression"

    def fit(self, windows: Windows) -> Self:
        """Solve for the weights of every order, on the last steps of windows, and keep those of the best one."""
        orders = [order for order in _ORDERS if order <= max(1, windows.window // 2)]
        channels, ends = windows.values.shape[1], windows.starts + windows.window - 1
        best = np.inf
        for order in orders:
            past = np.concatenate([windows.values[ends - lag] for lag in range(1, order + 1)], 1)
            x, y = np.c_[past, np.ones(len(ends))], windows.values[ends]
            weights = np.linalg.lstsq(x, y, rcond=1e-10)[0]
            rest = y - x @ weights
            spread = np.linalg.slogdet(rest.T @ rest / len(y) + 1e-12 * np.eye(channels))[1]
            bic = len(y) * spread + np.log(len(y)) * weights.size
            if bic < best:
                best, self.order_, self.weights_, self.rest_ = bic, order, weights, rest
        self.windows_, low, high = windows, windows.values[ends].min(0), windows.values[ends].max(0)
        self.ends_ = low - (high - low) / 2, high + (high - low) / 2
        return self

    def sample(self, n: int, draw: np.random.Generator) -> NDArray[Any]:
        """Return ``n`` windows as rows, drawn in to twice the range of the series."""
        windows, order = self.windows_, self.order_
        places = draw.choice(windows.starts, n)[:, None] + np.arange(order)
        steps = [windows.values[places[:, i]] for i in range(order)]
        for _ in range(windows.window):
            past = np.concatenate([*steps[: -order - 1 : -1], np.ones((n, 1))], 1)
            new = past @ self.weights_ + self.rest_[draw.integers(0, len(self.rest_), n)]
            steps.append(np.clip(new, *self.ends_))
        return np.stack(steps[order:], 1).reshape(n, -1).astype(np.float32)
