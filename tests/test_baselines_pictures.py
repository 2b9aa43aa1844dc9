import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.ndimage import gaussian_filter

from narrows.baselines import ColourTable, LocationPrior, MeanTarget, SmoothedThreshold
from narrows.errors import InputError
from narrows.tasks.segment.pixel_baseline import FilteredPixels


def dice(mask, truth):
    return 2 * (mask & truth).sum() / (mask.sum() + truth.sum())


@pytest.mark.parametrize("flipped", [False, True])
def test_the_threshold_is_the_best_of_all_that_there_are(flipped):
    rng = np.random.default_rng(0)
    truth = gaussian_filter(rng.normal(size=(3, 12, 12)), (0, 2, 2)) > 0.1
    grey = truth * (-0.2 if flipped else 0.2) + rng.integers(30, size=truth.shape) / 30
    model = SmoothedThreshold((0.0, 1.0)).fit(grey, truth)
    found = {}
    for sigma in (0.0, 1.0):
        smooth = gaussian_filter(grey, (0, sigma, sigma))
        for cut in np.unique(smooth):
            found[sigma, cut, True], found[sigma, cut, False] = dice(smooth <= cut, truth), dice(smooth > cut, truth)
    best = max(found.values())
    assert_allclose(model.dice_, best)
    assert_allclose(dice(model.predict(grey), truth), best)
    assert_allclose(found[model.sigma_, model.threshold_, model.dark_], best)
    assert model.dark_ == flipped


def test_the_threshold_reads_bytes_with_a_channel_and_every_picture_by_itself():
    rng = np.random.default_rng(0)
    grey = rng.integers(256, size=(4, 1, 8, 8), dtype=np.uint8)
    model = SmoothedThreshold((1.5,)).fit(grey, grey[:, 0] > 90)
    assert model.predict(grey).shape == (4, 8, 8)
    assert (model.predict(grey[1:2]) == model.predict(grey)[1:2]).all()
    assert 0 < model.threshold_ < 1


def test_smoothing_is_chosen_where_there_is_noise():
    rng = np.random.default_rng(0)
    truth = np.broadcast_to(np.arange(30) < 15, (2, 30, 30))
    noise = rng.normal(size=truth.shape)
    assert SmoothedThreshold().fit(truth + noise, truth).sigma_ >= 2
    assert SmoothedThreshold().fit(truth + 0.01 * noise, truth).dice_ == 1


def test_the_prior_is_the_most_frequent_class_of_each_place():
    masks = np.random.default_rng(0).integers(4, size=(9, 5, 6))
    masks[:, 0, 0] = 3
    prior = LocationPrior(ignore=3).fit(None, masks).predict(np.zeros((2, 1)))
    assert prior.shape == (2, 5, 6)
    for row, column in np.ndindex(5, 6):
        seen = masks[:, row, column][masks[:, row, column] != 3]
        counts = np.bincount(seen if len(seen) else masks[masks != 3], minlength=3)
        assert counts[prior[1, row, column]] == counts.max()
    assert 3 in LocationPrior().fit(None, masks).predict(np.zeros((1, 1)))


def test_the_table_has_the_mean_colour_of_every_colour():
    rng = np.random.default_rng(0)
    palette = rng.integers(256, size=(5, 3), dtype=np.uint8)
    which = rng.integers(5, size=(4, 6, 7))
    a, b = np.moveaxis(palette[which], -1, 1), rng.random((4, 2, 6, 7))
    model = ColourTable(5).fit(a, b)
    expected = np.stack([b.transpose(1, 0, 2, 3)[:, which == i].mean(axis=1) for i in range(5)])
    assert_allclose(model.predict(a), np.moveaxis(expected[which], -1, 1), rtol=1e-6)
    near = np.clip(a.astype(int) + rng.integers(-3, 4, a.shape), 0, 255).astype(np.uint8)
    assert_allclose(model.predict(near), model.predict(a))


def test_fewer_colours_than_asked_for_are_enough():
    a = np.zeros((2, 3, 4, 4), np.uint8)
    a[:, :, :2] = 255
    assert_allclose(ColourTable(9).fit(a, 255 - a).predict(a), 1 - a / 255)


@pytest.mark.parametrize(("dtype", "full"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1), (np.float64, 1)])
def test_the_mean_target_is_the_mean(dtype, full):
    rows = (np.random.default_rng(0).random((7, 3, 2)) * full).astype(dtype)
    result = MeanTarget().fit(rows, rows).predict(rows[:4])
    assert result.shape == (4, 3, 2)
    assert result.dtype == (np.float64 if dtype == np.float64 else np.float32)
    assert_allclose(result[2], rows.mean(axis=0, dtype=np.float64) / full, rtol=1e-6)


def test_pictures_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="grey"):
        SmoothedThreshold().fit(np.zeros((2, 3, 4, 4)), np.zeros((2, 4, 4)))
    with pytest.raises(InputError, match="size"):
        SmoothedThreshold().fit(np.zeros((2, 4, 4)), np.zeros((2, 4, 5)))
    with pytest.raises(InputError, match="one size"):
        ColourTable().fit(np.zeros((2, 3, 4, 4)), np.zeros((2, 3, 4, 5)))
    with pytest.raises(InputError, match="no class but void"):
        LocationPrior(ignore=1).fit(None, np.ones((2, 3, 3)))


def test_lists_of_pictures_are_those_of_an_array():
    rng = np.random.default_rng(0)
    A, B = rng.integers(255, size=(4, 1, 9, 8), dtype=np.uint8), rng.integers(2, size=(4, 9, 8))
    for one in (SmoothedThreshold(), LocationPrior()):
        assert_allclose(np.stack(one.fit(list(A), list(B)).predict(list(A))), one.fit(A, B).predict(A))
    table = ColourTable(8)
    assert_allclose(np.stack(table.fit(list(A), list(A)).predict(list(A))), table.fit(A, A).predict(A))


def test_the_prior_of_masks_of_different_sizes_goes_by_shares_of_height_and_width():
    masks = [np.arange(w) < np.full((h, 1), w // 2) for h, w in ((4, 8), (10, 20), (6, 12))]
    found = LocationPrior().fit(masks, masks).predict([np.zeros((3, 8, 40)), np.zeros((1, 2, 4))])
    assert (found[0] == (np.arange(40) < 20)).all()
    assert (found[1] == (np.arange(4) < 2)).all()


def test_filtered_pixels_tell_textures_that_no_threshold_tells(monkeypatch):
    rng = np.random.default_rng(0)
    pictures, masks = [], []
    for _ in range(3):
        mask = (np.arange(60) > rng.integers(20, 40)) * np.ones((50, 1), int)
        pictures.append((0.5 + np.where(mask, 0.2, 0.02) * rng.normal(size=mask.shape))[None])
        masks.append(mask)
    model = FilteredPixels(8.0).fit(pictures[:2], masks[:2])
    whole = model.predict(pictures[2:])[0]
    assert (whole == masks[2]).mean() > 0.95
    monkeypatch.setattr("narrows.tasks.segment.pixel_baseline.SIDE", 40)
    assert (model.predict(pictures[2:])[0] == whole).mean() > 0.97  # tiles hardly change anything
    void = [np.where(np.arange(50)[:, None] < 5, 9, mask) for mask in masks]
    assert set(np.unique(FilteredPixels(8.0, ignore=9).fit(pictures, void).predict(pictures[:1])[0])) == {0, 1}
