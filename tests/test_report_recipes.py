import numpy as np
import pytest
from matplotlib.colors import to_rgb
from scipy.signal import convolve2d
from sklearn.datasets import load_digits
from sklearn.metrics import confusion_matrix, jaccard_score
from torch import nn, ones, zeros

from narrows.errors import InputError
from narrows.reporting import figures
from narrows.reporting.figures.masks import class_colours
from narrows.reporting.figures.style import CLASSES, number

DIGITS = load_digits().images / 16
LABELS = load_digits().target


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def title(figure):
    return figure.get_suptitle().replace("\n", " ")


def names_of(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def panel_titles(figure):
    return [axes.get_title(loc="left").replace("\n", " ") for axes in figure.axes if axes.get_title(loc="left")]


def written(axes):
    return [text.get_text() for text in axes.texts]


ONE = np.ones((1, 1))
SMALLEST = {
    "epoch_strips": lambda: figures.epoch_strips(DIGITS[:1], [DIGITS[:1]], [1]),
    "interpolation": lambda: figures.interpolation(DIGITS[None, :2]),
    "traversal": lambda: figures.traversal(DIGITS[None, :1], np.zeros(1), np.zeros(1)),
    "triplets": lambda: figures.triplets([("A", DIGITS[:1]), ("output", DIGITS[:1]), ("B", DIGITS[:1])]),
    "sample_grid": lambda: figures.sample_grid(DIGITS[:1], "One sample"),
    "manifold_grid": lambda: figures.manifold_grid(DIGITS[:1], np.zeros(1)),
    "before_after_filters": lambda: figures.before_after_filters({"start": ONE}, (1, 1)),
    "heat_maps": lambda: figures.heat_maps([("zero", 0 * ONE)]),
    "steps_strip": lambda: figures.steps_strip([("input", ONE), ("output", ONE)]),
    "placement": lambda: figures.placement(ONE, ONE, {"same": ONE}),
    "receptive_field": lambda: figures.receptive_field({"one": ONE}),
    "checkerboard": lambda: figures.checkerboard({"flat": ONE}, {"flat": 0.0}),
    "activity": lambda: figures.activity({"silent": 0 * ONE}),
    "overlay": lambda: figures.overlay(ONE[None], ONE[None] > 2, ONE[None] > 2),
    "confusion": lambda: figures.confusion(ONE, ["only"]),
    "bars": lambda: figures.bars({"zero": 0.0}, "error"),
    "lines": lambda: figures.lines({"point": ([1], [2])}, "x", "y"),
}


@pytest.mark.parametrize("name", SMALLEST)
def test_the_smallest_input_is_drawn(name, tmp_path):
    assert figures.save(SMALLEST[name](), tmp_path / "a.png").stat().st_size > 1000


NAMES = ["T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"]
ORDINARY = {
    "epoch_strips": lambda: figures.epoch_strips(DIGITS[:5], [DIGITS[5:10]] * 20, range(1, 21)),
    "interpolation": lambda: figures.interpolation(DIGITS[:30].reshape(3, 10, 8, 8), names=NAMES[:3]),
    "traversal": lambda: figures.traversal(DIGITS[:180].reshape(20, 9, 8, 8), np.linspace(-3, 3, 9), np.arange(20)),
    "triplets": lambda: figures.triplets([("aerial photograph", DIGITS[:9]), ("L1", DIGITS[:9]), ("map", DIGITS[:9])]),
    "sample_grid": lambda: figures.sample_grid(DIGITS[:100], "Samples", names=NAMES, nearest=DIGITS[:100]),
    "manifold_grid": lambda: figures.manifold_grid(DIGITS[:400], np.linspace(-2, 2, 20)),
    "before_after_filters": lambda: figures.before_after_filters(dict.fromkeys(NAMES[:3], DIGITS[0]), (2, 4)),
    "heat_maps": lambda: figures.heat_maps(
        [("stride 2, padding 0, output padding 1", DIGITS[0, :3])] * 7, marked=range(3)
    ),
    "steps_strip": lambda: figures.steps_strip([("zeros inserted between", DIGITS[0, :5])] * 4),
    "placement": lambda: figures.placement(
        DIGITS[0, :4], DIGITS[0, :2, :4], dict(zip(NAMES[:3], DIGITS[:, :4], strict=False))
    ),
    "receptive_field": lambda: figures.receptive_field(dict(zip(NAMES[:3], DIGITS, strict=False))),
    "checkerboard": lambda: figures.checkerboard(
        dict(zip(NAMES[:4], DIGITS, strict=False)), dict(zip(NAMES[:4], (0.1, 0.2, 0.001, 1e-5), strict=True))
    ),
    "activity": lambda: figures.activity(dict(zip(NAMES[:4], DIGITS, strict=False))),
    "overlay": lambda: figures.overlay(
        DIGITS[:6], LABELS[:384].reshape(6, 8, 8), LABELS[9:393].reshape(6, 8, 8), NAMES
    ),
    "confusion": lambda: figures.confusion(confusion_matrix(LABELS, np.roll(LABELS, 1)), NAMES),
    "bars": lambda: figures.bars(dict(zip(NAMES, LABELS * 0.1 + 0.05, strict=False)), "test error"),
    "lines": lambda: figures.lines({name: (range(3), LABELS[:3]) for name in NAMES}, "x", "y", reference=("PCA", 1.0)),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_no_text_of_an_ordinary_input_is_cut(name):
    figure = ORDINARY[name]()
    figure.canvas.draw()
    figure.set_layout_engine("none")
    figure.suptitle("")  # its width is the canvas's care
    box = figure.get_tightbbox()
    assert box.width > 0.5 * figure.get_figwidth()
    assert min(box.x0, box.y0) > -0.01
    assert box.x1 < figure.get_figwidth() + 0.01
    assert box.y1 < figure.get_figheight() - 0.2  # room for the title


def images(*shape):
    return np.zeros((*shape, 4, 4))


WRONG = {
    "no results": lambda: figures.epoch_strips(images(2), [], []),
    "a result of another shape": lambda: figures.epoch_strips(images(2), [images(3)], [1]),
    "two epochs for one result": lambda: figures.epoch_strips(images(2), [images(2)], [1, 2]),
    "originals that are rows": lambda: figures.epoch_strips(np.zeros((2, 16)), [np.zeros((2, 16))], [1]),
    "a path of one picture": lambda: figures.interpolation(images(2, 1)),
    "names of other pairs": lambda: figures.interpolation(images(2, 3), names=["a"]),
    "effects of other dimensions": lambda: figures.traversal(images(2, 3), np.zeros(3), np.zeros(3)),
    "values of other steps": lambda: figures.traversal(images(2, 3), np.zeros(2), np.zeros(2)),
    "no output": lambda: figures.triplets([("A", images(2)), ("B", images(2))]),
    "an output of another size": lambda: figures.triplets(
        [("A", images(2)), ("o", np.ones((2, 8, 8))), ("B", images(2))]
    ),
    "five samples in two rows": lambda: figures.sample_grid(images(5), "t", names=["a", "b"]),
    "nearest images of another number": lambda: figures.sample_grid(images(5), "t", nearest=images(4)),
    "a lattice that is not square": lambda: figures.manifold_grid(images(6), np.zeros(2)),
    "filters of two sizes": lambda: figures.before_after_filters({"a": np.ones((2, 4)), "b": np.ones((3, 4))}, (2, 2)),
    "filters of another picture": lambda: figures.before_after_filters({"a": np.ones((2, 4))}, (2, 3)),
    "no filters": lambda: figures.before_after_filters({}, (2, 3)),
    "a map with three axes": lambda: figures.heat_maps([("a", images(1))]),
    "a mark on no map": lambda: figures.heat_maps([("a", ONE)], marked={1}),
    "one step": lambda: figures.steps_strip([("input", ONE)]),
    "a layer of another shape": lambda: figures.steps_strip([("a", ONE), ("b", ONE)], layer=np.ones((2, 2))),
    "unpooled to another shape": lambda: figures.placement(np.ones((2, 2)), ONE, {"max": ONE}),
    "a position outside": lambda: figures.placement(ONE, ONE, {"max": ONE}, np.array([1])),
    "no gradient": lambda: figures.receptive_field({"a": 0 * ONE}),
    "energy without a picture": lambda: figures.checkerboard({"a": ONE}, {"b": 1.0}),
    "activations with three axes": lambda: figures.activity({"a": images(1)}),
    "activations that are not finite": lambda: figures.activity({"a": np.nan * ONE}),
    "masks of another size": lambda: figures.overlay(images(2), np.ones((2, 3, 3), int), np.ones((2, 3, 3), int)),
    "a class without a name": lambda: figures.overlay(images(1), np.full((1, 4, 4), 2), np.ones((1, 4, 4), int)),
    "nothing but void": lambda: figures.overlay(
        images(1), np.full((1, 4, 4), 9), np.ones((1, 4, 4), int), ["a", "b"], ignore=9
    ),
    "counts of other classes": lambda: figures.confusion(np.ones((2, 3)), ["a", "b"]),
    "no counts": lambda: figures.confusion(np.zeros((2, 2)), ["a", "b"]),
    "no bars": lambda: figures.bars({}, "error"),
    "a bar that is not finite": lambda: figures.bars({"a": np.nan}, "error"),
    "neither lower nor higher": lambda: figures.bars({"a": 1.0}, "error", "best"),
    "no lines": lambda: figures.lines({}, "x", "y"),
    "two lengths": lambda: figures.lines({"a": ([1, 2], [1])}, "x", "y"),
    "zero on a log scale": lambda: figures.lines({"a": ([1, 2], [1, 0])}, "x", "y", log_y=True),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_shape_is_said(name):
    with pytest.raises(InputError, match="Accepted"):
        WRONG[name]()


def test_every_epoch_has_its_error_and_at_most_ten_are_drawn(rng):
    truth = DIGITS[:5]
    results = [truth + rng.normal(size=truth.shape) / (i + 1) for i in range(30)]
    errors = [np.mean((truth - result) ** 2) for result in results]
    figure = figures.epoch_strips(truth, results, list(range(1, 31)))
    said = f"falls from {errors[0]:#.3g} after epoch 1 to {errors[29]:#.3g} after epoch 30, over these 5 images"
    assert said in title(figure)
    names = names_of(figure.axes[0])
    assert len(names) == 11
    assert names[:2] == ["original", f"epoch 1\nMSE {errors[0]:#.3g}"]
    shown = [int(name.split()[1]) for name in names[1:]]
    assert shown[-1] == 30
    assert set(np.diff(shown)) <= {3, 4}
    page = figure.axes[0].images[0].get_array()
    np.testing.assert_allclose(page[:8, 9:17, 0], truth[1])
    np.testing.assert_allclose(page[9:17, :8, 1], np.clip(results[0][0], 0, 1))
    np.testing.assert_allclose(page[-8:, -8:, 2], np.clip(results[29][4], 0, 1))


def test_the_largest_step_of_a_path_is_measured():
    path = np.array([0.0, 0.1, 0.2, 0.5])[None, :, None, None] * np.ones((1, 1, 3, 3))
    even = np.array([0.0, 0.1, 0.2, 0.3])[None, :, None, None] * np.ones((1, 1, 3, 3))
    figure = figures.interpolation(np.concatenate([even, path]), names=["3 to 8", "1 to 7"])
    assert title(figure) == "On 2 paths of 4 pictures the largest step is 1.80 times the mean step of its path"
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["A", "33 %", "67 %", "B"]


def test_dimensions_are_sorted_by_their_effect():
    effects = np.array([0.2, 0.001, 0.5])
    figure = figures.traversal(DIGITS[:12].reshape(3, 4, 8, 8), np.linspace(-2, 2, 4), effects)
    assert names_of(figure.axes[0]) == ["z 3\n0.500 per unit", "z 1\n0.200 per unit", "z 2\n0.00100 per unit"]
    assert title(figure) == ("z 3 changes the output most, by 0.500 per unit; 1 of 3 by less than a tenth of that")
    other = figures.traversal(DIGITS[:12].reshape(3, 4, 8, 8), np.linspace(-2, 2, 4), effects, unit="deviation")
    assert names_of(other.axes[0])[0] == "z 3\n0.500 per deviation"
    assert title(other).startswith("z 3 changes the output most, by 0.500 per deviation")
    np.testing.assert_allclose(figure.axes[0].images[0].get_array()[:8, :8, 0], DIGITS[8])
    assert len(names_of(figures.traversal(np.ones((30, 2, 4, 4)), np.zeros(2), np.arange(30)).axes[0])) == 20


def test_the_output_nearest_to_b_is_named(rng):
    a, b = rng.random((4, 1, 8, 8)), rng.random((4, 3, 8, 8))
    far, near = b + 0.2, b * 0.9
    figure = figures.triplets([("A", a), ("mean", far), ("L1", near), ("B", b)])
    error = np.abs(near - b).mean()
    assert title(figure) == f"Of 2 outputs, L1 is nearest to B: mean absolute error {error:#.3g} over these 4 images"
    assert names_of(figure.axes[0]) == ["A", "mean\nMAE 0.200", f"L1\nMAE {error:#.3g}", "B"]


def test_samples_lie_in_rows_of_their_classes_over_their_neighbours(rng):
    nearest = DIGITS[100:106]
    figure = figures.sample_grid(DIGITS[:6], "Six", names=["a", "b"], nearest=nearest)
    assert names_of(figure.axes[0]) == ["a", "nearest\nin training", "b", "nearest\nin training"]
    assert title(figure).endswith(f"nearest training image {np.mean((DIGITS[:6] - nearest) ** 2):#.3g}")
    page = figure.axes[0].images[0].get_array()
    np.testing.assert_allclose(page[9:17, 9:17, 0], nearest[1])
    np.testing.assert_allclose(page[-8:, :8, 0], nearest[3])
    plain = figures.sample_grid(DIGITS[:7], "Seven", across=4).axes[0].images[0].get_array()
    assert plain.shape == (17, 35, 3)
    np.testing.assert_allclose(plain[9:, 18:26, 0], DIGITS[6])
    assert (plain[9:, 27:] == 1).all()


def test_a_lattice_grows_to_the_right_and_upwards():
    figure = figures.manifold_grid(DIGITS[:9], np.array([-1.5, 0.0, 1.5]))
    page = figure.axes[0].images[0].get_array()
    np.testing.assert_allclose(page[16:, :8, 0], DIGITS[0])
    np.testing.assert_allclose(page[16:, 16:, 0], DIGITS[2])
    np.testing.assert_allclose(page[:8, :8, 0], DIGITS[6])
    pairs = [(i, i + 1) for i in range(9) if i % 3 < 2] + [(i, i + 3) for i in range(6)]
    gaps = [np.abs(DIGITS[i] - DIGITS[j]).mean() for i, j in pairs]
    assert title(figure).endswith(f"by {np.mean(gaps):#.2g} per pixel on average, by {max(gaps):#.2g} at most")
    assert names_of(figure.axes[0]) == ["-1.50", "0", "1.50"]


def test_filters_of_a_unit_keep_their_place_and_smoothness_is_a_correlation(rng):
    start, end = rng.normal(size=(4, 20)), rng.normal(size=(4, 20)).cumsum(axis=1)
    end *= np.array([[1.0], [9.0], [2.0], [3.0]])
    figure = figures.before_after_filters({"start": start, "end": end}, (4, 5))
    grid = end.reshape(4, 4, 5)
    beside = np.concatenate([grid[:, :, :-1].ravel(), grid[:, :-1].ravel()])
    other = np.concatenate([grid[:, :, 1:].ravel(), grid[:, 1:].ravel()])
    assert title(figure).endswith(f"in 'end': correlation {np.corrcoef(beside, other)[0, 1]:.2f}")
    strongest = start[np.argmax(np.linalg.norm(end, axis=1))].reshape(4, 5)
    corner = figure.axes[0].images[0].get_array()[:4, :5]
    np.testing.assert_array_equal(corner[..., 0] > corner[..., 2], strongest > 0)


def test_maps_of_a_layer_have_their_sizes_numbers_and_frames():
    maps = []
    for stride, padding, extra in [(1, 0, 0), (2, 0, 0), (2, 1, 0), (2, 0, 1)]:
        layer = nn.ConvTranspose2d(1, 1, 3, stride, padding, extra, bias=False)
        layer.weight.data.fill_(1.0)
        maps.append((f"{stride} {padding} {extra}", layer(ones(1, 1, 3, 3))[0, 0].detach().numpy()))
    figure = figures.heat_maps(maps, marked={0, 3}, mark="the document's")
    assert panel_titles(figure) == ["1 0 0 5 x 5", "2 0 0 7 x 7", "2 1 0 5 x 5", "2 0 1 8 x 8"]
    assert title(figure) == "4 maps from 5 x 5 to 8 x 8; largest value 9; 2 framed: the document's"
    assert written(figure.axes[0])[10:15] == ["3", "6", "9", "6", "3"]
    assert written(figure.axes[3])[-8:] == ["0"] * 8
    assert [len(axes.patches) for axes in figure.axes[:4]] == [1, 0, 0, 1]
    assert {axes.collections[0].get_clim() for axes in figure.axes[:4]} == {(0.0, 9.0)}


def test_large_maps_have_no_numbers_and_negative_ones_a_scale_around_zero(rng):
    axes = figures.heat_maps([("large", rng.random((10, 3))), ("negative", -2 * np.ones((3, 3)))]).axes
    assert written(axes[0]) == []
    assert written(axes[1]) == ["-2"] * 9
    assert axes[0].collections[0].get_clim() == (-2.0, 2.0)


def test_a_derivation_is_compared_with_the_layer(rng):
    kernel, inputs = rng.normal(size=(3, 3)), rng.normal(size=(3, 3))
    spread = zeros(5, 5).numpy()
    spread[::2, ::2] = inputs
    result = convolve2d(spread, kernel)
    steps = [("input", inputs), ("zeros between", spread), ("padded, convolved", result)]
    figure = figures.steps_strip(steps, layer=result + 0.25)
    assert title(figure) == "2 steps from 3 x 3 to 7 x 7: largest difference from the layer's own output 0.250"
    texts = written(figure.axes[0])
    assert [number(value, 2) for value in inputs.ravel()] == texts[:9]
    assert len([text for text in texts if text == ""]) == 2  # the arrows
    assert len(texts) == 9 + 25 + 49 + 3 + 2
    assert [text.split("\n")[-1] for text in texts if " x " in text] == ["3 x 3", "5 x 5", "7 x 7"]


def test_pooled_values_are_followed_to_where_they_land():
    inputs = np.array([[1.0, 2, 5, 4], [3, 4, 6, 8], [9, 1, 1, 1], [1, 1, 1, 7]])
    pooled = np.array([[4.0, 8], [9, 7]])
    back = np.where(np.isin(inputs, pooled) & (np.indices((4, 4)).sum(axis=0) != 3), inputs, 0)
    corner = np.kron(pooled, [[1, 0], [0, 0]])
    figure = figures.placement(inputs, pooled, {"max": back, "top-left": corner}, np.array([5, 7, 8, 15]))
    assert title(figure) == "Max puts 4 of 4 values back where they came from, top-left 1"
    assert panel_titles(figure)[2:] == ["max 4 of 4 in place", "top-left 1 of 4 in place"]
    framed = [{(patch.get_y(), patch.get_x()) for patch in axes.patches} for axes in figure.axes[:4]]
    assert framed == [{(1, 1), (1, 3), (2, 0), (3, 3)}, set(), framed[0], framed[0]]


@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_the_field_is_the_box_around_the_gradient(dilation):
    layer = nn.Conv2d(1, 1, 3, padding=dilation, dilation=dilation)
    x = zeros(1, 1, 21, 25, requires_grad=True)
    layer(layer(x))[0, 0, 10, 12].backward()
    figure = figures.receptive_field({"two layers": x.grad[0, 0].numpy(), "one": np.eye(21)[:1]})
    side = 4 * dilation + 1
    assert panel_titles(figure)[0] == f"two layers {side} x {side}, 25 of {side**2} pixels"
    assert title(figure) == f"The widest receptive field is {side} x {side}: two layers"
    assert (figure.axes[0].patches[0].get_width(), figure.axes[0].patches[0].get_height()) == (side, side)


def test_the_energy_of_the_worst_is_compared_with_the_best(rng):
    large = rng.random((100, 80))
    figure = figures.checkerboard({"transposed": large, "resize": large / 2}, {"transposed": 0.3, "resize": 0.02})
    assert title(figure) == "Transposed has 0.30 of its energy at the stride's frequency, 15 times that of resize"
    pictures = [axes.images[0] for axes in figure.axes[:2]]
    np.testing.assert_array_equal(pictures[0].get_array(), large[18:82, 8:72])
    assert pictures[0].get_clim() == pictures[1].get_clim()
    assert [bar.get_width() for bar in figure.axes[2].patches] == [0.3, 0.02]


def test_active_units_are_counted(rng):
    plain = rng.normal(size=(50, 20))
    sparse = plain * (rng.random(plain.shape) < 0.1)
    sparse[:, :3] = 0
    figure = figures.activity({"plain": plain, "sparse": sparse}, threshold=0.2)
    shares = [(np.abs(each) > 0.2).mean() for each in (plain, sparse)]
    assert (
        title(figure) == f"Sparse: {100 * shares[1]:.1f} % of the units active in a row, plain: {100 * shares[0]:.0f} %"
    )
    never = (np.abs(sparse).max(axis=0) <= 0.2).sum()
    assert [text.get_text().split("\n")[2] for text in figure.axes[1].get_legend().get_texts()] == [
        "0 of 20 units never here",
        f"{never} of 20 units never here",
    ]
    heights = figure.axes[0].patches[1].get_data().values
    expected = np.histogram((np.abs(sparse) > 0.2).mean(axis=1), 40, (0, 1))[0] / 50
    np.testing.assert_allclose(heights, expected)


def test_two_classes_are_hit_missed_or_false():
    truth = np.zeros((1, 2, 4), int)
    truth[0, 0] = 1
    seen = truth.copy()
    seen[0, 0, 0], seen[0, 1, 1:3] = 0, 1
    figure = figures.overlay(np.ones((1, 2, 4)), truth, seen, ["outside", "cell"])
    dice = 2 * 3 / (2 * 3 + 1 + 2)
    assert title(figure) == f"Dice of cell {dice:#.3g}: 25 % of it missed, 40 % of what is found false, over this image"
    errors = figure.axes[0].images[0].get_array()[-2:]
    tints = {text.get_text(): patch.get_facecolor()[:3] for text, patch in zip(*legend_of(figure), strict=True)}
    assert list(tints) == ["found", "missed", "false"]
    for place, name in {(0, 0): "missed", (0, 1): "found", (1, 1): "false"}.items():
        np.testing.assert_allclose(errors[place], 0.75 * np.array(tints[name]) + 0.25)
    np.testing.assert_allclose(errors[1, 0], 1.0)


def legend_of(figure):
    box = figure.axes[0].get_legend()
    return box.get_texts(), box.get_patches()


def test_many_classes_have_fixed_colours_and_void_counts_nowhere(rng):
    truth, seen = rng.integers(0, 4, (2, 3, 5, 5))
    truth[0] = 9
    names = ["sky", "road", "car", "tree", "never"]
    figure = figures.overlay(rng.random((3, 3, 5, 5)), truth, seen, names, ignore=9)
    iou = jaccard_score(truth[1:].ravel(), seen[1:].ravel(), average="macro")
    right = 100 * np.mean(truth[1:] == seen[1:])
    assert title(figure) == (
        f"Mean intersection over union {iou:#.3g} of 4 classes, {right:.0f} % of the pixels right, over these 3 images"
    )
    assert [text.get_text() for text in legend_of(figure)[0]] == [*names, "wrong", "not counted"]
    page = figure.axes[0].images[0].get_array()
    np.testing.assert_allclose(page[6:11, 6:11], np.array([to_rgb(tint) for tint in CLASSES])[truth[1]])


def test_classes_keep_their_colours_and_none_comes_twice():
    assert class_colours(12) == list(CLASSES)
    assert class_colours(32)[:5] == class_colours(5)
    assert len(set(class_colours(36))) == 36


def test_the_worst_confusion_is_a_share_of_its_class(rng):
    taken = np.where(rng.random(len(LABELS)) < 0.2, 7, LABELS)
    taken[LABELS == 3] = np.where(rng.random((LABELS == 3).sum()) < 0.6, 8, 3)
    figure = figures.confusion(confusion_matrix(LABELS, taken), [f"digit {i}" for i in range(10)])
    share, right = 100 * np.mean(taken[LABELS == 3] == 8), 100 * np.mean(taken == LABELS)
    assert (
        title(figure)
        == f"{share:.0f} % of digit 3 is taken for digit 8, the worst confusion; {right:.0f} % of all is right"
    )
    shares = confusion_matrix(LABELS, taken, normalize="true")
    np.testing.assert_allclose(figure.axes[0].images[0].get_array(), shares)
    assert written(figure.axes[0]) == [f"{100 * value:.0f}" for value in shares.ravel() if value >= 0.005]
    empty = figures.confusion(np.diag([3, 0]), ["a", "b"])
    assert title(empty) == "No confusion: 100 % of all is right"


def test_the_best_bar_is_in_colour_and_spreads_are_weighed():
    values = {"none": (3.1, 0.2), "SAE": (2.4, 0.15), "SDAE": (2.31, 0.12)}
    figure = figures.bars(values, "test error (%)")
    assert title(figure) == "SDAE has the lowest test error (%), 2.31; next SAE, 2.40, within the spread"
    assert [bar.get_width() for bar in figure.axes[0].patches] == [3.1, 2.4, 2.31]
    assert len({bar.get_facecolor() for bar in figure.axes[0].patches[:2]}) == 1
    assert figure.axes[0].patches[2].get_facecolor()[:3] == to_rgb("#0072B2")
    assert written(figure.axes[0]) == ["3.10 ± 0.20", "2.40 ± 0.15", "2.31 ± 0.12"]
    higher = figures.bars({"VAE": -103.2, "AAE": -140.0}, "ELBO (nats)", "higher")
    assert title(higher) == "ELBO (nats): VAE -103, AAE -140"


def test_lines_end_with_their_names_apart_from_each_other():
    x = np.array([1.0, 10.0, 100.0])
    series = {name: (x, np.array([9.0, 5.0, last])) for name, last in [("c", 2.0), ("a", 1.0), ("b", 1.001)]}
    figure = figures.lines(series, "labels", "test error", log_x=True, log_y=True)
    assert title(figure) == "Test error at labels 100: a 1, b 1.00, c 2"
    assert figure.axes[0].get_xscale() == figure.axes[0].get_yscale() == "log"
    heights = {text.get_text(): text.get_position()[1] for text in figure.axes[0].texts}
    assert sorted(heights, key=heights.get) == ["a", "b", "c"]
    assert np.diff(sorted(heights.values())).min() > 0.06


def test_a_reference_is_dashed_and_a_line_that_stops_early_is_named_there():
    series = {"long": (np.arange(1, 101), np.linspace(9, 3, 100)), "short": ([1, 2, 3], [9, 8, 7])}
    figure = figures.lines(series, "epoch", "error", reference=("PCA", 2.0))
    assert title(figure) == "Long ends at 3, 1.50 times PCA (2)"
    dashed = figure.axes[0].lines[-1]
    assert dashed.get_linestyle() == "--"
    assert set(dashed.get_ydata()) == {2.0}
    assert {text.get_text(): text.xy for text in figure.axes[0].texts if hasattr(text, "xy")} == {"short": (3.0, 7.0)}
