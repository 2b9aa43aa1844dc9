"""``features.html``: what every feature of a dictionary is at work in, on one page that opens offline."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from narrows.files import write_text
from narrows.tasks.sparse import Survey
from narrows.templates import templates

__all__ = ["write_features"]

_MANY_FEATURES = 4096  # features of which 10 rows each are shown; of more, 5


def write_features(survey: Survey, path: Path, name: str, named: Callable[[np.ndarray], list[str]]) -> Path:
    """Write the page; ``named`` gives the names of rows by their positions."""
    top = min(survey.places.shape[1], 10 if len(survey.counts) <= _MANY_FEATURES else 5)
    alive = np.flatnonzero(survey.counts)
    order = alive[np.argsort(-survey.squares[alive], kind="stable")]
    places, values = survey.places[order, :top], survey.values[order, :top]
    flat, where = np.unique(places, return_inverse=True)
    names = np.array(named(flat), dtype=object)[where.reshape(places.shape)]
    energy = survey.squares.sum() or 1.0
    features = [
        {
            "number": feature,
            "cells": (
                f"{survey.counts[feature] / survey.rows:.3%}",
                f"{survey.squares[feature] / energy:.2%}",
                f"{survey.sums[feature] / survey.counts[feature]:.4g}",
                f"{values[i, 0]:.4g}",
            ),
            "rows": _rows(names[i], values[i]),
        }
        for i, feature in enumerate(order)
    ]
    dead = np.flatnonzero(survey.counts == 0).tolist()
    heading = f"{len(alive):,} of {len(survey.counts):,} features are at work in {survey.rows:,} rows of {name}"
    page = templates(__package__).get_template("features.html")
    write_text(path, page.render(name=name, heading=heading, top=top, features=features, dead=dead))
    return path


def _rows(names: np.ndarray, values: np.ndarray) -> list[dict[str, Any]]:
    """Return the strongest rows of a feature, with the widths of the bars behind them in per cent."""
    most = float(values[0]) or 1.0
    return [
        {"name": name, "width": f"{100 * value / most:.0f}", "value": f"{value:.3g}"}
        for name, value in zip(names, values, strict=True)
        if value > 0
    ]
