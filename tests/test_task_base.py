"""What every task holds to, whatever it is for."""

import numpy as np
import pytest
from sklearn.base import clone

import narrows as nw
from narrows.errors import InputError
from narrows.reporting.build import compression
from narrows.tasks.base import Rows
from narrows.tasks.images import as_pictures

LABELS = nw.AutoEncoder(latent_dim=2, likelihood="categorical:5", epochs=1)


@pytest.mark.parametrize(
    "task", [nw.Reducer, nw.Denoiser, nw.AnomalyDetector, nw.Generator, nw.Upscaler, nw.Translator]
)
def test_a_task_that_rebuilds_rows_refuses_labels_before_training(task):
    with pytest.raises(InputError, match=rf"'categorical:5' came for {task.name}: its mean is shares"):
        task(estimator=LABELS).resolve()


def test_shares_of_items_are_no_rows_either():
    counts = nw.VAE(likelihood="multinomial")
    for task in (nw.Reducer, nw.Denoiser, nw.Generator):
        with pytest.raises(InputError, match=r"its mean is shares.*poisson for counts"):
            task(estimator=counts).resolve()
    assert nw.Recommender(estimator=counts).resolve().likelihood == "multinomial"


@pytest.mark.parametrize("task", [nw.DensityEstimator, nw.CodeClassifier, nw.Segmenter])
def test_a_task_that_rebuilds_no_rows_takes_labels(task):
    assert task(estimator=LABELS).resolve().likelihood == "categorical:5"


@pytest.mark.parametrize("shape", [(16, 12, 3), (9, 12, 1), (40, 40, 4)])
def test_pictures_with_channels_last_are_not_read_as_maps(shape):
    with pytest.raises(InputError, match=r"channels last.*np.moveaxis"):
        as_pictures([np.zeros(shape)])
    assert as_pictures([np.moveaxis(np.zeros(shape), 2, 0)])[0].shape == (shape[2], *shape[:2])


def test_nothing_is_trained_on_labels_that_cannot_be_rebuilt(tmp_path):
    rows = np.random.default_rng(0).integers(0, 5, (20, 3)).astype(float)
    task = nw.Reducer(estimator=LABELS)
    with pytest.raises(InputError, match="bernoulli for one-hot"):
        task.fit(rows)
    assert not hasattr(task, "estimator_")
    with pytest.raises(InputError, match="'categorical:n_classes=5' came for reduce: its mean is shares"):
        nw.report(clone(LABELS).fit(rows), rows, tmp_path, figures=False)


def test_a_denoiser_in_a_pipeline_gives_the_columns_that_came():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(np.random.default_rng(0).random((40, 3)), columns=["a", "b", "c"])
    model = nw.Denoiser(epochs=1, random_state=0).set_output(transform="pandas")
    assert model.fit_transform(frame).columns.tolist() == ["a", "b", "c"]
    assert model.fit(frame.to_numpy()).get_feature_names_out().tolist() == ["x0", "x1", "x2"]


def test_clean_rows_are_looked_at_as_noisy_ones_are():
    noisy = np.random.default_rng(0).random((40, 3))
    holes = np.where(noisy > 0.9, np.nan, noisy)
    with pytest.raises(ValueError, match="Input y contains NaN"):
        nw.Denoiser(epochs=1).fit(noisy, holes)
    with pytest.raises(InputError, match=r"shape \(40, 1\) came for noisy ones of shape \(40, 3\)"):
        nw.Denoiser(epochs=1).fit(noisy, noisy[:, :1])


def test_a_code_is_as_long_as_what_must_be_written_down():
    rows = Rows(np.random.default_rng(0).random((20, 40), np.float32))
    own = {"network": "dense:8", "epochs": 0, "random_state": 0}
    entries = nw.VQVAE(latent_dim=16, groups=4, codes=100, **own).fit(rows.X)
    assert compression(entries, rows) == {
        **{"numbers_before": 40, "numbers_after": 4},
        **{"bytes_before": 160, "bytes_after": 4},  # 4 entries of 7 bits
    }
    plain = nw.AutoEncoder(latent_dim=16, **own).fit(rows.X)
    assert compression(plain, rows)["bytes_after"] == 64
