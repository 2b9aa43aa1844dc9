"""What every task holds to, whatever it is for."""

import numpy as np
import pytest

import narrows as nw
from narrows.errors import InputError

LABELS = nw.AutoEncoder(latent_dim=2, likelihood="categorical:5", epochs=1)


@pytest.mark.parametrize(
    "task", [nw.Reducer, nw.Denoiser, nw.AnomalyDetector, nw.Generator, nw.Upscaler, nw.Translator]
)
def test_a_task_that_rebuilds_rows_refuses_labels_before_training(task):
    with pytest.raises(InputError, match=rf"'categorical:5' came for {task.name}: its mean is shares of labels"):
        task(estimator=LABELS).resolve()


@pytest.mark.parametrize("task", [nw.DensityEstimator, nw.CodeClassifier, nw.Segmenter])
def test_a_task_that_rebuilds_no_rows_takes_labels(task):
    assert task(estimator=LABELS).resolve().likelihood == "categorical:5"


def test_nothing_is_trained_on_labels_that_cannot_be_rebuilt():
    rows = np.random.default_rng(0).integers(0, 5, (20, 3)).astype(float)
    task = nw.Reducer(estimator=LABELS)
    with pytest.raises(InputError, match="one-hot columns"):
        task.fit(rows)
    assert not hasattr(task, "estimator_")
