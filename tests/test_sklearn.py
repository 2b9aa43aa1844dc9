"""Every family is a scikit-learn citizen; what training cannot promise is named."""

import pickle
import warnings
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import narrows.families  # noqa: F401 - registers them
from narrows.params import FAMILIES

X = (load_digits().data / 16)[:150]
ALL = [pytest.param(family, id=name) for name, family in sorted(FAMILIES.items())]


CLOSED = ("linear", "linear-recommender")
WEIGHTS = (
    "rows are held out, shuffled into batches and given noise one by one, so that a repeated row is not a row of twice "
    "the weight, and steps are in float32; tests/test_weights.py holds what is equal"
)
EXPECTED = {f"check_sample_weight_equivalence_on_{kind}_data": WEIGHTS for kind in ("dense", "sparse")}


@parametrize_with_checks(
    [family() if name in CLOSED else family(epochs=2) for name, family in sorted(FAMILIES.items())],
    expected_failed_checks=lambda estimator: {} if estimator.name in CLOSED else EXPECTED,
    xfail_strict=True,
)
def test_scikit_learn(estimator: Any, check: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # checks pass odd data on purpose
        check(estimator)


def make(family: Any, **own: Any) -> Any:
    return family(**{"latent_dim": 3, "epochs": 1, "random_state": 0, "device": "cpu", **own})


@pytest.mark.parametrize("family", ALL)
def test_it_works_in_pipelines_and_searches(family: Any) -> None:
    pipe = make_pipeline(StandardScaler(), make(family))
    codes = pipe.fit_transform(X)
    assert codes.shape == (150, 3)
    assert pipe.inverse_transform(codes).shape == X.shape
    search = GridSearchCV(make(family), {"latent_dim": [1, 4], "lr": [1e-3]}, cv=2).fit(X)
    assert search.best_params_["latent_dim"] in (1, 4)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("family", ALL)
def test_clones_and_pickles_are_equal(family: Any) -> None:
    fitted = make(family).fit(X)
    again = clone(fitted).fit(X)
    back = pickle.loads(pickle.dumps(fitted))
    for other in (again, back):
        assert np.array_equal(fitted.transform(X), other.transform(X))
        assert np.array_equal(fitted.score_samples(X), other.score_samples(X))


@pytest.mark.parametrize("family", ALL)
def test_frames_sparse_rows_and_tensors_say_the_same(family: Any) -> None:
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    fitted = make(family).fit(X)
    codes = fitted.transform(X)
    names = [f"pixel {i}" for i in range(64)]
    for rows in (sp.csr_matrix(X), sp.csr_array(X), torch.tensor(X), X.tolist()):
        assert np.allclose(make(family).fit(rows).transform(rows), codes, atol=1e-4)
        assert np.allclose(fitted.reconstruct(rows), fitted.reconstruct(X), atol=1e-12)
    for frame in (pandas.DataFrame(X, columns=names), polars.DataFrame(X, schema=names)):
        model = make(family).fit(frame)
        assert np.allclose(model.transform(frame), codes, atol=1e-4)
        assert list(model.feature_names_in_) == names
        with pytest.raises(ValueError, match="feature names"):
            model.transform(
                frame.rename(dict(zip(names, names[::-1], strict=True)))
                if hasattr(frame, "schema")
                else frame[names[::-1]]
            )


def test_output_as_a_frame() -> None:
    pandas = pytest.importorskip("pandas")
    family = FAMILIES["autoencoder"]
    frame = pandas.DataFrame(X, index=np.arange(150) + 7)
    codes = make(family).set_output(transform="pandas").fit_transform(frame)
    assert list(codes.columns) == ["autoencoder0", "autoencoder1", "autoencoder2"]
    assert list(codes.index) == list(frame.index)


@pytest.mark.parametrize("family", ALL)
def test_float64_rows_do_not_depend_on_their_batch(family: Any) -> None:
    fitted = make(family).fit(X)
    one_by_one = np.concatenate([fitted.score_samples(row[None]) for row in X[:20]])
    assert np.abs(one_by_one - fitted.score_samples(X)[:20]).max() < 1e-12 * max(1, np.abs(one_by_one).max())
    codes = np.concatenate([fitted.transform(row[None]) for row in X[:20]])
    assert codes.dtype == np.float64
    assert np.abs(codes - fitted.transform(X)[:20]).max() < 1e-12
    assert fitted.transform(X.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("family", ALL)
@pytest.mark.parametrize("seed", [0, None])
def test_global_random_state_stays(family: Any, seed: int | None) -> None:
    numpy, torchs = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    fitted = make(family, random_state=seed, validation=0.2).fit(X)
    first = fitted.transform(X), fitted.reconstruct(X), fitted.score_samples(X)
    second = fitted.transform(X), fitted.reconstruct(X), fitted.score_samples(X)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    if fitted.has_prior:
        assert np.array_equal(fitted.sample(3, random_state=1), fitted.sample(3, random_state=1))
        fitted.sample(2)
    assert (np.random.get_state()[1] == numpy).all()  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torchs)


def test_seeds_decide_the_numbers() -> None:
    family = FAMILIES["vae"]
    fits = [
        make(family, random_state=seed).fit(X).transform(X)
        for seed in (0, np.int64(0), np.random.RandomState(0), 1, None)
    ]
    assert np.array_equal(fits[0], fits[1])
    assert np.array_equal(fits[0], fits[2])
    assert not np.array_equal(fits[0], fits[3])
    assert not np.array_equal(fits[0], fits[4])
    unseeded = make(family, random_state=None).fit(X)
    assert unseeded.seed_ != make(family, random_state=None).fit(X).seed_


def test_wrong_parameters_are_named() -> None:
    family = FAMILIES["autoencoder"]
    for own, named in (
        ({"latent_dim": 0}, "latent_dim"),
        ({"lr": "fast"}, "lr"),
        ({"network": "dens"}, "dens"),
        ({"epochs": -1}, "epochs"),
    ):
        with pytest.raises(ValueError, match=named):
            make(family, **own).fit(X)
    with pytest.raises(ValueError, match="NaN"):
        make(family).fit(np.where(X > 0.9, np.nan, X))
