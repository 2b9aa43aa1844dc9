"""Windows of a series as rows, and what windows say of the series as a whole."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from narrows.data.series import drawn_starts, step_means, windows_at

__all__ = ["Windows"]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
STRETCH = 2  # windows whose steps are taken for dependent


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of equal length that begin at some steps of a series.

    Parameters
    ----------
    values : ndarray, shape (m, c)
        The series: numbers of every step.
    starts : ndarray, shape (n,)
        Where windows begin, in order.
    window : int
        Steps of a window.
    names : tuple of str
        Of the c numbers.

    Examples
    --------
    >>> windows = Windows(np.arange(5.0)[:, None], np.array([0, 3]), 2, ("x",))
    >>> windows.rows().tolist(), windows.runs.tolist(), windows.feature_names
    ([[0.0, 1.0], [3.0, 4.0]], [0, 0, -1, 1, 1], ('x, step 1', 'x, step 2'))
    >>> windows.means(lambda rows: -rows).ravel().tolist()
    [0.0, -1.0, nan, -3.0, -4.0]
    """

    values: Floats
    starts: Indices
    window: int
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.starts)

    def rows(self) -> NDArray[np.float32]:
        """Return the windows as rows (n, window * c): all numbers of a step, then those of the next one."""
        return windows_at(self.values, self.starts, self.window).reshape(len(self.starts), -1)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the numbers of a row."""
        return tuple(f"{name}, step {step + 1}" for step in range(self.window) for name in self.names)

    @property
    def runs(self) -> Indices:
        """The number of the run of overlapping windows that a step lies in, (m,); -1 outside all windows."""
        begun = np.cumsum(np.bincount(self.starts, minlength=len(self.values)))
        before = np.concatenate([np.zeros(self.window, int), begun])[: len(begun)]  # that have ended
        joined = np.append(0, begun[:-1]) > before  # a window holds this step and the one before it
        return np.where(begun > before, np.cumsum(~joined & (begun > before)) - 1, -1)

    def clusters_of(self, steps: Indices) -> Indices:
        """Return the stretch of two windows of the series that steps lie in: those of one are dependent."""
        return np.asarray(steps // (STRETCH * self.window))

    def drawn(self, most: int, seed: int) -> Self:
        """Return at most so many windows, drawn at random."""
        return replace(self, starts=drawn_starts(self.starts, most, seed))

    def means(self, function: Callable[[NDArray[np.float32]], NDArray[Any]]) -> Floats:
        """Return the series (m, c) from the mean over windows of what a function makes of them as rows; NaN outside."""

        def examined(windows: NDArray[np.float32], _: Indices) -> NDArray[Any]:
            return function(windows.reshape(len(windows), -1)).reshape(windows.shape)

        everywhere = np.zeros(len(self.values), int)
        return step_means(self.values, self.starts, everywhere, self.window, examined)
