"""The anomaly detector: its score, its threshold, its labels, its artefact."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.estimator_checks import parametrize_with_checks

import narrows as nw
from narrows import conformal
from narrows.metrics import auroc, placements
from narrows.tasks.base import Rows


@parametrize_with_checks([nw.AnomalyDetector(epochs=2), nw.AnomalyDetector(epochs=2, clean=True, contamination=0.1)])
def test_scikit_learn(estimator: Any, check: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # checks pass odd data on purpose
        check(estimator)
