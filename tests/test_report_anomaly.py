"""Figures of anomalies say what their numbers are."""

import numpy as np
import pytest

from narrows.reporting import figures

RNG = np.random.default_rng(0)


def title(figure):
    return figure.get_suptitle().replace("\n", " ")


def stepped(area):
    """Ten ordinary scores, and as many anomalous ones with this area under the curve (a multiple of 0.01)."""
    above = [10 if i < round(100 * area) // 10 else 0 for i in range(10)]
    above[round(100 * area) // 10] += round(100 * area) % 10
    return np.r_[np.arange(10.0), np.array(above) - 0.5]


def test_the_histogram_says_what_the_threshold_flags():
    labels = np.repeat([0, 1], [200, 50])
    scores = np.r_[np.linspace(1, 2, 200), np.linspace(1.5, 6.4, 50)]
    figure = figures.score_histogram(scores, labels, 1.99)
    found, alarms = (scores[labels == 1] > 1.99).mean(), (scores[labels == 0] > 1.99).mean()
    assert (
        title(figure)
        == f"The threshold flags {100 * found:.0f} % of the anomalies and {100 * alarms:g} % of ordinary rows"
    )
    assert [line.get_xdata()[0] for line in figure.axes[0].lines] == [1.99]
    steps = figures.score_histogram(scores, labels, 1.99, unit="step")
    assert title(steps).endswith("of ordinary steps")
    heights = np.array([bar.get_height() for bar in figure.axes[0].patches])
    assert heights.sum() == pytest.approx(2)  # each kind adds up to one
    assert not figures.score_histogram(scores, labels, np.inf).axes[0].lines
    assert figures.score_histogram(np.zeros(4), np.array([0, 0, 1, 1]), 1.0)


def test_the_curves_carry_their_areas():
    labels = RNG.integers(0, 2, 300)
    scores = {"the autoencoder": labels + RNG.normal(0, 1, 300), "PCA": RNG.normal(0, 1, 300)}
    figure = figures.roc_curves(labels, scores)
    assert title(figure).startswith("Area under the curve: the autoencoder 0.8")
    for line in figure.axes[0].lines[1:]:
        x, y = line.get_xdata(), line.get_ydata()
        area = float(((x[1:] - x[:-1]) * (y[1:] + y[:-1]) / 2).sum())
        assert line.get_label().endswith(f"{area:.3f}")


@pytest.mark.parametrize("ours", [0.74, 0.76])
def test_the_title_of_the_curves_names_no_winner_that_few_rows_cannot_tell(ours):
    labels = np.repeat([0, 1], [10, 10])
    scores = {"the autoencoder": stepped(ours), "PCA": stepped(0.75), "kNN": stepped(0.3)}
    assert title(figures.roc_curves(labels, scores)) == f"Area under the curve: the autoencoder {ours:.3f}, PCA 0.750"


def test_contributions_are_shares_in_the_order_of_their_means():
    strange = np.abs(RNG.normal(size=(10, 20))) + np.where(np.arange(20) == 7, 30, 0)
    figure = figures.contribution_map(strange, np.ones((30, 20)), [f"c{i}" for i in range(20)])
    assert title(figure).startswith("c7 makes up")
    assert title(figure).endswith("5 % of those of 30 ordinary rows")
    picture = figure.axes[0].images[0].get_array()
    assert picture.shape == (12, 10)
    assert np.allclose(picture[0], strange[:, 7] / strange.sum(1))
    assert len(figure.axes[1].patches) == 24


def test_a_series_shades_what_is_flagged():
    times, values = np.arange(300.0), RNG.normal(size=(300, 8))
    channels = np.abs(RNG.normal(size=(300, 8)))
    channels[100:110, 3] = 50
    channels[200:, 5] = np.nan
    scores = np.sqrt((channels**2).sum(1))
    pieces = np.repeat([0, 1], 150)
    names = [f"valve {i}" for i in range(8)]
    figure = figures.series_scores(times, values, scores, channels, names, 20.0, pieces, pieces)
    assert title(figure) == "1 interval flagged, 3.3 % of the steps; valve 3 stands out most"
    assert len(figure.axes) == 7  # six channels and the score
    assert figure.axes[-1].patches[0].get_extents().width > 0
    dates = np.datetime64("2024-01-01") + np.arange(300).astype("timedelta64[h]")
    assert figures.series_scores(dates, values, scores, channels, names, np.inf, pieces, pieces)


def test_a_long_series_shows_what_lasts_one_step():
    times, values, same = np.arange(30_000.0), np.zeros((30_000, 1)), np.zeros(30_000, int)
    values[12_345] = 7
    values[20_001] = -3
    figure = figures.series_scores(times, values, np.abs(values[:, 0]), np.abs(values), ["alarm"], 1.0, same, same)
    for axes, wanted in ((figure.axes[0], {7, -3, 0}), (figure.axes[1], {7, 3, 0})):
        x, y = axes.lines[0].get_data()
        assert set(np.unique(y[~np.isnan(y)])) == wanted
        assert {12_345, 20_001} <= set(x)
        assert len(x) <= 4100
