"""What people pass as labels, read the same way wherever labels are learnt from."""

import numpy as np
import pytest

import narrows as nw
from narrows.errors import InputError
from narrows.estimator.inputs import checked_rows, known_labels, label_texts

X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
SMALL = {"epochs": 1, "random_state": 0}
TEXTS = np.array(["a", "b"])[np.arange(40) % 2]


def holes(labels: np.ndarray, hole: object) -> np.ndarray:
    """Return labels as objects, every fifth of them missing."""
    made = labels.astype(object)
    made[::5] = hole
    return made


@pytest.mark.parametrize("hole", [None, np.nan, ""], ids=str)
@pytest.mark.parametrize("labels", [TEXTS, np.arange(40) % 2], ids=["texts", "numbers"])
def test_missing_labels_are_no_class_anywhere(labels: np.ndarray, hole: object) -> None:
    y, names = holes(labels, hole), np.unique(labels)
    found, known = known_labels(y, 40)
    assert np.array_equal(np.flatnonzero(~known), np.arange(0, 40, 5))
    assert found.dtype.kind == labels.dtype.kind
    told = nw.ConditionalVAE(latent_dim=2, **SMALL).fit(X, y)
    assert np.array_equal(told.classes_, names)
    assert told.conditions(y, 40).sum(1).tolist() == known.astype(float).tolist()
    assert told.conditions(hole, 3).sum() == 0
    generator = nw.Generator(latent_dim=2, **SMALL).fit(X, y)
    assert generator.classes_ == names.astype(str).tolist()
    assert generator.shares_ == [0.5, 0.5]
    classifier = nw.CodeClassifier(estimator=nw.AutoEncoder(latent_dim=2, **SMALL), tune_epochs=1, **SMALL)
    assert np.array_equal(classifier.fit(X, y).classes_, names)


def test_whole_numbers_with_gaps_are_the_classes_that_they_were() -> None:
    y = np.where(np.arange(40) % 5 == 0, np.nan, np.arange(40) % 2)  # as pandas reads whole numbers with gaps
    told = nw.ConditionalVAE(latent_dim=2, **SMALL).fit(X, y)
    assert np.array_equal(told.sample(2, y=1, random_state=0), told.sample(2, y=1.0, random_state=0))
    generator = nw.Generator(latent_dim=2, **SMALL).fit(X, y)
    assert generator.classes_ == ["0", "1"]
    for label in (1, 1.0, np.float32(1), "1"):
        assert generator.draw(3, label, random_state=0)[1].tolist() == ["1"] * 3
    with pytest.raises(InputError, match=r"The class '2' came. Accepted: 0, 1"):
        generator.sample(1, 2.0)


def test_texts_stay_as_they_are_written() -> None:
    assert label_texts(["1.0", None, "2"], 3).tolist() == ["1.0", "", "2"]
    generator = nw.Generator(latent_dim=2, **SMALL).fit(X, np.array(["1.0", "2.0"])[np.arange(40) % 2])
    assert generator.draw(1, 1.0)[1].tolist() == ["1.0"]


def test_labels_must_be_finite_and_one_for_every_row() -> None:
    with pytest.raises(InputError, match="2 labels for 3 rows"):
        known_labels([1, 2], 3)
    with pytest.raises(ValueError, match="infinity"):
        known_labels([1.0, np.inf], 2)


def test_labels_of_pandas_may_lack_some_and_dates_are_refused_before_training() -> None:
    pandas = pytest.importorskip("pandas")
    whole = np.where(np.arange(40) % 5 == 0, "", (np.arange(40) % 3).astype(str))
    for y in (pandas.Series(holes(TEXTS, None), dtype="string"), pandas.Series(holes(np.arange(40) % 3, pandas.NA))):
        assert np.array_equal(np.flatnonzero(~known_labels(y, 40)[1]), np.arange(0, 40, 5))
    assert label_texts(y, 40).tolist() == label_texts(y.astype("Int64"), 40).tolist() == whole.tolist()
    texts = pandas.Series(holes(TEXTS, None), dtype="string")
    assert nw.ConditionalVAE(latent_dim=2, **SMALL).fit(X, texts).classes_.tolist() == ["a", "b"]
    days = np.array(["2026-01-01", "2026-01-02"], "datetime64[ns]")[np.arange(40) % 2]
    for model in (nw.CodeClassifier(**SMALL), nw.ConditionalVAE(latent_dim=2, **SMALL)):
        for dates in (days, pandas.Series(days).astype(object)):
            with pytest.raises(InputError, match=r"Labels of type .* came.*astype\(str\)"):
                model.fit(X, dates)


def test_columns_of_one_small_type_are_levels_and_of_several_are_numbers() -> None:
    pandas = pytest.importorskip("pandas")
    model = nw.AutoEncoder(latent_dim=2, **SMALL)
    frame = pandas.DataFrame(np.random.default_rng(0).integers(0, 256, (40, 3)), columns=list("abc"))
    levels = frame.astype("uint8")
    assert checked_rows(model, levels.astype("UInt8"), reset=True).dtype == np.uint8
    assert np.array_equal(checked_rows(model, levels.astype("UInt8"), reset=True), levels.to_numpy())
    mixed = checked_rows(model, levels.astype({"a": "uint16"}), reset=True)
    assert mixed.dtype == np.float64
    assert np.array_equal(mixed, frame.to_numpy())
    with pytest.raises(ValueError, match="Input X contains NaN"):
        checked_rows(model, levels.astype("UInt8").mask(frame > 250), reset=True)
