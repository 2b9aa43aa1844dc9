"""The mean over flips: every task on pictures gives what its network gives for each view, brought back."""

import numpy as np
import pytest

import narrows as nw
from narrows.tasks.images import averaged

X = np.random.default_rng(0).random((6, 1, 24, 32), np.float32)


def views(predict, x, flips):
    """The mean over the views, written out with the symmetries of a square: transposed and reversed."""
    whole = lambda picture: predict(picture[None])[0]  # noqa: E731
    made = [whole(x), whole(x[..., ::-1])[..., ::-1]]
    if flips == "all":
        made += [whole(x[:, ::-1])[:, ::-1], whole(x[:, ::-1, ::-1])[:, ::-1, ::-1]]
        across = x.transpose(0, 2, 1)
        for reverse in ((slice(None),) * 3, np.s_[:, ::-1], np.s_[:, :, ::-1], np.s_[:, ::-1, ::-1]):
            made.append(whole(across[reverse])[reverse].transpose(0, 2, 1))
    return np.mean(made, axis=0)


@pytest.mark.parametrize("flips", ["horizontal", "all"])
def test_translations_are_the_mean_over_the_flips_that_were_learnt(flips):
    task = nw.Translator(epochs=1, flips=flips, random_state=0).fit(X, 1 - X)
    together = task.predict(X[:1])[0]
    task.set_params(ensemble=False)
    assert np.allclose(together, views(task.predict, X[0], flips), atol=1e-5)
    assert np.abs(together - task.predict(X[:1])[0]).max() > 1e-3


def test_shares_of_classes_are_the_mean_over_the_flips():
    task = nw.Segmenter(epochs=1, random_state=0).fit(X, (X[:, 0] > 0.5).astype(int))
    together = task.predict_proba(X[:1])[0]
    task.set_params(ensemble=False)
    assert np.allclose(together, views(task.predict_proba, X[0], "horizontal"), atol=1e-5)
    assert np.allclose(together.sum(0), 1, atol=1e-5)


def test_enlarged_and_cleaned_pictures_are_the_mean_over_eight_views():
    bigger = nw.Upscaler(epochs=1, random_state=0).fit(X)
    cleaner = nw.Denoiser(epochs=1, random_state=0).fit_pictures(list(X))
    for task in (bigger, cleaner):
        alone = task.predict_pictures(list(X[:1]))[0]
        wanted = views(task.predict_pictures, X[0], "all")
        together = task.set_params(ensemble=True).predict_pictures(list(X[:1]))[0]
        # Enlarging bicubically and cutting to [0, 1] come after or before the mean: equal but for what is cut.
        assert np.abs(together - wanted).mean() < 2e-3
        assert np.abs(together - alone).mean() < 0.05


def test_every_view_is_brought_back():
    picture = np.random.default_rng(0).random((2, 5, 8))
    for flips in ("none", "horizontal", "all"):
        assert np.allclose(averaged(lambda seen: seen + 1, picture, flips), picture + 1)
