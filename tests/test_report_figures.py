import ast
import warnings
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex

import narrows
from narrows.errors import InputError
from narrows.reporting import figures
from narrows.reporting.figures.base import FIGURES, draws
from narrows.reporting.figures.curves import total
from narrows.reporting.figures.latent_maps import project
from narrows.reporting.figures.style import CLASSES

ROOT = Path(narrows.__file__).parent


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def title(figure):
    return figure.get_suptitle().replace("\n", " ")


def test_saving_is_whole_or_not_at_all_and_repeatable(tmp_path, rng):
    images = rng.random((3, 8, 8))
    first = figures.save(figures.reconstructions(images, images), tmp_path / "a.png").read_bytes()
    second = figures.save(figures.reconstructions(images, images), tmp_path / "b.png").read_bytes()
    assert first == second
    assert int.from_bytes(first[16:20], "big") == 6 * 150
    figure = figures.reconstructions(images, images)
    figure.savefig(tmp_path / "c.png", metadata={"Software": None})  # lays out, then draws once more
    assert first == (tmp_path / "c.png").read_bytes()
    (tmp_path / "c.png").unlink()
    broken = figures.reconstructions(images, images)
    broken.canvas.print_png = lambda *args, **options: (_ for _ in ()).throw(OSError("full"))
    with pytest.raises(OSError, match="full"):
        figures.save(broken, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == first
    assert len(list(tmp_path.iterdir())) == 2


def test_reconstructions_show_the_pixels_and_the_error(rng):
    clean, noisy = rng.random((20, 1, 8, 6)), rng.random((20, 8, 6))
    result = clean + 0.0
    result[:, :, 0, 0] = 1 - clean[:, :, 0, 0]
    figure = figures.reconstructions(clean, result, titles=("clean", "cleaned"), middle=noisy[:, None])
    strips = [axes.images[0].get_array() for axes in figure.axes]
    assert [strip.shape for strip in strips] == [(8, 12 * 7 - 1, 3)] * 3
    np.testing.assert_allclose(strips[0][:, 7:13, 0], clean[1, 0])
    np.testing.assert_allclose(strips[1][:, 77:83, 2], noisy[11])
    error = np.mean((clean[:12] - result[:12]) ** 2)
    assert f"mean squared error {error:#.3g} over these 12 images" in title(figure)
    assert [axes.get_ylabel().split("\n")[0] for axes in figure.axes] == ["clean", "input", "cleaned"]


def test_reconstructions_in_colour_of_two_sizes(rng):
    figure = figures.reconstructions(rng.random((2, 3, 4, 4)), rng.random((2, 3, 8, 8)))
    assert title(figure) == "Original and reconstruction"
    with pytest.raises(InputError, match="as many of each"):
        figures.reconstructions(np.zeros((2, 4, 4)), np.zeros((3, 4, 4)))
    with pytest.raises(InputError, match="Images of shape"):
        figures.reconstructions(np.zeros((2, 16)), np.zeros((2, 16)))


def test_columns_show_the_worst_and_those_of_largest_variance_with_their_r2(rng):
    table = rng.normal(size=(50, 12)) * np.arange(1, 13)
    noise = rng.normal(size=table.shape)
    figure = figures.reconstructed_columns(table, table + noise, [f"column {i}" for i in range(12)])
    labels = [axes.get_title(loc="left") for axes in figure.axes]
    assert [label.split("   ")[0] for label in labels] == [
        f"column {i}" for i in sorted({0, *np.argsort(-table.var(0))[:8]})
    ]
    r2 = 1 - (noise**2).sum(axis=0) / ((table - table.mean(axis=0)) ** 2).sum(axis=0)
    assert labels[-1].endswith(f"R² {r2[11]:#.2g}")
    assert f"Median R² {np.median(r2):#.2g} over 12 columns; worst: column 0" in title(figure)


def test_names_with_dollars_underscores_and_constants_are_drawn_as_they_are(tmp_path, rng):
    table = np.column_stack([rng.normal(size=20), np.ones(20)])
    figure = figures.reconstructed_columns(table, table, ["$a^{ $", "_b"])
    assert figure.axes[1].get_title(loc="left") == "_b   constant"
    figures.save(figure, tmp_path / "a.png")
    labels = np.array(["$x^{$", "_y"] * 10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures.save(figures.code_map(table, labels), tmp_path / "b.png")


def test_a_map_of_two_columns_is_the_codes_and_of_more_the_components(rng):
    codes = rng.normal(size=(40, 5)) * [5, 3, 1, 0.1, 0.1]
    plane = figures.code_map(codes[:, :2])
    np.testing.assert_allclose(plane.axes[0].collections[0].get_offsets(), codes[:, :2])
    assert plane.axes[0].get_xlabel() == "code 1"
    points, box = project(codes, 3)
    names = [axis.name for axis in box]
    u, s, _ = np.linalg.svd(codes - codes.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(np.abs(points), np.abs(u * s)[:, :3], atol=1e-9)
    assert names[0] == f"principal component 1 ({100 * s[0] ** 2 / (s**2).sum():.0f} % of the variance)"
    assert figures.code_map(codes).axes[0].get_xlabel() == names[0]


def test_classes_have_their_colours_names_and_neighbours():
    codes = np.array([[0.0, 0], [0, 1], [9, 0], [9, 1], [0, 2]])
    labels = np.array([0, 0, 1, 1, 1])
    figure = figures.code_map(codes, labels, ["cat", "dog"])
    colours = [to_hex(colour) for colour in figure.axes[0].collections[0].get_facecolors()]
    assert colours == [CLASSES[label].lower() for label in labels]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["cat", "dog"]
    assert title(figure).endswith("of the same class for 80 %")
    without = figures.code_map(codes, labels - 1, ["cat", "dog"])
    assert [text.get_text() for text in without.legends[0].get_texts()] == ["no label", "cat"]
    unnamed = figures.code_map(codes, labels - 2, ["cat", "dog"])
    assert [text.get_text() for text in unnamed.legends[0].get_texts()] == ["-2", "-1"]


def test_rare_classes_share_a_colour_and_broken_codes_are_left_out(rng):
    labels = np.concatenate([np.repeat(np.arange(12), 3), [12, 13]])
    codes = rng.normal(size=(38, 3))
    codes[0] = np.nan
    figure = figures.code_map(codes, labels)
    assert [text.get_text() for text in figure.legends[0].get_texts()][-1] == "2 others"
    assert len(figure.axes[0].collections[0].get_offsets()) == 37


def test_a_map_is_coloured_by_a_number_or_a_date_with_what_is_missing_and_held_out(rng):
    pay = np.r_[np.zeros(50), np.arange(1.0, 31), [np.nan] * 4]
    held = np.arange(84) % 10 == 0
    figure = figures.code_map(rng.normal(size=(84, 2)), pay, by="pay", held=held)
    dots, key = figure.axes[0].collections[0], figure.legends[0]
    assert [text.get_text() for text in key.get_texts()] == [
        "0",
        "1 to 10",
        "11 to 20",
        "21 to 30",
        "missing",
        "held out",
    ]
    assert key.get_title().get_text() == "pay"
    assert title(figure) == "84 codes of 2 numbers, darker for larger pay"
    assert len({to_hex(colour) for colour in dots.get_facecolors()}) == 5
    np.testing.assert_array_equal(np.array(dots.get_linewidths()) > 0, held)
    days = np.arange("2024-01-01", "2024-01-04", dtype="datetime64[D]").astype("datetime64[ms]")
    figure = figures.code_map(rng.normal(size=(3, 2)), days, by="day")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["2024-01-01", "2024-01-02", "2024-01-03"]


@pytest.mark.parametrize("width", [1, 2, 3, 6])
def test_three_sides_of_codes_of_any_length(width, tmp_path, rng):
    figure = figures.code_map_3d(rng.normal(size=(30, width)), rng.random(30))
    assert len({axes.azim for axes in figure.axes}) == 3
    assert figures.save(figure, tmp_path / "a.png").stat().st_size > 10_000


def test_the_loss_is_the_sum_of_its_terms_and_its_best_epoch_is_marked():
    history = [
        {
            "epoch": e,
            "train": {"reconstruction": 9 - e, "kl": 1.0},
            "valid": {"reconstruction": (e - 3.0) ** 2 + 5, "kl": e},
        }
        for e in range(1, 7)
    ]
    np.testing.assert_allclose(total(history, "valid"), [(e - 3) ** 2 + 5 + e for e in range(1, 7)])
    figure = figures.loss_curves(history)
    assert title(figure) == "Best at epoch 2 of 6: 8 nats per row on the held-out rows"
    loss, terms = figure.axes
    assert [line.get_xydata().tolist() for line in loss.lines][-1] == [[2.0, 8.0]]
    np.testing.assert_allclose(sum(line.get_ydata() for line in terms.lines), loss.lines[1].get_ydata())


def test_a_start_that_no_epoch_bettered_is_not_called_an_epoch():
    history = [{"epoch": i, "train": {"loss": 3.0 - i}, "valid": {"loss": 5.0 - i}} for i in (1, 2)]
    figure = figures.loss_curves(history, kept=0)
    assert title(figure) == "The start is kept: no epoch (of 2) is better on the held-out rows"
    assert title(figures.loss_curves(history, kept=1)).startswith("Best at epoch 1 of 2: 4 nats")
    assert not [text for axes in figure.axes for text in axes.texts if text.get_text() == "best"]


def test_a_loss_without_held_out_rows_of_one_term_and_a_diverged_epoch():
    history = [{"train": {"reconstruction": value}} for value in (3.0, 2.0, float("nan"))]
    figure = figures.loss_curves(history)
    assert len(figure.axes) == 1
    assert title(figure) == "Best at epoch 2 of 3: 2 nats per row on the training rows"
    with pytest.raises(InputError, match="finite"):
        figures.loss_curves(history[2:])
    with pytest.raises(InputError, match="without epochs"):
        figures.loss_curves([])


def test_filters_are_sorted_and_share_a_symmetric_scale(rng):
    weights = rng.normal(size=(70, 12))
    weights[5] = 0
    weights[9] = [-50.0, 50.0] * 6
    figure = figures.filters(weights, (3, 4))
    sheet = figure.axes[0].images[0].get_array()
    assert sheet.shape == (4 * 4 - 1, 16 * 5 - 1, 3)
    np.testing.assert_allclose(sheet[0, 0], [0x0B / 255, 0x4F / 255, 0x80 / 255])
    np.testing.assert_allclose(sheet[0, 1], [0xA0 / 255, 0x3C / 255, 0])
    assert "The 64 strongest of 70 filters" in title(figure)


def test_filters_in_colour_lie_around_grey():
    weights = np.zeros((2, 3, 2, 2))
    weights[0, 0] = 2.0
    sheet = figures.filters(weights, (3, 2, 2)).axes[0].images[0].get_array()
    np.testing.assert_allclose(sheet[:, :2], np.broadcast_to([1.0, 0.5, 0.5], (2, 2, 3)))
    np.testing.assert_allclose(sheet[:, 3:], 0.5)


def test_units_of_a_loss_have_their_plural():
    history = [{"epoch": i, "train": {"reconstruction": 2.0 - i}, "valid": {"reconstruction": 3.0 - i}} for i in (1, 2)]
    figure = figures.loss_curves(history, 2, "patch")
    assert "nats per patch on the held-out patches" in figure.get_suptitle().replace("\n", " ")


def named_by_tasks() -> set[str]:
    """What the pictures that are made anywhere ask for: their fifth argument or, without it, their kind."""
    nodes = (node for path in ROOT.rglob("*.py") for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    calls = [node for node in nodes if isinstance(node, ast.Call) and ast.unparse(node.func) == "Picture"]
    return {ast.literal_eval(call.args[4 if len(call.args) > 4 else 0]) for call in calls}


def test_every_picture_has_its_figure_and_every_figure_somebody_who_draws_it():
    asked = named_by_tasks()
    assert len(asked) > 20
    assert asked <= FIGURES.keys()
    recipes = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "recipes").glob("*.py"))
    others = [draw.__name__ for name, draw in FIGURES.items() if name not in asked]
    assert [name for name in others if f"figures.{name}(" not in recipes] == []


def test_two_figures_cannot_share_a_name():
    with pytest.raises(TypeError, match=r"'map' of other is taken by .*latent_maps.code_map"):

        @draws("map")
        def other():
            return None


def test_real_and_new_rows_are_compared_by_value_or_by_level(rng):
    real = np.column_stack([np.arange(10.0), *np.eye(2)[[0] * 6 + [1] * 4].T])
    made = np.column_stack([np.arange(10.0), *np.eye(2)[[0] * 3 + [1] * 7].T])
    figure = figures.marginals(real, made, ["age", "sex=f", "sex=m"], {"age": 1, "sex": 2})
    category, number = figure.axes
    assert title(figure).startswith("sex differs most between real and new rows: by 0.30 of the rows")
    assert [category.get_title(loc="left"), number.get_title(loc="left")] == ["sex: 0.30", "age: 0"]
    levels = [label.get_text() for label in category.get_yticklabels()]
    bars = [bar.get_width() for bar in category.patches]
    assert dict(zip(levels, zip(bars[:2], bars[2:], strict=True), strict=True)) == {
        "f": pytest.approx((0.6, 0.3)),
        "m": pytest.approx((0.4, 0.7)),
    }


def test_columns_are_worth_what_the_others_lose_without_them():
    own, others = np.array([1.0, 2.0, 0.5]), np.array([1.5, 0.0, 0.25])
    figure = figures.importance(["pay", "age", "$x"], own, others)
    assert title(figure) == "The other columns lean most on pay; 1 of 3 says nothing of the others"
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    assert widths == [*others, *own]
    assert title(figures.importance(["a"], own[:1], np.zeros(1))) == "No column says anything of another"
