"""Headlines of figures are true for any data: each case has numbers with which a looser one was false."""

import numpy as np
import pytest
from skimage.color import rgb2ycbcr
from skimage.metrics import structural_similarity

import narrows as nw
from narrows.metrics import ssim
from narrows.reporting import figures
from narrows.reporting.formatting import percent
from narrows.tasks.base import Rows
from narrows.tasks.reduce.reducer import Reducer

draw = np.random.default_rng(0)


def title(figure: object) -> str:
    return " ".join(figure.get_suptitle().split())  # type: ignore[attr-defined]


def test_weak_units_are_counted_against_the_strongest() -> None:
    weights = np.vstack([np.ones((3, 16)), 1e-4 * np.ones((2, 16))])
    said = "2 of 5 units have less than 1 % of the norm of the strongest"
    assert said in title(figures.filters(weights, (4, 4)))


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.004, "0.4 %"),
        (0.9996, "99.96 %"),
        (0.996, "99.6 %"),
        (0.5, "50 %"),
        (1e-5, "0.001 %"),
    ],
)
def test_only_none_is_0_and_only_all_is_100_per_cent(share: float, said: str) -> None:
    assert percent(share) == said


def test_one_anomaly_that_is_missed_is_not_100_per_cent() -> None:
    scores, labels = np.r_[np.full(1000, 1.0), np.full(999, 9.0), 2.0], np.repeat([0, 1], 1000)
    assert "flags 99.9 % of the anomalies and 0 %" in title(figures.score_histogram(scores, labels, 5.0))


def test_one_confusion_is_not_all_right() -> None:
    said = title(figures.confusion(np.array([[999, 1], [0, 1000]]), ["a", "b"]))
    assert said == "0.1 % of a is taken for b, the worst confusion; 99.95 % of all is right"


@pytest.mark.parametrize(
    ("items", "said"), [(4, "The most popular item gets"), (120, "The 12 most popular of 120 items get")]
)
def test_a_tenth_of_few_items_is_counted(items: int, said: str) -> None:
    shares = {"ours": np.linspace(1 / items, 1, items), "the users themselves": np.linspace(1 / items, 1, items)}
    assert title(figures.popularity_curves(shares)).startswith(said)


def test_a_map_says_of_how_many_codes_and_leaves_rows_without_a_label_out() -> None:
    codes = draw.normal(size=(6000, 2))
    assert title(figures.code_map(codes)).startswith("5 000 of 6 000 codes")
    apart = np.r_[np.zeros((50, 2)), np.full((50, 2), 9.0), np.full((100, 2), 99.0)] + draw.normal(size=(200, 2)) * 1e-3
    labels = np.r_[np.arange(100) % 2, np.full(100, -1)]  # classes that mix; rows without one lie together
    said = title(figures.code_map(apart, labels, ["a", "b"]))
    assert "among 100 with a label the nearest is of the same class for" in said
    share = float(said.split(" for ")[1].split(" %")[0])
    assert 25 < share < 75  # with the others it was above 70


def test_some_numbers_of_a_code_are_called_some() -> None:
    images = np.zeros((20, 3, 4, 4))
    said = title(figures.traversal(images, np.zeros(3), np.r_[1.0, np.full(19, 0.01)], total=64))
    assert said.startswith("Of 20 of the 64 numbers of the code, z 1 changes the output most")
    assert "19 of 20 by less than a tenth of that" in said
    assert "the first 20 are drawn" in title(figures.traversal(np.zeros((30, 3, 4, 4)), np.zeros(3), np.ones(30)))


def test_columns_that_do_not_vary_have_no_part_in_the_median() -> None:
    table = np.c_[draw.normal(size=(30, 2)), np.ones(30)]
    assert "over 2 columns that vary, of 3" in title(figures.reconstructed_columns(table, table * 0.9, list("abc")))


def test_columns_of_new_rows_say_how_many_are_drawn() -> None:
    said = title(
        figures.marginals(draw.normal(size=(50, 20)), draw.normal(size=(60, 20)), [f"c{i}" for i in range(20)])
    )
    assert "the median of 20 columns" in said
    assert said.endswith("12 are drawn")


@pytest.mark.parametrize("scale", [1.0, 255.0])
def test_pictures_on_another_scale_are_drawn_on_it_and_measured_in_their_units(scale: float) -> None:
    X = draw.random((40, 8, 8)) * scale
    task = Reducer(latent_dim=4, epochs=1, random_state=0).fit(X)
    picture = next(p for p in task.evaluate(Rows(X), Rows(X)).pictures if p.kind == "reconstructions")
    figure = figures.reconstructions(**picture.data)
    assert np.asarray(figure.axes[0].images[0].get_array()).mean() == pytest.approx(0.55, abs=0.15)  # not white
    error = np.square(picture.data["results"] - picture.data["originals"]).mean()
    assert title(figure).endswith("over these 12 images")
    assert float(title(figure).split("squared error ")[1].split(" over")[0].replace(" ", "")) == pytest.approx(
        error, rel=0.01
    )


def test_measures_of_enlarged_colours_are_those_of_matlabs_luminance() -> None:
    """Y of rgb2ycbcr runs from 16 to 235 of 255; without its 16 SSIM is another number."""
    sharp = draw.random((3, 40, 36)).astype(np.float32)
    soft = (0.7 * sharp + 0.1).astype(np.float32)
    rim = nw.Upscaler(scale=2)
    ours, theirs = (rim._measured([each])[0] for each in (soft, sharp))
    a, b = (rgb2ycbcr(np.moveaxis(each, 0, 2).astype(np.float64))[2:-2, 2:-2, 0] for each in (soft, sharp))
    assert np.allclose(ours[0] * 255, a, atol=1e-2)
    right = structural_similarity(a, b, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
    assert ssim(theirs[None], ours[None], gaussian=True) == pytest.approx(right, abs=1e-4)
    without = structural_similarity(
        a - 16, b - 16, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert abs(without - right) > 1e-3


def test_grey_pictures_are_measured_as_they_are() -> None:
    grey = draw.random((1, 20, 20)).astype(np.float32)
    assert np.array_equal(nw.Upscaler(scale=2)._measured([grey])[0], grey[:, 2:-2, 2:-2])
