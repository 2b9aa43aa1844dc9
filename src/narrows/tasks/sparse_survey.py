"""Where the features of a dictionary are at work."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from narrows.tasks.base import Picture

__all__ = ["Survey", "explained", "explained_rows", "pictures"]


class Survey(NamedTuple):
    """Where each feature is at work, over some rows."""

    rows: int
    counts: NDArray[np.int64]  # (features,) rows in which it is at work
    sums: NDArray[np.float64]  # (features,) of its values
    squares: NDArray[np.float64]  # (features,) of its squared values: with unit atoms, its share in the rows' energy
    values: NDArray[np.float32]  # (features, top) its largest values
    places: NDArray[np.int64]  # (features, top) the rows that have them


def explained(errors: np.ndarray, spread: float) -> float:
    """Return the share of the variance ``spread`` that errors of rows leave explained."""
    return float(explained_rows(errors, spread).mean())


def explained_rows(errors: np.ndarray, spread: float) -> np.ndarray:
    """Return for every row the share of the variance ``spread`` that its error leaves explained: their mean is that."""
    return 1 - errors / spread if spread else np.full(len(errors), np.nan)


def pictures(survey: Survey, ours: dict[str, float], baselines: dict[str, dict[str, float]]) -> list[Picture]:
    """Return how often the features are at work, and what is explained."""
    values = {**ours, **{name: each["explained"] for name, each in baselines.items()}}
    shown = []
    if np.isfinite(list(values.values())).all():
        data = {"values": values, "label": "share of the variance explained", "better": "higher"}
        shown.append(Picture("explained", "Variance explained", "With as many numbers at work per row.", data))
    shares = np.sort(survey.counts[survey.counts > 0])[::-1] / survey.rows
    if len(shares) > 1:
        series = {"features": (np.arange(1, len(shares) + 1), shares)}
        data = {"series": series, "x": "rank", "y": "share of the rows"}
        caption = f"Features by how often they are at work in {survey.rows:,} rows; dead ones are left out."
        shown.append(Picture("frequencies", "How often features are at work", caption, {**data, "log_y": True}))
    return shown
