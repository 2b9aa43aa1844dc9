import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import metrics as sk

from narrows import metrics
from narrows.errors import InputError


@pytest.fixture
def masks():
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(4, size=(2, 3, 9, 7))
    predicted[truth == 2] = 2
    return truth, predicted


def test_counts_equal_a_loop_over_pixels(masks):
    expected = np.zeros((5, 5), np.int64)
    for true, seen in zip(masks[0].ravel(), masks[1].ravel(), strict=True):
        expected[true, seen] += 1
    matrix = metrics.confusion_matrix(*masks, 5)
    assert matrix.dtype == np.int64
    assert (matrix == expected).all()


def test_void_counts_nowhere(masks):
    truth, predicted = masks
    kept = truth != 3
    expected = sk.confusion_matrix(truth[kept], predicted[kept], labels=range(4))
    assert (metrics.confusion_matrix(truth, predicted, 4, ignore=3) == expected).all()
    small = truth.astype(np.uint8) + 252  # 255 would overflow in 8 bits
    assert metrics.confusion_matrix(small, small, 255, ignore=255).sum() == kept.sum()


def test_overlaps_equal_scikit_learn(masks):
    truth, predicted = (mask.ravel() for mask in masks)
    matrix = metrics.confusion_matrix(truth, predicted, 4)
    assert_allclose(metrics.iou(matrix), sk.jaccard_score(truth, predicted, average=None))
    assert_allclose(metrics.dice(matrix), sk.f1_score(truth, predicted, average=None))
    assert_allclose(metrics.mean_iou(matrix), sk.jaccard_score(truth, predicted, average="macro"))
    assert_allclose(metrics.pixel_accuracy(matrix), sk.accuracy_score(truth, predicted))


def test_a_class_in_neither_mask_is_no_number_and_one_in_a_single_mask_is_zero():
    matrix = metrics.confusion_matrix(np.array([0, 0, 1]), np.array([0, 0, 0]), 3)
    assert_allclose(metrics.iou(matrix), [2 / 3, 0, np.nan])
    assert_allclose(metrics.dice(matrix), [4 / 5, 0, np.nan])
    assert_allclose(metrics.mean_iou(matrix), 1 / 3)


def boundary(mask):
    height, width = mask.shape
    found = []
    for row, column in zip(*np.nonzero(mask), strict=True):
        beside = [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]
        if any(0 <= r < height and 0 <= c < width and not mask[r, c] for r, c in beside):
            found.append((row, column))
    return np.array(found)


@pytest.mark.parametrize("seed", range(5))
def test_boundary_distance_equals_all_pairs_of_boundary_pixels(seed):
    rng = np.random.default_rng(seed)
    a, b = np.cumsum(rng.normal(size=(2, 12, 15)), axis=2) > 0
    apart = np.linalg.norm(boundary(a)[:, None] - boundary(b)[None], axis=-1)
    expected = (apart.min(axis=1).mean() + apart.min(axis=0).mean()) / 2
    assert_allclose(metrics.boundary_distance(a, b), expected)
    assert metrics.boundary_distance(a, b) == metrics.boundary_distance(b, a) > 0


def test_a_moved_edge_is_as_far_as_it_was_moved():
    columns = np.arange(20) < np.full((10, 1), 7)
    assert metrics.boundary_distance(columns, np.arange(20) < np.full((10, 1), 11)) == 4
    assert metrics.boundary_distance(columns, columns) == 0


@pytest.mark.parametrize("other", [False, True])
def test_masks_without_a_boundary_follow_the_rule(other):
    without, square = np.full((4, 5), other), np.zeros((4, 5), bool)
    square[1:3, 1:3] = True
    assert metrics.boundary_distance(without, np.zeros((4, 5))) == 0
    assert metrics.boundary_distance(square, without) == 5  # 3 rows down, 4 columns across


WRONG = {
    "two shapes": (lambda: metrics.confusion_matrix(np.zeros((2, 3)), np.zeros((3, 2)), 2), "one shape"),
    "a class too high": (lambda: metrics.confusion_matrix(np.array([2]), np.array([0]), 2), "0 to 1"),
    "a class below zero": (lambda: metrics.confusion_matrix(np.array([0]), np.array([-1]), 2, 9), "and 9"),
    "void predicted": (lambda: metrics.confusion_matrix(np.array([0]), np.array([9]), 2, 9), "0 to 1"),
    "no square": (lambda: metrics.iou(np.ones((2, 3))), "square"),
    "no counts": (lambda: metrics.mean_iou(np.zeros((2, 2))), "not all zero"),
    "a stack": (lambda: metrics.boundary_distance(np.zeros((2, 3, 3)), np.zeros((2, 3, 3))), "H, W"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_measured_is_refused(name):
    call, message = WRONG[name]
    with pytest.raises(InputError, match=message):
        call()
