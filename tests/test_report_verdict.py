import numpy as np
import pytest

from narrows.metrics import Comparison
from narrows.reporting.figures.style import number
from narrows.reporting.verdict import verdict


def judge(value, other, *samples, better="lower", rows=1000, absolute=False):
    found = Comparison.of_samples(value, other, better, *samples, absolute=absolute)
    return verdict("The autoencoder", "PCA", found, metric="held-out error", rows=rows)


def test_equal_values_have_three_digits():
    text = judge(0.875, 0.875, np.tile([1.0, -1.0, 0.0, 0.0], 4))["text"]
    assert text.startswith("The autoencoder cannot be told from PCA: held-out error 0.875 against 0.875 (equal, within")


@pytest.mark.parametrize(
    ("value", "other", "better", "outcome"),
    [
        (0.5, 1.0, "lower", "wins"),
        (1.0, 0.5, "lower", "loses"),
        (0.5, 1.0, "higher", "loses"),
        (1.0, 0.5, "higher", "wins"),
        (0.995, 1.0, "lower", "even"),
        (0.985, 1.0, "lower", "wins"),
        (0.0, 0.0, "lower", "even"),
        (0.1, 0.0, "lower", "loses"),
        (-90.0, -100.0, "higher", "wins"),
        (float("nan"), 1.0, "lower", "none"),
        (1.0, float("inf"), "lower", "none"),
    ],
)
def test_outcome(value, other, better, outcome):
    assert judge(value, other, better=better)["outcome"] == outcome


def test_the_sentence_has_both_numbers_and_the_difference():
    text = judge(0.0038, 0.0088, rows=10_000)["text"]
    assert text == "The autoencoder beats PCA: held-out error 0.00380 against 0.00880 (57 % lower, 10 000 rows)."
    assert judge(1.09, 1.0)["text"].startswith(
        "The autoencoder loses to PCA: held-out error 1.09 against 1.00 (9.0 % higher"
    )
    assert "is level with" in judge(1.0, 1.0)["text"]
    assert judge(0.5, 1.0, rows=1)["text"].endswith("1 row).")


def test_differences_within_two_standard_errors_are_open():
    gaps = np.tile([-1.0, 1.0], 50)
    error = gaps.std(ddof=1) / 10
    near, far = (judge(1 - share * error, 1.0, gaps - share * error) for share in (1.9, 2.1))
    assert near["outcome"] == "unclear"
    assert far["outcome"] == "wins"
    assert "(19 % lower, within its noise, 1 000 rows)" in near["text"]


def test_cannot_tell_is_not_level():
    gaps = np.tile([-1.0, 1.0], 50)
    assert judge(100.0, 100.0, gaps)["outcome"] == "even"  # 5 % either way are ruled out
    assert judge(1.0, 1.0, gaps)["outcome"] == "unclear"
    assert judge(1.0, 1.0, np.zeros(100))["text"].endswith("(equal, 1 000 rows).")
    assert judge(1.0, 1.0, np.zeros(2))["outcome"] == "even"


def test_too_few_rows_and_constant_differences():
    assert judge(0.5, 1.0, np.array([-0.5]))["outcome"] == "unclear"
    assert "too few rows to tell" in judge(0.5, 1.0, np.array([-0.5, -0.4]))["text"]
    assert judge(0.5, 1.0, np.full(9, -0.5))["outcome"] == "wins"
    assert "rows without a finite measure" in judge(0.5, 1.0, np.array([-0.5, np.nan, 1.0]))["text"]


def test_an_unknown_direction_is_refused():
    with pytest.raises(ValueError, match="better='bigger'"):
        judge(0.5, 1.0, better="bigger")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (999.7, "1 000"),
        (1234567.0, "1 234 567"),
        (-0.04567, "-0.0457"),
        (12.0, "12"),
        (1e-9, "1.00e-09"),
        (0.5, "0.500"),
    ],
)
def test_numbers_are_written_with_three_digits(value, text):
    assert number(value) == text


def test_nothing_to_measure_on_is_said_in_words():
    nothing = Comparison.of_rows([], [], "higher")
    found = verdict("It", "EASE", nothing, metric="NDCG", rows=0, unit="user")
    assert found == {"text": "It cannot be compared with EASE: there is no user to measure on.", "outcome": "none"}
